"""A file that was cut, changed or damaged is refused in one line, and nothing is stored."""

from __future__ import annotations

import csv
import hashlib
import shutil
import sqlite3

import pytest
from filled_portal import contents, fill

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.portal import NewMessage, Portal
from sessionproof.portal.exchange.rows import TABLES

NOTHING = dict.fromkeys(TABLES, 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A portal with a bit of everything, as CSV and as a script, and its own file."""
    folder = tmp_path_factory.mktemp("made")
    with Portal(f"sqlite:///{folder / 'full.db'}") as full:
        fill(full)
        full.export_csv(folder / "out")
        full.dump_sql(folder / "out.sql")
    return folder


@pytest.fixture
def written(made, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(made, tmp_path / "written")


@pytest.fixture
def kept(portal):
    """A portal with something in it that must stay."""
    user = portal.users.add("carl@example.org")
    portal.conversations.create(user.id, messages=[NewMessage("user", "mine")])
    return portal


def refused(portal: Portal, read, path, words: str = ".") -> None:
    """See that this is refused in one line with these words, and that nothing has changed."""
    before = contents(portal)
    with pytest.raises(StoreError, match=words) as told:
        read(portal, path)
    assert isinstance(told.value, Refused)
    assert "\n" not in str(told.value)
    assert contents(portal) == before


def signed(lines: list[bytes], numbers: str = "") -> bytes:
    """These lines as a script whose digest is right, as somebody might make it."""
    body = b"".join(lines)
    digest = hashlib.sha256(body).hexdigest()
    return body + f"-- Rows: {numbers}; SHA-256 of all lines before: {digest}\n".encode()


def test_a_script_that_was_cut_is_refused_wherever_it_ends(kept, written):
    """No beginning of a script is taken for the whole."""
    data = (written / "out.sql").read_bytes()
    for end in (0, 1, 60, len(data) // 3, len(data) // 2, data.rindex(b"COMMIT"), len(data) - 100,
                len(data) - 1):  # fmt: skip
        (written / "cut.sql").write_bytes(data[:end])
        refused(kept, Portal.load_sql, written / "cut.sql", "cut.sql has no end: .* was cut")


def test_a_script_that_was_changed_is_refused(kept, written):
    """A bit, a row less, a row twice: the digest tells it before anything is stored."""
    data = (written / "out.sql").read_bytes()
    lines = data.splitlines(keepends=True)
    row = next(at for at, line in enumerate(lines) if line.startswith(b"INSERT INTO users"))
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    less = b"".join(lines[:row] + lines[row + 1 :])
    twice = b"".join(lines[: row + 1] + lines[row:])
    for changed in (bytes(flipped), less, twice):
        (written / "changed.sql").write_bytes(changed)
        refused(kept, Portal.load_sql, written / "changed.sql", "was changed or damaged")


def test_no_other_statement_is_carried_out(kept, written):
    """A script with a digest that fits is still not run: it may say nothing but rows."""
    head = [b"-- The rows of a portal of sessionproof, form 1.\n", b"BEGIN;\n"]
    for line in (
        "DROP TABLE users;\n", "DELETE FROM users;\n", "PRAGMA foreign_keys = OFF;\n",
        "UPDATE conversations SET message_count = 5 WHERE id = 'x';\n",
        "UPDATE conversations SET user_id = 'x' WHERE id = 'x';\n",
        "INSERT INTO alembic_version (version_num) VALUES ('9');\n",
        "INSERT INTO users (id, email) VALUES ('1');\n",
        "INSERT INTO users (id) VALUES ((SELECT 'x'));\n",
        "INSERT INTO users (id) VALUES ('a'); DROP TABLE users;\n",
        "no SQL at all\n",
    ):  # fmt: skip
        (written / "bad.sql").write_bytes(signed([*head, line.encode(), b"COMMIT;\n"]))
        refused(kept, Portal.load_sql, written / "bad.sql", "bad.sql, line 3: a statement that no")
    for line, words in (
        ("INSERT INTO users (id, age) VALUES ('1', 5);\n", "users have no column age"),
        ("INSERT INTO users (id, created_at_us) VALUES ('1', 'x');\n", "cannot be a text"),
        ("INSERT INTO users (id, email) VALUES (1, 'x');\n", "cannot be a number"),
        ("INSERT INTO users (id, email) VALUES ('1', NULL);\n", "email: is missing"),
        ("INSERT INTO users (id, metadata) VALUES ('1', '[');\n", "metadata: "),
        ("INSERT INTO users (id) VALUES ('9');\n", "nothing was stored|refuses"),
    ):
        (written / "bad.sql").write_bytes(signed([*head, line.encode(), b"COMMIT;\n"]))
        refused(kept, Portal.load_sql, written / "bad.sql", words)


def test_a_script_with_fewer_rows_than_it_says_is_refused(kept, written):
    """Its digest may fit: a row left out, or a text without an end, hides nothing."""
    lines = (written / "out.sql").read_bytes().splitlines(keepends=True)
    said = lines.pop().decode().partition("Rows: ")[2].partition(";")[0]
    row = next(at for at, line in enumerate(lines) if line.startswith(b"INSERT INTO auth_sessions"))
    for fewer in (lines[:row] + lines[row + 1 :], [*lines[:row], b"INSERT INTO users ('\n"]):
        (written / "bad.sql").write_bytes(signed(fewer, said))
        refused(kept, Portal.load_sql, written / "bad.sql", "auth_sessions [02], .* says .*ons 3")


def test_a_name_that_no_file_has_is_refused(portal):
    """U+0000 in a path is told in a line, whichever way it goes."""
    for call in (portal.export_csv, portal.import_csv, portal.dump_sql, portal.load_sql):
        with pytest.raises(Refused, match="cannot hold U\\+0000"):
            call("a\0b")


def test_what_is_no_script_is_refused(kept, written):
    """A database, a folder, a name that nothing has: an error in a line, and nothing is made."""
    refused(kept, Portal.load_sql, written / "full.db", "no script of a portal")
    refused(kept, Portal.load_sql, written, "cannot be read: Is a directory")
    refused(kept, Portal.load_sql, written / "none", "cannot be read: No such file")
    refused(kept, Portal.import_csv, written / "none", "cannot be read: No such file")
    assert not (written / "none").exists()


@pytest.mark.parametrize("table", TABLES)
def test_csv_without_a_table_or_a_header_is_refused(kept, written, table):
    """Each table must be there with the names of all its columns."""
    path = written / "out" / f"{table}.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    refused(
        kept, Portal.import_csv, path.parent, rf"{table}\.csv: its header lacks id|cannot|lacks"
    )
    path.write_bytes(lines[0].replace(b"created_at_us", b"created_at") + b"".join(lines[1:]))
    refused(kept, Portal.import_csv, path.parent, "its header lacks created_at_us")
    path.write_bytes(lines[0].rstrip(b"\n") + b",more\n")
    refused(kept, Portal.import_csv, path.parent, "its header has 'more', which is unknown or twic")
    path.unlink()
    refused(kept, Portal.import_csv, path.parent, rf"{table}\.csv cannot be read")


WRONG = [
    ("messages", {"seq": "one"}, r"messages.csv, row 2: seq: 'one' is no integer"),
    ("messages", {"seq": ""}, "row 2: seq: '' is no integer"),
    ("messages", {"role": "\\N"}, "row 2: role: is missing"),
    ("messages", {"role": "robot"}, "refuse|violates"),
    ("messages", {"tokens": "-1"}, "refuse|violates"),
    ("messages", {"tokens": "9" * 19}, "row 2: tokens: .* is no integer"),
    ("messages", {"tokens": "999"}, "conversation .* has total_tokens"),
    ("messages", {"conversation_id": "nobody"}, "belongs to conversation 'nobody', which is not"),
    ("messages", {"metadata": "[]"}, "row 2: metadata: it must be an object"),
    ("messages", {"metadata": "{"}, "row 2: metadata: "),
    ("messages", {"content": '\\"\\u0000"'}, r"row 2: content: it holds U\+0000"),
    ("messages", {"content": "\\x"}, "row 2: content: "),
    ("conversations", {"message_count": "77"}, "has message_count 77, and its messages make"),
    ("conversations", {"next_seq": "0"}, "nothing was stored|refuses"),
    ("conversations", {"status": "deleted"}, "nothing was stored|refuses"),
    ("conversations", {"user_id": "nobody"}, "there is no such user"),
    ("users", {"email": "\\N"}, "users.csv, row 2: email: is missing"),
    ("auth_sessions", {"ended_by": "somebody"}, "nothing was stored|refuses"),
]
"""A table, the cells of its first row that are changed, and what the error says."""


def changed_cells(path, **cells: str) -> None:
    """Change cells of the first row of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    for name, cell in cells.items():
        rows[0][header.index(name)] = cell
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def test_a_row_that_cannot_be_is_refused(kept, written):
    """The error names file, row and column, or what the database found."""
    for table, cells, words in WRONG:
        path = written / "out" / f"{table}.csv"
        whole = path.read_bytes()
        changed_cells(path, **cells)
        refused(kept, Portal.import_csv, path.parent, words)
        path.write_bytes(whole)


def test_messages_out_of_order_are_refused(kept, written):
    """Rows that a program sorted otherwise are told, with the number that stands too late."""
    path = written / "out" / "messages.csv"
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows[::-1]])
    refused(kept, Portal.import_csv, path.parent, "comes after .*: messages stand in their order")


def test_csv_that_was_cut_is_refused(kept, written):
    """Rows are missing at the end, whole ones too: the counts of conversations tell it."""
    path = written / "out" / "messages.csv"
    data = path.read_bytes()
    for end in (data.rindex(b"\n", 0, -1) + 1, len(data) - 5, len(data) // 2):
        path.write_bytes(data[:end])
        refused(kept, Portal.import_csv, path.parent)
    path.write_bytes(data[: len(data) // 2] + b"\xff" + data[len(data) // 2 :])
    refused(kept, Portal.import_csv, path.parent, "is no UTF-8")


def old_csv(path, folder) -> None:
    """The export of the original design: no header, no auth sessions, NULL as it is printed."""
    folder.mkdir()
    with sqlite3.connect(path) as db:
        for table in ("users", "conversations", "messages"):
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(db.execute(f"SELECT * FROM {table}"))


def old_csv_back(folder, path) -> None:
    """Its way back: each cell is a text, as it stands."""
    with sqlite3.connect(path) as db:
        for file in sorted(folder.glob("*.csv"), key=lambda one: "ucm".index(one.name[0])):
            with file.open(encoding="utf-8", newline="") as lines:
                rows = [*csv.reader(lines)]
            db.execute(f"DROP TABLE {file.stem}")
            columns = ", ".join(f"'{n}'" for n in range(len(rows[0])))
            db.execute(f"CREATE TABLE {file.stem} ({columns})")
            db.executemany(f"INSERT INTO {file.stem} VALUES ({', '.join('?' * len(rows[0]))})",
                           rows)  # fmt: skip


def everything(path) -> dict[str, list[tuple]]:
    """The rows of all tables of a file, whatever their columns are called."""
    with sqlite3.connect(path) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def test_erratum_54_the_old_csv_does_not_come_back(tmp_path):
    """What our CSV brings back equal, the design's own does not: a table less, NULL become text."""
    source, ours, theirs = (tmp_path / f"{name}.db" for name in ("source", "ours", "theirs"))
    with Portal(f"sqlite:///{source}") as full, Portal(f"sqlite:///{ours}") as new:
        fill(full)
        full.export_csv(tmp_path / "our-csv")
        new.import_csv(tmp_path / "our-csv")
    Portal(f"sqlite:///{theirs}").close()
    old_csv(source, tmp_path / "old-csv")
    old_csv_back(tmp_path / "old-csv", theirs)

    def comes_back(path):
        return everything(path) == everything(source)

    assert comes_back(ours)
    assert not comes_back(theirs)
    assert everything(theirs)["auth_sessions"] == []
    assert None not in {value for row in everything(theirs)["users"] for value in row}


def old_recipe(path, dump) -> None:
    """The recipe of the original design: dump, remove the original, load what was dumped."""
    lines = ["BEGIN TRANSACTION;"]
    with sqlite3.connect(path) as db:
        try:
            lines += [*db.iterdump()][1:]
        except sqlite3.DatabaseError:  # as sqlite3's own .dump ends then
            lines += ["ROLLBACK; -- due to errors"]
    db.close()
    dump.write_text("\n".join(lines))
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
    with sqlite3.connect(path) as db:
        db.executescript(dump.read_text())
    db.close()


def damaged(path) -> None:
    """Make the pages of a table's rows unreadable; its last one, so that a dump has begun."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()[
            0
        ]
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


def test_erratum_53_a_dump_of_a_damaged_file_replaces_nothing(tmp_path):
    """After the recipe on a damaged file everything is gone; ours ends before it touches it."""
    paths = [tmp_path / "ours" / "portal.db", tmp_path / "theirs" / "portal.db"]
    for path in paths:
        path.parent.mkdir()
        with Portal(f"sqlite:///{path}") as full:
            fill(full)
        damaged(path)
    ours, theirs = paths
    with Portal(f"sqlite:///{ours}") as full, pytest.raises(Refused, match="damaged"):
        full.dump_sql(tmp_path / "ours.sql")
    assert not (tmp_path / "ours.sql").exists()
    old_recipe(theirs, tmp_path / "theirs.sql")

    def users_left(path):
        with sqlite3.connect(path) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'users'").fetchone():
                return 0
            return db.execute("SELECT count(*) FROM users").fetchone()[0]

    assert "ROLLBACK" in (tmp_path / "theirs.sql").read_text()
    assert users_left(ours) == 2
    assert users_left(theirs) == 0


def test_a_script_with_a_rollback_loads_nothing(kept, written):
    """What a dump of a damaged file ends in is no end of a script."""
    data = (written / "out.sql").read_bytes()
    broken = data[: data.rindex(b"COMMIT")] + b"ROLLBACK; -- due to errors\n"
    (written / "broken.sql").write_bytes(broken)
    refused(kept, Portal.load_sql, written / "broken.sql", "has no end")
