"""The performance table of one client: what is in it, and how what is claimed is judged."""

import hashlib
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.benign.calls import open_awaited
from fixtures.benign.messages import KeepsThree, RefusesLongTexts
from fixtures.benign.sessions import NamesItsSessions, NeedsCreate
from fixtures.benign.sqlite import SqliteWindow
from fixtures.mutants import speed as mutants
from sessionproof import Location, Message
from sessionproof.bench.client import Client
from sessionproof.bench.floors import Floor
from sessionproof.bench.operations import DELETED, LAST, ROWS, rows_for
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import COSTS, Claims
from sessionproof.contract.errors import TooLarge
from sessionproof.contract.measurements import Latency, Ratio, Size, Speed
from sessionproof.contract.store import capabilities_of
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.reference.aio import AsyncReferenceStore
from sessionproof.reference.managing import Store as ManagesSessions
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.speed import script_of_cost
from sessionproof.trials import speed
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import Deadlines, Profile

BRIEF = Profile(name="brief", share_s=0.1, shrink_s=0.1, rounds=24)
LIMITED = replace(MemoryStore.claims, costs={"append": 1e9})
MADE = ["s0 = 's0'", "message = Message('user', 'x' * 200)"]


def speeds(trial):
    """The rows of times that a trial measured, by operation."""
    return {one.operation: one for one in trial.measured if isinstance(one, Speed)}


@pytest.fixture
def timed_trial(trial_of, monkeypatch):
    """Make the trial of a store with the deadlines of a run: a turn is as long as a second."""

    def make(factory=None, *, operation_s=20.0, sizes=False, **options):
        if not sizes:
            monkeypatch.setattr(speed, "measure_sizes", lambda trial: None)
        trial = trial_of("PERF-01", factory, profile=BRIEF, **options)
        trial.store.deadlines = Deadlines(operation_s=operation_s)
        return trial

    return make


def measured(timed_trial, factory, *, sizes=False):
    """The trial of a store that claims no costs, after the table was measured."""
    trial = timed_trial(factory, sizes=sizes, claims=replace(factory.claims, costs={}))
    with pytest.raises(NotClaimed):
        speed.single_client(trial)
    return trial


def test_the_table_has_a_row_for_each_operation(timed_trial):
    """A store that has everything is timed at everything, beside its floor, with raw samples."""
    trial = measured(timed_trial, ManagesSessions)
    rows = speeds(trial)
    assert [*rows] == [row.operation for row in ROWS]
    for row in rows.values():
        assert row.clients == "one client"
        assert row.floor == "raw SQLite, synchronous=FULL"
        assert row.per_second > 0
        assert len(row.samples["store"]) == len(row.samples["floor"]) >= 20
        assert row.latency.p50_us <= row.latency.p99_us <= row.latency.max_us


def test_sizes_are_those_of_the_files(timed_trial):
    """A message takes at least its text, and a log at least that of raw SQLite."""
    trial = measured(timed_trial, ReferenceStore, sizes=True)
    sizes = {one.what: one for one in trial.measured if isinstance(one, Size)}
    assert sizes["bytes per session"].value > 0
    assert sizes["bytes per message of 200 bytes"].value > 200
    assert 4_000 < sizes["bytes per message of 4,000 bytes"].value < 8_000
    assert sizes["bytes of log per append"].floor > 200


def test_a_store_without_files_has_no_sizes(timed_trial):
    """What is in memory alone has no bytes on disk, and one note says so."""
    trial = measured(timed_trial, MemoryStore, sizes=True)
    assert not [one for one in trial.measured if isinstance(one, Size)]
    assert len([note for note in trial.notes if "not measured" in note]) <= 2


@pytest.mark.parametrize(
    "factory",
    [
        open_awaited,
        *(
            pytest.param(one, marks=pytest.mark.night)
            for one in (
                AsyncReferenceStore, NamesItsSessions, NeedsCreate, SqliteWindow, KeepsThree,
                RefusesLongTexts,
            )
        ),
    ],
)  # fmt: skip
def test_every_kind_of_store_is_timed_whole(timed_trial, factory):
    """Stores that are awaited, that name sessions, that keep few messages: no row is missing."""
    trial = measured(timed_trial, factory)
    assert {*speeds(trial)} == {row.operation for row in rows_for(trial.capabilities)}


def test_a_row_is_one_entry():
    """The rows stand for the costs that can be claimed, and a store has those of its methods."""
    assert {*COSTS} <= {row.operation for row in ROWS}
    assert [row.operation for row in rows_for(frozenset())] == ["append", "open"]
    assert "update" in [row.operation for row in rows_for(frozenset({"edit_message"}))]


def test_both_sides_work_on_as_much(tmp_path):
    """The floor of a row reads as many messages as the store, and deletes as many."""
    with (
        closing(ManagesSessions(Location(tmp_path))) as store,
        closing(Floor(tmp_path / "floor.db", synchronous="FULL")) as floor,
    ):
        client = Client(
            store, None, floor, claims=store.claims, capabilities=capabilities_of(store),
            awaited=set(), sample=Message("user", ""), pool="so many words ",
        )  # fmt: skip
        client.load(300)
        client.settle()
        pairs = {row.operation: row.pair(client) for row in ROWS if row.operation != "open"}

        def both(operation):
            sides = (pairs[operation].store, pairs[operation].floor)
            return [side.call(*next(iter(side.arguments(1)))) for side in sides]

        newest, raw = both("read_last")
        assert len(newest) == len(raw) == LAST
        page, raw = both("page")
        assert len(page.messages) == len(raw) == LAST
        assert both("count") == [300, 300]
        (mine,), (theirs,) = (
            next(iter(side.arguments(1))) for side in (pairs["delete"].store, pairs["delete"].floor)
        )
        assert store.count(mine) == floor.count(theirs) == DELETED
        (mine, said), (theirs, text) = (
            next(iter(side.arguments(1))) for side in (pairs["append"].store, pairs["append"].floor)
        )
        assert store.count(mine) == floor.count(theirs) > 0
        assert len(said[0].content) == len(text) == 200


def test_both_managers_do_the_same(tmp_path):
    """A managed session is made, got, changed and removed on both sides, and none is left over."""
    with (
        closing(ManagesSessions(Location(tmp_path))) as store,
        closing(Floor(tmp_path / "floor.db", synchronous="FULL")) as floor,
    ):
        client = Client(
            store, None, floor, claims=store.claims, capabilities=capabilities_of(store),
            awaited=set(), sample=Message("user", ""), pool="so many words ",
        )  # fmt: skip
        pairs = {row.operation: row.pair(client) for row in ROWS if "manager" in row.needs}

        def both(operation):
            sides = (pairs[operation].store, pairs[operation].floor)
            return [side.call(*next(iter(side.arguments(1)))) for side in sides]

        mine, theirs = both("generate_session_id")
        assert len(mine) == len(theirs) == 32
        both("update_parent_id")
        mine, ((_, _, first, _),) = both("get_session")
        assert len(mine["first_user_message"]) == len(first) == 200
        assert both("delete_session") == [True, None]
        assert both("cleanup") == [0, None]
        count = "SELECT count(*) FROM managed"
        stored = store.manager("get_session_count", {})
        assert floor._connection.execute(count).fetchone() == (stored,)
        both("create_session")
        assert floor._connection.execute(count).fetchone() == (stored + 1,)
        assert store.manager("get_session_count", {}) == stored + 1


def refuses_after(number):
    """An append that refuses what comes after so many."""
    seen = []

    def append(self, session_id, messages):
        seen.append(session_id)
        if len(seen) > number:
            raise RuntimeError("no more")
        return MemoryStore.append(self, session_id, messages)

    return append


@pytest.mark.parametrize("number", [30, 100])
def test_a_call_that_fails_is_a_break_where_its_cost_is_claimed(timed_trial, number):
    """An append that raises before or while it is timed cannot hold a claim about its cost."""
    trial = timed_trial(claims=LIMITED, append=refuses_after(number))
    with pytest.raises(Broken) as caught:
        speed.single_client(trial)
    assert caught.value.finding.anomaly is Anomaly.UNEXPECTED_REFUSAL
    assert "no more" in caught.value.finding.seen


def test_a_call_that_fails_is_a_note_where_nothing_is_claimed(timed_trial):
    """The other rows are measured all the same."""

    def count(_self, _session_id):
        raise RuntimeError("not today")

    trial = timed_trial(count=count)
    with pytest.raises(NotClaimed):
        speed.single_client(trial)
    assert "count" not in speeds(trial)
    assert "append" in speeds(trial)
    assert any("count" in note and "not today" in note for note in trial.notes)


def test_a_store_that_takes_few_messages_at_once_is_loaded(timed_trial):
    """A large batch is given in parts to a store that refuses it: none owes it to take them."""

    class TakesTen(MemoryStore):
        claims = replace(MemoryStore.claims, costs={})

        def append(self, session_id, messages):
            if len(messages) > 10:
                raise TooLarge("at most 10 messages at once")
            return super().append(session_id, messages)

    assert "read_last" in speeds(measured(timed_trial, TakesTen))


def test_a_call_that_hangs_is_found(timed_trial):
    """A look-up that never answers ends the table with a finding."""
    released = threading.Event()

    def get(_self, _session_id):
        released.wait(60)

    trial = timed_trial(operation_s=3.0, get=get)
    try:
        with pytest.raises(Broken) as caught:
            speed.single_client(trial)
    finally:
        released.set()
    assert caught.value.finding.anomaly is Anomaly.HANG
    assert "get" in caught.value.finding.did


def test_a_claim_about_what_the_store_lacks_is_not_judged(timed_trial):
    """What was not measured does not hold."""
    claims = replace(SqliteWindow.claims, costs={"delete": 5})
    trial = timed_trial(SqliteWindow, claims=claims)
    with pytest.raises(CouldNotTell, match="delete"):
        speed.single_client(trial)


def row(low, value, high, *, most, calm=20):
    """A row of the table with this ratio; without one where too few rounds were calm.

    Then its fastest round cost ``low`` times those of the floor.
    """
    ratio = Ratio(value=value, low=low, high=high, rounds=calm, of=24) if calm >= 12 else None
    latency = Latency(p50_us=1, p95_us=1, p99_us=1, p999_us=1, max_us=1, calls=100)
    return Speed(
        operation="append", clients="one client", latency=latency, per_second=1.0,
        floor="raw SQLite", floor_us=1.0, ratio=ratio, most=most,
        samples={"store": (low * 1_000, high * 9_000), "floor": (1_000, 1_000)},
    )  # fmt: skip


def judged(timed_trial, monkeypatch, *rows):
    """Judge these measurements of the same row, one after the other; answers the trial."""
    coming = iter(rows)

    def one_more(*_arguments, times=1):
        return speed.Table(speeds=(next(coming),), missed={}, failures={})

    monkeypatch.setattr(speed, "_measured", one_more)
    claims = replace(MemoryStore.claims, costs={"append": rows[0].most})
    trial = timed_trial(claims=claims)
    speed.single_client(trial)
    assert next(coming, None) is None
    return trial


def test_an_interval_below_the_claim_holds(timed_trial, monkeypatch):
    """One measurement is enough, and its calm rounds are the evidence."""
    trial = judged(timed_trial, monkeypatch, row(1.9, 2, 2.1, most=4))
    assert trial.examined["rounds"] == 20
    assert trial.notes == []


def test_an_interval_around_the_claim_holds_with_a_note(timed_trial, monkeypatch):
    """What may be as claimed is not broken."""
    trial = judged(timed_trial, monkeypatch, row(3.8, 4.1, 4.4, most=4))
    assert "about the 4 of its claim" in trial.notes[0]


def test_above_the_claim_once_is_not_broken(timed_trial, monkeypatch):
    """A second measurement that lets the claim hold decides."""
    rows = row(4.5, 5, 5.5, most=4), row(1.9, 2, 2.1, most=4)
    assert judged(timed_trial, monkeypatch, *rows).examined["rounds"] == 40


def test_above_the_claim_twice_is_broken(timed_trial, monkeypatch):
    """The finding has both measurements, what was claimed, and a script."""
    with pytest.raises(Broken) as caught:
        judged(timed_trial, monkeypatch, row(6.5, 7, 7.5, most=4), row(6.6, 7.1, 7.6, most=4))
    finding = caught.value.finding
    assert finding.anomaly is Anomaly.SLOW
    assert "at most 4 times" in finding.expected
    assert "7 × [6.5, 7.5] in 20 calm rounds of 24" in finding.seen
    assert "again, 7.1" in finding.seen
    assert "assert ratio <= 4, ratio" in finding.script


def test_a_break_near_the_claim_has_no_script(timed_trial, monkeypatch):
    """A script without intervals could not show it every time."""
    with pytest.raises(Broken) as caught:
        judged(timed_trial, monkeypatch, row(4.1, 4.2, 4.3, most=4), row(4.1, 4.2, 4.3, most=4))
    assert not caught.value.finding.script
    assert "too near" in caught.value.finding.reproducer.said


def test_a_busy_machine_is_not_a_verdict(timed_trial, monkeypatch):
    """Without calm rounds it is measured again; what may be as claimed stays open."""
    busy = row(3, 3, 3, most=4, calm=3)
    with pytest.raises(CouldNotTell, match="append"):
        judged(timed_trial, monkeypatch, *[busy] * 4)
    judged(timed_trial, monkeypatch, busy, row(1.9, 2, 2.1, most=4))


def test_what_is_dear_in_its_fastest_round_is_found_on_a_busy_machine(timed_trial, monkeypatch):
    """No round can be faster than the store, so its fastest one is evidence, twice."""
    busy = row(40, 60, 99, most=4, calm=3)
    with pytest.raises(Broken) as caught:
        judged(timed_trial, monkeypatch, busy, busy)
    assert "at least 40 ×" in caught.value.finding.seen


@pytest.mark.parametrize("operation", COSTS)
@pytest.mark.parametrize("most", [1e9, 1e-9])
def test_the_script_of_a_cost_runs(tmp_path, operation, most):
    """Each script passes where the claim is high, and fails where none could hold."""
    lines = script_of_cost(
        operation, most, MADE, synchronous="NORMAL", named_by_store=False, together=True,
        updates="set_state",
    )  # fmt: skip
    source = "\n".join(["store = open_store(location)", *lines])
    managing = next("manager" in row.needs for row in ROWS if row.operation == operation)
    names = {
        "location": Location(tmp_path), "Location": Location,
        "open_store": ManagesSessions if managing else ReferenceStore,
        "Path": Path, "Message": Message, "random": random, "sqlite3": sqlite3,
        "statistics": statistics, "hashlib": hashlib, "tempfile": tempfile, "time": time,
    }  # fmt: skip
    try:
        if most > 1:
            exec(source, names)
        else:
            with pytest.raises(AssertionError):
                exec(source, names)
    finally:
        names["store"].close()


def test_not_every_update_has_a_script():
    """An operation for which there are no lines says so."""
    with pytest.raises(Unwritable):
        script_of_cost(
            "update", 4, MADE, synchronous="FULL", named_by_store=False, together=True,
            updates="edit_message",
        )  # fmt: skip


def test_a_cost_far_above_its_claim_is_found(timed_trial):
    """A ratio of hundreds shows in any round, on any machine."""
    trial = timed_trial(mutants.WaitsBeforeItLooks, claims=mutants.WaitsBeforeItLooks.claims)
    with pytest.raises(Broken) as caught:
        speed.single_client(trial)
    assert caught.value.finding.anomaly is Anomaly.SLOW


def test_nothing_is_claimed_by_default():
    """Silence about costs promises nothing."""
    assert Claims().costs == {}
