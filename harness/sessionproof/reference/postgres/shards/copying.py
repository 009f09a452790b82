"""The rows of a session: copied to where they arrive on another server, and put in their places.

All of it is copied, numbers and ids included. What arrives is in tables of its own until it has
left where it was, so nobody ever sees a session twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessionproof.reference.codec import COLUMNS
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.statements import ADD_LLM_MODEL, change, fetch

_NAMES = "session_id, tag, created_at_us, last_activity_us"
_COUNTED = "message_count, total_tokens, total_duration_us"
_SET_LAST = (
    "next_seq", "last_activity_us", "idle_timeout_us", "hard_deadline_us", "warn_us", "look_at_us",
    "status", "owner", "title", "metadata",
)  # fmt: skip
_SESSION = f"{_NAMES}, {_COUNTED}, {', '.join(_SET_LAST[:1] + _SET_LAST[2:])}"
_MESSAGE = f"seq, appended_at_us, {', '.join(COLUMNS)}"
_SNAPSHOT = "snapshot_id, session_id, kind, reason, taken_at_us, message_count, body, digest"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that belong to a session: what finds them, and where and as which columns they arrive.

    ``found`` takes the session's key as a text of hex digits, twice.
    """

    found: str
    table: str
    columns: str


_KEY = "decode(%s, 'hex')"
_OF = "WHERE text_key(s.session_id) = decode(%s, 'hex')"
PARTS = (
    Part(
        f"SELECT {_KEY}, l.name, {', '.join(f's.{one}' for one in _SESSION.split(', '))} "
        f"FROM sessions AS s LEFT JOIN llm_models AS l ON l.id = s.llm_model_id {_OF}",
        "arriving_sessions",
        f"session_key, llm_model, {_SESSION}",
    ),
    Part(
        f"SELECT {_KEY}, {', '.join(f'm.{one}' for one in _MESSAGE.split(', '))} "
        f"FROM sessions AS s JOIN messages AS m ON m.sid = s.id {_OF} ORDER BY m.seq",
        "arriving_messages",
        f"session_key, {_MESSAGE}",
    ),
    Part(
        f"SELECT {_KEY}, t.key, t.value FROM sessions AS s JOIN state AS t ON t.sid = s.id {_OF}",
        "arriving_state",
        "session_key, key, value",
    ),
    Part(
        f"SELECT {_KEY}, s.id, {', '.join(f's.{one}' for one in _SNAPSHOT.split(', '))} "
        f"FROM snapshots AS s {_OF} ORDER BY s.id",
        "arriving_snapshots",
        f"session_key, place, {_SNAPSHOT}",
    ),
)

_MADE = (
    f"INSERT INTO sessions ({_NAMES}) SELECT {_NAMES} FROM arriving_sessions "
    "WHERE session_key = %s RETURNING id, tag"
)
_MODEL = "SELECT llm_model FROM arriving_sessions WHERE session_key = %s"
_TOGETHER = "SELECT set_config('sessionproof.together', 'on', true)"
_RUNS = (
    "SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run "
    "FROM arriving_messages WHERE session_key = %s) AS r GROUP BY run ORDER BY min(seq)"
)
_NEXT = "UPDATE sessions SET next_seq = %s WHERE id = %s"
_OWN_IDS = "starts_with(a.message_id, %s)"
_MESSAGES = (
    f"INSERT INTO messages (sid, {_MESSAGE}) SELECT %s, "
    + ", ".join(
        f"CASE WHEN {_OWN_IDS} THEN %s || a.seq ELSE a.message_id END"
        if one == "message_id"
        else f"a.{one}"
        for one in _MESSAGE.split(", ")
    )
    + " FROM arriving_messages AS a WHERE a.session_key = %s AND a.seq BETWEEN %s AND %s "
    "ORDER BY a.seq"
)
_NAMED = (
    "UPDATE messages AS m SET message_id = a.message_id FROM arriving_messages AS a "
    f"WHERE a.session_key = %s AND {_OWN_IDS} AND m.sid = %s AND m.seq = a.seq"
)
_STATE = (
    "INSERT INTO state (sid, key, value) SELECT %s, key, value FROM arriving_state "
    "WHERE session_key = %s"
)
_LAST = (
    "UPDATE sessions AS s SET llm_model_id = %s, "
    f"{', '.join(f'{one} = a.{one}' for one in _SET_LAST)} "
    "FROM arriving_sessions AS a WHERE a.session_key = %s AND s.id = %s"
)
_SNAPSHOTS = (
    f"INSERT INTO snapshots ({_SNAPSHOT}) SELECT {_SNAPSHOT} FROM arriving_snapshots "
    "WHERE session_key = %s ORDER BY place"
)


def copy(db: Connection, to: Connection, key: bytes) -> None:
    """Within a transaction on each: put the session's rows where they arrive, and nothing else."""
    forget(to, key)
    for part in PARTS:
        into = f"COPY {part.table} ({part.columns}) FROM STDIN"
        with (
            db.cursor() as here,
            to.cursor() as there,
            here.copy(f"COPY ({part.found}) TO STDOUT".encode(), (key.hex(), key.hex())) as rows,
            there.copy(into.encode()) as copies,
        ):
            for block in rows:
                copies.write(block)


def unpack(db: Connection, key: bytes) -> None:
    """Within a transaction: make the rows that arrived a session like others."""
    for sid, tag in fetch(db, _MADE, (key,)):
        _messages(db, key, sid, f"{tag}.")
    change(db, _SNAPSHOTS, (key,))
    forget(db, key)


def forget(db: Connection, key: bytes) -> None:
    """Within a transaction: remove what arrived of a session."""
    for part in PARTS:
        change(db, f"DELETE FROM {part.table} WHERE session_key = %s", (key,))


def _messages(db: Connection, key: bytes, sid: int, own: str) -> None:
    """What belongs to the new session of this row; ``own`` is what its own ids begin with.

    The schema takes the next number and no other, so each run without a gap is made by itself. An
    id of the session's own form is refused before all numbers are there: till then another one
    holds its place. What the session says of itself comes last, as it may refuse messages.
    """
    fetch(db, _TOGETHER, ())
    meanwhile = f"{key.hex()}."
    for first, last in fetch(db, _RUNS, (key,)):
        change(db, _NEXT, (first, sid))
        change(db, _MESSAGES, (sid, own, meanwhile, key, first, last))
    change(db, _STATE, (sid, key))
    ((model,),) = fetch(db, _MODEL, (key,))
    model_id = None if model is None else fetch(db, ADD_LLM_MODEL, (model,))[0][0]
    change(db, _LAST, (model_id, key, sid))
    change(db, _NAMED, (key, own, sid))
