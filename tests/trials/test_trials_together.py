"""Many clients at once: racy stores are caught with a window, right ones hold."""

import asyncio
import itertools
import threading
import time
from dataclasses import replace
from typing import ClassVar

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Page, Receipt, SessionInfo
from sessionproof.history import files
from sessionproof.trials import together
from sessionproof.trials.rows_together import ROWS
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines, Profile

QUICK = Profile(name="quick", share_s=0.1, shrink_s=0.6, patience_s=8.0)
CLAIMS = Claims(
    handles="threads", shared_handle=True, consistency="linearizable", seq_start=1,
    atomic_batches=True, keeps={"role", "content", "tokens"},
)  # fmt: skip


class Locked:
    """Sessions in memory, shared by all handles of a location, under one lock."""

    claims = CLAIMS
    places: ClassVar = {}

    def __init__(self, location):
        self.sessions, self.lock = self.places.setdefault(
            str(location.root), ({}, threading.RLock())
        )

    def append(self, session_id, messages):
        with self.lock:
            return self.add(session_id, messages)

    def add(self, session_id, messages):
        here = self.sessions.setdefault(session_id, [])
        here.extend(messages)
        return Receipt(seqs=[len(here) - len(messages) + k + 1 for k in range(len(messages))])

    def read(self, session_id):
        with self.lock:
            return [*self.sessions.get(session_id, [])]

    def get(self, session_id):
        here = self.read(session_id)
        return SessionInfo(
            session_id=session_id, message_count=len(here),
            total_tokens=sum(one.tokens or 0 for one in here),
        )  # fmt: skip

    def page(self, session_id, *, cursor=None, limit=50):
        here, start = self.read(session_id), int(cursor or 0)
        end = start + limit
        return Page(here[start:end], end if end < len(here) else None)

    def delete(self, session_id):
        with self.lock:
            self.sessions.pop(session_id, None)

    def clear(self, session_id):
        with self.lock:
            self.sessions[session_id] = []

    def close(self):
        pass


class Rewrites(Locked):
    """Each append makes the list anew, and others have their turn in between."""

    def append(self, session_id, messages):
        old = self.sessions.get(session_id, [])
        time.sleep(0)
        self.sessions[session_id] = [*old, *messages]
        return Receipt(seqs=[len(old) + k + 1 for k in range(len(messages))])


class Counts(Locked):
    """A counter of its own, that is read, and written later."""

    def __init__(self, location):
        super().__init__(location)
        self.counts = self.places.setdefault(f"{location.root} counts", {})

    def append(self, session_id, messages):
        receipt = super().append(session_id, messages)
        count = self.counts.get(session_id, 0)
        time.sleep(0)
        self.counts[session_id] = count + len(messages)
        return receipt

    def get(self, session_id):
        return SessionInfo(session_id=session_id, message_count=self.counts.get(session_id, 0))


class Retried(Locked):
    """A conflict is seen when all is stored, and the client sends it again."""

    def append(self, session_id, messages):
        version = len(self.read(session_id))
        time.sleep(0)
        with self.lock:
            receipt = self.add(session_id, messages)
        if receipt.seqs[0] != version + 1:
            raise Conflict("somebody was faster")
        return receipt


class ServesFew(Locked):
    """Three of four calls fail, and nobody knows how."""

    calls = itertools.count()

    def add(self, session_id, messages):
        if next(self.calls) % 4:
            raise RuntimeError("the lock is of another loop")
        return super().add(session_id, messages)

    def read(self, session_id):
        if next(self.calls) % 4:
            raise RuntimeError("the lock is of another loop")
        return super().read(session_id)


class Waits(Locked):
    """An append waits for another that has ended."""

    claims = replace(CLAIMS, shared_handle=False)

    def append(self, session_id, messages):
        threading.Event().wait(20)


class Refuses(Locked):
    def append(self, session_id, messages):
        raise Refused("not today")


class AnswersNothing(Locked):
    def read(self, session_id):
        return None


class Awaits(Locked):
    """An async append that awaits between reading the session and setting it."""

    claims = replace(CLAIMS, handles="tasks")
    get = page = delete = clear = None

    async def append(self, session_id, messages):
        old = self.sessions.get(session_id, [])
        await asyncio.sleep(0)
        self.sessions[session_id] = [*old, *messages]

    async def read(self, session_id):
        return self.sessions.get(session_id, [])

    async def close(self):
        pass


def broken(trial, test=together.within):
    """The finding of a test that must break."""
    with pytest.raises(Broken) as raised:
        test(trial)
    return raised.value.finding


def test_a_lost_update_is_found_and_made_small(trial_of, tmp_path):
    """The finding has a window, a small program, a script, and the whole history beside it."""
    patient = replace(QUICK, shrink_s=20.0)  # it ends as soon as nothing smaller fails
    finding = broken(trial_of("CONC-01", Rewrites, profile=patient))
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert "at once" not in finding.seen
    assert "acknowledged" in finding.seen
    failed, _, tried = finding.repeats.partition(" of ")
    assert 0 <= int(failed) <= int(tried)
    assert any(one.guilty for one in finding.window.intervals)
    assert finding.window.history == "history/CONC-01-1.npz"
    history = files.read(tmp_path / "histories" / "CONC-01-1.npz")
    assert len(history) >= len(finding.window.intervals)
    assert finding.program[0].startswith("c1: store.append('s0', ['c1·1'])")
    assert len(finding.program) < 60
    assert "def wrong(done, last):" in finding.script


CAUGHT = [
    ("SEQ-02", Rewrites, Anomaly.DUPLICATE_SEQUENCE),
    ("CONC-02", Retried, Anomaly.DUPLICATE),
    ("CONC-05", Rewrites, None),
    ("CNT-06", Counts, None),
    ("CONC-01", Awaits, Anomaly.LOST_MESSAGE),
]


@pytest.mark.parametrize(("row", "store", "anomaly"), CAUGHT)
def test_racy_stores_are_caught(trial_of, row, store, anomaly):
    """Each by the row that is about it."""
    finding = broken(trial_of(row, store, profile=QUICK))
    assert anomaly in (None, finding.anomaly)
    assert finding.window is not None


@pytest.mark.parametrize("row", [row for row in ROWS if row != "CORE-04"])
def test_a_right_store_holds(trial_of, row):
    """Under a lock nothing is broken, whatever the row looks at, and enough is examined."""
    trial = trial_of(row, Locked, profile=QUICK)
    together.within(trial)
    assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least
    assert trial.examined["rounds"] >= 2


def test_a_right_store_pages_right(trial_of):
    """Pages by place skip nothing and repeat nothing while others append."""
    trial = trial_of("CORE-04", Locked, profile=QUICK)
    together.paging(trial)
    assert trial.examined["reads"] >= trial.guarantee.least


def test_both_kinds_of_threads_are_measured(trial_of):
    """What clients did over time is kept in few buckets, for each kind of them."""
    trial = trial_of("CONC-01", Locked, profile=QUICK)
    together.within(trial)
    assert [one.clients for one in trial.measured] == ["8 threads", "8 threads on one handle"]
    for traffic in trial.measured:
        assert 0 < len(traffic.done) <= 60
        assert sum(traffic.done) == traffic.operations
        assert 0 < traffic.overlapping <= traffic.operations


def test_a_hang_is_a_finding_of_any_row(trial_of):
    """It ends at the deadline of an operation, with a stack, and with a script that waits less."""
    finding = broken(trial_of("SEQ-04", Waits, profile=QUICK, operation_s=1.0))
    assert finding.anomaly is Anomaly.HANG
    assert any("wait" in text for text in finding.evidence.values())
    assert any("faulthandler" in line for line in finding.script)


def test_who_refuses_everything_was_not_examined(trial_of):
    """Rounds without an acknowledged append are no evidence; the reason has their numbers."""
    profile = replace(QUICK, patience_s=0.5)
    trial = trial_of("CONC-01", Refuses, profile=profile, operation_s=1.0)
    with pytest.raises(CouldNotTell, match=r"100 are needed.*not today"):
        together.within(trial)


@pytest.mark.parametrize("row", ["CNT-05", "CNT-06"])
def test_counts_that_nobody_answers_are_not_claimed(trial_of, row):
    """Clients are not sent to look for what one look does not show."""

    class HasNoCounts(Locked):
        def get(self, session_id):
            found = super().get(session_id)
            return found and replace(found, message_count=None)

    with pytest.raises(NotClaimed, match="answers no message_count"):
        together.within(trial_of(row, HasNoCounts))


def test_who_serves_few_is_not_told_to_hold(trial_of):
    """Where most operations of a kind of clients fail, those that were served are no evidence."""
    with pytest.raises(CouldNotTell, match=r"operations of 8 threads.* failed: RuntimeError"):
        together.within(trial_of("CONC-01", ServesFew))
    with pytest.raises(CouldNotTell, match="failed: RuntimeError"):
        together.one_round(trial_of("CONC-10", ServesFew), "threads")


def test_malformed_answers_are_a_finding(trial_of):
    """Many answers that the contract does not allow are no matter of luck."""
    finding = broken(trial_of("CONC-01", AnswersNothing, profile=QUICK))
    assert finding.anomaly is Anomaly.MALFORMED
    assert "a NoneType" in finding.seen


def test_one_round_holds_of_a_right_store(trial_of):
    """A single round is judged by what holds at every level."""
    together.one_round(trial_of("CONC-10", Locked, profile=QUICK), "shared")


def test_one_round_wants_an_append(trial_of):
    """Handles that work as claimed take an append."""
    finding = broken(
        trial_of("CONC-10", Refuses, profile=QUICK), lambda it: together.one_round(it, "threads")
    )
    assert finding.anomaly is Anomaly.UNEXPECTED_REFUSAL
    assert "not today" in finding.seen


@pytest.mark.parametrize("test", [together.across, together.paging])
def test_one_handle_claims_nothing(trial_of, test):
    """A store for one client at a time is not tried by several."""
    with pytest.raises(NotClaimed):
        test(trial_of("CORE-04", claims=replace(CLAIMS, handles="one")))


def test_the_reference_holds_across_processes(trial_of, tmp_path):
    """Processes with a handle each, on one file."""
    trial = trial_of("CONC-05", Locked, profile=QUICK)
    spec = find_store("reference")
    deadlines = Deadlines(operation_s=20.0, open_s=30.0)
    trial.store = StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=deadlines)
    trial.capabilities = trial.store.handle().capabilities
    try:
        together.across(trial)
    finally:
        trial.store.close()
    assert trial.examined["operations"] >= 100
    assert trial.measured[0].clients == "4 processes"


def test_labels_in_programs_are_those_of_the_window(trial_of):
    """The lines of the program and the window call a message by the same name."""
    finding = broken(trial_of("CONC-01", Rewrites, profile=QUICK))
    called = {one.call for one in finding.window.intervals}
    assert {f"append({one.client}·1)" for one in finding.window.intervals} & called
