"""Rounds: all arms in each, in an order drawn anew, and errors that come through."""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise

import numpy as np
import pytest

import sessionproof.bench.rounds as rounds_module
from sessionproof.bench.rounds import (
    BATCH_MOST,
    BATCH_NS,
    Arm,
    in_rounds,
    of_calls,
    sized,
    undisturbed,
)


def now(action):
    """Lend to this thread."""
    action()


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, monkeypatch):
        self.now_ns = 0
        monkeypatch.setattr(rounds_module, "monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr(rounds_module, "monotonic_s", lambda: self.now_ns / 1e9)

    def spending(self, *each_ns):
        """A call that takes so long, the last of these times from then on."""
        left = list(each_ns)

        def call(*_):
            self.now_ns += left.pop(0) if len(left) > 1 else left[0]

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_each_round_has_all_arms(clock):
    """Costs are those of one round at one place, whatever the order was."""
    met = []

    def run(name):
        def one(number):
            met.append(name)
            return [1_000 * len(met)] * number

        return one

    arms = [Arm("a", run("a"), 2), Arm("b", run("b"), 3), Arm("c", run("c"))]
    found = in_rounds(arms, 20, seed=1, lend=now)
    turns = [met[place : place + 3] for place in range(0, 60, 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    for number, turn in enumerate(turns):
        for place, name in enumerate(turn):
            assert found.costs[name][number] == 1_000 * (3 * number + place + 1)
    assert [found.calls[name].shape for name in "abc"] == [(40,), (60,), (20,)]
    assert {found.costs["a"].dtype, found.calls["a"].dtype} == {np.dtype("f8"), np.dtype("i8")}


def test_the_order_is_drawn_from_the_seed():
    """Each order comes about as often as any other, and the same seed gives the same orders."""

    def orders(seed):
        met = []
        arms = [Arm(name, lambda _, name=name: met.append(name) or [1]) for name in "ab"]
        in_rounds(arms, 400, seed=seed, lend=now)
        return met

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    firsts = orders(1)[::2]
    assert 150 < firsts.count("a") < 250
    assert 150 < sum(one != next_one for one, next_one in pairwise(firsts)) < 250


def test_a_cost_is_the_mean_of_a_batch():
    """A round's cost is nanoseconds a call, and single calls are kept beside."""
    found = in_rounds([Arm("a", lambda _: [100, 200, 600], 3)], 2, seed=1, lend=now)
    assert found.costs["a"].tolist() == [300, 300]
    assert found.calls["a"].tolist() == [100, 200, 600] * 2


def test_one_round_of_one_call_is_enough():
    """The least there can be is measured, too."""
    found = in_rounds([Arm("a", lambda _: [0])], 1, seed=1, lend=now)
    assert (found.costs["a"].tolist(), found.calls["a"].tolist()) == ([0.0], [0])


@pytest.mark.parametrize("each_s", [0.0001, 0.3, pytest.param(7.0, marks=pytest.mark.night)])
def test_turns_are_short(clock, each_s):
    """An action that is lent takes about a second, or one round where that takes longer."""
    spend, lent = clock.spending(round(each_s * 1e9)), []

    def lend(action):
        before = clock.now_ns
        action()
        lent.append((clock.now_ns - before) / 1e9)

    found = in_rounds([Arm("a", of_calls(spend, lambda: ()))], 20, seed=1, lend=lend)
    assert len(found.costs["a"]) == 20
    assert max(lent) <= 1.0 + each_s
    assert len(lent) == {0.0001: 1, 0.3: 5, 7.0: 20}[each_s]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_what_an_arm_raises_comes_through(error):
    """An error ends the measurement, and garbage is collected again."""
    calls = iter([[1], [1], error])

    def run(_):
        answer = next(calls)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    with pytest.raises(type(error)) as raised:
        in_rounds([Arm("a", run)], 10, seed=1, lend=now)
    assert raised.value is error
    assert gc.isenabled()


def test_an_error_that_lend_keeps_is_told():
    """A lend that passes no errors on cannot make the rounds go on for ever."""

    def silent(action):
        with pytest.raises(ZeroDivisionError):
            action()

    with pytest.raises(RuntimeError, match="lend must raise what an arm raises"):
        in_rounds([Arm("a", lambda _: [1 // 0])], 10, seed=1, lend=silent)


@pytest.mark.parametrize(("names", "rounds"), [("", 5), ("aa", 5), ("ab", 0)])
def test_what_cannot_be_measured_is_refused(names, rounds):
    """No arms, two of one name, and no rounds are mistakes of the caller."""
    arms = [Arm(name, lambda _: [1]) for name in names]
    with pytest.raises(ValueError, match="give arms of different names"):
        in_rounds(arms, rounds, seed=1, lend=now)
    with pytest.raises(ValueError, match="the batch of 'a' must be at least 1, not 0"):
        Arm("a", lambda _: [], 0)


@pytest.mark.parametrize(
    ("each_ns", "batch", "calls"),
    [(1_000, BATCH_MOST, 900), (20_000, 25, 70), (400_000, 1, 4), (50_000_000, 1, 2)],
)
def test_a_batch_takes_half_a_millisecond(clock, each_ns, batch, calls):
    """Calls of any length give a batch of about half a millisecond, after few calls."""
    made = []

    def run(number):
        made.append(number)
        return [each_ns] * number

    assert sized(run) == batch
    assert sum(made) <= calls
    assert batch in (1, BATCH_MOST) or batch * each_ns == pytest.approx(BATCH_NS, rel=0.1)


def test_times_of_zero_give_the_largest_batch():
    """A call below the clock's resolution does not keep on being tried."""
    assert sized(lambda number: [0] * number) == BATCH_MOST


def test_the_first_call_does_not_count(clock):
    """A first call that opens or imports things does not make the batch smaller."""
    run = of_calls(clock.spending(300_000_000, 20_000), lambda: ())
    assert sized(run) == 25


def test_an_interruption_does_not_count(clock):
    """One try of three that was interrupted does not make the batch smaller."""
    times = [20_000] * 200
    times[3] = times[9] = 4_000_000
    assert sized(of_calls(clock.spending(*times), lambda: ())) == 25


def test_arguments_are_made_before_the_time_runs(clock):
    """What a call is given costs nothing; each call gets its own, in order."""
    seen, numbers = [], iter(range(100))

    def arguments():
        clock.now_ns += 1_000_000
        return (next(numbers),)

    def call(number):
        clock.now_ns += 70 + number
        seen.append(number)

    assert of_calls(call, arguments)(3) == [70, 71, 72]
    assert seen == [0, 1, 2]


def test_awaitables_are_awaited_within_the_time(clock):
    """A store of ``async def`` is measured to the end of each call, a batch in one task."""
    tasks = set()

    async def call(number):
        clock.now_ns += 10
        await asyncio.sleep(0)
        clock.now_ns += number
        tasks.add(asyncio.current_task())

    with asyncio.Runner() as runner:
        run = of_calls(call, lambda: (5,), wait=runner.run)
        assert run(4) == [15] * 4
        assert len(tasks) == 1


@pytest.mark.parametrize("enabled", [True, False])
def test_collecting_garbage_is_left_as_it_was(enabled):
    """Within the block nothing is collected; afterwards, and after an error, all is as before."""
    before, within = gc.get_freeze_count(), []

    def fail():
        with undisturbed():
            within.append((gc.isenabled(), gc.get_freeze_count() > before))
            raise ZeroDivisionError

    if not enabled:
        gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):
            fail()
        assert within == [(False, True)]
        assert gc.isenabled() is enabled
        assert gc.get_freeze_count() == before
    finally:
        gc.enable()


def test_blocks_can_be_nested():
    """An inner block ends neither the quiet of the outer one nor its frozen objects."""
    with undisturbed():
        frozen = gc.get_freeze_count()
        with undisturbed():
            pass
        assert not gc.isenabled()
        assert gc.get_freeze_count() == frozen
    assert gc.isenabled()
