"""Backups: made while the store is in use, verified before they count, old ones removed with care.

A backup is one SQLite file, which needs nothing beside it. Its name says of which file it is, and
when it was made; nothing else in a folder is touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sessionproof.contract.errors import Refused
from sessionproof.reference.arguments import whole
from sessionproof.reference.copying import (
    Progress,
    Rows,
    copied,
    on_state,
    problems_of,
    quiet,
    told,
    unfinished,
)
from sessionproof.reference.failures import ERRORS
from sessionproof.reference.files import BACKUP, copies, copy_name, present
from sessionproof.reference.opening import sync

_OnState: TypeAlias = Callable[[Callable[[sqlite3.Connection], Rows]], Rows]
"""Calls a function with a connection on one committed state, and answers what it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was made: of what, where, the rows of its tables, and what made room."""

    file: Path | str
    path: Path
    size_bytes: int
    rows: Rows
    removed: tuple[Path, ...] = ()


def back_up(file: Path | str, folder: Path | str, *, keep: int | None = None) -> Path:
    """Back up a database, also one that is in use, into an existing folder; answers the path.

    See ``make_backup``.
    """
    return make_backup(file, folder, keep=keep).path


def back_up_open(
    connection: sqlite3.Connection, file: Path, folder: Path | str, *, keep: int | None = None
) -> Path:
    """The same through a connection of the caller's, who may have the database alone."""
    return _made(lambda work: work(connection), file, folder, keep, False, quiet).path


def make_backup(
    file: Path | str,
    folder: Path | str,
    *,
    keep: int | None = None,
    as_it_is: bool = False,
    progress: Progress = quiet,
) -> Backup:
    """Back up the committed state of a database file, or of a directory's ``sessions.db``.

    It is copied under another name, synced and verified, and then gets its own name. With
    ``keep``, older backups of the same file are removed as soon as so many newer ones are in
    order. Raises ``Refused`` when the data has problems, unless ``as_it_is``: then its pages alone
    must be sound.
    """
    source = present(file)
    return _made(lambda work: on_state(source, work), source, folder, keep, as_it_is, progress)


def _made(
    on_source: _OnState,
    source: Path,
    folder: Path | str,
    keep: int | None,
    as_it_is: bool,
    progress: Progress,
) -> Backup:
    into = _existing_folder(folder)
    if keep is not None:
        whole(keep, "keep", least=1)
    what = f"no backup of {source} was made in {into}"
    try:
        final = into / copy_name(source, BACKUP, folder=into)
        with unfinished(final) as part:
            rows = on_source(lambda seen: copied(seen, part, progress))
            progress(f"all rows of {final.name}")
            _refuse_problems(problems_of(part, rows, as_it_is=as_it_is), what, as_it_is=as_it_is)
            size_bytes = part.stat().st_size
            part.rename(final)
        sync(into)
    except (*ERRORS, OSError) as error:
        raise told(error, what) from error
    removed = () if keep is None else tuple(_without_older(source, final, keep, progress))
    return Backup(file=source, path=final, size_bytes=size_bytes, rows=rows, removed=removed)


def _existing_folder(folder: Path | str) -> Path:
    into = Path(folder).absolute()
    if not into.is_dir():
        raise Refused(f"{into} is no folder: make it first, then backups can be put there")
    return into


def _refuse_problems(problems: tuple[str, ...], what: str, *, as_it_is: bool) -> None:
    if not problems:
        return
    others = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    remedy = "recover it first" if as_it_is else "repair it first, or make one as it is"
    raise Refused(f"{what}, as the data has problems: {problems[0]}{others}; {remedy}")


def _without_older(source: Path, newest: Path, keep: int, progress: Progress) -> Iterator[Path]:
    """Remove the backups beyond ``keep``; those that are damaged count for nothing."""
    older = [one for one in reversed(copies(source, newest.parent, BACKUP)) if one != newest]
    if len(older) < keep:
        return  # all of them stay, whatever is in them
    good = 1
    for one in older:
        if good >= keep:
            with suppress(OSError):  # another backup removes it, too, or nobody may
                one.unlink()
                yield one
            continue
        progress(f"all rows of {one.name}")
        good += not problems_of(one, None)
