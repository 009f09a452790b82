"""Whether some order explains a history: the exhaustive search, and its judgement of one session.

Wing and Gong's search with the memory of Lowe: a set of operations that took effect and the state
that they led to are looked at once. Reads that fit are placed at once and never branched on: they
change nothing, nothing has to stand before them, so every explanation can be turned into one in
which they stand here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sessionproof.checks.contradictions import contradictions
from sessionproof.checks.incidents import Incident, Judged, Level
from sessionproof.checks.models import Model, Operation, SessionModel
from sessionproof.checks.operations import (
    answers_of,
    by_client_alone,
    known_of,
    operations_of,
)
from sessionproof.checks.smallest import Cause, incident_of, smallest
from sessionproof.contract.clock import monotonic_s
from sessionproof.history.columns import NEVER, NONE, F, History

S = TypeVar("S")

_LOOK = 128
"""Nodes between two looks at the clock."""


def explained(operations: Sequence[Operation], model: Model[S], *, limit_s: float) -> bool | None:
    """Whether an order, true to real time, gives every answer; None when the time was up.

    Operations that ``must`` take effect do so once between ``inv`` and ``ret``; others once after
    ``inv``, or never. One stands before another in real time when it ended before that began.
    """
    return _Search(operations, model).explained(limit_s)


class _Search:
    """Operations by their beginning; a set of them is an integer, one bit for each."""

    def __init__(self, operations: Sequence[Operation], model: Model[Any]) -> None:
        self._model = model
        self._operations = sorted(operations, key=lambda one: (one.inv, one.ret))
        self._ret = [one.ret if one.must else NEVER for one in self._operations]
        self._pure = [model.pure(one) for one in self._operations]
        self._musts = sum(1 << at for at, one in enumerate(self._operations) if one.must)
        self._bit: dict[int | None, int] = {
            one.key: 1 << at for at, one in enumerate(self._operations)
        }
        self._needs = [self._bit.get(one.after, 0) for one in self._operations]
        self.nodes = 0

    def explained(self, limit_s: float) -> bool | None:
        """See ``explained``."""
        until = monotonic_s() + limit_s
        stack = [(0, state) for state in self._model.init()]
        seen: set[tuple[int, Any]] = set()
        while stack:
            self.nodes += 1
            if self.nodes % _LOOK == 0 and monotonic_s() > until:
                return None
            node = self._settled(*stack.pop())
            done, state = node
            if done & self._musts == self._musts:
                return True
            if node not in seen:
                seen.add(node)
                stack += self._further(done, state)
        return False

    def _minimal(self, done: int) -> list[int]:
        """The operations before which none of the others has to stand."""
        operations, ret = self._operations, self._ret
        at = (~done & (done + 1)).bit_length() - 1
        bound = NEVER
        out = []
        while at < len(operations) and operations[at].inv <= bound:
            if not done >> at & 1:
                bound = min(bound, ret[at])
                if self._needs[at] & done == self._needs[at]:
                    out.append(at)
            at += 1
        return out

    def _settled(self, done: int, state: Any) -> tuple[int, Any]:
        """All reads that fit now, placed."""
        while True:
            before = done
            for at in self._minimal(done):
                if self._pure[at] and self._model.step(state, self._operations[at]):
                    done |= 1 << at
            if done == before:
                return done, state

    def _further(self, done: int, state: Any) -> list[tuple[int, Any]]:
        """What may follow, the most likely last: what ended first, and unknown outcomes never."""
        out = []
        due = any(not self._bit[key] & done for key in self._model.due(state))
        for at in sorted(self._minimal(done), key=lambda at: -self._ret[at]):
            if self._pure[at]:
                continue
            must = self._operations[at].must
            for after in self._model.step(state, self._operations[at]):
                if must if after == state else not due:
                    out.append((done | 1 << at, after))  # noqa: PERF401 - two lines say it better
        return out


def judge_session(
    history: History,
    session: int,
    *,
    creates: bool,
    limit_s: float,
    atomic: bool = True,
    start: int | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> Judged:
    """Judge one session, whatever was done to it, by search.

    ``creates``: an append to a missing session makes it. ``atomic``: a batch lands as one; without
    it, its messages land one after another. ``start`` is the number of a session's first message,
    None where numbers are not judged. ``rows`` are the places of the session's rows, where they are
    known. The search takes at most ``limit_s``, and finding the smallest contradiction as long
    again; past the first nothing is said to hold.
    """
    if rows is None:
        rows = np.flatnonzero(history.rows["session"] == session)
    operations = operations_of(history, rows, atomic=atomic)
    answers = answers_of(history, operations)
    there = not creates and not any(one.f == F.CREATE for one in operations)

    def search(some: Sequence[Operation], seconds: float) -> bool | None:
        known = known_of(some, answers)
        model = SessionModel(creates=creates, there=there, start=start, known=known)
        return explained(some, model, limit_s=seconds)

    examined = _examined(operations)
    verdict = search(operations, limit_s)
    if verdict:
        return Judged(examined=examined)
    incidents: tuple[Incident, ...] = contradictions(
        history, session, rows, operations, answers, atomic=atomic
    )
    if verdict is None and not incidents:
        name = history.sessions[session] if history.sessions else session
        reason = f"session {name}: {len(operations)} operations not explained within {limit_s:g} s"
        return Judged(examined=examined, unknown=(reason,))
    until = monotonic_s() + limit_s

    def left(share: float) -> float:
        return max(0.0, until - monotonic_s()) * share

    if not incidents:
        counts = _uncounted(operations)
        numbers = _unnumbered(operations)
        both = _unnumbered(counts)
        causes = (Cause.COUNTS, counts), (Cause.NUMBERS, numbers), (Cause.COUNTS, both)
        explains = (cause for cause, rest in causes if search(rest, left(0.2)))
        cause = next(explains, Cause.OTHER)
        fewest = smallest(
            operations, answers, search, limit_s=left(0.7), numbered=start is not None
        )
        incidents = (incident_of(fewest, answers, session, cause=cause),)
    level: Level = "session" if search(by_client_alone(operations), left(1.0)) else "none"
    return Judged(incidents, examined, level=level)


def _uncounted(operations: Sequence[Operation]) -> list[Operation]:
    return [one for one in operations if one.f != F.COUNT]


def _unnumbered(operations: Sequence[Operation]) -> list[Operation]:
    return [replace(one, value=NONE) if one.ids else one for one in operations]


def _examined(operations: Sequence[Operation]) -> dict[str, int]:
    """How many operations were judged, by kind."""
    reads = sum(one.f in (F.READ, F.READ_LAST, F.PAGES, F.COUNT) for one in operations)
    appends = len({one.row for one in operations if one.f == F.APPEND})
    rows = len({one.row for one in operations})
    return {"operations": rows, "reads": reads, "appends": appends, "sessions": 1}
