"""What is under way in the database: transactions that last, and who waits for whom."""

from __future__ import annotations

from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.vitals.looks import row_of
from sessionproof.reference.vitals.report import Number, Vital
from sessionproof.reference.vitals.thresholds import ServerLimits, Thresholds

_HERE = "a.datname = current_database() AND a.pid <> pg_backend_pid()"
_LONGEST = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8, "
    "coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)) "
    "FILTER (WHERE a.state LIKE 'idle in transaction%'), 0)::float8, "
    "count(*) FILTER (WHERE a.query = '<insufficient privilege>') "
    f"FROM pg_stat_activity AS a WHERE {_HERE} "
    "AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'walsender')"
)
_PREPARED = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - prepared)), 0)::float8 "
    "FROM pg_prepared_xacts WHERE database = current_database()"
)
_WAITS_SINCE = 140_000  # the version from which on it is shown since when
_WAITING = (
    "SELECT count(DISTINCT l.pid), {} FROM pg_locks AS l JOIN pg_stat_activity AS a "
    f"ON a.pid = l.pid WHERE NOT l.granted AND {_HERE}"
)
_SINCE = "coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float8"


def transactions(db: Connection, limits: ServerLimits) -> Vital:
    """The longest that is open: what was replaced since it began stays where it is."""
    longest_s, idle_s, hidden = row_of(db, _LONGEST)
    (prepared_s,) = row_of(db, _PREPARED)
    longest_s = max(longest_s, prepared_s)
    seen = (limits.transaction_s.of(longest_s), limits.idle_transaction_s.of(idle_s))
    severity = next((one for one in ("critical", "warning") if one in seen), "ok")
    numbers = (
        Number("transaction_seconds_longest", longest_s),
        Number("transaction_idle_seconds_longest", idle_s),
    )
    text = f"the longest is open for {longest_s:,.0f} s"
    if idle_s:
        text += f", the longest that does nothing for {idle_s:,.0f} s"
    if severity == "ok" and hidden:
        return Vital(
            "transactions",
            "unknown",
            f"this role may not see {hidden} connections: grant it pg_read_all_stats",
            numbers,
        )
    return Vital("transactions", severity, text if longest_s else "none is open", numbers)  # type: ignore[arg-type]


def lock_waits(db: Connection, thresholds: Thresholds) -> Vital:
    """How many connections wait for a lock at this moment, and how long at most."""
    since = _SINCE if db.info.server_version >= _WAITS_SINCE else "0::float8"
    waiting, longest_s = row_of(db, _WAITING.format(since))
    text = f"{waiting} connections wait, the longest for {longest_s * 1e3:,.0f} ms"
    return Vital(
        "lock waits",
        thresholds.wait_ms.of(longest_s * 1e3),
        text if waiting else "nobody waits for a lock",
        (Number("lock_waits", waiting), Number("lock_wait_seconds_longest", longest_s)),
    )
