"""Old sessions and messages into a new database of the reference, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sessionproof.reference.codec import COLUMNS, checked_json, to_text
from sessionproof.reference.digest import digest
from sessionproof.reference.legacy.reading import Old, OldMessage, OldSession
from sessionproof.reference.statements import ADD_LLM_MODEL, change, fetch

_MESSAGE = (
    f"INSERT INTO messages (sid, seq, {', '.join(COLUMNS)}, appended_at_us, digest) "
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 4))})"
)
_TOKENS = COLUMNS.index("tokens")


@dataclass(slots=True)
class _Begun:
    """A session that was made; its messages are still to come. ``sid`` is 0 in a dry run."""

    sid: int
    old: OldSession
    next: int = 1
    messages: int = 0
    tokens: int = 0
    first_us: int | None = None
    last_us: int | None = None


@dataclass(slots=True)
class Taken:
    """How much was taken over; sessions whose counters were wrong, messages with a new number."""

    sessions: int = 0
    messages: int = 0
    renumbered: int = 0
    drifted: dict[str, int] = field(default_factory=lambda: {"messages": 0, "tokens": 0})

    def notes(self) -> Iterator[str]:
        """What was corrected, a sentence each."""
        for what, number in self.drifted.items():
            if number:
                yield f"counted anew: {what} of {number:,} session{'s' if number > 1 else ''}"
        if self.renumbered:
            some = f"{self.renumbered:,} message{'s' if self.renumbered > 1 else ''}"
            yield f"numbered anew: {some} whose number was not usable"


def take_over(
    old: Old, new: sqlite3.Connection | None, *, now_us: int, told: Callable[[str], None]
) -> Taken:
    """Copy all sessions and messages; without ``new``, a dry run, only count them.

    ``new`` has the schema, no session, and is in autocommit. ``now_us`` is the time of what has
    none at all.
    """
    if new is None:
        return _copied(old, None, now_us, told)
    new.execute("BEGIN IMMEDIATE")
    for name in old.models():
        change(new, ADD_LLM_MODEL, (name,))
    taken = _copied(old, new, now_us, told)
    new.execute("COMMIT")
    return taken


def _copied(
    old: Old, new: sqlite3.Connection | None, now_us: int, told: Callable[[str], None]
) -> Taken:
    taken, begun = Taken(), dict[str, _Begun]()
    for session in old.sessions():
        told("sessions")
        made = 0 if new is None else _make(new, session, now_us)
        begun[session.key] = _Begun(made, session)
    for key, messages in old.groups(begun):
        for message in messages:
            told("messages")
            taken.renumbered += _add(new, begun[key], message, now_us)
    for one in begun.values():
        if new is not None:
            _finish(new, one, now_us)
        taken.sessions += 1
        taken.messages += one.messages
        for what, kept, real in zip(
            taken.drifted, one.old.counted, (one.messages, one.tokens), strict=True
        ):
            taken.drifted[what] += kept is not None and kept != real
    return taken


def _make(new: sqlite3.Connection, session: OldSession, now_us: int) -> int:
    """The number of the new session. It takes messages until it is finished."""
    facts = dict(session.facts)
    facts["metadata"] = to_text(facts["metadata"])
    columns = ["session_id", "created_at_us", "last_activity_us", *facts]
    marks = ", ".join("?" * len(columns))
    ((sid,),) = fetch(
        new,
        f"INSERT INTO sessions ({', '.join(columns)}) VALUES ({marks}) RETURNING id",
        (session.key, now_us, now_us, *facts.values()),
    )
    for key, value in session.state.items():
        pair = (key, checked_json(value, key))
        change(new, "INSERT INTO state (sid, key, value) VALUES (?, ?, ?)", (sid, *pair))
    return int(sid)


def _add(new: sqlite3.Connection | None, begun: _Begun, message: OldMessage, now_us: int) -> bool:
    """Append a message; whether it had a number and got another."""
    kept = message.number is not None and message.number >= begun.next
    number = message.number if kept and message.number is not None else begun.next
    known = (message.time_us, begun.last_us, begun.old.created_us, now_us)
    appended_us = next(time for time in known if time is not None)
    if new is not None:
        if number != begun.next:
            new.execute("UPDATE sessions SET next_seq = ? WHERE id = ?", (number, begun.sid))
        values = (*message.row, appended_us, digest(message.row, appended_us))
        change(new, _MESSAGE, (begun.sid, number, *values))
    begun.next = number + 1
    begun.messages += 1
    tokens = message.row[_TOKENS]
    begun.tokens += tokens if isinstance(tokens, int) else 0
    if message.time_us is not None:
        begun.first_us = message.time_us if begun.first_us is None else begun.first_us
        begun.last_us = message.time_us
    return message.placed and not kept


def _finish(new: sqlite3.Connection, begun: _Begun, now_us: int) -> None:
    """Set what messages move: the state, and the times of the session."""
    old = begun.old
    made = (old.created_us, begun.first_us, old.active_us, now_us)
    active = (begun.last_us, old.active_us, old.created_us, now_us)
    new.execute(
        "UPDATE sessions SET status = ?, created_at_us = ?, last_activity_us = ? WHERE id = ?",
        (
            old.status,
            next(time for time in made if time is not None),
            next(time for time in active if time is not None),
            begun.sid,
        ),
    )
