"""One client's operations, written as they happen into a file that survives the process.

The file is mapped into memory and belongs to the kernel: a process that is killed at any moment
leaves all that it wrote. A loss of power is not survived, and need not be.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sessionproof.contract.clock import monotonic_ns
from sessionproof.history.answers import Answers, Known, answers_of, surprises
from sessionproof.history.columns import NEVER, NONE, F, Phase, Type
from sessionproof.history.format import HistoryError
from sessionproof.history.npz import write, write_lists
from sessionproof.history.slots import (
    BEGIN,
    CLOCK,
    END,
    END_AT,
    ERRORS,
    HEADER,
    SIZE,
    SLOT,
    SUFFIX,
    WHOLE,
    lists_file,
    parts_of,
    recovered,
)

_ROWS_FIRST = 1_000  # a file grows from here: most clients live for a few hundred operations
_HELD_MOST = 32_768  # messages that wait to be read off, about 15 MB
_ERRORS_MOST = 1_000  # different texts; then only their first words differ
_ERROR_CHARACTERS_MAX = 500

# Of file systems that have no way to do it.
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_begin, _end, _clock = BEGIN.pack_into, END.pack_into, CLOCK.pack_into


class Records(Protocol):
    """Where a client writes what it does: a journal, or notes in memory."""

    def invoke(self, f: F, session: int, first: int, n: int = 0, phase: Phase = Phase.LOAD) -> int:
        """An operation begins; answers its slot."""
        ...

    def again(self, slot: int) -> None:
        """It begins anew."""
        ...

    def complete(
        self,
        slot: int,
        type: Type,  # noqa: A002 - the column's name
        length: int = 0,
        value: int = NONE,
        error: str = "",
    ) -> None:
        """It ended so."""
        ...

    def answered(self, slot: int, answer: Iterable[Any]) -> None:
        """It answered these messages."""
        ...

    def renew(self, client: int) -> None:
        """The client goes on under a new number."""
        ...


class Journal:
    """Append-only rows of one client, used by one thread or task.

    ``rows``: as many to a file; a full file is sealed into an NPZ file of so many ``shards``, and
    the next begins. ``every``: each so-manieth read is kept in full, surprising or not; 1 keeps
    all. ``held``: so many messages that were read may wait to be settled; 0 settles each read at
    once, as a client that may be killed must. Raises HistoryError when the folder cannot be
    written, on any call.
    """

    def __init__(
        self,
        folder: Path,
        client: int,
        *,
        rows: int = 65_536,
        shards: int = 1,
        every: int = 1_000,
        held: int = _HELD_MOST,
    ) -> None:
        if rows < 1 or shards < 1 or every < 1:
            raise ValueError("rows, shards and every are at least 1")
        self._folder = folder
        self._client = client
        self._name = f"c{client}-p{os.getpid()}"
        self._rows, self._shards, self._every = rows, shards, every
        self._files = 0
        self._reads = 0
        self._held_most = held
        self._known: Known = {}
        self._pending: list[tuple[int, int, tuple[Any, ...]]] = []
        self._held = 0
        self._map: mmap.mmap
        self._path: Path
        self._at: int
        self._room: int
        self._open()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def invoke(self, f: F, session: int, first: int, n: int = 0, phase: Phase = Phase.LOAD) -> int:
        """Write that an operation begins, and call it at once after; answers its slot.

        ``first`` is the id of its first message, or what would be one: see ``ROW``.
        """
        at = self._at
        if at == self._room:
            self._more()
            at = self._at
        _begin(self._map, at, monotonic_ns(), self._client, session, n, f, phase, first)
        self._at = at + SIZE
        return at

    def again(self, slot: int) -> None:
        """Read the clock anew for an operation that began with this slot, as for the last page."""
        _clock(self._map, slot, monotonic_ns())

    def complete(
        self,
        slot: int,
        type: Type,  # noqa: A002 - the column's name
        length: int = 0,
        value: int = NONE,
        error: str = "",
    ) -> None:
        """Write how the operation ended, at once after the call: see ``ROW``."""
        ret = monotonic_ns()
        code = self._code(error) if error else 0
        _end(self._map, slot + END_AT, ret if type else NEVER, value, length, code, type)

    def answered(self, slot: int, answer: Iterable[Any]) -> None:
        """Note, at once after the call, that a read answered these messages, and go on.

        They are ids, texts, or objects whose ``content`` is the text. The copy is shallow.
        Until it is settled, the operation is one that never answered.
        """
        ret = monotonic_ns()
        held = tuple(answer)
        self._pending.append((slot, ret, held))
        self._held += len(held) + 1
        if self._held > self._held_most:
            self.settle()

    def renew(self, client: int) -> None:
        """Go on under a new number, as after an operation with an unknown outcome."""
        self._client = client

    def settle(self) -> None:
        """Write the lengths, digests and last ids of what was answered since the last time."""
        if not self._pending:
            return
        pending, self._pending, self._held = self._pending, [], 0
        at = np.array([slot for slot, _, _ in pending], np.int64) // SIZE
        ret = np.array([ret for _, ret, _ in pending], np.int64)
        answers = answers_of([answer for _, _, answer in pending])
        kept = self._worth_keeping(self._slots()[at], answers)
        if kept.any():
            odd = [(int(at[read]) - 1, text) for read, text in answers.odd]
            write_lists(lists_file(self._path, self._settled), answers.of(kept, at - 1), odd)
            self._settled += 1
        slots = self._slots()
        slots["ret"][at] = ret
        slots["value"][at] = NONE
        slots["length"][at] = answers.lengths
        slots["digest"][at] = answers.digests
        slots["last"][at] = answers.lasts
        slots["type"][at] = Type.OK  # the last, as it makes the others count

    def close(self) -> None:
        """Settle, and give back the file; a second time does nothing."""
        if self._map.closed:
            return
        try:
            self.settle()
        finally:
            self._shut()

    def _slots(self) -> npt.NDArray[np.void]:
        """The file as rows, the header for the first; to be let go before the file is closed."""
        return np.frombuffer(self._map, SLOT)

    def _worth_keeping(self, rows: npt.NDArray[np.void], answers: Answers) -> npt.NDArray[np.bool_]:
        numbers = self._reads + np.arange(len(rows))
        self._reads += len(rows)
        keep: npt.NDArray[np.bool_] = (numbers + 1) % self._every == 0
        keep |= (rows["phase"] == Phase.FINAL) | (rows["f"] == F.READ_LAST) | answers.has_odd
        # A window of the newest is no beginning: it neither surprises nor is extended.
        whole = np.isin(rows["f"], WHOLE)
        keep |= surprises(answers, rows["session"], whole, self._known)
        return keep

    def _code(self, error: str) -> int:
        text = error[:_ERROR_CHARACTERS_MAX]
        if text not in self._errors and len(self._errors) >= _ERRORS_MOST:
            kind = text.partition(":")[0]
            text = f"{kind}: …" if len(self._errors) < 2 * _ERRORS_MOST else "…"
        code = self._errors.get(text)
        if code is None:
            # On disk before a row refers to it.
            with _told(self._path), self._path.with_suffix(ERRORS).open("ab", buffering=0) as file:
                file.write(json.dumps(text).encode() + b"\n")
            code = self._errors[text] = len(self._errors) + 1
        return code

    def _more(self) -> None:
        """Make room for further rows: in this file, or in the next."""
        room = self._room // SIZE - 1
        if room < self._rows:
            old = self._map
            with _told(self._path), self._path.open("r+b") as file:
                self._map = _mapped(file.fileno(), min(4 * room, self._rows))
            _let_go(old)
            self._room = len(self._map)
            return
        self.settle()
        self._shut()
        write(recovered(self._path), self._path.with_suffix(".npz"), shards=self._shards)
        # From here on the journal does not count, whether it is still there or not.
        for path in (self._path, *parts_of(self._path)):
            path.unlink(missing_ok=True)
        self._open()

    def _open(self) -> None:
        """Begin a file, under a name that no other has."""
        rows = min(_ROWS_FIRST, self._rows)
        with _told(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            while True:
                path = self._folder / f"{self._name}-{self._files:05d}{SUFFIX}"
                self._files += 1
                if path.with_suffix(".npz").exists():
                    continue
                try:
                    file = path.open("x+b")
                except FileExistsError:
                    continue
                break
            with file:
                self._map = _mapped(file.fileno(), rows)
        self._map[:SIZE] = HEADER
        self._path = path
        self._at, self._room = SIZE, len(self._map)
        self._errors: dict[str, int] = {}
        self._settled = 0

    def _shut(self) -> None:
        """Give back the file, without the rows that were not used."""
        _let_go(self._map)
        with _told(self._path):
            os.truncate(self._path, self._at)


def _mapped(descriptor: int, rows: int) -> mmap.mmap:
    """The file with room for so many rows; raises OSError where there is none.

    The room is taken now: writing into a hole of a file on a full disk would kill the process.
    """
    size = (rows + 1) * SIZE
    os.truncate(descriptor, size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
    return mmap.mmap(descriptor, size)


def _let_go(held: mmap.mmap) -> None:
    """Give the memory back: now, or when a profiler that looks at our frames has seen enough."""
    with suppress(BufferError):
        held.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {error.strerror}") from None
