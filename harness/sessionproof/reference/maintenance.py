"""Upkeep on its intervals: a method of ``ReferenceStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def maintain(store: ReferenceStore) -> list[str]:
    """."""
    raise Refused("not yet")
