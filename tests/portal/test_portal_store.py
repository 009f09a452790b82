"""The portal as a store under test: what of it the contract's calls mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessionproof.contract.errors import Expired, NotFound, NotRepresentable, Refused
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, find_store, takes_server
from sessionproof.contract.message import Message
from sessionproof.contract.store import capabilities_of, shape_problems
from sessionproof.portal import Portal, PortalStore, portal_at
from sessionproof.portal.storing import decode, encode

HELLO = Message("user", "hello", tokens=3)
SECOND_US = 1_000_000


@pytest.fixture
def opens(place, clock, tmp_path, monkeypatch):
    """Opens stores of the place, as often as it is called."""
    made = []

    def open_one() -> PortalStore:
        here = Location(tmp_path, namespace=place.schema)
        store = PortalStore(here, clock=clock, url=None if place.path else place.url)
        made.append(store)
        return store

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def store(opens: Callable[[], PortalStore]) -> PortalStore:
    return opens()


@pytest.fixture
def beside(place, clock):
    """The same database as a portal."""
    with Portal(**place.options, clock=clock) as portal:
        yield portal


def test_its_calls_have_the_shape_of_the_contract(store, place):
    """Every method can be called as the contract says; only a file has tables to show."""
    assert shape_problems(store) == []
    assert ("tables" in capabilities_of(store)) == (place.path is not None)


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        Message("tool", "", metadata={}),
        Message("assistant", "x", duration_us=0, metadata={"model": "m", "sources": ["a"]}),
        Message("assistant", "x", duration_us=7),
        Message("developer", "x", created_at_us=0),
    ],
)
def test_a_message_is_the_same_on_both_sides(message, store):
    """What is encoded decodes to itself, and is read so; how long it took is its latency."""
    assert decode(encode(message)) == message
    session = store.create(messages=[message])
    (seen,) = store.read(session)
    assert (seen.role, seen.content, seen.tokens) == (message.role, message.content, message.tokens)
    assert (seen.duration_us, seen.metadata) == (message.duration_us, message.metadata)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message("user", "x", id="mine"), "no place for this id"),
        (Message("user", "x", name="ann"), "no place for this name"),
        (Message("assistant", None, kind="tool_call", arguments={}), "a role and a text"),
        (Message("user", ["x"]), "a role and a text"),
        (Message("user", "x", metadata={"latency_us": 3}), "no place for this duration_us"),
        (Message("user", "x", duration_us=1, metadata={}), "no place for this metadata"),
    ],
)
def test_what_has_no_place_is_not_bent(message, said):
    """A message that would come back otherwise is refused, and the error names what it is about."""
    with pytest.raises(NotRepresentable, match=said):
        encode(message)


def test_a_session_is_a_conversation_and_an_auth_session(store, beside):
    """Both halves have one id, are the guest's, and go together."""
    session = store.create("a name of one's own", messages=[HELLO])
    assert session != "a name of one's own"
    assert beside.conversations.get(session).user_id == beside.auth.get(session).user_id
    assert store.get(session).owner is None
    store.delete(session)
    for ask in (beside.conversations.get, beside.auth.get, store.read, store.delete):
        with pytest.raises(NotFound):
            ask(session)


def test_there_is_one_guest(opens, beside):
    """Whoever opens the store again has the same guest, who cannot sign in."""
    one, other = opens().create(), opens().create()
    guests = {beside.conversations.get(session).user_id for session in (one, other)}
    assert len(guests) == 1
    assert beside.users.get(guests.pop()).password_hash is None


def test_an_auth_session_that_is_over_takes_no_message(store, clock, beside):
    """It is over at its limit and when it is revoked; the conversation can be read."""
    session, other = store.create(messages=[HELLO]), store.create()
    store.set_limits(session, idle_us=SECOND_US)
    beside.auth.revoke(other)
    clock.move(SECOND_US)
    for one in (session, other):
        assert store.get(one).status == "expired"
        for call in (lambda one=one: store.append(one, [HELLO]), lambda one=one: store.touch(one)):
            with pytest.raises(Expired):
                call()
        with pytest.raises(Refused, match="expired does not become active"):
            store.set_status(one, "active")
    assert len(store.read(session)) == 1
    assert store.sweep() == Swept(expired=(session,))
    assert store.sweep() == Swept()


def test_an_archived_session_does_not_expire(store, clock):
    """A sweep does not tell of it, and it goes on when it is opened again."""
    session = store.create()
    store.set_limits(session, idle_us=SECOND_US)
    store.set_status(session, "archived")
    clock.move(5 * SECOND_US)
    assert store.sweep() == Swept()
    assert store.get(session).status == "archived"
    with pytest.raises(Expired):
        store.touch(session)
    store.set_status(session, "active")
    store.append(session, [HELLO])
    clock.move(SECOND_US)
    assert store.sweep() == Swept(expired=(session,))


def test_a_sweep_tells_of_sessions_alone(store, clock):
    """Tokens that run out are no sessions of the contract."""
    store.add_user("ann", "secret")
    token = store.sign_in("ann", "secret", idle_us=SECOND_US)
    clock.move(SECOND_US)
    assert store.sweep() == Swept()
    with pytest.raises(Expired):
        store.whose(token)


def test_a_session_that_was_given_away_goes_with_its_user(store, beside):
    """Both halves become the user's, and nothing of them is left when he is removed."""
    user = store.add_user("ann", "secret")
    session = store.create(messages=[HELLO])
    store.set_owner(session, user)
    assert (store.get(session).owner, store.sessions_of(user)) == (user, [session])
    store.append(session, [HELLO])
    store.delete_user(user)
    for ask in (store.read, beside.auth.get, store.sessions_of):
        with pytest.raises(NotFound):
            ask(session)


def test_an_owner_must_be_there(store):
    """A session is not given to nobody, nor is nothing given to a user; all stays as it was."""
    user, session = store.add_user("ann", "secret"), store.create()
    for one, other in ((session, "nobody"), ("nothing", user)):
        with pytest.raises(NotFound):
            store.set_owner(one, other)
    assert store.get(session).owner is None
    assert store.sessions_of(user) == []


def test_messages_are_known_by_their_ids(store):
    """An id is of its session alone; the newest is taken back, and its number not given again."""
    session, other = store.create(messages=[HELLO, HELLO]), store.create(messages=[HELLO])
    receipt = store.append(session, [HELLO])
    assert (receipt.seqs, receipt.ids) == ((3,), (f"{session}.3",))
    for wrong in (f"{other}.1", f"{session}.x", f"{session}.9", session, None):
        with pytest.raises(NotFound):
            store.delete_message(session, wrong)
    assert store.pop_last(session).id == f"{session}.3"
    store.edit_message(session, f"{session}.1", Message("system", "other", tokens=1))
    store.delete_message(session, f"{session}.2")
    assert [(one.role, one.content) for one in store.read(session)] == [("system", "other")]
    assert (store.get(session).message_count, store.get(session).total_tokens) == (1, 1)
    assert store.append(session, [HELLO]).seqs == (4,)


def test_pages_end_with_the_last_message(store):
    """A cursor is there as long as a message follows."""
    session = store.create(messages=[HELLO] * 4)
    first = store.page(session, limit=2)
    assert (len(first.messages), first.next) == (2, 2)
    assert (len(store.page(session, cursor=2, limit=2).messages), first.next) == (2, 2)
    assert store.page(session, cursor=2, limit=2).next is None


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("portal:chat.db", "takes an address"),
        ("portal:postgresql://h/d,postgresql://i/d", "a portal has one server"),
        ("portal:postgresql:u:hunter2", "is not shown"),
    ],
)
def test_an_address_that_is_none_is_one_line(named, said):
    """What stands behind the scheme is told in a line, without what may be a password."""
    with pytest.raises(StoreNotFound, match=said) as told:
        find_store(named)
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)


def test_it_is_found_by_its_name_and_by_an_address():
    """The registered store is on a file; behind the scheme it knows how to go to another server."""
    here, there = find_store("portal"), find_store("portal:postgresql://h/d")
    assert takes_server("portal")
    assert (here.for_server, here.takes_clock, there.takes_clock) == (None, True, True)
    assert there.for_server("postgresql://i/d") == portal_at("postgresql://i/d")
    assert here.claims.private_files
    assert not there.claims.private_files
