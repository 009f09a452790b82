"""Several appends and reads, on any sessions, as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sessionproof.contract.message import Message, Receipt


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a transaction: an append of these messages to a session, or, with None, a read."""

    session_id: str
    messages: tuple[Message, ...] | None = None


StepAnswer: TypeAlias = Sequence[Message] | Receipt | None
"""Of a read all messages of the session, oldest first; of an append what ``append`` answers."""


class Transacts(Protocol):
    """Appends and reads of several sessions can be one step."""

    def transact(self, steps: Sequence[Step]) -> Sequence[StepAnswer]:
        """Carry the steps out in order, all or none; answers stand in the places of the steps.

        A read has what earlier steps have appended. What steps see and leave of each other is the
        claim ``isolation``. Whatever is ``Refused`` has left nothing; after ``Conflict`` the same
        steps may be tried again.
        """
        ...
