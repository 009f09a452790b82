"""Limits, warnings, sweeps, and what a status allows: methods of ``ReferenceStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.lifetime import Swept

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def set_limits(
    store: ReferenceStore,
    session_id: str,
    *,
    idle_us: int | None = None,
    hard_us: int | None = None,
) -> None:
    """."""
    raise Refused("not yet")


def touch(store: ReferenceStore, session_id: str) -> None:
    """."""
    raise Refused("not yet")


def set_status(store: ReferenceStore, session_id: str, status: str) -> None:
    """."""
    raise Refused("not yet")


def sweep(store: ReferenceStore) -> Swept:
    """."""
    raise Refused("not yet")
