"""Where clients sit: each in the thread of a handle, or all as tasks on the loop of one."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any, Protocol

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.message import from_json, to_json
from sessionproof.contract.operations import Outcome
from sessionproof.history.journal import Journal
from sessionproof.workload.awaiting import waited
from sessionproof.workload.client import Client, Job, run, run_as_task
from sessionproof.workload.guard import Handle, Wait
from sessionproof.workload.meeting import GATHERED_S, LONGEST_S, Meet, of_tasks, of_threads
from sessionproof.workload.speech import Speech
from sessionproof.workload.threads import Threads
from sessionproof.workload.watch import Watch

_SWITCH_S = 1e-5  # threads take turns often, so that they meet
_KEPT_WHOLE = 200  # calls of a client whose every answer is kept
_EVERY = 1_000  # answer that is kept of a client with more, beside the surprising ones
_TOGETHER_S = 1.0  # for the threads of a busy machine to come to the start


@dataclass(frozen=True)
class Setting:
    """What all clients of a round have in common.

    ``ids``, ``awaited`` and ``frames`` are as in ``Client``.
    Threads do not begin before ``begin_ns`` of the monotonic clock, so that those of several
    processes begin together; and ``meet`` is where they meet, of the process's own unless given.
    ``mortal`` clients may be killed: what they read is written down at once.
    """

    folder: Path
    speech: Speech
    ids: list[str | None]
    by_store: bool
    awaited: set[str] | None = None
    begin_ns: int = 0
    meet: Meet | None = None
    mortal: bool = False
    frames: dict[str, str] = field(default_factory=dict)


def setting_to_json(setting: Setting) -> dict[str, Any]:
    """What another process needs of it; where to begin and to meet is told apart."""
    return {
        "folder": os.fspath(setting.folder.absolute()),
        "sample": to_json(setting.speech.sample),
        "counted": setting.speech.counted,
        "timed": setting.speech.timed,
        "ids": setting.ids,
        "by_store": setting.by_store,
    }


def setting_from_json(given: Mapping[str, Any]) -> Setting:
    """The inverse of ``setting_to_json``; other keys are passed over."""
    return Setting(
        folder=Path(given["folder"]),
        speech=Speech(from_json(given["sample"]), given["counted"], given["timed"]),
        ids=given["ids"],
        by_store=given["by_store"],
    )


class Seats(Protocol):
    """As many places as there are clients, each with an open store."""

    def work(self, jobs: Sequence[Job], setting: Setting) -> Outcome | None:
        """Have so many clients work together; what stopped them, None when they came to the end."""
        ...

    def fresh(self) -> Seats:
        """One more place, whose store is opened for it; raises CannotOpen."""
        ...

    def close(self) -> None:
        """Close what was opened for these places."""
        ...


class ThreadSeats:
    """Clients in the threads of handles."""

    def __init__(
        self,
        handles: Sequence[Handle],
        another: Callable[[], Handle],
        *,
        operation_s: float,
        shared: Handle | None = None,
    ) -> None:
        """All use the store of ``shared`` if it is given; ``another`` opens one more handle."""
        self._handles = handles
        self._another = another
        self._operation_s = operation_s
        self._stores = [raw(shared or handle) for handle in handles]
        self._capabilities = (shared or handles[0]).capabilities

    def work(self, jobs: Sequence[Job], setting: Setting) -> Outcome | None:
        """As in ``Seats``."""
        if setting.meet is None:
            meet = of_threads(len(jobs), longest_s=longest_of(jobs))
            setting = replace(setting, meet=meet)
        with _clients(jobs, self._stores, setting, self._capabilities) as clients:
            watch = Watch(clients, self._operation_s)
            start = partial(_start, Barrier(len(clients)), setting.begin_ns)
            handles = self._handles[: len(clients)]
            timed = any(job.due_ns for job in jobs)  # switches would be measured, too
            with nullcontext() if timed else frequent_switches():
                for handle, client in zip(handles, clients, strict=True):
                    action = partial(_in_thread, client, start, watch)
                    handle.begin(f"{len(clients)} clients at once", action)
                hung = watch.hung()
            ended = [handle.ended(0.0 if hung else self._operation_s) for handle in handles]
            if hung:
                return watch.told(_stacks_of_threads(clients, ended))
            _own_mistakes(ended)
        return _stopped(clients)

    def fresh(self) -> ThreadSeats:
        """As in ``Seats``."""
        another = self._another
        return ThreadSeats([another()], another, operation_s=self._operation_s)

    def close(self) -> None:
        """As in ``Seats``."""
        self._stores = []
        if len(self._handles) == 1:
            self._handles[0].close()
            return
        threads = Threads(len(self._handles))  # one that hangs does not hold the others up
        try:
            threads.together(
                [handle.close for handle in self._handles], deadline_s=3 * self._operation_s
            )
        finally:
            threads.close()


class TaskSeats:
    """Clients that are tasks on the loop of one handle, each on one of the stores."""

    def __init__(
        self,
        handle: Handle,
        stores: Sequence[Any],
        another: Callable[[], Any],
        *,
        operation_s: float,
        closes: bool,
    ) -> None:
        """``another`` opens one more store on the loop; ``closes`` these stores with the seats."""
        self._handle = handle
        self._stores = stores
        self._another = another
        self._operation_s = operation_s
        self._closes = closes

    def work(self, jobs: Sequence[Job], setting: Setting) -> Outcome | None:
        """As in ``Seats``."""
        capabilities = self._handle.capabilities
        if any(job.gathers for job in jobs):
            setting = replace(setting, meet=of_tasks(len(jobs)))
        with _clients(jobs, self._stores, setting, capabilities, as_task=True) as clients:
            watch = Watch(clients, self._operation_s)
            tasks: list[asyncio.Task[None]] = []
            action = partial(_on_loop, clients, watch, tasks)
            self._handle.begin(f"{len(clients)} clients at once", action)
            hung = watch.hung()
            stacks = _stacks_of_tasks(clients, tasks) if hung else {}
            ended = self._handle.ended(0.0 if hung else self._operation_s)
            if hung:
                return watch.told({**stacks, "stack of the loop": _stack(ended)})
            _own_mistakes([ended])
        return _stopped(clients)

    def fresh(self) -> TaskSeats:
        """As in ``Seats``."""
        another = self._another
        return TaskSeats(
            self._handle, [another()], another, operation_s=self._operation_s, closes=True
        )

    def close(self) -> None:
        """As in ``Seats``."""
        stores, self._stores = self._stores, []
        for store in stores if self._closes else ():
            self._handle.lend("close()", partial(_close, store))


def _close(store: Any, _: Any, wait: Wait) -> None:
    waited(store.close(), wait)


def longest_of(jobs: Sequence[Job]) -> float:
    """How long clients with these jobs wait for each other."""
    return GATHERED_S if any(job.gathers for job in jobs) else LONGEST_S


def _start(barrier: Barrier, begin_ns: int) -> None:
    """Wait for the others."""
    with suppress(BrokenBarrierError):
        barrier.wait(_TOGETHER_S)
    left_ns = begin_ns - monotonic_ns()
    if left_ns > 0:
        time.sleep(left_ns / 1e9)


def _in_thread(client: Client, start: Callable[[], None], watch: Watch, _: Any, wait: Wait) -> None:
    start()
    try:
        run(client, wait)
    finally:
        watch.ended.put(client)


def _on_loop(
    clients: Sequence[Client], watch: Watch, tasks: list[asyncio.Task[None]], _: Any, wait: Wait
) -> None:
    async def one(client: Client) -> None:
        try:
            await run_as_task(client)
        finally:
            watch.ended.put(client)

    async def all_of_them() -> None:
        tasks.extend(asyncio.create_task(one(client)) for client in clients)
        await asyncio.gather(*tasks)

    wait(all_of_them())


@contextmanager
def _clients(
    jobs: Sequence[Job],
    stores: Sequence[Any],
    setting: Setting,
    capabilities: frozenset[str],
    *,
    as_task: bool = False,
) -> Iterator[list[Client]]:
    """Clients with journals of their own, which are closed when they have worked."""
    with ExitStack() as stack:
        yield [
            Client(
                job,
                store,
                stack.enter_context(_journal(job, setting)),
                speech=setting.speech,
                ids=setting.ids,
                capabilities=capabilities,
                by_store=setting.by_store,
                as_task=as_task,
                meet=setting.meet,
                awaited=setting.awaited,
                frames=setting.frames,
            )
            for job, store in zip(jobs, stores, strict=False)
        ]


def _journal(job: Job, setting: Setting) -> Journal:
    """With every answer in full while they are few: the read that shows a fault may look usual."""
    few = len(job.program) <= _KEPT_WHOLE
    every = 1 if few else _EVERY
    if setting.mortal:
        return Journal(setting.folder, job.client, every=every, held=0)
    return Journal(setting.folder, job.client, every=every)


@contextmanager
def frequent_switches() -> Iterator[None]:
    """Threads take turns often within the block."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


def raw(handle: Handle) -> Any:
    """The store itself, as its handle has it."""
    return handle.lend("the store itself", lambda store, _: store).value


def _stopped(clients: Sequence[Client]) -> Outcome | None:
    return next((client.stopped for client in clients if client.stopped is not None), None)


def _own_mistakes(ended: Sequence[Outcome]) -> None:
    """Raise what no store can have caused: clients write down what their calls raise."""
    for outcome in ended:
        if outcome.failure is not None:
            evidence = outcome.failure.evidence.get("traceback", "")
            raise RuntimeError(f"{outcome.failure}\n{evidence}")


def _stacks_of_threads(clients: Sequence[Client], ended: Sequence[Outcome]) -> dict[str, str]:
    return {
        f"stack of {client.named}": _stack(outcome)
        for client, outcome in zip(clients, ended, strict=True)
        if outcome.failure is not None
    }


def _stack(outcome: Outcome) -> str:
    return "" if outcome.failure is None else outcome.failure.evidence.get("stack", "")


def _stacks_of_tasks(
    clients: Sequence[Client], tasks: Sequence[asyncio.Task[None]]
) -> dict[str, str]:
    """Where each unfinished task waits: the thread of their loop only shows that it does."""
    return {
        f"stack of {client.named}": "".join(_awaiting(task))
        for client, task in zip(clients, tasks, strict=False)
        if not task.done()
    }


def _awaiting(task: asyncio.Task[None]) -> Iterator[str]:
    at: Any = task.get_coro()
    while at is not None:
        frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None)
        if frame is not None:
            yield from traceback.format_list(
                traceback.StackSummary.extract([(frame, frame.f_lineno)])
            )
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)
