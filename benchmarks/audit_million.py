"""How long the audit of 1,000,000 messages takes, beside two floors of the same run.

``python benchmarks/audit_million.py`` makes a database of the reference's schema below the
temporary folder: 10,000 sessions of 100 messages, written in turns, as chats are. ``--grouped``
writes one session after the other. Prints seconds of wall clock, and ratios to the floors; on a
busy machine only the ratios say something.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from sessionproof.audit.sqltext import statements
from sessionproof.contract.clock import monotonic_s

SESSIONS, MESSAGES = 10_000, 100
APPLICATION_ID = 0x53505246
CONTENT_BYTES = 120

NUMBERS = """WITH RECURSIVE
    s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < :sessions),
    m(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < :messages)"""


def build(path: Path, *, sessions: int, messages: int, grouped: bool) -> None:
    """Write the database: tables, then rows, then triggers, which would only slow the rows."""
    folder = files("sessionproof") / "reference" / "schema"
    steps = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=str)
    made = [one for step in steps for one in statements(step.read_text("utf-8"))]
    triggers = [one for one in made if "CREATE TRIGGER" in one]
    sizes = {"sessions": sessions, "messages": messages}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA cache_size = -200000; BEGIN"
        )
        for one in made:
            if one not in triggers:
                connection.execute(one)
        connection.execute(
            f"{NUMBERS} INSERT INTO sessions (id, session_id, next_seq, message_count, "
            "total_tokens, total_duration_us, created_at_us, last_activity_us) SELECT i, "
            "'session-' || i, :messages + 1, :messages, :messages * 10, :messages * 1000, 1, 1 "
            "FROM s", sizes,
        )  # fmt: skip
        order = "s CROSS JOIN m" if grouped else "m CROSS JOIN s"
        connection.execute(
            f"{NUMBERS} INSERT INTO messages (sid, seq, role, tokens, duration_us, "
            "appended_at_us, content) SELECT s.i, m.i, CASE m.i % 2 WHEN 1 THEN 'user' ELSE "
            f"'assistant' END, 10, 1000, 1, hex(zeroblob({CONTENT_BYTES // 2})) FROM {order}",
            sizes,
        )
        for one in triggers:
            connection.execute(one)
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("PRAGMA journal_mode = WAL")


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = monotonic_s()
    work()
    return monotonic_s() - start


def query(path: Path, sql: str) -> float:
    """How long a query of a fresh connection takes, in place and with the audit's cache."""
    address = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        connection.execute("PRAGMA cache_size = -65536")
        return seconds(lambda: connection.execute(sql).fetchall())


def audit(path: Path) -> None:
    """The command, from its start to its end; a healthy file must be one."""
    command = [sys.executable, "-m", "sessionproof", "audit", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Build, measure in turns, print the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grouped", action="store_true", help="one session after the other")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of each session")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessionproof-") as folder:
        path = Path(folder, "million.db")
        build(path, sessions=given.sessions, messages=given.messages, grouped=given.grouped)
        best = dict.fromkeys(("scan", "integrity_check", "audit"), float("inf"))
        for _ in range(given.rounds):
            scan = query(path, "SELECT COUNT(*), SUM(length(content)) FROM messages")
            check = query(path, "PRAGMA integrity_check")
            whole = seconds(lambda: audit(path))
            for name, one in zip(best, (scan, check, whole), strict=True):
                best[name] = min(best[name], one)
        floor = best["scan"] + best["integrity_check"]
        megabytes = path.stat().st_size / 1e6
    lines = [f"{given.sessions * given.messages:,} messages, {megabytes:.0f} MB"]
    lines += [f"{name:<16} {one:6.2f} s {one / floor:5.2f} × floors" for name, one in best.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
