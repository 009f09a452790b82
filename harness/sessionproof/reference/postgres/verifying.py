"""Looking at everything, as of one moment: a method of ``PostgresStore``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Verified
from sessionproof.reference.arguments import short
from sessionproof.reference.codec import checked_text
from sessionproof.reference.finding.looking import differences
from sessionproof.reference.finding.words import FOLDING
from sessionproof.reference.moments import keeping
from sessionproof.reference.postgres import index, inventory, steps
from sessionproof.reference.postgres.pool import Connection, one_moment
from sessionproof.reference.postgres.statements import DEADLINE, fetch, key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_EXAMPLES = 3
# The pool has these off, for statements about one session.
_FOR_ALL = (
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_sort = on; "
    "SET LOCAL enable_mergejoin = on"
)
_SID = "SELECT s.id FROM sessions AS s WHERE text_key(s.session_id) = %s"
_COUNTED = (
    "sessions AS s LEFT JOIN (SELECT sid, count(*) AS messages, max(seq) AS highest, "
    "coalesce(sum(tokens), 0) AS tokens, coalesce(sum(duration_us), 0) AS duration_us "
    "FROM messages{of_sid} GROUP BY sid) AS m ON m.sid = s.id"
)
_LOOKED_AT = (
    f"s.look_at_us <= {DEADLINE} - CASE s.status WHEN 'active' THEN coalesce(s.warn_us, 0) "
    "ELSE 0 END"
)
_SNAPSHOTS = (
    "SELECT snapshot_id, session_id, kind, reason, taken_at_us, message_count, body, digest "
    "FROM snapshots"
)
_LOCATED = "(SELECT session_id FROM sessions WHERE id = {table}.sid)"


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is never so: SQL for the rows of which it is, with a text that shows one of them."""

    what: str
    rows: str
    where: str
    example: str = "s.session_id"
    of: str = "s.id"
    """The column by which the rows of one session are found; "" where there are none."""

    def sql(self, sid: int | None) -> str:
        """How many rows there are, and some of them; with a place for the session's row."""
        here = f" AND {self.of} = %s" if sid is not None else ""
        rows = self.rows.format(of_sid=" WHERE sid = %s" if sid is not None else "")
        return (
            f"SELECT count(*) OVER (), {self.example} FROM {rows} WHERE ({self.where}){here} "
            f"LIMIT {_EXAMPLES}"
        )

    def values(self, sid: int | None) -> Sequence[int]:
        """The values of that SQL."""
        return () if sid is None else (sid,) * (1 + self.rows.count("{of_sid}"))


def _repeated(what: str, table: str, columns: str, key: str) -> _Rule:
    """A key that should be of one row of a session; ``table`` has the session's row as sid."""
    again = (
        f"(SELECT sid, min({key}::text) AS key FROM {table}{{of_sid}} "
        f"GROUP BY sid, {columns} HAVING count(*) > 1) AS r"
    )
    return _Rule(what, again, "true", f"{_LOCATED.format(table='r')} || ': ' || r.key", "r.sid")


_RULES = (
    _Rule(
        "sessions have a message_count that is not that of their messages", _COUNTED,
        "s.message_count <> coalesce(m.messages, 0)",
        "s.session_id || ': ' || s.message_count || ', not ' || coalesce(m.messages, 0)",
    ),
    _Rule(
        "sessions have total_tokens that are not those of their messages", _COUNTED,
        "s.total_tokens <> coalesce(m.tokens, 0)",
    ),
    _Rule(
        "sessions have a total_duration_us that is not that of their messages", _COUNTED,
        "s.total_duration_us <> coalesce(m.duration_us, 0)",
    ),
    _Rule(
        "sessions would give a number again that a message has", _COUNTED,
        "s.next_seq <= coalesce(m.highest, 0)",
    ),
    _repeated("numbers are those of several messages of a session", "messages", "seq", "seq"),
    _repeated(
        "ids are those of several messages of a session",
        "(SELECT sid, coalesce(message_id, 'number ' || seq) AS name FROM messages) AS m",
        "text_key(name)", "name",
    ),
    _repeated("keys of the state are there several times", "state", "text_key(key)", "key"),
    _Rule(
        "sessions share an id",
        "(SELECT min(session_id) AS id FROM sessions GROUP BY text_key(session_id) "
        "HAVING count(*) > 1) AS s",
        "true", "s.id", "",
    ),
    _Rule(
        "messages belong to no session", "messages AS m",
        "NOT EXISTS (SELECT FROM sessions AS s WHERE s.id = m.sid)", "'row ' || m.id", "",
    ),
    _Rule(
        "values of state belong to no session", "state AS t",
        "NOT EXISTS (SELECT FROM sessions AS s WHERE s.id = t.sid)", "t.key", "",
    ),
    _Rule(
        "sessions name a model that is not there", "sessions AS s",
        "s.llm_model_id IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM llm_models AS l WHERE l.id = s.llm_model_id)",
    ),
    _Rule(
        "sessions end or are to be warned of, and no sweep would look at them in time",
        "sessions AS s",
        f"s.status IN ('active', 'idle') AND {DEADLINE} IS NOT NULL "
        f"AND ({_LOOKED_AT}) IS NOT TRUE",
    ),
    _Rule(
        "sessions hold what no session may", "sessions AS s",
        "s.status NOT IN ('active', 'idle', 'paused', 'archived', 'expired') OR s.next_seq < 1 "
        "OR s.message_count NOT BETWEEN 0 AND s.next_seq - 1 OR s.total_tokens < 0 "
        "OR s.total_duration_us < 0 OR s.idle_timeout_us < 1 OR s.warn_us < 0",
    ),
    _Rule(
        "messages hold what no message may", "messages AS m",
        "m.role NOT IN ('user', 'assistant', 'tool', 'system', 'developer') "
        "OR m.kind NOT IN ('text', 'tool_call', 'tool_result') OR m.seq < 1 OR m.tokens < 0 "
        "OR m.duration_us < 0 OR m.created_at_us < 0 "
        "OR m.content IS NOT NULL AND m.content_json IS NOT NULL",
        "'row ' || m.id", "m.sid",
    ),
    _Rule(
        "sessions belong to another server of this store", "sessions AS s, layout AS o",
        "o.before IS NULL AND home_of(text_key(s.session_id), o.servers) <> o.own",
    ),
)  # fmt: skip


def verify(store: PostgresStore, session_id: str | None = None) -> Verified:
    """Look at everything, or at one session, as it is at one moment; writers go on meanwhile.

    Damage is answered as problems. Raises ``Refused`` when it cannot be looked at.
    """
    name = checked_text(session_id, "session_id", optional=True)

    def work(db: Connection) -> tuple[str, ...]:
        with one_moment(db):
            return problems(db) if name is None else _of_session(db, name)

    return Verified(store._read(work))


def problems(db: Connection) -> tuple[str, ...]:
    """What is wrong, a sentence each, within the transaction under way; nobody waits for it."""
    db.execute(_FOR_ALL)
    return (
        *inventory.amiss(db, steps.shipped()),
        *_broken(db, None),
        *_changed_snapshots(db, None),
        *_wrong_words(db),
    )


def _of_session(db: Connection, name: str) -> tuple[str, ...]:
    """What is wrong with one session; nothing with an unknown one."""
    found = chain.from_iterable(_broken(db, sid) for (sid,) in fetch(db, _SID, (key_of(name),)))
    return (*found, *_changed_snapshots(db, key_of(name)))


def _broken(db: Connection, sid: int | None) -> Iterator[str]:
    for rule in _RULES:
        if sid is None or rule.of:
            rows = fetch(db, rule.sql(sid), rule.values(sid))
            if rows:
                yield _told(rows[0][0], rule.what, [short(str(row[1])) for row in rows])


def _changed_snapshots(db: Connection, key: bytes | None) -> Iterator[str]:
    changed = list(_damaged(db, key))
    if changed:
        yield _told(len(changed), "snapshots are not what was written", changed)


def _damaged(db: Connection, key: bytes | None) -> Iterator[str]:
    """The ids of snapshots that cannot be restored; one at a time is in memory."""
    of_session = "" if key is None else " WHERE text_key(session_id) = %s"
    with db.cursor("sessionproof_snapshots") as cursor:
        cursor.itersize = 1
        cursor.execute(f"{_SNAPSHOTS}{of_session}".encode(), () if key is None else (key,))
        for row in cursor:
            try:
                keeping.opened(row)
            except Refused:
                yield str(row[0])


def _wrong_words(db: Connection) -> Iterator[str]:
    """Whether the index has the words of what is stored, but for what is listed to be looked at."""
    if fetch(db, "SELECT folding FROM search_rule", ()) != [(FOLDING,)]:
        return  # all of it will be made anew
    listed = {number for (number,) in fetch(db, "SELECT number FROM search_again", ())}
    with db.cursor("sessionproof_kept") as cursor:
        cursor.itersize = 1_000
        kept = cursor.execute("SELECT number, words FROM search_index ORDER BY number")
        examples = [
            f"{'message' if number > 0 else 'title of session'} {abs(number)}: {how}"
            for number, how in differences(index.all_entries(db), kept)
            if number not in listed
        ]
    if examples:
        what = "texts are not in the index of the search as they are stored"
        mends = "UPDATE search_rule SET folding = 0 makes it anew"
        yield f"{_told(len(examples), what, examples)}; {mends}"


def _told(number: int, what: str, examples: Sequence[Any]) -> str:
    return f"{number:,} {what}: {', '.join(examples[:_EXAMPLES])}"
