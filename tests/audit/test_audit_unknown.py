"""Databases of any schema: what can be said without knowing it, and nothing beyond that."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import database
from sessionproof.audit.examine import audit

TWO = "CREATE TABLE p (id TEXT PRIMARY KEY); CREATE TABLE c (p TEXT REFERENCES p (id));"


@pytest.fixture
def file(tmp_path):
    """A database that some SQL makes."""

    def make(script):
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            connection.executescript(script)
        return tmp_path / "a.db"

    return make


@pytest.mark.parametrize(
    "script",
    [
        TWO + "INSERT INTO p VALUES ('a'); INSERT INTO c VALUES ('a'), (NULL)",
        "CREATE TABLE c (x REFERENCES gone (id)); INSERT INTO c VALUES (NULL)",
        "CREATE TABLE p (a, b); CREATE TABLE c (x REFERENCES p (a)); "  # a key that is not unique
        "INSERT INTO p VALUES (1, 2), (1, 3); INSERT INTO c VALUES (1)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b AS (a + 1)); INSERT INTO t VALUES (1); "
        "CREATE VIEW v AS SELECT * FROM nowhere",
        "CREATE TABLE t (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO t VALUES (1, 2)",
        "CREATE TABLE t (parent INTEGER REFERENCES t); INSERT INTO t VALUES (1)",
        "CREATE TABLE t (a CHECK (a > 0)); INSERT INTO t VALUES (NULL), (1)",
        "CREATE VIRTUAL TABLE f USING fts5 (x); INSERT INTO f VALUES ('y')",
        'CREATE TABLE "odd "" name" ("a b" PRIMARY KEY); INSERT INTO "odd "" name" VALUES (1)',
        "CREATE TABLE sessions (id); CREATE TABLE messages (session_id, role); "
        "INSERT INTO messages VALUES ('x', 'robot')",
    ],
)
def test_what_is_not_declared_is_no_damage(file, script):
    """A healthy file of an unknown schema is right, as far as can be said."""
    found = audit(file(script))
    assert (found.schema, found.problems, found.unchecked) == (None, (), ())
    assert "the schema is not known" in found.notes[0]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (TWO + "INSERT INTO c VALUES ('x'), ('y')", ("orphan", "c", "p", 2)),
        (
            TWO + "INSERT INTO p VALUES (NULL); INSERT INTO c VALUES ('x')",
            ("orphan", "c", "p", 1),
        ),
        (
            "CREATE TABLE c (x REFERENCES gone (id)); INSERT INTO c VALUES (1)",
            ("orphan", "c", "x", 1),
        ),
        (
            'CREATE TABLE "ÄRGER" (id INTEGER PRIMARY KEY); '
            'CREATE TABLE c ("ÜBER" REFERENCES "Ärger" (id)); INSERT INTO c VALUES (1)',
            ("orphan", "c", "Über", 1),
        ),
        (
            'CREATE TABLE "ÄRGER" (a CHECK (a > 0)); PRAGMA ignore_check_constraints = ON; '
            'INSERT INTO "ÄRGER" VALUES (0)',
            ("broken-constraint", "Ärger", None, 1),
        ),
        (TWO + "INSERT INTO p VALUES (NULL), (NULL)", ("null-key", "p", "id", 2)),
        (
            "CREATE TABLE p (a, b, UNIQUE (a, b)); CREATE TABLE c (x, y, "
            "FOREIGN KEY (x, y) REFERENCES p (a, b)); INSERT INTO p VALUES (1, 2); "
            "INSERT INTO c VALUES (1, 3), (1, NULL), (1, 2)",
            ("orphan", "c", "x, y", 1),
        ),
        (
            "CREATE TABLE t (a CHECK (a > 0), b); PRAGMA ignore_check_constraints = ON; "
            "INSERT INTO t VALUES (0, 1), (1, 1), (-1, 1)",
            ("broken-constraint", "t", None, 2),
        ),
    ],
)
def test_what_is_declared_is_checked(file, problems, script, expected):
    """References, keys and CHECKs, whether they were enforced or not."""
    assert expected in problems(file(script))


def test_an_index_that_disagrees_with_its_table_is_named(file):
    """Only the one row ok is good: the index is called so that its name contains it."""
    path = file("CREATE TABLE t (a, b); CREATE INDEX tok ON t (a); INSERT INTO t VALUES (1, 2)")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX tok ON t (b)' "
                           "WHERE name = 'tok'")  # fmt: skip
        connection.commit()
    (problem,) = audit(path).problems
    assert (problem.kind, problem.sql) == ("damaged-index", 'REINDEX "tok"')
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(problem.sql)
    assert audit(path).ok


def test_a_schema_that_cannot_be_read_is_damage(file):
    """Not one table can be looked at, and that is the finding."""
    path = file("CREATE TABLE t (a)")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE t (('")
        connection.commit()
    assert {one.kind for one in audit(path).problems} == {"corrupt-file"}


def test_what_needs_the_program_of_the_file_is_not_judged(file):
    """A function that only its program has: that is said, and is no damage."""
    with closing(sqlite3.connect(file(""))) as connection:
        connection.create_function("mine", 1, lambda value: True, deterministic=True)
        connection.execute("CREATE TABLE t (a CHECK (mine(a)))")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
    found = audit(file(""))
    assert not found.problems
    assert not found.ok
    assert any("mine" in one for one in found.unchecked)


def test_text_that_is_no_utf_8_is_audited(file):
    """Whatever bytes a text has, it can be an example."""
    path = file(TWO + "INSERT INTO c VALUES (CAST(x'ff41' AS TEXT))")
    (problem,) = audit(path).problems
    assert problem.kind == "orphan"


def test_sums_that_do_not_fit_are_found(tmp_path, problems):
    """Numbers whose sum SQLite cannot make are no error of the audit."""
    with closing(database("plain", path=tmp_path / "a.db")) as connection:
        connection.execute("INSERT INTO sessions (session_id, message_count) VALUES ('a', 3)")
        for name in "xyz":
            connection.execute(
                "INSERT INTO messages (message_id, session_id, role, content, tokens_used) "
                "VALUES (?, 'a', 'user', '', ?)",
                (name, 2**62),
            )
    assert problems(tmp_path / "a.db") == {("wrong-counter", "sessions", "total_tokens", 1)}


def test_ctrl_c_ends_the_audit(file):
    """The signal comes out as it is, also when it arrives within a query."""
    path = file(
        "CREATE TABLE t (a CHECK (a >= 0)); WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO t SELECT i FROM n"
    )
    steps = []

    def interrupt(step):
        steps.append(step)
        if steps[-2:] == ["constraints", "constraints"]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        audit(path, progress=interrupt)
