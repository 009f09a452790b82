"""Filling stores: batches as large as they take, one at a time where they must be."""

import asyncio
import itertools
import math
from dataclasses import replace

import pytest

from sessionproof.bench import loading
from sessionproof.bench.loading import Filled, fill, make_sessions, plain
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Conflict, NotFound, TooLarge
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference.aio import AsyncReferenceStore
from sessionproof.workload.guard import Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.sessions import begin
from sessionproof.workload.vocabulary import vocabulary

MESSAGE = Message("user", "x")


def numbered(number):
    """A message that says its number."""
    return Message("user", str(number))


@pytest.fixture
def opened(tmp_path):
    """Open a memory store with other methods, or any store."""
    handles = []

    def open_it(factory=None, **methods):
        store = factory or type("Odd", (MemoryStore,), methods)
        handles.append(Handle(spec_of("odd", store), Location(tmp_path), deadlines=Deadlines()))
        return handles[-1]

    yield open_it
    for handle in handles:
        handle.close()


def texts(handle, session):
    """The texts of a session."""
    return [one.content for one in handle.perform("read", lambda call: call("read", session)).value]


def taking(most, sizes, *, whole=True):
    """An append that refuses batches above ``most``, after a part has landed unless ``whole``."""

    def append(self, session_id, messages):
        sizes.append(len(messages))
        if len(messages) > most:
            if not whole:
                MemoryStore.append(self, session_id, messages[:most])
            raise TooLarge(f"at most {most}")
        return MemoryStore.append(self, session_id, messages)

    return append


def test_a_session_has_all_messages_in_order(opened):
    """Batches grow, and each message is there once."""
    sizes = []
    handle = opened(append=taking(10_000, sizes))
    outcome = fill(handle, "s", 1_300, message=numbered, claims=MemoryStore.claims)
    assert outcome.type == "ok"
    assert outcome.value.messages == 1_300
    assert texts(handle, "s") == [str(number) for number in range(1_300)]
    assert sizes[:14] == [1] * 13 + [2]
    assert max(sizes) <= 500
    assert len(sizes) < 40


def test_it_goes_on_where_a_session_ends(opened):
    """Messages that are there are not sent again."""
    handle = opened()
    for start, end in ((0, 20), (20, 50)):
        fill(handle, "s", end, start=start, message=numbered, claims=MemoryStore.claims)
    assert texts(handle, "s") == [str(number) for number in range(50)]


def test_a_store_that_writes_all_again_is_filled_in_large_batches(opened, monkeypatch):
    """An append takes as long as the session is: small batches would take minutes."""
    sizes, clock = [], [0.0]
    monkeypatch.setattr(loading, "monotonic_s", lambda: clock[0])

    def append(self, session_id, messages):
        sizes.append(len(messages))
        clock[0] += 60e-6 * sum(sizes)
        return MemoryStore.append(self, session_id, messages)

    handle = opened(append=append)
    outcome = fill(handle, "s", 5_000, message=numbered, claims=MemoryStore.claims)
    assert outcome.value.messages == 5_000
    assert len(sizes) < 40, sizes
    assert clock[0] < 5


def test_what_takes_long_is_asked_for_in_smaller_batches(opened, monkeypatch):
    """A call of seconds would come near the deadline of an operation."""
    sizes, clock = [], [0.0]
    monkeypatch.setattr(loading, "monotonic_s", lambda: clock[0])

    def append(self, session_id, messages):
        sizes.append(len(messages))
        clock[0] += 0.02 * len(messages) if len(messages) < 8 else 1.5
        return MemoryStore.append(self, session_id, messages)

    handle = opened(append=append)
    assert fill(handle, "s", 300, message=numbered, claims=MemoryStore.claims).type == "ok"
    assert max(sizes) == 8
    assert {after for size, after in itertools.pairwise(sizes) if size == 8} == {4}


@pytest.mark.parametrize("whole", [True, False])
def test_a_batch_that_is_refused_is_halved(opened, whole):
    """It ends with what the store takes, and no message is missing or there twice."""
    sizes = []
    handle = opened(append=taking(7, sizes, whole=whole))
    outcome = fill(handle, "s", 300, message=numbered, claims=MemoryStore.claims)
    assert outcome.value.most <= 7
    assert texts(handle, "s") == [str(number) for number in range(300)]
    assert sum(size > 7 for size in sizes) <= 2


def test_a_message_that_is_refused_ends_it(opened):
    """There is nothing to halve in one message."""
    handle = opened(append=taking(0, []))
    outcome = fill(handle, "s", 300, message=numbered, claims=MemoryStore.claims)
    assert outcome.type == "fail"
    assert outcome.failure.type == "TooLarge"


def test_a_store_that_limits_its_batches_gets_one_at_a_time(opened):
    """The claim alone does not say how many messages its limit is."""
    sizes = []
    claims = replace(MemoryStore.claims, limits=Limits(batch_bytes=500))
    fill(opened(append=taking(500, sizes)), "s", 40, message=numbered, claims=claims)
    assert sizes == [1] * 40


def test_it_stops_in_time(opened):
    """At its end it says how far it came."""
    outcome = fill(opened(), "s", 10, message=numbered, claims=Claims(), until_s=monotonic_s() - 1)
    assert outcome.value.messages == 0
    assert math.isnan(outcome.value.append_us)


def test_the_cost_of_an_append_is_that_of_single_ones(opened, monkeypatch):
    """Single appends and batches are told apart; a store that takes long gets small batches."""
    now = [0.0]
    monkeypatch.setattr(loading, "monotonic_s", lambda: now[0])

    def append(self, session_id, messages):
        now[0] += 0.02 + 0.01 * len(messages)
        return MemoryStore.append(self, session_id, messages)

    outcome = fill(opened(append=append), "s", 200, message=numbered, claims=MemoryStore.claims)
    filled = outcome.value
    assert filled.append_us == pytest.approx(30_000)
    assert 10_000 < filled.each_us < 15_000
    assert filled.batch <= 16


def test_without_batches_a_message_costs_what_an_append_does():
    """Up to the single appends there is nothing else to divide."""
    alone = Filled(messages=23, start=20, most=500, seconds=9.0, single_us=[10.0, 30.0, 50.0])
    assert alone.each_us == alone.append_us == 30.0
    more = replace(alone, messages=25, seconds=190e-6)
    assert more.each_us == pytest.approx(50.0)


def test_a_session_that_is_not_made_ends_the_making(opened):
    """What the store said is answered, and it is not asked again."""
    asked = []

    def create(self, session_id=None, *, messages=()):
        asked.append(session_id)
        if len(asked) == 3:
            raise TooLarge("no more sessions")
        return MemoryStore.create(self, session_id, messages=messages)

    outcome = make_sessions(
        opened(create=create), 9, message=numbered, claims=MemoryStore.claims,
        capabilities={"create"},
    )  # fmt: skip
    assert (outcome.type, outcome.failure.type) == ("fail", "TooLarge")
    assert asked == ["session-0", "session-1", "session-2"]


def test_awaitables_are_awaited(opened):
    """An async store is filled as others are, also where it refuses a batch."""

    class Awaited(AsyncReferenceStore):
        async def append(self, session_id, messages):
            await asyncio.sleep(0)
            if len(messages) > 4:
                raise TooLarge("at most 4")
            return await super().append(session_id, messages)

    handle = opened(Awaited)
    assert fill(handle, "s", 60, message=numbered, claims=Awaited.claims).value.messages == 60
    assert texts(handle, "s") == [str(number) for number in range(60)]
    made = make_sessions(
        handle, 30, message=numbered, claims=Awaited.claims, capabilities=handle.capabilities
    )
    assert made.value == 30


def test_who_refuses_messages_at_the_creation_is_given_them_afterwards(opened):
    """It may be its only way to say so."""

    def create(self, session_id=None, *, messages=()):
        if messages:
            raise Conflict("messages are appended")
        return MemoryStore.create(self, session_id)

    handle = opened(create=create)
    made = make_sessions(
        handle, 9, message=numbered, claims=MemoryStore.claims, capabilities={"create"}
    )
    assert made.value == 9
    assert texts(handle, "session-8") == ["8"]


def test_sessions_are_made_as_the_store_makes_them(opened):
    """By create where there is one, with the message or before it; else by append."""

    def create(self, session_id=None):
        return MemoryStore.create(self, session_id)

    by_store = replace(MemoryStore.claims, session_ids="store")
    empty = {"limits": Limits(first_messages=False)}
    for capabilities, claims, methods in (
        ({"create"}, MemoryStore.claims, {}),
        ({"create"}, by_store, {}),
        ({"create"}, replace(MemoryStore.claims, **empty), {"create": create}),
        ({"create"}, replace(by_store, **empty), {"create": create}),
        (set(), MemoryStore.claims, {}),
    ):
        handle = opened(**methods)
        for number, start in ((20, 0), (50, 20)):
            outcome = make_sessions(
                handle, number, start=start,
                message=numbered, claims=claims, capabilities=capabilities,
            )  # fmt: skip
            assert outcome.value == number
        listed = handle.perform("list", lambda call: call("list")).value
        assert len(listed) == 50
        said = [texts(handle, session) for session in listed]
        assert sorted(said, key=lambda one: int(one[0])) == [[str(n)] for n in range(50)]


def test_a_session_is_begun_where_appends_do_not(opened):
    """It is created where it must be; elsewhere nothing is called."""

    def append(self, session_id, messages):
        if session_id not in self.world:
            raise NotFound(session_id)
        return MemoryStore.append(self, session_id, messages)

    refuses = replace(MemoryStore.claims, missing_session="refuses")
    handle = opened(append=append)
    outcome = begin(handle, "s", refuses, handle.capabilities)
    assert outcome.value == "s"
    assert fill(handle, "s", 3, message=numbered, claims=refuses).type == "ok"
    by_store = replace(MemoryStore.claims, session_ids="store")
    assert begin(handle, "t", by_store, handle.capabilities).value != "t"
    assert begin(opened(), "u", MemoryStore.claims, {"create"}).value == "u"


def test_messages_are_plain_and_timed_where_they_must_be():
    """A text with a number; in stores ordered by time, each is later than the one before."""
    spec = spec_of("memory", MemoryStore)
    made = plain(vocabulary(spec, MemoryStore.claims), "hello, number what?")
    assert [made(number).content for number in (0, 12)] == [
        "hello, nu0000000000", "hello, nu0000000012",
    ]  # fmt: skip
    short = plain(vocabulary(spec, replace(MemoryStore.claims, limits=Limits(content_bytes=3))))
    assert short(12).content == "012"
    ordered = replace(MemoryStore.claims, order="timestamp")
    timed = plain(vocabulary(spec, ordered), "hello")
    assert timed(0).created_at_us < timed(1).created_at_us
    calls = replace(MemoryStore.claims, kinds={"tool_call"})
    assert plain(vocabulary(spec, calls), "hello")(0).kind == "tool_call"
