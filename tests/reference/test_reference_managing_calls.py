"""The eighteen calls of the session manager."""

from __future__ import annotations

import hashlib
import inspect
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof import Conflict, Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.managing import CALLS, METRICS, ManagedSession, call_manager
from sessionproof.reference import ReferenceStore, Timeouts
from sessionproof.reference.managing import SessionManager
from sessionproof.reference.managing.settings import Settings

MINUTE = 60_000_000


@pytest.fixture
def manager(tmp_path: Path, clock: VirtualClock) -> Iterator[SessionManager]:
    with SessionManager(tmp_path, clock=clock, durability="process") as opened:
        yield opened


def test_it_has_the_calls_of_the_contract(manager: SessionManager):
    """All eighteen, with the same parameters."""
    assert len(CALLS) == 18
    for name, call in CALLS.items():
        own = inspect.signature(getattr(SessionManager, name))
        assert list(own.parameters.values()) == list(call.parameters.values()), name


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_generated_ids_are_digests(tmp_path: Path, digest: str):
    """Equal messages give equal ids, in the form that other programs expect."""
    with SessionManager(tmp_path, digest=digest) as manager:
        for text in ("", "hi", "grüße 🌍", "x" * 100_000):
            expected = hashlib.new(digest, text.encode()).hexdigest()
            assert manager.generate_session_id(text) == expected
        assert manager.generate_session_id("\ud800") != manager.generate_session_id("\udfff")


def test_a_new_session_knows_what_it_was_given(manager: SessionManager, clock: VirtualClock):
    """Created, it is what every other call answers."""
    made = manager.create_session("hi", session_id="s", chat_id="c")
    now_us = clock.now_us()
    assert made == ManagedSession(
        session_id="s",
        created_at_us=now_us,
        last_accessed_us=now_us,
        expires_at_us=now_us + 30 * MINUTE,
        first_user_message="hi",
        chat_id="c",
    )
    assert manager.get_session("s") == made
    assert manager.get_all_sessions() == manager.get_active_sessions() == [made]
    assert manager.create_session().first_user_message is None


def test_equal_messages_make_sessions_of_their_own(manager: SessionManager):
    """Two users who say the same never share a session, nor is its id guessed from the words."""
    ids = {manager.create_session("hi").session_id for _ in range(20)}
    assert len(ids) == 20
    assert manager.generate_session_id("hi") not in ids


def test_sessions_are_shared_where_that_was_asked_for(tmp_path: Path, clock: VirtualClock):
    """Equal first messages are one session then, whose facts stay; ids that are given are not."""
    with SessionManager(tmp_path, clock=clock, share_by_first_message=True) as manager:
        first = manager.create_session("hi", chat_id="c")
        assert first.session_id == manager.generate_session_id("hi")
        clock.move(5 * MINUTE)
        second = manager.create_session("hi", chat_id="d")
        assert second == replace(
            first,
            last_accessed_us=first.last_accessed_us + 5 * MINUTE,
            expires_at_us=first.expires_at_us + 5 * MINUTE,
        )
        assert manager.create_session("ho").session_id != first.session_id
        assert manager.create_session().session_id != manager.create_session().session_id
        with pytest.raises(Conflict):
            manager.create_session("hi", session_id=first.session_id)
        assert manager.get_metrics()["created"] == 4


def test_a_shared_session_that_is_over_begins_anew(tmp_path: Path, clock: VirtualClock):
    """Who comes late gets no part of what was said before."""
    with SessionManager(tmp_path, clock=clock, share_by_first_message=True) as manager:
        first = manager.create_session("hi")
        manager.update_parent_id(first.session_id, "p")
        manager.append(first.session_id, [Message("user", "secret")])
        clock.move(31 * MINUTE)
        second = manager.create_session("hi")
        assert (second.session_id, second.parent_id) == (first.session_id, None)
        assert manager.store.read(second.session_id) == []
        counted = manager.get_metrics()
        assert (counted["created"], counted["expired"], counted["total"]) == (2, 1, 1)


def test_a_taken_id_is_a_conflict_until_its_session_is_over(
    manager: SessionManager, clock: VirtualClock
):
    """Creating it again changes nothing; an id whose session is over is free."""
    made = manager.create_session("a", session_id="s")
    with pytest.raises(Conflict, match="session exists"):
        manager.create_session("b", session_id="s")
    assert manager.get_session("s") == made
    clock.move(31 * MINUTE)
    assert manager.create_session("b", session_id="s").first_user_message == "b"
    assert manager.get_session_count() == 1


def test_updates_change_what_they_name(manager: SessionManager):
    """Other facts, and other sessions, stay."""
    other = manager.create_session("other", session_id="o")
    manager.create_session("hi", session_id="s", chat_id="c")
    assert manager.update_parent_id("s", "p1")
    assert manager.set_chat_id("s", "c2")
    assert manager.update_session("s", {"metadata": {"a": [1, None, "x"]}})
    seen = manager.get_session("s")
    assert (seen.first_user_message, seen.chat_id, seen.parent_id) == ("hi", "c2", "p1")
    assert seen.metadata == {"a": [1, None, "x"]}
    assert manager.update_session("s", {"parent_id": None, "metadata": None})
    seen = manager.get_session("s")
    assert (seen.chat_id, seen.parent_id, seen.metadata) == ("c2", None, None)
    assert manager.update_session("s", {})
    assert manager.get_session("o") == other


def test_all_facts_at_once(manager: SessionManager):
    """Any text is kept as it is."""
    odd = "a\x00b'\"\\\ud800 🌍"
    facts = {"first_user_message": odd, "chat_id": odd, "parent_id": odd, "metadata": {odd: odd}}
    manager.create_session(session_id=odd)
    assert manager.update_session(odd, facts)
    seen = manager.get_session(odd)
    assert {name: getattr(seen, name) for name in facts} == facts
    assert manager.store.verify(odd).ok


def test_a_session_is_new_until_it_has_a_parent(manager: SessionManager):
    """Also unknown ones are new, and none has a parent then."""
    manager.create_session(session_id="s")
    assert manager.is_new_session("s")
    assert manager.is_new_session("nobody")
    assert manager.get_parent_id("s") is None
    manager.update_parent_id("s", "p")
    assert not manager.is_new_session("s")
    assert manager.get_parent_id("s") == "p"
    manager.update_parent_id("s", None)
    assert manager.is_new_session("s")


def test_unknown_sessions(manager: SessionManager):
    """Nothing is answered of them, and nothing is made of them."""
    assert manager.get_session("s") is None
    assert not manager.update_session("s", {"chat_id": "c"})
    assert not manager.update_parent_id("s", "p")
    assert not manager.set_chat_id("s", "c")
    assert not manager.delete_session("s")
    assert manager.get_parent_id("s") is None
    assert manager.get_all_sessions() == []


def test_sessions_go_with_their_messages(manager: SessionManager):
    """Deleted, an id starts empty."""
    for name in ("a", "b", "c"):
        manager.create_session(session_id=name)
        manager.append(name, [Message("user", name)])
    assert manager.delete_session("a")
    assert not manager.delete_session("a")
    assert manager.get_session_count() == 2
    manager.create_session(session_id="a")
    assert manager.store.read("a") == []
    assert manager.clear_all() == 3
    assert manager.clear_all() == manager.get_session_count() == 0
    assert manager.store.list() == []
    assert manager.get_metrics()["deleted"] == 4
    assert manager.store.verify().ok


def test_clearing_removes_more_than_a_batch(manager: SessionManager):
    """However many there are."""
    for number in range(250):
        manager.create_session(session_id=str(number))
    assert manager.clear_all() == 250
    assert manager.get_session_count() == 0


def test_metrics(manager: SessionManager, clock: VirtualClock):
    """What was counted, and what there is; another manager counts for itself."""
    for name in ("a", "b", "c"):
        manager.create_session(session_id=name)
    clock.move(20 * MINUTE)
    manager.get_session("a")
    manager.delete_session("b")
    clock.move(20 * MINUTE)
    shown = manager.get_metrics()
    assert {name: shown[name] for name in METRICS} == {
        "created": 3, "deleted": 1, "expired": 0, "active": 1, "total": 2,
    }  # fmt: skip
    assert manager.cleanup() == 1
    assert manager.get_metrics()["expired"] == manager.get_metrics()["cleanups"] == 1
    with SessionManager(manager.store, cleanup_interval_us=None) as other:
        shown = other.get_metrics()
        assert (shown["created"], shown["active"], shown["total"]) == (0, 1, 1)


WRONG: dict[str, tuple[str, dict[str, object], str]] = {
    "message": ("generate_session_id", {"message": None}, "message must be a string"),
    "bytes": ("generate_session_id", {"message": b"x"}, "message must be a string"),
    "first": ("create_session", {"first_user_message": 5}, "first_user_message must be a string"),
    "id": ("create_session", {"session_id": ""}, "session_id must not be empty"),
    "chat": ("create_session", {"chat_id": ""}, "chat_id must not be empty"),
    "none": ("get_session", {"session_id": None}, "session_id must be a string"),
    "empty": ("get_session", {"session_id": ""}, "session_id must not be empty"),
    "new": ("is_new_session", {"session_id": 1}, "session_id must be a string"),
    "parent of": ("get_parent_id", {"session_id": ""}, "session_id must not be empty"),
    "delete": ("delete_session", {"session_id": None}, "session_id must be a string"),
    "changes": ("update_session", {"session_id": "s", "changes": None}, "changes must be a dict"),
    "fact": (
        "update_session", {"session_id": "s", "changes": {"chat_id": "d", "created_at_us": 5}},
        "no 'created_at_us' to change: first_user_message, chat_id",
    ),
    "text": (
        "update_session", {"session_id": "s", "changes": {"first_user_message": 5}},
        "first_user_message must be a string",
    ),
    "metadata": (
        "update_session", {"session_id": "s", "changes": {"metadata": [1]}}, "metadata must be",
    ),
    "json": (
        "update_session", {"session_id": "s", "changes": {"metadata": {"a": float("nan")}}},
        "which JSON cannot express",
    ),
    "parent": ("update_parent_id", {"session_id": "s", "parent_id": ""}, "must not be empty"),
    "chat id": ("set_chat_id", {"session_id": "s", "chat_id": 7}, "chat_id must be a string"),
    "interval": ("start_cleanup", {"interval_us": 0}, "interval_us must be an integer of at least"),
    "truth": ("start_cleanup", {"interval_us": True}, "interval_us must be an integer of at least"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_change_nothing(manager: SessionManager, case: str):
    """They are refused in a line that names them."""
    call, arguments, text = WRONG[case]
    made = manager.create_session("hi", session_id="s", chat_id="c")
    with pytest.raises(Refused) as caught:
        call_manager(manager, call, arguments)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert manager.get_all_sessions() == [made]


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_us": 0},
        {"timeout_us": "5"},
        {"access_step_us": -1},
        {"access_step_us": 1.5},
        {"cleanup_interval_us": 0},
        {"timeout_us": True},
        {"digest": "sha1"},
    ],
    ids=str,
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, object]):
    """A manager is not opened with them, and no file is made."""
    with pytest.raises(ValueError, match=next(iter(options))):
        SessionManager(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_an_access_is_written_once_in_a_thirtieth_of_the_timeout():
    """If nothing else is said."""
    assert Settings().step_us == MINUTE
    assert Settings(timeout_us=29).step_us == 0
    assert Settings(access_step_us=5).step_us == 5


def test_metadata_of_the_reference_store_stays(manager: SessionManager):
    """A session that was made beneath is a session; what is no fact of ours is left alone."""
    manager.store.create("s", metadata={"chat_id": 5, "topic": "x", "metadata": {"a": 1}})
    seen = manager.get_session("s")
    assert (seen.chat_id, seen.metadata) == (None, {"a": 1})
    manager.update_session("s", {"parent_id": "p", "metadata": None})
    assert manager.store.get("s").metadata == {"chat_id": 5, "topic": "x", "parent_id": "p"}


def test_unreadable_facts_are_named(manager: SessionManager):
    """What no program of ours wrote is an error in one line, and never a guess."""
    manager.create_session(session_id="s")
    with closing(sqlite3.connect(manager.store.tables().path, isolation_level=None)) as foreign:
        foreign.execute("UPDATE sessions SET metadata = '[1]'")
    for call in (
        lambda: manager.get_session("s"),
        lambda: manager.update_parent_id("s", "p"),
        manager.get_all_sessions,
    ):
        with pytest.raises(Refused, match="what is kept of the session cannot be read"):
            call()


def test_a_store_that_is_open_already(tmp_path: Path, clock: VirtualClock):
    """It is used as it is, its sessions get the manager's limits, and it stays open."""
    with ReferenceStore(tmp_path, clock=clock, timeouts=Timeouts(idle_us=5)) as store:
        manager = SessionManager(store, timeout_us=10 * MINUTE)
        made = manager.create_session(session_id="s")
        assert made.expires_at_us - clock.now_us() == 10 * MINUTE
        manager.shutdown()
        assert store.list() == ["s"]
