"""The reference store behind ``async def``: the same file, the same single writer."""

from __future__ import annotations

import asyncio
import builtins
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified
from sessionproof.reference import upkeep
from sessionproof.reference.arguments import SAME, Same
from sessionproof.reference.connections import CLOSED
from sessionproof.reference.grouping import MOST, STOPPED, Outcome
from sessionproof.reference.presets import preset_named
from sessionproof.reference.store import Durability, ReferenceStore

T = TypeVar("T")

_MOST_READ_THREADS = 8


class _Waiting(NamedTuple):
    """A call that a task waits for; ``alone`` if it cannot be part of a group."""

    call: Callable[[], Any]
    future: asyncio.Future[Any]
    alone: bool


class AsyncReferenceStore:
    """``ReferenceStore`` for tasks: one thread writes, a few read, none per call.

    Writes of tasks that wait together are committed together (see ``grouping``).
    Usable from several event loops. A task that is cancelled while it waits may still have its
    operation carried out.
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
    ) -> None:
        self._store = ReferenceStore(
            location,
            preset=preset,
            durability=durability,
            clock=clock,
            check_digests=check_digests,
        )
        self.claims = replace(type(self).claims, durability=durability)
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

    async def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """See ``ReferenceStore.append``."""
        return await self._write(lambda: self._store.append(session_id, messages))

    async def read(self, session_id: str) -> builtins.list[Message]:
        """See ``ReferenceStore.read``."""
        return await self._read(lambda: self._store.read(session_id))

    async def read_last(self, session_id: str, n: int) -> builtins.list[Message]:
        """See ``ReferenceStore.read_last``."""
        return await self._read(lambda: self._store.read_last(session_id, n))

    async def page(
        self, session_id: str, *, cursor: str | int | None = None, limit: int = 50
    ) -> Page:
        """See ``ReferenceStore.page``."""
        return await self._read(lambda: self._store.page(session_id, cursor=cursor, limit=limit))

    async def count(self, session_id: str) -> int:
        """See ``ReferenceStore.count``."""
        return await self._read(lambda: self._store.count(session_id))

    async def pop_last(self, session_id: str) -> Message | None:
        """See ``ReferenceStore.pop_last``."""
        return await self._write(lambda: self._store.pop_last(session_id))

    async def delete_message(self, session_id: str, message_id: str) -> None:
        """See ``ReferenceStore.delete_message``."""
        await self._write(lambda: self._store.delete_message(session_id, message_id))

    async def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """See ``ReferenceStore.edit_message``."""
        await self._write(lambda: self._store.edit_message(session_id, message_id, message))

    async def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """See ``ReferenceStore.replace``."""
        await self._write(lambda: self._store.replace(session_id, messages))

    async def clear(self, session_id: str) -> None:
        """See ``ReferenceStore.clear``."""
        await self._write(lambda: self._store.clear(session_id))

    async def create(
        self,
        session_id: str | None = None,
        *,
        messages: Sequence[Message] = (),
        owner: str | None = None,
        title: str | None = None,
        llm_model: str | None = None,
        metadata: Mapping[str, Json] | None = None,
    ) -> str:
        """See ``ReferenceStore.create``."""
        return await self._write(
            lambda: self._store.create(
                session_id,
                messages=messages,
                owner=owner,
                title=title,
                llm_model=llm_model,
                metadata=metadata,
            ),
        )

    async def get(self, session_id: str) -> SessionInfo | None:
        """See ``ReferenceStore.get``."""
        return await self._read(lambda: self._store.get(session_id))

    async def update(
        self,
        session_id: str,
        *,
        owner: str | Same | None = SAME,
        title: str | Same | None = SAME,
        llm_model: str | Same | None = SAME,
        metadata: Mapping[str, Json] | Same | None = SAME,
    ) -> None:
        """See ``ReferenceStore.update``."""
        await self._write(
            lambda: self._store.update(
                session_id, owner=owner, title=title, llm_model=llm_model, metadata=metadata
            ),
        )

    async def list(self) -> builtins.list[str]:
        """See ``ReferenceStore.list``."""
        return await self._read(self._store.list)

    async def delete(self, session_id: str) -> None:
        """See ``ReferenceStore.delete``."""
        await self._write(lambda: self._store.delete(session_id))

    async def get_state(self, session_id: str, key: str) -> Json:
        """See ``ReferenceStore.get_state``."""
        return await self._read(lambda: self._store.get_state(session_id, key))

    async def set_state(self, session_id: str, key: str, value: Json) -> None:
        """See ``ReferenceStore.set_state``."""
        await self._write(lambda: self._store.set_state(session_id, key, value))

    async def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> Receipt:
        """See ``ReferenceStore.append_with_state``."""
        return await self._write(lambda: self._store.append_with_state(session_id, messages, state))

    async def add_llm_model(self, name: str) -> None:
        """See ``ReferenceStore.add_llm_model``."""
        await self._write(lambda: self._store.add_llm_model(name))

    async def set_llm_model(self, session_id: str, name: str | None) -> None:
        """See ``ReferenceStore.set_llm_model``."""
        await self._write(lambda: self._store.set_llm_model(session_id, name))

    async def delete_llm_model(self, name: str) -> None:
        """See ``ReferenceStore.delete_llm_model``."""
        await self._write(lambda: self._store.delete_llm_model(name))

    async def tables(self) -> SqliteTables:
        """See ``ReferenceStore.tables``."""
        return self._store.tables()

    async def verify(self, session_id: str | None = None) -> Verified:
        """See ``ReferenceStore.verify``."""
        return await self._read(lambda: self._store.verify(session_id))

    async def backup(self, folder: os.PathLike[str] | str, *, keep: int | None = None) -> str:
        """See ``ReferenceStore.backup``."""
        return await self._read(lambda: self._store.backup(folder, keep=keep))

    async def restore(
        self, backup: os.PathLike[str] | str, directory: os.PathLike[str] | str
    ) -> str | None:
        """See ``ReferenceStore.restore``."""
        return await self._read(lambda: upkeep.restore(backup, directory))

    async def recover(
        self, damaged: os.PathLike[str] | str, directory: os.PathLike[str] | str
    ) -> Recovered:
        """See ``ReferenceStore.recover``."""
        return await self._read(lambda: upkeep.recover(damaged, directory))

    async def repair(self, directory: os.PathLike[str] | str, *, dry_run: bool = True) -> Repaired:
        """See ``ReferenceStore.repair``."""
        return await self._read(lambda: upkeep.repair(directory, dry_run=dry_run))

    async def migrate(
        self,
        file: os.PathLike[str] | str,
        directory: os.PathLike[str] | str,
        *,
        dry_run: bool = False,
    ) -> Migrated:
        """See ``ReferenceStore.migrate``."""
        return await self._read(lambda: upkeep.migrate(file, directory, dry_run=dry_run))

    async def rollback(self, directory: os.PathLike[str] | str) -> None:
        """See ``ReferenceStore.rollback``."""
        await self._read(lambda: upkeep.rollback(directory))

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
