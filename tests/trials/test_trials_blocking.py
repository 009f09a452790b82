"""Readers beside writers: an outsider with the write lock, and appends that take long."""

import threading
from collections import deque
from dataclasses import replace

import pytest

from fixtures.benign.sqlite import SqliteStore
from fixtures.benign.together import LinesUnderLock, WriteAhead
from fixtures.mutants.pressure import OneLockForAHandle, ReadsUnderTheWriteLock, WritesExclusively
from sessionproof.contract.anomalies import Anomaly
from sessionproof.reference import ReferenceStore
from sessionproof.trials import blocking
from sessionproof.trials.long_appends import Turn
from sessionproof.trials.readers import Call
from sessionproof.trials.single import Broken, CouldNotTell
from sessionproof.workload.profiles import Profile

SHORT = Profile(name="short", share_s=0.02, shrink_s=0.5, patience_s=2.0)
THREADS = replace(WriteAhead.claims, handles="threads")
MS = 1_000_000


def reads(*spans):
    """Calls from pairs of milliseconds."""
    return tuple(Call(first * MS, last * MS) for first, last in spans)


ELSEWHERE = reads(*[(at, at + 1) for at in range(0, 100, 5)])


def test_a_turn_is_blocked_where_each_reader_waits_and_others_do_not():
    """One read that lasts for most of the append, for each reader."""
    append = Call(0, 100 * MS)
    assert Turn(append, (reads((2, 101)), reads((0, 1), (3, 99))), ELSEWHERE).blocked is True


def test_a_turn_is_free_where_one_reader_goes_on():
    """It is enough that no single read lasts for half of the append."""
    append = Call(0, 100 * MS)
    turn = Turn(append, (reads((2, 101)), reads((0, 20), (21, 40), (60, 90))), ELSEWHERE)
    assert turn.blocked is False
    assert turn.passed == 3


def test_a_turn_says_nothing_where_nobody_goes_on():
    """Reads elsewhere stood still as well: the machine, or the interpreter."""
    assert Turn(Call(0, 100 * MS), (reads((2, 101)),), reads((0, 99))).blocked is None


@pytest.mark.parametrize(
    ("store", "claims"),
    [
        (WriteAhead, THREADS),
        (SqliteStore, replace(THREADS, durability="power", consistency="none")),
        (
            LinesUnderLock,
            replace(LinesUnderLock.claims, handles="threads", concurrent_readers=True),
        ),
        (ReferenceStore, replace(ReferenceStore.claims, handles="threads")),
    ],
)
def test_readers_of_correct_stores_go_on(trial_of, store, claims):
    """With a log, with a rollback journal, without SQLite, on handles of their own and on one."""
    trial = trial_of("CONC-12", store, claims=claims)
    blocking.readers_go_on(trial)
    assert trial.examined["reads"] >= trial.guarantee.least


@pytest.mark.parametrize("store", [ReadsUnderTheWriteLock, OneLockForAHandle, WritesExclusively])
def test_readers_that_wait_are_told(trial_of, store):
    """For the lock of another process, for a lock of the handle, for a transaction."""
    claims = replace(store.claims, handles="threads")
    with pytest.raises(Broken) as caught:  # noqa: PT012
        for _ in range(3):  # a busy machine may hide it once, and a wait is not to be a hang
            trial = trial_of("CONC-12", store, claims=claims, operation_s=10.0)
            blocking.readers_go_on(trial)
    finding = caught.value.finding
    assert finding.anomaly is Anomaly.BLOCKED_READER
    assert finding.script


def test_a_read_that_fails_beside_a_writer_is_told(trial_of):
    """Whoever does not wait for the lock fails at once."""

    class FailsAtOnce(ReadsUnderTheWriteLock):
        def _connect(self):
            db = super()._connect()
            db.execute("PRAGMA busy_timeout = 0")
            return db

    with pytest.raises(Broken) as caught:
        blocking.readers_go_on(trial_of("CONC-12", FailsAtOnce, claims=THREADS))
    assert "locked" in caught.value.finding.seen


class Fair:
    """A lock that is given in the order in which it was asked for.

    A plain one may go round between few threads for as long as another waits.
    """

    def __init__(self):
        self.door, self.waiting, self.held = threading.Lock(), deque(), False

    def __enter__(self):
        with self.door:
            if not self.held:
                self.held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self.waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_):
        with self.door:
            if self.waiting:
                self.waiting.popleft().release()
            else:
                self.held = False


def test_one_lock_for_all_locations_is_no_proof(trial_of):
    """Reads elsewhere wait too, so it may be the machine: that is doubt, never a break."""
    lock = Fair()

    class OneLockForAll(LinesUnderLock):
        def append(self, session_id, messages):
            with lock:
                return super().append(session_id, messages)

        def read(self, session_id):
            with lock:
                return super().read(session_id)

    claims = replace(LinesUnderLock.claims, handles="threads", concurrent_readers=True)
    with pytest.raises(CouldNotTell, match="elsewhere"):  # noqa: PT012
        for _ in range(3):  # a busy machine may let enough reads end beside an append that waits
            one = trial_of("CONC-12", OneLockForAll, claims=claims, profile=SHORT)
            blocking.readers_go_on(one)
