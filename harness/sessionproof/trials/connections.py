"""Whether every connection that a store writes with enforces the foreign keys of its tables.

Connections that stay open are asked. What cannot be asked, as it is closed or belongs to another
thread, is seen when it writes: a trigger notes the setting of the connection that fires it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from sessionproof.audit.tables import declared_references, opened, orphan_problems, quoted
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Append, Delete, session_of
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.audits import look, shown
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.watching import Opened, Setting, asked, watched
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.guard import Handle

_THREADS, _TURNS = 8, 3
_THREADS_S = 2.0  # no turn of a thread begins later
_HELD_S = 0.15
_WAIT_S = 2.0
_NOTES = "sessionproof_connections"
_NOTE = f"INSERT INTO {_NOTES} SELECT foreign_keys FROM pragma_foreign_keys;"


def keys_are_enforced(trial: Trial) -> None:
    """Write from all sides, and see which connections enforced foreign keys."""
    if is_hosted(trial.store):
        raise NotClaimed("the store lives in another process, so its connections cannot be asked")
    trial.store.fresh_location()
    with watched() as seen:
        if not shown(trial, _declared):
            raise NotClaimed("the store's tables declare no foreign keys")
        settings = _of_another_handle(trial, seen)
        noting = look(trial, _put_notes).answer is True
        session = _write(trial)
        if session is None and noting:  # a store need not bear our triggers
            look(trial, _take_notes)
            noting, session = False, _write(trial)
        if session is not None and _threads_may_share(trial):
            action = lambda call: _by_threads(trial, session or "", call)  # noqa: E731
            trial.require_ok(
                trial.handle().perform("threads that share a handle", action), "shared a handle"
            )
        settings |= _asked(trial.handle(), seen)
        writes = look(trial, _take_notes).answer or []
        _conclude(trial, settings, writes if noting else [])


def _conclude(trial: Trial, settings: dict[int, Setting], writes: list[bool]) -> None:
    """What the answers and the notes come to."""
    writers = [one for one in settings.values() if one.writes]
    enforcing = sum(one.enforces for one in writers) or int(any(writes))
    off = sum(not one.enforces and one.wrote for one in writers)
    unseen = writes.count(False)  # writes without, by connections that may be closed by now
    if not off and not unseen:
        idle = sum(not one.enforces for one in writers)
        if idle:
            trial.notes.append(f"{idle} connections without foreign keys were not seen to write")
        if not enforcing:
            raise CouldNotTell("no connection to the store's file could be asked")
        trial.count("connections", enforcing)
        return
    if look(trial, _guarded).answer is True:
        raise NotClaimed("triggers guard the references, whatever a connection's settings are")
    if not enforcing and not look(trial, orphan_problems).answer:
        raise NotClaimed(
            "no connection enforces foreign keys, and the store keeps its references by itself"
        )
    trial.require(
        False,
        Anomaly.UNENFORCED,
        did=f"wrote{' from threads' if _threads_may_share(trial) else ''}, then asked "
        f"{len(settings)} open connections for PRAGMA foreign_keys, and triggers at "
        f"{len(writes)} writes",
        expected="1 from each that writes, as the tables declare foreign keys",
        seen=f"0 from {off} open connections, and at {unseen} writes"
        + ("" if enforcing else "; 1 from none, and deletions left orphans"),
        program=["# PRAGMA foreign_keys at each write"],
        script=_script(trial),
    )


def _of_another_handle(trial: Trial, seen: list[Opened]) -> dict[int, Setting]:
    """What the connections of a further handle answer, where there may be one."""
    if not trial.claims.at_least("handles", "threads"):
        return {}
    start = trial.run(trial.program(Append("s0", trial.several(1))), lambda _: None, examined=0)
    other = trial.store.another_handle()
    try:
        other.invoke(Append("s0", trial.several(1)), start[-1].session_id or "")
        answers = other.perform("asked the connections", lambda call: _answers(call, seen))
        trial.require_ok(answers, "asked the connections of another handle")
        found: dict[int, Setting] = answers.value
        return found
    finally:
        other.close()


def _asked(handle: Handle, seen: list[Opened]) -> dict[int, Setting]:
    outcome = handle.perform("asked the connections", lambda call: _answers(call, seen))
    found: dict[int, Setting] = outcome.value if outcome.type == "ok" else {}
    return found


def _answers(call: Callable[..., Any], seen: list[Opened]) -> dict[int, Setting]:
    return asked(seen, str(call("tables").path))


def _write(trial: Trial) -> str | None:
    """Fill two sessions and delete one; answers the id of the other, None when an append failed."""
    steps = [Append("s0", trial.several(2)), Append("s1", trial.several(2))]
    removed = [Delete("s1")] if "delete" in trial.capabilities else []
    program = trial.program(*steps, *removed, sessions=("s0", "s1"))
    done = trial.run(program, lambda _: None, examined=0)
    appended = [one for one in done if isinstance(one.operation, Append)]
    if any(one.outcome.type != "ok" for one in appended):
        return None
    return next(one.session_id for one in appended if session_of(one.operation) == "s0")


def _threads_may_share(trial: Trial) -> bool:
    shared = trial.claims.at_least("handles", "threads") and trial.claims.shared_handle
    return shared and not {"append", "read"} & trial.store.awaited


def _by_threads(trial: Trial, session: str, call: Callable[..., Any]) -> None:
    """Threads that append at once, so that a pool needs more than one connection.

    The file is locked while they begin: each then waits with a connection in hand.
    """
    stop = threading.Event()
    message = good_message(trial, "at once")

    def turns() -> None:
        for _ in range(_TURNS):
            if not stop.is_set():
                with suppress(Exception):  # whether all succeed is no matter of references
                    call("append", session, [message])

    threads = [threading.Thread(target=turns, daemon=True) for _ in range(_THREADS)]
    tables = call("tables")
    timer = threading.Timer(_THREADS_S, stop.set)
    timer.start()
    with _writable(tables) as db, suppress(sqlite3.Error):
        db.execute("BEGIN IMMEDIATE")
        for thread in threads:
            thread.start()
        stop.wait(_HELD_S)
        db.execute("ROLLBACK")
    for thread in threads:
        if thread.ident is not None:  # none was begun where the lock could not be had
            thread.join()
    timer.cancel()
    timer.join()


def _declared(tables: SqliteTables) -> int:
    with closing(opened(tables.path)) as connection:
        return sum(1 for _ in declared_references(connection))


def _writable(tables: SqliteTables) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(tables.path, timeout=_WAIT_S, isolation_level=None))


def _noted_events(tables: SqliteTables) -> list[str]:
    """The writes at which a trigger notes: ``AFTER INSERT ON "messages"``, and others."""
    names = dict.fromkeys(name for name in (tables.messages, tables.sessions) if name is not None)
    return [f"AFTER {what} ON {quoted(name)}" for name in names for what in ("INSERT", "DELETE")]


def _put_notes(tables: SqliteTables) -> bool:
    with _writable(tables) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"CREATE TABLE {_NOTES} (enforced INTEGER)")
        for number, event in enumerate(_noted_events(tables)):
            db.execute(f"CREATE TRIGGER {_NOTES}_{number} {event} BEGIN {_NOTE} END")
        db.execute("COMMIT")
    return True


def _take_notes(tables: SqliteTables) -> list[bool]:
    """What was noted at each write; the triggers and their table are taken away."""
    with _writable(tables) as db:
        db.execute("BEGIN IMMEDIATE")
        for number, _ in enumerate(_noted_events(tables)):
            db.execute(f"DROP TRIGGER IF EXISTS {_NOTES}_{number}")
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_NOTES,)).fetchall()
        rows = db.execute(f"SELECT enforced FROM {_NOTES}").fetchall() if there else []
        db.execute(f"DROP TABLE IF EXISTS {_NOTES}")
        db.execute("COMMIT")
    return [bool(enforced) for (enforced,) in rows]


def _guarded(tables: SqliteTables) -> bool:
    """Whether no parent can be deleted from under its children with foreign keys off.

    Tried on the rows that are there, on a connection of our own, and rolled back each time.
    """
    tried = 0
    with _writable(tables) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for reference in list(declared_references(db)):
            columns = ", ".join(f"c.{quoted(column)}" for column in reference.columns)
            child = db.execute(f"SELECT {columns} {reference.rows} LIMIT 1").fetchone()
            if child is None:
                continue
            tried += 1
            same = " AND ".join(f"{quoted(key)} = ?" for key in reference.keys)
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute(f"DELETE FROM {quoted(reference.parent)} WHERE {same}", child)
                left = db.execute(f"SELECT COUNT(*) {reference.orphans()}").fetchone()[0]
            except sqlite3.IntegrityError:
                left = 0
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
            if left:
                return False
    return tried > 0


def _script(trial: Trial) -> list[str]:
    """Triggers that note the setting, writes, and what was noted."""
    message = said(trial, "x")
    deleted = ["store.delete(s1)"] if "delete" in trial.capabilities else []
    threads = [
        "import threading, time",
        f"def turns(): [store.append(s0, [{message}]) for _ in range({_TURNS})]",
        f"threads = [threading.Thread(target=turns) for _ in range({_THREADS})]",
        "db = sqlite3.connect(tables.path, isolation_level=None)",
        "db.execute('BEGIN IMMEDIATE')  # each thread waits with a connection in hand",
        "[thread.start() for thread in threads]",
        "time.sleep(0.2)",
        "db.execute('ROLLBACK')",
        "db.close()",
        "[thread.join() for thread in threads]",
    ]
    return [
        "import sqlite3",
        *made(trial, "s0", "s1"),
        f"store.append(s0, [{message}])",
        "tables = store.tables()",
        "db = sqlite3.connect(tables.path)",
        "db.execute('CREATE TABLE noted (enforced)')",
        "note = 'INSERT INTO noted SELECT foreign_keys FROM pragma_foreign_keys;'",
        "for table in {tables.messages, tables.sessions} - {None}:",
        "    for event in ('INSERT', 'DELETE'):",
        "        name = f'\"note {event} {table}\"'",
        "        when = f'AFTER {event} ON \"{table}\"'",
        "        db.execute(f'CREATE TRIGGER {name} {when} BEGIN {note} END')",
        "db.commit()",
        "db.close()",
        f"store.append(s0, [{message}, {message}])",
        f"store.append(s1, [{message}])",
        *deleted,
        *(threads if _threads_may_share(trial) else []),
        "db = sqlite3.connect(tables.path)",
        "noted = [enforced for (enforced,) in db.execute('SELECT enforced FROM noted')]",
        "db.close()",
        "assert all(noted), f'{noted.count(0)} of {len(noted)} writes without foreign keys'",
    ]
