"""Taking a migration back: the old file where it was, byte for byte, and the new one kept aside."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.errors import Refused
from sessionproof.reference.failures import as_store_error
from sessionproof.reference.files import copy_name, held_alone, open_alone, with_logs
from sessionproof.reference.legacy import kept as keeping
from sessionproof.reference.legacy.kept import Kept
from sessionproof.reference.migrate import version_at
from sessionproof.reference.opening import FILE, sync
from sessionproof.reference.steps import APPLICATION_ID

SAFETY = "before-rollback"
"""What copies of the new database are called that a rollback leaves."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Where the old file is, and where the new database lies now; None where there was none."""

    file: Path
    kept: Path | None


def rollback(
    directory: os.PathLike[str] | str,
    *,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RolledBack:
    """Put the file that was migrated back, and the new database aside, with all that it has.

    A dry run only looks whether it can be done. When it was interrupted, call it again. Raises
    ``Refused`` in one line, and then nothing was changed.
    """
    told = progress or (lambda _: None)
    place = Path(directory).absolute()
    kept = keeping.load(place)
    if kept is None:
        raise Refused(f"{place} has no folder {keeping.FOLDER}: nothing was migrated into it")
    target = place / FILE
    where = target if kept.source is None else Path(kept.source)
    try:
        told(str(kept.old()))
        if keeping.digests_of(kept.old()) != kept.digests:
            raise Refused(f"{kept.old()} is not what was migrated: it changed since")
        _require_free(where, kept, target)
        if dry_run:
            return RolledBack(where, None)
        told(str(target))
        # Elsewhere there was no place for the old file here: what is here is the new one.
        new = os.path.lexists(target) if where != target else _is_new(target)
        safety = _moved_aside(target) if new else None
        _put_back(kept, where)
        _removed(kept)
    except sqlite3.Error as error:
        raise as_store_error(error, path=target, writes=False) from error
    except OSError as error:
        named = error.filename or place
        raise Refused(f"{named}: {error.strerror or error}; roll back again") from error
    return RolledBack(where, safety)


def _is_new(target: Path) -> bool:
    """Whether a database of ours is there, damaged or not."""
    if not os.path.lexists(target):
        return False
    if version_at(target) is not None:
        return True
    with target.open("rb") as opened:
        return opened.read(100)[68:72] == APPLICATION_ID.to_bytes(4)


def _require_free(where: Path, kept: Kept, target: Path) -> None:
    """See that the old file's place is empty, or has that very file."""
    if not where.parent.is_dir():
        raise Refused(f"{where.parent}, where the old file was, is gone: make it first")
    if where == target and _is_new(target):
        return
    there = {
        log: keeping.digest_of(path)
        for log in keeping.PARTS
        if os.path.lexists(path := where.with_name(where.name + log))
        and (log == "" or path.stat().st_size)
    }
    if there and not there.items() <= kept.digests.items():
        raise Refused(f"{where} is another file now: move it away, with its log")


def _moved_aside(target: Path) -> Path:
    """Give the new database a name of its own, with its log."""
    with held_alone(target):
        pass  # nobody uses it: the next failure means that it is damaged
    try:
        with closing(open_alone(target)) as alone:
            alone.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            alone.execute("PRAGMA journal_mode = DELETE").fetchall()
    except (Refused, sqlite3.Error):
        pass  # its log goes with it as it is
    safety = target.with_name(copy_name(target, SAFETY, folder=target.parent))
    with held_alone(target):
        for one in with_logs(target):
            one.rename(safety.with_name(safety.name + one.name.removeprefix(target.name)))
    sync(target.parent)
    return safety


def _put_back(kept: Kept, where: Path) -> None:
    """Put each part back that is not there, the logs first: a file without its log would be less.

    Each appears whole under its name, or not at all.
    """
    for log in reversed(keeping.PARTS):
        part = where.with_name(where.name + log)
        if log not in kept.digests or part.exists():
            continue
        fresh = part.with_name(f".{part.name}.{secrets.token_hex(4)}.part")
        try:
            keeping.copied(kept.old(log), fresh)
            fresh.chmod(kept.mode)
            os.link(fresh, part)
        except FileExistsError:
            raise Refused(f"{part} was made meanwhile: move it away, and roll back again") from None
        finally:
            fresh.unlink(missing_ok=True)
    sync(where.parent)
    if keeping.digests_of(where) != kept.digests:
        raise Refused(f"{where} was written to meanwhile: move it away, and roll back again")


def _removed(kept: Kept) -> None:
    """Remove the kept file: it is back where it was."""
    gone = kept.folder.with_name(f"{kept.folder.name}.{secrets.token_hex(8)}.old")
    kept.folder.rename(gone)
    shutil.rmtree(gone)
    sync(kept.folder.parent)
