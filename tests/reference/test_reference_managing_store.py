"""The session manager as a store under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionproof import Conflict, Expired, Message, NotFound, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.lookup import find_store
from sessionproof.contract.managing import answer_of
from sessionproof.contract.store import capabilities_of, shape_problems
from sessionproof.reference import ReferenceStore
from sessionproof.reference.managing import Store

MINUTE = 60_000_000
HELLO = [Message("user", "Hello!", tokens=2)]


@pytest.fixture
def managed(tmp_path: Path, clock: VirtualClock) -> Iterator[Store]:
    store = Store(tmp_path, clock=clock)
    yield store
    store.close()


def test_it_is_a_store(managed: Store):
    """It is found by its name, has the contract's shape, and can be managed."""
    spec = find_store("session-manager")
    assert (spec.claims, spec.takes_clock) == (Store.claims, True)
    assert shape_problems(managed) == []
    assert {"manager", "create", "get", "list", "delete", "sweep"} <= capabilities_of(managed)


def test_its_sessions_are_the_managers(managed: Store):
    """What one face makes or removes, the other knows."""
    made = answer_of("create_session", managed.manager("create_session", {"chat_id": "c"}))
    managed.create("own", messages=HELLO)
    assert managed.manager("get_session_count", {}) == 2
    managed.append(made.session_id, HELLO)
    assert managed.get(made.session_id).total_tokens == 2
    assert managed.manager("delete_session", {"session_id": "own"}) is True
    assert managed.read("own") == []
    managed.delete(made.session_id)
    assert managed.manager("get_all_sessions", {}) == []
    with pytest.raises(Conflict):
        managed.create(managed.create())


def test_an_append_needs_its_session(managed: Store, clock: VirtualClock):
    """It makes none; to one that is over it is refused until that is swept, and then unknown."""
    with pytest.raises(NotFound, match="there is no session 's'"):
        managed.append("s", HELLO)
    assert managed.list() == []
    managed.create("s")
    assert managed.append("s", HELLO * 70).seqs == tuple(range(1, 71))
    clock.move(31 * MINUTE)
    with pytest.raises(Expired):
        managed.append("s", HELLO)
    assert managed.sweep().expired == ("s",)
    assert managed.sweep().expired == ()
    with pytest.raises(NotFound):
        managed.append("s", HELLO)
    assert managed.append("s", []).seqs == ()


def test_the_reference_store_still_makes_sessions(store: ReferenceStore):
    """An append to an unknown session makes it there."""
    assert store.append("s", HELLO).seqs == (1,)


def test_limits_set_beneath_end_sessions_for_the_manager(managed: Store, clock: VirtualClock):
    """Set anew on a session that is over, they let it be cleaned up all the same."""
    managed.create("s")
    managed.set_limits("s", idle_us=5)
    clock.move(5)
    assert managed.manager("get_session", {"session_id": "s"}) is None
    managed.set_limits("s", idle_us=MINUTE)
    assert managed.manager("cleanup", {}) == 1


def test_after_shutdown_the_store_goes_on(managed: Store):
    """The manager alone is over."""
    managed.create("s", messages=HELLO)
    assert managed.manager("shutdown", {}) is None
    assert managed.manager("shutdown", {}) is None
    with pytest.raises(Refused, match="open a new one"):
        managed.manager("get_session", {"session_id": "s"})
    managed.append("s", HELLO)
    assert managed.count("s") == 2
    managed.close()
    with pytest.raises(Refused, match="the store is closed"):
        managed.count("s")


def test_calls_that_there_are_not(managed: Store):
    """They are refused by name."""
    with pytest.raises(Refused, match="no call 'generateSessionId'"):
        managed.manager("generateSessionId", {"message": "x"})
    with pytest.raises(Refused, match="get_session takes session_id, not id"):
        managed.manager("get_session", {"id": "s"})
