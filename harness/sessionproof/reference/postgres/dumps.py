"""Backups on PostgreSQL: dumps of one schema, made while it is in use, verified before they count.

A backup is one file of pg_dump's custom format, so PostgreSQL's own programs read it, too. Rows are
counted, and looked at, in the moment that is dumped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.reference.arguments import whole
from sessionproof.reference.backup import Backup
from sessionproof.reference.copying import Progress, quiet, unfinished
from sessionproof.reference.files import BACKUP, copies, copy_name
from sessionproof.reference.opening import sync
from sessionproof.reference.postgres import programs, scripts, verifying
from sessionproof.reference.postgres.place import Place, Rows, row_counts
from sessionproof.reference.postgres.pool import Connection, one_moment

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_LOCK_WAIT_MS = 10_000


def backup(store: PostgresStore, folder: os.PathLike[str] | str, *, keep: int | None = None) -> str:
    """Make a verified backup in an existing folder while the store is in use; its path.

    With ``keep``, older backups of this schema there are removed beyond that number. Raises
    ``Refused``, also where pg_dump is not installed or older than the server.
    """
    if store.ended:
        raise Refused(store.ended)
    return os.fspath(make_backup(Place(store.url, store.schema), folder, keep=keep).path)


def make_backup(
    place: Place,
    folder: os.PathLike[str] | str,
    *,
    keep: int | None = None,
    as_it_is: bool = False,
    progress: Progress = quiet,
) -> Backup:
    """Back up a schema, which others may use; raises ``Refused``.

    It is dumped under another name, synced and read to its end, and then gets its own name. With
    ``keep``, older ones are removed as soon as so many newer ones are in order. With ``as_it_is``
    rows may contradict each other.
    """
    into = Path(folder).absolute()
    if not into.is_dir():
        raise Refused(f"{into} is no folder: make it first, then backups can be put there")
    if keep is not None:
        whole(keep, "keep", least=1)
    what = f"no backup of {place} was made in {into}"
    try:
        with place.connected(writes=False) as db:
            tools = programs.client(db.info.server_version // 10_000)
            series = place.series(db)
            final = into / copy_name(series, BACKUP, folder=into)
            with unfinished(final) as part:
                with one_moment(db):
                    place.require(db)
                    if not as_it_is:
                        progress(f"all rows of {place}")
                        _refuse_problems(verifying.problems(db), what)
                    rows = dumped(db, place, tools, part)
                progress(f"all rows of {final.name}")
                _require_whole(scripts.row_counts(tools, part), rows, what)
                size_bytes = part.stat().st_size
                part.rename(final)
            sync(into)
    except OSError as error:
        raise Refused(f"{what}: {error.strerror or error}") from error
    removed = () if keep is None else tuple(_without_older(tools, series, final, keep, progress))
    return Backup(file=str(place), path=final, size_bytes=size_bytes, rows=rows, removed=removed)


def dumped(db: Connection, place: Place, tools: programs.Client, part: Path) -> Rows:
    """Dump what this transaction sees into an existing, private file; how many rows that is."""
    (moment,) = db.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
    rows = row_counts(db, place.schema)
    literal = place.schema.replace('"', '""')
    programs.run(
        [
            tools.dump, "--format=custom", "--encoding=UTF8", "--no-password",
            f"--snapshot={moment}", f"--lock-wait-timeout={_LOCK_WAIT_MS}",
            f'--schema="{literal}"', f"--file={part}", f"--dbname={place.address}",
        ],
        place.environment,
    )  # fmt: skip
    scripts.seal(part)
    return rows


def _refuse_problems(problems: tuple[str, ...], what: str) -> None:
    if problems:
        others = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise Refused(
            f"{what}, as the data has problems: {problems[0]}{others}; "
            "sessionproof backup --as-it-is makes one all the same"
        )


def _require_whole(found: Rows, expected: Rows, what: str) -> None:
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise Refused(
                f"{what}: table {name} has {found.get(name, 'no')} rows in it, "
                f"and should have {expected.get(name, 'none')}"
            )


def _without_older(
    tools: programs.Client, series: Path, newest: Path, keep: int, progress: Progress
) -> Iterator[Path]:
    """Remove the backups beyond ``keep``; those that are damaged count for nothing."""
    older = [one for one in reversed(copies(series, newest.parent, BACKUP)) if one != newest]
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
        with suppress(Refused, OSError):
            scripts.row_counts(tools, one)
            good += 1
