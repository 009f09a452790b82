"""The whole way on stores with files: found, made small, replayed by name in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest
from played_stores import locations
from scheduled_stores import BROKEN, BY_LINES, CORRECT
from toy_runs import judge

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.schedule.explore import explore
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Setup
from sessionproof.schedule.programs import programs_for
from sessionproof.schedule.replay import as_plain, program_of, replays
from sessionproof.schedule.runner import Runner
from sessionproof.workload.speech import Speech

LONG_S = 600.0
PROGRAMS = programs_for(frozenset(), Claims(), 1)
STORES = {**BROKEN, **BY_LINES}
AT_MOST = {  # operations, with those before, and deviations
    "Counter": (2, 1),
    "SharedHandle": (2, 1),
    "StaleCache": (3, 2),
    "EarlyWriter": (1, 1),
    "DoubleRetry": (3, 2),
    "CreateRace": (2, 1),
    "Renumber": (2, 1),
    "MemoryCounter": (2, 1),
}


def _explored(store, root: Path, *, executions: int, lines: bool = False):
    setup = Setup(
        spec_of("store", store),
        store.handles,
        3,
        Speech(Message("user", "x"), counted=False),
        lines=lines,
    )
    runner = Runner(setup, locations(root))
    explored = explore(
        runner,
        PROGRAMS,
        judge,
        seconds=LONG_S,
        seed=1,
        executions=executions,
        shrink_s=LONG_S,
        lines=lines,
    )
    runner.close()
    return explored


@pytest.mark.parametrize("name", AT_MOST)
def test_a_broken_store_is_found_and_made_small(name, tmp_path):
    """In a few hundred executions; what is left replays each time, also from plain data."""
    lines = name in BY_LINES
    with controlled([tmp_path]):
        found = _explored(STORES[name], tmp_path, executions=600, lines=lines).found
    assert found is not None
    assert (found.replayed, found.replays, found.lines) == (20, 20, lines)
    operations, deviations = AT_MOST[name]
    assert found.program.operations + len(found.program.before) <= operations
    assert len(found.schedule) <= deviations
    plain = as_plain(found.program, found.schedule)
    again = replays(
        STORES[name],
        program_of(plain["clients"], before=plain["before"], sessions=plain["sessions"]),
        [((task, op, k), then) for task, op, k, then in plain["schedule"]],
        kind=STORES[name].handles,
        times=3,
        lines=lines,
    )
    assert [judge(run).anomaly for run in again] == [found.wrong.anomaly] * 3


@pytest.mark.parametrize("name", ["Immediate", "ImmediateWal", "Shared", "LockedMemory"])
def test_a_correct_store_shows_nothing(name, tmp_path):
    """Neither by chance nor in the bounds that were begun."""
    with controlled([tmp_path]):
        explored = _explored(CORRECT[name], tmp_path, executions=200)
    assert explored.found is None
    assert (explored.total, explored.failed, explored.uncontrolled) == (200, 0, 0)
    assert explored.bound.schedules > 0
    assert explored.bound.diverged == 0
