"""How a session ends: by limits that run out, and by what is done to it on purpose.

Times are integer microseconds. A limit runs out when the store's clock shows it or later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

STATUSES = ("active", "idle", "paused", "archived", "expired")
"""The words of ``SessionInfo.status``. Sessions that are active or idle take messages."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did, as ids of sessions: those that will soon expire, and those that did now."""

    warned: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()


class SetsLimits(Protocol):
    """Sessions expire."""

    def set_limits(
        self, session_id: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> None:
        """Let the session expire ``idle_us`` after its last activity, or ``hard_us`` after now.

        Whichever comes first. None is no limit of that kind, so both None let it live for ever.
        Until then it has the limits that the store gives to new sessions, if any.
        What has ended refuses messages with ``Expired``, or ``NotFound`` where it is gone.
        Setting limits is activity. Limits below 1 are refused. The status of a session that is
        paused, archived or expired stays; limits set anew let it be opened again.
        """
        ...


class Touches(Protocol):
    """A session can be kept alive without a message."""

    def touch(self, session_id: str) -> None:
        """Activity, and nothing else; refused as an append is."""
        ...


class SetsStatus(Protocol):
    """Sessions are paused, archived and opened again on purpose."""

    def set_status(self, session_id: str, status: str) -> None:
        """Move the session to one of ``STATUSES``; a move that is not declared is refused.

        To the status that it has, the move does nothing. A move to active is activity; past the
        hard limit it may be refused until limits are set anew. Paused and archived sessions do not
        expire.
        """
        ...


class Sweeps(Protocol):
    """Sessions past their limits are found by one call."""

    def sweep(self) -> Swept:
        """Warn of and expire what is due; each session is told once, to one of all callers."""
        ...


class SetsClock(Protocol):
    """The store's clock can be set, for tests.

    A store whose factory takes a keyword ``clock`` gets this by itself: the harness hands it a
    clock, and sets that.
    """

    def set_clock(self, now_us: int | None) -> None:
        """Let this handle's clock stand at this time; None: the machine's own time again."""
        ...
