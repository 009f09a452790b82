"""Lines and cells of what stores and files said: escaped, and cut where they are long."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sessionproof.report.plain import cut, for_terminal

_CHARACTERS_MAX = 300


def cell(console: Console, text: str, *, most: int = _CHARACTERS_MAX) -> Text:
    """The text for a place of this console, in about ``most`` characters."""
    return Text(for_terminal(cut(text, most), console.encoding))


def line(console: Console, text: str, style: str = "", *, most: int = _CHARACTERS_MAX) -> None:
    """Print one line."""
    console.print(cell(console, text, most=most), style=style or None, soft_wrap=True)
