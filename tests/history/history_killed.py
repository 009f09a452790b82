"""Children that record and are killed at any moment; run by test_history_kill.py.

A process of its own, as it forks: ``python history_killed.py FOLDER SEED TIMES`` prints, as JSON,
how often a child was killed, and at which stages of its work.
"""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.seed import generator
from sessionproof.history import files
from sessionproof.history.columns import NEVER, NONE, F, Type, digest_of
from sessionproof.history.journal import Journal

READ_EACH, SETTLE_EACH = 3, 10


def record(folder, pipe, *, rows):
    """Record for ever; tell the number of each operation once it must not be lost any more."""
    journal = Journal(folder, 0, rows=rows, shards=2, every=2)
    waiting = []
    number = 0
    while True:
        number += 1
        if number % READ_EACH:
            slot = journal.invoke(F.APPEND, number % 3, number << 8, 1)
            if number % 5:
                journal.complete(slot, Type.OK, value=number)
            else:
                journal.complete(slot, Type.FAIL, error=f"Conflict: {number % 40}")
            os.write(pipe, number.to_bytes(8, "little"))
        else:
            journal.answered(journal.invoke(F.READ, number % 3, number << 8), answer(number))
            waiting.append(number)
        if number % SETTLE_EACH == 0:
            journal.settle()
            os.write(pipe, b"".join(one.to_bytes(8, "little") for one in waiting))
            waiting = []


def answer(number):
    """What read ``number`` answers: its length differs from one to the next."""
    return [(number + at) << 8 for at in range(number % 7)]


def killed_child(folder, generator):
    """A child's life, ended by SIGKILL at a random moment; the numbers it told."""
    reader, writer = os.pipe()
    rows = generator.choice([5, 23, 1_000, 5_000])
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            record(folder, writer, rows=rows)
        finally:
            os._exit(1)
    os.close(writer)
    data = b""
    wanted = generator.randrange(2_500 if rows > 100 else 150) * 8
    while len(data) < wanted and (piece := os.read(reader, 4_096)):
        data += piece
    until = monotonic_ns() + generator.randrange(300_000)
    while monotonic_ns() < until:
        pass
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reader, 65_536):
        data += piece
    os.close(reader)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the child ended by itself"
    return np.frombuffer(data[: len(data) // 8 * 8], "<u8").tolist()


def judged(folder, told):
    """Assert that the history holds all that was told, and nothing untrue; how it was cut."""
    if not any(path.suffix in {".npz", ".journal"} for path in folder.iterdir()):
        assert not told
        return "nothing was recorded"
    history = files.load(folder)
    numbers = np.sort(history.rows["id"] >> np.uint64(8)).tolist()
    assert numbers == list(range(1, len(numbers) + 1)), "a row is lost or doubled"
    assert len(numbers) >= max(told, default=0)
    told = set(told)
    unknown = 0
    for at, row in enumerate(history.rows):
        number = int(row["id"]) >> 8
        if row["type"] == Type.INFO:
            assert number not in told, "what was complete is not"
            assert row["ret"] == NEVER
            assert (row["value"], row["length"], row["digest"]) == (NONE, 0, 0)
            waits = number % READ_EACH == 0
            assert waits or number == len(numbers), "more than one operation was in flight"
            unknown += 1
            continue
        assert row["inv"] <= row["ret"] < NEVER
        error = history.errors[row["error"]]
        if number % READ_EACH:
            refused = number % 5 == 0
            assert row["type"] == (Type.FAIL if refused else Type.OK)
            assert error == (f"Conflict: {number % 40}" if refused else "")
            assert row["value"] == (NONE if refused else number)
        else:
            want = np.array(answer(number), np.uint64)
            assert (row["length"], row["digest"]) == (len(want), digest_of(want))
            kept = history.lists.of(at)
            assert kept is None or kept.tolist() == want.tolist()
    assert sum(map(len, files.shards(folder))) == len(numbers)
    beside = {path.suffix for path in folder.iterdir()}
    whole = {path.stem for path in folder.glob("*.npz")}
    doubled = whole & {path.stem for path in folder.glob("*.journal")}
    if doubled or ".part" in beside:
        return "while sealing"
    return "with unknown answers" if unknown else "between two operations"


def main():
    """Kill as often as said, and print how."""
    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = generator(seed, "kill")
    stages = Counter()
    for number in range(times):
        home = folder / str(number)
        home.mkdir()
        stages[judged(home, killed_child(home, chance))] += 1
    sys.stdout.write(json.dumps(stages))


if __name__ == "__main__":
    main()
