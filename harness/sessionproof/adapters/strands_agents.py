"""Agents of Strands that are never asked anything: only what they save is of interest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from strands import Agent
from strands.models.model import Model
from strands.session.file_session_manager import FileSessionManager

from sessionproof.contract.errors import Refused

AGENT = "sessionproof"  # the one agent of every session
KEPT = 32  # of sessions that are in use: opening one reads all of its messages


class Silent(Model):  # type: ignore[misc]  # its class is not known here
    """A model that has nothing to say."""

    def update_config(self, **model_config: Any) -> None:
        """There is nothing to set."""

    def get_config(self) -> dict[str, Any]:
        """Nothing is set."""
        return {}

    def structured_output(self, *given: Any, **named: Any) -> Any:
        """Raises NotImplementedError, as ``stream`` does."""
        raise NotImplementedError("no agent is ever asked")

    stream = structured_output


class Live(NamedTuple):
    """A session in use: its manager, and the agent whose messages the manager saves."""

    manager: Any
    agent: Any


class Sessions:
    """The sessions of a folder that are in use; the longest unused give way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._live: dict[str, Live] = {}  # the longest unused first

    def use(self, session_id: str) -> Live:
        """The session with its agent, made or restored when it is needed; raises Refused."""
        live = self._live.pop(session_id, None) or self._opened(session_id)
        self._live[session_id] = live
        for key in list(self._live)[:-KEPT]:
            self.leave(key)
        return live

    def find(self, session_id: str) -> Live | None:
        """The session with its agent; None where its folder is not there: to open one makes it."""
        known = session_id in self._live or self._has(session_id)
        return self.use(session_id) if known else None

    def leave(self, session_id: str) -> None:
        """Forget the session's agent; what it saved stays."""
        self._live.pop(session_id, None)

    def _has(self, session_id: str) -> bool:
        return (self._folder / f"session_{session_id}").exists()

    def _opened(self, session_id: str) -> Live:
        try:
            manager = FileSessionManager(session_id, storage_dir=str(self._folder))
        except ValueError as error:
            if self._has(session_id):  # its file is damaged
                raise
            raise Refused(f"no session can have the id {session_id!r}: {error}") from error
        agent = Agent(
            Silent(), agent_id=AGENT, session_manager=manager, callback_handler=None, tools=[]
        )
        return Live(manager, agent)
