"""Reads that go on, one after the other, while something else happens; and when each was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.operations import CRASH, HANG, Append, Outcome
from sessionproof.trials.single import Trial
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import Handle, Wait, outcome_of
from sessionproof.workload.sessions import begin
from sessionproof.workload.threads import Stopped

T = TypeVar("T")
Action: TypeAlias = Callable[[Any, Wait], T]
Seat: TypeAlias = Callable[[Action[Any]], Any]
"""Runs an action with a store of its own, in the thread in which it may be called."""

PAUSE_S = 0.001  # between two reads: readers that only take turns leave a writer no room
_MESSAGES = 3


class Call(NamedTuple):
    """One call: nanoseconds at which it began and ended, and what it raised, if anything."""

    began: int
    ended: int
    raised: str = ""

    def within(self, other: Call) -> bool:
        """Whether it began and ended while the other was going on."""
        return other.began <= self.began and self.ended <= other.ended

    def beside(self, other: Call) -> Call:
        """The part of it that lies within the other; it may be empty or negative."""
        return Call(max(self.began, other.began), min(self.ended, other.ended))

    @property
    def length(self) -> int:
        """Nanoseconds."""
        return self.ended - self.began


@dataclass(frozen=True)
class Reader:
    """Somebody who reads one short session, again and again."""

    name: str
    seat: Seat
    session: str
    calls: list[Call] = field(default_factory=list)

    def some(self, number: int) -> None:
        """So many reads, up to the first that raises."""
        self.seat(lambda store, wait: _some(self, store, wait, number))

    def until(self, stop: Event) -> None:
        """Reads until told to stop, or until one raises."""
        self.seat(lambda store, wait: _until(self, store, wait, stop))

    async def until_done(self, store: Any, done: asyncio.Event) -> None:
        """The same as a task."""
        while not done.is_set() and not (self.calls and self.calls[-1].raised):
            began = monotonic_ns()
            raised = ""
            try:
                await settled(store.read(self.session))
            except BaseException as error:  # noqa: BLE001 - a store may raise anything
                raised = said(error)
            self.calls.append(Call(began, monotonic_ns(), raised))
            await asyncio.sleep(PAUSE_S)


def timed(call: Callable[[], object]) -> Call:
    """When the call began and ended."""
    began = monotonic_ns()
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - a store may raise anything
        return Call(began, monotonic_ns(), said(error))
    return Call(began, monotonic_ns())


def said(error: BaseException) -> str:
    """An error in one line."""
    failure = outcome_of(error).failure
    return failure.line[:300] if failure else "it failed"


def seat_of(handle: Handle, doing: str) -> Seat:
    """The handle's own thread; raises Stopped when an action hangs there."""

    def run(action: Action[T]) -> T:
        outcome: Outcome = handle.lend(doing, action)
        if outcome.failure is None:
            answer: T = outcome.value
            return answer
        if outcome.failure.type in (HANG, CRASH):
            raise Stopped(outcome)
        raise RuntimeError(str(outcome.failure))  # ours

    return run


def seat_on(store: Any) -> Seat:
    """Any thread, on a store that threads share."""

    def no_wait(_: object) -> Any:
        raise AssertionError("nothing is awaited on a handle that threads share")

    return lambda action: action(store, no_wait)


def short_session(trial: Trial, handle: Handle) -> str:
    """The id of a session with a few messages."""
    begun = begin(handle, "short", trial.claims, trial.capabilities)
    trial.require_ok(begun, "made a session")
    session = str(begun.value)
    for message in trial.several(1) * _MESSAGES:
        trial.require_ok(handle.invoke(Append("s0", (message,)), session), "appended a message")
    return session


@contextmanager
def elsewhere(trial: Trial) -> Iterator[Reader]:
    """Who reads the same store at a location of its own, where nobody writes.

    Its reads tell that the machine, the interpreter and the store's code let a read go on.
    """
    other: StoreUnderTest = trial.store.below(trial.store.location.root.parent)
    with ExitStack() as stack:
        stack.callback(other.close)
        handle = other.handle()
        session = short_session(trial, handle)
        yield Reader("a reader elsewhere", seat_of(handle, "reads elsewhere"), session)


def within(calls: Sequence[Call], other: Call) -> list[Call]:
    """The calls that began and ended while the other went on, without error."""
    return [call for call in calls if not call.raised and call.within(other)]


def _some(reader: Reader, store: Any, wait: Wait, number: int) -> None:
    for _ in range(number):
        reader.calls.append(timed(lambda: waited(store.read(reader.session), wait)))
        if reader.calls[-1].raised:
            return


def _until(reader: Reader, store: Any, wait: Wait, stop: Event) -> None:
    while not stop.is_set():
        _some(reader, store, wait, 1)
        if reader.calls[-1].raised:
            return
        time.sleep(PAUSE_S)
