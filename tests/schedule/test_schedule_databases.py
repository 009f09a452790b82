"""Connections under control do all that connections do, and nobody waits in C."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import dbapi2
from typing import Any

import pytest

from sessionproof.schedule.control import Controller
from sessionproof.schedule.databases import controlled_sqlite
from sessionproof.schedule.decisions import Usual


def managed(*actions: Callable[[], Any]) -> tuple[Controller, list[Any]]:
    """What came of each, carried out by managed threads of which none is interrupted."""
    controller, out = Controller(), [None] * len(actions)
    controller.begin(Usual())

    def keep(number: int) -> None:
        try:
            out[number] = actions[number]()
        except sqlite3.Error as error:
            out[number] = f"{type(error).__name__}: {error}"

    managed_by(controller, *(partial(keep, number) for number in range(len(actions))))
    return controller, out


def managed_by(controller: Controller, *actions: Callable[[], Any]) -> None:
    """Carry these out as tasks of this controller."""
    threads = []
    for number, action in enumerate(actions):
        task = controller.add(number, f"task {number}")
        threads.append(threading.Thread(target=controller.work, args=(task, action)))
        threads[-1].start()
    controller.run(set(range(len(actions))))
    for one in threads:
        one.join()


class Loud(sqlite3.Connection):
    """A store's own connection, which notes what goes through it."""

    said: list[str]

    def __init__(self, *args: Any, **named: Any) -> None:
        self.said = []
        super().__init__(*args, **named)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.said.append(sql)
        return super().execute(sql, *args)

    def cursor(self, *_: Any) -> Any:
        return super().cursor(LoudCursor)

    def commit(self) -> None:
        self.said.append("commit")
        super().commit()


class LoudCursor(sqlite3.Cursor):
    """A store's own cursor."""

    def fetchone(self) -> Any:
        return ["one", super().fetchone()]


Use = Callable[[Path], Any]


def plainly(path: Path) -> Any:
    """All ways to carry out and to fetch."""
    db = sqlite3.connect(path)
    out: list[Any] = []
    db.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y)")
    made = db.executemany("INSERT INTO t (y) VALUES (?)", iter([("a",), ("b",), ("c",)]))
    out += [made.rowcount, made.lastrowid, db.in_transaction, db.total_changes]
    db.commit()
    cursor = db.cursor()
    out += [cursor.execute("SELECT y FROM t").fetchone(), cursor.fetchmany(1), cursor.fetchall()]
    out += [
        cursor.fetchone(),
        cursor.description,
        list(db.execute("SELECT x FROM t WHERE y > 'a'")),
    ]
    db.row_factory = sqlite3.Row
    out += [dict(row) for row in db.execute("SELECT * FROM t WHERE x = :x", {"x": 2})]
    out += [tuple(row) for row in db.execute("UPDATE t SET y = 'd' WHERE x = 3 RETURNING *")]
    out.append(db.execute("SELECT 1").rowcount)
    db.rollback()
    db.close()
    return out


def with_blocks(path: Path) -> Any:
    """What is raised within a block is rolled back, all else is committed."""
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE t (x UNIQUE)")
        db.execute("INSERT INTO t VALUES (1)")
    out: list[Any] = [db.in_transaction]
    try:
        with db:
            db.execute("INSERT INTO t VALUES (2)")
            db.execute("INSERT INTO t VALUES (1)")
    except sqlite3.IntegrityError as error:
        out.append(str(error))
    out += [db.in_transaction, db.execute("SELECT x FROM t").fetchall()]
    db.close()
    return out


def scripts(path: Path) -> Any:
    """A script commits what is pending, and begins nothing by itself."""
    db = sqlite3.connect(path, isolation_level="IMMEDIATE")
    out: list[Any] = []
    db.executescript("CREATE TABLE t (x); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END;")
    db.execute("INSERT INTO t VALUES (1)")
    db.executescript("INSERT INTO t VALUES (2); SELECT x FROM t; INSERT INTO t VALUES (3)")
    out += [db.in_transaction, db.isolation_level]
    db.rollback()
    db.executescript("BEGIN; INSERT INTO t VALUES (4);")
    out.append(db.in_transaction)
    db.rollback()
    try:
        db.executescript("INSERT INTO t VALUES (5); INSERT INTO none VALUES (6); SELECT 7")
    except sqlite3.OperationalError as error:
        out.append(str(error))
    out += [db.isolation_level, db.execute("SELECT x FROM t").fetchall()]
    db.close()
    return out


def own_classes(path: Path) -> Any:
    """A store's own connection and cursor are asked as ever."""
    db = sqlite3.connect(path, factory=Loud)
    db.execute("CREATE TABLE t (x)")
    with db:
        db.execute("INSERT INTO t VALUES (1)")
    db.commit()
    out = [db.said, isinstance(db, Loud), db.cursor().execute("SELECT x FROM t").fetchone()]
    db.close()
    return out


def timeouts(path: Path) -> Any:
    """The timeout that was set is the one that is told."""
    db = sqlite3.connect(path, timeout=1.5)
    out = [db.execute("PRAGMA busy_timeout").fetchone()]
    cursor = db.execute("PRAGMA busy_timeout = 250")
    out += [cursor.description[0][0], cursor.fetchall()]
    db.executescript("PRAGMA busy_timeout = 77; SELECT 1")
    out += db.execute("PRAGMA main.busy_timeout")
    db.close()
    return out


def mistakes(path: Path) -> Any:
    """What is wrong raises what it ever raised."""
    out = []
    for use in (
        lambda: sqlite3.connect(path / "none" / "s.db"),
        lambda: sqlite3.connect(path, timeout="x"),
        lambda: sqlite3.connect(None),
        lambda: on(path, lambda db: db.execute(3)),
        lambda: on(path, lambda db: db.execute("SELEC")),
        lambda: on(path, lambda db: db.execute("SELECT ?")),
        lambda: on(path, lambda db: db.executemany("SELECT 1", 3)),
        lambda: closed(path).execute("SELECT 1"),
        lambda: closed(path).commit(),
        lambda: closed(path).close(),
        lambda: closed(path).cursor(),
    ):
        try:
            use()
            out.append("nothing")
        except Exception as error:  # noqa: BLE001 - whatever it is
            out.append(type(error).__name__)
    return out


def on(path: Path, use: Callable[[Any], Any]) -> None:
    """Use a connection that is closed in any case."""
    with closing(sqlite3.connect(path)) as db:
        use(db)


def closed(path: Path) -> sqlite3.Connection:
    """A connection that is no more."""
    db = sqlite3.connect(path)
    db.close()
    return db


@pytest.mark.parametrize(
    "use",
    [plainly, with_blocks, scripts, own_classes, timeouts, mistakes],
    ids=lambda f: f.__name__,
)
def test_it_does_as_sqlite3_does(use: Use, tmp_path: Path) -> None:
    """All answers and errors are those of a connection without control."""
    without = use(tmp_path / "without.db")
    with controlled_sqlite():
        unmanaged = use(tmp_path / "unmanaged.db")
        _, (under,) = managed(lambda: use(tmp_path / "under.db"))
    assert unmanaged == without
    assert under == without


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Behind the block, ``sqlite3`` is as it was, also where the block raised."""
    before = (sqlite3.connect, dbapi2.connect)

    def within() -> None:
        with controlled_sqlite():
            assert sqlite3.connect is not before[0]
            assert sqlite3.connect is dbapi2.connect
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        within()
    assert (sqlite3.connect, dbapi2.connect) == before


def test_a_factory_that_is_no_class_is_called(tmp_path: Path) -> None:
    """Its connection is beyond control and works."""

    def factory(*args: Any, **named: Any) -> sqlite3.Connection:
        named.pop("factory", None)
        return sqlite3.Connection(*args, **named)

    def use() -> Any:
        db = sqlite3.connect(tmp_path / "s.db", factory=factory)  # type: ignore[arg-type]
        out = db.execute("SELECT 1").fetchone()
        db.close()
        return out

    with controlled_sqlite():
        assert managed(use)[1] == [(1,)]


def real_timeout(db: sqlite3.Connection) -> int:
    """What SQLite itself would wait, in milliseconds; asked behind the back of control."""
    (wait_ms,) = sqlite3.Connection.execute(db, "PRAGMA busy_timeout").fetchone()
    return int(wait_ms)


def test_only_managed_threads_have_no_timeout(tmp_path: Path) -> None:
    """A connection that others opened waits no more in C when a managed thread uses it."""
    with controlled_sqlite():
        db = sqlite3.connect(tmp_path / "s.db", timeout=2, check_same_thread=False)
        assert real_timeout(db) == 2_000

        def use() -> int:
            db.execute("SELECT 1")
            inside = real_timeout(db)
            db.execute("PRAGMA busy_timeout = 300")
            return inside

        _, (inside,) = managed(use)
        assert inside == 0
        assert db.execute("PRAGMA busy_timeout").fetchone() == (300,)
        assert real_timeout(db) == 300
        db.execute("PRAGMA busy_timeout = 400")
        assert managed(lambda: db.execute("PRAGMA busy_timeout").fetchone())[1] == [(400,)]
        db.close()


def test_points_tell_what_is_about_to_be_done(tmp_path: Path) -> None:
    """Statements, first fetches, commits and closing are points; commits of nothing are none."""
    path = tmp_path / "s.db"

    def use() -> None:
        db = sqlite3.connect(path)
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE  TABLE t\n (x)")
        db.commit()
        db.execute("INSERT INTO t VALUES (?)", (1,))
        db.commit()
        cursor = db.execute("SELECT x FROM t")
        cursor.fetchone()
        cursor.fetchone()
        db.close()

    with controlled_sqlite():
        controller, _ = managed(use)
    points = [step.point for step in controller.steps]
    assert [(point.what, point.writes) for point in points] == [
        ("connect", False),
        ("CREATE TABLE t (x)", True),
        ("INSERT INTO t VALUES (?)", True),
        ("commit", True),
        ("SELECT x FROM t", False),
        ("fetch: SELECT x FROM t", False),
        ("close", True),
    ]
    assert {point.on for point in points} == {("db", str(path.resolve()))}
    assert points[1].detail == "CREATE  TABLE t\n (x)"


def two(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Two connections without Python's transactions; there is a table."""
    one, other = (
        sqlite3.connect(path, isolation_level=None, check_same_thread=False) for _ in range(2)
    )
    one.execute("CREATE TABLE t (x UNIQUE)")
    return one, other


def rows_after(path: Path, writes: Callable[[sqlite3.Connection], Any]) -> list[int]:
    """What is in the table when a reader came in the middle of the writes, and left later."""
    controller, met = Controller(), []
    with controlled_sqlite():
        db, reader = two(path)

        def come(number: int) -> int:
            """As the second row is written, a read begins, once."""
            if number == 2 and not met:
                met.append(number)
                sqlite3.Connection.execute(reader, "BEGIN")
                sqlite3.Connection.execute(reader, "SELECT count(*) FROM t").fetchall()
            return number

        def leave() -> None:
            controller.sleep(1)
            reader.rollback()

        db.create_function("met", 1, come)
        controller.begin(Usual())
        managed_by(controller, lambda: writes(db), leave)
        out = [x for (x,) in db.execute("SELECT x FROM t ORDER BY x")]
        db.close()
        reader.close()
    assert met == [2]
    return out


def test_many_rows_are_not_written_twice(tmp_path: Path) -> None:
    """Each row of ``executemany`` is a transaction here: only the refused one is redone."""
    counts = []

    def writes(db: sqlite3.Connection) -> None:
        given = iter([(1,), (2,), (3,)])
        counts.append(db.executemany("INSERT INTO t VALUES (met(?))", given).rowcount)

    assert rows_after(tmp_path / "s.db", writes) == [1, 2, 3]
    assert counts == [3]


def test_a_script_is_not_carried_out_twice(tmp_path: Path) -> None:
    """The refused statement of a script is redone, those before it are not."""
    script = "".join(f"INSERT INTO t VALUES (met({number}));" for number in (1, 2, 3))
    assert rows_after(tmp_path / "s.db", lambda db: db.executescript(script)) == [1, 2, 3]


def test_what_returns_rows_is_not_lost(tmp_path: Path) -> None:
    """A statement that is committed by its last fetch waits there, and its rows come."""
    got = []

    def writes(db: sqlite3.Connection) -> None:
        got.extend(db.execute("INSERT INTO t VALUES (met(1)), (met(2)) RETURNING x"))

    assert rows_after(tmp_path / "s.db", writes) == [1, 2]
    assert got == [(1,), (2,)]


@pytest.mark.skipif(not hasattr(sqlite3.Connection, "autocommit"), reason="not in this Python")
def test_a_transaction_that_is_always_open_lets_go_at_its_end(tmp_path: Path) -> None:
    """Where Python begins the next transaction at once, who waits goes on between the two."""
    controller, path, when = Controller(), tmp_path / "s.db", []

    def write(begins: float) -> None:
        controller.sleep(begins)
        db = sqlite3.connect(path, autocommit=False)  # type: ignore[call-overload]
        db.execute("INSERT INTO t VALUES (?)", (begins,))
        controller.sleep(1)
        db.commit()
        when.append(controller.now)
        controller.sleep(100)
        db.close()

    with controlled_sqlite():
        for one in two(path):
            one.close()
        controller.begin(Usual())
        managed_by(controller, lambda: write(0), lambda: write(0.5))
    assert when == [1, 2]
