"""Stores of the tests, played under schedules that are drawn, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from sessionproof.checks.history import judge_history
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.history.columns import F
from sessionproof.schedule.decisions import Ended, Strategy
from sessionproof.schedule.program import Program, Run, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

_APPEND, _READ = Call(F.APPEND, 0, 1), Call(F.READ, 0)
TWO = Program((((1, _APPEND), (2, _APPEND), (3, _READ)), ((4, _APPEND), (5, _READ), (6, _APPEND))))
"""Two clients on one session, each appends and reads."""

_CLAIMS = Claims(handles="threads", consistency="linearizable")


def locations(root: Path) -> Callable[[], Location]:
    """New locations below a folder."""
    numbers = count()

    def made() -> Location:
        path = root / f"at-{next(numbers)}"
        path.mkdir()
        return Location(path)

    return made


def runner_of(store: Any, root: Path, *, lines: bool = False) -> Runner:
    """A runner of a store of the tests; ``lines``: each of its lines is a point."""
    speech = Speech(Message("user", "x"), counted=False)
    setup = Setup(StoreSpec("store", store), store.handles, 2, speech, lines=lines)
    return Runner(setup, locations(root))


def wrong(run: Run) -> str:
    """What is wrong with it, in a word; nothing when all is right."""
    assert not run.problem
    if run.ended is not Ended.DONE:
        return f"{run.ended.value}: {run.waiting}"
    incidents = judge_history(run.history, _CLAIMS).incidents
    return incidents[0].anomaly.value if incidents else ""


def played(runner: Runner, strategies: Iterator[Strategy]) -> Iterator[Run]:
    """Executions, one under each strategy."""
    for strategy in strategies:
        yield runner.run(TWO, strategy)
