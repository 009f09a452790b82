"""Indexes that repeat others are noted, and are no damage."""

import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import schema
from sessionproof.audit.catalog import catalog
from sessionproof.audit.examine import audit
from sessionproof.audit.indexes import index_notes

TABLE = "CREATE TABLE t (a, b, c, UNIQUE (a, b));"


def noted(script):
    """The names of the indexes that are noted."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(script)
        return [note.split()[2] for note in index_notes(db, catalog(db))]


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ("CREATE INDEX i ON t (a)", ["i"]),
        ("CREATE INDEX i ON t (A, b)", ["i"]),
        ("CREATE INDEX i ON t (a, c); CREATE INDEX j ON t (a, c, b)", ["i"]),
        ("CREATE INDEX i ON t (c); CREATE INDEX j ON t (c)", ["j"]),
        ("CREATE INDEX i ON t (c); CREATE UNIQUE INDEX j ON t (c)", ["i"]),
        ("CREATE INDEX i ON t (b)", []),
        ("CREATE INDEX i ON t (b, a)", []),
        ("CREATE UNIQUE INDEX i ON t (a)", []),
        ("CREATE INDEX i ON t (a) WHERE c IS NULL", []),
        ("CREATE INDEX i ON t (c); CREATE INDEX j ON t (c, a) WHERE b > 0", []),
        ("CREATE INDEX i ON t (a DESC)", []),
        ("CREATE INDEX i ON t (a COLLATE NOCASE)", []),
        ("CREATE INDEX i ON t (a || b)", []),
        ("CREATE VIRTUAL TABLE f USING fts5 (x)", []),
    ],
)
def test_what_repeats_the_beginning_of_another_is_noted(index, found):
    """And nothing that enforces a rule, or serves a query that the other cannot."""
    assert noted(TABLE + index) == found


def test_the_redundant_index_of_the_enhanced_schema_is_noted():
    """Erratum 15: the messages of a session are found by their unique key already."""
    assert "idx_messages_session" in noted(schema("enhanced"))


def test_it_is_no_damage(tmp_path):
    """A file with such an index is in order."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.executescript(TABLE + "CREATE INDEX i ON t (a)")
    found = audit(tmp_path / "a.db")
    assert found.ok
    assert any("the index i of t repeats the beginning" in note for note in found.notes)
