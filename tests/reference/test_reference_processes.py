"""Several processes on one location."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sessionproof.reference import ReferenceStore

FIRST_OPEN = """
import json, sys, threading
from sessionproof import Message
from sessionproof.reference import ReferenceStore

name, locations = sys.argv[1], sys.argv[2:]
errors = []

def client(thread, location):
    try:
        with ReferenceStore(location, durability="process") as store:
            for number in range(3):
                store.append("s", [Message("user", f"{name}.{thread}.{number}", tokens=1)])
            assert store.count("s") >= 3
    except BaseException as error:
        errors.append(f"{type(error).__name__}: {error}")

sys.stdin.readline()
for location in locations:
    threads = [threading.Thread(target=client, args=(i, location)) for i in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(json.dumps(errors))
"""

OPEN_OFTEN = """
import sys
from sessionproof import Message
from sessionproof.reference import ReferenceStore

sys.stdin.readline()
for number in range(40):
    with ReferenceStore(sys.argv[1], durability="process") as store:
        store.append("s", [Message("user", "x" * 3000)] * 20)
        assert store.count("s") <= len(store.read("s"))
print("[]")
"""


def run_together(script: str, *arguments: list[str]) -> None:
    """Start one process for each list of arguments, let all go at once, and expect no error."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, *each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in arguments
    ]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert json.loads(out) == []


def test_processes_and_threads_open_fresh_locations_at_once(tmp_path: Path):
    """Four processes with three threads each open a fresh location and append: all succeed."""
    locations = [tmp_path / str(number) for number in range(6)]
    for location in locations:
        location.mkdir()
    names = [str(location) for location in locations]
    run_together(FIRST_OPEN, *([str(process), *names] for process in range(4)))
    for location in locations:
        with ReferenceStore(location) as store:
            assert len({message.content for message in store.read("s")}) == 36
            assert store.get("s").total_tokens == 36
            seqs = store.append("s", store.read("s")[:0])
            assert seqs.seqs == ()
        assert [item.name for item in location.iterdir()] == ["sessions.db"]


def test_opening_and_closing_among_writers(tmp_path: Path):
    """Processes that open, write, read and close all the time never meet an error."""
    run_together(OPEN_OFTEN, *([str(tmp_path)] for _ in range(3)))
    with ReferenceStore(tmp_path) as store:
        assert store.count("s") == len(store.read("s")) == 3 * 40 * 20


LEAVE_WAL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0.1, isolation_level=None)
try:
    print(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0])
except sqlite3.OperationalError as error:
    print(error)
"""


def test_opening_again_gives_up_no_lock(tmp_path: Path):
    """A second handle that is opened and closed leaves the first one's locks on the file alone.

    POSIX gives up all locks of a process on a file when any descriptor of it is closed. Without
    its lock, another process could end the log that the first handle still uses.
    """
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", [])
        store.read("s")
        ReferenceStore(tmp_path, durability="process").close()
        done = subprocess.run(
            [sys.executable, "-c", LEAVE_WAL, store.tables().path],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert "locked" in done.stdout
