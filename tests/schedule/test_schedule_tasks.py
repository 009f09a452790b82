"""Clients that are tasks of one loop: correct stores show nothing, broken ones are found again."""

from __future__ import annotations

import _thread
import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import scheduled_tasks
from played_stores import TWO, locations, played, wrong
from scheduled_tasks import BROKEN, CORRECT, Crossed, Immediate, Kept, Locked

from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.history.columns import F, Type
from sessionproof.schedule.decisions import Ended, Usual
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Program, Run, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import RandomWalk, Replay
from sessionproof.schedule.tasks import CLOCK
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

_SCHEDULES = 40  # of a correct store
_LONG = 1_500
_SEARCHED = 800
_AGAIN = 5
_OFTEN = 100
_QUIET = 1_000 << 8  # ids of clients' operations lie below it
_READ = Call(F.READ, 0)
_ONE = Program((((1, Call(F.APPEND, 0, 1)),),))


@pytest.fixture(autouse=True)
def under_control(tmp_path: Path) -> Iterator[None]:
    """Whatever a store does is under control."""
    with controlled([tmp_path]):
        yield


@pytest.fixture
def runner_of(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Makes runners of async stores, and closes them."""
    made: list[Runner] = []
    places = locations(tmp_path)

    def runner(store: Any, *, clients: int = 2, shared: bool | None = None) -> Runner:
        shares = getattr(store, "shared", False) if shared is None else shared
        spec = StoreSpec("store", getattr(store, "open", store))
        speech = Speech(Message("user", "x"), counted=False)
        setup = Setup(spec, "tasks", clients, speech, shared=shares)
        made.append(Runner(setup, places))
        return made[-1]

    yield runner
    for one in made:
        one.close()


def told(run: Run) -> list[tuple[Any, ...]]:
    """The steps of an execution, without the places that are others in each."""
    return [(step.key, step.switched, step.point.what) for step in run.steps]


def outcomes(run: Run) -> list[str]:
    """What came of the clients' operations."""
    rows = run.history.rows
    return [Type(one).name for one in rows["type"][rows["id"] < _QUIET]]


def found_and_again(runner: Runner, times: int) -> None:
    """Some schedule shows a wrong history, and shows it this often on fresh locations."""
    for run in played(runner, map(RandomWalk, range(_SEARCHED))):
        if wrong(run) and wrong(first := runner.run(TWO, Replay(run.decisions), fresh=True)):
            break
    else:
        pytest.fail("not found")
    for _ in range(times):
        again = runner.run(TWO, Replay(run.decisions), fresh=True)
        assert told(again) == told(first)
        assert wrong(again) == wrong(first)


@pytest.mark.parametrize("store", CORRECT, ids=lambda store: store.__name__)
def test_a_correct_async_store_shows_nothing(store: Any, runner_of: Any) -> None:
    """No schedule makes a correct async store look wrong, and none escapes control."""
    runs = [*played(runner_of(store), map(RandomWalk, range(_SCHEDULES)))]
    assert [found for run in runs if (found := wrong(run))] == []
    assert all(run.controlled for run in runs)
    assert len({run.decisions for run in runs}) > _SCHEDULES // 2


@pytest.mark.night
@pytest.mark.parametrize("store", CORRECT, ids=lambda store: store.__name__)
def test_a_correct_async_store_shows_nothing_for_long(store: Any, runner_of: Any) -> None:
    """Nor does it when the search is long."""
    for run in played(runner_of(store), map(RandomWalk, range(_SCHEDULES, _LONG))):
        assert wrong(run) == ""
        assert run.controlled


@pytest.mark.parametrize("store", BROKEN, ids=lambda store: store.__name__)
def test_a_broken_async_store_is_found_and_found_again(store: Any, runner_of: Any) -> None:
    """A broken async store is found, and its schedule breaks a fresh one step by step."""
    found_and_again(runner_of(store), _AGAIN)


@pytest.mark.night
@pytest.mark.parametrize("store", BROKEN, ids=lambda store: store.__name__)
def test_a_schedule_of_tasks_is_replayed_always(store: Any, runner_of: Any) -> None:
    """A hundred of a hundred replays show what was found."""
    found_and_again(runner_of(store), _OFTEN)


def test_locks_of_asyncio_that_wait_for_each_other_are_a_deadlock(runner_of: Any) -> None:
    """A deadlock of tasks ends the execution, which says who waits where."""
    runs = played(runner_of(Crossed), map(RandomWalk, range(50)))
    run = next(one for one in runs if one.ended is not Ended.DONE)
    assert run.ended is Ended.DEADLOCK
    places = {one.split(" waits: ")[1].partition(":")[0] for one in run.waiting}
    assert places == {f"to go on in {name}, scheduled_tasks.py" for name in ("append", "read")}


def test_the_loop_keeps_the_order_of_its_queue(runner_of: Any) -> None:
    """Tasks that a store makes begin in the order in which it made them, as asyncio promises."""
    batches = Program((((1, Call(F.APPEND, 0, 3)), (2, _READ)), ((3, Call(F.APPEND, 0, 3)),)))
    runner = runner_of(scheduled_tasks.Begun)
    for seed in range(_SCHEDULES):
        run = runner.run(batches, RandomWalk(seed))
        ids = [one for one in run.history.lists.ids.tolist()[-6:] if one >> 8 == 1]
        assert ids == sorted(ids)


def test_a_statement_that_waits_does_not_stop_the_loop(runner_of: Any) -> None:
    """A connection that waits for another's lock is parked, while other tasks go on."""
    waited = 0
    for run in played(runner_of(Immediate), map(RandomWalk, range(_SCHEDULES))):
        begun = [step.key[:2] for step in run.steps if step.point.what == "BEGIN IMMEDIATE"]
        waited += len(begun) > len(set(begun))
        assert outcomes(run) == ["OK"] * len(outcomes(run))
    assert waited


class Slow(Kept):
    """Sleeps for an hour."""

    async def pause(self) -> None:
        await asyncio.sleep(3_600)


def test_sleeps_of_tasks_take_virtual_time(runner_of: Any) -> None:
    """An hour passes as a step of its own."""
    run = runner_of(Slow, clients=1).run(_ONE, Usual())
    assert run.ended is Ended.DONE
    passing = [step.point.what for step in run.steps if step.key.task == CLOCK]
    assert passing == ["time passes: 3.6e+03 s"]


class Late(Kept):
    """Waits for what never comes, for a minute."""

    async def pause(self) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), 60)


def test_a_deadline_runs_out_when_nothing_else_can_happen(runner_of: Any) -> None:
    """What waits for something that never comes is told so when its time is up."""
    runner = runner_of(Late, clients=1)
    run = runner.run(_ONE, Usual())
    assert run.ended is Ended.DONE
    assert run.controlled
    assert outcomes(run)[:1] != ["OK"]


class Hasty(Kept):
    """Gives up a thread that waits for a lock which the store itself has."""

    def __init__(self, location: Any) -> None:
        super().__init__(location)
        self.lock = threading.Lock()

    async def pause(self) -> None:
        with self.lock:
            waiting = asyncio.create_task(asyncio.to_thread(self.wait))
            direct = asyncio.to_thread(self.wait)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(direct, 1)
            waiting.cancel()

    def wait(self) -> None:
        with self.lock:
            pass


def test_a_task_goes_on_without_the_thread_that_it_gave_up(runner_of: Any) -> None:
    """When what a thread does is cancelled, its task goes on, and the thread under another name."""
    runner = runner_of(Hasty)
    for seed in range(10):
        run = runner.run(_ONE, RandomWalk(seed))
        assert run.ended is Ended.DONE
        assert run.controlled
        assert outcomes(run) == ["OK"]


class Foreign(Kept):
    """Waits for a thread that nobody controls."""

    async def pause(self) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        _thread.start_new_thread(lambda: loop.call_soon_threadsafe(done.set_result, None), ())
        await done


class Socketed(Kept):
    """Waits for a socket."""

    async def pause(self) -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            received = asyncio.create_task(loop.sock_recv(one, 1))
            await asyncio.sleep(0)
            _thread.start_new_thread(other.send, (b"x",))
            assert await received == b"x"


@pytest.mark.parametrize("store", [Foreign, Socketed])
def test_what_comes_from_beyond_control_is_waited_for(store: Any, runner_of: Any) -> None:
    """A store that waits for other threads or for sockets goes on, and counts as not controlled."""
    run = runner_of(store, clients=1).run(_ONE, Usual())
    assert run.ended is Ended.DONE
    assert not run.controlled
    assert outcomes(run) == ["OK"]


def test_stages_of_tasks_leave_no_threads(runner_of: Any) -> None:
    """Closed stages end the loop's thread, and those of connections and executors."""
    before = set(threading.enumerate())
    for store in (Locked, Immediate, scheduled_tasks.Threaded, scheduled_tasks.PoolOfOne, Crossed):
        runner = runner_of(store)
        for run in played(runner, map(RandomWalk, range(8))):
            assert not run.problem
        runner.close()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join()
    assert [one.name for one in left if one.is_alive()] == []
