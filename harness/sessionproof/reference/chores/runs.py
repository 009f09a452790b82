"""What upkeep did and when: rows of the table ``maintenance_runs``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sessionproof.contract.health import Severity
from sessionproof.reference.vitals.report import Number, Vital

_KEPT = 50  # of each task
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "task, started_at_us, ended_at_us, failed, text"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task; ``text`` says what it did, or why it failed, without a user's words."""

    task: str
    started_at_us: int
    ended_at_us: int
    failed: bool
    text: str


def store_run(db: sqlite3.Connection, run: Run) -> None:
    """Write a run down and forget old ones of its task; within a transaction of the caller's."""
    db.execute(
        f"INSERT INTO maintenance_runs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (run.task, run.started_at_us, run.ended_at_us, int(run.failed), run.text),
    )
    db.execute(
        "DELETE FROM maintenance_runs WHERE task = ?1 AND id <= (SELECT id FROM maintenance_runs "
        "WHERE task = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (run.task, _KEPT),
    )


def last_runs(db: sqlite3.Connection) -> dict[str, Run]:
    """The newest run of each task."""
    return _newest(db, "")


def last_good_runs(db: sqlite3.Connection) -> dict[str, Run]:
    """The newest run of each task that did not fail."""
    return _newest(db, "WHERE NOT failed")


def _newest(db: sqlite3.Connection, where: str) -> dict[str, Run]:
    rows: Iterable[tuple[str, int, int, int, str]] = db.execute(
        f"SELECT {_COLUMNS} FROM maintenance_runs WHERE id IN "
        f"(SELECT max(id) FROM maintenance_runs {where} GROUP BY task)"
    ).fetchall()
    return {
        task: Run(task, begun, ended, bool(bad), text) for task, begun, ended, bad, text in rows
    }


def upkeep_done(db: sqlite3.Connection, now_us: int) -> Iterable[Vital]:
    """The last run of all tasks, and that of verify; a failed verify is critical."""
    runs = last_runs(db)
    failed = [run for run in runs.values() if run.failed]
    newest = max((run.ended_at_us for run in runs.values()), default=0)
    told = "; ".join(f"{run.task}, {_at(run)}: {run.text}" for run in failed)
    done = f"{len(runs)} tasks, the last at {at(newest)}" if runs else "none was ever done"
    ages = tuple(
        Number("upkeep_age_seconds", (now_us - run.ended_at_us) / 1e6, (("task", name),))
        for name, run in last_good_runs(db).items()
    )
    severity: Severity = "warning" if failed else "ok" if runs else "unknown"
    yield Vital("upkeep", severity, f"failed: {told}" if failed else done, ages)
    verify = runs.get("verify")
    if verify is None:
        yield Vital("last verify", "unknown", "upkeep has not verified the data yet")
    else:
        bad: Severity = "critical" if verify.failed else "ok"
        yield Vital("last verify", bad, f"{_at(verify)}: {verify.text}")


def _at(run: Run) -> str:
    return at(run.ended_at_us)


def at(moment_us: int) -> str:
    """A time in UTC, for people; the number where there is no such date."""
    try:
        return f"{_EPOCH + timedelta(microseconds=moment_us):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return f"{moment_us} µs"
