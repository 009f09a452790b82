"""A store on a location of its own that is filled to small sizes while its statements are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from sessionproof.bench.loading import plain
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Append, Operation, Outcome
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.statements import Trace, Traced, least, traced
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import ZEROS

_FILL_S = 8.0  # a store that is slower has fewer rows by then, and is judged on those
_TURNS = 20  # in which sessions are filled side by side
_BATCH = 30

Call: TypeAlias = tuple[str, Callable[[], Outcome]]
"""A method of the store, and what calls it on the first session."""


@dataclass
class Scene:
    """An open store and the ids of its ``sessions``, the first of which is the one that is asked.

    ``own`` is how many messages that one has. Other sessions lie between its messages, as they do
    in a service: a walk through all rows comes by them.
    """

    trial: Trial
    trace: Trace
    sessions: list[str] = field(default_factory=list)
    own: int = 0
    _until_s: float = 0.0

    def fill(self, own: int, others: int, messages: int) -> None:
        """On an empty location: a session with ``own`` messages, ``others`` with so many each.

        A store that is slow gets fewer others.
        """
        self.trial.store.fresh_location()
        self._until_s = monotonic_s() + _FILL_S
        self.sessions, self.own = [self._begun(0)], 0
        for turn in range(1, _TURNS + 1):
            self.lengthen(own * turn // _TURNS)
            self.add_sessions(1 + others * turn // _TURNS, messages)

    def add_sessions(self, number: int, messages: int) -> None:
        """Make further sessions until there are so many, each with so many messages."""
        while len(self.sessions) < number and monotonic_s() < self._until_s:
            self.sessions.append(self._begun(len(self.sessions)))
            self._append(len(self.sessions) - 1, 0, messages)

    def lengthen(self, messages: int) -> None:
        """Append to the first session until it has so many messages."""
        self._append(0, self.own, messages)
        self.own = max(self.own, messages)

    def _begun(self, number: int) -> str:
        trial, name = self.trial, f"plan-{number}"
        begun = begin(trial.handle(), name, trial.claims, trial.capabilities)
        trial.require_ok(begun, f"made the session {name!r}")
        return str(begun.value)

    def _append(self, at: int, start: int, end: int) -> None:
        """The messages from ``start`` to ``end`` of a session, at once where the store may."""
        trial, handle = self.trial, self.trial.handle()
        message = plain(trial.words, f"in session {at}: {ZEROS}")
        batch = tuple(map(message, range(start, end)))
        size = len(trial.several(_BATCH))
        for first in range(0, len(batch), size):
            outcome = handle.invoke(Append("s0", batch[first : first + size]), self.sessions[at])
            trial.require_ok(outcome, f"appended {size} messages to a session")

    def invoke(self, operation: Operation) -> Outcome:
        """The operation on the first session."""
        return self.trial.handle().invoke(operation, self.sessions[0])

    def page(self, cursor: object, limit: int) -> Outcome:
        """One page of the first session."""
        session = self.sessions[0]
        return self.trial.handle().perform(
            "page", lambda call: call("page", session, cursor=cursor, limit=limit)
        )

    def done(self, call: Call) -> Traced:
        """The call's trace, of three times the one with the fewest steps."""
        result = least(self.trace, call[1])
        self.trial.require_ok(result.outcome, f"called {call[0]} of a filled session")
        return result

    @property
    def silence(self) -> str | None:
        """That there are connections of which nothing was heard; None where there are none."""
        trace = self.trace
        if not trace.silent:
            return None
        return (
            f"{trace.silent} of {trace.opened} connections showed no statement: they were not "
            "used, or they have a trace callback of their own"
        )


@contextmanager
def seen(trial: Trial, own: int, others: int, messages: int, *, steps: bool) -> Iterator[Scene]:
    """A store filled as by ``Scene.fill``, closed at the end.

    Raises NotClaimed where no connection of Python's sqlite3 is opened in this process.
    """
    if is_hosted(trial.store):
        raise NotClaimed("the store lives in another process, so its statements cannot be seen")
    trial.store.close()
    with traced(steps=steps) as trace:
        try:
            scene = Scene(trial, trace)
            scene.fill(own, others, messages)
            if not trace.opened:
                raise NotClaimed(
                    "no connection of Python's sqlite3 was seen: plans cannot be asked for"
                )
            yield scene
            if scene.silence is not None:
                trial.notes.append(scene.silence)
        finally:
            trial.store.close()  # what was set on its connections goes with them


def must_be_heard(scene: Scene, calls: list[Traced], *, each: bool = False) -> None:
    """Raise CouldNotTell where no call showed a statement, or, with ``each``, where one did not.

    A look that is answered from memory runs none, and that alone is no reason, unless there is a
    connection that may hide it.
    """
    heard = [call for call in calls if call.statements]
    if len(heard) == len(calls) or (heard and not each and scene.silence is None):
        return
    raise CouldNotTell(
        scene.silence
        or "calls showed no statement: their connections have a trace callback of their own, or "
        "they work after they have answered"
    )
