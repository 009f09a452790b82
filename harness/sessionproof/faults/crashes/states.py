"""A state: what the files are after a crash, under one crash model."""

from __future__ import annotations

from dataclasses import dataclass

KILL, POWER_ORDERED, POWER_STRICT = "kill", "power-ordered", "power-strict"
MODELS = (KILL, POWER_ORDERED, POWER_STRICT)
"""Crash models, mildest first. ``docs/crashes.md`` says what each lets survive."""


@dataclass(frozen=True, slots=True)
class State:
    """One image of the files after a crash behind the first ``point`` changes.

    ``lost`` are places of changes before ``point`` that did not survive. ``cut`` is a write that
    survived in part: its place, and how many of its bytes from the start; for the strict model it
    may instead name the 512-byte sectors that survived. All other changes before ``point``
    survived. ``digest`` tells equal files apart from others: states with one digest and one number
    of acknowledged operations are one.
    """

    model: str
    point: int
    lost: tuple[int, ...] = ()
    cut: tuple[int, int] | None = None
    sectors: tuple[int, tuple[int, ...]] | None = None
    digest: bytes = b""
