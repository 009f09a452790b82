"""Text for people: whatever a store said, shown so that it can do no harm.

Names, contents and stderr of a store under test are hostile input. One rule makes them safe for a
page, for XML and for a terminal: what Python does not count as printable is shown as its escape,
as ``repr`` does. That covers control characters and so ANSI sequences, bidi overrides, zero-width
characters, blanks that look like a space, lone surrogates, and all that XML forbids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def shown(text: str, *, lines: bool = False) -> str:
    r"""The text with every unprintable character as its escape: ``\x1b``, ``\u202e``, ``\ud800``.

    With ``lines``, newlines and tabs stay; else they are escaped too, so that one line stays one.
    The answer can always be encoded as UTF-8.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(one if one.isprintable() or one in kept else _escaped(one) for one in text)


def cut(text: str, limit: int) -> str:
    """At most about ``limit`` characters: the middle gives way to a note of the full length."""
    if len(text) <= limit:
        return text
    head, tail = limit - limit // 3, limit // 3
    return f"{text[:head]} […{len(text):,} characters in all…] {text[-tail:]}"


def short_program(program: Sequence[str], most: int) -> tuple[str, ...]:
    """At most ``most`` lines (at least 3): the last, guilty one always, a comment for the rest."""
    if len(program) <= most:
        return tuple(program)
    tail = most // 2
    head = most - tail - 1
    left_out = f"# … {len(program) - head - tail:,} of {len(program):,} lines left out …"
    return (*program[:head], left_out, *program[-tail:])


def for_terminal(text: str, encoding: str, *, lines: bool = False) -> str:
    """``shown``, in characters that ``encoding`` has, with nothing that a CI log would obey.

    ``##[`` starts a command anywhere in a line of a log, ``::`` at the start of a line and behind
    blanks there.
    """
    safe = shown(text, lines=lines).replace("##[", "#\\x23[").replace("##vso[", "#\\x23vso[")
    safe = _COMMAND.sub(r"\1\\x3a:", safe)
    try:
        safe.encode(encoding)
    except UnicodeEncodeError:
        safe = safe.translate(_PLAINER).encode(encoding, "backslashreplace").decode(encoding)
    return safe


_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
_PLAINER = str.maketrans(
    {"…": "...", "–": "-", "’": "'", "“": '"', "”": '"', "µ": "u", "×": "x", "→": "->"}
)


@lru_cache(4096)
def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
