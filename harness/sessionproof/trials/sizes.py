"""How much room a store takes: on disk for sessions and messages, in memory for handles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

from sessionproof.bench.client import TEXT_BYTES, Client
from sessionproof.bench.sizes import LEAST, Unmeasured, bytes_below, each_of, memory_of_a_handle
from sessionproof.bench.table import CallFailed
from sessionproof.contract.measurements import Size
from sessionproof.trials.beside import beside, in_chunks, lending, own_folder
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.texts import text_bytes

SESSIONS = 500
MESSAGES = {TEXT_BYTES: 500, 4_000: 100}  # by the bytes of their texts
APPENDS = 50  # one by one; so few that SQLite does not yet fold its log into the file
READ = 50  # messages that a handle reads before its memory counts
_STEP_S = 0.7  # what writing them may take; a slow store writes fewer
_LEAST_S = 2.0  # until there are enough to tell: appends of 100 ms still have sizes
_LOGS = "*-wal"
_UNHURRIED = 100  # rounds of a profile that has the time to start a process

Step: TypeAlias = Callable[[Client, int], None]


def measure_sizes(trial: Trial) -> None:
    """Add the sizes to what the trial measured, and to its notes those that cannot be told."""
    parent = trial.store.location.root.parent
    missed: dict[str, list[str]] = {}
    for what, size in _rows(trial):
        with own_folder("sizes-", below=parent) as folder:
            try:
                trial.measured.append(size(what, Path(folder)))
            except (Unmeasured, CallFailed, CannotOpen) as why:
                missed.setdefault(str(why), []).append(what)
    trial.notes += [f"{', '.join(what)} not measured: {why}" for why, what in missed.items()]


def _rows(trial: Trial) -> Iterator[tuple[str, Callable[[str, Path], Size]]]:
    if "create" in trial.capabilities:
        yield "bytes per session", partial(_of_sessions, trial)
    for length, number in MESSAGES.items():
        if text_bytes(trial.claims, length) == length:
            what = f"bytes per message of {length:,} bytes"
            yield what, partial(_of_messages, trial, length, number)
    yield "bytes of log per append", partial(_of_logs, trial)
    if trial.claims.at_least("handles", "tasks") and trial.profile.rounds >= _UNHURRIED:
        yield "private memory per handle", partial(_of_handles, trial)


def _of_sessions(trial: Trial, what: str, folder: Path) -> Size:
    def create(client: Client, number: int) -> None:
        for _ in range(number):
            client.created()

    before, after, number = _grown(trial, folder, create, SESSIONS)
    return each_of(what, before, after, number, note="without messages")


def _of_messages(trial: Trial, length: int, most: int, what: str, folder: Path) -> Size:
    kept = trial.claims.limits.retention

    def append(client: Client, number: int) -> None:
        client.speak(length)
        if kept is None:
            client.load(number)
            return
        for start in range(0, number, kept):  # what is dropped again would take no room
            client.session = ""
            client.load(min(kept, number - start))

    before, after, number = _grown(trial, folder, append, most)
    return each_of(what, before, after, number, floor=length)


def _grown(trial: Trial, folder: Path, step: Step, most: int) -> tuple[int, int, int]:
    """Bytes below a location before and after, each time closed, and how much was written."""
    at = trial.store.below(folder)
    session, _ = _visited(trial, at, folder / "a.db", _load, 1)
    before = bytes_below(at.location.root)
    _, number = _visited(trial, at, folder / "b.db", step, most, session=session)
    return before, bytes_below(at.location.root), number


def _of_logs(trial: Trial, what: str, folder: Path) -> Size:
    at, floor = trial.store.below(folder), folder / "floor.db"
    sizes: list[tuple[int, int]] = []

    def append(client: Client, number: int) -> None:
        if not sizes:  # what opening and the first append write is left out
            client.load(1)
            client.floor.append(client.session, next(client.texts))
            sizes.append((bytes_below(at.location.root, _LOGS), _log_of(floor)))
        for text in client.some(number):
            client.fill(client.session, [text])
            client.floor.append(client.session, text)
        sizes.append((bytes_below(at.location.root, _LOGS), _log_of(floor)))

    _, number = _visited(trial, at, floor, append, APPENDS)
    (before, floor_before), (after, floor_after) = sizes[0], sizes[-1]
    if not after:
        raise Unmeasured("no file is a write-ahead log")
    note = "one by one; the floor is the log of raw SQLite"
    return each_of(
        what, before, after, number, floor=(floor_after - floor_before) / number, note=note
    )


def _log_of(database: Path) -> int:
    return bytes_below(database.parent, f"{database.name}-wal")


def _of_handles(trial: Trial, _what: str, folder: Path) -> Size:
    at = trial.store.below(folder)
    session, _ = _visited(trial, at, folder / "floor.db", _load, READ)
    return memory_of_a_handle(trial.store.spec.name, at.location, session)


def _load(client: Client, number: int) -> None:
    client.load(number)


def _visited(
    trial: Trial, at: StoreUnderTest, floor: Path, step: Step, most: int, *, session: str = ""
) -> tuple[str, int]:
    """Open the location, do so much, close it: the session that was loaded, and how much was done.

    Raises CannotOpen and CallFailed.
    """
    try:
        handle = at.handle()
        names = "b" if session else "a"  # a second visit makes sessions of other names
        with beside(trial, handle, floor, names=names) as client:
            client.session = session
            done = in_chunks(
                lending(handle), partial(step, client), most,
                within_s=_STEP_S, least=LEAST, latest_s=_LEAST_S,
            )  # fmt: skip
            session = client.session
    finally:
        closed = at.close()
    if closed.failure is not None:
        raise CallFailed(closed.failure)
    return session, done
