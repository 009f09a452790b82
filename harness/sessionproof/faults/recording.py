"""A recording: what clients asked of a hosted store, and all changes that it made meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import Operation, Outcome, Request, Upkeep
from sessionproof.faults.changes import Changes


class CannotTrace(Exception):
    """System calls cannot be seen here; the text is the reason and the remedy in one line."""


@dataclass(frozen=True, kw_only=True)
class Acted:
    """One operation of one client, as it was when it was recorded.

    ``after`` is the place of the change behind which it was asked for, at the earliest: that of
    the client's answer before it, -1 for none. ``answered`` is the place of its own answer, None
    if it got none. ``session_id`` is what the store knows the session by. ``order`` is empty, or
    the texts of the messages of its session in the order that was read when it, and all that ran
    beside it, had been answered: with two clients at once, only the store knows the order.
    """

    client: int
    operation: Request
    outcome: Outcome
    session_id: str | None
    after: int
    answered: int | None
    order: tuple[str, ...] = ()

    @property
    def on_sessions(self) -> Operation:
        """The operation, of a recording in which there is no upkeep."""
        if isinstance(self.operation, Upkeep):
            raise AssertionError(f"{self.operation.method} is judged as an upkeep")
        return self.operation


@dataclass(frozen=True, kw_only=True)
class Recording:
    """``acts`` in the order of their answers; ``folder`` holds all of it.

    ``store`` is the name that ``find_store`` takes. ``hidden`` says why the files cannot be rebuilt
    from what was seen, empty when they can: then nothing is judged, and nothing broken.
    ``opened_s`` is how long opening took without a crash.
    """

    store: str
    claims: Claims
    capabilities: frozenset[str]
    clients: int
    acts: tuple[Acted, ...]
    changes: Changes
    folder: Path
    hidden: str = ""
    opened_s: float = 0.0
