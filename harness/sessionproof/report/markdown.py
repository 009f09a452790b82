"""Text in Markdown: whatever a store said, as text and nothing else.

What comes from outside goes into code where there is room for it: a span or a fence longer than any
run of backticks inside. There no link, image, mention or tag is made. In cells of tables, where
code cannot hold every text, and in our own sentences, what could be markup is written as entities.
"""

from __future__ import annotations

import re

from sessionproof.report.plain import cut, shown

_APART = "&#8203;"  # of no width: what has it inside is no address, no mention, no reference
_MARKUP = re.compile(r"[&<>\[\]`*_~|\\$@#]|://|(?<=www)\.", re.IGNORECASE)


def plain(text: str, limit: int = 1_000) -> str:
    """One line of text outside code: nothing in it is markup, a link or a mention."""
    return _MARKUP.sub(_entity, shown(cut(text, limit)))


def code(text: str, limit: int = 1_000) -> str:
    """One line of text as a span of code; none for an empty text."""
    line = shown(cut(text, limit))
    ticks = "`" * (_longest_run(line) + 1)
    if line.strip(" ") and (line[0] in "` " or line[-1] in "` "):
        line = f" {line} "  # one blank at each end is taken away again
    return f"{ticks}{line}{ticks}" if line else ""


def fenced(text: str, language: str = "", limit: int = 4_000) -> str:
    """Lines of text as a block of code."""
    body = shown(cut(text, limit), lines=True)
    ticks = "`" * max(3, _longest_run(body) + 1)
    return f"{ticks}{language}\n{body}\n{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)


def _entity(found: re.Match[str]) -> str:
    match found[0]:
        case "://":
            return f":{_APART}//"
        case ".":
            return f"{_APART}."
        case "@" | "#" as sign:
            return f"&#{ord(sign)};{_APART}"
        case sign:
            return f"&#{ord(sign)};"
