"""Programs are carried out as they stand, and what happened is recorded, whatever happened."""

import threading
from dataclasses import replace

import pytest

from sessionproof.checks.transcript import judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Conflict
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    List,
    Read,
    Reopen,
)
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.execute import StoreUnderTest, execute
from sessionproof.workload.profiles import Deadlines

A, B = Message("user", "a"), Message("user", "b")
ADD = Append("s0", (A,))
released = threading.Event()


@pytest.fixture(autouse=True)
def _stores_are_let_go():
    """A store that hangs on purpose ends with its test."""
    released.clear()
    before = set(threading.enumerate())
    yield
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(2)


@pytest.fixture
def under_test(tmp_path):
    """A memory store with other methods, under test."""
    made = []

    def make(*, claims=MemoryStore.claims, **methods):
        store = type("Odd", (MemoryStore,), methods)
        made.append(
            StoreUnderTest(
                spec_of("odd", store), claims, parent=tmp_path,
                deadlines=Deadlines(operation_s=0.3, open_s=0.3),
            )
        )  # fmt: skip
        return made[-1]

    yield make
    for store in made:
        store.close()


def endings(transcript):
    """Each operation's name and how it ended."""
    return [
        (type(done.operation).__name__, done.outcome.failure.type if done.outcome.failure else "ok")
        for done in transcript
    ]


def test_sessions_are_fresh_in_every_program(under_test):
    """Two programs of one store never meet, and a listing shows a program its own sessions."""
    store = under_test()
    program = (ADD, Append("s1", (B,)), List(), Read("s0"))
    first, second = execute(program, store), execute(program, store)
    for transcript in (first, second):
        assert transcript[2].outcome.value == ("s0", "s1")
        assert len(transcript[3].outcome.value) == 1
    assert first[0].session_id != second[0].session_id


def test_ids_can_be_given(under_test):
    """Sessions bear the ids that were asked for."""
    transcript = execute((ADD, Read("s0")), under_test(), ids={"s0": "../x"})
    assert [done.session_id for done in transcript] == ["../x", "../x"]


def test_the_id_that_came_back_is_used(under_test):
    """Whatever id ``create`` answers is the session's from then on."""

    def create(self, session_id=None, *, messages=()):
        return MemoryStore.create(self, f"tenant/{session_id}", messages=messages)

    transcript = execute((Create("s0"), ADD, Read("s0"), List()), under_test(create=create))
    assert transcript[1].session_id.startswith("tenant/")
    assert len(transcript[2].outcome.value) == 1
    assert transcript[3].outcome.value == ("s0",)


def test_a_store_may_name_its_sessions(under_test):
    """Where the store gives the ids, it is asked for one."""
    asked = []

    def create(self, session_id=None, *, messages=()):
        asked.append(session_id)
        return MemoryStore.create(self, None, messages=messages)

    store = under_test(claims=replace(MemoryStore.claims, session_ids="store"), create=create)
    transcript = execute((Create("s0"), Create("s1"), ADD, Read("s0"), Read("s1")), store)
    assert asked == [None, None]
    assert judge(transcript, store.claims) is None
    assert len({done.session_id for done in transcript}) == 2


def conflicts(times):
    """An append that gives up so many times before it succeeds."""
    left = [times]

    def append(self, session_id, messages):
        left[0] -= 1
        if left[0] >= 0:
            raise Conflict("busy")
        return MemoryStore.append(self, session_id, messages)

    return append


def test_conflicts_are_retried_and_recorded(under_test):
    """Each attempt is in the transcript; retries have an end."""
    transcript = execute((ADD, Read("s0")), under_test(append=conflicts(3)))
    assert endings(transcript) == [("Append", "Conflict")] * 3 + [("Append", "ok"), ("Read", "ok")]
    assert judge(transcript, MemoryStore.claims) is None
    transcript = execute((ADD, Read("s0")), under_test(append=conflicts(10**6)))
    assert endings(transcript) == [("Append", "Conflict")] * 8 + [("Read", "ok")]
    assert judge(transcript, MemoryStore.claims).anomaly is Anomaly.UNEXPECTED_REFUSAL


def test_a_taken_id_is_not_asked_for_again(under_test):
    """A conflict of ``create`` is an answer: the session exists."""
    transcript = execute((Create("s0"), Create("s0")), under_test())
    assert endings(transcript) == [("Create", "ok"), ("Create", "Conflict")]


def test_messages_are_chosen_by_what_was_read(under_test):
    """An index counts modulo the messages that are there; where none is, none is touched."""
    program = (
        DeleteMessage("s0", 3), Append("s0", (A, B)), DeleteMessage("s0", 2),
        EditMessage("s0", 5, Message("user", "x")), Read("s0"),
    )  # fmt: skip
    store = under_test()
    transcript = execute(program, store)
    assert [type(done.operation).__name__ for done in transcript] == [
        "Read", "Append", "Read", "DeleteMessage", "Read", "EditMessage", "Read",
    ]  # fmt: skip
    assert [m.content for m in transcript[-1].outcome.value] == ["x"]
    assert judge(transcript, store.claims) is None


def test_messages_without_ids_cannot_be_chosen(under_test):
    """A store that removes messages by id must show their ids."""

    def read(self, session_id):
        return [replace(message, id=None) for message in MemoryStore.read(self, session_id)]

    transcript = execute((ADD, DeleteMessage("s0", 0), Read("s0")), under_test(read=read))
    fault = judge(transcript, MemoryStore.claims)
    assert (fault.anomaly, fault.index) == (Anomaly.MALFORMED, 2)
    assert "without an id" in fault.seen


def test_reopening_gives_a_new_handle_on_the_same_location(under_test):
    """The location stays, the handle is another."""
    opened = []
    store = under_test(__init__=lambda self, location: opened.append(location) or ready(self))
    transcript = execute((ADD, Reopen(), Read("s0")), store)
    assert endings(transcript) == [("Append", "ok"), ("Reopen", "ok"), ("Read", "ok")]
    assert opened == [store.location] * 2


def ready(store):
    """Make a memory store, as its own constructor does."""
    MemoryStore.__init__(store, None)


def test_a_store_that_does_not_open_again_is_at_fault(under_test):
    """The transcript ends where the location could not be opened, and the oracle says so."""
    locations = []

    def once(self, location):
        if location in locations:
            raise RuntimeError("locked for ever")
        locations.append(location)
        ready(self)

    store = under_test(__init__=once)
    for _ in range(2):  # what one program did to its location does not fall on the next
        transcript = execute((ADD, Reopen(), Read("s0")), store)
        assert endings(transcript) == [("Append", "ok"), ("Reopen", "CannotOpen")]
        fault = judge(transcript, store.claims)
        assert (fault.anomaly, fault.index) == (Anomaly.UNEXPECTED_REFUSAL, 1)
        assert "locked for ever" in fault.seen


def test_a_store_that_never_opens_is_at_fault(under_test):
    """No operation could be tried, and that is a fault."""
    store = under_test(__init__=lambda self, location: 1 / 0)
    transcript = execute((ADD,), store)
    assert endings(transcript) == [("Reopen", "CannotOpen")]
    assert judge(transcript, store.claims) is not None


def test_a_close_that_fails_is_at_fault(under_test):
    """An error of close, when it is part of a program, is recorded as its outcome."""

    def close(self):
        raise RuntimeError("not now")

    store = under_test(close=close)
    transcript = execute((ADD, Reopen(), Read("s0")), store)
    assert endings(transcript) == [("Append", "ok"), ("Reopen", "RuntimeError")]
    assert judge(transcript, store.claims).index == 1


def test_a_close_that_hangs_is_a_hang(under_test):
    """The hang is reported, not what opening the held location would have come to."""
    locations = []

    def once(self, location):
        if location in locations:
            raise RuntimeError("held by another handle")
        locations.append(location)
        ready(self)

    store = under_test(__init__=once, close=lambda self: released.wait(20) and None)
    transcript = execute((ADD, Reopen(), Read("s0")), store)
    assert endings(transcript) == [("Append", "ok"), ("Reopen", "hang")]
    assert endings(execute((ADD,), store)) == [("Append", "ok")]
    assert len(locations) == 2


def test_after_a_hang_the_next_program_starts_afresh(under_test):
    """The program ends with the hang; its handle and its location are given up."""
    hangs = [True]

    def read(self, session_id):
        if hangs[0]:
            released.wait(20)
        return MemoryStore.read(self, session_id)

    store = under_test(read=read)
    before = store.location
    assert endings(execute((ADD, Read("s0"), ADD), store)) == [("Append", "ok"), ("Read", "hang")]
    hangs[0] = False
    assert endings(execute((ADD, Read("s0")), store)) == [("Append", "ok"), ("Read", "ok")]
    assert store.location != before


def test_locations_are_changed_now_and_then(under_test):
    """Listings stay short: no more than 150 programs share a location."""
    opened = []
    store = under_test(__init__=lambda self, location: opened.append(location) or ready(self))
    for _ in range(301):
        execute((Delete("s0"),), store)
    assert len(opened) == len(set(opened)) == 3
