"""How a status moves: the declared moves as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MOVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "active": ("paused", "archived", "expired"),
        "idle": ("active", "paused", "archived", "expired"),
        "paused": ("active", "archived"),
        "archived": ("active",),
        "expired": ("active", "archived"),
    }
)
"""From each status, those that ``set_status`` moves to. Nobody moves to idle but a sweep."""

TRANSITIONS = frozenset(f"{one}>{other}" for one, others in MOVES.items() for other in others)
"""The same as the claim ``transitions`` has it."""
