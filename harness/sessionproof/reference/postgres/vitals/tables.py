"""Rows, sizes and indexes of the schema, and whether vacuum keeps up."""

from __future__ import annotations

from collections.abc import Iterator

from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.vitals.looks import row_of
from sessionproof.reference.vitals.report import Number, Vital, amount
from sessionproof.reference.vitals.sizes import (
    DAY_US,
    GROWTH_DAYS,
    KEPT,
    Size,
    file_size,
    grown,
)
from sessionproof.reference.vitals.thresholds import ServerLimits, Thresholds

_ORPHANS = {
    "messages": "FROM messages AS c WHERE NOT EXISTS "
    "(SELECT FROM sessions AS p WHERE p.id = c.sid)",
    "state": "FROM state AS c WHERE NOT EXISTS (SELECT FROM sessions AS p WHERE p.id = c.sid)",
    "sessions": "FROM sessions AS c WHERE c.llm_model_id IS NOT NULL AND NOT EXISTS "
    "(SELECT FROM llm_models AS p WHERE p.id = c.llm_model_id)",
}
_MISMATCHES = (
    "SELECT count(*) FROM sessions AS s LEFT JOIN (SELECT sid, count(*) AS messages, "
    "sum(coalesce(tokens, 0)) AS tokens, sum(coalesce(duration_us, 0)) AS duration "
    "FROM messages GROUP BY sid) AS r ON r.sid = s.id "
    "WHERE s.message_count <> coalesce(r.messages, 0) "
    "OR s.total_tokens <> coalesce(r.tokens, 0) "
    "OR s.total_duration_us <> coalesce(r.duration, 0)"
)
_OURS = (
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND c.relkind = 'r'"
)
_INVALID = (
    "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND NOT (i.indisvalid AND i.indisready) ORDER BY 1"
)
_SILENT = (
    "SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND t.tgenabled NOT IN ('O', 'A') ORDER BY 1, 2"
)
_DEAD_FROM = 10_000
"""Fewer dead rows of a table are of no importance, whatever part they are."""

_UPDATES_FROM = 10_000
_IN_PLACE = 0.9
_SHOWN = 4


def orphans(db: Connection, thresholds: Thresholds) -> Vital:
    """Rows whose session, or whose model, is gone."""
    found = {name: row_of(db, f"SELECT count(*) {rows}")[0] for name, rows in _ORPHANS.items()}
    number = sum(found.values())
    some = ", ".join(f"{count} of {name}" for name, count in found.items() if count)
    return Vital(
        "orphans",
        thresholds.orphans.of(number),
        f"rows whose parent is gone: {some}" if number else "every row has what it belongs to",
        (Number("orphans", number),),
    )


def mismatches(db: Connection, thresholds: Thresholds) -> Vital:
    """Sessions whose counters are not what their messages give."""
    (number,) = row_of(db, _MISMATCHES)
    what = "1 session does not count" if number == 1 else f"{number} sessions do not count"
    return Vital(
        "counters",
        thresholds.mismatches.of(number),
        f"{what} what the messages give" if number else "every session counts what it has",
        (Number("wrong_counters", number),),
    )


def guards(db: Connection, schema: str) -> Iterator[Vital]:
    """Indexes and triggers that are there, and do nothing."""
    invalid = [name for (name,) in db.execute(_INVALID, (schema,)).fetchall()]
    text = f"{', '.join(invalid[:_SHOWN])}: rebuild it with REINDEX" if invalid else "all are valid"
    yield Vital(
        "indexes",
        "critical" if invalid else "ok",
        text,
        (Number("invalid_indexes", len(invalid)),),
    )
    silent = [f"{trigger} of {table}" for table, trigger in db.execute(_SILENT, (schema,))]
    text = f"switched off: {', '.join(silent[:_SHOWN])}" if silent else "all are switched on"
    yield Vital(
        "triggers",
        "critical" if silent else "ok",
        text,
        (Number("silent_triggers", len(silent)),),
    )


def rows_replaced(db: Connection, schema: str, limits: ServerLimits) -> Iterator[Vital]:
    """Rows that are dead, and whether those of sessions are replaced in their place."""
    rows = db.execute(
        "SELECT relname, n_live_tup, n_dead_tup, n_tup_upd, n_tup_hot_upd "
        "FROM pg_stat_user_tables WHERE schemaname = %s",
        (schema,),
    ).fetchall()
    dead = [
        (gone / (gone + live), name, gone) for name, live, gone, *_ in rows if gone >= _DEAD_FROM
    ]
    if dead:
        part, name, gone = max(dead)
        text = f"{gone:,} of {name}, {part:.0%}"
        numbers = (Number("dead_rows", gone, (("table", name),)),)
        yield Vital("dead rows", limits.dead_rows.of(part), text, numbers)
    else:
        yield Vital("dead rows", "ok", f"fewer than {_DEAD_FROM:,} in every table")
    updates, in_place = next((row[3:] for row in rows if row[0] == "sessions"), (0, 0))
    part = in_place / updates if updates else 1.0
    bad = updates >= _UPDATES_FROM and part < _IN_PLACE
    text = f"{part:.1%} of {updates:,} updates of sessions touched no index"
    if bad:
        text += ": has somebody added an index on what every append changes?"
    numbers = (Number("session_updates_in_place_ratio", part),)
    yield Vital("updates in place", "warning" if bad else "ok", text, numbers)


def size_of(db: Connection, schema: str, now_us: int) -> Size:
    """How large the schema is now."""
    (size_bytes,) = row_of(
        db, f"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint {_OURS}", (schema,)
    )
    sessions, messages = row_of(
        db, "SELECT count(*), coalesce(sum(message_count), 0)::bigint FROM sessions"
    )
    return Size(now_us, size_bytes, 0, sessions, messages)


def kept(db: Connection, size: Size) -> None:
    """Write a size down, and forget those of long ago; within a transaction of the caller's."""
    db.execute(
        "INSERT INTO health_sizes VALUES (%s, %s, %s, %s) ON CONFLICT (at_us) DO NOTHING",
        (size.at_us, size.file_bytes, size.sessions, size.messages),
    )
    db.execute(
        "DELETE FROM health_sizes WHERE at_us <= "
        "(SELECT at_us FROM health_sizes ORDER BY at_us DESC LIMIT 1 OFFSET %s)",
        (KEPT,),
    )


def sizes(db: Connection, schema: str, now_us: int, thresholds: Thresholds) -> Iterator[Vital]:
    """All that is said of sizes."""
    size = size_of(db, schema, now_us)
    whole = file_size(size, thresholds)
    yield Vital("schema size", whole.severity, whole.text, whole.numbers)
    rows = db.execute(
        f"SELECT c.relname, pg_total_relation_size(c.oid) {_OURS} ORDER BY 2 DESC".encode(),
        (schema,),
    ).fetchall()
    shown = ", ".join(f"{name} {amount(bytes_)}" for name, bytes_ in rows[:_SHOWN])
    numbers = tuple(Number("table_bytes", bytes_, (("table", name),)) for name, bytes_ in rows)
    yield Vital("table sizes", "ok", shown, numbers)
    before = db.execute(
        "SELECT at_us, file_bytes FROM health_sizes WHERE at_us >= %s AND at_us <= %s "
        "ORDER BY at_us LIMIT 1",
        (size.at_us - GROWTH_DAYS * DAY_US, size.at_us - DAY_US),
    ).fetchone()
    yield grown(before, size, thresholds)
    yield Vital("disk", "unknown", "how full the server's disk is, its own machine alone sees")
