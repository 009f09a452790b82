"""A process that explores: ``python -m sessionproof.trials.exploring_main``.

It takes one request, answers it, and ends. Locks, threads and files are under control before the
store is imported, and whatever hangs in here ends with the process. While it works it keeps a note
of what is known so far, for the case that it must be killed.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, StoreSpec
from sessionproof.history.columns import F, Phase, Type
from sessionproof.host.server import begun
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.explore import Explored, explore
from sessionproof.schedule.found import Wrong
from sessionproof.schedule.imports import imported
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Kind, Run, Setup
from sessionproof.schedule.programs import Programs, programs_for
from sessionproof.schedule.runner import Runner
from sessionproof.trials.exploring import Part, Request, note
from sessionproof.trials.rounds import Played
from sessionproof.trials.rows_together import ROWS, broken_by, broken_together, named
from sessionproof.workload.rounds import Round
from sessionproof.workload.speech import Speech

_LINES_SHARE = 0.25  # of the time, for points at lines
_SEARCH_S = 2.0  # for one history of a few operations; it takes a thousandth of that
_KNOWN_MOST = 100_000
_READS = frozenset({F.READ, F.READ_LAST, F.PAGES, F.COUNT})


def main() -> None:
    """Take the pipes, answer the request, and leave whatever still hangs."""
    channel = begun(__spec__.name)
    given = json.loads(channel.receive())["request"]
    request: Request = pickle.loads(base64.b64decode(given))  # noqa: S301 - of our own parent
    parts: list[Part] = []
    stopped = ""
    try:
        fill(request, parts)
    except StoreNotFound as error:
        stopped = " ".join(str(error).split())
    answer = base64.b64encode(pickle.dumps((parts, stopped))).decode()
    channel.send(json.dumps({"answer": answer}).encode() + b"\n")
    sys.stdout.flush()
    os._exit(0)  # what hangs in a thread does not keep the process


def fill(request: Request, parts: list[Part]) -> None:
    """Add what comes of exploring with each kind of clients; a finding ends it.

    Raises StoreNotFound.
    """
    with controlled([Path(request.root)]):
        controller = Controller()
        spec = imported(request.store, controller)
        controller = _all_kinds(request, spec, parts, controller)
        more = request.more
        if more is None or _found(parts) or _executions(parts) >= more.least:
            return
        parts.clear()
        longer = replace(request, seconds=more.seconds, lines=False)
        most = None if more.most is None else ceil(more.most / len(request.kinds))
        _all_kinds(longer, spec, parts, controller, most=most)


def _found(parts: list[Part]) -> bool:
    return any(part.explored.found is not None for part in parts)


def _executions(parts: list[Part]) -> int:
    return sum(part.explored.total for part in parts if not part.lines)


def _all_kinds(
    request: Request,
    spec: StoreSpec,
    parts: list[Part],
    controller: Controller,
    *,
    most: int | None = None,
) -> Controller:
    """Add what comes of each kind, in as many executions; a finding ends it."""
    share_s = request.seconds / len(request.kinds)
    for kind in request.kinds:
        for lines in (False, True) if request.lines else (False,):
            part_s = share_s * (_LINES_SHARE if lines else 1 - _LINES_SHARE)
            parts.append(Part(kind, lines, Explored(), 0))
            own_s = part_s if request.lines else share_s
            controller = _explore(request, spec, kind, own_s, parts, controller, most)
            if _found(parts):
                return controller
    return controller


def _explore(
    request: Request,
    spec: StoreSpec,
    kind: Kind,
    seconds: float,
    parts: list[Part],
    controller: Controller,
    most: int | None,
) -> Controller:
    """Add what comes of it; answers the controller that has the store's own threads then."""
    programs = _programs(request)
    setup = Setup(
        spec,
        kind,
        max(len(one.clients) for one in (*programs.small, *programs.larger)),
        Speech(request.sample, request.counted, request.timed),
        creates=request.creates,
        by_store=request.by_store,
        lines=parts[-1].lines,
        shared=request.shared,
    )
    judge = Judging(request)

    def tell(explored: Explored) -> None:
        parts[-1] = Part(kind, setup.lines, explored, judge.reached, judge.served)
        note(request, parts)

    runner = Runner(setup, Locations(Path(request.root)), judge, controller)
    try:
        done = explore(
            runner,
            programs,
            judge,
            seconds=seconds,
            seed=request.seed,
            executions=most,
            shrink_s=request.shrink_s,
            lines=setup.lines,
            tell=tell,
        )
    finally:
        runner.close()
    tell(done)
    return runner.controller


def _programs(request: Request) -> Programs:
    made = programs_for(request.capabilities, request.claims, request.seed)
    if request.program is not None:
        made = replace(made, larger=(request.program, *made.larger))
    return made


class Locations:
    """An empty location each time; what lies on the last one is removed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last: Path | None = None

    def __call__(self) -> Location:
        """The next one."""
        if self._last is not None:
            shutil.rmtree(self._last, ignore_errors=True)
        self._last = Path(tempfile.mkdtemp(dir=self._root))
        return Location(self._last)


class Judging:
    """Judges executions; few histories are different ones, and each is judged once.

    ``reached`` counts points inside of operations.
    """

    def __init__(self, request: Request) -> None:
        self.reached = 0
        self._judged_so_far = self._served_so_far = 0
        self._request = request
        self._known: dict[tuple[bytes, ...], Wrong | None] = {}
        self._last: tuple[Run, Wrong | None] | None = None
        self._broken = _broken(request)

    def __call__(self, run: Run) -> Wrong | None:
        """What is wrong with it; who asks of the same execution again is told the same."""
        if self._last is None or self._last[0] is not run:  # the runner asks first
            self._last = (run, self._looked_at(run))
        return self._last[1]

    def _looked_at(self, run: Run) -> Wrong | None:
        self.reached += run.reached
        if run.ended is Ended.DEADLOCK and run.controlled:
            return Wrong(Anomaly.HANG, f"everybody waits: {'; '.join(run.waiting)}")
        if run.problem or run.ended is not Ended.DONE:
            return None
        history = run.history
        self._judged_so_far += 1
        own = history.rows[history.rows["phase"] == Phase.LOAD]
        done = own["f"][own["type"] == Type.OK]
        self._served_so_far += not _READS.issuperset(done.tolist())
        key = (
            history.rows.tobytes(),
            history.lists.row.tobytes(),
            history.lists.start.tobytes(),
            history.lists.ids.tobytes(),
        )
        if key not in self._known:
            if len(self._known) > _KNOWN_MOST:
                self._known.clear()
            self._known[key] = self._judged(run)
        return self._known[key]

    @property
    def served(self) -> float:
        """In which share of those that were judged a client's change was acknowledged."""
        return self._served_so_far / max(self._judged_so_far, 1)

    def _judged(self, run: Run) -> Wrong | None:
        claims = self._request.claims
        judged = judge_history(run.history, claims, limit_s=_SEARCH_S)
        if not judged.incidents:
            return None
        programs = tuple(tuple(call for _, call in one) for one in run.program.clients)
        made = Round(run.history.sessions, programs, 1)
        found = self._broken(Played("small", made, run.history, judged, 0.0))
        if found is None:
            return None
        return Wrong(found.anomaly, found.sentence, found.session, found.rows, found.ids)


def _broken(request: Request) -> Callable[[Played], Incident | None]:
    """What of a history breaks the row that is asked for."""
    if request.row is not None:
        return partial(_of_row, request)
    return lambda played: broken_together(played, request.capabilities, request.claims)


def _of_row(request: Request, played: Played) -> Incident | None:
    row = ROWS[request.row or ""]
    found = broken_by(row, played, request.claims)
    return None if found is None else named(row, found)


if __name__ == "__main__":
    main()
