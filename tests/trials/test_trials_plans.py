"""Plans: what is broken, what is spared, and what cannot be told."""

import asyncio
import sqlite3
from contextlib import contextmanager

import pytest

from fixtures.benign import plans as benign
from fixtures.benign.private import KeepsItsLock
from fixtures.benign.sqlite import ConnectsForEachCall
from fixtures.mutants import plans as mutants
from sessionproof import Location, Message
from sessionproof.contract.anomalies import Anomaly
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import plans
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.profiles import PROFILES

SMOKE = PROFILES["smoke"]


def finding_of(test, trial):
    """The finding of a test that must be broken."""
    with pytest.raises(Broken) as caught:
        test(trial)
    return caught.value.finding


def runs(script, store, location):
    """Whether the lines of a finding run through against a store of this class."""
    location.mkdir()
    names = {"open_store": store, "location": Location(location), "Message": Message}
    connect = sqlite3.connect
    try:
        exec("import sqlite3, sys\n" + "\n".join(script), names)
    except AssertionError:
        return False
    finally:
        sqlite3.connect = sqlite3.dbapi2.connect = connect
        names["store"].close()
    return True


class CountsAll(benign.Unsynced):
    """A single instruction, which visits every page of the table."""

    def _next(self, db, key):
        (everything,) = db.execute("SELECT count(*) FROM messages").fetchone()
        return super()._next(db, key) if everything else 1


class LooksForTheHighest(benign.Unsynced):
    """max() of an index is a plan without a constraint, and a single step."""

    def _next(self, db, key):
        db.execute("SELECT max(id) FROM messages").fetchone()
        return super()._next(db, key)


class HasItsOwnTrace(benign.Unsynced):
    """As one that logs what it runs."""

    def _connect(self):
        db = super()._connect()
        db.set_trace_callback(lambda text: None)
        return db


class HasItsOwnProgress(mutants.ForgetsTheIndex):
    """As one that can be interrupted."""

    def _connect(self):
        db = super()._connect()
        db.set_progress_handler(lambda: None, 1_000)
        return db


class HasItsOwnFunction(benign.Unsynced):
    """A function of Python's in one of its queries, and the table of another in its way."""

    def _connect(self):
        db = super()._connect()
        db.create_function("twice", 1, lambda value: value * 2)
        return db

    def count(self, session_id):
        """Half of twice as many."""
        sql = "SELECT twice(count(*)) / 2 FROM messages WHERE session = ?"
        return self._rows(sql, session_id.encode())[0][0]


class InMemory(benign.Unsynced):
    """Gone with its handle."""

    def __init__(self, location):
        self.path = ":memory:"
        self.db = self._connect()


class Threaded:
    """Awaited, and each call in a thread of the loop's."""

    claims = benign.Unsynced.claims
    kind = mutants.SortsForTheNewest

    def __init__(self, location):
        self.store = type("PerCall", (_PerCall, self.kind), {})(location)

    async def append(self, session_id, messages):
        """Append in a thread."""
        return await asyncio.to_thread(self.store.append, session_id, messages)

    async def read(self, session_id):
        """Read in a thread."""
        return await asyncio.to_thread(self.store.read, session_id)

    async def read_last(self, session_id, n):
        """Read in a thread."""
        return await asyncio.to_thread(self.store.read_last, session_id, n)

    async def close(self):
        """Nothing is open between calls."""


class _PerCall:
    def __init__(self, location):
        self.path = location.path("chat.db")

    @contextmanager
    def _connection(self):
        db = self._connect()
        try:
            yield db
        finally:
            db.close()


@pytest.mark.parametrize(
    "store",
    [
        ReferenceStore,
        benign.Unsynced,
        KeepsItsLock,
        LooksForTheHighest,
        benign.LooksIntoASmallTable,
        benign.ReadsInChunks,
        benign.SortsWhatItAnswers,
        benign.CoveredInPart,
        benign.FileForEachSession,
    ],
)
def test_stores_whose_plans_only_look_dear_are_spared(trial_of, store):
    """A small table, an end that comes early, a file for each session, a lock that is kept."""
    for row, test in (("PERF-02", plans.hot_paths), ("PERF-04", plans.constant_statements)):
        trial = trial_of(row, store, profile=SMOKE)
        test(trial)
        assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        (mutants.ForgetsTheIndex, "no index on messages(session)"),
        (mutants.SortsForTheNewest, "no index gives the order of id DESC"),
        (mutants.FindsByLike, "the index on messages(session) is not used"),
        (mutants.PagesThroughAll, "(rowid>?)"),
        (mutants.TriggerReadsAll, "in the trigger adding"),
    ],
)
def test_the_script_of_a_plan_tells_broken_from_right(trial_of, tmp_path, broken, seen):
    """The finding says what is missing; its lines fail against the broken store alone."""
    finding = finding_of(plans.hot_paths, trial_of("PERF-02", broken, profile=SMOKE))
    assert finding.anomaly is Anomaly.SCAN
    assert seen in finding.seen
    assert not runs(finding.script, broken, tmp_path / "broken")
    assert runs(finding.script, benign.Unsynced, tmp_path / "right")


@pytest.mark.parametrize(
    "broken", [mutants.ListsOneByOne, mutants.ReadsOneByOne, mutants.PagesOneByOne]
)
def test_the_script_of_statements_tells_broken_from_right(trial_of, tmp_path, broken):
    """The lines count the statements of few rows and of many."""
    trial = trial_of("PERF-04", broken, profile=SMOKE)
    finding = finding_of(plans.constant_statements, trial)
    assert finding.anomaly is Anomaly.STATEMENTS
    assert not runs(finding.script, broken, tmp_path / "broken")
    assert runs(finding.script, benign.Unsynced, tmp_path / "right")


def test_a_count_of_all_rows_is_found_though_it_is_a_single_step(trial_of):
    """No script shows it, as none of its steps grow."""
    finding = finding_of(plans.hot_paths, trial_of("PERF-02", CountsAll, profile=SMOKE))
    assert "all rows counted" in finding.seen
    assert finding.script == ()


def test_an_awaited_store_whose_calls_run_in_threads_is_seen(trial_of):
    """Connections of other threads are judged like any."""
    finding = finding_of(plans.hot_paths, trial_of("PERF-02", Threaded, profile=SMOKE))
    assert "USE TEMP B-TREE FOR ORDER BY" in finding.seen


def test_a_store_without_sqlite_claims_nothing(trial_of):
    """There is nothing to ask, and the reason says so."""
    for row, test in (("PERF-02", plans.hot_paths), ("PERF-04", plans.constant_statements)):
        with pytest.raises(NotClaimed, match="no connection of Python's sqlite3"):
            test(trial_of(row, MemoryStore))


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (HasItsOwnTrace, "trace callback of their own"),
        (HasItsOwnProgress, "progress handler of its own"),
        (InMemory, "in memory"),
    ],
)
def test_what_cannot_be_seen_is_not_said_to_hold(trial_of, store, reason):
    """Callbacks of the store's own, and a database that nobody else can open."""
    with pytest.raises(CouldNotTell, match=reason):
        plans.hot_paths(trial_of("PERF-02", store, profile=SMOKE))


def test_a_query_that_cannot_be_asked_for_its_plan_is_noted(trial_of):
    """A function of the store's own is unknown to our connection; the rest is judged."""
    trial = trial_of("PERF-02", HasItsOwnFunction, profile=SMOKE)
    plans.hot_paths(trial)
    (note,) = trial.notes
    assert "no such function: twice" in note
    assert trial.examined["statements"] >= 3


def test_connections_that_a_call_opens_are_noted(trial_of):
    """A note with their number, and no break."""
    trial = trial_of("PERF-04", ConnectsForEachCall, profile=SMOKE)
    plans.constant_statements(trial)
    assert "a read opened 1 connection" in trial.notes
