"""Slices of a load: numbers that tell their origin, waves that are drawn again, orders."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.location import Location
from sessionproof.history.columns import F, Type
from sessionproof.reference.store import ReferenceStore
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.slices import (
    CALLS_MOST,
    SLICES_MOST,
    Order,
    Pace,
    Slice,
    carry,
    history_of,
    number_of,
    packed,
    parts_of,
    unpacked,
)
from sessionproof.workload.waves import GROWING, Plot, drawn, rounds_beside

ABLE = frozenset({"read_last", "page", "count", "get"})
PROGRAM = (Call(F.APPEND, 0, 2), Call(F.READ, 0), Call(F.APPEND, 1, 1))


def plot(mix, **changes):
    """What waves are drawn from."""
    usual = Plot(
        seed=7, mix=mix, clients=3, claims=ReferenceStore.claims, capabilities=ABLE, beside=2
    )
    return replace(usual, **changes)


def order(tmp_path, *programs, store="reference", **changes):
    """An order for two sessions."""
    usual = Order(
        store=store,
        location=Location(tmp_path),
        claims=ReferenceStore.claims,
        deadlines=Deadlines(),
        first=0,
        sessions=("a", "b"),
        ids=("a", "b"),
        slices=tuple(Slice(at + 1, packed(one)) for at, one in enumerate(programs)),
        budget_s=10.0,
    )
    return replace(usual, **changes)


@pytest.mark.parametrize(
    "parts", [(1, 0, 0), (SLICES_MOST, 2**20 - 1, CALLS_MOST - 1), (5, 1, 2), (1, 2**20 - 1, 0)]
)
def test_the_number_of_an_operation_tells_its_slice_attempt_and_place(parts):
    """From the id of any message of a batch, who was to write it can be said."""
    number = number_of(*parts)
    ids = np.array([(number << 8) + place for place in (0, 255)], np.uint64)
    for slices, attempts, places in zip(*parts_of(ids), strict=True):
        assert (slices, attempts, places) == parts


def test_calls_travel_as_numbers():
    """What is packed comes out as it was."""
    assert unpacked(packed(PROGRAM)) == PROGRAM
    assert unpacked(packed(())) == ()


@pytest.mark.parametrize("mix", GROWING)
def test_a_wave_is_drawn_again(mix):
    """The same number gives the same programs, another number others, on other sessions."""
    first = drawn(plot(mix), 4, 2)
    assert drawn(plot(mix), 4, 2) == first
    other = drawn(plot(mix), 5, 2)
    assert other.programs != first.programs
    assert not set(other.sessions) & set(first.sessions)
    assert drawn(plot(mix), 4, 3).sessions[: len(first.sessions)] == first.sessions


@pytest.mark.parametrize("mix", GROWING)
def test_a_wave_only_grows_sessions_that_it_has(mix):
    """Nothing is removed, and all clients come to each session."""
    wave = drawn(plot(mix), 0, 2)
    for program in wave.programs:
        assert {call.session for call in program} <= set(range(len(wave.sessions)))
        assert {call.f for call in program} <= {F.APPEND, F.READ, F.READ_LAST, F.PAGES, F.COUNT}


@pytest.mark.parametrize("sessions", [1, 3, 4, 10])
@pytest.mark.parametrize("mix", GROWING)
def test_so_many_sessions_are_in_use_at_once(mix, sessions):
    """At least as many as wanted, and fewer than one round more."""
    beside = rounds_beside(mix, sessions)
    number = len(drawn(plot(mix, beside=beside), 0, 1).sessions)
    assert sessions <= number < sessions + number // beside


def test_a_wave_stays_below_what_sessions_keep():
    """There is room for what attempts that were lost have written too."""
    claims = replace(ReferenceStore.claims, limits=Limits(retention=40))
    wave = drawn(plot("writes", claims=claims), 0, 1)
    written = dict.fromkeys(range(len(wave.sessions)), 0)
    for program in wave.programs:
        for call in program:
            written[call.session] += call.n if call.f is F.APPEND else 0
    assert max(written.values()) == 10


@pytest.mark.parametrize("programs", [(PROGRAM,), (PROGRAM, PROGRAM)])
def test_an_order_is_carried_out_and_told(programs, tmp_path):
    """The history has each call, under numbers that tell slice and attempt."""
    carried = carry(order(tmp_path, *programs))
    history = history_of(carried, tmp_path)
    assert (history.rows["type"] == Type.OK).all()
    assert len(history) == 3 * len(programs)
    slices, attempts, places = parts_of(history.rows["id"])
    assert set(slices.tolist()) == {1, 2} if len(programs) > 1 else {1}
    assert set(attempts.tolist()) == {carried.attempt}
    assert sorted(places.tolist()) == sorted([0, 1, 2] * len(programs))


def test_two_attempts_at_a_slice_share_no_id(tmp_path):
    """What the first one left behind is told from what the second one wrote."""
    first, second = (history_of(carry(order(tmp_path, PROGRAM)), tmp_path) for _ in range(2))
    assert not set(first.rows["id"].tolist()) & set(second.rows["id"].tolist())


def test_a_store_that_does_not_open_is_told(tmp_path):
    """A worker that cannot find or open the store says so, and raises nothing."""
    nowhere = carry(order(tmp_path, PROGRAM, store="no_such_module:Store"))
    assert "no_such_module" in nowhere.refused
    elsewhere = order(tmp_path, PROGRAM, location=Location(tmp_path / "gone"))
    assert "--location" in carry(elsewhere).refused


def test_orders_begin_at_one_time(tmp_path):
    """No call begins before the time that was told for this clock."""
    from sessionproof.workload.slices import here

    begin_ns = monotonic_ns() + 300_000_000
    asked = order(tmp_path, PROGRAM, begins=((here().boot, begin_ns), ("another", 1)))
    with ThreadPoolExecutor(1) as executor:
        history = history_of(executor.submit(carry, asked).result(), tmp_path)
    assert history.rows["inv"].min() >= begin_ns


def test_a_pace_waits_for_no_turn_that_is_late():
    """Who is early waits for the next turn; who is late goes on."""
    early = Pace(monotonic_ns(), 20_000_000)
    begun_ns = monotonic_ns()
    assert early()
    assert monotonic_ns() - begun_ns >= 15_000_000
    late = Pace(0, 0)
    assert late()
    assert late.waited_ns == 0


def test_a_store_without_claims_is_carried_too(tmp_path):
    """Claims travel with the order, so that probed ones do as well."""
    carried = carry(order(tmp_path, PROGRAM, claims=Claims(handles="threads")))
    assert not carried.refused
