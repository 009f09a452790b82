"""What goes out of a portal as CSV or as a script comes back equal, on either database."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

import pytest
from filled_portal import contents, fill
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.cells import NULL, from_cell, to_cell
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.portal import NewMessage, Portal
from sessionproof.portal.exchange import script, tables
from sessionproof.portal.exchange.rows import TABLES, columns, value_of
from sessionproof.portal.models import Base

FORMS = {
    "csv": (Portal.export_csv, Portal.import_csv),
    "sql": (Portal.dump_sql, Portal.load_sql),
}


@pytest.fixture(params=FORMS)
def form(request):
    """How it is written, and how it is read again."""
    return FORMS[request.param]


@pytest.fixture(params=["sqlite", "postgresql"])
def another(request, new_place, opened):
    """An empty portal on each database."""
    return opened(**new_place(request.param, "another").options)


def test_what_goes_out_comes_back_equal(portal, another, form, tmp_path):
    """Every value of every table is the same in the other database, counts and times included."""
    fill(portal)
    write, read = form
    before = contents(portal)
    numbers = {table: len(rows) for table, rows in before.items()}
    assert write(portal, tmp_path / "out") == numbers
    assert read(another, tmp_path / "out") == numbers
    assert contents(another) == before
    assert contents(portal) == before


def test_the_new_database_goes_on(portal, another, form, tmp_path):
    """After the import numbers go on where they were, and people sign in as before."""
    ann = fill(portal)
    token = portal.auth.begin(ann.id)
    write, read = form
    write(portal, tmp_path / "out")
    read(another, tmp_path / "out")
    assert another.auth.resume(token).user_id == ann.id
    assert another.auth.sign_in("ann@example.org", "secret")
    for one in portal.queries.conversations_of(ann.id, status="active"):
        assert another.messages.append(one.id, [NewMessage("user", "on")]) == (one.next_seq,)


def test_an_empty_portal_goes_through(portal, another, form, tmp_path):
    """A portal without a user is written and read, too."""
    write, read = form
    assert set(write(portal, tmp_path / "out").values()) == {0}
    assert set(read(another, tmp_path / "out").values()) == {0}


def test_many_rows_go_through(portal, another, form, tmp_path):
    """More rows than are handed over at once come back equal."""
    user = portal.users.add("ann@example.org")
    for number in range(3):
        messages = [NewMessage("user", f"{number}.{n}", tokens=n) for n in range(450)]
        portal.conversations.create(user.id, messages=messages)
    write, read = form
    write(portal, tmp_path / "out")
    read(another, tmp_path / "out")
    assert contents(another) == contents(portal)


def test_others_stay(portal, another, form, tmp_path):
    """What is in the database already stays as it is, beside what comes."""
    write, read = form
    fill(portal)
    write(portal, tmp_path / "out")
    carl = another.users.add("carl@example.org")
    own = another.conversations.create(carl.id, messages=[NewMessage("user", "mine")])
    read(another, tmp_path / "out")
    assert another.queries.count_users() == 3
    assert another.messages.read(own.id)[0].content == "mine"


def test_what_is_there_already_is_a_conflict(portal, form, tmp_path):
    """A second import of the same rows changes nothing."""
    write, read = form
    fill(portal)
    write(portal, tmp_path / "out")
    before = contents(portal)
    with pytest.raises(Conflict, match="exists"):
        read(portal, tmp_path / "out")
    assert contents(portal) == before


def test_an_export_is_one_moment(portal, form, tmp_path, monkeypatch):
    """Messages that come while tables are written are in none of them, or the counts would lie."""
    ann = fill(portal)
    (chat,) = portal.queries.conversations_of(ann.id, status="active")
    write, read = form
    before = contents(portal)
    module = script if write is Portal.dump_sql else tables
    rows_of = module.rows_of

    def meanwhile(session, table):
        if table == "messages":
            portal.messages.append(chat.id, [NewMessage("user", "late")])
        return rows_of(session, table)

    monkeypatch.setattr(module, "rows_of", meanwhile)
    write(portal, tmp_path / "out")
    monkeypatch.undo()
    assert contents(portal) != before
    with Portal(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        read(copy, tmp_path / "out")
        assert contents(copy) == before


def test_every_column_is_taken_along():
    """All tables of the models, and all their columns but the one that is computed."""
    assert list(TABLES) == ["users", "auth_sessions", "conversations", "messages"]
    assert set(TABLES) == set(Base.metadata.tables)
    left = {f"{table}.{one.name}" for table in TABLES for one in TABLES[table].columns
            if one.name not in columns(table)}  # fmt: skip
    assert left == {"auth_sessions.expires_at_us"}


def test_each_table_has_a_file_with_a_header(portal, tmp_path):
    """Four files, each begins with the names of its columns; NULL is apart from the empty text."""
    fill(portal)
    portal.export_csv(tmp_path / "out")
    for table in TABLES:
        with (tmp_path / "out" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == [*columns(table)]
        assert rows
    assert {row[header.index("tokens")] for row in rows} == {NULL, "0", "12"}


def test_columns_may_be_moved(portal, another, tmp_path):
    """Cells are read by the header, in whatever order a program left the columns."""
    fill(portal)
    portal.export_csv(tmp_path / "out")
    path = tmp_path / "out" / "users.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row[::-1] for row in csv.reader(file)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    another.import_csv(tmp_path / "out")
    assert contents(another) == contents(portal)


def test_files_are_private(portal, tmp_path):
    """What people said, and digests of their tokens, can be read by the owner alone."""
    portal.export_csv(tmp_path / "out")
    portal.dump_sql(tmp_path / "out.sql")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "out.sql", *(tmp_path / "out").iterdir()):
        assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over(portal, form, tmp_path):
    """A name that is taken is refused, and what has it stays; no part is left behind."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(Refused, match=r"taken cannot be written: it is there already"):
        form[0](portal, tmp_path / "taken")
    with pytest.raises(Refused, match=r"No such file or directory"):
        form[0](portal, tmp_path / "nowhere" / "out")
    assert (tmp_path / "taken").read_text() == "mine"
    assert not [*tmp_path.glob(".*.part")]


def test_the_script_is_sql(portal, place, another, tmp_path):
    """A client that knows nothing of portals runs it on new tables, and all is equal."""
    fill(portal)
    portal.dump_sql(tmp_path / "out.sql")
    text = (tmp_path / "out.sql").read_bytes().decode()
    address = another.database.address
    if address.path is not None:
        with sqlite3.connect(address.path) as db:
            db.executescript(text)
        db.close()
    else:
        import psycopg

        with psycopg.connect(address.where, autocommit=True) as db:
            db.execute(f"SET search_path = {address.schema}")
            db.execute(text)
    assert contents(another) == contents(portal)


@given(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(alphabet=st.characters(
    exclude_characters="\0", exclude_categories=["Cs"])))  # fmt: skip
def test_every_value_is_read_as_it_was_written(value):
    """Texts and numbers come out of a literal, and of a cell, as they went in."""
    assert script._value(script._literal(value)) == value
    if not isinstance(value, int):
        assert from_cell(to_cell(value)) == value


@given(st.lists(st.text(alphabet="a',;() \n-\\"), min_size=2, max_size=2))
def test_no_text_ends_a_statement(texts):
    """Whatever a text holds, the statement is read as the one row that it is."""
    line = ("INSERT INTO messages (conversation_id, content) VALUES "
            f"({', '.join(map(script._literal, texts))});\n")  # fmt: skip
    path = Path("x.sql")
    (found,) = script._statements(path, line.encode().splitlines(keepends=True))
    assert list(found.row.values()) == texts


def test_json_is_what_it_was():
    """A JSON object is an object again, and no text is taken for one."""
    details = columns("users")["metadata"]
    assert value_of(details, '{"a":[1,null]}') == {"a": [1, None]}
    for wrong in ("[]", "1", "{", '"a"', '{"a": NaN}', "[" * 100_000):
        with pytest.raises((ValueError, Refused, RecursionError)):
            value_of(details, wrong)
