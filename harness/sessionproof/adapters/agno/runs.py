"""What both stores do: an append is one more run of a session, saved as an agent saves its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from agno.db.base import SessionType
from agno.run.agent import RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession
from agno.utils.string import generate_id

from sessionproof.adapters.agno.messages import decode, encode
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.message import Message

AGENT = "sessionproof"  # whose sessions they are; a run without an agent is not read
SOURCE = "https://github.com/agno-agi/agno/blob/main/libs/agno/agno/db"


class OnDb(Protocol):
    """A store of which ``db`` is Agno's."""

    db: Any


def append(store: OnDb, session_id: str, messages: Sequence[Message]) -> None:
    """``upsert_session`` and ``upsert_run`` with a new run, on a session that was just read.

    Before 3.0 a session's row held its runs, and there was no ``upsert_run``.
    """
    items = [encode(message) for message in messages]
    if not items:
        return  # an agent has no run of which nothing was said
    session = _session(store, session_id) or AgentSession(
        session_id, agent_id=AGENT, session_data={}, created_at=SystemClock().now_us() // 1_000_000
    )
    run = RunOutput(
        run_id=generate_id(),
        agent_id=AGENT,
        session_id=session_id,
        messages=items,
        status=RunStatus.completed,
    )
    session.upsert_run(run)
    store.db.upsert_session(session)
    if hasattr(store.db, "upsert_run"):
        store.db.upsert_run(run, session_id, run_index=len(session.runs) - 1)


def read(store: OnDb, session_id: str) -> list[Message]:
    """``get_messages`` of the session that ``get_session`` answers; an unknown one is empty."""
    session = _session(store, session_id)
    return [] if session is None else [decode(item) for item in session.get_messages()]


def sessions(store: OnDb) -> list[str]:
    """``get_sessions``."""
    found = store.db.get_sessions(session_type=SessionType.AGENT)
    return [session.session_id for session in found]


def delete(store: OnDb, session_id: str) -> None:
    """``delete_session``, with all of its runs."""
    store.db.delete_session(session_id)


def _session(store: OnDb, session_id: str) -> Any:
    return store.db.get_session(session_id, session_type=SessionType.AGENT)
