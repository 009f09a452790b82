"""Whether the log that lies beside a file is the file's own, and of its time.

A log that was left from an older copy, or that is another database's, has sound checksums: SQLite
puts its pages in the place of the file's, and what was in those is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from sessionproof.reference.salvage.gathering import Gathered, gather
from sessionproof.reference.salvage.image import Image
from sessionproof.reference.salvage.pages import pages_of


@dataclass(frozen=True)
class _View:
    """What is seen with or without the log.

    ``numbers`` are the next ones by session; ``contradictions`` count messages of which only the
    table or only the index knows, and sessions of which only messages know.
    """

    numbers: Mapping[tuple[int, str], int]
    contradictions: int


def gather_chosen(image: Image, db: sqlite3.Connection) -> tuple[Gathered, list[str]]:
    """Gather all rows with the log, or without one that is not right; a sentence when it is so."""
    if image.log is None or not image.log.frames:
        return gather(image, pages_of(image), db), []
    plain = image.alone()
    gather(plain, pages_of(plain), db)
    without = _view(db)
    gathered = gather(image, pages_of(image), db)
    if not _belies(_view(db), without):
        return gathered, []
    said = "the log beside the file is of an older time, or another's: it was left out"
    return gather(plain, pages_of(plain), db), [said]


def _view(db: sqlite3.Connection) -> _View:
    rows = db.execute(
        "SELECT id, tag, max(next_seq) FROM found.sessions WHERE certain AND NOT spoilt "
        "GROUP BY id, tag"
    )
    numbers = {(sid, tag): seq for sid, tag, seq in rows}
    contradictions = db.execute(
        "SELECT (SELECT count(*) FROM found.messages AS m WHERE m.certain AND NOT EXISTS ("
        "SELECT 1 FROM found.numbers AS n WHERE n.sid = m.sid AND n.seq = m.seq)) + "
        "(SELECT count(*) FROM found.numbers AS n WHERE NOT EXISTS ("
        "SELECT 1 FROM found.messages AS m WHERE m.certain AND m.sid = n.sid AND m.seq = n.seq)) + "
        "(SELECT count(DISTINCT n.sid) FROM found.numbers AS n WHERE NOT EXISTS ("
        "SELECT 1 FROM found.sessions AS s WHERE s.certain AND s.id = n.sid))"
    )
    return _View(numbers, int(contradictions.fetchone()[0]))


def _belies(logged: _View, without: _View) -> bool:
    """Whether the log takes away what is newer than it. Numbers of a session only ever rise."""
    both = logged.numbers.keys() & without.numbers.keys()
    newer = any(logged.numbers[one] > without.numbers[one] for one in both)
    older = any(logged.numbers[one] < without.numbers[one] for one in both)
    if newer != older:
        return older
    return bool(without.numbers) and without.contradictions < logged.contradictions
