"""The reference store behind ``async def``: the same file, the same single writer."""

from __future__ import annotations

import asyncio
import builtins
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.store import SqliteTables
from sessionproof.reference.arguments import SAME, Same
from sessionproof.reference.connections import CLOSED
from sessionproof.reference.presets import preset_named
from sessionproof.reference.store import Durability, ReferenceStore

T = TypeVar("T")

_MOST_READ_THREADS = 8


class AsyncReferenceStore:
    """``ReferenceStore`` for tasks: one thread writes, a few read, none per call.

    Usable from several event loops. A task that is cancelled while it waits may still have its
    operation carried out.
    """

    claims = ReferenceStore.claims
    version = ReferenceStore.version

    def __init__(
        self,
        location: Location | os.PathLike[str] | str,
        *,
        preset: str = "web",
        durability: Durability = "power",
        clock: Clock | None = None,
    ) -> None:
        self._store = ReferenceStore(location, preset=preset, durability=durability, clock=clock)
        self.claims = self._store.claims
        readers = min(preset_named(preset).readers, _MOST_READ_THREADS)
        self._writes = ThreadPoolExecutor(1, "sessionproof-write")
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
            await self._run(self._writes, self._store.close)
        if self._store.ended == CLOSED:
            self._writes.shutdown()  # at once: nothing is under way any more
            self._reads.shutdown()

    async def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """See ``ReferenceStore.append``."""
        return await self._run(self._writes, lambda: self._store.append(session_id, messages))

    async def read(self, session_id: str) -> builtins.list[Message]:
        """See ``ReferenceStore.read``."""
        return await self._run(self._reads, lambda: self._store.read(session_id))

    async def read_last(self, session_id: str, n: int) -> builtins.list[Message]:
        """See ``ReferenceStore.read_last``."""
        return await self._run(self._reads, lambda: self._store.read_last(session_id, n))

    async def page(
        self, session_id: str, *, cursor: str | int | None = None, limit: int = 50
    ) -> Page:
        """See ``ReferenceStore.page``."""
        return await self._run(
            self._reads, lambda: self._store.page(session_id, cursor=cursor, limit=limit)
        )

    async def count(self, session_id: str) -> int:
        """See ``ReferenceStore.count``."""
        return await self._run(self._reads, lambda: self._store.count(session_id))

    async def pop_last(self, session_id: str) -> Message | None:
        """See ``ReferenceStore.pop_last``."""
        return await self._run(self._writes, lambda: self._store.pop_last(session_id))

    async def delete_message(self, session_id: str, message_id: str) -> None:
        """See ``ReferenceStore.delete_message``."""
        await self._run(self._writes, lambda: self._store.delete_message(session_id, message_id))

    async def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """See ``ReferenceStore.edit_message``."""
        await self._run(
            self._writes, lambda: self._store.edit_message(session_id, message_id, message)
        )

    async def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """See ``ReferenceStore.replace``."""
        await self._run(self._writes, lambda: self._store.replace(session_id, messages))

    async def clear(self, session_id: str) -> None:
        """See ``ReferenceStore.clear``."""
        await self._run(self._writes, lambda: self._store.clear(session_id))

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
        return await self._run(
            self._writes,
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
        return await self._run(self._reads, lambda: self._store.get(session_id))

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
        await self._run(
            self._writes,
            lambda: self._store.update(
                session_id, owner=owner, title=title, llm_model=llm_model, metadata=metadata
            ),
        )

    async def list(self) -> builtins.list[str]:
        """See ``ReferenceStore.list``."""
        return await self._run(self._reads, self._store.list)

    async def delete(self, session_id: str) -> None:
        """See ``ReferenceStore.delete``."""
        await self._run(self._writes, lambda: self._store.delete(session_id))

    async def get_state(self, session_id: str, key: str) -> Json:
        """See ``ReferenceStore.get_state``."""
        return await self._run(self._reads, lambda: self._store.get_state(session_id, key))

    async def set_state(self, session_id: str, key: str, value: Json) -> None:
        """See ``ReferenceStore.set_state``."""
        await self._run(self._writes, lambda: self._store.set_state(session_id, key, value))

    async def add_llm_model(self, name: str) -> None:
        """See ``ReferenceStore.add_llm_model``."""
        await self._run(self._writes, lambda: self._store.add_llm_model(name))

    async def set_llm_model(self, session_id: str, name: str | None) -> None:
        """See ``ReferenceStore.set_llm_model``."""
        await self._run(self._writes, lambda: self._store.set_llm_model(session_id, name))

    async def delete_llm_model(self, name: str) -> None:
        """See ``ReferenceStore.delete_llm_model``."""
        await self._run(self._writes, lambda: self._store.delete_llm_model(name))

    async def tables(self) -> SqliteTables:
        """See ``ReferenceStore.tables``."""
        return self._store.tables()

    async def _run(self, executor: Executor, call: Callable[[], T]) -> T:
        ended = self._store.ended
        if ended:  # after a fork the threads are gone, and nobody would ever answer
            raise Refused(ended)
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        except RuntimeError:
            if self._store.ended:  # closed between the two lines
                raise Refused(self._store.ended) from None
            raise
