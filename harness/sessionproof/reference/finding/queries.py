"""What a user typed as an expression of the index. Nothing that he types is an error.

Words are looked for in any order, all of them; ``"some words"`` in this order; ``word*`` also as
the beginning of a longer one. Everything else is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sessionproof.reference.finding.words import folded, is_word, split


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


def _terms(query: str) -> Iterator[Term]:
    parts = query.split('"')
    if len(parts) % 2 == 0:  # a quote that nothing closes is none
        parts[-2:] = [" ".join(parts[-2:])]
    for place, part in enumerate(parts):
        if place % 2:
            yield Term(split(part))
        else:
            yield from map(_term, part.split())


def _term(chunk: str) -> Term:
    words = split(chunk)
    return Term(words, open_end=chunk[-1] == "*" and is_word(chunk[-2:-1]))


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
