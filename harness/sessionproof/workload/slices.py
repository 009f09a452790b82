"""A load in slices: what one client does for a few seconds, on whatever worker takes it.

A slice is plain data. Its worker opens the store by its name, carries the program out, and answers
with the history. Should the worker die, the slice is done again by another one, and what the dead
one wrote is in no history. So the number of an operation tells its slice, the attempt at it, and
its place in the program: what an unrecorded attempt left behind can be known by its id.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import gethostname

import numpy as np
import numpy.typing as npt

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.seed import fresh_seed
from sessionproof.history import files, npz
from sessionproof.history.columns import F, History, Phase
from sessionproof.history.slots import SUFFIX
from sessionproof.workload.client import Job
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.seats import Setting, ThreadSeats
from sessionproof.workload.speech import speech
from sessionproof.workload.vocabulary import vocabulary

SLICES_MOST = (1 << 18) - 1
CALLS_MOST = 1 << 18
_ATTEMPT_BITS, _PLACE_BITS = 20, 18
_BATCH_BITS = 8
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Packed = npt.NDArray[np.int32]
"""Calls, one a row: what, session, n, phase. It is small, and travels fast."""


def packed(calls: Iterable[Call]) -> Packed:
    """The calls as numbers."""
    return np.array([tuple(map(int, call)) for call in calls], np.int32).reshape(-1, 4)


def unpacked(numbers: Packed) -> tuple[Call, ...]:
    """The inverse of ``packed``."""
    return tuple(Call(F(f), at, n, Phase(phase)) for f, at, n, phase in numbers.tolist())


def origins_of(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """For each slice and attempt of which these messages are, the least id that it can have."""
    below = np.uint64(_PLACE_BITS + _BATCH_BITS)
    return np.unique(ids >> below) << below


@dataclass(frozen=True)
class Where:
    """A process: its machine, which boot of it (that is, which clock), and its number there."""

    host: str
    boot: str
    pid: int


def here() -> Where:
    """This process. A machine that does not tell its boots is known by its name."""
    try:
        boot = _BOOT.read_text("ascii").strip()
    except OSError:
        boot = gethostname()
    return Where(gethostname(), boot, os.getpid())


def clock_of_worker() -> tuple[Where, int]:
    """Who is asked, and the time of its clock."""
    return here(), monotonic_ns()


@dataclass(frozen=True)
class Slice:
    """One client's part: ``number`` is given once in a load, ``program`` as in ``packed``.

    With ``due_ns`` each call is due so many nanoseconds after the beginning, whatever those before
    it took; and clients do not wait for each other.
    """

    number: int
    program: Packed
    due_ns: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one worker is to do at once: a slice, or several in threads.

    ``first`` is the number of its first session in the whole load, ``sessions`` are the names of
    those of its programs, ``ids`` those by which the store knows them, None where it has not named
    them yet. No call begins later than ``budget_s`` after the start.

    All begin at one time, which ``begins`` tells by the boot of the clock that is read there. With
    a pace, every ``turn`` calls begin so many nanoseconds after those before, or as soon as these
    have ended: so that those who work apart stay together without a word.
    """

    store: str
    location: Location
    claims: Claims
    deadlines: Deadlines
    first: int
    sessions: tuple[str, ...]
    ids: tuple[str | None, ...]
    slices: tuple[Slice, ...]
    budget_s: float
    begins: tuple[tuple[str, int], ...] = ()
    turn: int = 0
    pace_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What came of an order: its history as NPZ, and the ``attempt`` that its ids tell.

    ``refused`` says that the store could not be opened or spoken to, ``stopped`` that a call hung
    or the store's process ended, with ``evidence`` of it. ``began_ns`` and ``ended_ns`` are of the
    worker's clock, ``waited_ns`` is the time between them that passed without work, ``due_from_ns``
    the beginning from which calls were due.
    """

    where: Where
    attempt: int
    began_ns: int
    ended_ns: int
    waited_ns: int = 0
    due_from_ns: int = 0
    history: bytes = b""
    ids: tuple[str | None, ...] = ()
    refused: str = ""
    stopped: str = ""
    evidence: tuple[tuple[str, str], ...] = ()


def number_of(number: int, attempt: int, place: int) -> int:
    """The number of an operation, from 1 to 2**56: see ``parts_of``."""
    return ((number << _ATTEMPT_BITS) | attempt) << _PLACE_BITS | place


def parts_of(
    ids: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each id of a message: its slice, the attempt, and the place in the slice's program."""
    numbers = (ids >> np.uint64(_BATCH_BITS)).astype(np.int64)
    attempts = (numbers >> _PLACE_BITS) & ((1 << _ATTEMPT_BITS) - 1)
    return numbers >> (_PLACE_BITS + _ATTEMPT_BITS), attempts, numbers & ((1 << _PLACE_BITS) - 1)


class Pace:
    """Meets nobody: waits for the time at which the next turn is to begin."""

    def __init__(self, begin_ns: int, pace_ns: int) -> None:
        self._next_ns, self._pace_ns = max(begin_ns, monotonic_ns()), pace_ns
        self.waited_ns = 0

    def __call__(self) -> bool:
        """Wait, if it is early; goes on at each further call."""
        self._next_ns += self._pace_ns
        early_ns = self._next_ns - monotonic_ns()
        if early_ns > 0:
            time.sleep(early_ns / 1e9)
            self.waited_ns += early_ns
        return True


def carry(order: Order) -> Carried:
    """Carry the order out here, with a handle and a journal for each slice."""
    began_ns = monotonic_ns()
    # Nobody knows how often an order was begun: an attempt is told from others by chance.
    attempt = fresh_seed() % (1 << _ATTEMPT_BITS)
    folder = Path(tempfile.mkdtemp(prefix="sessionproof-slice-"))
    told = partial(Carried, where=here(), attempt=attempt, began_ns=began_ns)
    try:
        return _carried(order, attempt, folder, told)
    except (CannotOpen, StoreNotFound) as refusal:
        return told(ended_ns=monotonic_ns(), refused=" ".join(str(refusal).split()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _carried(order: Order, attempt: int, folder: Path, told: Callable[..., Carried]) -> Carried:
    if not order.location.root.is_dir():
        raise CannotOpen(
            f"the folder {order.location.root} is not there: name one that all workers share "
            "with --location"
        )
    spec = find_store(order.store)
    words = vocabulary(spec, order.claims)
    if not words.samples:
        raise CannotOpen(f"no message can be expressed: {'; '.join(words.refused)}")
    begin_ns = dict(order.begins).get(here().boot, 0)
    ready_ns = monotonic_ns()
    pace = Pace(begin_ns, order.pace_ns) if len(order.slices) == 1 and order.pace_ns else None
    setting = Setting(
        folder,
        speech(words.samples, order.claims),
        [*order.ids],
        order.claims.session_ids == "store",
        begin_ns=begin_ns,
        meet=pace,
    )
    another = partial(Handle, spec, order.location, deadlines=order.deadlines)
    with ExitStack() as opened:
        handles = []
        for _ in order.slices:
            handle = another()
            opened.callback(handle.close)
            handles.append(handle)
        opened.pop_all()  # all are open: the seats close them
    seats = ThreadSeats(handles, another, operation_s=order.deadlines.operation_s)
    due_from_ns = max(begin_ns, monotonic_ns())  # who opened the store late is not late with calls
    try:
        stopped = seats.work(_jobs(order, attempt, due_from_ns), setting)
    finally:
        seats.close()
    failure = None if stopped is None else stopped.failure
    return told(
        ended_ns=monotonic_ns(),
        waited_ns=max(0, begin_ns - ready_ns) + (0 if pace is None else pace.waited_ns),
        due_from_ns=due_from_ns,
        history=_bytes(folder),
        ids=tuple(setting.ids),
        stopped="" if failure is None else str(failure),
        evidence=() if failure is None else tuple(failure.evidence.items()),
    )


def _jobs(order: Order, attempt: int, due_from_ns: int) -> list[Job]:
    number = len(order.slices)
    return [
        Job(
            program=unpacked(one.program),
            client=at,
            clients=number,
            first=number_of(one.number, attempt, 0),
            stride=1,
            budget_s=order.budget_s,
            # Threads of one process meet each other; a slice alone has its pace, or none.
            meets=order.turn if number > 1 or order.pace_ns else 0,
            meets_until=len(one.program),
            due_ns=() if one.due_ns is None else tuple((one.due_ns + due_from_ns).tolist()),
        )
        for at, one in enumerate(order.slices)
    ]


def _bytes(folder: Path) -> bytes:
    """All journals of the folder as one file; empty when nobody came to begin."""
    if not any(folder.glob(f"*{SUFFIX}")):
        return b""
    path = folder / "slice.npz"
    npz.write(files.load(folder), path)
    return path.read_bytes()


def history_of(carried: Carried, folder: Path) -> History | None:
    """The history that was sent; ``folder`` is for a file that is removed again."""
    if not carried.history:
        return None
    path = folder / "arrived.npz"
    path.write_bytes(carried.history)
    try:
        return files.read(path)
    finally:
        path.unlink()
