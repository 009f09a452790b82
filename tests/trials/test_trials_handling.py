"""Forks: what is refused clearly is right; what hangs, is lost or is doubled is not."""

import os
import threading
from dataclasses import replace
from queue import SimpleQueue

import pytest

from fixtures.benign.sqlite import SqliteStore
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Conflict
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.trials.handling import fork_works
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES, Deadlines

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


class Asks(SqliteStore):
    """A thread of its own writes; after a fork it is not there, and nobody answers."""

    claims = replace(SqliteStore.claims, shared_handle=True)

    def __init__(self, location):
        self.wanted, self.answers = SimpleQueue(), SimpleQueue()
        self.location = location
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        """Carry out calls until told to end."""
        SqliteStore.__init__(self, self.location)
        while (call := self.wanted.get()) is not None:
            self.answers.put(call())
        SqliteStore.close(self)
        self.answers.put(None)

    def ask(self, call):
        """The answer of the thread."""
        self.wanted.put(call)
        return self.answers.get()

    def append(self, session_id, messages):
        """By the thread."""
        return self.ask(lambda: SqliteStore.append(self, session_id, messages))

    def read(self, session_id):
        """By the thread."""
        return self.ask(lambda: SqliteStore.read(self, session_id))

    def close(self):
        """By the thread."""
        self.ask(None)


class Ends(SqliteStore):
    """Ends a forked child."""

    def __init__(self, location):
        super().__init__(location)
        self.owner = os.getpid()

    def append(self, session_id, messages):
        """In the process that opened it."""
        if os.getpid() != self.owner:
            os._exit(3)
        return super().append(session_id, messages)


class EndsWhenShared(Ends):
    """The same, and says that it may be shared."""

    claims = replace(SqliteStore.claims, shared_handle=True)


class Hesitates(SqliteStore):
    """Two of three appends meet a Conflict, as if somebody else had been faster."""

    def __init__(self, location):
        super().__init__(location)
        self.asked = 0

    def append(self, session_id, messages):
        """At the third time."""
        self.asked += 1
        if self.asked % 3:
            raise Conflict("somebody else wrote: nothing was stored, try again")
        return super().append(session_id, messages)


class ForgetsThatItForked(Ends):
    """Whoever was there before a fork meets a Conflict for ever."""

    def __init__(self, location):
        super().__init__(location)
        self.forked = False
        os.register_at_fork(after_in_parent=self.notice)

    def notice(self):
        """That there was a fork."""
        self.forked = True

    def append(self, session_id, messages):
        """As long as nobody forked."""
        if self.forked:
            raise Conflict("the session is an older one: read it again")
        return super().append(session_id, messages)


@pytest.fixture
def tried(tmp_path):
    """Fork with a store of this name; the trial afterwards."""

    def run(name, *, inherits, operation_s=20):
        spec = find_store(name)
        store = StoreUnderTest(
            spec, spec.claims, parent=tmp_path, deadlines=Deadlines(operation_s=operation_s)
        )
        trial = Trial(
            guarantee=GUARANTEES["CONC-10"],
            store=store,
            capabilities=store.handle().capabilities,
            profile=PROFILES["smoke"],
            seed=0,
        )
        try:
            fork_works(trial, inherits=inherits)
        finally:
            store.close()
        return trial

    return run


@pytest.mark.parametrize("inherits", [False, True])
@pytest.mark.parametrize("store", ["reference", "sessionproof.reference.aio:AsyncReferenceStore"])
def test_a_clear_refusal_is_right(tried, store, inherits):
    """The reference refuses what a fork inherits, and serves what a child opens."""
    assert tried(store, inherits=inherits).examined["ways"] == 1


@pytest.mark.parametrize(
    ("store", "anomaly"),
    [(Asks, Anomaly.HANG), (EndsWhenShared, Anomaly.CRASH)],
)
def test_a_child_that_hangs_or_ends_is_a_finding(tried, store, anomaly):
    """A thread that a fork did not copy, and a process that ends, are told as what they are."""
    with pytest.raises(Broken) as broken:
        tried(f"{__name__}:{store.__name__}", inherits=True, operation_s=3)
    assert broken.value.finding.anomaly == anomaly
    assert ("stderr" in broken.value.finding.evidence) == (anomaly == Anomaly.HANG)


def test_an_own_handle_in_a_child_must_work(tried):
    """A child that cannot open the location is not served, whatever it is told."""
    with pytest.raises(Broken) as broken:
        tried("fixtures.mutants.handling:OpensInOneProcess", inherits=False)
    assert "open in another process" in broken.value.finding.seen


def test_whoever_meets_a_conflict_tries_again(tried):
    """A Conflict asks for another attempt: it is a finding where it never ends, and else none."""
    assert tried(f"{__name__}:Hesitates", inherits=False).examined["ways"] == 1
    with pytest.raises(Broken) as broken:
        tried(f"{__name__}:ForgetsThatItForked", inherits=False)
    assert broken.value.finding.anomaly == Anomaly.UNEXPECTED_REFUSAL
    assert "Conflict: the session is an older one" in broken.value.finding.seen
