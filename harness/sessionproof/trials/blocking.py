"""Whether readers wait for writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.operations import Append
from sessionproof.contract.verdicts import Finding
from sessionproof.faults.outsider import CannotMeddle, Outsider
from sessionproof.scripts.expressions import call
from sessionproof.trials import long_appends, reads_during
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.readers import (
    Call,
    Reader,
    elsewhere,
    seat_of,
    short_session,
    within,
)
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.workload.threads import Stopped, Threads

_READS = 5  # of each reader while a lock is held
_AGAIN = 3
_BESIDE = 20  # reads elsewhere that tell that the machine let one go on
_SHORTEST_HOLD_S, _LONGEST_HOLD_S = 0.4, 4.0


def readers_go_on(trial: Trial) -> None:
    """Reads while another process holds a write transaction open, and beside appends.

    The first is certain, and is done where the store lies in SQLite files: a read must end before
    the lock is released. The others are done with every store. Of reads beside appends that take
    long, some begin and end within one: that none does is a break only where reads of the same
    store at another location went on meanwhile. And no read of the session that others append to
    fails.
    """
    locked = _beside_an_outsider(trial)
    beside = long_appends.reads_beside(trial)
    proved = trial.examined["reads"]
    reads_during.during_appends(trial)
    if locked is None and beside is not None:
        within = trial.examined["reads"] - proved
        if within < trial.guarantee.least:
            raise CouldNotTell(beside)
        beside = f"{within} reads ended within an append of another client"
    trial.notes += [note for note in (locked, beside) if note]


@dataclass(frozen=True)
class _Met:
    """Reads of one reader under a lock. ``lock`` ends when it was released at the latest."""

    lock: Call
    reads: tuple[Call, ...]
    beside: int

    @property
    def good(self) -> int:
        """How many reads ended before the lock was released."""
        return len(within(self.reads, self.lock))

    @property
    def wrong(self) -> str:
        """What a reader met; empty for none."""
        raised = next((read.raised for read in self.reads if read.raised), "")
        if raised:
            return f"the read failed: {raised}"
        if self.good:
            return ""
        held_s = self.lock.length / 1e9
        return (
            f"the read had not ended after {held_s:.1f} s, when the lock was released; meanwhile "
            f"{self.beside} reads at another location ended"
        )


def _beside_an_outsider(trial: Trial) -> str | None:
    """A note of what was done; None where no database of the store could be locked."""
    trial.store.fresh_location()
    session = short_session(trial, trial.handle())
    root = trial.store.location.root
    with Outsider() as outsider, elsewhere(trial) as control, _readers(trial, session) as readers:
        paths = [one.path for one in outsider.databases(root)]
        if not paths:
            return None
        for reader in readers:
            reader.some(_READS)  # at rest: what is made once is made
            if any(read.raised for read in reader.calls):
                raise CouldNotTell(f"a read at rest failed: {reader.calls[-1].raised}")
        for reader in readers:
            try:
                met = _judged(trial, outsider, paths, reader, control)
            except CannotMeddle:
                return None
            if met is None:
                return None
            trial.count("reads", met.good)
    return f"reads of {len(readers)} handles while another process held the write lock"


@contextmanager
def _readers(trial: Trial, session: str) -> Iterator[list[Reader]]:
    """Who reads: the handle that is open, and another where there may be one."""
    with ExitStack() as stack:
        handles = [trial.handle()]
        if trial.claims.at_least("handles", "threads"):
            handles.append(trial.store.another_handle())
            stack.callback(handles[1].close)
        yield [
            Reader(f"handle {at}", seat_of(handle, "reads beside a write lock"), session)
            for at, handle in enumerate(handles, 1)
        ]


def _judged(
    trial: Trial, outsider: Outsider, paths: list[Path], reader: Reader, control: Reader
) -> _Met | None:
    """What the reader met; None where nothing could be locked. Raises Broken."""
    met: list[_Met] = []
    while len(met) < _AGAIN:
        one = _under_lock(trial, outsider, paths, reader, control)
        if one is None:
            return None
        if not one.wrong:
            return one
        failed = any(read.raised for read in one.reads)
        if not failed and one.beside < _BESIDE:
            raise CouldNotTell(f"{one.wrong}: the machine was too busy, or both wait for the same")
        met.append(one)
    root = trial.store.location.root
    finding = Finding(
        anomaly=Anomaly.BLOCKED_READER,
        did=f"read through {reader.name} while another process held a write transaction open",
        expected="the read ends before the writer does: readers go on while a writer is at work",
        seen=met[-1].wrong,
        program=("BEGIN IMMEDIATE (by another process)", f"store.read({reader.session!r})"),
        repeats=f"{_AGAIN} of {_AGAIN}",
    )
    relative = [path.relative_to(root) for path in paths]
    raise trial.broken(finding, lambda: _script(trial, relative))


def _under_lock(
    trial: Trial, outsider: Outsider, paths: list[Path], reader: Reader, control: Reader
) -> _Met | None:
    """Some reads while all databases are locked for writing, with reads elsewhere beside them."""
    hold_s = min(_LONGEST_HOLD_S, max(_SHORTEST_HOLD_S, 0.75 * trial.profile.share_s))
    stop = Event()
    reader.calls.clear()
    control.calls.clear()

    def locked() -> _Met | None:
        try:
            began = monotonic_ns()
            if not outsider.hold(paths, "writing", for_s=hold_s):
                return None
            reader.some(_READS)
            ended = monotonic_ns()
            if not outsider.release():  # it let go by itself, at this time or later
                ended = min(ended, began + int(hold_s * 1e9))
            lock = Call(began, ended)
            return _Met(lock, tuple(reader.calls), len(within(control.calls, lock)))
        finally:
            stop.set()

    threads = Threads(2)
    try:
        deadline_s = trial.store.deadlines.operation_s + hold_s
        return threads.together([locked, lambda: control.until(stop)], deadline_s=deadline_s)[0]
    except Stopped as stopped:
        outsider.release()
        trial.require_ok(stopped.outcome, "read while another process held the write lock")
        raise
    finally:
        threads.close()


def _script(trial: Trial, paths: list[Path]) -> list[str]:
    listed = ", ".join(f"directory / {str(path)!r}" for path in paths)
    return [
        *made(trial, "s0"),
        call(Append("s0", (good_message(trial, "hello"),)), "s0"),
        "store.read(s0)",
        f"paths = [{listed}]",
        "locks = [sqlite3.connect(path, isolation_level=None, check_same_thread=False)",
        "         for path in paths]",
        "for lock in locks:",
        "    lock.execute('BEGIN IMMEDIATE')",
        "released = threading.Event()",
        "def release():",
        "    released.set()",
        "    for lock in locks:",
        "        lock.rollback()",
        "timer = threading.Timer(2, release)",
        "timer.start()",
        "raised = None",
        "try:",
        "    store.read(s0)",
        "except Exception as error:",
        "    raised = error",
        "waited = released.is_set()",
        "timer.cancel()",
        "timer.join()",
        "release()",
        "for lock in locks:",
        "    lock.close()",
        "assert raised is None and not waited, f'the read waited for the writer: {raised}'",
    ]
