"""One SELECT on a database: its plan, what it costs SQLite's machine, how long it takes.

Only reading statements are run. What else SQL can do (attach files, set pragmas, change rows) is
refused before it begins, or, for rows, explained and not run.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sessionproof.audit.file import Reading, Unreadable, on_committed_state
from sessionproof.contract.clock import monotonic_ns, monotonic_s

_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION,
          sqlite3.SQLITE_RECURSIVE)  # fmt: skip
_WRITES = (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
_LOOKS = ("data_version", "page_size", "page_count")  # a search index asks for them by itself
_LOOK_STEPS = 10_000  # between two looks at the clock
_STEPS_MOST = 20_000_000
_LONGEST_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """``plan`` is a line each, indented by what it belongs to.

    ``steps`` are those of SQLite's machine for one run, ``times_s`` the seconds of each run after
    a first one; both are None and empty where the statement was not run, as ``note`` says.
    """

    plan: tuple[str, ...]
    rows: int | None = None
    steps: int | None = None
    times_s: tuple[float, ...] = ()
    note: str | None = None


def explained(path: os.PathLike[str] | str, sql: str, *, runs: int = 10) -> Explained:
    """Explain a statement on the committed state of a file, and run it so often if it only reads.

    The file is not changed. Raises ``Unreadable`` in one line. Not for a file that this process
    has open.
    """
    return on_committed_state(Path(path), lambda reading: _explained(reading, sql, runs))


def _explained(reading: Reading, sql: str, runs: int) -> Explained:
    db = reading.connection

    def judge(action: int, name: str | None, value: str | None, *_about: str | None) -> int:
        looks = action == sqlite3.SQLITE_PRAGMA and name in _LOOKS and value is None
        allowed = looks or action in (*_READS, *_WRITES)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    try:
        db.execute("PRAGMA trusted_schema = ON").close()  # a plan runs nothing, also no trigger
        db.set_authorizer(judge)
        plan, writes = _plan(db, sql), _writes(db, sql)
        db.set_authorizer(None)
        db.execute("PRAGMA trusted_schema = OFF").close()
        db.set_authorizer(judge)
        if writes:
            return Explained(plan=plan, note="it changes rows, so it was not run")
        rows, steps = _measured(db, sql)
        if steps is None:
            return Explained(plan=plan, note=f"it takes longer than {_LONGEST_S:.0f} s")
        return Explained(plan=plan, rows=rows, steps=steps, times_s=_timed(db, sql, runs))
    except UnicodeEncodeError as error:
        raise Unreadable("the statement cannot be explained: it is no Unicode text") from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise Unreadable(f"the statement cannot be explained: {_why(error)}") from error
    finally:
        db.set_authorizer(None)


def _plan(db: sqlite3.Connection, sql: str) -> tuple[str, ...]:
    depth = {0: -1}
    lines = []
    for number, parent, _, words in db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall():
        depth[number] = depth.get(parent, -1) + 1
        lines.append("  " * depth[number] + str(words))
    return tuple(lines)


def _writes(db: sqlite3.Connection, sql: str) -> bool:
    """Whether the statement begins a transaction that writes: its second operand says so."""
    steps = db.execute(f"EXPLAIN {sql}").fetchall()
    return any(row[1] == "Transaction" and row[3] for row in steps)


def _measured(db: sqlite3.Connection, sql: str) -> tuple[int | None, int | None]:
    """Rows and steps of one run; Nones when it takes too long.

    Steps are counted one by one where there are few, and by ``_LOOK_STEPS`` where there are many.
    """
    seen, too_long = 0, False
    begun_s = monotonic_s()

    def look() -> bool:
        nonlocal seen, too_long
        seen += 1
        too_long = monotonic_s() - begun_s > _LONGEST_S
        return too_long

    try:
        db.set_progress_handler(look, _LOOK_STEPS)
        number = len(db.execute(sql).fetchall())
        if seen * _LOOK_STEPS > _STEPS_MOST:
            return number, seen * _LOOK_STEPS
        seen = 0
        db.set_progress_handler(look, 1)
        db.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if not too_long:
            raise _as_ctrl_c(error) from error
        return None, None
    finally:
        db.set_progress_handler(None, 0)
    return number, seen


def _timed(db: sqlite3.Connection, sql: str, runs: int) -> tuple[float, ...]:
    """The seconds of each run; fewer runs when they take too long."""
    begun_s = monotonic_s()
    times = []
    db.set_progress_handler(lambda: False, _LOOK_STEPS)  # lets Ctrl-C in
    try:
        for _ in range(runs):
            begun_ns = monotonic_ns()
            db.execute(sql).fetchall()
            times.append((monotonic_ns() - begun_ns) / 1e9)
            if monotonic_s() - begun_s > _LONGEST_S:
                break
    except sqlite3.OperationalError as error:
        raise _as_ctrl_c(error) from error
    finally:
        db.set_progress_handler(None, 0)
    return tuple(times)


def _as_ctrl_c(error: sqlite3.OperationalError) -> BaseException:
    """SQLite tells as its own interrupt what a signal raised within a handler; else the error."""
    interrupted = error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
    return KeyboardInterrupt() if interrupted else error


def _why(error: Exception) -> str:
    if isinstance(error, sqlite3.ProgrammingError) and "binding" in str(error).lower():
        return "put values in the place of its ? marks"
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_AUTH:
        return "only statements that read, insert, update or delete are"
    return " ".join(str(error).split())
