"""A process that is killed loses nothing that it acknowledged."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof.reference import ReferenceStore

WRITES = """
import sys
from sessionproof import Message
from sessionproof.reference import ReferenceStore

store = ReferenceStore(sys.argv[1], durability=sys.argv[2])
for number in range(100_000):
    store.append("s", [Message("user", f"{number}.{part}", tokens=1) for part in range(3)])
    print(number, flush=True)
"""


@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_killed_writer_leaves_whole_batches(tmp_path: Path, durability: str):
    """After SIGKILL the file opens, has every acknowledged batch whole, and right counters."""
    least = 0
    for acknowledged in (1, 20, 150):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES, str(tmp_path), durability],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            for _ in range(acknowledged):
                last = int(process.stdout.readline())
            process.kill()
            later = process.stdout.read().split()
        least += 3 * (int(later[-1] if later else last) + 1)
        with ReferenceStore(tmp_path) as store:
            messages = store.read("s")
            assert least <= len(messages) <= least + 3
            assert [message.content.split(".")[1] for message in messages] == [
                str(number % 3) for number in range(len(messages))
            ]
            assert store.count("s") == store.get("s").total_tokens == len(messages)
            least = len(messages)
    with closing(sqlite3.connect(tmp_path / "sessions.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
