"""Clients that call at the same time: what each of them does, and what it tells afterwards.

A client takes calls from a queue and carries them out, one after the other. With a closed loop the
queue is full from the start, so each call begins when the one before has ended. With an open loop
(``offered.py``) no call begins before it is due, and all that are due wait for a free client.

Nothing here needs more than the standard library: a process of a client starts quickly.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias

from sessionproof.contract.clock import SystemClock, monotonic_ns
from sessionproof.contract.message import Message
from sessionproof.workload.guard import outcome_of
from sessionproof.workload.texts import ZEROS, said, with_number

Due: TypeAlias = int | None
"""When a call is due, in nanoseconds of the monotonic clock; 0 for at once, None for no more."""

Arguments: TypeAlias = Callable[[str], tuple[Any, ...]]
"""The arguments of the next append to a session of this id."""

AT_ONCE = 0
_SAID = 200  # characters of an error that are kept
_STOCK = 5_000  # appends that are made beforehand: as many as any shift has


class Call(NamedTuple):
    """One call: nanoseconds at which it was due, began and ended, and how (ok, fail, info)."""

    due: int
    began: int
    ended: int
    ending: str


@dataclass(frozen=True)
class Did:
    """What one client did. ``said`` are the errors of the calls that failed, in their order."""

    calls: tuple[Call, ...]
    said: tuple[str, ...] = ()

    def number(self, ending: str) -> int:
        """How many calls ended so."""
        return sum(call.ending == ending for call in self.calls)


@dataclass(frozen=True)
class Shift:
    """What clients are to do at the same time, one for each of ``sessions``.

    Each does ``calls`` in a closed loop; or all together do those that are ``due`` in an open one.
    Threads and processes do not begin before ``begin_ns``; tasks begin together as soon as their
    loop comes to them. No call begins from ``until_ns`` on.
    """

    sessions: tuple[str, ...]
    begin_ns: int
    until_ns: int
    calls: int = 0
    due: tuple[int, ...] = ()


@dataclass(frozen=True)
class Block:
    """What came of a shift: one ``did`` for each client, in their order.

    ``late_ns`` says of calls in an open loop for which a client was free how long after they were
    due the harness let it begin.
    """

    did: tuple[Did, ...]
    late_ns: tuple[int, ...] = ()


Work: TypeAlias = Callable[[Shift], Block]
"""Has clients do a shift; raises what ends a measurement, such as ``threads.Stopped``."""


class Appends:
    """Arguments of single appends of such a message, made while nothing is timed.

    No two texts are equal, as far as the message's own has room for a number. Where it has a time,
    each is given a later one. Threads may share them.
    """

    def __init__(self, message: Message, first: int = 0) -> None:
        """``first`` is the number of the first text."""
        self._message = message
        self._text = message.content if isinstance(message.content, str) else ZEROS
        self._numbers = itertools.count(first)
        self._times = itertools.count(SystemClock().now_us())
        self._made: deque[Message] = deque()
        self.stock()

    def stock(self) -> None:
        """Make as many as clients may need at a time; a client that needs more makes its own."""
        self._made.extend([self._next() for _ in range(_STOCK - len(self._made))])

    def __call__(self, session: str) -> tuple[str, list[Message]]:
        """The arguments of the next append to this session."""
        try:
            message = self._made.popleft()
        except IndexError:
            message = self._next()
        return session, [message]

    def _next(self) -> Message:
        at_us = None if self._message.created_at_us is None else next(self._times)
        return said(self._message, with_number(self._text, next(self._numbers)), at_us=at_us)


def serve(
    call: Callable[..., object],
    arguments: Callable[[], tuple[Any, ...]],
    take: Callable[[], Due],
    shift: Shift,
) -> Did:
    """Carry out what ``take`` gives, until it gives None or the shift's time is over."""
    calls: list[Call] = []
    said: list[str] = []
    sleep_until(shift.begin_ns)
    while (due := take()) is not None and monotonic_ns() < shift.until_ns:
        given = arguments()
        began = monotonic_ns()
        try:
            call(*given)
            ended, ending = monotonic_ns(), "ok"
        except BaseException as error:  # noqa: BLE001 - a store may raise anything
            ended = monotonic_ns()
            ending = _failed(error, said)
        calls.append(Call(due or began, began, ended, ending))
    return Did(tuple(calls), tuple(said))


async def serve_awaiting(
    call: Callable[..., Awaitable[object]],
    arguments: Callable[[], tuple[Any, ...]],
    take: Callable[[], Awaitable[Due]],
    shift: Shift,
) -> Did:
    """The same for calls that answer awaitables; it does not wait for the shift to begin."""
    calls: list[Call] = []
    said: list[str] = []
    while (due := await take()) is not None and monotonic_ns() < shift.until_ns:
        given = arguments()
        began = monotonic_ns()
        try:
            await call(*given)
            ended, ending = monotonic_ns(), "ok"
        except BaseException as error:  # noqa: BLE001 - a store may raise anything
            ended = monotonic_ns()
            ending = _failed(error, said)
        calls.append(Call(due or began, began, ended, ending))
    return Did(tuple(calls), tuple(said))


def at_once(calls: int) -> Callable[[], Due]:
    """What a client of a closed loop takes: so many calls, then no more."""
    left: Iterable[Due] = itertools.chain(itertools.repeat(AT_ONCE, calls), itertools.repeat(None))
    return iter(left).__next__


def at_once_awaiting(calls: int) -> Callable[[], Awaitable[Due]]:
    """The same for a client that is a task."""
    take = at_once(calls)

    async def taken() -> Due:
        return take()

    return taken


class Schedule:
    """Calls that are due at given times, for clients in threads.

    Whoever is free takes the next one and sleeps until it is due; when it was due before, there
    is no sleep, and what clients are too slow for piles up. Nothing stands between the clock and
    the clients that could be a bottleneck.
    """

    def __init__(self, due: Sequence[int], *, clients: int) -> None:
        self._queue: SimpleQueue[Due] = SimpleQueue()
        for at in (*due, *[None] * clients):
            self._queue.put(at)
        self._late: list[int] = []

    def take(self) -> Due:
        """The next call, when it is due; None when there is no more."""
        at = self._queue.get()
        if at is not None and at > monotonic_ns():
            sleep_until(at)
            self._late.append(monotonic_ns() - at)
        return at

    def late_ns(self) -> tuple[int, ...]:
        """How much too long those slept who slept."""
        return tuple(self._late)


class Feeder:
    """The same for tasks: a thread that hands out calls when they are due.

    The timers of an event loop have milliseconds, which would be most of many a latency.
    ``put`` takes each due time, and None for each of so many clients at the end.
    """

    def __init__(self, due: Sequence[int], put: Callable[[Due], object], *, clients: int) -> None:
        self._late: list[int] = []
        self._thread = threading.Thread(
            target=self._feed, args=(due, put, clients), name="feeder", daemon=True
        )
        self._thread.start()

    def late_ns(self) -> tuple[int, ...]:
        """How late each call was handed out; waits until all are."""
        self._thread.join()
        return tuple(self._late)

    def _feed(self, due: Sequence[int], put: Callable[[Due], object], clients: int) -> None:
        for at in due:
            sleep_until(at)
            put(at)
            self._late.append(max(0, monotonic_ns() - at))
        for _ in range(clients):
            put(None)


def sleep_until(at_ns: int) -> None:
    """Sleep up to this time of the monotonic clock; not at all when it has passed."""
    left = at_ns - monotonic_ns()
    if left > 0:
        time.sleep(left / 1e9)


def _failed(error: BaseException, said: list[str]) -> str:
    outcome = outcome_of(error)
    failure = outcome.failure
    said.append(failure.line[:_SAID] if failure else "")
    return outcome.type


async def tasks(
    calls: Sequence[Callable[..., Awaitable[object]]], arguments: Arguments, shift: Shift
) -> Block:
    """A shift of clients that are tasks of the running loop; one call for each of them."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Due] = asyncio.Queue()
    feeder = None
    if shift.due:
        put = lambda due: loop.call_soon_threadsafe(queue.put_nowait, due)  # noqa: E731
        feeder = Feeder(shift.due, put, clients=len(shift.sessions))
    working = [
        serve_awaiting(
            call,
            lambda session=session: arguments(session),  # type: ignore[misc]
            queue.get if feeder else at_once_awaiting(shift.calls),
            shift,
        )
        for call, session in zip(calls, shift.sessions, strict=False)
    ]
    did = await asyncio.gather(*working)
    return Block(tuple(did), feeder.late_ns() if feeder else ())
