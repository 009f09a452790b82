"""Open loop: when calls are due, what is counted of those that had to wait, and the knee."""

from itertools import pairwise

import numpy as np
import pytest

from sessionproof.bench import offered
from sessionproof.bench.clients import Block, Call, Did
from sessionproof.bench.offered import Offer
from sessionproof.bench.throughput import at_rates
from sessionproof.contract.measurements import Latency, Speed

WINDOW_NS = 1_000_000_000
REACHED = Speed(
    operation="append",
    clients="10 threads",
    latency=Latency(p50_us=1_000, p95_us=0, p99_us=0, p999_us=0, max_us=0, calls=1),
    per_second=1_000.0,
)


def served(given, *, each_ns, clients=1, ending="ok"):
    """What a store does that needs so long for each call, with so many clients at once."""
    free = [given.begin_ns] * clients
    calls = []
    for due in given.due:
        at = min(range(clients), key=free.__getitem__)
        began = max(due, free[at])
        if began >= given.until_ns:
            continue
        free[at] = began + each_ns
        calls.append(Call(due, began, free[at], ending))
    return Block((Did(tuple(calls), ("no",) * (ending != "ok") * len(calls)),), late_ns=(0,))


def seen_at(rate, *, each_ns, clients=1, seed=1, **more):
    """An offer of a second, and what the store above made of it."""
    one = offered.offer(rate, window_s=1.0, seed=seed)

    def work(given):
        return served(given, each_ns=each_ns, clients=clients, **more)

    return offered.carried_out(work, ("s",) * clients, one), one


def keeps_up(rate, *, usual_ns=1_000_000, **more):
    """Whether the store above kept up with a rate."""
    seen, one = seen_at(rate, **more)
    return offered.kept_up(seen, one, usual_ns=usual_ns)


def test_an_offer_has_its_rate_and_its_seed():
    """As many calls as the rate says, rising, within the window, the same for the same seed."""
    one = offered.offer(250.0, window_s=0.4, seed=7)
    assert len(one.due_ns) == 100
    assert one.per_second == pytest.approx(250)
    assert list(one.due_ns) == sorted(one.due_ns)
    assert 0 <= one.due_ns[0] <= one.due_ns[-1] < one.window_ns == 400_000_000
    assert offered.offer(250.0, window_s=0.4, seed=7) == one
    assert offered.offer(250.0, window_s=0.4, seed=8) != one


def test_the_shortest_window_has_a_call():
    """Also one that is no nanosecond long."""
    assert offered.offer(1.0, window_s=1e-12, seed=1).due_ns == (0,)


def test_calls_come_as_in_a_poisson_process():
    """Gaps vary as much as they are long, and the first half has about half of the calls."""
    due = np.array(offered.offer(20_000, window_s=1.0, seed=3).due_ns)
    gaps = np.diff(due)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.05)
    assert np.mean(due < WINDOW_NS / 2) == pytest.approx(0.5, abs=0.02)


def test_rates_rise_from_a_tenth_to_beyond_the_closed_loop():
    """Each window has its least time and its least calls."""
    made = offered.offers(10_000, total_s=60, longest_s=9, seed=1)
    rates = [one.per_second for one in made]
    assert rates == pytest.approx([fraction * 10_000 for fraction in offered.FRACTIONS])
    assert (rates[0], rates[-1]) == pytest.approx((1_000, 13_000))
    assert all(one.window_ns == offered.WINDOW_S * 1e9 for one in made)
    slow = offered.offers(100, total_s=600, longest_s=99, seed=1)
    assert len(slow) == len(offered.FRACTIONS)
    assert all(len(one.due_ns) == offered.LEAST_CALLS for one in slow)


def test_no_window_is_longer_than_it_may_be():
    """A handle that is lent for longer would be taken for one that hangs."""
    made = offered.offers(100, total_s=600, longest_s=2.0, seed=1)
    assert max(one.window_ns for one in made) == 2 * 10**9
    assert [len(one.due_ns) for one in made][:2] == [20, 60]


def test_rates_beyond_the_harness_are_not_offered():
    """A store in memory may be faster than anybody can ask."""
    made = offered.offers(10**7, total_s=60, longest_s=9, seed=1)
    assert made[-1].per_second == pytest.approx(1.3 * offered.RATE_MOST)


@pytest.mark.parametrize("closed", [20_000, 2_000, 300, 60, 20, 3, 0.1])
def test_offers_keep_their_time(closed):
    """A slow store has fewer rates, then fewer calls, then none; never more time."""
    made = offered.offers(closed, total_s=3.0, longest_s=99, seed=1)
    assert sum(one.window_ns for one in made) <= 3.0001e9
    assert all(len(one.due_ns) >= offered.FEWEST_CALLS for one in made)
    assert all(a.per_second < b.per_second for a, b in pairwise(made))
    if closed >= 60:
        assert made[-1].per_second == pytest.approx(1.3 * closed, rel=0.02)
    assert bool(made) == (closed >= 60)


def test_latency_counts_from_when_a_call_was_due():
    """A call that waited for a free client is as slow as its caller felt it."""
    calls = [Call(100, 100, 150, "ok"), Call(110, 150, 200, "ok"), Call(120, 200, 250, "info")]
    seen = offered.answered(Block((Did(tuple(calls)),), late_ns=(3,)), (100, 110, 120), 500)
    assert seen.took_ns.tolist() == [50, 90, 130]
    assert seen.done.tolist() == [True, True, False]
    assert seen.late_ns.tolist() == [3]


def test_a_call_that_was_never_begun_counts_with_its_wait():
    """Leaving it out would make an overloaded store shine."""
    did = Did((Call(110, 120, 150, "ok"),))
    seen = offered.answered(Block((did, Did(()))), (100, 110, 110, 600), 500)
    assert seen.due_ns.tolist() == [100, 110, 110, 600]
    assert sorted(seen.took_ns.tolist()) == [0, 40, 390, 400]
    assert seen.done.sum() == 1


def test_a_point_tells_what_was_done_within_the_window():
    """What ends after it does not count as done at that rate."""
    one = Offer(1_000, (0, 100, 900))
    calls = (Call(5, 5, 25, "ok"), Call(105, 105, 125, "ok"), Call(905, 905, 1_105, "ok"))
    seen = offered.answered(Block((Did(calls),)), (5, 105, 905), 5_000)
    point = offered.point(seen, one)
    assert point.offered_per_s == pytest.approx(3e6)
    assert point.done_per_s == pytest.approx(2e6)
    assert point.latency.calls == 3
    assert point.latency.max_us == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("fraction", "kept"), [(0.1, True), (0.5, True), (0.9, True), (1.2, False), (1.5, False)]
)
@pytest.mark.parametrize("clients", [1, 10])
@pytest.mark.parametrize("seed", range(5))
def test_a_store_keeps_up_with_what_it_can_do(fraction, kept, clients, seed):
    """Below its capacity always, above it by a fifth never, whatever the arrivals are."""
    each_ns = clients * 1_000_000  # so many clients do 1,000 calls a second
    assert (
        keeps_up(1_000 * fraction, each_ns=each_ns, clients=clients, usual_ns=each_ns, seed=seed)
        is kept
    )


def test_a_slow_call_at_the_end_is_allowed():
    """Calls that take long are under way when the window ends: that is no backlog."""
    assert keeps_up(20, each_ns=150_000_000, clients=10, usual_ns=150_000_000)


def test_latency_that_goes_on_rising_is_not_kept_up_with():
    """A backlog that the allowance would hide still grows with the window."""
    assert not keeps_up(1_200, each_ns=1_000_000, usual_ns=150_000_000)
    assert keeps_up(900, each_ns=1_000_000, usual_ns=150_000_000)


def test_a_store_that_refuses_did_not_keep_up():
    """A refusal is quick, but nothing is done."""
    assert not keeps_up(100, each_ns=1_000, ending="fail")


def test_a_disturbance_is_worked_off():
    """One pause of a tenth of the window, in its middle, is no overload."""
    one = offered.offer(500, window_s=1.0, seed=2)

    def work(given):
        free, calls = given.begin_ns, []
        for due in given.due:
            began = max(due, free)
            pause = 100_000_000 if len(calls) == 250 else 0
            free = began + 1_000_000 + pause
            calls.append(Call(due, began, free, "ok"))
        return Block((Did(tuple(calls)),))

    seen = offered.carried_out(work, ("s",), one)
    assert offered.kept_up(seen, one, usual_ns=1_000_000)


def test_the_knee_is_the_highest_rate_that_was_kept_up_with():
    """One that was disturbed below it does not lower it."""
    points = [
        (offered.point(*seen_at(rate, each_ns=1_000)), kept)
        for rate, kept in ((100, True), (200, False), (300, True), (400, False))
    ]
    assert offered.knee(points) == pytest.approx(300)
    assert offered.knee([(point, False) for point, _ in points]) is None
    assert offered.knee([]) is None


@pytest.mark.parametrize("clients", [1, 10])
def test_the_load_of_a_store_with_a_known_capacity(clients):
    """The knee lies at or just below what the store can do; latency rises behind it."""

    def work(given):
        return served(given, each_ns=clients * 1_000_000, clients=clients)

    load = at_rates(work, ("s",) * clients, REACHED, total_s=60, longest_s=9, seed=1)
    assert (load.operation, load.clients, load.closed_per_s) == ("append", "10 threads", 1_000)
    rates = [point.offered_per_s for point in load.points]
    assert rates == pytest.approx([fraction * 1_000 for fraction in offered.FRACTIONS])
    assert load.knee_per_s == pytest.approx(900)
    assert load.points[-1].latency.p50_us > 4 * load.points[0].latency.p50_us
    assert load.points[-1].done_per_s < load.points[-1].offered_per_s * 0.9
    assert load.note == ""


def test_a_knee_above_all_rates_is_told():
    """Then the highest rate is only what was tried."""
    load = at_rates(
        lambda given: served(given, each_ns=9), ("s",), REACHED, total_s=60, longest_s=9, seed=1
    )
    assert load.knee_per_s == load.points[-1].offered_per_s
    assert load.note == "the store kept up with the highest rate offered: the knee lies above it"


def test_a_harness_that_is_late_says_so():
    """Where its own delay is a good part of the latency, the reader must know."""

    def work(given):
        block = served(given, each_ns=1_000_000)
        return Block(block.did, late_ns=(700_000,) * 9)

    load = at_rates(work, ("s",), REACHED, total_s=60, longest_s=9, seed=1)
    assert load.note.startswith("at 100, 300, 500")
    assert "began calls late, by up to 700 µs at the median" in load.note


def test_calls_that_fail_at_a_rate_are_told():
    """They are counted, and the knee is none where nothing is done."""

    def work(given):
        return served(given, each_ns=1_000_000, ending="fail")

    load = at_rates(work, ("s",), REACHED, total_s=60, longest_s=9, seed=1)
    assert load.knee_per_s is None
    calls = sum(point.latency.calls for point in load.points)
    assert " calls refused, the slowest after 0.001 s: no" in load.note
    assert int(load.note.partition(" of ")[2].partition(" calls")[0].replace(",", "")) <= calls


def test_a_store_too_slow_for_rates_has_no_load():
    """Twenty calls at a rate are the least that says anything."""
    slow = Speed(operation="a", clients="c", latency=REACHED.latency, per_second=0.5)
    assert at_rates(lambda _: Block(()), ("s",), slow, total_s=3, longest_s=9, seed=1) is None


@pytest.mark.parametrize("due", [(400, 500), (0, 100, 400), (500, 800, 890)])
def test_without_calls_at_both_ends_nothing_rises(due):
    """Whether calls wait longer and longer is told by the first and the last third, or not at all.

    All were done in time here; those at the end took ten times as long as those before.
    """
    one = Offer(900, due)
    calls = tuple(Call(at, at, at + (20 if at < 600 else 200), "ok") for at in due)
    seen = offered.answered(Block((Did(calls),)), due, 2_000)
    assert offered.kept_up(seen, one, usual_ns=199)
    both = (0, 850, 880)
    calls = tuple(Call(at, at, at + (20 if at < 600 else 200), "ok") for at in both)
    seen = offered.answered(Block((Did(calls),)), both, 2_000)
    assert not offered.kept_up(seen, Offer(900, both), usual_ns=199)
