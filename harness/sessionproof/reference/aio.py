"""The reference store behind ``async def``: the same file, the same single writer."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message, Receipt
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.transactions import Step
from sessionproof.reference import upkeep
from sessionproof.reference.claimed import Durability, claimed_by_handle
from sessionproof.reference.connections import CLOSED
from sessionproof.reference.grouping import MOST, STOPPED, Outcome
from sessionproof.reference.presets import preset_named
from sessionproof.reference.store import ReferenceStore
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.transacting import appends, steps_of

P = ParamSpec("P")
T = TypeVar("T")

_MOST_READ_THREADS = 8


class _Waiting(NamedTuple):
    """A call that a task waits for; ``alone`` if it cannot be part of a group."""

    call: Callable[[], Any]
    future: asyncio.Future[Any]
    alone: bool


def _writing(
    method: Callable[Concatenate[ReferenceStore, P], T],
) -> Callable[Concatenate[AsyncReferenceStore, P], Coroutine[Any, Any, T]]:
    """The method, carried out by the thread that writes, with what others wait for."""

    @wraps(method)
    async def call(store: AsyncReferenceStore, /, *given: P.args, **named: P.kwargs) -> T:
        return await store._write(partial(method, store._store, *given, **named))

    return call


def _reading(
    method: Callable[Concatenate[ReferenceStore, P], T],
) -> Callable[Concatenate[AsyncReferenceStore, P], Coroutine[Any, Any, T]]:
    """The method, carried out by one of the other threads."""

    @wraps(method)
    async def call(store: AsyncReferenceStore, /, *given: P.args, **named: P.kwargs) -> T:
        return await store._read(partial(method, store._store, *given, **named))

    return call


def _lending(
    function: Callable[P, T],
) -> Callable[Concatenate[AsyncReferenceStore, P], Coroutine[Any, Any, T]]:
    """The function, which is about no handle, as a method."""

    async def call(store: AsyncReferenceStore, /, *given: P.args, **named: P.kwargs) -> T:
        return await store._read(partial(function, *given, **named))

    call.__doc__ = function.__doc__
    call.__name__ = function.__name__
    own = inspect.signature(function)
    store = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    call.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[store, *own.parameters.values()]
    )
    return call


class AsyncReferenceStore:
    """``ReferenceStore`` for tasks: one thread writes, a few read, none per call.

    Writes of tasks that wait together are committed together. Usable from several event loops. A
    task that is cancelled while it waits may still have its operation carried out.
    """

    # What it costs to go to another thread and back is up to the machine.
    claims = replace(ReferenceStore.claims, costs={})
    version = ReferenceStore.version

    def __init__(
        self,
        location: Location | os.PathLike[str] | str,
        *,
        preset: str = "web",
        durability: Durability = "power",
        clock: Clock | None = None,
        check_digests: bool = False,
        timeouts: Timeouts | None = None,
        snapshots_before: Collection[str] = (),
    ) -> None:
        self._store = ReferenceStore(
            location,
            preset=preset,
            durability=durability,
            clock=clock,
            check_digests=check_digests,
            timeouts=timeouts,
            snapshots_before=snapshots_before,
        )
        self.claims = claimed_by_handle(type(self).claims, durability, timeouts)
        readers = min(preset_named(preset).readers, _MOST_READ_THREADS)
        self._writes = ThreadPoolExecutor(1, "sessionproof-write")
        self._changing = threading.Lock()  # held for a moment, by any event loop's thread
        self._waiting: deque[_Waiting] = deque()
        self._serving = False
        self._reads = ThreadPoolExecutor(readers, "sessionproof-read")

    async def __aenter__(self) -> AsyncReferenceStore:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection and thread, after the operations under way; idempotent."""
        if self._store.ended is None:
            with suppress(Refused):  # another task closes it at this moment
                await self._write(self._store.close, alone=True)
        if self._store.ended == CLOSED:
            self._writes.shutdown()  # at once: nothing is under way any more
            self._reads.shutdown()

    # As of ReferenceStore: what writes waits with other writes, all else has threads of its own.

    append = _writing(ReferenceStore.append)
    read = _reading(ReferenceStore.read)
    read_last = _reading(ReferenceStore.read_last)
    page = _reading(ReferenceStore.page)
    count = _reading(ReferenceStore.count)
    pop_last = _writing(ReferenceStore.pop_last)
    delete_message = _writing(ReferenceStore.delete_message)
    edit_message = _writing(ReferenceStore.edit_message)
    replace = _writing(ReferenceStore.replace)
    clear = _writing(ReferenceStore.clear)

    create = _writing(ReferenceStore.create)
    get = _reading(ReferenceStore.get)
    update = _writing(ReferenceStore.update)
    list = _reading(ReferenceStore.list)
    delete = _writing(ReferenceStore.delete)

    get_state = _reading(ReferenceStore.get_state)
    set_state = _writing(ReferenceStore.set_state)
    append_with_state = _writing(ReferenceStore.append_with_state)

    @wraps(ReferenceStore.transact)
    async def transact(
        self, steps: Sequence[Step]
    ) -> builtins.list[builtins.list[Message] | Receipt]:
        """See ``ReferenceStore.transact``."""
        known = steps_of(steps)
        call = partial(self._store.transact, known)
        return await (self._write(call) if appends(known) else self._read(call))

    add_llm_model = _writing(ReferenceStore.add_llm_model)
    set_llm_model = _writing(ReferenceStore.set_llm_model)
    delete_llm_model = _writing(ReferenceStore.delete_llm_model)

    set_limits = _writing(ReferenceStore.set_limits)
    touch = _writing(ReferenceStore.touch)
    set_status = _writing(ReferenceStore.set_status)
    sweep = _reading(ReferenceStore.sweep)

    snapshot = _reading(ReferenceStore.snapshot)
    restore_snapshot = _reading(ReferenceStore.restore_snapshot)
    read_snapshot = _reading(ReferenceStore.read_snapshot)
    compare_snapshots = _reading(ReferenceStore.compare_snapshots)
    remove_snapshot = _writing(ReferenceStore.remove_snapshot)
    snapshots = _reading(ReferenceStore.snapshots)

    search = _reading(ReferenceStore.search)
    search_sessions = _reading(ReferenceStore.search_sessions)

    recent_sessions = _reading(ReferenceStore.recent_sessions)
    largest_sessions = _reading(ReferenceStore.largest_sessions)
    session_statistics = _reading(ReferenceStore.session_statistics)
    sessions_at_timeout = _reading(ReferenceStore.sessions_at_timeout)
    token_use = _reading(ReferenceStore.token_use)
    slow_responses = _reading(ReferenceStore.slow_responses)
    export_sessions = _reading(ReferenceStore.export_sessions)
    import_sessions = _reading(ReferenceStore.import_sessions)

    health = _reading(ReferenceStore.health)
    maintain = _reading(ReferenceStore.maintain)
    verify = _reading(ReferenceStore.verify)
    backup = _reading(ReferenceStore.backup)

    async def tables(self) -> SqliteTables:
        """See ``ReferenceStore.tables``."""
        return self._store.tables()

    restore = _lending(upkeep.restore)
    recover = _lending(upkeep.recover)
    repair = _lending(upkeep.repair)
    migrate = _lending(upkeep.migrate)
    rollback = _lending(upkeep.rollback)

    async def _read(self, call: Callable[[], T]) -> T:
        if self._store.ended:  # after a fork the threads are gone, and nobody would ever answer
            raise Refused(self._store.ended)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reads, call)
        except RuntimeError:
            if self._store.ended:  # closed between the two lines
                raise Refused(self._store.ended) from None
            raise

    async def _write(self, call: Callable[[], T], *, alone: bool = False) -> T:
        if self._store.ended:
            raise Refused(self._store.ended)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._changing:
            if not self._serving:
                try:
                    self._writes.submit(self._serve)
                except RuntimeError:  # closed since
                    raise Refused(self._store.ended or CLOSED) from None
                self._serving = True
            self._waiting.append(_Waiting(call, future, alone))
        return await future

    def _serve(self) -> None:
        """In the thread that writes: carry out what waits, group by group, until nothing does."""
        while group := self._next_group():
            try:
                if group[0].alone:
                    outcomes = [Outcome(group[0].call())]
                else:
                    outcomes = self._store._together([waiting.call for waiting in group])
            except BaseException:  # noqa: BLE001 - told to the tasks; the thread goes on
                outcomes = [Outcome(error=Indefinite(STOPPED)) for _ in group]
            _tell(group, outcomes)

    def _next_group(self) -> builtins.list[_Waiting]:
        group: builtins.list[_Waiting] = []
        with self._changing:
            while self._waiting and len(group) < MOST:
                if group and (self._waiting[0].alone or group[0].alone):
                    break
                waiting = self._waiting.popleft()
                if not waiting.future.cancelled():
                    group.append(waiting)
            self._serving = bool(group)
        return group


def _tell(group: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    """Hand each task its outcome, with one call for all tasks of an event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for waiting, outcome in zip(group, outcomes, strict=True):
        loops.setdefault(waiting.future.get_loop(), []).append((waiting.future, outcome))
    for loop, told in loops.items():
        with suppress(RuntimeError):  # a loop that was closed has nobody to be told
            loop.call_soon_threadsafe(_resolve, told)


def _resolve(told: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, (answer, error) in told:
        if future.done():  # cancelled meanwhile
            continue
        if error is None:
            future.set_result(answer)
        elif isinstance(error, StopIteration):  # a future takes none, and the rest would wait
            future.set_exception(RuntimeError(f"the operation raised {error!r}"))
        else:
            future.set_exception(error)
