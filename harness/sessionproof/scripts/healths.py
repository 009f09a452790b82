"""Scripts of health: what a store says of itself, well and damaged.

The lines use an open ``store``.
"""

from __future__ import annotations

from collections.abc import Collection

from sessionproof.scripts.backups import owed
from sessionproof.scripts.repairs import AGAIN

_SIGNS = (
    "def signs():",
    "    checks = store.health().checks",
    "    return {one.name for one in checks if one.severity in ('warning', 'critical')}",
)


def asked() -> list[str]:
    """That health answers."""
    return owed("print(store.health())")


def well() -> list[str]:
    """That no check of a store that is well is bad in each of three looks."""
    return [
        "store.close()",
        AGAIN,
        *_SIGNS,
        "always = signs() & signs() & signs()",
        "assert not always, store.health()",
    ]


def told(usual: Collection[str]) -> list[str]:
    """That a check of a damaged store is not ok, beside those that never were."""
    return [
        "found = store.health()",
        "told = {one.name for one in found.checks if one.severity != 'ok'}",
        f"told -= set({sorted(usual)!r})",
        "assert told or found.severity == 'unknown', found",
    ]
