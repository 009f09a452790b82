"""Guards of legacy databases: whatever an old program writes, counters and references are right."""

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pytest

from fixtures.legacy import database, schema
from sessionproof import Refused
from sessionproof.audit.examine import audit
from sessionproof.reference import ReferenceStore
from sessionproof.reference.guards import install_guards, remove_guards


@dataclass(frozen=True)
class Old:
    """How an old program of a schema writes."""

    sessions: str
    key: str
    tokens: str


OLD = {
    "plain": Old("sessions", "session_id", "tokens_used"),
    "enhanced": Old("sessions", "session_id", "tokens_used"),
    "portal": Old("conversations", "conversation_id", "tokens"),
}


def made(name, path):
    """A database of a schema with what its rows refer to."""
    with closing(database(name, path=path)) as db:
        if name == "enhanced":
            db.execute("INSERT INTO models (model_id, name) VALUES ('m', 'm')")
        if name == "portal":
            db.execute("INSERT INTO users (email, created_at) VALUES ('u', '1')")
    return path


def session(db, name, key, how=""):
    more = {
        "plain": {},
        "enhanced": {"model_id": "m"},
        "portal": {"user_email": "u", "created_at": "1", "updated_at": "1"},
    }
    insert(db, OLD[name].sessions, {OLD[name].key: key, **more[name]}, how)


def message(db, name, key, number, tokens, *, how="", seq=None):
    more = {
        "plain": {},
        "enhanced": {"sequence_number": seq or number, "duration_seconds": 0.1},
        "portal": {"created_at": "1"},
    }
    own = {"message_id": f"m{number}", OLD[name].key: key, "role": "user", "content": "hello"}
    insert(db, "messages", {**own, OLD[name].tokens: tokens, **more[name]}, how)


def insert(db, table, values, how):
    marks = ", ".join("?" * len(values))
    sql = f"INSERT {how} INTO {table} ({', '.join(values)}) VALUES ({marks})"
    db.execute(sql, [*values.values()])


def anything(chance, name, db):
    """One write that an old program may do."""
    old = OLD[name]
    key, number = chance.choice("abcde"), chance.randrange(40)
    how = chance.choice(["", "", "OR REPLACE", "OR IGNORE"])
    tokens = chance.choice([None, 1, 5])
    match chance.randrange(18):
        case 0 | 1 | 2 | 3 | 4 | 5 | 6:
            message(db, name, key, number, tokens, how=how, seq=chance.randrange(1, 15))
        case 7 | 8:
            session(db, name, key, how)
        case 9 | 10:
            count = "message_count = message_count + 1"
            db.execute(f"UPDATE {old.sessions} SET {count} WHERE {old.key} = ?", (key,))
        case 11:
            db.execute(f"UPDATE {old.sessions} SET message_count = NULL WHERE {old.key} = ?", key)
        case 12:
            db.execute("DELETE FROM messages WHERE message_id = ?", (f"m{number}",))
        case 13:
            sql = f"UPDATE {how} messages SET {old.tokens} = ?, {old.key} = ? WHERE message_id = ?"
            db.execute(sql, (tokens, key, f"m{number}"))
        case 14:
            sql = f"UPDATE {how} messages SET message_id = ? WHERE message_id = ?"
            db.execute(sql, (f"m{chance.randrange(40)}", f"m{number}"))
        case 15:
            db.execute(f"DELETE FROM {old.sessions} WHERE {old.key} = ?", (key,))
        case 16:
            other = chance.choice("abcde")
            sql = f"UPDATE {old.sessions} SET {old.key} = ? WHERE {old.key} = ?"
            db.execute(sql, (other, key))
        case _:
            db.execute(f"DELETE FROM messages WHERE {old.key} = ?", (key,))


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_is_counted_once(tmp_path, name, seed):
    """Inserts, replacements, moves, deletions, counts by hand: the audit finds nothing wrong."""
    chance = random.Random(f"{name} {seed}")
    path = made(name, tmp_path / "chat.db")
    install_guards(path, dry_run=False)
    recursive = name != "enhanced" and chance.randrange(2)  # its own triggers forbid it
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA foreign_keys = {chance.randrange(2)}")
        db.execute(f"PRAGMA recursive_triggers = {int(recursive)}")
        written = 0
        for _ in range(4):
            for _ in range(30):
                try:
                    anything(chance, name, db)
                    written += 1
                except sqlite3.IntegrityError:
                    continue
            assert audit(path).problems == ()
        assert written > 40


def test_a_program_that_counts_by_hand_is_not_counted_twice(tmp_path):
    """Beside a counting trigger its own plus one would count each message a second time."""
    path = made("plain", tmp_path / "chat.db")
    install_guards(path, dry_run=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        session(db, "plain", "a")
        for number in range(5):
            message(db, "plain", "a", number, 3)
            db.execute("UPDATE sessions SET message_count = message_count + 1")
        kept = db.execute("SELECT message_count, total_tokens FROM sessions").fetchone()
    assert kept == (5, 15)


def test_old_counting_triggers_are_replaced_and_come_back(tmp_path):
    """Whatever a trigger of that name does: it is kept, and put back byte for byte."""
    path = made("enhanced", tmp_path / "chat.db")
    names = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    with closing(sqlite3.connect(path)) as db:
        before = db.execute(names).fetchall()
    done = install_guards(path, dry_run=False)
    assert sum("is replaced" in one for one in done.changes) == 2
    assert install_guards(path).changes == ()
    with closing(sqlite3.connect(path)) as db:
        sql = " ".join(text for _, text in db.execute(names) if text and "TRIGGER" in text)
        assert "SELECT COUNT(*) FROM messages WHERE session_id = NEW.session_id)" not in sql
    remove_guards(path, dry_run=False)
    assert remove_guards(path).changes == ()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(names).fetchall() == before


def test_activity_is_still_noted_but_not_by_deletions(tmp_path):
    """A message moves last_activity as before; deleting old ones revives no session."""
    path = made("enhanced", tmp_path / "chat.db")
    install_guards(path, dry_run=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        session(db, "enhanced", "a")
        asked = "SELECT last_activity FROM sessions"
        db.execute("UPDATE sessions SET last_activity = 'long ago'")
        message(db, "enhanced", "a", 1, 3)
        assert db.execute(asked).fetchone() != ("long ago",)
        db.execute("UPDATE sessions SET last_activity = 'long ago'")
        db.execute("DELETE FROM messages")
        assert db.execute(asked).fetchone() == ("long ago",)
        counted = db.execute("SELECT message_count, total_duration FROM sessions").fetchone()
        assert counted == (0, 0.0)


def test_a_trigger_that_does_more_is_refused(tmp_path):
    """Half of it cannot be replaced: people must split it."""
    path = made("plain", tmp_path / "chat.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(
            "CREATE TRIGGER counts AFTER INSERT ON messages BEGIN "
            "UPDATE sessions SET message_count = message_count + 1 "
            "WHERE session_id = NEW.session_id; "
            "INSERT INTO sessions (session_id) VALUES (NEW.message_id); END"
        )
    image = path.read_bytes()
    with pytest.raises(Refused, match="counts, and does more"):
        install_guards(path, dry_run=False)
    assert path.read_bytes() == image


def test_references_hold_without_foreign_keys(tmp_path):
    """A message needs its session, a session takes its messages with it, and keeps its id."""
    path = made("portal", tmp_path / "chat.db")
    install_guards(path, dry_run=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        session(db, "portal", "a")
        message(db, "portal", "a", 1, 3)
        with pytest.raises(sqlite3.IntegrityError, match="needs its session"):
            message(db, "portal", "nobody", 2, 3)
        with pytest.raises(sqlite3.IntegrityError, match="needs its session"):
            db.execute("UPDATE messages SET conversation_id = 'nobody'")
        with pytest.raises(sqlite3.IntegrityError, match="keeps its id"):
            db.execute("UPDATE conversations SET conversation_id = 'b'")
        db.execute("DELETE FROM conversations")
        assert db.execute("SELECT * FROM messages").fetchall() == []


def work_of(db, statement):
    """How many hundreds of instructions of SQLite's machine a statement takes."""
    steps = 0

    def step():
        nonlocal steps
        steps += 1
        return 0

    db.set_progress_handler(step, 100)
    statement()
    db.set_progress_handler(None, 100)
    return steps


@pytest.mark.parametrize("name", ["plain", "enhanced"])
def test_an_append_costs_the_same_however_many_there_are(tmp_path, name):
    """No write counts a whole session, or looks at all sessions; as it was, one schema did."""
    work = {}
    for guarded in (False, True):
        path = made(name, tmp_path / f"{guarded}.db")
        if guarded:
            install_guards(path, dry_run=False)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN")
            for number in range(300):
                session(db, name, f"s{number}")
            for number in range(1_520):
                if number in (20, 1_500):
                    work[guarded, number] = 0
                steps = work_of(db, partial(message, db, name, "s7", number + 1, 1))
                if number >= 1_500:
                    work[guarded, 1_500] += steps
                elif 20 <= number < 40:
                    work[guarded, 20] += steps
    assert work[True, 1_500] <= 1.2 * work[True, 20]
    if name == "enhanced":
        assert work[False, 1_500] > 5 * work[True, 1_500]


def test_guards_count_what_was_there(tmp_path):
    """Counters that had drifted are right at once, before anything is written."""
    path = made("plain", tmp_path / "chat.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        session(db, "plain", "a")
        message(db, "plain", "a", 1, 3)
        db.execute("UPDATE sessions SET message_count = 17")
    told = install_guards(path)
    assert any("17, now 1" in one for one in told.changes)
    assert audit(path).problems
    install_guards(path, dry_run=False)
    found = audit(path)
    assert (found.problems, len(found.notes)) == ((), 1)


def test_other_schemas_are_refused(tmp_path):
    """The reference store guards itself; a schema without messages has nothing to guard."""
    with ReferenceStore(tmp_path):
        pass
    with pytest.raises(Refused, match="guards are for legacy schemas"):
        install_guards(tmp_path)
    assert "chat_id" in schema("manager")
    with pytest.raises(Refused, match="guards are for legacy schemas"):
        install_guards(made("manager", tmp_path / "manager.db"))
