"""What each page of an SQLite file holds, against what SQLite itself says."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.faults.damage.pages import page_size, pages_of, structure_of

SCHEMA = """
CREATE TABLE chats (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body TEXT);
CREATE INDEX chats_by_body ON chats (body);
CREATE TABLE pairs (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE large (id INTEGER PRIMARY KEY, body BLOB);
"""


def written(path, *, size=1024, rows=60, large=5_000, removed=20, vacuum="NONE"):
    """A database with all sorts of pages."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA page_size = {size}")
        db.execute(f"PRAGMA auto_vacuum = {vacuum}")
        db.executescript(SCHEMA)
        for number in range(rows):
            text = f"token{number:05d} " + "word " * (number % 40)
            db.execute("INSERT INTO chats (name, body) VALUES (?, ?)", (f"chat {number}", text))
            db.execute("INSERT INTO pairs VALUES (?, ?)", (text, "value " * (number % 90)))
        db.execute("INSERT INTO large (body) VALUES (zeroblob(?))", (large,))
        db.execute("DELETE FROM chats WHERE id <= ?", (removed,))
        db.execute("DELETE FROM large WHERE ? % 2", (large,))
        db.commit()
    return path.read_bytes()


def said_by_sqlite(path):
    """Page to name and sort as the virtual table dbstat has it, and how many pages are free."""
    with closing(sqlite3.connect(path)) as db:
        try:
            rows = db.execute("SELECT pageno, name, pagetype FROM dbstat").fetchall()
        except sqlite3.OperationalError:
            pytest.skip("SQLite was built without dbstat")
        free = db.execute("PRAGMA freelist_count").fetchone()[0]
        sorts = dict(db.execute("SELECT name, type FROM sqlite_schema"))
    return {number: (name, sort) for number, name, sort in rows}, free, sorts


def expected(name, sort, sorts):
    """The kind in our words."""
    if sort == "overflow":
        return "overflow"
    if sorts.get(name) == "index":
        return "index"
    return "interior" if sort == "internal" else "leaf"


@settings(max_examples=25, deadline=None)
@given(
    size=st.sampled_from([512, 1024, 4096, 65536]),
    rows=st.integers(0, 120),
    large=st.integers(1, 30_000),
    removed=st.integers(0, 120),
    vacuum=st.sampled_from(["NONE", "FULL", "INCREMENTAL"]),
)
def test_pages_are_what_sqlite_says(tmp_path_factory, size, rows, large, removed, vacuum):
    """Every page of a drawn file has the use that dbstat tells, and the others are free."""
    path = tmp_path_factory.mktemp("pages") / "a.db"
    data = written(path, size=size, rows=rows, large=large, removed=removed, vacuum=vacuum)
    told, free, sorts = said_by_sqlite(path)
    pages = pages_of(data)
    assert page_size(data) == size
    assert [page.number for page in pages] == list(range(1, len(data) // size + 1))
    for page in pages[1:]:
        if page.number in told:
            name, sort = told[page.number]
            assert (page.kind, page.owner) == (expected(name, sort, sorts), name)
        else:
            assert page.kind in ("free", "map")
    assert sum(page.kind == "free" for page in pages) == free
    assert pages[0].use == "header and schema"


def test_structure_is_no_text(tmp_path):
    """No byte of a message's text is taken for structure, and every place lies in its page."""
    data = written(tmp_path / "a.db")
    for page in pages_of(data):
        places = structure_of(data, page)
        start = (page.number - 1) * 1024
        assert places
        assert all(start <= place < start + 1024 for place in places)
        if page.kind == "leaf" and page.owner == "chats":
            texts = [at for at in range(start, start + 1024) if data.startswith(b"token", at)]
            heads = {place for at in texts for place in range(at, at + 10)}
            assert texts
            assert not heads & set(places)


@pytest.mark.parametrize("data", [b"", b"text", bytes(4096), b"SQLite format 3\0" + bytes(4096)])
def test_what_is_no_database_is_refused(data):
    """A file that is none has no pages."""
    with pytest.raises(ValueError, match=r"no SQLite file|is none"):
        pages_of(data)
