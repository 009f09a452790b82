"""The index follows what is stored: whoever writes, whatever is deleted, however often."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionproof import Message
from sessionproof.reference import ReferenceStore, searching
from sessionproof.reference.failures import as_store_error
from sessionproof.reference.finding import index
from sessionproof.reference.finding.looking import index_problems
from sessionproof.reference.finding.words import FOLDING
from sessionproof.reference.repair import repair
from sessionproof.reference.verify import verify_file

WORDS = ("red", "green", "blue")


def say(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def found(store: ReferenceStore, word: str) -> list[object]:
    return [hit.message.content for hit in store.search(word, limit=1_000)]


def stored(store: ReferenceStore, word: str) -> list[object]:
    every = [one.content for name in store.list() for one in store.read(name)]
    return [text for text in every if word in str(text).split()]


def behind(store: ReferenceStore) -> bool:
    return store._read(index.is_behind)


def problems(store: ReferenceStore) -> list[str]:
    """What is wrong with the index, as a connection of its own sees it."""
    with closing(sqlite3.connect(store.tables().path, isolation_level=None)) as db:
        return [example for one in index_problems(db) for example in one.examples]


STEPS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from("ab"), st.lists(st.sampled_from(WORDS))),
    st.tuples(st.sampled_from(["pop", "clear", "delete"]), st.sampled_from("ab")),
    st.tuples(st.sampled_from(["remove", "edit"]), st.sampled_from("ab"), st.integers(0, 9)),
    st.tuples(st.just("title"), st.sampled_from("ab"), st.sampled_from([None, *WORDS])),
    st.tuples(st.just("foreign"), st.sampled_from(range(4)), st.integers(1, 9)),
    st.tuples(st.just("search"), st.sampled_from(WORDS)),
)  # fmt: skip

FOREIGN = (
    "DELETE FROM messages WHERE id = ?",
    "DELETE FROM messages WHERE id >= ?",
    "UPDATE messages SET content = 'green by hand' WHERE id = ?",
    "INSERT INTO messages (id, sid, seq, role, content, appended_at_us) "
    "SELECT ?, id, next_seq, 'user', 'blue by number', 1 FROM sessions LIMIT 1",
)
"""What another program may do to rows; the last one takes a number that is free, or is refused."""


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_index_is_the_content_after_any_steps(tmp_path_factory, steps):
    """Drawn steps of ours and of a stranger's, with searches between: both agree in the end."""
    folder = tmp_path_factory.mktemp("drawn")
    with (
        ReferenceStore(folder, durability="process") as store,
        closing(sqlite3.connect(store.tables().path, isolation_level=None)) as foreign,
    ):
        for step in steps:
            carry_out(store, foreign, step)
        for word in WORDS:
            assert sorted(found(store, word)) == sorted(stored(store, word))
        titled = [name for name in store.list() if store.get(name).title == "red"]
        assert sorted(one.session_id for one in store.search_sessions("red")) == sorted(titled)
        assert not behind(store)
        assert problems(store) == []


def carry_out(store: ReferenceStore, foreign: sqlite3.Connection, step: tuple) -> None:
    match step:
        case ("append", name, words):
            store.append(name, say(*(f"{word} {at}" for at, word in enumerate(words))))
        case ("pop", name):
            store.pop_last(name)
        case ("clear", name):
            store.clear(name)
        case ("delete", name):
            store.delete(name)
        case ("remove" | "edit" as how, name, at):
            there = store.read(name)
            if there and how == "remove":
                store.delete_message(name, there[at % len(there)].id)
            elif there:
                store.edit_message(name, there[at % len(there)].id, Message("user", "red again"))
        case ("title", name, title) if store.get(name) is not None:
            store.update(name, title=title)
        case ("foreign", which, number):
            try:
                foreign.execute(FOREIGN[which], (number,))
            except sqlite3.IntegrityError:
                assert which == 3
        case ("search", word):
            store.search(word)


def test_an_append_leaves_the_index_alone(store: ReferenceStore):
    """Who appends pays nothing: the first search looks at what came, the second at nothing."""
    store.append("s", say("one", "two"))
    assert behind(store)
    assert searching.catch_up(store) == 2
    assert searching.catch_up(store) == 0
    assert not behind(store)


def test_the_number_of_the_newest_is_given_again(store: ReferenceStore):
    """A row that gets the number of one that was deleted is looked at."""
    store.append("s", say("red", "green"))
    assert found(store, "green") == ["green"]
    store.pop_last("s")
    store.append("t", say("blue"))
    assert (found(store, "green"), found(store, "blue")) == ([], ["blue"])
    store.clear("s")
    store.clear("t")
    store.append("t", say("new", "newer"))
    assert found(store, "new") == ["new"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_numbers_are_given_again_on_both_sides_of_the_mark(store: ReferenceStore, order):
    """The newest message that was looked at goes, and those after it: their numbers are new."""
    store.append("a", say("red"))
    store.append("b", say("green"))
    assert found(store, "green") == ["green"]
    store.append("b", say("blue"))
    ids = [one.id for one in store.read("b")]
    for place in order:
        store.delete_message("b", ids[place])
    store.append("b", say("green", "blue"))
    assert found(store, "green") == ["green"]
    assert found(store, "blue") == ["blue"]
    assert not problems(store)


def test_a_mark_that_a_stranger_removed_is_made_anew(store: ReferenceStore, foreign):
    """Nobody knows any more how far the index goes, so everything is looked at again."""
    store.append("a", say("red", "green"))
    assert found(store, "red") == ["red"]
    foreign.execute("DELETE FROM search_mark")
    store.pop_last("a")
    assert store.verify().ok
    assert found(store, "red") == ["red"]
    assert not found(store, "green")
    assert not behind(store)
    assert not problems(store)


def test_deleted_words_can_be_removed_from_the_file(store: ReferenceStore, foreign):
    """By what docs/search.md says; without it, they may lie there."""
    store.append("a", say(*(f"red secretword {number}" for number in range(5))))
    store.append("b", say("green"))
    assert len(found(store, "secretword")) == 5
    store.delete("a")
    foreign.execute("INSERT INTO search_index (search_index) VALUES ('optimize')")
    foreign.execute("VACUUM")
    assert foreign.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert b"secretword" not in Path(store.tables().path).read_bytes()
    assert found(store, "green") == ["green"]
    assert not problems(store)


def test_many_messages_are_looked_at_in_parts(store: ReferenceStore, monkeypatch):
    """A transaction looks at a few hundred messages, or at half a million characters."""
    transactions = []
    real = index.catch_up

    def counted(db, upto):
        transactions.append(upto)
        return real(db, upto)

    monkeypatch.setattr(index, "catch_up", counted)
    store.append("s", say(*(f"red {at}" for at in range(index.MOST * 2 + 1))))
    assert len(found(store, "red")) == 1_000
    assert len(transactions) == 3
    transactions.clear()
    store.append("s", say(*["long " * 60_000] * 4))
    assert len(found(store, "long")) == 4
    assert len(transactions) == 2


def test_others_write_while_a_search_catches_up(store: ReferenceStore):
    """Searches and appends of several threads: what was acknowledged before a search is found."""
    missing: list[str] = []

    def work(name: str) -> None:
        for at in range(30):
            text = f"{name}word{at}"
            store.append(name, say(text))
            if found(store, text) != [text]:
                missing.append(text)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert missing == []
    assert problems(store) == []


def test_two_handles_share_the_index(tmp_path: Path):
    """What one handle appends another finds, and neither indexes it twice."""
    with ReferenceStore(tmp_path) as one, ReferenceStore(tmp_path) as other:
        one.append("s", say("red"))
        assert found(other, "red") == found(one, "red") == ["red"]
        assert searching.catch_up(one) == 0


def test_words_folded_by_another_rule_are_looked_at_again(store: ReferenceStore):
    """A file of a release that folded otherwise gets its index anew."""
    store.create("t", title="red title", messages=say("red"))
    assert found(store, "red") == ["red"]
    old = "UPDATE search_mark SET folding = ?"
    store._write(lambda db: db.execute(old, (FOLDING - 1,)))
    store._write(lambda db: db.execute("UPDATE search_index SET words = 'as it was'"))
    assert problems(store) == []
    assert found(store, "red") == ["red"]
    assert len(store.search_sessions("red")) == 1
    assert found(store, "was") == []


DAMAGE = {
    "a row is gone": ("DELETE FROM search_index WHERE rowid = 1", "message 1: it is not in"),
    "a row too many": (
        "INSERT INTO search_index (rowid, words, tags) VALUES (90, 'ghost', 's1')",
        "message 90: it is in the index, and not stored",
    ),
    "other words": (
        "UPDATE search_index SET words = 'other' WHERE rowid = 2",
        "message 2: the index has other words",
    ),
    "other lists": (
        "UPDATE search_index_content SET c0 = 'green blue' WHERE id = 2",
        "message 2: the index has other words",
    ),
    "a lost title": ("DELETE FROM search_index WHERE rowid < 0", "title of session 1: it is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_finds_what_is_wrong_and_repair_makes_it_anew(tmp_path: Path, name: str):
    """An index that is not that of the content is found, told, emptied, and right afterwards."""
    sql, told = DAMAGE[name]
    with ReferenceStore(tmp_path) as store:
        store.create("s", title="red title", messages=say("red", "green"))
        assert found(store, "red") == ["red"]
        store._write(lambda db: db.execute(sql))
        (problem,) = store.verify().problems
        assert told in problem
    assert verify_file(tmp_path).problems == (problem,)
    assert "the next search makes it anew" in repair(tmp_path, dry_run=False).changes[0]
    assert verify_file(tmp_path).ok
    with ReferenceStore(tmp_path) as store:
        assert [found(store, word) for word in WORDS] == [["red"], ["green"], []]
        assert len(store.search_sessions("red")) == 1
        assert store.verify().ok


def test_what_was_recovered_can_be_searched(tmp_path: Path):
    """The new file has no index yet, and the first search makes it; titles too."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with ReferenceStore(old) as store:
        store.create("s", title="blue title", messages=say("red", "green"))
        store.search("red")
    ReferenceStore.recover(old, new)
    with ReferenceStore(new) as store:
        assert found(store, "red") == ["red"]
        assert [one.session_id for one in store.search_sessions("blue")] == ["s"]
        assert store.verify().ok


def test_a_backup_has_the_index(tmp_path: Path):
    """What was restored is searched without being looked at again."""
    with ReferenceStore(tmp_path) as store:
        store.append("s", say("red"))
        store.search("red")
        made = store.backup(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    ReferenceStore.restore(made, other)
    with ReferenceStore(other) as store:
        assert searching.catch_up(store) == 0
        assert found(store, "red") == ["red"]


def test_a_file_of_an_earlier_release_is_searched(tmp_path: Path):
    """The step that makes the index lists what is there: messages by the mark, titles by name."""
    from sessionproof.reference import steps

    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        steps.upgrade(db, steps.shipped()[:5])
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "INSERT INTO sessions (session_id, title, created_at_us, last_activity_us) "
            "VALUES ('s', 'blue title', 1, 1)"
        )
        db.execute(
            "INSERT INTO messages (sid, seq, role, content, appended_at_us) "
            "VALUES (1, 1, 'user', 'red', 1)"
        )
    with ReferenceStore(tmp_path) as store:
        assert found(store, "red") == ["red"]
        assert len(store.search_sessions("blue")) == 1
        assert problems(store) == []


def test_an_sqlite_without_its_module_is_named():
    """One line that says what is missing, and what to do."""
    error = sqlite3.OperationalError("no such module: fts5")
    told = str(as_store_error(error, path="sessions.db", writes=False))
    assert told == "sessions.db: this SQLite is built without fts5: use another Python"
