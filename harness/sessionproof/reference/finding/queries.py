"""What a user typed as an expression of the index. Nothing that he types is an error.

Words are looked for in any order, all of them; ``"some words"`` in this order; ``word*`` also as
the beginning of a longer one. Everything else is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sessionproof.reference.finding.words import folded, is_word, split

_ROW_MOST = 64


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row; with ``open_end`` the last may go on."""

    words: str
    open_end: bool = False

    @property
    def expression(self) -> str:
        """As FTS5 takes it; there is no quote in words."""
        return f'"{self.words}"{" *" if self.open_end else ""}'


def terms_of(query: str) -> tuple[Term, ...]:
    """All that a text must have to be found, each once; none for a query without a word."""
    return tuple(dict.fromkeys(one for one in _terms(folded(query)) if is_word(one.words)))


def expression(
    terms: Sequence[Term], *, sids: Sequence[int] | None = None, role: str | None = None
) -> str:
    """The expression of FTS5; with ``sids`` for messages of these sessions alone."""
    parts = [f"words : ({' AND '.join(one.expression for one in terms)})"]
    if sids is not None:
        parts.append(f"tags : ({' OR '.join(f's{sid}' for sid in sids)})")
    if role is not None:
        parts.append(f"tags : r{role}")
    return " AND ".join(parts)


def _terms(query: str) -> Iterator[Term]:
    parts = query.split('"')
    if len(parts) % 2 == 0:  # a quote that nothing closes is none
        parts[-2:] = [" ".join(parts[-2:])]
    for place, part in enumerate(parts):
        if place % 2:
            yield from _in_parts(split(part))
        else:
            for chunk in part.split():
                open_end = chunk[-1] == "*" and is_word(chunk[-2:-1])
                yield from _in_parts(split(chunk), open_end=open_end)


def _in_parts(words: str, *, open_end: bool = False) -> Iterator[Term]:
    """A term, or several of so many words: SQLite compares each with each place of its first."""
    row = words.split()
    for start in range(0, len(row), _ROW_MOST):
        last = start + _ROW_MOST >= len(row)
        yield Term(" ".join(row[start : start + _ROW_MOST]), open_end=open_end and last)
