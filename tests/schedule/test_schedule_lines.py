"""Lines of a store's own files as points: they show what no call shows."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import scheduled_tasks
from played_stores import TWO, locations, played, wrong
from scheduled_correct import kept
from scheduled_stores import BY_LINES, CORRECT

import sessionproof.reference.store as reference
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Usual
from sessionproof.schedule.lines import Lines, files_of
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Run, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import RandomWalk, Replay
from sessionproof.workload.speech import Speech

_SCHEDULES = 40
_LONG = 1_000
_AGAIN = 10
_OFTEN = 100
_STEADY = ("Shared", "Json", "OneStatement")
"""Correct stores of several sorts; with lines, each has some hundred points."""


@pytest.fixture
def runner_of(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Makes runners of stores, with lines as points, and closes them."""
    made: list[Runner] = []
    places = locations(tmp_path)

    def runner(store: Any, *, kind: Any = None, lines: bool = True) -> Runner:
        speech = Speech(Message("user", "x"), counted=False)
        shares = kind == "tasks" and store.shared
        handles = kind or store.handles
        spec = StoreSpec("store", store)
        setup = Setup(spec, handles, 2, speech, lines=lines, shared=shares)
        made.append(Runner(setup, places))
        return made[-1]

    with controlled([tmp_path]):
        yield runner
        for one in made:
            one.close()


def told(run: Run) -> list[tuple[Any, ...]]:
    """The steps of an execution, without the places that are others in each."""
    return [(step.key, step.switched, step.point.what) for step in run.steps]


def in_lines(run: Run, store: Any) -> int:
    """How many steps are lines of the store's file."""
    return sum(step.point.what.startswith(f"{Path(file_of(store)).name}:") for step in run.steps)


def file_of(store: Any) -> str:
    """Where the class of a store is written."""
    return str(sys.modules[store.__module__].__file__)


def found_and_again(runner: Runner, times: int) -> None:
    """Some schedule shows a wrong history, and shows it this often on fresh locations."""
    for run in played(runner, map(RandomWalk, range(200))):
        if wrong(run) and wrong(first := runner.run(TWO, Replay(run.decisions), fresh=True)):
            break
    else:
        pytest.fail("not found")
    for _ in range(times):
        again = runner.run(TWO, Replay(run.decisions), fresh=True)
        assert told(again) == told(first)
        assert wrong(again) == wrong(first)


@pytest.mark.parametrize("name", BY_LINES)
def test_lines_show_what_no_call_shows(name: str, runner_of: Any) -> None:
    """A race without a call in its window is found by lines, again and again, and not without."""
    quiet = runner_of(BY_LINES[name], lines=False)
    assert [run for run in played(quiet, map(RandomWalk, range(_SCHEDULES))) if wrong(run)] == []
    quiet.close()
    found_and_again(runner_of(BY_LINES[name]), _AGAIN)


@pytest.mark.night
@pytest.mark.parametrize("name", BY_LINES)
def test_schedules_of_lines_are_replayed_always(name: str, runner_of: Any) -> None:
    """A hundred of a hundred replays show what was found."""
    found_and_again(runner_of(BY_LINES[name]), _OFTEN)


@pytest.mark.parametrize("name", _STEADY)
def test_a_correct_store_shows_nothing_with_lines(name: str, runner_of: Any) -> None:
    """No order of a correct store's lines makes it look wrong."""
    runs = [*played(runner_of(CORRECT[name]), map(RandomWalk, range(_SCHEDULES // 2)))]
    assert [found for run in runs if (found := wrong(run))] == []
    assert all(run.controlled for run in runs)
    assert all(in_lines(run, CORRECT[name]) for run in runs)


@pytest.mark.night
@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_store_shows_nothing_with_lines_for_long(name: str, runner_of: Any) -> None:
    """Nor does it when the search is long."""
    for run in played(runner_of(CORRECT[name]), map(RandomWalk, range(_LONG))):
        assert wrong(run) == ""
        assert run.controlled


def test_lines_of_async_stores_and_of_their_threads_are_points(runner_of: Any) -> None:
    """Lines that a thread carries out for a task are points, as those of its loop are."""
    runner = runner_of(scheduled_tasks.Unlocked, kind="tasks")
    run = runner.run(TWO, Usual())
    lines = [step.point.what for step in run.steps if "scheduled_tasks.py" in step.point.what]
    assert any("await asyncio.to_thread(self.put" in one for one in lines)
    assert any("((last,),) = self.db.execute(LAST" in one for one in lines)
    found_and_again(runner, _AGAIN)


def test_lines_are_points_while_clients_work_alone(runner_of: Any) -> None:
    """What prepares and reads sessions has no points of lines, and none is left when all ends."""
    runner = runner_of(CORRECT["Shared"])
    run = runner.run(TWO, Usual())
    assert in_lines(run, CORRECT["Shared"])
    assert {step.key.task for step in run.steps} == {0, 1}
    runner.close()
    runner = runner_of(CORRECT["Shared"], lines=False)
    assert in_lines(runner.run(TWO, Usual()), CORRECT["Shared"]) == 0


class Copied:
    """Replaces its list by a longer one, which another function has made of it, within a line."""

    handles = "shared"
    shared = True

    def __init__(self, location: Location) -> None:
        self._rows: dict[str, list[Message]] = kept(location, dict)

    def append(self, session: str, messages: Sequence[Message]) -> None:
        self._rows[session] = self._longer(session, messages)

    def _longer(self, session: str, messages: Sequence[Message]) -> list[Message]:
        return [*self._rows.get(session, []), *messages]

    def read(self, session: str) -> list[Message]:
        return self._rows.get(session, [])

    def close(self) -> None:
        """Nothing is open."""


def test_a_return_to_a_line_is_a_point(runner_of: Any) -> None:
    """Between what a function answered and what its caller does with it others may come."""
    runner = runner_of(Copied)
    run = runner.run(TWO, Usual())
    assert any("goes on, _longer returns" in step.point.what for step in run.steps)
    assert not any("comp> returns" in step.point.what for step in run.steps)
    assert wrong(run) == ""
    found_and_again(runner, _AGAIN)


class Holder:
    """A store of another file."""

    def __init__(self, *parts: object) -> None:
        self.parts = [*parts]
        self.db = sqlite3.connect(":memory:")

    def close(self) -> None:
        self.db.close()


def test_files_of_a_store_are_its_own() -> None:
    """The files of its class, its bases and what it holds; no libraries, and not the harness."""
    store = CORRECT["ImmediateWal"]
    assert files_of(store) == {file_of(store)}
    held = Holder(object.__new__(store), Message("user", "x"), [])
    assert files_of(held) == {file_of(store), __file__}
    held.close()
    assert files_of(Message("user", "x")) == frozenset()
    assert files_of(scheduled_tasks.Database.open) == {scheduled_tasks.__file__}


def test_the_reference_counts_as_a_store() -> None:
    """The project's own store and adapters are stores as any other."""
    kinds = [one for one in vars(reference).values() if isinstance(one, type)]
    own = [one for one in kinds if one.__module__ == reference.__name__]
    assert reference.__file__ in {file for one in own for file in files_of(one)}


def test_lines_of_threads_that_nobody_controls_are_no_points(tmp_path: Path) -> None:
    """A watched file may be used by any thread, which meets its lines as they are."""
    before = threading.gettrace()
    lines = Lines()
    lines.add([__file__])
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(told_of_nobody()))
    thread.start()
    thread.join()
    lines.close()
    assert seen == ["nobody"]
    assert threading.gettrace() is before
    if sys.version_info >= (3, 12):
        assert sys.monitoring.get_tool(4) != "sessionproof lines"


def told_of_nobody() -> str:
    """Runs in a watched file."""
    assert Controller().steps == []
    return "nobody"
