"""A session as it was at one moment, kept apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """Facts of one snapshot; what the store does not keep is None.

    ``kind`` is checkpoint, warning, expiry, archive, delete or restore: what it was taken before,
    checkpoint when it was asked for.
    """

    snapshot_id: str
    session_id: str
    kind: str | None = None
    reason: str | None = None
    taken_at_us: int | None = None
    message_count: int | None = None


class TakesSnapshots(Protocol):
    """The whole of a session can be kept as it is now."""

    def snapshot(self, session_id: str, *, reason: str | None = None) -> str:
        """Keep the session with all that belongs to it; answers the snapshot's id.

        An unknown session is ``NotFound``.
        """
        ...


class RestoresSnapshots(Protocol):
    """A snapshot becomes a session again."""

    def restore_snapshot(self, snapshot_id: str, *, session_id: str | None = None) -> str:
        """Make the session as it was, under its own id or a new one; answers that id.

        Its limits, its status and the times of its messages are part of it; its last activity may
        be the restore. Where an id is given, it is that one. What happens to newer messages of a
        session that is there is a claim. An unknown snapshot is ``NotFound``.
        """
        ...


class ListsSnapshots(Protocol):
    """Snapshots can be found again."""

    def snapshots(self, session_id: str | None = None) -> Sequence[SnapshotInfo]:
        """The snapshots of a session, also of one that is gone, or all; newest first."""
        ...
