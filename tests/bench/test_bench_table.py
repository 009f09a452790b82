"""The table of one client on a clock that calls alone move: what is timed, and what is missed."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import sessionproof.bench.rounds as rounds_module
import sessionproof.bench.table as table_module
from sessionproof.bench.operations import Pair, Row, Side, always
from sessionproof.bench.table import CallFailed, Plan, measure, run_of
from sessionproof.contract.operations import HANG, Failure
from sessionproof.workload.guard import outcome_of

FLOOR_NS = 1_000


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, monkeypatch):
        self.now_ns = 0
        monkeypatch.setattr(rounds_module, "monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr(rounds_module, "monotonic_s", lambda: self.now_ns / 1e9)
        monkeypatch.setattr(table_module, "monotonic_s", lambda: self.now_ns / 1e9)
        # Collections of garbage would disturb nothing here, and take most of the time.
        monkeypatch.setattr(rounds_module, "undisturbed", nullcontext)

    def row(self, operation, each_ns, *, note="", raises=None, after=0):
        """A row whose store takes so long a call, and raises after so many of them."""
        called = [0]

        def store():
            called[0] += 1
            if raises is not None and called[0] > after:
                raise raises
            self.now_ns += each_ns(called[0]) if callable(each_ns) else each_ns

        def floor():
            self.now_ns += FLOOR_NS

        pair = Pair(Side(store, always()), Side(floor, always()), note)
        return Row(operation, (), lambda _: pair)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def client():
    """As much of a client as the table asks for."""
    return SimpleNamespace(doing="", wait=None, floor=SimpleNamespace(words="a made floor"))


def lend(action):
    """As the store's thread does: what an action raises is a failed call."""
    try:
        action()
    except CallFailed:
        raise
    except Exception as error:
        raise CallFailed(outcome_of(error).failure) from error


def plan(**more):
    """A plan with time for all."""
    asked = {"rounds": 30, "least": 20, "row_s": 1.0, "until_s": 1e9, "seed": 1, "most": {}}
    return Plan(**{**asked, **more})


def test_rows_stand_in_their_order_beside_their_floors(clock, client):
    """Each with its ratio, its rounds, and what is claimed for it."""
    rows = [clock.row("b", 4_000, note="some words"), clock.row("a", 2_000)]
    made = measure(rows, client, lend, plan(most={"a": 3.0}))
    assert [one.operation for one in made.speeds] == ["b", "a"]
    assert [one.ratio.value for one in made.speeds] == pytest.approx([4, 2])
    assert [one.most for one in made.speeds] == [None, 3.0]
    assert [one.note for one in made.speeds] == ["some words", ""]
    for one, cost in zip(made.speeds, (4_000, 2_000), strict=True):
        assert one.samples == {"store": (cost,) * 30, "floor": (FLOOR_NS,) * 30}
        assert (one.floor, one.floor_us) == ("a made floor", 1.0)
        assert one.per_second == pytest.approx(1e9 / cost)
    assert (made.missed, made.failures) == ({}, {})


def test_a_slow_row_has_fewer_rounds_and_no_row_less_than_the_least(clock, client):
    """As many as there is time for; those of a quick row are not fewer for it."""
    rows = [clock.row("quick", 1_000), clock.row("slow", 40e6), clock.row("slower", 150e6)]
    made = measure(rows, client, lend, plan())
    assert [len(one.samples["store"]) for one in made.speeds] == [30, 24, 20]


def test_what_would_take_too_long_is_missed_and_no_failure(clock, client):
    """It says how long its rounds would take; the others are timed."""
    made = measure([clock.row("ages", 400e6), clock.row("quick", 1_000)], client, lend, plan())
    assert [one.operation for one in made.speeds] == ["quick"]
    assert made.missed == {"ages": "20 rounds of 0.4 s would take too long"}
    assert made.failures == {}
    patient = measure([clock.row("ages", 400e6)], client, lend, plan(row_s=9.0))
    assert [one.operation for one in patient.speeds] == ["ages"]


def test_no_row_is_begun_after_the_end(clock, client):
    """What was timed before the time was over stays."""
    rows = [clock.row("slow", 40e6), clock.row("quicker", 25e6)]
    made = measure(rows, client, lend, plan(until_s=0.7))
    assert [one.operation for one in made.speeds] == ["quicker"]
    assert made.missed == {"slow": "no time was left for it"}
    assert made.failures == {}


@pytest.mark.parametrize("after", [0, 1, 3_000])
def test_a_call_that_fails_misses_its_own_row_alone(clock, client, after):
    """Before it is timed or among others in its rounds: theirs are timed all the same."""
    odd = clock.row("odd", 1_000, raises=ValueError("not today"), after=after)
    rows = [clock.row("first", 1_000), odd, clock.row("last", 1_000)]
    made = measure(rows, client, lend, plan())
    assert [one.operation for one in made.speeds] == ["first", "last"]
    assert all(len(one.samples["store"]) == 30 for one in made.speeds)
    assert made.missed == {"odd": "ValueError: not today"}
    assert made.failures["odd"].type == "ValueError"
    odd = clock.row("odd", 1_000, raises=ValueError("not today"), after=after)
    alone = measure([odd], client, lend, plan())
    assert (alone.speeds, alone.missed) == ((), made.missed)


@pytest.mark.parametrize("after", [0, 3_000])
def test_a_handle_that_is_lost_ends_the_table(clock, client, after):
    """After a call that hangs there is nothing to be timed."""
    lost = CallFailed(Failure(HANG, "no answer"))
    rows = [clock.row("odd", 1_000, raises=lost, after=after), clock.row("other", 1_000)]
    with pytest.raises(CallFailed) as caught:
        measure(rows, client, lend, plan())
    assert caught.value is lost
    assert client.doing == "odd"


def test_a_busy_machine_leaves_a_row_without_a_ratio(clock, client):
    """What was measured is shown, with the reason behind the note of the row."""
    restless = clock.row("odd", lambda number: 10 ** (9 - number % 3), note="some words")
    (one,) = measure([restless], client, lend, plan(row_s=100.0)).speeds
    assert one.ratio is None
    assert one.note.startswith("some words; ")
    assert one.note.endswith("too few rounds")
    assert len(set(one.samples["store"])) > 1


def test_what_is_prepared_for_a_batch_is_bounded(clock, client):
    """Where arguments take long to make, there are fewer calls in a batch, and always one."""

    def making(number):
        clock.now_ns += 1_000_000 * number
        return [()] * number

    def call():
        clock.now_ns += 1_000

    batches = []

    def counted(number):
        batches.append(number)
        return making(number)

    row = Row("odd", (), lambda _: Pair(Side(call, counted), Side(call, always())))
    (one,) = measure([row], client, lend, plan()).speeds
    assert one.latency.calls == sum(batches[-30:]) == 60
    assert max(batches) > 100


def test_awaitables_are_awaited_and_plain_answers_are_not():
    """Which of both a side answers is seen at its first call."""
    awaited = []

    def wait(awaitable):
        awaited.append(awaitable)
        return asyncio.run(_await(awaitable))

    async def _await(awaitable):
        return await awaitable

    seen = []

    async def call(name):
        seen.append(name)

    run = run_of(Side(call, always("s")), wait)
    assert (seen, len(awaited)) == (["s"], 1)
    assert len(run(3)) == 3
    assert (seen, len(awaited)) == (["s"] * 4, 2)  # a batch is one task
    run = run_of(Side(seen.append, always("t")), wait)
    assert len(run(2)) == 2
    assert (seen[4:], len(awaited)) == (["t"] * 3, 2)
