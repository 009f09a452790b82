"""One token: who runs, who waits, and what happens to those who wait unseen or for ever."""

from __future__ import annotations

import _thread
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from sessionproof.schedule import control, managed
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Decision, Ended, Key, Point, Usual
from sessionproof.schedule.locks import controlled_threads
from sessionproof.schedule.managed import active

Action = Callable[[], object]


class Walk:
    """A random walk, and the replay of one."""

    def __init__(self, seed: int = 0, schedule: dict[Key, int] | None = None) -> None:
        self._random = random.Random(seed)
        self._schedule = schedule

    def pick(self, decision: Decision) -> int:
        if self._schedule is None:
            return self._random.choice(decision.ready)
        return self._schedule.get(decision.key, decision.usual)


@pytest.fixture(autouse=True)
def controlled() -> Iterator[None]:
    with controlled_threads():
        yield


def played(strategy: object, *actions: Action) -> tuple[Ended, Controller]:
    """Have so many tasks do these actions; what they raise is lost."""
    controller = Controller()
    controller.begin(strategy)
    for at, action in enumerate(actions):
        task = controller.add(at, f"client {at}")
        _thread.start_new_thread(_quiet, (partial(controller.work, task, action),))
    ended = controller.run(set(range(len(actions))))
    assert controller.give_up() == []
    return ended, controller


def _quiet(action: Action) -> None:
    with suppress(Exception):
        action()


def point(what: str) -> None:
    controller = active()
    assert controller is not None
    controller.point(Point(what))


def test_without_deviations_nobody_is_interrupted() -> None:
    """The usual order runs one task after the other."""
    said: list[str] = []

    def one(name: str) -> None:
        for at in range(3):
            point(f"{name}{at}")
            said.append(f"{name}{at}")

    ended, controller = played(Usual(), partial(one, "a"), partial(one, "b"))
    assert ended is Ended.DONE
    assert said == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert controller.decisions == []


def test_a_run_is_replayed_from_its_deviations_alone() -> None:
    """For many seeds, the deviations of a random run lead to the same steps again."""

    def tasks() -> list[Action]:
        lock, said = threading.Lock(), queue.Queue()  # type: ignore[var-annotated]

        def one(name: str) -> None:
            for at in range(3):
                with lock:
                    point(f"{name}{at}")
                said.put(at)
                time.sleep(0.01 * at)

        return [partial(one, name) for name in "abc"]

    for seed in range(60):
        _, controller = played(Walk(seed), *tasks())
        again = Walk(schedule=dict(controller.decisions))
        _, replayed = played(again, *tasks())
        assert [(s.key, s.point.what) for s in replayed.steps] == [
            (s.key, s.point.what) for s in controller.steps
        ]


def test_every_order_of_two_by_two_points_is_reached() -> None:
    """A random walk comes to all six orders of two tasks with two points each."""
    seen = set()
    for seed in range(200):
        said: list[str] = []

        def one(name: str, said: list[str] = said) -> None:
            for at in range(2):
                point(name)
                said.append(f"{name}{at}")

        played(Walk(seed), partial(one, "a"), partial(one, "b"))
        seen.add(tuple(said))
    assert len(seen) == 6


def test_waiting_is_seen_whatever_it_is_made_of() -> None:
    """Locks, conditions, events, barriers, queues, joins and executors all end, under any seed."""
    for seed in range(60):
        lock, event, barrier = threading.RLock(), threading.Event(), threading.Barrier(2)
        orders: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        done: list[object] = []

        def first(event=event, barrier=barrier, orders=orders, lock=lock, done=done) -> None:
            worker = threading.Thread(target=lambda: done.append(list(iter(orders.get, None))))
            worker.start()
            for at in range(3):
                with lock, lock:
                    orders.put(at)
            event.set()
            barrier.wait()
            orders.put(None)
            worker.join()

        def second(event=event, barrier=barrier, lock=lock, done=done) -> None:
            event.wait()
            with ThreadPoolExecutor(2) as pool:
                with lock:
                    futures = [pool.submit(pow, 2, at) for at in range(4)]
                done.append([future.result() for future in futures])
            barrier.wait(timeout=5)

        ended, controller = played(Walk(seed), first, second)
        assert ended is Ended.DONE, controller.parked
        assert controller.taken == 0
        assert sorted(map(str, done)) == ["[0, 1, 2]", "[1, 2, 4, 8]"]


def test_a_deadlock_is_told_with_who_waits() -> None:
    """Two locks in two orders: some seeds deadlock, all of those that do say who waits."""
    ends = set()
    for seed in range(40):
        a, b = threading.Lock(), threading.Lock()

        def take(one: threading.Lock, other: threading.Lock) -> None:
            with one:
                point("between")
                with other:
                    point("both")

        ended, controller = played(Walk(seed), partial(take, a, b), partial(take, b, a))
        ends.add(ended)
        if ended is Ended.DEADLOCK:
            assert controller.parked == [
                "client 0 waits: take the lock",
                "client 1 waits: take the lock",
            ]
    assert ends == {Ended.DONE, Ended.DEADLOCK}


def test_a_wait_with_a_limit_ends_in_virtual_time() -> None:
    """An hour of waiting passes at once, and only when nobody else can go on."""
    event, said = threading.Event(), []

    def waits() -> None:
        said.append(event.wait(3600))

    def works() -> None:
        for _ in range(5):
            point("work")
        said.append("worked")

    ended, _ = played(Usual(), waits, works)
    assert ended is Ended.DONE
    assert said == ["worked", False]


def test_sleepers_let_others_go_first() -> None:
    """A loop that sleeps and looks again does not spin: the usual order lets the other work."""
    flag: list[int] = []

    def looks() -> None:
        while not flag:
            time.sleep(0.01)

    def sets() -> None:
        for _ in range(3):
            point("work")
        flag.append(1)

    ended, controller = played(Usual(), looks, sets)
    assert ended is Ended.DONE
    assert len(controller.steps) < 10


def test_a_loop_without_end_is_given_up() -> None:
    """A task that comes to points for ever ends the execution, not the process."""

    def forever() -> None:
        while True:
            point("again")

    ended, _ = played(Usual(), forever)
    assert ended is Ended.ENDLESS


def test_who_waits_unseen_loses_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that control does not know is told: the others go on, and it comes back."""
    monkeypatch.setattr(control, "_PATIENCE_S", 0.05)
    hidden, said = _thread.allocate_lock(), []
    hidden.acquire()

    def waits() -> None:
        point("before")
        hidden.acquire()
        point("after")
        said.append("back")

    def frees() -> None:
        point("free")
        hidden.release()
        point("freed")
        said.append("freed")

    ended, controller = played(Usual(), waits, frees)
    assert ended is Ended.DONE
    assert controller.taken >= 1
    assert sorted(said) == ["back", "freed"]


def test_nobody_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody waits unseen for ever, the execution is stuck, and says so."""
    monkeypatch.setattr(control, "_PATIENCE_S", 0.02)
    monkeypatch.setattr(control, "_STUCK_S", 0.2)
    monkeypatch.setattr(managed, "_UNWIND_S", 0.05)
    hidden = _thread.allocate_lock()
    hidden.acquire()
    controller = Controller()
    controller.begin(Usual())
    task = controller.add(0, "client 0")
    _thread.start_new_thread(controller.work, (task, hidden.acquire))
    assert controller.run({0}) is Ended.STUCK
    assert controller.give_up() == ["client 0"]
    hidden.release()


def test_threads_that_are_given_up_unwind() -> None:
    """A thread of the store that waits for ever is unwound when the execution is over."""
    left: list[str] = []

    def client() -> None:
        orders: queue.Queue[int] = queue.Queue()

        def waits() -> None:
            try:
                orders.get()
            finally:
                left.append("unwound")

        threading.Thread(target=waits, daemon=True).start()
        point("work")

    ended, _ = played(Usual(), client)
    assert ended is Ended.DONE
    assert left in ([], ["unwound"])  # it may not have begun
