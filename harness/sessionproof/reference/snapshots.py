"""Snapshots of sessions: methods of ``ReferenceStore``."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.snapshots import SnapshotInfo

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def snapshot(store: ReferenceStore, session_id: str, *, reason: str | None = None) -> str:
    """."""
    raise Refused("not yet")


def restore_snapshot(
    store: ReferenceStore, snapshot_id: str, *, session_id: str | None = None
) -> str:
    """."""
    raise Refused("not yet")


def snapshots(store: ReferenceStore, session_id: str | None = None) -> builtins.list[SnapshotInfo]:
    """."""
    raise Refused("not yet")
