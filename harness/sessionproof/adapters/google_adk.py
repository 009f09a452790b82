"""Google ADK: ``DatabaseSessionService`` on an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Indefinite, NotFound, NotRepresentable, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Json, Message
from sessionproof.contract.store import SqliteTables

try:
    import sqlalchemy.ext.asyncio  # noqa: F401  # the service finds out too late that it is absent
    from google.adk.errors.already_exists_error import AlreadyExistsError
    from google.adk.events import Event, EventActions
    from google.adk.sessions import DatabaseSessionService
    from google.adk.sessions.base_session_service import GetSessionConfig
    from google.genai.types import Content, FunctionCall, FunctionResponse, Part
except ImportError as error:
    raise MissingExtra("google-adk", "google-adk", "google-adk") from error

OWNER = {"app_name": "sessionproof", "user_id": "sessionproof"}
ROLES = {"user": "user", "assistant": "model", "tool": "user"}  # ours: that of the content
TIMED, UNTIMED = "time-of-client", "time-of-store"  # invocations: who set an event's timestamp
SHARED = ("app:", "user:", "temp:")  # keys of state that is not a session's own
REFUSALS = {  # by their words, as older releases raise a plain ValueError for each
    "modified in storage": Conflict, "stale session": Conflict, "not found.": NotFound,
}  # fmt: skip
GUIDE = (
    "https://github.com/google/adk-docs/blob/"
    "05c57fcab0828b6a00afc91c5a685f03db591767/docs/sessions/session/index.md"
)
SOURCE = (
    "https://github.com/google/adk-python/blob/0012809b7dbd9d5d06d6e4f549e649ca111639c5/"
    "src/google/adk/sessions/database_session_service.py"
)


def encode(message: Message) -> Any:
    """The message as an ``Event``; raises NotRepresentable."""
    match message:
        case Message(kind="text", role="user" | "assistant", content=str(text)):
            part, author = Part(text=text), message.name
        case Message(kind="tool_call", role="assistant", name=name, arguments=dict(arguments)):
            call = FunctionCall(id=message.call_id, name=name, args=arguments)
            part, author = Part(function_call=call), None
        case Message(kind="tool_result", role="tool", name=name, content=result):
            response = {"result": result}
            answer = FunctionResponse(id=message.call_id, name=name, response=response)
            part, author = Part(function_response=answer), None
        case _:
            raise no_place(message)
    role, given_us = ROLES[str(message.role)], message.created_at_us
    event = Event(
        author=author or role,
        content=Content(role=role, parts=[part]),
        custom_metadata=message.metadata,
        invocation_id=UNTIMED if given_us is None else TIMED,
        **({} if given_us is None else {"timestamp": given_us / 1e6}),
    )
    return exact(message, event, decode)


def decode(event: Any) -> Message:
    """The inverse of ``encode``; of several parts in one event the first is shown."""
    part, author, role = event.content.parts[0], event.author, event.content.role
    given_us = round(event.timestamp * 1e6) if event.invocation_id == TIMED else None
    fields = {"created_at_us": given_us, "metadata": event.custom_metadata}
    if call := part.function_call:
        fields |= {"name": call.name, "call_id": call.id, "arguments": call.args}
        return Message("assistant", None, kind="tool_call", **fields)
    if answer := part.function_response:
        fields |= {"name": answer.name, "call_id": answer.id}
        return Message("tool", answer.response["result"], kind="tool_result", **fields)
    name = None if author in ROLES.values() else author
    return Message("assistant" if role == "model" else role, part.text, name=name, **fields)


class Store:
    """One service on one SQLite file, with one application and one user."""

    version = importlib.metadata.version("google-adk")
    claims = Claims(
        keeps={
            "role", "content", "kind", "name", "call_id", "arguments", "metadata", "created_at_us",
        },
        roles=ROLES.keys(),
        kinds={"text", "tool_call", "tool_result"},
        missing_session="refuses",
        order="timestamp",
        handles="processes",
        durability="process",
        sources={
            "keeps": GUIDE, "kinds": GUIDE, "durability": GUIDE,
            "order": SOURCE, "missing_session": SOURCE, "handles": SOURCE,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._service = DatabaseSessionService(f"sqlite+aiosqlite:///{self._path}")

    async def create(
        self, session_id: str | None = None, *, messages: Sequence[Message] = ()
    ) -> str:
        """``create_session``, then its first messages one by one; a taken id is refused."""
        events = [encode(message) for message in messages]
        try:
            session = await self._service.create_session(**OWNER, session_id=session_id)
        except AlreadyExistsError as error:
            raise Refused(str(error)) from error
        await self._send(session, events, sent=1)
        return str(session.id)

    async def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``append_event`` for each message, on a session loaded afresh."""
        events = [encode(message) for message in messages]
        await self._send(await self._load(session_id, last=0), events)

    async def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> None:
        """``append_event`` for each message, the last with this ``state_delta``."""
        if not messages or any(key.startswith(SHARED) for key in state):
            raise NotRepresentable("a session's own state is set by an event, with plain keys")
        events = [encode(message) for message in messages]
        events[-1].actions = EventActions(state_delta={**state})
        await self._send(await self._load(session_id, last=0), events)

    async def get_state(self, session_id: str, key: str) -> Json:
        """The key in the ``state`` of ``get_session``; it is set with events alone."""
        value: Json = (await self._load(session_id, last=0)).state.get(key)
        return value

    async def read(self, session_id: str) -> list[Message]:
        """The events of ``get_session``."""
        return [decode(event) for event in (await self._load(session_id)).events]

    async def read_last(self, session_id: str, n: int) -> list[Message]:
        """The events of ``get_session`` with ``num_recent_events=n``."""
        return [decode(event) for event in (await self._load(session_id, last=n)).events]

    async def list(self) -> list[str]:
        """``list_sessions``."""
        answer = await self._service.list_sessions(**OWNER)
        return [session.id for session in answer.sessions]

    async def delete(self, session_id: str) -> None:
        """``delete_session``."""
        await self._service.delete_session(**OWNER, session_id=session_id)

    def tables(self) -> SqliteTables:
        """Sessions and events; with one application and one user the ids are unique."""
        return SqliteTables(
            str(self._path), "events", "session_id", sessions="sessions", session_key="id"
        )

    async def close(self) -> None:
        """Dispose of the engine and its connections."""
        await self._service.close()

    async def _load(self, session_id: str, *, last: int | None = None) -> Any:
        config = GetSessionConfig(num_recent_events=last)
        session = await self._service.get_session(**OWNER, session_id=session_id, config=config)
        if session is None:
            raise NotFound(f"there is no session {session_id!r}")
        return session

    async def _send(self, session: Any, events: Sequence[Any], *, sent: int = 0) -> None:
        for event in events:
            try:
                await self._service.append_event(session, event)
            except Exception as error:
                if sent:
                    raise Indefinite(f"a part of the batch is in: {error}") from error
                for words, refusal in REFUSALS.items():
                    if words in str(error):
                        raise refusal(str(error)) from error
                raise
            sent += 1
