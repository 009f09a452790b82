"""Who carries clients out: threads of their own, or one loop of asyncio.

Whatever they carry out is an async function, so that a store may be of either sort; with threads
nothing in it may wait by ``await``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import Any, Protocol

from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import Task
from sessionproof.schedule.seats import Seat
from sessionproof.schedule.tasks import Loop
from sessionproof.workload.client import Client, run, run_as_task
from sessionproof.workload.meeting import Meet

Action = Callable[[], Coroutine[Any, Any, None]]
Failed = Callable[[BaseException], None]
Arrivals = Iterable[tuple[int, Point]]
"""The operations that a client will begin, with their points."""


class Hands(Protocol):
    """Carry out what tasks of a controller do."""

    def begin(self, task: Task, action: Action, failed: Failed) -> None:
        """Have the task do this when it is given the token; ``failed`` is told what it raised."""
        ...

    async def play(self, client: Client) -> None:
        """Have a client work."""
        ...

    def arrive(self, arrivals: Arrivals) -> Meet | None:
        """What a client calls before each operation; None: each operation is a point itself."""
        ...

    def end(self) -> None:
        """End every thread, after the controller gave up."""
        ...


class Threads:
    """Each task is a thread, which outlives it."""

    def __init__(self, controller: Controller, numbers: Iterable[int]) -> None:
        self._controller = controller
        self._seats = {number: Seat(f"client {number}") for number in numbers}

    def begin(self, task: Task, action: Action, failed: Failed) -> None:
        """As in ``Hands``."""

        def order() -> None:
            try:
                self._controller.work(task, partial(_at_once, action))
            except BaseException as error:  # noqa: BLE001 - a store may raise anything
                failed(error)

        self._seats[task.number].give(order)

    async def play(self, client: Client) -> None:
        """As in ``Hands``."""
        run(client, _no_await)

    def arrive(self, arrivals: Arrivals) -> Meet | None:
        """As in ``Hands``."""
        del arrivals
        return None

    def end(self) -> None:
        """As in ``Hands``."""
        for seat in self._seats.values():
            seat.give(None)


class Tasks:
    """All tasks are carried by one loop."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._loop = Loop(controller)
        self._seat = Seat("loop")
        self._seat.give(self._loop.serve)

    def begin(self, task: Task, action: Action, failed: Failed) -> None:
        """As in ``Hands``."""

        async def guarded() -> None:
            try:
                await action()
            except BaseException as error:  # noqa: BLE001 - as above
                failed(error)

        self._loop.start(task, guarded)

    async def play(self, client: Client) -> None:
        """As in ``Hands``."""
        await run_as_task(Unpaused(client, self._controller))  # type: ignore[arg-type]

    def arrive(self, arrivals: Arrivals) -> Meet | None:
        """As in ``Hands``."""
        coming = iter(arrivals)
        return lambda: self._loop.arrival(*next(coming))

    def end(self) -> None:
        """As in ``Hands``."""
        self._loop.end()
        self._seat.give(None)
        self._seat.wait()


class Unpaused:
    """A client that does not let others go on between its calls: it arrives for each of them."""

    def __init__(self, client: Client, controller: Controller) -> None:
        self._client = client
        self._controller = controller

    @property
    def left(self) -> bool:
        """As of a client."""
        return self._client.left or self._controller.given_up

    def work(self) -> Generator[Awaitable[Any], Any, None]:
        """As of a client."""
        steps, came = self._client.work(), None
        with suppress(StopIteration):
            while True:
                asked: Any = steps.send(came)
                if not self._client.since_ns and _is_pause(asked):
                    asked.close()
                    came = None
                else:
                    came = yield asked


def _is_pause(asked: Any) -> bool:
    frame = getattr(asked, "cr_frame", None)
    return (
        frame is not None
        and frame.f_code is asyncio.sleep.__code__
        and frame.f_locals["delay"] == 0
    )


async def came(answer: Any) -> Any:
    """What a store answered, awaited where that is called for."""
    return await answer if isawaitable(answer) else answer


def _at_once(action: Action) -> None:
    steps = action()
    try:
        steps.send(None)
    except StopIteration:
        return
    steps.close()
    _no_await(None)


def _no_await(_: Any) -> Any:
    raise TypeError("the store answered an awaitable where it had not before")
