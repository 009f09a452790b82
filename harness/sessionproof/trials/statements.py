"""Every SQL statement that a store runs during a call, and the steps of SQLite's machine for it.

It sees the connections of Python's sqlite3 that are opened in this process while it looks, by
whatever library, and in whatever thread. It sees nothing of a connection whose trace callback the
store sets itself, as there is one for each; such a connection is ``silent``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakSet

from sessionproof.contract.operations import Outcome
from sessionproof.trials.watching import file_of, met

_AGAIN = 3  # a first call reads the schema, and some calls tidy up


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as SQLite was given it, with the values that were bound to it.

    ``file`` is that of its connection's main database, empty for one in memory. ``steps`` are
    those of its connection until the next statement there: a cursor that is read while another
    statement runs gives its steps to that one. 0 where steps are not counted.

    A statement with triggers comes once more for each statement of theirs. What a full-text index
    runs for itself comes as a comment that begins with two dashes.
    """

    text: str
    file: str
    steps: int


@dataclass(frozen=True)
class Traced:
    """A call: its outcome, its statements in order, and how many connections it opened."""

    outcome: Outcome
    statements: tuple[Statement, ...]
    opened: int

    @property
    def steps(self) -> int | None:
        """Steps of the whole call; None where none were seen."""
        return sum(one.steps for one in self.statements) or None


@dataclass(eq=False)
class _Connection:
    file: str
    steps: list[None] = field(default_factory=list)
    heard: bool = False


class Trace:
    """The connections that were opened within a ``traced`` block. ``opened`` is their number."""

    def __init__(self, *, steps: bool) -> None:
        self.opened = 0
        self._heard = 0
        self._steps = steps
        self._looks = False
        self._run: list[tuple[_Connection, str, int]] = []
        self._open: WeakSet[_Connection] = WeakSet()  # closed with the store's last reference

    @property
    def silent(self) -> int:
        """How many connections have not shown a single statement."""
        return self.opened - self._heard

    def during(self, call: Callable[[], Outcome]) -> Traced:
        """What runs on any of the connections until the call has answered."""
        before = self.opened
        self._forget()
        self._looks = True
        try:
            outcome = call()
        finally:
            self._looks = False
        return Traced(outcome, self._statements(), self.opened - before)

    def _forget(self) -> None:
        self._run.clear()
        for connection in list(self._open):
            connection.steps.clear()

    def _statements(self) -> tuple[Statement, ...]:
        ends: dict[_Connection, int] = {}
        out = []
        for connection, text, begins in reversed(list(self._run)):
            steps = ends.get(connection, len(connection.steps)) - begins
            ends[connection] = begins
            out.append(Statement(text, connection.file, steps))
        return tuple(reversed(out))

    def note_opened(self) -> None:
        """A connection was opened."""
        self.opened += 1

    def look_at(self, connection: sqlite3.Connection) -> None:
        """Hear of each statement of the connection, in its own thread, from now on."""
        known = _Connection(file_of(connection))
        self._open.add(known)
        # A store's own class may have methods of these names.
        sqlite3.Connection.set_trace_callback(connection, partial(self._hear, known))
        if self._steps:
            # It answers None, which lets SQLite go on, and never enters Python's own code.
            one_more = partial(known.steps.append, None)
            sqlite3.Connection.set_progress_handler(connection, one_more, 1)

    def _hear(self, connection: _Connection, text: str) -> None:
        if not connection.heard:
            connection.heard = True
            self._heard += 1
        if self._looks:
            self._run.append((connection, text, len(connection.steps)))
        else:
            connection.steps.clear()  # nobody asks for those of what is stored beforehand


@contextmanager
def traced(*, steps: bool = False) -> Iterator[Trace]:
    """Look at every connection that is opened within the block.

    The store must be opened within it, and closed at its end, as what is set on a connection stays
    there. ``steps`` counts them: each costs the store a tenth of a microsecond or so, and a store
    that has a progress handler of its own shows none.
    """
    trace = Trace(steps=steps)
    with met(trace.note_opened, trace.look_at):
        yield trace


def least(trace: Trace, call: Callable[[], Outcome]) -> Traced:
    """The call made three times: the one with the fewest steps, and then statements.

    A call that fails ends it.
    """
    runs = []
    for _ in range(_AGAIN):
        runs.append(trace.during(call))
        if runs[-1].outcome.type != "ok":
            return runs[-1]
    return min(runs, key=lambda one: (one.steps or 0, len(one.statements)))


def counted_steps(trace: Trace, call: Callable[[], Outcome]) -> int | None:
    """Steps of SQLite's machine for a call, the least of three; None where none can be seen.

    They are counted where the machine looks for interrupts, which it does at least once for each
    row that it visits. The same call on the same data has the same number on any machine, however
    loaded, so growth shows without noise. The trace is that of ``traced(steps=True)``, in whose
    block the store was opened.
    """
    return least(trace, call).steps
