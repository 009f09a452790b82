"""Threads that wait for the writer are committed together, and do not notice each other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Conflict, Expired, Indefinite, Message, NotFound, Refused, TooLarge
from sessionproof.reference import ReferenceStore, connections, grouping
from sessionproof.reference.grouping import Writer


def say(text: str, **fields: Any) -> list[Message]:
    return [Message("user", text, tokens=1, **fields)]


class Gathering:
    """Holds the writer until the calls that belong to one group wait for it, in their order."""

    def __init__(self, store: ReferenceStore) -> None:
        self._writer = store._writer
        self._pool = ThreadPoolExecutor(80)
        self._entered, self._leave = threading.Event(), threading.Event()
        self.commits = 0
        self._holder = self._pool.submit(self._writer.run, self._hold)
        assert self._entered.wait(10)

    def _hold(self, db: sqlite3.Connection) -> None:
        self._entered.set()
        assert self._leave.wait(30)
        db.set_trace_callback(self._count)  # from here on, what the group says

    def _count(self, statement: str) -> None:
        self.commits += statement == "COMMIT"

    def add(self, call: Callable[[], Any]) -> Future[Any]:
        waiting = len(self._writer._queue)
        future = self._pool.submit(call)
        while len(self._writer._queue) == waiting and not future.done():
            pass
        return future

    def go(self) -> None:
        self._leave.set()
        self._pool.shutdown()
        self._holder.result()
        self._writer._connection.set_trace_callback(None)

    def finish(self) -> None:
        self._leave.set()
        self._pool.shutdown()


@pytest.fixture
def gathering(store: ReferenceStore) -> Iterator[Gathering]:
    made = Gathering(store)
    yield made
    made.finish()


def contents(store: ReferenceStore, session_id: str) -> list[Any]:
    return [message.content for message in store.read(session_id)]


def test_those_who_wait_share_a_commit(store: ReferenceStore, gathering: Gathering):
    """Ten appends that wait together are one transaction, in the order of their arrival."""
    appends = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(10)]
    gathering.go()
    assert [future.result().seqs for future in appends] == [(n + 1,) for n in range(10)]
    assert contents(store, "s") == [str(n) for n in range(10)]
    assert gathering.commits == 1


def test_a_group_is_bounded(store: ReferenceStore, gathering: Gathering, monkeypatch):
    """No more than so many operations share a transaction; the others come next, in order."""
    monkeypatch.setattr(grouping, "MOST", 4)
    store_ids = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(10)]
    gathering.go()
    assert [future.result().seqs for future in store_ids] == [(n + 1,) for n in range(10)]
    assert gathering.commits == 3


# What each refused call does, and the class of its error. All run in one group, between appends.
REFUSED: dict[str, tuple[type[Exception], Callable[[ReferenceStore], Any]]] = {
    "constraint": (Conflict, lambda store: store.append("s", say("x", id="taken"))),
    "in a batch": (Conflict, lambda store: store.append("s", [*say("x"), *say("y", id="taken")])),
    "in a large batch": (
        Conflict,
        lambda store: store.append("s", [*say("x") * 120, *say("y", id="taken")]),
    ),
    "exists": (Conflict, lambda store: store.create("s", messages=say("x"))),
    "exists, later": (
        Conflict,
        lambda store: store.create("t", messages=[*say("x", id="i"), *say("y", id="i")]),
    ),
    "expired": (Expired, lambda store: store.append("old", say("x"))),
    "expired, replaced": (Expired, lambda store: store.replace("old", say("x"))),
    "not found": (NotFound, lambda store: store.delete_message("s", "nobody")),
    "no session": (NotFound, lambda store: store.update("nobody", title="x")),
    "too large": (TooLarge, lambda store: store.append("s", say("x" * 60_000))),
    "model in use": (Refused, lambda store: store.delete_llm_model("m")),
    "taken by an edit": (
        Conflict,
        lambda store: store.edit_message("s", "other", Message("user", "x", id="taken")),
    ),
    "stranger's trigger": (Refused, lambda store: store.append("s", say("poison"))),
    "python": (ZeroDivisionError, lambda store: store._write(lambda _: 1 // 0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_that_is_refused_fails_alone(
    store: ReferenceStore, foreign: sqlite3.Connection, name: str
):
    """A refused member gets its error, leaves nothing, and its neighbours share their commit."""
    prepare(store, foreign)
    store._writer.run(lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 50_000))
    expected, call = REFUSED[name]
    gathering = Gathering(store)
    before = gathering.add(lambda: store.append("s", say("before")))
    refused = gathering.add(lambda: call(store))
    after = gathering.add(lambda: store.append("s", say("after")))
    gathering.go()
    assert type(refused.exception()) is expected
    assert (before.result().seqs, after.result().seqs) == ((3,), (4,))
    assert contents(store, "s") == ["first", "second", "before", "after"]
    assert store.get("s").total_tokens == store.count("s") == 4
    assert sorted(store.list()) == ["old", "s"]
    assert contents(store, "old") == ["kept"]
    assert gathering.commits == 1


def prepare(store: ReferenceStore, foreign: sqlite3.Connection) -> None:
    store.create("s", messages=say("first", id="taken") + say("second", id="other"), llm_model="m")
    store.create("old", messages=say("kept"))
    foreign.execute("UPDATE sessions SET status = 'archived' WHERE session_id = 'old'")
    foreign.executescript(
        "CREATE TRIGGER stranger BEFORE INSERT ON messages WHEN NEW.content = 'poison' "
        "BEGIN SELECT RAISE(ABORT, 'poison'); END;"
    )


def test_one_that_ends_the_transaction_hurts_nobody_else(
    store: ReferenceStore, foreign: sqlite3.Connection
):
    """RAISE(ROLLBACK) in a stranger's trigger undoes the group; the others are done again alone."""
    store.append("s", say("first"))
    foreign.executescript(
        "CREATE TRIGGER stranger BEFORE INSERT ON messages WHEN NEW.content = 'poison' "
        "BEGIN SELECT RAISE(ROLLBACK, 'poison'); END;"
    )
    gathering = Gathering(store)
    calls = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(3)]
    poison = gathering.add(lambda: store.append("s", [*say("x"), *say("poison")]))
    popped = gathering.add(lambda: store.pop_last("s"))
    created = gathering.add(lambda: store.create("t", messages=say("a") * 60))
    gathering.go()
    assert isinstance(poison.exception(), Refused)
    assert [future.result().seqs for future in calls] == [(2,), (3,), (4,)]
    assert popped.result().content == "2"
    assert created.result() == "t"
    assert contents(store, "s") == ["first", "0", "1"]
    assert (store.count("s"), store.count("t")) == (3, 60)


def test_a_full_disk_is_told_to_those_who_met_it(store: ReferenceStore):
    """What does not fit is refused, and what fits beside it is stored."""
    store.append("s", say("first"))
    pages = store._writer.run(lambda db: db.execute("PRAGMA page_count").fetchone())[0]
    store._writer.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 20}").fetchall())
    gathering = Gathering(store)
    small = gathering.add(lambda: store.append("s", say("small")))
    large = gathering.add(lambda: store.append("s", say("x" * 500_000)))
    last = gathering.add(lambda: store.append("s", say("last")))
    gathering.go()
    assert "disk is full" in str(large.exception())
    assert type(large.exception()) is Refused
    assert (small.result().seqs, last.result().seqs) == ((2,), (3,))
    assert contents(store, "s") == ["first", "small", "last"]


class Troubled:
    """A connection on which one statement meets an error, so many times, before it is run."""

    def __init__(self, real: sqlite3.Connection, statement: str, code: int, *, times: int) -> None:
        self._real, self._statement, self._code, self._left = real, statement, code, times

    def execute(self, sql: str, *values: Any) -> Any:
        if sql.startswith(self._statement) and self._left:
            self._left -= 1
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = self._code
            raise error
        return self._real.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def three_under(
    store: ReferenceStore, monkeypatch: pytest.MonkeyPatch, statement: str, code: int, times: int
) -> list[Future[Any]]:
    """Three appends in one group, while a statement of theirs meets an error."""
    gathering = Gathering(store)
    calls = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(3)]
    real = store._writer._connection
    troubled = Troubled(real, statement, code, times=times)
    monkeypatch.setattr(store._writer, "_connection", troubled)
    gathering.go()
    monkeypatch.setattr(store._writer, "_connection", real)
    assert not real.in_transaction
    return calls


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CORRUPT])
def test_a_commit_that_was_undone_is_repeated(store: ReferenceStore, monkeypatch, code: int):
    """When the commit of a group surely failed, each of its operations is carried out alone."""
    store.append("s", say("first"))
    calls = three_under(store, monkeypatch, "COMMIT", code, 1)
    assert [future.result().seqs for future in calls] == [(2,), (3,), (4,)]
    assert contents(store, "s") == ["first", "0", "1", "2"]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
def test_a_commit_that_is_open_is_told_to_all(store: ReferenceStore, monkeypatch, code: int):
    """When nobody knows what the commit did, nothing is repeated and all are told so."""
    store.append("s", say("first"))
    calls = three_under(store, monkeypatch, "COMMIT", code, 1)
    assert [type(future.exception()) for future in calls] == [Indefinite] * 3
    assert len({id(future.exception().__cause__) for future in calls}) == 3
    assert contents(store, "s") == ["first"]
    assert store.append("s", say("last")).seqs == (2,)


def test_a_write_error_before_the_commit_hurts_nobody(store: ReferenceStore, monkeypatch):
    """An I/O error of a statement within a group undoes the group: each is tried again alone."""
    store.append("s", say("first"))
    calls = three_under(store, monkeypatch, "INSERT", sqlite3.SQLITE_IOERR_READ, 1)
    assert [future.result().seqs for future in calls] == [(2,), (3,), (4,)]
    assert contents(store, "s") == ["first", "0", "1", "2"]


def test_a_lasting_write_error_is_told_to_each(store: ReferenceStore, monkeypatch):
    """An I/O error that strikes each operation again, alone, is indefinite for each."""
    store.append("s", say("first"))
    calls = three_under(store, monkeypatch, "INSERT", sqlite3.SQLITE_IOERR_WRITE, 99)
    assert [type(future.exception()) for future in calls] == [Indefinite] * 3
    assert contents(store, "s") == ["first"]


def test_a_group_waits_for_a_lock(store: ReferenceStore, monkeypatch):
    """A group that meets another connection's lock is carried out when the lock ends."""
    gathering = Gathering(store)
    calls = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(3)]
    path = store.tables().path
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        pauses = 0

        def pause(_least: float, _most: float) -> float:
            nonlocal pauses
            pauses += 1
            if pauses == 3:
                foreign.execute("COMMIT")
            return 0.0

        monkeypatch.setattr(store._writer, "_pauses", pause)
        gathering.go()
    assert [future.result().seqs for future in calls] == [(1,), (2,), (3,)]
    assert (pauses, gathering.commits) == (3, 1)


def test_a_lock_that_stays_refuses_the_group(
    store: ReferenceStore, foreign: sqlite3.Connection, monkeypatch
):
    """Behind a lasting lock all of a group are refused after one wait, and none is done later."""
    monkeypatch.setattr(connections, "WAIT_S", 0.05)
    store.append("s", say("first"))
    gathering = Gathering(store)
    calls = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(3)]
    foreign.execute("BEGIN IMMEDIATE")
    gathering.go()
    for future in calls:
        assert type(future.exception()) is Refused
        assert "locked by another" in str(future.exception())
    foreign.execute("ROLLBACK")
    assert contents(store, "s") == ["first"]


def test_one_that_waited_too_long_is_not_done_later(store: ReferenceStore, monkeypatch):
    """Whoever gives up waiting is out of the queue; the others are carried out."""
    gathering = Gathering(store)
    patient = gathering.add(lambda: store.append("s", say("patient")))
    monkeypatch.setattr(connections, "QUEUE_S", 0.01)
    with pytest.raises(Refused, match="writer busy"):
        store.append("s", say("impatient"))
    gathering.go()
    assert patient.result().seqs == (1,)
    assert contents(store, "s") == ["patient"]


def test_closing_refuses_those_who_wait(tmp_path: Path):
    """Close ends the queue: who waited is refused, and what is under way is carried out."""
    store = ReferenceStore(tmp_path, durability="process")
    gathering = Gathering(store)
    calls = [gathering.add(lambda n=n: store.append("s", say(str(n)))) for n in range(5)]
    closing_thread = threading.Thread(target=store.close)
    closing_thread.start()
    while not store.ended:
        pass
    gathering._writer._connection = Deaf(gathering._writer._connection)
    gathering.finish()
    closing_thread.join()
    assert [str(future.exception()) for future in calls] == [connections.CLOSED] * 5
    with ReferenceStore(tmp_path, durability="process") as again:
        assert again.list() == []


class Deaf:
    """A connection that may be closed before its trace is taken off."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real

    def close(self) -> None:
        self._real.close()


def test_the_main_thread_leads_nobody(store: ReferenceStore, monkeypatch):
    """The thread that signals interrupt carries out its own operation alone."""
    led: list[tuple[str, int]] = []
    real = Writer._outcomes

    def outcomes(self, works):
        led.append((threading.current_thread().name, len(works)))
        return real(self, works)

    monkeypatch.setattr(Writer, "_outcomes", outcomes)
    gathering = Gathering(store)

    def others() -> None:
        while not store._writer._queue:
            pass
        for n in range(3):
            gathering.add(lambda n=n: store.append("s", say(str(n))))
        gathering._leave.set()

    thread = threading.Thread(target=others)
    thread.start()
    store.append("s", say("main"))
    thread.join()
    gathering.go()
    assert led[0] == (threading.main_thread().name, 1)
    assert led[1][1] == 3
    assert contents(store, "s") == ["main", "0", "1", "2"]
