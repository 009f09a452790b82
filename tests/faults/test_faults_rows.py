"""Rows damaged by plain SQL: each class does what it says, and nothing where it cannot."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.benign.repairs import RepairsByKeeping
from sessionproof import Location, Message
from sessionproof.audit.examine import audit
from sessionproof.faults.rows import RowDamage, done, row_damages
from sessionproof.reference import ReferenceStore

EXPECTED = {
    "message_count of a session": {"wrong-counter", "gap"},
    "total_tokens of a session": {"wrong-counter"},
    "total_duration_us of a session": {"wrong-counter"},
    "a session is gone": {"orphan"},
    "a message is gone": {"wrong-counter", "gap"},
    "a message has a role": {"bad-role"},
    "two messages have": set(),
    "search_index has a row": set(),
}


@pytest.fixture
def tables(tmp_path):
    """A closed reference store with sessions of five, three and two messages."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for name, size in (("s0", 5), ("s1", 3), ("s2", 2)):
            for at in range(size):
                store.append(name, [Message("user", str(at), tokens=1, duration_us=1)])
        return store.tables()


@pytest.mark.parametrize("start", EXPECTED)
def test_each_class_is_found_by_the_audit_as_what_it_is(tables, start):
    """One kind of problem and no other; triggers are there again. The schema forbids repeats.

    Nobody has searched, so nothing is in the index.
    """
    with closing(sqlite3.connect(tables.path)) as db:
        classes = row_damages(db, tables, place=2, roles=True)
    (damage,) = [one for one in classes if one.words.startswith(start)]
    assert done(tables.path, damage) is bool(EXPECTED[start])
    kinds = {problem.kind for problem in audit(tables.path).problems}
    assert kinds <= EXPECTED[start] | {"broken-constraint"}
    assert bool(kinds) is bool(EXPECTED[start])


def test_every_class_is_expected(tables):
    """A new class gets its line above; unknown roles are damage only where roles are known."""
    with closing(sqlite3.connect(tables.path)) as db:
        words = [one.words for one in row_damages(db, tables, place=1, roles=True)]
        fewer = row_damages(db, tables, place=1, roles=False)
    assert all(any(word.startswith(start) for start in EXPECTED) for word in words)
    assert len(fewer) == len(words) - 1 == len(EXPECTED) - 1


@pytest.mark.parametrize("statement", ["UPDATE messages SET seq = 1", "UPDATE messages SET x = 1",
                                       "DELETE FROM messages WHERE 0"])  # fmt: skip
def test_what_cannot_be_done_leaves_the_file_as_it_was(tables, statement):
    """A rule of the table, an unknown column, no such row: nothing is changed."""
    before = Path(tables.path).read_bytes()
    assert not done(tables.path, RowDamage("none", "value", (statement,)))
    assert Path(tables.path).read_bytes() == before


def test_keys_that_may_be_null_and_search_rows_are_damaged(tmp_path):
    """Where a schema allows it, a nameless session hides orphans, and an index has a dead row."""
    store = RepairsByKeeping(Location(tmp_path))
    for name, size in (("s0", 5), ("s1", 3), ("s2", 2)):
        for at in range(size):
            store.append(name, [Message("user", str(at))])
    tables = store.tables()
    store.close()
    with closing(sqlite3.connect(tables.path)) as db:
        classes = {one.about: one for one in row_damages(db, tables, place=2, roles=True)}
    assert "NULL" in classes["orphans"].words
    for about in ("orphans", "index", "repeated"):
        assert done(tables.path, classes[about])
    again = RepairsByKeeping(Location(tmp_path))
    assert set(again.verify().problems) >= {"lost", "nameless", "words", "double"}
    again.close()
