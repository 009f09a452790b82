"""What blocks of many clients come to: costs, throughput, rows, and sentences about failures."""

import pytest

from sessionproof.bench.blocks import (
    acknowledged,
    failures,
    in_turns,
    per_second,
    times_ns,
    wall_ns,
)
from sessionproof.bench.clients import Block, Call, Did
from sessionproof.bench.crews import CannotMeasure
from sessionproof.bench.throughput import beside_floor, closed, failed


def block(*times, ending="ok", said=()):
    """A block of one client with calls from and to these nanoseconds."""
    return Block((Did(tuple(Call(a, a, b, ending) for a, b in times), tuple(said)),))


def test_the_arithmetic_of_blocks():
    """Costs and throughput count what was acknowledged, over the time from first to last."""
    two = Block(
        (
            Did((Call(10, 10, 30, "ok"), Call(30, 30, 60, "fail")), ("Refused: no",)),
            Did((Call(5, 20, 110, "ok"),)),
        )
    )
    assert wall_ns(two) == 100
    assert acknowledged([two]) == 2
    assert failures([two]) == {"Refused: no": 1}
    assert times_ns([two]).tolist() == [20, 105]
    assert per_second([two, two]) == 4 * 10**9 / 200
    assert per_second([Block((Did(()),))]) == 0


def test_arms_take_turns():
    """Both arms do every round, and a cost is wall time over acknowledged appends."""
    done = []

    def arm(name, nanoseconds):
        def work(given):
            done.append((name, given.calls))
            return block((0, nanoseconds), (nanoseconds, 2 * nanoseconds))

        return work

    arms = {"store": arm("store", 300), "floor": arm("floor", 100)}
    turns = in_turns(arms, ("s",), calls=2, rounds=6, least=1, seconds=60, most_s=1, seed=1)
    assert turns.costs["store"].tolist() == [300.0] * 6
    assert turns.costs["floor"].tolist() == [100.0] * 6
    assert len(turns.blocks) == 6
    rounds = [tuple(name for name, _ in done[at : at + 2]) for at in range(0, 12, 2)]
    assert set(rounds) == {("store", "floor"), ("floor", "store")}
    assert {calls for _, calls in done} == {2}


def test_rounds_end_with_their_time_but_not_before_the_first():
    """A slow store is measured once, whatever it takes."""
    arms = dict.fromkeys(("store", "floor"), lambda _: block((0, 100)))
    turns = in_turns(arms, ("s",), calls=1, rounds=9, least=5, seconds=0, most_s=1, seed=1)
    assert len(turns.blocks) == 1


def test_a_floor_that_fails_is_no_measure():
    """Beside errors of our own nothing is compared."""
    bad = block((0, 9), ending="info", said=["OperationalError: disk I/O error"])
    arms = {"store": lambda _: block((0, 9)), "floor": lambda _: bad}
    with pytest.raises(CannotMeasure, match=r"raw SQLite failed beside the store: .*disk I/O"):
        in_turns(arms, ("s",), calls=1, rounds=2, least=1, seconds=1, most_s=1, seed=1)


def test_a_store_that_acknowledges_nothing_is_not_fast():
    """Refusals are quick; no row is made of them."""
    bad = block((0, 9), ending="fail", said=["Refused: no"])
    arms = {"store": lambda _: bad, "floor": lambda _: block((0, 9))}
    with pytest.raises(CannotMeasure, match="no append was acknowledged: Refused: no"):
        in_turns(arms, ("s",), calls=1, rounds=2, least=1, seconds=1, most_s=1, seed=1)
    with pytest.raises(CannotMeasure, match="2 threads: no append was acknowledged: Refused: no"):
        closed([bad], clients="2 threads")


def test_a_row_beside_a_floor():
    """Ratio, percentiles, throughput and the raw times of each round."""
    arms = [lambda _, ns=ns: block((0, ns), (ns, 2 * ns)) for ns in (3_000, 1_000)]
    row = beside_floor(
        *arms, ("s",), clients="1 thread", words="raw", rounds=20, seconds=60, most_s=1, seed=1
    )
    assert (row.operation, row.clients, row.floor) == ("append", "1 thread", "raw")
    assert row.ratio.value == pytest.approx(3.0)
    assert (row.ratio.rounds, row.ratio.of) == (20, 20)
    assert row.floor_us == 1.0
    assert row.latency.calls == 40
    assert row.per_second == pytest.approx(10**9 / 3_000)
    assert row.samples == {"store": (3_000,) * 20, "floor": (1_000,) * 20}
    assert row.note == ""


def test_too_few_rounds_are_no_ratio():
    """The note says so; the rest of the row stays."""
    arms = [lambda _: block((0, 100))] * 2
    row = beside_floor(
        *arms, ("s",), clients="1 thread", words="raw", rounds=3, seconds=60, most_s=1, seed=1
    )
    assert row.ratio is None
    assert row.note.startswith("the ratio could not be told: 3 of 3 rounds were calm")


def test_calls_that_fail_are_told_in_a_sentence():
    """How many of how many, how long the slowest took, and what was said most often."""
    assert failed([block((0, 5))]) == ""
    locked = block((0, 10), (0, 2_500_000_000), ending="info", said=["E: locked", "E: locked"])
    assert failed([locked, block((0, 5))]) == (
        "2 of 3 calls failed, the slowest after 2.5 s: E: locked"
    )
    refused = block((0, 10), ending="fail", said=["Refused: no"])
    assert failed([refused]) == "1 of 1 calls refused, the slowest after 1e-08 s: Refused: no"
