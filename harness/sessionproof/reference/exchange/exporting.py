"""Sessions into files: the whole file under another name first, so that no part is taken for it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.reference.codec import checked_text
from sessionproof.reference.exchange import chat, full, tables
from sessionproof.reference.exchange.conversations import Conversation, Tally
from sessionproof.reference.exchange.stored import conversations, on_database
from sessionproof.reference.opening import new_file, sync

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

FORMS: Mapping[str, ModuleType] = {"full": full, "chat": chat, "csv": tables}
"""What can be written: ``full`` and ``chat`` are a file, ``csv`` is a folder with three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what the form has no place for, with how often it was met."""

    path: Path
    sessions: int
    messages: int
    left_out: Mapping[str, int]


def export_sessions(
    store: ReferenceStore,
    path: os.PathLike[str] | str,
    *,
    form: str = "full",
    session_ids: Collection[str] = (),
    owner: str | None = None,
) -> Exported:
    """See ``exchanging.export_sessions``."""

    def work(db: sqlite3.Connection) -> Exported:
        return _written(db, store._path, Path(path), form, session_ids, owner, lambda _: None)

    return store._read(work)


def export_file(
    source: Path,
    path: Path,
    *,
    form: str = "full",
    session_ids: Collection[str] = (),
    owner: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Exported:
    """The same of a directory with sessions.db, or such a file, which is only read.

    ``told`` hears where it is, again and again.
    """
    return on_database(
        source, lambda db, file: _written(db, file, path, form, session_ids, owner, told)
    )


def _written(
    db: sqlite3.Connection,
    source: Path,
    path: Path,
    form: str,
    session_ids: Collection[str],
    owner: str | None,
    told: Callable[[str], None],
) -> Exported:
    if form not in FORMS:
        raise Refused(f"form must be one of {', '.join(FORMS)}, not {form!r}")
    checked_text(owner, "owner", optional=True)
    if isinstance(session_ids, str):
        raise Refused(f"session_ids must be a collection of ids, not the text {session_ids!r:.60}")
    for name in session_ids:
        checked_text(name, "session_id")
    tally = Tally(told=told)
    made = conversations(db, source, session_ids=session_ids, owner=owner)
    with _refusing(path), closing(made), _new(path.absolute(), folder=form == "csv") as part:
        _write(FORMS[form], made, part, tally)
    return Exported(
        path=path, sessions=tally.sessions, messages=tally.messages, left_out=tally.left_out
    )


def _write(form: ModuleType, made: Iterator[Conversation], part: Path, tally: Tally) -> None:
    write: Callable[..., None] = form.write
    if part.is_dir():
        write(made, part, tally)
        for one in part.iterdir():
            sync(one)
        return
    with part.open("w", encoding="utf-8", newline="\n") as file:
        write(made, file, tally)
    sync(part)


def write_new(path: Path, text: str) -> None:
    """Write a private file that was not there, whole or not at all; raises ``Refused``."""
    with _refusing(path), _new(path.absolute(), folder=False) as part:
        part.write_text(text, "utf-8", newline="\n")
        sync(part)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(
            f"{error.filename or path} cannot be written: {error.strerror or error}"
        ) from error


@contextmanager
def _new(path: Path, *, folder: bool) -> Iterator[Path]:
    """A private file, or folder, that gets its name when the block ends well."""
    if os.path.lexists(path):
        raise _taken(path)
    if not path.parent.is_dir():
        raise Refused(f"{path.parent} is no directory: make it first")
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        if folder:
            part.mkdir(mode=0o700)
        else:
            new_file(part)
        yield part
        _named(part, path, folder=folder)
        sync(path.parent)
    finally:
        if folder:
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def _named(part: Path, path: Path, *, folder: bool) -> None:
    try:
        if folder:
            part.rename(path)
        else:
            os.link(part, path)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise _taken(path) from error
        raise


def _taken(path: Path) -> Refused:
    return Refused(f"{path} is there already: choose another name, or remove it")
