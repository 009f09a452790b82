"""A store beside its floor, and the rows of its table: both sides do the same, whatever it has."""

import asyncio
import itertools
from dataclasses import replace
from typing import ClassVar

import pytest
from test_bench_loading import taking

from sessionproof.bench import operations
from sessionproof.bench.client import TEXT_BYTES, Client, Opening, opening_of
from sessionproof.bench.floors import Floor
from sessionproof.bench.operations import ROWS, TURNOVER
from sessionproof.contract.errors import Conflict, TooLarge
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.message import Message, Page
from sessionproof.contract.store import capabilities_of
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference.managing import Store as ManagesSessions

PAIRS = {row.operation: row.pair for row in ROWS}


@pytest.fixture
def client_of(tmp_path):
    """A client of a memory store with other methods, or of any store, beside a floor of its own."""
    opened = []
    folders = itertools.count()

    def make(factory=None, *, claims=None, lacks=(), opening=None, **methods):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        store = (factory or type("Odd", (MemoryStore,), methods))(Location(folder))
        floor = Floor(folder / "floor.db", synchronous="NORMAL")
        opened.extend([store, floor])
        return Client(
            store, asyncio.run, floor, claims=claims or store.claims,
            capabilities=capabilities_of(store) - {*lacks}, awaited=set(),
            sample=Message("user", ""), pool="so many words ", opening=opening,
        )  # fmt: skip

    yield make
    for one in opened:
        one.close()


def texts(client, session):
    """What a session of the store holds."""
    return [one.content for one in client.store.read(session)]


def given(side):
    """The arguments of one call."""
    (one,) = side.arguments(1)
    return one


def test_a_client_fills_in_as_large_batches_as_the_store_takes(client_of):
    """What is refused is halved, for the whole client; each message is there once, in order."""
    sizes = []
    client = client_of(append=taking(30, sizes))
    wanted = [f"text {number}" for number in range(70)]
    client.fill("s", wanted)
    assert texts(client, "s") == wanted
    assert sizes == [70, 35, 17, 17, 17, 17, 2]
    client.fill("t", wanted[:20])
    assert sizes[7:] == [17, 3]


def test_a_message_that_is_refused_alone_is_an_error(client_of):
    """There is nothing to halve in one message, and no loop without end."""
    sizes = []
    with pytest.raises(TooLarge):
        client_of(append=taking(0, sizes)).fill("s", ["text"] * 4)
    assert sizes == [4, 2, 1]


def test_both_hold_as_many_messages(client_of):
    """Also where the store keeps fewer than it was given: the floor holds what can be read."""

    def read(self, session_id):
        return MemoryStore.read(self, session_id)[-7:]

    client = client_of(read=read)
    client.load(5)
    first = client.session
    client.load(20)
    assert client.session == first
    client.settle()
    assert client.held == client.floor.count(client.session) == 7
    assert {len(row[2]) for row in client.floor.read_last(client.session, 9)} == {TEXT_BYTES}


@pytest.mark.parametrize(
    ("changes", "lacks", "created"),
    [
        ({}, (), False),
        ({"missing_session": "refuses"}, (), True),
        ({"session_ids": "store"}, (), True),
        ({"missing_session": "refuses"}, ("create",), False),
    ],
)
def test_sessions_are_created_where_an_append_does_not(client_of, changes, lacks, created):
    """By the store's own name where it gives one; elsewhere a new name is enough."""
    asked = []

    def create(self, session_id=None, *, messages=()):
        asked.append(session_id)
        return MemoryStore.create(self, session_id, messages=messages)

    claims = replace(MemoryStore.claims, **changes)
    client = client_of(claims=claims, lacks=lacks, create=create)
    name = client.made()
    named = None if client.named_by_store else name
    assert asked == ([named] if created else [])
    assert client.made() != name


def test_a_store_that_cannot_create_is_given_new_names(client_of):
    """Whoever wants a session on purpose gets an id all the same, and nothing is called."""
    client = client_of(lacks=("create",), create=None)
    first, second = client.created(), client.created()
    assert first != second
    client.fill(first, ["text"])
    assert texts(client, first) == ["text"]


def test_awaited_methods_are_noted(client_of):
    """What was awaited once is known by its name; the answer is what it came to."""

    async def count(self, session_id):
        return 5

    client = client_of(count=count)
    client.do("append", "s", [client.said("x")])
    assert client.do("count", "s") == 5
    assert client.awaited == {"count"}


class Watched(MemoryStore):
    """Notes what is called, in the class; a read of a bad session fails."""

    seen: ClassVar[list[str]] = []

    def read(self, session_id):
        self.seen.append("read")
        if session_id == "bad":
            raise Conflict("not now")
        return ["message"]

    def close(self):
        self.seen.append("close")


class WatchedAsync(Watched):
    """The same with awaitables."""

    async def read(self, session_id):
        await asyncio.sleep(0)
        return super().read(session_id)

    async def close(self):
        await asyncio.sleep(0)
        super().close()


@pytest.mark.parametrize(("store", "awaits"), [(Watched, False), (WatchedAsync, True)])
@pytest.mark.parametrize("session", ["s", "bad"])
def test_what_is_opened_is_closed(tmp_path, store, awaits, session):
    """Opened, a session read, closed: also where reading fails, and where all is awaited."""
    Watched.seen.clear()
    opening = opening_of(spec_of("w", store), Location(tmp_path), session, int, awaits=awaits)

    def once():
        asyncio.run(opening.store()) if awaits else opening.store()

    if session == "bad":
        with pytest.raises(Conflict):
            once()
    else:
        once()
    assert Watched.seen == ["read", "close"]


def test_appends_go_to_sessions_of_about_the_same_length(client_of):
    """A new session, filled alike, is taken on both sides before one has grown by too much."""
    client = client_of()
    client.held, client.message_s = 40, 0.01  # so that ten messages fill a session in its time
    pair = PAIRS["append"](client)
    assert pair.note == f"in a session of 10 to {10 + TURNOVER} messages"
    for side, length in (
        (pair.store, lambda name: len(texts(client, name))),
        (pair.floor, client.floor.count),
    ):
        asked = [*side.arguments(TURNOVER), *side.arguments(1), *side.arguments(TURNOVER - 1)]
        names = [name for name, _ in asked]
        first, second = dict.fromkeys(names)
        assert (names.count(first), names.count(second)) == (TURNOVER, TURNOVER)
        assert length(first) == length(second) == 10
        assert given(side)[0] not in {first, second}


def test_a_slow_store_is_appended_to_from_nothing_on(client_of):
    """Where a message takes longer than filling may, nothing is filled."""
    client = client_of()
    pair = PAIRS["append"](client)
    assert pair.note == f"in a session of 0 to {TURNOVER} messages"
    name, messages = given(pair.store)
    assert (texts(client, name), len(messages)) == ([], 1)
    assert client.floor.count(given(pair.floor)[0]) == 0


def paged(seen, *, most=50, ends=False, empty=False):
    """A page of at most so many messages; without a next one, or empty with one, if told."""

    def page(self, session_id, *, cursor=None, limit=50):
        seen.append(cursor)
        made = MemoryStore.page(self, session_id, cursor=cursor, limit=min(limit, most))
        return Page([] if empty else made.messages, None if ends else made.next)

    return page


@pytest.mark.parametrize(
    ("more", "note", "looks"),
    [
        ({}, "50 messages after the first 50 of 150", 2),
        ({"most": 20}, "20 messages after the first 60 of 150", 4),
        ({"ends": True}, "50 messages after the first 0 of 150", 2),
        ({"empty": True}, "0 messages after the first 0 of 150", 2),
    ],
)
def test_a_page_is_taken_from_the_middle(client_of, more, note, looks):
    """The way there ends where a store has no further page; the floor passes as many messages."""
    seen: ClassVar[list[str]] = []
    client = client_of(page=paged(seen, **more))
    client.load(150)
    client.settle()
    pair = PAIRS["page"](client)
    assert (pair.note, len(seen)) == (note, looks)
    got = len(pair.store.call(*given(pair.store)).messages)
    assert len(pair.floor.call(*given(pair.floor))) == got == int(note.split()[0])
    assert seen[-1] == seen[-2]


def test_the_way_to_a_page_ends_in_time(client_of, monkeypatch):
    """A store that takes a second a page is timed at where it came to."""
    now = itertools.count(0.0, 0.6)
    monkeypatch.setattr(operations, "monotonic_s", lambda: next(now))
    client = client_of(page=paged([], most=10))
    client.load(150)
    client.settle()
    assert PAIRS["page"](client).note == "10 messages after the first 10 of 150"


def test_an_update_is_a_state_or_else_a_message(client_of):
    """Whichever the store has is tried before it is timed, and named; no two say the same."""
    client = client_of()
    client.load(3)
    client.settle()
    pair = PAIRS["update"](client)
    assert pair.note == "set_state"
    pair.store.call(*given(pair.store))
    assert given(pair.store)[2] != given(pair.store)[2]
    assert client.store.get_state(client.session, "draft")

    client = client_of(lacks=("set_state",))
    client.load(3)
    client.settle()
    pair = PAIRS["update"](client)
    assert pair.note == "edit_message"
    before = texts(client, client.session)
    pair.store.call(*given(pair.store))
    after = texts(client, client.session)
    assert before[:2] == after[:2]
    assert before[2] != after[2]


def test_the_store_names_what_it_creates_where_it_does(client_of):
    """It is given no name then; elsewhere each call has a new one."""
    claims = replace(MemoryStore.claims, session_ids="store")
    assert given(PAIRS["create"](client_of(claims=claims)).store) == (None,)
    side = PAIRS["create"](client_of()).store
    assert given(side) != given(side)


def test_opening_needs_a_way_to_open(client_of):
    """A client that was not told how to open its store says so; else both ways are timed."""
    with pytest.raises(ValueError, match="without a way to open its store"):
        PAIRS["open"](client_of())
    opening = Opening(lambda: "store", lambda: "floor")
    pair = PAIRS["open"](client_of(opening=opening))
    assert pair.store.call(*given(pair.store)) == "store"
    assert pair.floor.call(*given(pair.floor)) == "floor"


@pytest.fixture
def manages(client_of):
    """A client of a store that manages sessions."""
    return client_of(ManagesSessions)


def kept(client):
    """How many sessions the manager has."""
    return client.store.manager("get_session_count", {})


def test_the_floor_deletes_a_session_for_each_of_the_store(manages):
    """Where it is asked for more than the store made, it makes its own: each call deletes one."""
    pair = PAIRS["delete_session"](manages)
    names = [given(pair.floor)[0] for _ in range(3)]
    assert len(set(names)) == 3
    for name in names:
        assert manages.floor.managed(name, -1)
        pair.floor.call(name)
        assert not manages.floor.managed(name, -1)
    before = kept(manages)
    assert pair.store.call(*given(pair.store))
    assert kept(manages) == before


@pytest.mark.parametrize(
    ("message_s", "each_s", "made"), [(0.05, 0.0, 5), (9.0, 0.0, 1), (0.05, 1.1, 2)]
)
def test_a_clean_up_finds_sessions_that_are_not_over(manages, monkeypatch, message_s, each_s, made):
    """Fewer beside a slow store, and none is made after the time for it; none is removed."""
    now = itertools.count(0.0, each_s)
    monkeypatch.setattr(operations, "monotonic_s", lambda: next(now))
    manages.message_s = message_s
    pair = PAIRS["cleanup"](manages)
    assert pair.note == f"nothing is over, among {made} sessions and more"
    assert pair.store.call(*given(pair.store)) == 0
    assert kept(manages) == made
