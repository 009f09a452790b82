"""Threads, locks, readers, forks, errors and closing."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
import tracemalloc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Conflict, Indefinite, Message, NotFound, Refused, TooLarge
from sessionproof.reference import PRESETS, Preset, ReferenceStore, connections, failures
from sessionproof.reference.connections import Readers


def say(text: str) -> list[Message]:
    return [Message("user", text, tokens=1)]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def impatient(monkeypatch):
    """Waits for locks end soon."""
    monkeypatch.setattr(connections, "WAIT_S", 0.1)
    monkeypatch.setattr(connections, "QUEUE_S", 0.2)


@pytest.mark.parametrize("preset", PRESETS)
def test_threads_share_a_handle(tmp_path: Path, preset: str):
    """Eight threads append, read and count on one handle; nothing is lost, repeated or late."""
    with ReferenceStore(tmp_path, preset=preset, durability="process") as store:

        def client(name: int) -> None:
            for number in range(25):
                store.append("s", [*say(f"{name}.{number}"), *say(f"{name}.{number}b")])
                texts = [message.content for message in store.read("s")]
                mine = [text for text in texts if text.startswith(f"{name}.")]
                assert len(mine) == 2 * (number + 1)
                assert store.count("s") >= len(texts)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client, range(8)))
        messages = store.read("s")
        assert len({message.content for message in messages}) == len(messages) == 400
        assert store.get("s").total_tokens == 400
        assert len(store._readers._all) <= PRESETS[preset].readers


def test_threads_create_one_session_at_once(tmp_path: Path):
    """Of many threads that create one id one succeeds; appends that create it all succeed."""
    with ReferenceStore(tmp_path, durability="process") as store:
        barrier = threading.Barrier(8)

        def create(number: int) -> str:
            barrier.wait()
            store.append("appended", say(str(number)))
            try:
                store.create("created", messages=say(str(number)))
            except Conflict:
                return "conflict"
            return "created"

        with ThreadPoolExecutor(8) as pool:
            outcomes = Counter(pool.map(create, range(8)))
        assert outcomes == {"created": 1, "conflict": 7}
        assert store.count("appended") == 8
        assert store.count("created") == 1


def test_deleting_and_appending_leave_no_orphan(tmp_path: Path):
    """While one thread deletes and another appends, no message is left without its session."""
    with ReferenceStore(tmp_path, durability="process") as store:

        def append(_: int) -> None:
            store.append("s", say("x"))

        def delete(_: int) -> None:
            store.delete("s")

        with ThreadPoolExecutor(4) as pool:
            for number in range(150):
                pool.submit((append, delete)[number % 3 == 0], number)
        with closing(sqlite3.connect(store.tables().path)) as connection:
            orphans = "SELECT count(*) FROM messages WHERE sid NOT IN (SELECT id FROM sessions)"
            assert connection.execute(orphans).fetchone() == (0,)
        assert store.count("s") == len(store.read("s"))


def test_a_lock_that_stays_is_refused(store: ReferenceStore, foreign, impatient):
    """A write that meets a lasting lock is refused; nothing of it appears later."""
    store.append("s", say("a"))
    foreign.execute("BEGIN IMMEDIATE")
    for call in (
        lambda: store.append("s", say("b")),
        lambda: store.append("new", say("b")),
        lambda: store.create("new"),
        lambda: store.delete("s"),
        lambda: store.set_state("s", "k", 1),
    ):
        with pytest.raises(Refused, match="locked by another") as caught:
            call()
        assert not isinstance(caught.value, Conflict)
    assert store.count("s") == 1  # readers go on
    foreign.execute("ROLLBACK")
    assert store.list() == ["s"]
    assert store.append("s", say("c")).seqs == (2,)


def test_a_lock_that_ends_is_waited_for(store: ReferenceStore, foreign):
    """A write that meets a short lock succeeds as soon as it ends."""
    foreign.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        appended = pool.submit(store.append, "s", say("a"))
        with pytest.raises(TimeoutError):
            appended.result(timeout=0.1)
        foreign.execute("COMMIT")
        assert appended.result(timeout=5).seqs == (1,)


def test_a_thread_is_not_kept_waiting_for_ever(store: ReferenceStore, impatient):
    """Behind a writer that does not end, a write is refused."""
    entered, leave = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        entered.set()
        leave.wait(5)

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(store._writer.run, work)
        entered.wait(5)
        with pytest.raises(Refused, match="writer busy"):
            store.append("s", say("a"))
        leave.set()
        blocked.result()
    assert store.list() == []


def test_readers_are_bounded_and_recycled(monkeypatch):
    """No more readers than the preset allows; extra ones and old ones are closed again."""
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(":memory:", check_same_thread=False))
        return opened[-1]

    now = [0.0]
    monkeypatch.setattr(connections, "monotonic_s", lambda: now[0])
    readers = Readers(connect, Preset(readers=2, extra_readers=3, recycle_s=10))
    barrier = threading.Barrier(5)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: readers.run(lambda _db: barrier.wait(5)), range(5)))
        list(pool.map(lambda _: readers.run(lambda db: db.execute("SELECT 1")), range(50)))
    assert len(readers._all) == 2
    assert len(opened) <= 8
    now[0] = 11.0
    readers.run(lambda _: None)
    assert len(readers._all) == 1
    readers.close()
    assert not readers._all


def test_too_few_readers_are_said(monkeypatch, impatient):
    """When all readers stay busy, the remedy is named."""
    only = Preset(readers=1, extra_readers=0, recycle_s=10)
    readers = Readers(lambda: sqlite3.connect(":memory:", check_same_thread=False), only)

    def nested(_: sqlite3.Connection) -> None:
        readers.run(lambda _db: None)

    with pytest.raises(Refused, match="all 1 readers are busy: use a larger preset"):
        readers.run(nested)
    readers.close()


def test_close_is_idempotent_and_final(tmp_path: Path):
    """After close every operation is refused in one clear line, and every file is closed."""
    before = descriptors()
    store = ReferenceStore(tmp_path)
    store.append("s", say("a"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.read("s"), range(20)))
    store.close()
    store.close()
    for call in (
        lambda: store.append("s", say("b")),
        lambda: store.append("s", []) and store.read("s"),
        lambda: store.read("s"),
        lambda: store.get("s"),
        lambda: store.list(),
        lambda: store.delete("s"),
    ):
        with pytest.raises(Refused, match="the store is closed"):
            call()
    assert descriptors() == before
    assert [item.name for item in tmp_path.iterdir()] == ["sessions.db"]


def test_closing_while_others_work(tmp_path: Path):
    """Threads that work during close succeed or are refused; nothing else is raised."""
    before = descriptors()
    for _ in range(5):
        store = ReferenceStore(tmp_path, durability="process")
        acked: list[str] = []
        refusals: set[str] = set()

        def client(name: int, store=store, acked=acked, refusals=refusals) -> None:
            try:
                for number in range(200):
                    store.append("s", say(f"{name}.{number}"))
                    acked.append(f"{name}.{number}")
                    store.read_last("s", 3)
            except Refused as error:
                refusals.add(str(error))

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(client, name) for name in range(4)]
            while len(acked) < 20:
                pass
            store.close()
        for future in futures:
            future.result()
        assert refusals <= {connections.CLOSED}
        with ReferenceStore(tmp_path, durability="process") as again:
            assert {message.content for message in again.read("s")} >= set(acked)
            again.delete("s")
    assert descriptors() == before


def test_no_connection_is_left_to_the_collector(tmp_path: Path):
    """Threads that ended leave no connection behind, and memory is given back."""
    tracemalloc.start()
    try:
        with ReferenceStore(tmp_path, durability="process") as store:
            store.append("s", say("a"))
            for _ in range(20):
                thread = threading.Thread(target=store.read, args=("s",))
                thread.start()
                thread.join()
            assert len(store._readers._all) == 1
        gc.collect()
    finally:
        tracemalloc.stop()


FORK = """
import os, sys
from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore

store = ReferenceStore(sys.argv[1], durability="process")
store.append("s", [Message("user", "parent")])
store.read("s")
child = os.fork()
if child == 0:
    for call in (lambda: store.read("s"), lambda: store.append("s", [Message("user", "x")])):
        try:
            call()
            os._exit(3)
        except Refused as error:
            if "forked" not in str(error):
                os._exit(4)
    store.close()
    with ReferenceStore(sys.argv[1], durability="process") as own:
        own.append("s", [Message("user", "child")])
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
store.append("s", [Message("user", "after")])
assert [m.content for m in store.read("s")] == ["parent", "child", "after"]
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_handle_is_refused(run_apart):
    """A child refuses its parent's handle, opens its own, and does the parent no harm."""
    run_apart(FORK)


@pytest.mark.parametrize("trouble", ["DROP TABLE messages", "ALTER TABLE messages RENAME TO m"])
def test_a_broken_table_is_an_error(store: ReferenceStore, foreign, trouble: str):
    """When the table is gone, every operation raises, and says so."""
    store.append("s", say("a"))
    foreign.execute(trouble)
    with pytest.raises(Refused, match="expected tables"):
        store.append("s", say("b"))
    with pytest.raises(Refused, match="expected tables"):
        store.read("s")


def test_a_full_disk_is_definite(store: ReferenceStore):
    """When the file cannot grow, the write is refused, earlier data stays, and later it goes on."""
    store.append("s", say("a"))
    store._writer.run(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(Refused, match="disk is full"):
        store.append("s", say("b" * 500_000))
    with pytest.raises(Refused, match="disk is full"):
        store.append("s", [*say("b" * 500_000)] * 60)
    assert store.count("s") == 1
    store._writer.run(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert store.append("s", say("b" * 500_000)).seqs == (2,)


def error_of(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind("text of sqlite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "writes", "expected"),
    [
        (error_of(sqlite3.SQLITE_BUSY), True, Refused),
        (error_of(sqlite3.SQLITE_BUSY_SNAPSHOT), True, Refused),
        (error_of(sqlite3.SQLITE_FULL), True, Refused),
        (error_of(sqlite3.SQLITE_READONLY), True, Refused),
        (error_of(sqlite3.SQLITE_CORRUPT, sqlite3.DatabaseError), True, Refused),
        (error_of(sqlite3.SQLITE_IOERR_FSYNC), True, Indefinite),
        (error_of(sqlite3.SQLITE_IOERR_WRITE), True, Indefinite),
        (error_of(sqlite3.SQLITE_INTERRUPT), True, Indefinite),
        (error_of(sqlite3.SQLITE_IOERR_READ), False, Refused),
        (error_of(sqlite3.SQLITE_TOOBIG, sqlite3.DataError), True, TooLarge),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), True, Refused),
        (sqlite3.InterfaceError("something new"), True, Indefinite),
    ],
    ids=str,
)
def test_errors_say_what_may_be_concluded(error, writes: bool, expected: type):
    """Only an error that can strike after the commit record is indefinite, and only for writes."""
    seen = failures.as_store_error(error, path="file.db", writes=writes)
    assert type(seen) is expected
    assert "\n" not in str(seen)


def test_an_indefinite_write_raises_and_the_store_goes_on(store: ReferenceStore, monkeypatch):
    """An I/O error during an append is reported as open, and the next append works."""
    real = store._writer._connection

    class Failing:
        in_transaction = False

        def execute(self, *_):
            raise error_of(sqlite3.SQLITE_IOERR_FSYNC)

    monkeypatch.setattr(store._writer, "_connection", Failing())
    with pytest.raises(Indefinite, match="is open"):
        store.append("s", say("a"))
    monkeypatch.setattr(store._writer, "_connection", real)
    assert store.append("s", say("a")).seqs == (1,)


def test_an_interrupted_transaction_leaves_nothing(store: ReferenceStore):
    """Ctrl-C within a transaction rolls it back."""

    def work(db: sqlite3.Connection) -> None:
        with connections.transaction(db):
            db.execute("DELETE FROM sessions")
            raise KeyboardInterrupt

    store.append("s", say("a"))
    with pytest.raises(KeyboardInterrupt):
        store._writer.run(work)
    assert store.count("s") == 1
    with pytest.raises(NotFound):
        store.delete_message("s", "x")


def test_a_reader_that_is_struck_leaves_no_transaction(tmp_path: Path):
    """Ctrl-C after a BEGIN: the next reader sees what was written since."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", say("one"))

        def struck(db: sqlite3.Connection) -> None:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM messages").fetchall()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store._read(struck)
        store.append("s", say("two"))
        assert store.count("s") == 2
        assert store.snapshot("s")
