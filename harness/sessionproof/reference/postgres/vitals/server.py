"""The server as a whole: whether it can keep what it acknowledges, and has room for what comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sessionproof.contract.health import Severity
from sessionproof.reference.postgres import steps
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.vitals.looks import row_of
from sessionproof.reference.vitals.report import MEGABYTE, Number, Vital, amount
from sessionproof.reference.vitals.thresholds import ServerLimits

_IDS = 2**31


@dataclass(frozen=True, slots=True)
class Setting:
    """The right value of a setting, how bad any other is, and why.

    ``power``: it matters where the power may be lost.
    """

    name: str
    right: str
    otherwise: Severity
    why: str
    power: bool = False


SETTINGS = (
    Setting("fsync", "on", "critical", "what is acknowledged survives a power loss", True),
    Setting(
        "full_page_writes", "on", "critical", "a page that was half written can be mended", True
    ),
    Setting("server_encoding", "UTF8", "critical", "every text can be stored"),
    Setting("autovacuum", "on", "warning", "rows that were replaced make room"),
    Setting("track_counts", "on", "warning", "autovacuum sees what there is to do"),
)


def server(db: Connection) -> Vital:
    """Its version, for how long it is up, and whether it takes writes."""
    version, up_s, standby = row_of(
        db,
        "SELECT current_setting('server_version'), "
        "extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8, "
        "pg_is_in_recovery()",
    )
    number = Number("server_up_seconds", up_s)
    if standby:
        text = f"PostgreSQL {version} is a standby, which takes no writes: name the primary"
        return Vital("server", "critical", text, (number,))
    return Vital("server", "ok", f"PostgreSQL {version}, up for {up_s / 3600:.1f} hours", (number,))


def schema_steps(db: Connection, schema: str) -> Vital:
    """Whether the schema is at the last step of this release."""
    version, known = steps.version_of(db, schema), len(steps.shipped())
    if version == known:
        return Vital("schema", "ok", f"it has all {known} steps")
    if version is None:
        return Vital("schema", "critical", f"the schema {schema} is not there: restore a backup")
    newer = "a newer release has upgraded it" if version > known else "open it to bring it up"
    return Vital("schema", "critical", f"it has {version} steps instead of {known}: {newer}")


def settings(db: Connection, *, synchronous: bool) -> Iterator[Vital]:
    """The server's settings that the store's promises need.

    What a power loss alone would show is a warning where the store does not promise that much.
    """
    rows = db.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
        ([one.name for one in SETTINGS] + ["data_checksums"],),
    ).fetchall()
    values: Mapping[str, str] = dict(rows)
    for one in SETTINGS:
        seen, name = values.get(one.name), f"setting {one.name}"
        if seen is None:
            yield Vital(name, "unknown", "this server has no such setting")
        elif seen == one.right:
            yield Vital(name, "ok", f"{seen}: {one.why}")
        else:
            text = f"{seen}, and should be {one.right}, so that {one.why}"
            yield Vital(name, one.otherwise if synchronous or not one.power else "warning", text)
    checksums = values.get("data_checksums")
    told = {"on": "on: damaged pages are noticed", "off": "off: damaged pages are not noticed"}
    yield Vital("setting data_checksums", "ok", told.get(str(checksums), "not known"))


def commit_setting(seen: str, *, synchronous: bool) -> Vital:
    """What a connection of the store's has set, and what its durability needs."""
    name, right = "setting synchronous_commit", "on" if synchronous else "off"
    if (seen != "off") == synchronous:
        return Vital(name, "ok", f"{seen}, as durability says")
    return Vital(name, "critical", f"{seen}, and should be {right}, as durability says")


def transaction_ids(db: Connection, schema: str, limits: ServerLimits) -> Vital:
    """How old the oldest numbers of transactions are: from 2^31 on nothing can be written."""
    (age,) = row_of(
        db,
        "SELECT greatest(max(age(d.datfrozenxid)), max(mxid_age(d.datminmxid)), "
        "(SELECT max(greatest(age(c.relfrozenxid), mxid_age(c.relminmxid))) FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind = 'r'))::float8 "
        "FROM pg_database AS d WHERE d.datname = current_database()",
        (schema,),
    )
    severity = limits.transaction_ids.of(age / _IDS)
    text = f"the oldest is {age:,.0f} transactions old, {age / _IDS:.0%} of what can be"
    if severity != "ok":
        text += ": find out what keeps vacuum from its work"
    return Vital("transaction ids", severity, text, (Number("transaction_id_age", age),))


def connections(db: Connection, limits: ServerLimits) -> Vital:
    """How many connections of those that the server takes are used, by whomever."""
    used, most = row_of(
        db,
        "SELECT sum(numbackends)::float8, "
        "current_setting('max_connections')::float8 "
        "- current_setting('superuser_reserved_connections')::float8 FROM pg_stat_database",
    )
    return Vital(
        "connections",
        limits.connections.of(used / most),
        f"{used:.0f} of {most:.0f} are used",
        (Number("connections_used", used), Number("connections_most", most)),
    )


def replication(db: Connection, limits: ServerLimits) -> Iterator[Vital]:
    """How far standbys are behind, and what is kept for those that are away."""
    rows = db.execute(
        "SELECT coalesce(application_name, ''), "
        "pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 FROM pg_stat_replication"
    ).fetchall()
    if not rows:
        yield Vital("replication", "ok", "nobody takes part in it")
    elif any(lag is None for _, lag in rows):
        yield Vital("replication", "unknown", f"the lag of {len(rows)} standbys is not shown")
    else:
        name, lag = max(rows, key=lambda row: row[1])
        yield Vital(
            "replication",
            limits.lag_mb.of(lag / MEGABYTE),
            f"{len(rows)} standbys, {name or 'the slowest'} is {amount(lag)} behind",
            (Number("replication_lag_bytes", lag),),
        )
    kept = db.execute(
        "SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 "
        "FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL "
        "ORDER BY 2 DESC LIMIT 1"
    ).fetchone()
    if kept is not None:
        yield Vital(
            "replication slots",
            limits.slot_mb.of(kept[1] / MEGABYTE),
            f"nobody reads {kept[0]}, for which {amount(kept[1])} of logs are kept",
            (Number("slot_kept_bytes", kept[1]),),
        )
