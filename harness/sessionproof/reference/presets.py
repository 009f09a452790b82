"""How many connections a store keeps. The writer is always one; presets differ in readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """``readers`` are kept open, ``extra_readers`` more are opened under load and closed again.

    A reader older than ``recycle_s`` seconds is closed when it is given back.
    """

    readers: int
    extra_readers: int
    recycle_s: int


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "cli": Preset(readers=1, extra_readers=0, recycle_s=3600),
        "web": Preset(readers=5, extra_readers=10, recycle_s=3600),
        "high-concurrency": Preset(readers=20, extra_readers=50, recycle_s=1800),
    }
)


def preset_named(name: str) -> Preset:
    """The preset of this name; ValueError in one line that lists the names."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}: use {', '.join(PRESETS)}")
    return PRESETS[name]
