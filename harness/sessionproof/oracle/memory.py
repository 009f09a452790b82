"""The oracle as a store: the ground on which deliberately broken stores are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, NotFound, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Json,
    Message,
    Page,
    Receipt,
    SessionInfo,
)
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Count,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Get,
    GetState,
    List,
    Operation,
    PopLast,
    Read,
    ReadLast,
    Replace,
    SetState,
)
from sessionproof.oracle.model import EMPTY, Session, World, expect


class MemoryStore:
    """The oracle as a store: every operation answered as ``expect`` says, kept for the process.

    Not durable, and for one handle.
    """

    claims = Claims(
        keeps=frozenset(MESSAGE_FIELDS),
        roles=frozenset({"system", "user", "assistant", "tool"}),
        kinds=frozenset({"text", "tool_call", "tool_result"}),
        writes="replace",  # each operation makes the session anew
        atomic_batches=True,
        seq_start=1,
        seq_after_delete="never",
        on_delete_in_use="refuses",
    )

    def __init__(self, _location: Location) -> None:
        self.world: World = EMPTY[0]
        self.numbers: dict[str, int] = {}
        self.names = 0
        self.models: set[str] = set()
        self.named: dict[str, str] = {}  # session to LLM's model

    def _do(self, operation: Operation) -> Any:
        expected = expect(self.world, operation, self.claims)
        if expected.refusal == "must":
            raise NotFound(f"no session {operation.session!r}")  # type: ignore[union-attr]
        self.world = expected.after
        return expected.answer

    def _numbered(self, session_id: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        first = self.numbers.get(session_id, 0) + 1
        self.numbers[session_id] = first + len(messages) - 1
        return tuple(
            replace(deepcopy(message), id=message.id or f"m{first + index}")
            for index, message in enumerate(messages)
        )

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages; answers their numbers and ids."""
        first = self.numbers.get(session_id, 0) + 1
        named = self._numbered(session_id, messages)
        self._do(Append(session_id, named))
        return _receipt(first, named)

    def read(self, session_id: str) -> list[Message]:
        """All messages, oldest first."""
        return deepcopy(list(self._do(Read(session_id))))

    def close(self) -> None:
        """Nothing to give back."""

    def create(self, session_id: str | None = None, *, messages: Sequence[Message] = ()) -> str:
        """Make a session; a known id is a conflict."""
        self.names += 1
        name = session_id if session_id is not None else f"session-{self.names}"
        if name in self.world:
            raise Conflict(f"session {name!r} exists")
        self._do(Create(name, self._numbered(name, messages)))
        return name

    def get(self, session_id: str) -> SessionInfo:
        """Count and totals; NotFound for an unknown session."""
        session = self._do(Get(session_id))
        if session is None:
            raise NotFound(f"no session {session_id!r}")
        return SessionInfo(
            llm_model=self.named.get(session_id),
            session_id=session_id,
            message_count=len(session.messages),
            total_tokens=_total(session, "tokens"),
            total_duration_us=_total(session, "duration_us"),
        )

    def list(self) -> Sequence[str]:
        """All session ids."""
        return [*self._do(List())]

    def delete(self, session_id: str) -> None:
        """Remove a session; an unknown one is no error."""
        self._do(Delete(session_id))
        self.numbers.pop(session_id, None)
        self.named.pop(session_id, None)

    def clear(self, session_id: str) -> None:
        """Remove all messages; numbers go on."""
        self._do(Clear(session_id))

    def read_last(self, session_id: str, n: int) -> Sequence[Message]:
        """The newest n, oldest first."""
        return deepcopy([*self._do(ReadLast(session_id, n))])

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """At most ``limit`` messages from position ``cursor``."""
        messages = self._do(Read(session_id))
        start, end = int(cursor or 0), int(cursor or 0) + limit
        return Page(deepcopy([*messages[start:end]]), end if end < len(messages) else None)

    def count(self, session_id: str) -> int:
        """How many messages."""
        return int(self._do(Count(session_id)))

    def pop_last(self, session_id: str) -> Message | None:
        """Remove and answer the newest message."""
        popped: Message | None = self._do(PopLast(session_id))
        return popped

    def _index(self, session_id: str, message_id: str) -> int:
        ids = [message.id for message in self.read(session_id)]
        if message_id not in ids:
            raise NotFound(f"no message {message_id!r}")
        return ids.index(message_id)

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove one message."""
        self._do(DeleteMessage(session_id, self._index(session_id, message_id)))

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Exchange one message; it keeps its id unless the new one has its own."""
        named = replace(deepcopy(message), id=message.id or message_id)
        self._do(EditMessage(session_id, self._index(session_id, message_id), named))

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Exchange the whole history."""
        self._do(Replace(session_id, self._numbered(session_id, messages)))

    def get_state(self, session_id: str, key: str) -> Json:
        """The value of a key."""
        value: Json = self._do(GetState(session_id, key))
        return deepcopy(value)

    def set_state(self, session_id: str, key: str, value: Json) -> None:
        """Set one key."""
        self._do(SetState(session_id, key, deepcopy(value)))

    def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> Receipt:
        """Add messages and set keys; answers as ``append`` does."""
        first = self.numbers.get(session_id, 0) + 1
        named = self._numbered(session_id, messages)
        self._do(AppendWithState(session_id, named, deepcopy(dict(state))))
        return _receipt(first, named)

    def add_llm_model(self, name: str) -> None:
        """Make a model known."""
        self.models.add(name)

    def set_llm_model(self, session_id: str, name: str | None) -> None:
        """Let the session name a known model, or none."""
        if session_id not in self.world:
            raise NotFound(f"no session {session_id!r}")
        if name is not None and name not in self.models:
            raise NotFound(f"no model {name!r}")
        self.named.pop(session_id, None)
        if name is not None:
            self.named[session_id] = name

    def delete_llm_model(self, name: str) -> None:
        """Forget a model that no session names."""
        if name in self.named.values():
            raise Refused(f"model {name!r} is in use")
        self.models.discard(name)


def _receipt(first: int, named: Sequence[Message]) -> Receipt:
    return Receipt(
        seqs=tuple(range(first, first + len(named))),
        ids=tuple(str(message.id) for message in named),
    )


def _total(session: Session, field: str) -> int:
    return sum(getattr(message, field) or 0 for message in session.messages)
