"""Files that are no longer the store's at all: empty, a text, another application's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.damage.done import Damage, Done, Subject

_TEXT = b"Copied from the old server on Friday.\nThe rest is still on the tape.\n" * 8
_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>503 Service Unavailable</title></head>\n"
    b"<body><h1>Service Unavailable</h1><p>Try again later.</p></body></html>\n"
)


def foreign_database() -> bytes:
    """A sound SQLite database of another application."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA application_id = 1196444487")
        connection.execute("CREATE TABLE places (id INTEGER PRIMARY KEY, url TEXT, visits INT)")
        rows = [(f"https://example.org/{number}", number) for number in range(50)]
        connection.executemany("INSERT INTO places (url, visits) VALUES (?, ?)", rows)
        connection.commit()
        return bytes(connection.serialize())


def _by(words: str, made: Callable[[bytes], bytes]) -> Callable[[Subject, Random], Done | None]:
    """Replace the whole file."""

    def apply(subject: Subject, _generator: Random) -> Done | None:
        before = subject.path.read_bytes()
        after = made(before)
        if after == before:
            return None
        subject.path.write_bytes(after)
        return Done(file=subject.file, page=1, use="file", words=words)

    return apply


def _zeroed_head(data: bytes) -> bytes:
    return bytes(min(100, len(data))) + data[100:]


REPLACED = (
    Damage(name="empty file", needs="any", apply=_by("emptied", lambda _: b"")),
    Damage(name="one byte", needs="any", apply=_by("cut to one byte", lambda data: data[:1])),
    Damage(name="text", needs="any", apply=_by("replaced by a text", lambda _: _TEXT)),
    Damage(name="web page", needs="any", apply=_by("replaced by a web page", lambda _: _PAGE)),
    Damage(
        name="zeros",
        needs="any",
        apply=_by("replaced by as many zeros", lambda data: bytes(len(data))),
    ),
    Damage(
        name="foreign database",
        needs="any",
        apply=_by("replaced by another application's database", lambda _: foreign_database()),
    ),
    Damage(
        name="header zeroed",
        needs="any",
        apply=_by("its first 100 bytes zeroed", _zeroed_head),
    ),
    Damage(
        name="cut at half",
        needs="any",
        apply=_by("cut at half", lambda data: data[: len(data) // 2]),
    ),
)
"""In place of a whole file, so that nothing of the store's is left to read, or its head is not."""
