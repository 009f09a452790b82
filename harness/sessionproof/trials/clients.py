"""Who may call a store at the same time: threads, tasks, or one client, as its claims say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sessionproof.bench.clients import Appends, Block, Did, Shift, Work, tasks
from sessionproof.bench.crews import Seat, ThreadCrew
from sessionproof.bench.floors import Floor, Synchronous
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.trials.single import Trial
from sessionproof.workload.awaiting import waited
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.guard import CannotOpen, Handle, Wait
from sessionproof.workload.texts import ZEROS
from sessionproof.workload.threads import Stopped

T = TypeVar("T")

CLIENTS = 10
_FLOOR_S = 60.0  # for a call of raw SQLite, which waits for its lock at most half of it


@dataclass(frozen=True)
class Crew:
    """Clients of one kind ("thread"), so many of them, and what has them work."""

    kind: str
    number: int
    work: Work

    def named(self, number: int) -> str:
        """As in "10 threads"."""
        plural = "es" if self.kind.endswith("s") else "s"
        return f"{number} {self.kind}{plural if number > 1 else ''}"


Gathering: TypeAlias = "Callable[[Trial, Appends], AbstractContextManager[Crew]]"
"""Opens what a crew needs for these appends, and closes it again."""


@contextmanager
def floors(path: Path, number: int, *, synchronous: Synchronous) -> Iterator[Work]:
    """So many connections of raw SQLite to this file, in as many threads."""
    with ExitStack() as stack:
        seats = []
        for _ in range(number):
            floor = Floor(path, synchronous=synchronous)
            stack.callback(floor.close)
            seats.append(partial(_call, floor.append))
        crew = ThreadCrew(seats, lambda session: (session, ZEROS), deadline_s=_FLOOR_S)
        stack.callback(crew.close)
        yield crew.work


def crew_for(trial: Trial) -> Gathering:
    """The kind of clients that may use the store at the same time within one process."""
    if "append" in trial.store.awaited:
        return _as_tasks if trial.claims.at_least("handles", "tasks") else alone
    if not trial.claims.at_least("handles", "threads"):
        return alone
    # A pipe takes one call at a time: many are only served by a process for each.
    shares = trial.claims.shared_handle and not is_hosted(trial.store)
    return _on_one_handle if shares else _on_own_handles


@contextmanager
def _on_one_handle(trial: Trial, appends: Appends) -> Iterator[Crew]:
    """Threads that share the handle."""
    append = _lent(trial.handle(), lambda store, _: store.append)
    with _threads(trial, appends, [partial(_call, append)] * CLIENTS) as crew:
        yield crew


@contextmanager
def _on_own_handles(trial: Trial, appends: Appends) -> Iterator[Crew]:
    """Threads with a handle each."""
    with ExitStack() as stack:
        seats = []
        for _ in range(CLIENTS):
            handle = trial.store.another_handle()
            stack.callback(handle.close)
            seats.append(partial(_call_on, handle))
        yield stack.enter_context(_threads(trial, appends, seats))


@contextmanager
def alone(trial: Trial, appends: Appends) -> Iterator[Crew]:
    """The one client that the claims allow."""
    if "append" in trial.store.awaited:
        append = _lent(trial.handle(), lambda store, _: store.append)
        yield _of_tasks(trial, appends, [append])
        return
    with _threads(trial, appends, [partial(_call_on, trial.handle())]) as crew:
        yield crew


@contextmanager
def _as_tasks(trial: Trial, appends: Appends) -> Iterator[Crew]:
    """Tasks on the event loop of the handle: on the handle itself, or on one each beside it."""
    handle, location = trial.handle(), trial.store.location
    if trial.claims.shared_handle:
        append = _lent(handle, lambda store, _: store.append)
        yield _of_tasks(trial, appends, [append] * CLIENTS)
        return
    opening = trial.store.spec.open
    with ExitStack() as stack:
        stores = []
        for _ in range(CLIENTS):
            opened = handle.lend("open()", lambda _, wait: waited(opening(location), wait))
            if opened.failure is not None:
                why = opened.failure
                raise CannotOpen(f"a second time: {why}", why)
            stack.callback(_close_beside, handle, opened.value)
            stores.append(opened.value)
        yield _of_tasks(trial, appends, [store.append for store in stores])


@contextmanager
def _threads(trial: Trial, appends: Appends, seats: Sequence[Seat]) -> Iterator[Crew]:
    deadline_s = trial.store.deadlines.operation_s
    crew = ThreadCrew(seats, appends, deadline_s=deadline_s)
    try:
        yield Crew("thread", len(seats), crew.work)
    finally:
        crew.close()


def _of_tasks(trial: Trial, appends: Appends, calls: list[Callable[..., Any]]) -> Crew:
    handle = trial.handle()

    def work(shift: Shift) -> Block:
        block: Block = _lent(handle, lambda _, wait: wait(tasks(calls, appends, shift)))
        return block

    return Crew("task", len(calls), work)


def _call(append: Callable[..., object], work: Callable[[Callable[..., object]], Did]) -> Did:
    return work(append)


def _call_on(handle: Handle, work: Callable[[Callable[..., object]], Did]) -> Did:
    return _lent(handle, lambda store, _: work(store.append))


def _lent(handle: Handle, action: Callable[[Any, Wait], T]) -> T:
    """What the action answers in the handle's own thread; raises Stopped when it does not end."""
    outcome = handle.lend("appends by many clients", action)
    if outcome.failure is None:
        answer: T = outcome.value
        return answer
    if outcome.failure.type in (HANG, CRASH):
        raise Stopped(outcome)
    raise RuntimeError(str(outcome.failure))  # ours: see serve()


def _close_beside(handle: Handle, store: Any) -> None:
    closed = handle.lend("store.close()", lambda _, wait: waited(store.close(), wait))
    if handle.dropped:
        raise Stopped(closed)
