"""What is decided in an execution, and by whom: plain data.

Strategies know these alone.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import NamedTuple, Protocol

QUIET = -1
"""The number of who prepares the store, and reads it when all is quiet."""


class Key(NamedTuple):
    """A decision: the ``k``-th of task ``task`` in its operation ``op``.

    It names no place in any code and no number of a step, so that it outlives operations that are
    dropped, and other versions of Python.
    """

    task: int
    op: int
    k: int


class Point(NamedTuple):
    """What a task is about to do: words for people, what it is done to, and whether it writes.

    ``detail`` is the whole of what is done, where ``what`` is short.
    """

    what: str
    on: Hashable = None
    writes: bool = True
    detail: str = ""


BEGIN = Point("begin")


class Step(NamedTuple):
    """What a task did when it had the token."""

    key: Key
    point: Point
    switched: bool  # another task had the token before


class Decision(NamedTuple):
    """Who may go on. ``usual`` is who does, unless the strategy picks another of ``ready``.

    ``current`` is who decides, None where it can't go on itself; ``sleepers`` are those of
    ``ready`` who would wait for time to pass. ``points`` is what each is about to do.
    """

    key: Key
    current: int | None
    ready: tuple[int, ...]
    sleepers: frozenset[int]
    usual: int
    points: dict[int, Point]

    @property
    def preempts(self) -> bool:
        """Whether to pick another than ``usual`` would interrupt who could go on."""
        return self.current is not None and self.current not in self.sleepers


class Strategy(Protocol):
    """Decides who goes on."""

    def pick(self, decision: Decision) -> int:
        """One of ``decision.ready``."""
        ...


class Usual:
    """Nobody is ever interrupted."""

    def pick(self, decision: Decision) -> int:
        """As ever."""
        return decision.usual


class Ended(Enum):
    """How an execution ended.

    ``ENDLESS`` took more steps than any program needs, ``STUCK`` waits where nobody sees it.
    """

    DONE = "done"
    DEADLOCK = "deadlock"
    ENDLESS = "endless"
    STUCK = "stuck"
