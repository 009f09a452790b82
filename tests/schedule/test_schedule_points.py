"""Stores under control: correct ones show nothing, broken ones are found and found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from played_stores import TWO, played, runner_of, wrong
from scheduled_stores import BROKEN, BY_LINES, CORRECT, Pooled

from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Run
from sessionproof.schedule.strategies import RandomWalk, Replay

_SCHEDULES = 60  # of a correct store
_POOLED = 25  # of one above SQLAlchemy, whose executions take five times as long
_LONG = 3_000
_SEARCHED = 600
_AGAIN = 5


def told(run: Run) -> list[tuple[Any, ...]]:
    """The steps of an execution, without the places that are others in each."""
    return [(step.key, step.switched, step.point.what) for step in run.steps]


@pytest.mark.night
@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_store_shows_nothing_in_thousands_of_schedules(name: str, tmp_path: Path) -> None:
    """Nor does it when the search is long."""
    with controlled([tmp_path]):
        runner = runner_of(CORRECT[name], tmp_path)
        for run in played(runner, map(RandomWalk, range(_SCHEDULES, _LONG))):
            assert wrong(run) == ""
            assert run.controlled
        runner.close()


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_store_shows_nothing(name: str, tmp_path: Path) -> None:
    """No schedule makes a correct store look wrong, and none escapes control."""
    store: Any = CORRECT[name]
    number = _POOLED if issubclass(store, Pooled) else _SCHEDULES
    with controlled([tmp_path]):
        runner = runner_of(store, tmp_path)
        runs = [*played(runner, map(RandomWalk, range(number)))]
        runner.close()
    assert [found for run in runs if (found := wrong(run))] == []
    assert all(run.controlled for run in runs)
    assert len({run.decisions for run in runs}) > number // 2


@pytest.mark.parametrize("name", [*BROKEN, *BY_LINES])
def test_a_broken_store_is_found_and_found_again(name: str, tmp_path: Path) -> None:
    """A broken store is found, and the schedule that broke it breaks a fresh one each time."""
    store: Any = {**BROKEN, **BY_LINES}[name]
    with controlled([tmp_path]):
        runner = runner_of(store, tmp_path, lines=name in BY_LINES)
        for run in played(runner, map(RandomWalk, range(_SEARCHED))):
            what = wrong(run)
            if what and wrong(again := runner.run(TWO, Replay(run.decisions), fresh=True)):
                break
        else:
            pytest.fail("not found")
        first = again
        for _ in range(_AGAIN):
            again = runner.run(TWO, Replay(run.decisions), fresh=True)
            assert told(again) == told(first)
            assert wrong(again)
        runner.close()
