"""Sessions out of files: the whole file is looked at before the first one is stored.

So a file with a mistake changes nothing. Each session is stored in one transaction, small ones
together: an import that is interrupted leaves whole sessions, and can be done again without them.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Conflict, Refused, StoreError
from sessionproof.reference.arguments import short
from sessionproof.reference.connections import transaction
from sessionproof.reference.exchange import foreign
from sessionproof.reference.exchange.conversations import Conversation, Tally
from sessionproof.reference.exchange.exporting import FORMS
from sessionproof.reference.exchange.putting import Ready, prepared, put
from sessionproof.reference.exchange.recognising import form_of
from sessionproof.reference.statements import fetch

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

EXISTING = ("refuse", "skip")
"""What to do with sessions that are there already."""

_ROWS_AT_ONCE = 1_000
_EXISTS = "SELECT 1 FROM sessions WHERE session_id = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was stored; sessions that were there already and left alone; what had no place."""

    form: str
    sessions: int
    messages: int
    skipped: int
    notes: tuple[str, ...] = ()


def import_sessions(
    store: ReferenceStore,
    path: os.PathLike[str] | str,
    *,
    form: str | None = None,
    existing: str = "refuse",
    told: Callable[[str], None] = lambda _: None,
) -> Imported:
    """See ``exchanging.import_sessions``; ``told`` hears where it is, again and again."""
    if existing not in EXISTING:
        raise Refused(f"existing must be one of {', '.join(EXISTING)}, not {existing!r}")
    source, known = source_of(path, form)
    if known in FORMS:
        return _import(store, source, known, existing, told)
    if known not in foreign.LIBRARIES:
        names = ", ".join((*FORMS, *foreign.LIBRARIES))
        raise Refused(f"form must be one of {names}, not {known!r}")
    with tempfile.TemporaryDirectory(prefix="sessionproof-") as folder:
        tally, spool = Tally(), Path(folder, "sessions.jsonl")
        foreign.convert(source, known, spool, tally)
        done = _import(store, spool, "full", existing, told)
    notes = [f"{what}: {number:,}" for what, number in tally.left_out.items()]
    return Imported(
        form=known, sessions=done.sessions, messages=done.messages, skipped=done.skipped,
        notes=tuple(notes),
    )  # fmt: skip


def source_of(path: os.PathLike[str] | str, form: str | None = None) -> tuple[Path, str]:
    """What is to be imported, and its form; raises ``Refused`` for what is none, by its look."""
    source = Path(path).absolute()
    if not source.exists():
        raise Refused(f"{source} does not exist: name a file, or a folder of CSV")
    if not source.is_file() and not source.is_dir():
        raise Refused(f"{source} is a pipe or a device, and it is read twice: name a file")
    return source, form or form_of(source)


def _import(
    store: ReferenceStore, source: Path, form: str, existing: str, told: Callable[[str], None]
) -> Imported:
    read: Callable[[Path], Iterator[Conversation]] = FORMS[form].read
    there = _checked(store, source, read(source), existing, told)
    sessions = messages = number = 0
    for group in _groups(map(prepared, read(source))):
        number += len(group)
        told(f"session {number:,}")
        wanted = [ready for ready in group if ready.key not in there]
        stored = _stored(store, wanted, existing, sessions)
        sessions += len(stored)
        messages += sum(len(ready.rows) for ready in stored)
    return Imported(form=form, sessions=sessions, messages=messages, skipped=number - sessions)


def _groups(sessions: Iterable[Ready]) -> Iterator[list[Ready]]:
    """Sessions that are stored in one transaction: many small ones, or one that is large."""
    group: list[Ready] = []
    rows = 0
    for ready in sessions:
        group.append(ready)
        rows += 1 + len(ready.rows)
        if rows >= _ROWS_AT_ONCE:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _checked(
    store: ReferenceStore,
    source: Path,
    conversations: Iterator[Conversation],
    existing: str,
    told: Callable[[str], None],
) -> set[str]:
    """Look at all of it; the ids that are taken, if that is no mistake."""
    seen, there = set[str](), set[str]()
    for number, one in enumerate(conversations, 1):
        told(f"looking at session {number:,}")
        try:
            key = prepared(one).key
        except StoreError as error:
            name = f"session {number}" if one.session_id is None else short(one.session_id)
            raise type(error)(f"{source}: {name}: {error}; nothing was stored") from error
        if one.session_id is None:
            continue
        if key in seen:
            raise Refused(f"{source}: {short(key)} is there twice; nothing was stored")
        seen.add(key)
        if _is_there(store, key):
            there.add(key)
            if existing == "refuse":
                raise Conflict(
                    f"{source}: there is a session {short(key)} already; nothing was stored: leave "
                    'out what is there with existing="skip" (--skip-existing), or import into '
                    "another directory"
                )
    return there


def _stored(
    store: ReferenceStore, group: Sequence[Ready], existing: str, before: int
) -> Sequence[Ready]:
    """Store the sessions in one transaction; those that were not there by now."""
    failed: list[str] = []

    def work(db: sqlite3.Connection) -> Sequence[Ready]:
        now_us = store._clock.now_us()
        stored = []
        with transaction(db):
            for ready in group:
                failed[:] = [ready.key]
                if existing == "skip" and fetch(db, _EXISTS, (ready.key,)):
                    continue
                put(db, ready, now_us)
                stored.append(ready)
        return stored

    try:
        return store._write(work)
    except StoreError as error:
        name = short(failed[0]) if failed else "the first session"
        raise type(error)(f"{name}: {error}; {before:,} sessions before were stored") from error


def _is_there(store: ReferenceStore, key: str) -> bool:
    return bool(store._read(lambda db: fetch(db, _EXISTS, (key,))))
