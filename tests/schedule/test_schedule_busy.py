"""What SQLite lets wait and what it refuses at once: the model against SQLite itself."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from busy_cases import CASES, GAPS, NOTHING, READ, WRITE, Case

from sessionproof.schedule.busy import BUSY, BUSY_SNAPSHOT, statement_of, waits
from sessionproof.schedule.control import Controller
from sessionproof.schedule.databases import controlled_sqlite, statements_of
from sessionproof.schedule.decisions import Ended, Usual

_SLEPT = 10  # times that who waits has let go of the processor; who does not, a few times at most
_STATUS = Path("/proc/self/task")


def prepared(path: Path, case: Case) -> None:
    """A table of three rows."""
    with_table = sqlite3.connect(path, isolation_level=None)
    with_table.execute(f"PRAGMA journal_mode = {case.journal}")
    with_table.execute("CREATE TABLE t (x)")
    with_table.execute("INSERT INTO t VALUES (1), (2), (3)")
    with_table.close()


class Waiter:
    """The second connection, in a thread of its own."""

    def __init__(self, path: Path, case: Case) -> None:
        self.db = sqlite3.connect(
            path, timeout=case.timeout, isolation_level=case.level, check_same_thread=False
        )
        self.db.execute("PRAGMA synchronous = OFF")  # who waits for a disk sleeps, too
        self.case = case
        self.went = "goes on"
        self.left = case.first(self.db)  # an open cursor, perhaps

    def act(self) -> None:
        """Do it; whether it was refused is noted."""
        try:
            self.case.acts(self.db)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            self.went = "is refused"

    def rows(self) -> list[Any]:
        """What is in the table at the end, and whether a transaction is open."""
        inside = self.db.in_transaction
        if inside:
            self.db.rollback()
        return [inside, *self.db.execute("SELECT x FROM t")]


def by_sqlite(path: Path, case: Case) -> tuple[str, list[Any]]:
    """How it goes where SQLite itself waits: who does sleeps, again and again."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    waiter, done, ids = Waiter(path, case), threading.Event(), []
    case.holds(holder)

    def work() -> None:
        ids.append(threading.get_native_id())
        waiter.act()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.005) and (not ids or slept(ids[0]) < _SLEPT):
        pass
    at_once = done.is_set()
    case.lets_go(holder)
    thread.join()
    rows = waiter.rows()
    holder.close()
    waiter.db.close()
    if at_once:
        return waiter.went, rows
    assert waiter.went == "goes on"
    return "waits", rows


def slept(thread: int) -> int:
    """How often a thread has let go of the processor by itself."""
    text = (_STATUS / str(thread) / "status").read_text()
    return int(text.partition("voluntary_ctxt_switches:")[2].split()[0])


def under_control(path: Path, case: Case) -> tuple[str, list[Any]]:
    """How it goes under control: who waits is parked until the lock is let go."""
    controller, out = Controller(), {}

    def holding() -> None:
        holder = sqlite3.connect(path, isolation_level=None)
        case.holds(holder)
        controller.sleep(1)
        out["at once"] = "went" in out
        case.lets_go(holder)
        holder.close()

    def acting() -> None:
        waiter = Waiter(path, case)
        controller.sleep(0.5)
        waiter.act()
        out["went"] = waiter.went
        controller.sleep(1)
        out["rows"] = waiter.rows()
        waiter.db.close()

    with controlled_sqlite():
        played(controller, acting, holding)
    assert controller.ended is Ended.DONE
    assert controller.taken == 0
    if out["at once"]:
        return out["went"], out["rows"]
    assert out["went"] == "goes on"
    return "waits", out["rows"]


def played(controller: Controller, *actions: Callable[[], None]) -> None:
    """Tasks in threads of their own; nobody is interrupted."""
    controller.begin(Usual())
    threads = []
    for number, action in enumerate(actions):
        task = controller.add(number, f"task {number}")
        threads.append(threading.Thread(target=controller.work, args=(task, action)))
        threads[-1].start()
    controller.run(set(range(len(actions))))
    controller.give_up()
    for one in threads:
        one.join()


linux = pytest.mark.skipif(
    not _STATUS.exists(), reason="this system does not show how often a thread has slept"
)


@linux
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_model_does_as_sqlite_does(case: Case, tmp_path: Path) -> None:
    """Who waits, is refused at once or goes on is as SQLite has it, and so are the rows."""
    prepared(tmp_path / "real.db", case)
    prepared(tmp_path / "ours.db", case)
    real = by_sqlite(tmp_path / "real.db", case)
    assert real[0] == case.expected
    assert under_control(tmp_path / "ours.db", case) == real


@linux
@pytest.mark.parametrize("case", GAPS, ids=lambda case: case.name)
def test_where_the_model_is_in_doubt_it_waits(case: Case, tmp_path: Path) -> None:
    """What SQLite refuses without a reason that we can see waits: a delay is always possible."""
    prepared(tmp_path / "real.db", case)
    prepared(tmp_path / "ours.db", case)
    assert by_sqlite(tmp_path / "real.db", case)[0] == "is refused"
    assert under_control(tmp_path / "ours.db", case)[0] == "waits"


def test_who_waits_too_long_is_refused(tmp_path: Path) -> None:
    """A timeout passes in virtual time when nobody lets go."""
    prepared(tmp_path / "s.db", Case("", NOTHING, NOTHING))
    controller, said = Controller(), []

    def act() -> None:
        first, second = (
            sqlite3.connect(tmp_path / "s.db", timeout=3_600, isolation_level=None)
            for _ in range(2)
        )
        first.execute("BEGIN IMMEDIATE")
        try:
            second.execute(WRITE)
        except sqlite3.OperationalError as error:
            said.append(error.sqlite_errorcode)
        first.close()
        second.close()

    with controlled_sqlite():
        played(controller, act)
    assert said == [BUSY]
    assert controller.now == 3_600


SHARED = "file:shared-by-name?mode=memory&cache=shared"


def test_tables_of_a_shared_cache_are_not_waited_for() -> None:
    """SQLite refuses at once what another connection of the same cache has locked; so do we."""

    def refused() -> int:
        one, two = (sqlite3.connect(SHARED, uri=True, isolation_level=None) for _ in range(2))
        try:
            one.execute("CREATE TABLE t (x)")
            one.execute("BEGIN IMMEDIATE")
            one.execute(WRITE)
            two.execute(READ).fetchall()
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode
        finally:
            one.close()
            two.close()
        return 0

    ours: list[int] = []
    controller = Controller()
    with controlled_sqlite():
        played(controller, lambda: ours.append(refused()))
    assert ours == [refused()]
    assert ours != [0]
    assert controller.now == 0


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("SELECT x FROM t", "holds"),
        ("  -- a remark; with a mark\n/* and\n another */ select 1", ""),
        ("INSERT INTO t VALUES (1)", "writes holds"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", ""),
        ("SELECT value FROM json_each('[]')", "holds"),
        ("SELECT x FROM (SELECT 1 AS x)", ""),
        ("SELECT x FROM (SELECT x FROM [t])", "holds"),
        ("INSERT INTO temp.t VALUES (1)", "writes"),
        ("with a as (select 1) insert into t select * from a", "writes holds"),
        ("BEGIN", ""),
        ("begin deferred transaction", ""),
        ("BEGIN IMMEDIATE", "writes holds"),
        ("BEGIN EXCLUSIVE TRANSACTION", "writes holds"),
        ("COMMIT", "writes ends frees"),
        ("end transaction", "writes ends frees"),
        ("RELEASE a", "writes ends"),
        ("ROLLBACK", "writes frees"),
        ("ROLLBACK TO a", "writes"),
        ("rollback transaction to savepoint a", "writes"),
        ("SAVEPOINT a", ""),
        ("PRAGMA table_info(t)", ""),
        ("PRAGMA user_version = 3", "writes"),
        ("CREATE TABLE u (x)", "writes holds"),
        ("", "writes"),
    ],
)
def test_statements_are_known_by_their_first_word(text: str, is_so: str) -> None:
    """Whether a statement writes, takes a lock in a transaction, ends one or frees its locks."""
    found = statement_of(text)
    said = [name for name in ("writes", "holds", "ends", "frees") if getattr(found, name)]
    assert " ".join(said) == is_so


def test_a_statement_is_told_in_a_few_words() -> None:
    """White space is folded and what is long is cut; the text is kept."""
    text = "INSERT INTO a_table_of_some_name\n   (a, b, c)\n VALUES (1, 2, 3), (4, 5, 6), (7, 8)"
    found = statement_of(text)
    assert found.what == "INSERT INTO a_table_of_some_name (a, b, c) VALUES (1, 2, 3)…"
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("PRAGMA busy_timeout", None),
        ("PRAGMA busy_timeout = 250", 250),
        ("pragma main.busy_timeout=0;", 0),
        ("PRAGMA busy_timeout(30)", 30),
        ("PRAGMA busy_timeout = -1", 0),
        ("PRAGMA busy_timeout = '40'", 40),
        ("PRAGMA busy_timeout = none", 0),
    ],
)
def test_the_timeout_is_read_as_sqlite_reads_it(text: str, wait_ms: int | None) -> None:
    """All forms of the pragma, and what SQLite makes of words in the place of a number."""
    found = statement_of(text)
    assert found.asks_wait
    assert found.wait_ms == wait_ms
    db = sqlite3.connect(":memory:", timeout=0.123)
    (real,) = db.execute(text).fetchone()
    db.close()
    assert real == (123 if wait_ms is None else wait_ms)


def test_no_waiting_helps_who_has_read_something_old() -> None:
    """What is no longer the newest is refused, whoever asks."""
    write = statement_of(WRITE)
    assert waits(BUSY, write, wait_ms=1, holding=False)
    assert not waits(BUSY_SNAPSHOT, write, wait_ms=1, holding=False)
    assert not waits(6, write, wait_ms=1, holding=False)


def test_a_script_is_cut_at_the_ends_of_statements() -> None:
    """Semicolons in texts, remarks and triggers end nothing; empty statements are none."""
    trigger = "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;"
    parts = ["SELECT ';' -- a remark; or two\n;", f"\n{trigger}", " SELECT 3;"]
    whole = f"{parts[0]};;{parts[1]}{parts[2]}"
    assert list(statements_of(whole)) == parts
    assert list(statements_of(whole.removesuffix(";"))) == parts
    assert list(statements_of(" -- only a remark\n")) == []
