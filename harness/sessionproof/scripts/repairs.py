"""Scripts of repairs: rows damaged by SQL, and what the store's own check and repair make of them.

The lines use an open ``store`` whose sessions are made; after ``damaged`` it is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.scripts.attempts import attempt
from sessionproof.scripts.backups import ELSEWHERE

AGAIN = "store = open_store(location)"
_FILES = (
    "def files():",
    "    named = [one for one in directory.rglob('*') if not one.name.endswith(('-shm', '-wal'))]",
    "    return {one: one.read_bytes() for one in named if one.is_file()}",
)


def damaged(statements: Sequence[str]) -> list[str]:
    """The store is closed, and these statements are done to its file past all triggers."""
    return [
        "path = store.tables().path",
        "store.close()",
        "db = sqlite3.connect(path, isolation_level=None)",
        "db.execute('PRAGMA ignore_check_constraints = ON')",
        "of_triggers = \"FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid\"",
        "triggers = db.execute(f'SELECT name, sql {of_triggers}').fetchall()",
        "for name, _ in triggers:",
        "    db.execute(f'DROP TRIGGER \"{name}\"')",
        *(f"db.execute({statement!r})" for statement in statements),
        "for _, sql in triggers:",
        "    db.execute(sql)",
        "db.close()",
    ]


def is_found(session: str | None = None) -> list[str]:
    """That opening raises, or verify has problems, of one session if it is named."""
    asked = f"store.verify({session or ''}).problems"
    return [
        *attempt(AGAIN, f"problems = {asked}"),
        "assert raised or problems, 'verify finds nothing wrong'",
    ]


def nothing_found() -> list[str]:
    """That verify has no problems."""
    return ["problems = store.verify().problems", "assert not problems, problems"]


def repaired(*, dry_run: bool) -> list[str]:
    """A repair, asked of a store elsewhere; ``done`` is its answer."""
    call = f"done = other.repair(str(directory), dry_run={dry_run})"
    return [ELSEWHERE, call, "other.close()", "print(done)"]


def dry_run_only_tells() -> list[str]:
    """That a dry run says what would be done, and changes no file."""
    return [
        *_FILES,
        "before = files()",
        *repaired(dry_run=True),
        "assert done.changes, 'the dry run says that nothing is wrong'",
        "assert files() == before, 'the dry run changed a file'",
        AGAIN,
    ]


def backup_has_it(tables: Sequence[str]) -> list[str]:
    """That a repair made a backup before, with all rows of these tables as they were."""
    return [
        "def rows(path):",
        "    db = sqlite3.connect(path)",
        "    try:",
        f"        asked = [f'SELECT * FROM {{name}}' for name in {[*tables]!r}]",
        "        return [db.execute(one).fetchall() for one in asked]",
        "    except sqlite3.Error as error:",
        "        return error",
        "    finally:",
        "        db.close()",
        "before = rows(path)",
        *repaired(dry_run=False),
        "assert done.backup and Path(done.backup).exists(), 'there is no backup'",
        "kept = Path(done.backup)",
        "kept = kept / Path(path).name if kept.is_dir() else kept",
        "kept = rows(kept)",
        "assert kept == before, kept",
        AGAIN,
    ]


def is_mended(session: str, *, good: str) -> list[str]:
    """That after a repair verify is content, and ``good``, a test of ``seen``, holds.

    ``seen`` is what was read of the session, ``before`` what was read before the damage.
    """
    return [
        *repaired(dry_run=False),
        AGAIN,
        *nothing_found(),
        f"seen = store.read({session})",
        f"assert {good}, [one.content for one in seen]",
    ]


def nothing_is_left() -> list[str]:
    """That a second repair has nothing to do."""
    again = repaired(dry_run=True)
    return [
        *repaired(dry_run=False),
        *again,
        "assert not done.changes, done.changes",
        AGAIN,
    ]
