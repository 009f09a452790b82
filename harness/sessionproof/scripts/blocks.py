"""Lines of scripts that stand in a block."""

from __future__ import annotations

from collections.abc import Iterable


def indented(lines: Iterable[str]) -> list[str]:
    """The lines one level further in; an empty one stays empty."""
    return [f"    {line}" if line else "" for line in lines]
