"""What guards cost the old program, and what the triggers cost that they replace.

``python benchmarks/guards.py`` appends to one session of a legacy database, as it was and with
guards, and prints the microseconds of an append at several sizes, the counting by hand of the
plain schema included. Both take turns in one run: trust the ratios, not the times. It ends with 1
when counters are not those of the messages under guards.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from fixtures.legacy import database
from sessionproof.contract.clock import monotonic_ns
from sessionproof.engine.machine import fast_folder
from sessionproof.reference.guards import install_guards

SIZES = (1_000, 10_000, 30_000)
MEASURED = 500  # appends at each size
SESSIONS = 1_000
INSERT = {
    "plain": "INSERT INTO messages (message_id, session_id, role, content, tokens_used) "
    "VALUES ('m' || :n, 's7', 'user', :text, 3)",
    "enhanced": "INSERT INTO messages (message_id, session_id, sequence_number, role, content, "
    "tokens_used) VALUES ('m' || :n, 's7', :n, 'user', :text, 3)",
}
SESSION = {
    "plain": "INSERT INTO sessions (session_id) VALUES (:name)",
    "enhanced": "INSERT INTO sessions (session_id, model_id) VALUES (:name, 'm')",
}
BY_HAND = (
    "UPDATE sessions SET message_count = message_count + 1, total_tokens = total_tokens + 3 "
    "WHERE session_id = 's7'"
)
TEXT = "a message of a usual length, which says what people say to each other, more or less"


def main() -> int:
    """Measure both schemas, and print a line for each way and size."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    right = True
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        for schema in INSERT:
            made = {
                guarded: _made(schema, Path(folder, f"{schema}-{guarded}.db"), guarded=guarded)
                for guarded in (False, True)
            }
            for size in SIZES:
                for guarded, path in made.items():
                    spent_us, counted = _appended(schema, path, size)
                    how = "with guards" if guarded else "as it was"
                    kept = "right" if counted == (size, 3 * size) else f"wrong {counted}"
                    right = right and (kept == "right" or not guarded)
                    sys.stdout.write(
                        f"{schema:<10}{how:<13}{size:>8,} messages{spent_us:>9.1f} µs  {kept}\n"
                    )
    return 0 if right else 1


def _made(schema: str, path: Path, *, guarded: bool) -> Path:
    with closing(database(schema, path=path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        if schema == "enhanced":
            connection.execute("INSERT INTO models (model_id, name) VALUES ('m', 'm')")
        for number in range(SESSIONS):
            connection.execute(SESSION[schema], {"name": f"s{number}"})
        connection.execute("COMMIT")
    if guarded:
        install_guards(path, dry_run=False)
    return path


def _appended(schema: str, path: Path, size: int) -> tuple[float, tuple[int, int]]:
    """Append up to this size: the median time of the last ones, and what is counted then."""
    spent = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        (number,) = connection.execute("SELECT COUNT(*) FROM messages").fetchone()
        connection.execute("BEGIN")
        while number < size:
            number += 1
            if number == size - MEASURED:
                connection.execute("COMMIT")
            start = monotonic_ns()
            connection.execute(INSERT[schema], {"n": number, "text": TEXT})
            if schema == "plain":
                connection.execute(BY_HAND)
            spent.append((monotonic_ns() - start) / 1_000)
        counted = connection.execute(
            "SELECT message_count, total_tokens FROM sessions WHERE session_id = 's7'"
        ).fetchone()
    return median(spent[-MEASURED + 1 :]), counted


if __name__ == "__main__":
    sys.exit(main())
