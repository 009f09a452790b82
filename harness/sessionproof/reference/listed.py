"""What people ask of many sessions, of any connection to their database.

Each is one statement that SQL filters, sorts and cuts. What is asked of one owner looks at his
sessions alone, by their index; what is asked of all reads the table of sessions, and not their
messages, except for tokens by day and slow answers, which no counter knows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.lifetime import STATUSES
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.reference.arguments import whole
from sessionproof.reference.codec import MOST, READ, checked_text, from_value
from sessionproof.reference.decoding import decode_all, decode_info, decode_names
from sessionproof.reference.statements import COUNTERS, SHOWN, fetch

LARGEST = {
    "messages": "message_count",
    "tokens": "total_tokens",
    "duration": "total_duration_us",
}
"""What sessions may be large by, and the counter that says so."""

# Each statement takes the time as its first value.
_STATUS = SHOWN.format("?1")
_FACTS = f"{', '.join(COUNTERS)}, {_STATUS}, owner, title, llm_model, metadata"
_CURSOR = re.compile(r"(-?[0-9]{1,19})\.([0-9]{1,19})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Every zone of today differs from UTC by a whole number of these, so no day begins within one.
_QUARTER_US = 900_000_000


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions, and the cursor of the next page (None after the last)."""

    sessions: tuple[SessionInfo, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Sums over the sessions that name one model and have one status; durations in microseconds."""

    llm_model: str | None
    status: str
    sessions: int
    messages: int
    tokens: int
    duration_us: int
    last_activity_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """What was appended on one day to sessions that name one model; unknown tokens count as 0."""

    day: date
    llm_model: str | None
    messages: int
    tokens: int


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """A message that took long, with its session and its number there."""

    session_id: str
    seq: int
    llm_model: str | None
    message: Message


@dataclass(frozen=True, slots=True)
class AtTimeout:
    """A session whose limit has run out, which limit (``idle`` or ``hard``), and when."""

    session_id: str
    status: str
    run_out: str
    deadline_us: int


def recent(
    db: sqlite3.Connection,
    path: Path,
    *,
    now_us: int,
    owner: str | None = None,
    status: str | None = None,
    day: date | None = None,
    zone: tzinfo = UTC,
    limit: int = 50,
    cursor: str | None = None,
) -> SessionPage:
    """See ``listings.recent_sessions``."""
    whole(limit, "limit", least=1)
    if status is not None and status not in STATUSES:
        raise Refused(f"status must be one of {', '.join(STATUSES)}, not {status!r}")
    terms = _Terms(now_us, owner=owner)
    if status is not None:
        terms.add(f"{_STATUS} = {{}}", status)
    if day is not None:
        terms.add("last_activity_us >= {}", _midnight_us(day, zone))
        terms.add("last_activity_us < {}", _midnight_us(day, zone, after=1))
    if cursor is not None:
        terms.add("(last_activity_us, id) < ({}, {})", *_after(cursor))
    rows = fetch(
        db,
        # The inner one sorts two numbers of each session, and no texts.
        f"SELECT session_id, {_FACTS}, last_activity_us, id FROM sessions WHERE id IN ("
        f"SELECT id FROM sessions {terms.where()} "
        "ORDER BY last_activity_us DESC, id DESC LIMIT ?) "
        "ORDER BY last_activity_us DESC, id DESC",
        (*terms.values, limit + 1),
    )
    more = len(rows) > limit
    cut = rows[:limit]
    return SessionPage(
        _infos([row[:-2] for row in cut], path),
        "{}.{}".format(*cut[-1][-2:]) if more else None,
    )


def largest(
    db: sqlite3.Connection,
    path: Path,
    *,
    now_us: int,
    by: str,
    owner: str | None = None,
    limit: int = 50,
) -> tuple[SessionInfo, ...]:
    """See ``listings.largest_sessions``."""
    whole(limit, "limit", least=1)
    if by not in LARGEST:
        raise Refused(f"sessions are large by {', '.join(LARGEST)}, not by {by!r}")
    terms = _Terms(now_us, owner=owner)
    rows = fetch(
        db,
        f"SELECT session_id, {_FACTS} FROM sessions WHERE id IN (SELECT id FROM sessions "
        f"{terms.where()} ORDER BY {LARGEST[by]} DESC, id LIMIT ?) "
        f"ORDER BY {LARGEST[by]} DESC, id",
        (*terms.values, limit),
    )
    return _infos(rows, path)


def statistics(db: sqlite3.Connection, path: Path, *, now_us: int) -> tuple[Statistics, ...]:
    """See ``listings.session_statistics``."""
    rows = fetch(
        db,
        f"SELECT llm_model, {_STATUS}, count(*), sum(message_count), sum(total_tokens), "
        "sum(total_duration_us), max(last_activity_us) FROM sessions GROUP BY 1, 2 ORDER BY 1, 2",
        (now_us,),
    )
    models = decode_names(rows, path)
    return tuple(
        Statistics(
            llm_model=model, status=row[1], sessions=row[2], messages=row[3], tokens=row[4],
            duration_us=row[5], last_activity_us=row[6],
        )
        for model, row in zip(models, rows, strict=True)
    )  # fmt: skip


def at_timeout(
    db: sqlite3.Connection, path: Path, *, now_us: int, limit: int = 50
) -> tuple[AtTimeout, ...]:
    """See ``listings.sessions_at_timeout``."""
    rows = fetch(
        db,
        "SELECT session_id, status, "
        "CASE WHEN hard_deadline_us = deadline_us THEN 'hard' ELSE 'idle' END, deadline_us "
        # What is due is known by its index; a part of it is due to be warned of alone.
        "FROM sessions WHERE due_us <= ?1 AND deadline_us <= ?1 ORDER BY deadline_us, id LIMIT ?2",
        (now_us, whole(limit, "limit", least=1)),
    )
    names = decode_names(rows, path)
    return tuple(AtTimeout(name, *row[1:]) for name, row in zip(names, rows, strict=True))


def tokens(
    db: sqlite3.Connection,
    path: Path,
    *,
    owner: str | None = None,
    first: date | None = None,
    last: date | None = None,
    zone: tzinfo = UTC,
) -> tuple[TokenUse, ...]:
    """See ``listings.token_use``."""
    terms = _Terms(_QUARTER_US, owner=owner)
    if first is not None:
        terms.add("m.appended_at_us >= {}", _midnight_us(first, zone))
    if last is not None:
        terms.add("m.appended_at_us < {}", _midnight_us(last, zone, after=1))
    rows = fetch(
        db,
        "SELECT s.llm_model, m.appended_at_us / ?1, count(*), sum(ifnull(m.tokens, 0)) "
        f"FROM messages AS m JOIN sessions AS s ON s.id = m.sid {terms.where()} GROUP BY 1, 2",
        terms.values,
    )
    sums: dict[tuple[date, str | None], tuple[int, int]] = {}
    for model, (_, quarter, messages, spent) in zip(decode_names(rows, path), rows, strict=True):
        key = (_day_of(quarter * _QUARTER_US, zone), model)
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + messages, before[1] + spent)
    return tuple(
        TokenUse(day=day, llm_model=model, messages=number, tokens=spent)
        for (day, model), (number, spent) in sorted(
            sums.items(), key=lambda one: (one[0][0], one[0][1] or "")
        )
    )


def slow(
    db: sqlite3.Connection,
    path: Path,
    *,
    least_us: int,
    session_id: str | None = None,
    owner: str | None = None,
    llm_model: str | None = None,
    role: str | None = None,
    limit: int = 50,
) -> tuple[SlowAnswer, ...]:
    """See ``listings.slow_responses``."""
    least = whole(least_us, "least_us", least=0)
    terms = _Terms(least, session_id=session_id, owner=owner, llm_model=llm_model, role=role)
    terms.add("m.duration_us >= ?1")
    rows = fetch(
        db,
        # The inner one looks at no texts, and the outer one at those of the answers alone.
        f"SELECT s.session_id, m.seq, s.llm_model, {READ} FROM (SELECT m.id "
        f"FROM messages AS m JOIN sessions AS s ON s.id = m.sid {terms.where()} "
        "ORDER BY m.duration_us DESC, m.id LIMIT ?) AS found "
        "JOIN messages AS m ON m.id = found.id JOIN sessions AS s ON s.id = m.sid "
        "ORDER BY m.duration_us DESC, m.id",
        (*terms.values, whole(limit, "limit", least=1)),
    )
    messages = decode_all([row[3:] for row in rows], path)
    return tuple(
        SlowAnswer(from_value(row[0]), row[1], from_value(row[2]), message)
        for row, message in zip(rows, messages, strict=True)
    )


class _Terms:
    """What rows must fulfil, with the values of a statement, whose first one is given.

    A text that is None says nothing.
    """

    def __init__(self, first: int, **texts: str | None) -> None:
        self._terms: list[str] = []
        self.values: list[Any] = [first]
        for name, value in texts.items():
            if checked_text(value, name, optional=True) is not None:
                self.add(f"{name} = {{}}", value)

    def add(self, term: str, *values: Any) -> None:
        self._terms.append(term.format(*map(self.place, values)))

    def place(self, value: Any) -> str:
        """A value for the statement; answers how SQL names it."""
        self.values.append(value)
        return f"?{len(self.values)}"

    def where(self) -> str:
        return f"WHERE {' AND '.join(self._terms)}" if self._terms else ""


def _infos(rows: Sequence[Sequence[Any]], path: Path) -> tuple[SessionInfo, ...]:
    names = decode_names(rows, path)
    return tuple(decode_info(name, row[1:], path) for name, row in zip(names, rows, strict=True))


def _after(cursor: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(checked_text(cursor, "cursor"))
    place = (int(match[1]), int(match[2])) if match else None
    if place is None or max(map(abs, place)) > MOST:
        raise Refused(f"recent_sessions takes the cursor of an earlier page of it, not {cursor!r}")
    return place


def _midnight_us(day: date, zone: tzinfo, *, after: int = 0) -> int:
    """When the day begins there, or one some days later; where clocks jump over it, at the jump.

    What lies before or after all days of Python's calendar is the first or last time of all.
    """
    if isinstance(day, datetime) or not isinstance(day, date):
        raise Refused(f"a day must be a date, not {type(day).__name__}")
    try:
        begins = datetime.combine(day + timedelta(days=after), time(), zone).astimezone(UTC)
    except OverflowError:
        return MOST if day.year > _EPOCH.year else -MOST
    return (begins - _EPOCH) // timedelta(microseconds=1)


def _day_of(time_us: int, zone: tzinfo) -> date:
    """The day there; the first or the last of Python's calendar for what is not in it."""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone).date()
    except OverflowError:
        return date.max if time_us > 0 else date.min
