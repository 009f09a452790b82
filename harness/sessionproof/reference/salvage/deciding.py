"""Which of the rows that were found are the store's, and what is missing.

A row is taken where its page lists it, unless its digest belies it. What lies elsewhere, and what
the indexes do not know, may have been deleted: it is taken only where the index of the numbers, or
the session's own counter, says that a message is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby

from sessionproof.reference.codec import from_value
from sessionproof.reference.digest import (
    SESSION_TEXT,
    SNAPSHOT_TEXT,
    STATE_TEXT,
    TEXT,
    add_function,
)
from sessionproof.reference.salvage.gathering import (
    NAMES,
    NUMBERS,
    TABLES,
    Gathered,
    stored_columns,
)

_LISTED_MOST = 20
_SHOWN = 80

_MESSAGES = ", ".join(stored_columns()["messages"])
_OF_M = ", ".join(f"m.{name}" for name in stored_columns()["messages"])
_INSERT = f"INSERT OR IGNORE INTO messages ({_MESSAGES}) SELECT {_OF_M} FROM found.messages AS m "
_GOOD = "m.certain AND NOT m.spoilt"
_UNLISTED = "NOT EXISTS (SELECT 1 FROM found.numbers WHERE sid = m.sid AND seq = m.seq)"
_STATE_CHANGED = f"v.checksum IS NOT NULL AND NOT same_digest({STATE_TEXT}, v.checksum)"
_FACTS_CHANGED = f"checksum IS NOT NULL AND NOT same_digest({SESSION_TEXT}, checksum)"
_SNAPSHOT_CHANGED = f"NOT same_digest({SNAPSHOT_TEXT}, p.digest)"
_SNAPSHOTS = ", ".join(stored_columns()["snapshots"])
_NOT_TAKEN = (
    "NOT EXISTS (SELECT 1 FROM messages AS t WHERE t.sid = m.sid AND t.seq = m.seq) "
    "AND NOT EXISTS (SELECT 1 FROM messages AS t WHERE t.id = m.id)"
)


def decide(db: sqlite3.Connection, gathered: Gathered, now_us: int) -> list[str]:
    """Fill the tables of ``main`` from those of ``found``; a sentence for each loss.

    The triggers of ``main`` are off. Digests are judged first.
    """
    add_function(db)
    db.execute(
        "UPDATE found.messages AS m SET spoilt = 1 "
        f"WHERE m.digest IS NOT NULL AND NOT same_digest({TEXT}, m.digest)"
    )
    db.execute(f"UPDATE found.state AS v SET spoilt = 1 WHERE {_STATE_CHANGED}")
    db.execute(
        f"UPDATE found.snapshots AS p SET spoilt = 1 WHERE NOT p.spoilt AND {_SNAPSHOT_CHANGED}"
    )
    lost = [
        *_take_sessions(db, gathered, now_us),
        *_take_messages(db, gathered),
        *_take_rest(db, gathered),
        *_belied(db),
    ]
    _count_again(db)
    return lost


def _take_sessions(db: sqlite3.Connection, gathered: Gathered, now_us: int) -> Iterator[str]:
    columns = ", ".join(stored_columns()["sessions"])
    taken = f"INSERT OR IGNORE INTO sessions ({columns}) SELECT {columns} FROM found.sessions AS s "
    named = "EXISTS (SELECT 1 FROM found.names AS n WHERE n.sid = s.id"
    known = f" AND {named})" if gathered.whole(NAMES) and _count(db, "found.names") else ""
    db.execute(f"{taken} WHERE s.certain AND NOT s.spoilt{known}")
    db.execute(f"{taken} WHERE NOT s.spoilt AND {named} AND n.session_id = s.session_id)")
    _name_by_index(db)
    db.execute("CREATE TABLE found.counted AS SELECT id, message_count, next_seq FROM sessions")
    listed = "" if gathered.whole(NUMBERS) else "UNION SELECT sid FROM found.messages WHERE certain"
    missing = db.execute(
        f"SELECT sid FROM found.numbers {listed} UNION SELECT sid FROM found.names "
        "UNION SELECT sid FROM found.state WHERE certain EXCEPT SELECT id FROM sessions"
    ).fetchall()
    for (sid,) in missing:
        if isinstance(sid, int) and sid > 0:
            yield from _make_anew(db, sid, now_us)


def _name_by_index(db: sqlite3.Connection) -> None:
    """Put a name right that changed in a session's row, where the sum is that of the index's."""
    rows = db.execute(
        "SELECT sessions.id, sessions.session_id, n.session_id FROM sessions "
        f"JOIN found.names AS n ON n.sid = sessions.id WHERE {_FACTS_CHANGED} "
        "AND n.session_id IS NOT sessions.session_id"
    ).fetchall()
    named = "UPDATE OR IGNORE sessions SET session_id = ? WHERE id = ?"
    for sid, own, other in rows:
        db.execute(named, (other, sid))
        if _is(db, f"id = ? AND {_FACTS_CHANGED}", sid):
            db.execute(named, (own, sid))


def _make_anew(db: sqlite3.Connection, sid: int, now_us: int) -> Iterator[str]:
    """A session whose row is lost: by its name in the index, or one that says that it is lost."""
    found = db.execute("SELECT session_id FROM found.names WHERE sid = ?", (sid,)).fetchone()
    name = found[0] if found else f"recovered-{sid}"
    first, last = db.execute(
        "SELECT min(appended_at_us), max(appended_at_us) FROM found.messages "
        "WHERE sid = ? AND certain AND NOT spoilt",
        (sid,),
    ).fetchone()
    while db.execute("SELECT 1 FROM sessions WHERE session_id = ?", (name,)).fetchone():
        name = f"recovered-{sid}-{_count(db, 'sessions')}"
    db.execute(
        "INSERT INTO sessions (id, session_id, created_at_us, last_activity_us) "
        "VALUES (?, ?, ?, ?)",
        (sid, name, now_us if first is None else first, now_us if last is None else last),
    )
    what = "its row" if found else "its row and its name"
    yield f"session {_shown(name)}: {what} cannot be read; it was made anew"


def _take_messages(db: sqlite3.Connection, gathered: Gathered) -> Iterator[str]:
    whole = gathered.whole(NUMBERS)
    listed = "JOIN found.numbers AS n ON n.sid = m.sid AND n.seq = m.seq "
    db.execute(f"{_INSERT} {listed} WHERE {_GOOD} AND n.row = m.id")
    db.execute(f"{_INSERT} {listed} WHERE {_GOOD}")
    db.execute(f"{_INSERT} {listed} WHERE NOT m.spoilt AND n.row = m.id")
    if whole:
        _take_unlisted(db, _GOOD)
        _take_misnumbered(db)
    else:
        db.execute(f"{_INSERT} JOIN sessions AS s ON s.id = m.sid WHERE {_GOOD} AND {_UNLISTED}")
        _take_unlisted(db, "NOT m.spoilt")
    db.execute(
        "CREATE TABLE found.missing AS SELECT DISTINCT n.sid, n.seq FROM found.numbers AS n "
        "WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.sid = n.sid AND m.seq = n.seq) "
        "AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.id = n.row)"
    )
    if not whole:
        _count_up(db)
    rows = db.execute(
        "SELECT s.session_id, x.seq FROM found.missing AS x JOIN sessions AS s ON s.id = x.sid "
        "ORDER BY s.session_id, x.seq"
    )
    for session, numbers in groupby(rows, lambda row: row[0]):
        yield f"session {_shown(session)}: {_messages(seq for _, seq in numbers)} lost"
    if not whole:
        yield from _uncounted(db)
        yield from _pages(gathered, "messages", "messages that no counter knows")


def _take_unlisted(db: sqlite3.Connection, which: str) -> None:
    """Messages that the index does not know, as far as the counter of their session misses them."""
    db.execute("DROP TABLE IF EXISTS found.rest")
    db.execute(
        "CREATE TABLE found.rest AS SELECT m.id, m.sid, m.seq, m.certain FROM found.messages AS m "
        "JOIN found.counted AS c ON c.id = m.sid "
        f"WHERE {which} AND {_UNLISTED} AND {_NOT_TAKEN} AND m.seq < c.next_seq"
    )
    db.execute(
        f"{_INSERT} WHERE {which} AND m.id IN (SELECT id FROM found.rest) AND "
        "(SELECT count(*) FROM messages AS t WHERE t.sid = m.sid)"
        " + (SELECT count(*) FROM found.rest AS r WHERE r.sid = m.sid)"
        " <= (SELECT message_count FROM found.counted AS c WHERE c.id = m.sid)"
    )


def _take_misnumbered(db: sqlite3.Connection) -> None:
    """Messages whose own session or number is wrong: the index has them right."""
    columns = ", ".join(
        {"sid": "n.sid", "seq": "n.seq"}.get(name, f"m.{name}")
        for name in stored_columns()["messages"]
    )
    db.execute(
        f"INSERT OR IGNORE INTO messages ({_MESSAGES}) SELECT {columns} FROM found.messages AS m "
        f"JOIN found.numbers AS n ON n.row = m.id JOIN found.counted AS c ON c.id = n.sid "
        f"WHERE {_GOOD} AND {_UNLISTED} AND n.seq < c.next_seq AND c.message_count > "
        "(SELECT count(*) FROM messages AS t WHERE t.sid = n.sid)"
    )


def _count_up(db: sqlite3.Connection) -> None:
    """Add the numbers that are missing in sessions of which nothing was ever deleted."""
    rows = db.execute(
        "SELECT c.id, c.next_seq FROM found.counted AS c WHERE c.message_count = c.next_seq - 1 "
        "AND c.message_count > (SELECT count(*) FROM messages AS m WHERE m.sid = c.id)"
    ).fetchall()
    for sid, following in rows:
        known = db.execute(
            "SELECT seq FROM messages WHERE sid = ?1 "
            "UNION SELECT seq FROM found.missing WHERE sid = ?1",
            (sid,),
        )
        missing = sorted({*range(1, following)} - {seq for (seq,) in known})
        db.executemany("INSERT INTO found.missing VALUES (?, ?)", [(sid, seq) for seq in missing])


def _uncounted(db: sqlite3.Connection) -> Iterator[str]:
    """Messages that only the counter of their session knows."""
    rows = db.execute(
        "SELECT s.session_id, c.message_count"
        " - (SELECT count(*) FROM messages AS m WHERE m.sid = c.id)"
        " - (SELECT count(*) FROM found.missing AS x WHERE x.sid = c.id) AS more "
        "FROM found.counted AS c JOIN sessions AS s ON s.id = c.id WHERE more > 0"
    )
    for session, more in rows:
        yield f"session {_shown(session)}: {more:,} message{'s' * (more != 1)} more lost"


def _take_rest(db: sqlite3.Connection, gathered: Gathered) -> Iterator[str]:
    """State, the models that are known, and snapshots: those are whole, or left out."""
    kept = "sid, key, value, checksum FROM found.state WHERE certain AND NOT spoilt"
    db.execute(
        f"INSERT OR IGNORE INTO state (sid, key, value, checksum) SELECT {kept} "
        "AND sid IN (SELECT id FROM sessions)"
    )
    db.execute(
        "INSERT OR IGNORE INTO llm_models (name) SELECT name FROM found.llm_models "
        "WHERE certain AND NOT spoilt UNION SELECT llm_model FROM sessions "
        "WHERE llm_model IS NOT NULL"
    )
    db.execute(
        f"INSERT OR IGNORE INTO snapshots ({_SNAPSHOTS}) SELECT {_SNAPSHOTS} FROM found.snapshots "
        "WHERE certain AND NOT spoilt ORDER BY id"
    )
    yield from _pages(gathered, "sessions", "sessions") if not gathered.whole(NAMES) else ()
    yield from _pages(gathered, "state", "keys of sessions")
    yield from _pages(gathered, "llm_models", "names of models that no session names")
    yield from _pages(gathered, "snapshots", "snapshots")
    if gathered.unknown:
        yield f"{_listed('page', gathered.unknown)} cannot be read, and may have held anything"


def _belied(db: sqlite3.Connection) -> Iterator[str]:
    """What was changed by itself: of a session it stays and is told, of its state it is left."""
    for (name,) in db.execute(f"SELECT session_id FROM sessions WHERE {_FACTS_CHANGED}").fetchall():
        yield f"session {_shown(name)}: what is kept of it was changed, and stays as it is"
    db.execute(f"UPDATE sessions SET checksum = NULL WHERE {_FACTS_CHANGED}")
    rows = db.execute(
        "SELECT s.session_id, v.key FROM found.state AS v JOIN sessions AS s ON s.id = v.sid "
        f"WHERE v.certain AND {_STATE_CHANGED}"
    )
    for name, key in rows.fetchall():
        yield f"session {_shown(name)}: the value of {_shown(key)} was changed, and is left out"
    rows = db.execute(
        "SELECT session_id, snapshot_id FROM found.snapshots AS p WHERE p.certain AND p.spoilt"
    )
    for name, snapshot in rows.fetchall():
        yield f"session {_shown(name)}: its snapshot {_shown(snapshot)} was changed; it is left out"


def _pages(gathered: Gathered, table: str, what: str) -> Iterator[str]:
    hurt = gathered.hurt.get(table, [])
    if hurt:
        yield f"{_listed('page', hurt)} of {table} cannot be read whole: {what} may be lost"


def _count_again(db: sqlite3.Connection) -> None:
    """Counters from the messages that are there; numbers that were given are not given again."""
    db.execute(
        "UPDATE sessions SET (message_count, total_tokens, total_duration_us, next_seq) = ("
        "SELECT count(*), coalesce(sum(m.tokens), 0), coalesce(sum(m.duration_us), 0), "
        "max(sessions.next_seq, coalesce(max(m.seq), 0) + 1, coalesce("
        "(SELECT max(n.seq) FROM found.numbers AS n WHERE n.sid = sessions.id), 0) + 1) "
        "FROM messages AS m WHERE m.sid = sessions.id)"
    )


def _messages(numbers: Iterable[int]) -> str:
    given = list(numbers)
    return f"{_listed('message', given)} {'is' if len(given) == 1 else 'are'}"


def _listed(what: str, numbers: list[int]) -> str:
    """Numbers in words, those in a row as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    parts = ["–".join(str(number) for number in run) for run in runs]
    more = f" and {len(parts) - _LISTED_MOST} more" if len(parts) > _LISTED_MOST else ""
    return f"{what}{'s' * (len(numbers) != 1)} {', '.join(parts[:_LISTED_MOST])}{more}"


def _shown(name: object) -> str:
    text = str(from_value(name))
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _is(db: sqlite3.Connection, condition: str, sid: int) -> bool:
    return db.execute(f"SELECT 1 FROM sessions WHERE {condition}", (sid,)).fetchone() is not None


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


__all__ = ["TABLES", "decide"]
