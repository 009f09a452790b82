"""Strands Agents: ``FileSessionManager``, a file for each message of an agent's session."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from sessionproof.adapters import strands_messages as messages_of
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Indefinite, NotFound, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Json, Message, Page

try:
    import strands.session.file_session_manager  # noqa: F401  # what the sessions are made of
except ImportError as error:
    raise MissingExtra("strands", "strands", "strands-agents") from error

from sessionproof.adapters.strands_agents import AGENT, Sessions

GUIDE = "https://strandsagents.com/docs/user-guide/sdk/agents/session-management/"
REFERENCE = "https://strandsagents.com/docs/api/python/strands.session.file_session_manager/"
TYPES = "https://strandsagents.com/docs/api/python/strands.types.content/"


class Store:
    """One folder of sessions, each with one agent, which stays alive while it is in use."""

    version = importlib.metadata.version("strands-agents")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments", "id", "metadata"},
        roles={"user", "assistant", "tool"},
        kinds={"text", "tool_call", "tool_result"},
        durability="process",
        sources={
            "keeps": TYPES, "roles": TYPES, "kinds": TYPES, "order": REFERENCE,
            "handles": GUIDE, "durability": GUIDE,
        },
    )  # fmt: skip
    encode = staticmethod(messages_of.encode)
    decode = staticmethod(messages_of.decode)

    def __init__(self, location: Location) -> None:
        self._sessions = Sessions(location.path("sessions"))

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``append_message`` and ``sync_agent`` for each, as an agent's hooks call them."""
        for sent, item in enumerate([messages_of.encode(message) for message in messages]):
            live = self._sessions.use(session_id)
            try:
                live.manager.append_message(item, live.agent)
                live.manager.sync_agent(live.agent)
            except Exception as error:
                if sent:
                    raise Indefinite(f"a part of the batch is in: {error}") from error
                raise

    def read(self, session_id: str, **window: int) -> list[Message]:
        """``list_messages``; an unknown session is empty."""
        live = self._sessions.find(session_id)
        items = live.manager.list_messages(session_id, AGENT, **window) if live else []
        return [messages_of.decode(item.to_message()) for item in items]

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """``list_messages`` with a limit and an offset."""
        start = int(cursor or 0)
        found = self.read(session_id, limit=limit, offset=start)
        return Page(found, start + limit if len(found) == limit else None)

    def delete(self, session_id: str) -> None:
        """``delete_session``; its agent is gone with it."""
        live = self._sessions.find(session_id)
        if live is None:
            raise NotFound(f"there is no session {session_id!r}")
        self._sessions.leave(session_id)
        live.manager.delete_session(session_id)

    def get_state(self, session_id: str, key: str) -> Any:
        """The key in the state of the agent, as it is in its file."""
        live = self._sessions.find(session_id)
        return live and live.manager.read_agent(session_id, AGENT).state.get(key)

    def set_state(self, session_id: str, key: str, value: Json) -> None:
        """``set`` on the agent's state, and ``sync_agent``, as after each invocation."""
        live = self._sessions.use(session_id)
        try:
            live.agent.state.set(key, value)
        except ValueError as error:
            raise Refused(str(error)) from error
        live.manager.sync_agent(live.agent)

    def close(self) -> None:
        """Nothing is open between calls."""
