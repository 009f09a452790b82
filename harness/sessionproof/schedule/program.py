"""Small programs, what they are carried out with, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sessionproof.contract.lookup import StoreSpec
from sessionproof.history.columns import History
from sessionproof.schedule.decisions import Ended, Key, Step
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

Kind = Literal["threads", "shared", "tasks"]
Numbered = tuple[int, Call]
"""A call with its number, which it keeps when others are dropped; from 1."""

OPERATION = "operation"
"""``Point.on`` of the beginning of a client's operation."""


@dataclass(frozen=True)
class Program:
    """What clients do at once: the numbered calls of each, on so many sessions.

    ``before`` are calls that are carried out before they begin.
    """

    clients: tuple[tuple[Numbered, ...], ...]
    sessions: int = 1
    before: tuple[Numbered, ...] = ()

    @property
    def operations(self) -> int:
        """How many operations the clients make."""
        return sum(map(len, self.clients))

    def without(self, number: int) -> Program:
        """The program without the operation of this number."""
        return replace(
            self,
            clients=tuple(tuple(c for c in one if c[0] != number) for one in self.clients),
            before=tuple(c for c in self.before if c[0] != number),
        )


@dataclass(frozen=True)
class Run:
    """An execution: what was decided otherwise than usual, every step, and what clients saw.

    ``controlled`` is False where somebody waited unseen. ``waiting`` says who waited for what in
    a deadlock. ``problem`` is why the store could not be opened or prepared; then there is nothing
    else.
    """

    decisions: tuple[tuple[Key, int], ...]
    steps: tuple[Step, ...]
    history: History
    ended: Ended = Ended.DONE
    controlled: bool = True
    waiting: tuple[str, ...] = ()
    problem: str = ""
    program: Program = Program(())

    @property
    def reached(self) -> int:
        """How many points lay inside of clients' operations."""
        return sum(step.key.task >= 0 and step.point.on != OPERATION for step in self.steps)


@dataclass(frozen=True)
class Setup:
    """What a stage is made of.

    ``creates`` says that sessions must be made, ``by_store`` that the store names them;
    ``shared`` says of tasks that they use one handle.
    """

    spec: StoreSpec
    kind: Kind
    clients: int
    speech: Speech
    creates: bool = False
    by_store: bool = False
    lines: bool = False
    shared: bool = False

    @property
    def shares(self) -> bool:
        """Whether clients use one handle."""
        return self.kind == "shared" or self.shared
