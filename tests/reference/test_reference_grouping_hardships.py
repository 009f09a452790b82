"""The queue of writers under signals, forks and load."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Conflict, Message, Refused
from sessionproof.contract.seed import generator
from sessionproof.reference import ReferenceStore, connections


def say(text: str, **fields: Any) -> list[Message]:
    return [Message("user", text, tokens=1, **fields)]


INTERRUPT = """
import os, signal, sys, threading
from sessionproof import Message
from sessionproof.reference import ReferenceStore

where = sys.argv[2]
store = ReferenceStore(sys.argv[1], durability="process")
store.append("s", [Message("user", "first")])
entered, leave = threading.Event(), threading.Event()

def hold(db):
    entered.set()
    leave.wait(30)

def strike(db):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(10_000_000):
        pass
    sys.exit("not interrupted")

threads = [threading.Thread(target=store._writer.run, args=(hold,))]
threads[0].start()
entered.wait(30)

def others(names):
    for name in names:
        waiting = len(store._writer._queue)
        threads.append(threading.Thread(
            target=store.append, args=("s", [Message("user", name)]), daemon=True))
        threads[-1].start()
        while len(store._writer._queue) == waiting:
            pass

def later():
    while len(store._writer._queue) < 3:
        pass
    others("cd")
    leave.set() if where == "leading" else os.kill(os.getpid(), signal.SIGINT)

others("ab")
threading.Thread(target=later).start()
try:
    if where == "leading":
        store._writer.run(strike)
    else:
        store.append("s", [Message("user", "interrupted")])
    sys.exit("no KeyboardInterrupt")
except KeyboardInterrupt:
    leave.set()
for thread in threads:
    thread.join(30)
    assert not thread.is_alive()
store.append("s", [Message("user", "last")])
print(*(message.content for message in store.read("s")))
store.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("where", ["waiting", "leading"])
def test_an_interrupt_concerns_one_caller(run_apart, where: str):
    """Ctrl-C in a thread that waits, or has its turn, leaves the store usable and others served."""
    assert run_apart(INTERRUPT, where).split() == ["first", "a", "b", "c", "d", "last"]


class Struck:
    """A connection on which Ctrl-C strikes once, when a statement has just been carried out."""

    def __init__(self, real: sqlite3.Connection, statement: str) -> None:
        self._real, self._statement = real, statement

    def execute(self, sql: str, *values: Any) -> Any:
        cursor = self._real.execute(sql, *values)
        if sql.startswith(self._statement):
            self._statement = "-- no more"
            cursor.close()
            raise KeyboardInterrupt
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "SELECT CASE", "INSERT INTO sessions"])
def test_an_interrupt_leaves_no_transaction_open(store: ReferenceStore, monkeypatch, statement):
    """Ctrl-C within a transaction undoes it, though the error is kept, as a notebook does."""
    real = store._writer._connection
    monkeypatch.setattr(store._writer, "_connection", Struck(real, statement))
    with pytest.raises(KeyboardInterrupt) as kept:
        store.append("s", say("interrupted"))
    monkeypatch.setattr(store._writer, "_connection", real)
    assert not real.in_transaction
    store.append("t", say("after"))
    assert kept.type is KeyboardInterrupt
    assert store.list() == ["t"]


class Slow:
    """A connection that closes when somebody is in the queue."""

    def __init__(self, real: sqlite3.Connection, queue: deque[Any], begun: threading.Event) -> None:
        self._real, self._queue, self._begun = real, queue, begun

    def close(self) -> None:
        self._real.close()
        self._begun.set()
        while not self._queue:
            pass


class Late(deque[Any]):
    """A queue into which nobody comes before the store is being closed."""

    def __init__(self, entered: threading.Event, begun: threading.Event) -> None:
        super().__init__()
        self._entered, self._begun = entered, begun

    def append(self, turn: Any) -> None:
        if turn.work is not None:  # else it is the one that closes
            self._entered.set()
            assert self._begun.wait(30)
        super().append(turn)


def test_who_queues_up_while_the_store_closes_is_refused_at_once(tmp_path: Path, monkeypatch):
    """Close sees to those who came after it had asked for the lock: nobody waits for nothing."""
    monkeypatch.setattr(connections, "QUEUE_S", 0.5)
    store = ReferenceStore(tmp_path, durability="process")
    writer, entered, begun = store._writer, threading.Event(), threading.Event()
    another = object()
    writer._lock["holder"] = another  # it writes
    monkeypatch.setattr(writer, "_queue", Late(entered, begun))
    monkeypatch.setattr(writer, "_connection", Slow(writer._connection, writer._queue, begun))
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(store.append, "s", say("late"))
        assert entered.wait(30)
        closing = pool.submit(store.close)
        while not store.ended:
            pass
        writer._hand_on(another)
        closing.result()
        with pytest.raises(Refused, match="the store is closed"):
            late.result()


def test_a_child_that_is_forked_during_close_closes_nothing(store: ReferenceStore):
    """Where the parent is about to close, its child leaves connection and lock alone."""
    writer = store._writer
    writer.ended = connections.CLOSED  # and the lock is another thread's
    writer.forget()
    writer.close()
    assert writer.ended == connections.FORKED
    writer.ended = None  # back in the parent
    store.append("s", say("x"))


FORK = """
import os, sys, threading
from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore

store = ReferenceStore(sys.argv[1], durability="process")
entered, leave = threading.Event(), threading.Event()

def hold(db):
    entered.set()
    leave.wait(30)

threads = [threading.Thread(target=store._writer.run, args=(hold,))]
threads[0].start()
entered.wait(30)
for name in "ab":
    threads.append(threading.Thread(target=store.append, args=("s", [Message("user", name)])))
    threads[-1].start()
while len(store._writer._queue) < 2:
    pass
child = os.fork()
if child == 0:
    try:
        store.append("s", [Message("user", "x")])
    except Refused as error:
        store.close()
        os._exit(0 if "forked" in str(error) else 4)
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
leave.set()
for thread in threads:
    thread.join()
assert sorted(message.content for message in store.read("s")) == ["a", "b"]
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_among_those_who_wait(run_apart):
    """A child forked while others queue is refused at once; the parent's queue goes on."""
    run_apart(FORK)


@pytest.mark.parametrize("durability", ["process", "power"])
def test_many_threads_of_all_kinds(tmp_path: Path, durability):
    """Under a mix of everything, also failing, receipts, numbers and counters agree."""
    with ReferenceStore(tmp_path, durability=durability) as store:
        kept: list[dict[int, Any]] = [{} for _ in range(8)]
        lost: list[str] = []

        def client(me: int) -> None:
            draw, mine = generator(5, me), f"own{me}"
            last = 0
            for number in range(40):
                text = f"{me}.{number}"
                receipt = store.append("shared", say(text))
                kept[me][receipt.seqs[0]] = text
                if receipt.seqs[0] <= last or store.read_last("shared", 500)[-1] is None:
                    lost.append(text)
                last = receipt.seqs[0]
                match draw.randrange(5):
                    case 0:
                        with pytest.raises(Conflict):
                            store.append("shared", [*say("x"), *say("y", id=receipt.ids[0])])
                    case 1:
                        with pytest.raises(Conflict):
                            store.create("shared", messages=say("x"))
                    case 2:
                        store.append(mine, say("a") * draw.choice((1, 3, 70)))
                    case 3:
                        store.replace(mine, say("r") * 3)
                        assert store.count(mine) == 3
                    case 4:
                        store.delete(mine)
                        assert store.read(mine) == []

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client, range(8)))
        expected = {seq: text for mine in kept for seq, text in mine.items()}
        assert lost == []
        assert [message.content for message in store.read("shared")] == [
            expected[seq] for seq in range(1, 8 * 40 + 1)
        ]
        assert store.get("shared").total_tokens == 8 * 40
        with closing(sqlite3.connect(store.tables().path)) as db:
            wrong = (
                "SELECT count(*) FROM sessions AS s WHERE message_count <> "
                "(SELECT count(*) FROM messages WHERE sid = s.id)"
            )
            assert db.execute(wrong).fetchone() == (0,)
