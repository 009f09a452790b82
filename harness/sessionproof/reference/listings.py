"""What people ask of many sessions, as methods of ``ReferenceStore``; each is one read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, date, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sessionproof.contract.message import SessionInfo
from sessionproof.reference.listed import (
    AtTimeout,
    SessionPage,
    SlowAnswer,
    Statistics,
    TokenUse,
    at_timeout,
    largest,
    recent,
    slow,
    statistics,
    tokens,
)

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

T = TypeVar("T")


def recent_sessions(
    store: ReferenceStore,
    *,
    owner: str | None = None,
    status: str | None = None,
    day: date | None = None,
    zone: tzinfo = UTC,
    limit: int = 50,
    cursor: str | None = None,
) -> SessionPage:
    """Sessions by their last activity, newest first; of an owner, a status, a day of that activity.

    Days are those of ``zone``. A session that becomes active between two pages moves to the front,
    and is not in those that follow. Raises ``Refused``.
    """
    return _listed(
        store,
        lambda db, path: recent(
            db, path, now_us=store._clock.now_us(), owner=owner, status=status, day=day, zone=zone,
            limit=limit, cursor=cursor,
        ),
    )  # fmt: skip


def largest_sessions(
    store: ReferenceStore, *, by: str = "messages", owner: str | None = None, limit: int = 50
) -> tuple[SessionInfo, ...]:
    """The sessions with the most ``messages`` or ``tokens``, or the longest ``duration``."""
    return _listed(
        store,
        lambda db, path: largest(
            db, path, now_us=store._clock.now_us(), by=by, owner=owner, limit=limit
        ),
    )


def session_statistics(store: ReferenceStore) -> tuple[Statistics, ...]:
    """Sums by model and status, of the sessions' own counters."""
    return _listed(store, lambda db, path: statistics(db, path, now_us=store._clock.now_us()))


def sessions_at_timeout(store: ReferenceStore, *, limit: int = 50) -> tuple[AtTimeout, ...]:
    """What a sweep would expire at this moment of the store's clock, the longest overdue first."""
    return _listed(
        store, lambda db, path: at_timeout(db, path, now_us=store._clock.now_us(), limit=limit)
    )


def token_use(
    store: ReferenceStore,
    *,
    owner: str | None = None,
    first: date | None = None,
    last: date | None = None,
    zone: tzinfo = UTC,
) -> tuple[TokenUse, ...]:
    """Messages and tokens by the day of their append and by model, from ``first`` to ``last``.

    Both days are included; days are those of ``zone``. Every message is looked at, those of one
    owner if he is named.
    """
    return _listed(
        store, lambda db, path: tokens(db, path, owner=owner, first=first, last=last, zone=zone)
    )


def slow_responses(
    store: ReferenceStore,
    *,
    least_us: int,
    session_id: str | None = None,
    owner: str | None = None,
    llm_model: str | None = None,
    role: str | None = None,
    limit: int = 50,
) -> tuple[SlowAnswer, ...]:
    """Messages whose duration is at least ``least_us``, the slowest first.

    Every message is looked at, those of one session or owner if it is named.
    """
    named = {"session_id": session_id, "owner": owner, "llm_model": llm_model, "role": role}
    return _listed(store, lambda db, path: slow(db, path, least_us=least_us, limit=limit, **named))


def _listed(store: ReferenceStore, work: Callable[[sqlite3.Connection, Path], T]) -> T:
    return store._read(lambda db: work(db, store._path))
