"""The queue of writers under signals, forks and load."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Conflict, Message
from sessionproof.contract.seed import generator
from sessionproof.reference import ReferenceStore


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
def test_an_interrupt_concerns_one_caller(tmp_path: Path, where: str):
    """Ctrl-C in a thread that waits, or has its turn, leaves the store usable and others served."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT, str(tmp_path), where],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["first", "a", "b", "c", "d", "last"]


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
def test_a_fork_among_those_who_wait(tmp_path: Path):
    """A child forked while others queue is refused at once; the parent's queue goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


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
