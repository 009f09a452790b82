"""Ctrl-C at every place of the code that hands connections from thread to thread."""

from __future__ import annotations

import asyncio
import linecache
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import AsyncReferenceStore, ReferenceStore, connections, grouping

PATIENCE_S = 20.0
"""Less than ``QUEUE_S``: who waits longer was forgotten."""

PLACES = 400
"""More than there are; reached by a loop without an end only."""


def say(text: str) -> list[Message]:
    return [Message("user", text)]


def _source(frame: FrameType) -> str:
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()


class Strike:
    """Ctrl-C in this thread at the n-th place of some functions, once.

    Between the calls into C and what keeps their answer (``calls``), where CPython looks for
    signals, or at each of their lines (``lines``). Not at those of ``with``, which are announced
    again before the block is left, where CPython does not look for signals.
    """

    def __init__(self, place: int, functions: set[Any], lines: bool) -> None:
        self._left, self.functions, self._lines = place, functions, lines
        self.struck = False

    def _count(self) -> None:
        if self.struck:
            return
        self._left -= 1
        if self._left < 0:
            self.struck = True
            raise KeyboardInterrupt

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and not _source(frame).startswith("with "):
            self._count()
        return self._line

    def _enter(self, frame: FrameType, _event: str, _: Any) -> Any:
        return self._line if frame.f_code in self.functions else None

    def _call(self, frame: FrameType, event: str, _: Any) -> None:
        if event in ("call", "c_return", "c_exception") and frame.f_code in self.functions:
            self._count()

    @contextmanager
    def armed(self) -> Iterator[None]:
        before = sys.gettrace(), sys.getprofile()
        try:
            if self._lines:
                sys.settrace(self._enter)
            else:
                sys.setprofile(self._call)
            yield
        finally:
            sys.settrace(before[0])
            sys.setprofile(before[1])


def codes(owner: type, *names: str) -> set[Any]:
    return {getattr(owner, name).__code__ for name in names}


WRITING = codes(
    grouping.Writer,
    *("run", "_queued", "_in_turn", "_wait", "_withdraw", "_wake", "_give_up", "_hand_on", "_lead"),
)
CLOSING = WRITING | codes(grouping.Writer, "close", "_locked")
READING = codes(connections.Readers, "run", "_hold_another", "_give_back", "_close_idle", "_close")


def every_place(trial: Callable[[Strike], None], functions: set[Any], lines: bool) -> int:
    """Try with Ctrl-C at the first place, the second, until none is left; how many there were."""
    for place in range(PLACES):
        strike = Strike(place, functions, lines)
        trial(strike)
        if not strike.struck:
            return place
    raise AssertionError("there is always one more place")


class Others:
    """Threads that append; their acknowledged texts, and what they were refused with."""

    def __init__(self, store: ReferenceStore) -> None:
        self._store = store
        self.acked: list[str] = []
        self.refusals: list[str] = []
        self._threads: list[threading.Thread] = []

    def start(self, name: str) -> None:
        def append() -> None:
            try:
                self._store.append("s", say(name))
                self.acked.append(name)
            except Refused as error:
                self.refusals.append(str(error))

        self._threads.append(threading.Thread(target=append, daemon=True))
        self._threads[-1].start()

    def queue(self, *names: str) -> None:
        """Start, and wait until they stand in the queue."""
        for name in names:
            waiting = len(self._store._writer._queue)
            self.start(name)
            while len(self._store._writer._queue) == waiting:
                pass

    def ended(self) -> bool:
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return not any(thread.is_alive() for thread in self._threads)


def closes(store: ReferenceStore) -> bool:
    thread = threading.Thread(target=store.close, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def contents(path: Path) -> list[str]:
    with ReferenceStore(path, durability="process") as again:
        return [str(message.content) for message in again.read("s")]


def assert_kept(store: ReferenceStore, path: Path, names: set[str], struck: set[str]) -> None:
    """The store closes; what was acknowledged is there once, of the rest only what was struck."""
    assert closes(store)
    seen = contents(path)
    assert len(seen) == len(set(seen))
    assert names <= set(seen) <= names | struck


@pytest.mark.parametrize("lines", [False, True], ids=["calls", "lines"])
@pytest.mark.parametrize("queued", [0, 2])
def test_a_writer_that_is_struck_hands_on(tmp_path: Path, queued: int, lines: bool):
    """Wherever Ctrl-C strikes who writes, others write on at once, and nothing told is lost."""
    store = ReferenceStore(tmp_path, durability="process")
    names: set[str] = set()
    struck: set[str] = set()

    def trial(strike: Strike) -> None:
        others, me = Others(store), f"main{strike._left}"
        mine = [f"{me}.{n}" for n in range(queued)]

        def work(db: sqlite3.Connection) -> None:
            others.queue(*mine)
            db.execute("SELECT 1").close()

        with suppress(KeyboardInterrupt), strike.armed():
            store._writer.run(work)
            store.append("s", say(me))
            names.add(me)
        struck.add(me)
        others.start(f"{me}.after")
        assert others.ended()
        assert not others.refusals
        names.update(others.acked)

    assert every_place(trial, WRITING, lines) > 8
    assert_kept(store, tmp_path, names, struck)


@pytest.mark.parametrize("lines", [False, True], ids=["calls", "lines"])
def test_one_in_the_queue_that_is_struck_leaves_it(tmp_path: Path, lines: bool):
    """Wherever Ctrl-C strikes who queues up and leads, the others are served."""
    store = ReferenceStore(tmp_path, durability="process")
    names: set[str] = set()
    struck: set[str] = set()

    def trial(strike: Strike) -> None:
        others, me = Others(store), f"main{strike._left}"
        holder = object()
        store._writer._lock["holder"] = holder  # another thread writes
        others.queue(f"{me}.before")
        leave = threading.Event()

        def hand_on() -> None:
            while len(store._writer._queue) < 2 and not leave.is_set():
                pass
            others.queue(f"{me}.behind")
            store._writer._hand_on(holder)

        thread = threading.Thread(target=hand_on, daemon=True)
        thread.start()
        with suppress(KeyboardInterrupt), strike.armed():
            store.append("s", say(me))
            names.add(me)
        leave.set()
        struck.add(me)
        thread.join(PATIENCE_S)
        others.start(f"{me}.after")
        assert others.ended()
        assert not thread.is_alive()
        assert not others.refusals
        names.update(others.acked)

    assert every_place(trial, WRITING, lines) > 8
    assert_kept(store, tmp_path, names, struck)


@pytest.mark.parametrize("lines", [False, True], ids=["calls", "lines"])
def test_one_that_gives_up_waiting_can_be_struck(store: ReferenceStore, monkeypatch, lines: bool):
    """Wherever Ctrl-C strikes who withdraws from the queue, nobody waits for it."""
    monkeypatch.setattr(connections, "QUEUE_S", 0.001)

    def trial(strike: Strike) -> None:
        holder = object()
        store._writer._lock["holder"] = holder
        with suppress(KeyboardInterrupt, Refused), strike.armed():
            store.append("s", say("late"))
        assert not store._writer._queue
        store._writer._hand_on(holder)
        assert not store._writer._lock

    assert every_place(trial, WRITING, lines) > 8
    assert store.read("s") == []


@pytest.mark.parametrize("lines", [False, True], ids=["calls", "lines"])
def test_a_close_that_is_struck_can_be_repeated(tmp_path: Path, lines: bool):
    """Wherever Ctrl-C strikes close, it ends when it is called again."""

    def trial(strike: Strike) -> None:
        store = ReferenceStore(tmp_path, durability="process")
        store.read("s")
        with suppress(KeyboardInterrupt), strike.armed():
            store.close()
        assert closes(store)
        assert not store._readers._all
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            store._writer._connection.execute("SELECT 1")

    assert every_place(trial, CLOSING, lines) > 4


@pytest.mark.parametrize("lines", [False, True], ids=["calls", "lines"])
@pytest.mark.parametrize("recycled", [False, True])
def test_a_reader_that_is_struck_is_given_back(
    tmp_path: Path, monkeypatch, recycled: bool, lines: bool
):
    """Wherever Ctrl-C strikes who reads, no reader is lost, and close waits for nobody."""

    def trial(strike: Strike) -> None:
        store = ReferenceStore(tmp_path, durability="process")
        readers = store._readers
        with suppress(KeyboardInterrupt), strike.armed():
            store.read("s")  # with a reader of its own
            store.read("s")  # with the one given back
            if recycled:
                monkeypatch.setattr(connections, "monotonic_s", lambda: 1e12)
            store.read("s")
        monkeypatch.undo()
        assert readers._all <= {connection for connection, _ in readers._idle}
        assert store.read("s") == []
        assert closes(store)
        assert not readers._all

    assert every_place(trial, READING, lines) > 8


def test_close_does_not_wait_for_ever(tmp_path: Path, monkeypatch):
    """While another thread keeps the writer, close is refused in one line, and works later."""
    store = ReferenceStore(tmp_path, durability="process")
    entered, leave = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        entered.set()
        assert leave.wait(PATIENCE_S)

    thread = threading.Thread(target=store._writer.run, args=(hold,))
    thread.start()
    assert entered.wait(PATIENCE_S)
    with monkeypatch.context() as patched:
        patched.setattr(connections, "QUEUE_S", 0.01)
        with pytest.raises(Refused, match="close the store again") as refused:
            store.close()
    assert "\n" not in str(refused.value)
    leave.set()
    thread.join()
    assert closes(store)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store._writer._connection.execute("SELECT 1")


class Exhausted(VirtualClock):
    """A clock of a test that has run out of times."""

    def now_us(self) -> int:
        raise StopIteration("no more times")


def test_a_future_that_takes_no_error_holds_up_no_other(tmp_path: Path):
    """A StopIteration reaches its task as a RuntimeError; the rest of the group is told too."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            real = store._store._clock
            store._store._clock = Exhausted()

            def mended() -> None:
                store._store._clock = real

            failed, _, receipt = await asyncio.wait_for(
                asyncio.gather(
                    store.append("s", say("a")),
                    store._write(mended),
                    store.append("s", say("b")),
                    return_exceptions=True,
                ),
                PATIENCE_S,
            )
            assert type(failed) is RuntimeError
            assert "StopIteration('no more times')" in str(failed)
            assert receipt.seqs == (1,)

    asyncio.run(main())
