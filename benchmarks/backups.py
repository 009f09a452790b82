"""Backups under full write load, and the same while whoever makes them is killed.

``python benchmarks/backups.py`` lets ``--writers`` processes append as fast as they can, and makes
``--backups`` backups meanwhile. Each is restored into a fresh directory, opened, verified and read:
it must have all that was acknowledged before it began, and nothing out of order. Then as many more
are made by processes that SIGKILL ends at a random moment: whatever has the name of a backup must
be as good. ``--folder`` is where the files lie. Ends with 1 when one is not.
"""

from __future__ import annotations

import argparse
import mmap
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - the type alone
from statistics import median

from sessionproof import Message
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import facts, fast_folder
from sessionproof.reference import ReferenceStore
from sessionproof.reference.backup import make_backup
from sessionproof.reference.files import BACKUP, all_copies
from sessionproof.reference.restore import put_back

BLOCK = 1_000  # messages of a session, after which the writer goes to the next
BLOCKS_KEPT = 3  # older ones are deleted, so that the store stays of one size
ALONE_S = 3.0
_NUMBER = struct.Struct("q")


def main() -> int:
    """Print the machine's facts and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backups", type=int, default=100)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=fast_folder())
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        return _write(*chosen.write)
    if chosen.make:
        return _make(*chosen.make)
    chance = generator(chosen.seed, "kills")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as directory:
        for name, value in facts(Path(directory)).items():
            _say(name, value)
        return int(_measured(Path(directory), chosen.writers, chosen.backups, chance))


def _measured(place: Path, writers: int, number: int, chance: Random) -> bool:
    """Whether anything was wrong."""
    store, folder = place / "store", place / "backups"
    for one in (store, folder):
        one.mkdir()
    ReferenceStore(store).close()
    with _writing(store, writers) as load:
        time.sleep(ALONE_S)  # until old sessions are deleted, and the store grows no more
        before, begun_s = load.total(), monotonic_s()
        time.sleep(ALONE_S)
        _say("appends/s, no backups", f"{(load.total() - before) / (monotonic_s() - begun_s):,.0f}")
        wrong, took_s = _under_load(store, folder, load, number)
        killed = _with_kills(store, folder, load, number, median(took_s), chance)
    for one in (*wrong, *killed):
        _say("WRONG", one)
    return bool(wrong or killed)


def _under_load(
    store: Path, folder: Path, load: Load, number: int
) -> tuple[list[str], list[float]]:
    wrong: list[str] = []
    took_s: list[float] = []
    appended = size = messages = 0
    for _ in range(number):
        acknowledged, begun_s = load.numbers(), monotonic_s()
        made = make_backup(store, folder, keep=2)
        took_s.append(monotonic_s() - begun_s)
        appended += load.total() - sum(acknowledged)
        size, messages = made.size_bytes, made.rows["messages"]
        wrong += _judged(made.path, acknowledged)
    _say("backups", f"{number}, each restored, opened, verified and read; {len(wrong)} wrong")
    _say("the last one", f"{size:,} bytes, {messages:,} messages")
    _say("seconds a backup", f"median {median(took_s):.3f}, longest {max(took_s):.3f}")
    _say("appends/s meanwhile", f"{appended / sum(took_s):,.0f}")
    return wrong, took_s


def _with_kills(
    store: Path, folder: Path, load: Load, number: int, typical_s: float, chance: Random
) -> list[str]:
    wrong: list[str] = []
    finished = parts = 0
    for _ in range(number):
        there, acknowledged = set(all_copies(folder, BACKUP)), load.numbers()
        with _process("--make", store, folder) as making:
            _first_line(making)
            time.sleep(chance.uniform(0, 1.5 * typical_s))
            making.send_signal(signal.SIGKILL)
            making.wait()
        fresh = set(all_copies(folder, BACKUP)) - there
        finished += len(fresh)
        for made in fresh:
            wrong += _judged(made, acknowledged)
        left = [one for one in folder.iterdir() if one not in fresh | there]
        parts += bool(left)
        for one in left:
            one.unlink()  # a day later the next backup would
    whole = make_backup(store, folder, keep=1)
    wrong += _judged(whole.path, [0] * len(load.numbers()))
    _say("killed", f"{number}, {number - finished} before the backup had its name; {parts} left")
    _say("", f"a part, which is no backup; {len(wrong)} wrong")
    return wrong


def _judged(made: Path, acknowledged: Sequence[int]) -> Iterator[str]:
    """What is wrong with a backup, restored into a fresh directory."""
    with tempfile.TemporaryDirectory(dir=made.parent.parent) as fresh:
        put_back(made, fresh)
        with ReferenceStore(fresh) as store:
            yield from (f"{made.name}: {problem}" for problem in store.verify().problems)
            for writer, least in enumerate(acknowledged):
                yield from _contents(store, writer, least)


def _contents(store: ReferenceStore, writer: int, least: int) -> Iterator[str]:
    """One writer's sessions: the newest up to some number of at least ``least``, the others full.

    The one before the oldest may be there still: it is deleted after the newest was begun.
    """
    mine = {int(name.split("-")[1]) for name in store.list() if name.startswith(f"{writer}-")}
    newest = max(mine, default=0)
    last = store.count(_session(writer, newest)) + newest * BLOCK
    if last < least:
        yield f"writer {writer}: {least} were acknowledged, {last} are there"
    oldest = max(0, newest - BLOCKS_KEPT + 1)
    missing = {*range(oldest, newest)} - mine
    older = {one for one in mine if one < oldest - 1}
    if missing or older:
        yield f"writer {writer}: sessions {missing} are missing, {older} were deleted before"
    for block in mine:
        number = last - newest * BLOCK if block == newest else BLOCK
        expected = [str(block * BLOCK + one) for one in range(number)]
        if [one.content for one in store.read(_session(writer, block))] != expected:
            yield f"writer {writer}: session {block} is not {number} messages in order"


class Load:
    """What each writer has had acknowledged, in memory that the processes share."""

    def __init__(self, shared: mmap.mmap, writers: int) -> None:
        self._shared = shared
        self._writers = writers

    def numbers(self) -> list[int]:
        """The number of appends of each writer."""
        places = range(0, self._writers * _NUMBER.size, _NUMBER.size)
        return [_NUMBER.unpack_from(self._shared, place)[0] for place in places]

    def total(self) -> int:
        """That of all."""
        return sum(self.numbers())


@contextmanager
def _writing(store: Path, writers: int) -> Iterator[Load]:
    file = store.with_name("acknowledged")
    file.write_bytes(bytes(writers * _NUMBER.size))
    running: list[subprocess.Popen[bytes]] = []
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as shared:
        try:
            running += (_process("--write", store, file, number) for number in range(writers))
            for one in running:
                _first_line(one)
            yield Load(shared, writers)
            ended = [one.args for one in running if one.poll() is not None]
            if ended:
                raise RuntimeError(f"writers ended by themselves: {ended}")
        finally:
            for one in running:
                one.kill()
                one.communicate()


def _write(directory: str, file: str, number: str) -> int:
    """Append until killed."""
    writer, done = int(number), 0
    with (
        Path(file).open("r+b") as opened,
        mmap.mmap(opened.fileno(), 0) as shared,
        ReferenceStore(directory, durability="process") as store,
    ):
        _ready()
        while True:
            block = done // BLOCK
            store.append(_session(writer, block), [Message("user", str(done))])
            done += 1
            _NUMBER.pack_into(shared, writer * _NUMBER.size, done)
            if done % BLOCK == 1 and block >= BLOCKS_KEPT:
                store.delete(_session(writer, block - BLOCKS_KEPT))


def _make(store: str, folder: str) -> int:
    """Make one backup."""
    _ready()
    make_backup(store, folder)
    return 0


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _session(writer: int, block: int) -> str:
    return f"{writer}-{block}"


def _process(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, *map(str, words)], stdout=subprocess.PIPE)


def _first_line(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"{process.args} did not start")


def _say(name: str, value: object) -> None:
    sys.stdout.write(f"{name:<22} {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
