"""Limits, sweeps, snapshots, searches and the like, asked of a guarded handle.

Each function answers an outcome as ``Handle.invoke`` does: it never raises, and a malformed answer
is a failure of its own. After a Conflict it is asked again.
"""

from __future__ import annotations

from typing import Any

from sessionproof.contract.operations import Outcome
from sessionproof.workload.execute import insisted
from sessionproof.workload.guard import Handle
from sessionproof.workload.upkeep import answered


def set_limits(
    handle: Handle, session_id: str, *, idle_us: int | None = None, hard_us: int | None = None
) -> Outcome:
    """Nothing."""
    return _ask(handle, "set_limits", session_id, idle_us=idle_us, hard_us=hard_us)


def touch(handle: Handle, session_id: str) -> Outcome:
    """Nothing."""
    return _ask(handle, "touch", session_id)


def set_status(handle: Handle, session_id: str, status: str) -> Outcome:
    """Nothing."""
    return _ask(handle, "set_status", session_id, status)


def sweep(handle: Handle) -> Outcome:
    """``Swept``."""
    return _ask(handle, "sweep")


def set_clock(handle: Handle, now_us: int | None) -> Outcome:
    """Nothing."""
    return _ask(handle, "set_clock", now_us)


def snapshot(handle: Handle, session_id: str, *, reason: str | None = None) -> Outcome:
    """The id of the snapshot."""
    return _ask(handle, "snapshot", session_id, reason=reason)


def restore_snapshot(handle: Handle, snapshot_id: str, *, session_id: str | None = None) -> Outcome:
    """The id of the session."""
    return _ask(handle, "restore_snapshot", snapshot_id, session_id=session_id)


def snapshots(handle: Handle, session_id: str | None = None) -> Outcome:
    """A list of ``SnapshotInfo``."""
    return _ask(handle, "snapshots", session_id)


def search(handle: Handle, query: str, *, limit: int = 100) -> Outcome:
    """A list of ``Hit``."""
    return _ask(handle, "search", query, limit=limit)


def health(handle: Handle) -> Outcome:
    """``Health``."""
    return _ask(handle, "health")


def maintain(handle: Handle) -> Outcome:
    """A list of names."""
    return _ask(handle, "maintain")


def _ask(handle: Handle, method: str, *arguments: Any, **options: Any) -> Outcome:
    def ask(call: Any) -> Any:
        return answered(method, call(method, *arguments, **options))

    return insisted(lambda: handle.perform(method, ask))
