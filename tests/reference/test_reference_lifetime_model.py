"""Limits, statuses and sweeps of the reference beside a model of them, in drawn programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof import Expired, Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.reference import ReferenceStore
from sessionproof.reference.transitions import MOVES

WARN = 300_000_000
LATE = 60_000_000


@dataclass
class Session:
    """A session as the page of its life has it."""

    last: int
    status: str = "active"
    idle: int | None = None
    hard: int | None = None
    warn: int = 0

    @property
    def deadline(self) -> float:
        ends = [] if self.idle is None else [self.last + self.idle]
        return min([*ends, float("inf") if self.hard is None else self.hard])

    def shown(self, now: int) -> str:
        runs = self.status in ("active", "idle")
        return "expired" if runs and now >= self.deadline else self.status

    def act(self, now: int) -> None:
        self.last = self.last if self.last - LATE <= now <= self.last else now

    def append(self, now: int) -> None:
        """As ``touch``."""
        if self.shown(now) not in ("active", "idle"):
            raise Expired
        self.act(now)
        self.status = "active"

    def set_limits(self, now: int, idle: int | None, hard: int | None) -> None:
        shown = self.shown(now)
        self.act(now)
        self.status = "active" if shown == "idle" else shown
        self.idle, self.hard = idle, None if hard is None else now + hard
        limits = [one for one in (idle, hard) if one is not None]
        self.warn = min(WARN, (min(limits) + 1) // 2) if limits else 0

    def set_status(self, now: int, status: str) -> None:
        shown = self.shown(now)
        if status == shown:
            return
        if status not in MOVES[shown]:
            raise Refused
        if status == "active":
            if self.hard is not None and now >= self.hard:
                raise Expired
            self.act(now)
        self.status = status

    def sweep(self, now: int) -> str | None:
        """What is told of it."""
        if self.status in ("active", "idle") and now >= self.deadline:
            self.status = "expired"
            return "expired"
        if self.status == "active" and now >= self.deadline - self.warn:
            self.status = "idle"
            return "warned"
        return None


LIMITS = st.none() | st.sampled_from([1, 2, 3, 10, 599_999_999, 600_000_000, 7_200_000_000])
STEPS = st.sampled_from(
    [0, 1, 2, 5, 300_000_000, 599_999_999, 7_200_000_000, -1, -LATE, -LATE - 1, -7_200_000_000]
)
CALLS = st.one_of(
    st.tuples(st.just("append")),
    st.tuples(st.just("touch")),
    st.tuples(st.just("set_limits"), LIMITS, LIMITS),
    st.tuples(st.just("set_status"), st.sampled_from(STATUSES)),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("other")),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(STEPS, st.sampled_from(["a", "b"]), CALLS), min_size=3, max_size=30))
def test_a_life_goes_as_the_model_says(steps):
    """After every call both show the same, and a sweep tells the same sessions."""
    clock = VirtualClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        ReferenceStore(folder, durability="process", clock=clock) as store,
    ):
        lives = {}
        for name in ("a", "b"):
            store.create(name)
            lives[name] = Session(clock.now_us())
        for step, name, (method, *given_) in steps:
            clock.move(step)
            now, life = clock.now_us(), lives[name]
            if method == "sweep":
                told = {one: life.sweep(now) for one, life in lives.items()}
                swept = store.sweep()
                assert {*swept.warned} == {one for one, what in told.items() if what == "warned"}
                assert {*swept.expired} == {one for one, what in told.items() if what == "expired"}
                assert store.sweep() == Swept()
            elif method == "other":
                store.set_state(name, "k", now)
                store.update(name, title="t")
                store.pop_last(name)
            else:
                seen = _error(_call, store, name, method, given_)
                assert seen == _error(_expected, life, now, method, given_)
            for one, life in lives.items():
                info = store.get(one)
                assert info is not None
                assert (info.status, info.last_activity_us) == (life.shown(now), life.last), one
        assert store.verify().ok


def _call(store: ReferenceStore, name: str, method: str, given_: list) -> None:
    match method:
        case "append":
            store.append(name, [Message("user", "x")])
        case "touch":
            store.touch(name)
        case "set_limits":
            store.set_limits(name, idle_us=given_[0], hard_us=given_[1])
        case _:
            store.set_status(name, *given_)


def _expected(life: Session, now: int, method: str, given_: list) -> None:
    match method:
        case "append" | "touch":
            life.append(now)
        case "set_limits":
            life.set_limits(now, *given_)
        case _:
            life.set_status(now, *given_)


def _error(call: Callable[..., None], *values: object) -> type[Exception] | None:
    """The class of what a call raises."""
    try:
        call(*values)
    except Refused as error:
        return type(error)
    return None
