"""Whether the index has the words of what is stored, all of them and no others."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sessionproof.audit.result import EXAMPLES_MAX, Problem
from sessionproof.reference.finding.index import Entry, entries, mark_of, titles
from sessionproof.reference.finding.words import FOLDING

_ROWS = "SELECT rowid, words, tags FROM search_index ORDER BY rowid"
_LISTS = "SELECT term, cnt FROM temp.search_lists WHERE col = 'words'"
_THERE = "SELECT 1 FROM sqlite_schema WHERE name = 'search_mark'"


def index_problems(db: sqlite3.Connection) -> Iterator[Problem]:
    """What is wrong with the index of a database of ours; nothing where it is to be made anew.

    It takes about as long as to make the index, and nobody waits for it who writes.
    """
    if db.execute(_THERE).fetchone() is None:
        return  # an earlier release made the file
    mark, folding = mark_of(db)
    if folding != FOLDING:
        return
    listed = {number for (number,) in db.execute("SELECT id FROM search_again")}
    stored = chain(titles(db), entries(db, upto=mark))
    words = _Words()
    examples = [
        f"{'message' if number > 0 else 'title of session'} {abs(number)}: {how}"
        for number, how in differences(stored, words.counted(db.execute(_ROWS)))
        if number not in listed
    ]
    examples += [f"the word {word!a}" for word in sorted(_otherwise_in_lists(db, words))]
    if examples:
        yield Problem(
            kind="damaged-index",
            table="search_index",
            count=len(examples),
            what=f"the index of the search is not that of what is stored, in {len(examples)} "
            "places; a repair makes it anew",
            examples=tuple(examples[:EXAMPLES_MAX]),
        )


def differences(
    stored: Iterable[tuple[Any, ...]], kept: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[int, str]]:
    """What two sequences of entries, each by rising numbers, have otherwise."""
    left, right = iter(stored), iter(kept)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            if one is not None:
                yield one[0], "it is not in the index"
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], "it is in the index, and not stored"
            other = next(right, None)
        else:
            if one != other:
                yield one[0], "the index has other words"
            one, other = next(left, None), next(right, None)


@dataclass(slots=True)
class _Words:
    """The sum of the digests of many words, in any order: to keep them all may take gigabytes."""

    total: int = 0

    def counted(self, rows: Iterable[Entry]) -> Iterator[Entry]:
        """The rows as they are, whose words are added."""
        for row in rows:
            self.total += sum(map(hash, str(row[1]).split()))
            yield row


def _otherwise_in_lists(db: sqlite3.Connection, words: _Words) -> set[str]:
    """The words that the lists of the index have more or less often than its rows."""
    db.execute("PRAGMA query_only = OFF")  # the view of the lists is a table of this connection
    db.execute("CREATE VIRTUAL TABLE temp.search_lists USING fts5vocab (main, search_index, col)")
    try:
        if sum(hash(word) * number for word, number in db.execute(_LISTS)) == words.total:
            return set()
        rows: Counter[str] = Counter()
        for (text,) in db.execute("SELECT words FROM search_index"):
            rows.update(str(text).split())
        lists = dict(db.execute(_LISTS).fetchall())
    finally:
        db.execute("DROP TABLE temp.search_lists")
    return {word for word in rows.keys() | lists.keys() if rows[word] != lists.get(word, 0)}
