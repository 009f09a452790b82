"""What the services have in common: the calls of the SDK's one protocol, and what they claim.

A store differs in the service that it makes. There is one application, and one user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from google.adk.events import EventActions
from google.adk.sessions.base_session_service import GetSessionConfig

from sessionproof.adapters.google_adk.events import KEPT, KINDS, ROLES, decode, encode
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Indefinite, NotFound, NotRepresentable, Refused
from sessionproof.contract.message import Json, Message
from sessionproof.contract.store import SqliteTables

OWNER = {"app_name": "sessionproof", "user_id": "sessionproof"}
SHARED = ("app:", "user:", "temp:")  # keys of state that is not a session's own
STALE = (  # what both services say of a session that another one has changed since
    "The session has been modified in storage since it was loaded",
    "The last_update_time provided in the session object",
)
GUIDE = (
    "https://github.com/google/adk-docs/blob/"
    "05c57fcab0828b6a00afc91c5a685f03db591767/docs/sessions/session/index.md"
)
CODE = "https://github.com/google/adk-python/blob"


def claimed(source: str, *, durability: str = GUIDE) -> Claims:
    """What each service claims: ``source`` shows its code, ``durability`` says that it keeps."""
    return Claims(
        keeps=KEPT,
        roles=ROLES.keys(),
        kinds=KINDS,
        missing_session="refuses",
        order="timestamp",
        handles="processes",
        durability="process",
        sources={
            **dict.fromkeys(("keeps", "roles", "kinds"), GUIDE),
            "durability": durability,
            **dict.fromkeys(("order", "missing_session", "handles"), source),
        },
    )


class OnFile(Protocol):
    """A store whose service keeps all in one SQLite file."""

    path: Path
    service: Any


async def create(
    store: OnFile, session_id: str | None = None, *, messages: Sequence[Message] = ()
) -> str:
    """``create_session``, then its first messages one by one; a taken id is refused."""
    events = [encode(message) for message in messages]
    try:
        session = await store.service.create_session(**OWNER, session_id=session_id)
    except Exception as error:
        if str(error).startswith("Session with id "):  # "… already exists."
            raise Refused(str(error)) from error
        raise
    await _send(store, session, events, sent=1)
    return str(session.id)


async def append(store: OnFile, session_id: str, messages: Sequence[Message]) -> None:
    """``append_event`` for each message, on a session loaded afresh."""
    events = [encode(message) for message in messages]
    await _send(store, await _load(store, session_id, last=0), events)


async def append_with_state(
    store: OnFile, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
) -> None:
    """``append_event`` for each message, the last with this ``state_delta``."""
    if not messages or any(key.startswith(SHARED) for key in state):
        raise NotRepresentable("a session's own state is set by an event, with plain keys")
    events = [encode(message) for message in messages]
    events[-1].actions = EventActions(state_delta={**state})
    await _send(store, await _load(store, session_id, last=0), events)


async def get_state(store: OnFile, session_id: str, key: str) -> Json:
    """The key in the ``state`` of ``get_session``; it is set with events alone."""
    value: Json = (await _load(store, session_id, last=0)).state.get(key)
    return value


async def read(store: OnFile, session_id: str) -> list[Message]:
    """The events of ``get_session``."""
    return [decode(event) for event in (await _load(store, session_id)).events]


async def read_last(store: OnFile, session_id: str, n: int) -> list[Message]:
    """The events of ``get_session`` with ``num_recent_events=n``."""
    return [decode(event) for event in (await _load(store, session_id, last=n)).events]


async def listed(store: OnFile) -> list[str]:
    """``list_sessions``."""
    answer = await store.service.list_sessions(**OWNER)
    return [session.id for session in answer.sessions]


async def delete(store: OnFile, session_id: str) -> None:
    """``delete_session``."""
    await store.service.delete_session(**OWNER, session_id=session_id)


def tables(store: OnFile) -> SqliteTables:
    """Sessions and events; with one application and one user the ids are unique."""
    return SqliteTables(
        str(store.path), "events", "session_id", sessions="sessions", session_key="id"
    )


async def _load(store: OnFile, session_id: str, *, last: int | None = None) -> Any:
    config = GetSessionConfig(num_recent_events=last)
    session = await store.service.get_session(**OWNER, session_id=session_id, config=config)
    if session is None:
        raise NotFound(f"there is no session {session_id!r}")
    return session


async def _send(store: OnFile, session: Any, events: Sequence[Any], *, sent: int = 0) -> None:
    for event in events:
        try:
            await store.service.append_event(session, event)
        except Exception as error:
            if sent:
                raise Indefinite(f"a part of the batch is in: {error}") from error
            refusal = _refusal(error)
            if refusal is None:
                raise
            raise refusal from error
        sent += 1


def _refusal(error: Exception) -> Refused | None:
    """The definite refusal that an error is, known by how it begins and ends; else None.

    Older releases raise a plain ValueError for each, and what is between may be anybody's text.
    """
    said = str(error)
    if not isinstance(error, ValueError):
        return None
    if said.startswith(STALE):
        return Conflict(said)
    gone = said.startswith("Session ") and said.endswith(" not found.")
    return NotFound(said) if gone else None
