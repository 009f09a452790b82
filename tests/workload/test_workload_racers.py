"""Clients of every kind that call any method at once."""

import asyncio
import time

import pytest

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Conflict, Expired
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.racers import Ask, racers
from sessionproof.workload.threads import Stopped

SAID = Message("user", "hello")


class Told:
    """Says what its clock shows, and what it is asked."""

    claims = Claims(handles="threads", shared_handle=True)

    def __init__(self, location, *, clock=None):
        self.clock = clock or SystemClock()
        self.conflicts = 0

    def append(self, session_id, messages):
        """Refused, taken, or taken when it is asked for the third time."""
        if session_id == "refused":
            raise Expired("it has ended")
        if session_id == "busy":
            self.conflicts += 1
            if self.conflicts < 3:
                raise Conflict("again")

    def read(self, session_id):
        """Hangs for one session."""
        while session_id == "hangs":
            time.sleep(0.01)
        return []

    def close(self):
        """Nothing is open."""

    def sweep(self):
        """The clock, as if it were a session; and once no answer that is allowed."""
        return Swept(expired=(str(self.clock.now_us()),))

    def search(self, query, *, limit=100):
        """No list of hits."""
        return query


class Awaited(Told):
    """The same behind ``async def``."""

    claims = Claims(handles="tasks")

    async def append(self, session_id, messages):
        """As above."""
        await asyncio.sleep(0)
        return Told.append(self, session_id, messages)

    async def sweep(self):
        """As above."""
        return Told.sweep(self)

    async def close(self):
        """Nothing is open."""


class Slow(Told):
    """Each call is within its deadline."""

    def sweep(self):
        """A third of it."""
        time.sleep(0.1)
        return super().sweep()


@pytest.fixture
def under_test(tmp_path):
    """Makes stores under test, which are closed afterwards."""
    stores = []

    def make(name, operation_s=20.0):
        spec = find_store(f"{__name__}:{name}")
        deadlines = Deadlines(operation_s=operation_s)
        stores.append(StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=deadlines))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


KINDS = [("Told", "threads"), ("Told", "shared"), ("Told", "processes"), ("Awaited", "tasks")]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_each_clock_is_its_own(under_test, name, kind):
    """Every client has its time; those that share a handle have that of the first of them."""
    with racers(kind, under_test(name), 3) as three:
        assert three.set_clocks([1, 1, 3] if kind == "shared" else [1, 2, 3]).type == "ok"
        done = three.race([[Ask("sweep")]] * 3)
        told = [client[0].outcome.value.expired for client in done]
    assert told == [("1",), ("1",) if kind == "shared" else ("2",), ("3",)]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_outcomes_are_told_apart(under_test, name, kind):
    """Refusals are definite, conflicts are tried again, answers that are not allowed are told."""
    asks = [Ask("append", (session, [SAID])) for session in ("s", "refused", "busy")]
    asks.append(Ask("search", ("word",), {"limit": 3}))
    with racers(kind, under_test(name), 2) as two:
        (done, _) = two.race([asks, [Ask("sweep", after=2)]])
    assert [one.outcome.type for one in done] == ["ok", "fail", "ok", "info"]
    assert all(one.began_ns <= one.ended_ns for one in done)
    assert done[3].outcome.failure.type == "malformed-answer"


def test_calls_wait_for_others_and_for_a_time(under_test):
    """A call that is to come after others begins when so many have begun, or at its time."""
    with racers("threads", under_test("Told"), 2) as two:
        late = time.monotonic_ns() + 20_000_000
        first = [Ask("append", ("s", [SAID]), not_before_ns=late)]
        (one,), (other,) = two.race([first, [Ask("sweep", after=1)]])
    assert late <= one.began_ns <= other.began_ns
    assert one.overlaps(one)


def test_slow_calls_are_fewer(under_test):
    """Calls that end in time never look like a hang, however many of them were to be made."""
    with racers("threads", under_test("Slow", operation_s=0.3), 2) as two:
        done, others = two.race([[Ask("sweep")] * 40, [Ask("sweep")]])
    assert 1 <= len(done) < 40
    assert len(others) == 1


def test_a_hang_ends_the_race(under_test):
    """A call that does not end is told with its stack, and the others are not waited for."""
    store = under_test("Told", operation_s=0.3)
    with racers("threads", store, 2) as two, pytest.raises(Stopped) as stopped:
        two.race([[Ask("read", ("hangs",))], [Ask("sweep")]])
    assert stopped.value.outcome.failure.type == "hang"
