"""Toys for strategies: decisions without threads, and stores whose points are their own."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from sessionproof.checks.history import judge_history
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.history.columns import F
from sessionproof.schedule.decisions import QUIET, Decision, Ended, Key, Point
from sessionproof.schedule.found import Wrong
from sessionproof.schedule.locks import Lock, sleep
from sessionproof.schedule.managed import active
from sessionproof.schedule.program import OPERATION, Program, Setup
from sessionproof.schedule.runner import Runner
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

LINEAR = Claims(handles="threads", shared_handle=True, consistency="linearizable")
A, R = Call(F.APPEND, 0, 1), Call(F.READ, 0)


def program(*clients, before=(), sessions=1):
    """A program of these calls, numbered from 1, those before at the end."""
    numbers = iter(range(1, 100))
    own = tuple(tuple((next(numbers), call) for call in one) for one in clients)
    return Program(own, sessions, tuple((next(numbers), call) for call in before))


# Decisions without threads.


def decision(key, ready, *, current=None, sleepers=(), points=None):
    """A decision as the controller makes it."""
    awake = [one for one in ready if one not in sleepers]
    usual = current if current in awake else (awake or list(ready))[0]
    plain = {one: Point("go", one) for one in ready}
    return Decision(
        Key(*key), current, tuple(ready), frozenset(sleepers), usual, {**plain, **(points or {})}
    )


def played(strategy, lengths, *, sleeps=()):
    """The order in which tasks run so many steps each; ``sleeps`` are tasks that always sleep.

    The first step of each begins its operation, as that of a client does.
    """
    made = dict.fromkeys(range(len(lengths)), 0)
    order, current, key = [], None, (QUIET, 0, 0)
    while ready := [one for one in made if made[one] < lengths[one]]:
        points = {one: Point("begin", OPERATION if made[one] == 1 else None) for one in ready}
        asleep = [one for one in ready if one in sleeps and made[one] > 1]
        if len(ready) > 1:
            current = strategy.pick(
                decision(key, ready, current=current, sleepers=asleep, points=points)
            )
        else:
            current = ready[0]
        order.append(current)
        made[current] += 1
        key = (current, current + 1, made[current])
        if made[current] == lengths[current]:
            current = None
    return tuple(order)


# Stores: what they keep lies in memory, by the path of their location.

_KEPT = defaultdict(lambda: defaultdict(tuple))
_LOCKS = defaultdict(Lock)
_PAIRS = defaultdict(lambda: (Lock(), Lock()))
_HELD = defaultdict(set)
_COUNTS = defaultdict(int)


def step(what="step", on=None, *, writes=True):
    """A point of the store's own."""
    controller = active()
    if controller is not None:
        controller.point(Point(what, on, writes))


class Plain:
    """Keeps messages without any point; handles share them."""

    def __init__(self, location):
        self.here = _KEPT[str(location.root)]

    def append(self, session, messages):
        self.here[session] += tuple(messages)

    def read(self, session):
        return list(self.here[session])

    def close(self):
        pass


class Pointed(Plain):
    """Correct, with two points in front of each append, and one in front of each read."""

    def append(self, session, messages):
        step()
        step()
        super().append(session, messages)

    def read(self, session):
        step(writes=False)
        return super().read(session)


class Torn(Plain):
    """Reads, lets others go on, and writes: one of two appends is lost."""

    def append(self, session, messages):
        old = self.here[session]
        step("write", session)
        self.here[session] = (*old, *messages)


class Locked(Torn):
    """The same under a lock: correct."""

    def __init__(self, location):
        super().__init__(location)
        self.lock = _LOCKS[str(location.root)]

    def append(self, session, messages):
        with self.lock:
            super().append(session, messages)


class Waiting(Plain):
    """Waits for a flag that the other holds, by trying again after a sleep: correct."""

    def __init__(self, location):
        super().__init__(location)
        self.flags = _HELD[str(location.root)]

    def append(self, session, messages):
        step("look", session)
        while session in self.flags:
            sleep(0.01)
        self.flags.add(session)
        step("write", session)
        super().append(session, messages)
        self.flags.discard(session)


class Crossed(Plain):
    """Appends and reads take two locks in other orders: a deadlock."""

    def __init__(self, location):
        super().__init__(location)
        self.pair = _PAIRS[str(location.root)]

    def append(self, session, messages):
        with self.pair[0], self.pair[1]:
            super().append(session, messages)

    def read(self, session):
        with self.pair[1], self.pair[0]:
            return super().read(session)


class Unsteady(Plain):
    """Correct; how many points an append has changes from one to the next."""

    calls = 0

    def append(self, session, messages):
        type(self).calls += 1
        for _ in range(self.calls % 3 + 1):
            step()
        super().append(session, messages)


class Aging(Plain):
    """Loses every append after the thirtieth of its location: only long use shows it."""

    def __init__(self, location):
        super().__init__(location)
        self.place = str(location.root)

    def append(self, session, messages):
        _COUNTS[self.place] += 1
        step()
        if _COUNTS[self.place] <= 30:
            super().append(session, messages)


def runner_of(store, *, kind="threads", clients=3, root=None):
    """Runs programs on locations below ``root``; their folders are the caller's to remove."""
    setup = Setup(spec_of("toy", store), kind, clients, Speech(Message("user", "x"), False))
    return Runner(setup, lambda: Location(Path(tempfile.mkdtemp(dir=root))))


def judge(run):
    """What a linearizable store may not show; a deadlock, too."""
    if run.ended is Ended.DEADLOCK:
        return Wrong(Anomaly.HANG, "; ".join(run.waiting))
    if run.problem or run.ended is not Ended.DONE:
        return None
    incidents = judge_history(run.history, LINEAR).incidents
    if not incidents:
        return None
    one = incidents[0]
    return Wrong(one.anomaly, one.sentence, one.session, one.rows, one.ids)
