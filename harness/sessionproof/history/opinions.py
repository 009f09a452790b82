"""Histories for other checkers: what of an operation such a checker can be told.

An export says less than the history, and never something else: what a checker has no words for is
left out and counted, so its word may be milder than ours, and never harsher.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import F, History, Type, placed

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

LINES = 4096
"""How many lines of an export are made at once."""

REMOVED = "in sessions that were deleted, cleared or replaced"


@dataclass(frozen=True)
class Export:
    """What another checker is given: ASCII ``text`` in pieces, of so many ``operations``.

    ``left_out`` counts the operations of the history that are not in it, by reason.
    """

    text: Iterator[str]
    operations: int
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Units:
    """What takes effect at once: row ``row[i]``, of which messages ``first[i]`` on, ``n[i]``.

    ``part`` is its place among the units of its row.
    """

    row: Places
    part: Places
    first: npt.NDArray[np.uint64]
    n: Places


def remaining(history: History, reasons: Mapping[str, Mask]) -> Places:
    """The rows that no reason leaves out."""
    out = np.ones(len(history), bool)
    for those in reasons.values():
        out &= ~those
    return np.flatnonzero(out)


def units(history: History, rows: Places, *, atomic_batches: bool) -> Units:
    """The operations as a whole, or each message of an append or a creation by itself.

    Apart, the messages of a batch may land in any order, which is more than a store may do.
    """
    f = history.rows["f"][rows]
    sent = np.where(np.isin(f, (F.APPEND, F.CREATE, F.REPLACE)), history.rows["n"][rows], 0)
    sent = sent.astype(np.int64)
    ids = history.rows["id"][rows]
    if atomic_batches:
        return Units(rows, np.zeros(len(rows), np.int64), ids, sent)
    times = np.where(f == F.REPLACE, 1, np.maximum(sent, 1))
    part = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    first = np.repeat(ids, times) + part.astype(np.uint64)
    n = np.where(times > 1, 1, sent)
    return Units(np.repeat(rows, times), part, first, np.repeat(n, times))


def removed(history: History) -> Mask:
    """Which rows are of a session whose messages may not only have become more."""
    rows = history.rows
    removes = np.isin(rows["f"], (F.DELETE, F.CLEAR, F.REPLACE)) & (rows["type"] != Type.FAIL)
    return np.isin(rows["session"], np.unique(rows["session"][removes]))


def answers(history: History) -> Places:
    """For each row, where its full answer begins in ``lists.ids``; -1 where it is not known.

    It was kept; or its digest is that of as long a beginning of the longest whole answer of its
    session that was kept.
    """
    rows, lists = history.rows, history.lists
    out = np.full(len(rows), -1, np.int64)
    whole = np.isin(rows["f"], (F.READ, F.PAGES)) & (rows["type"] == Type.OK)
    some = np.flatnonzero(whole[lists.row])
    if len(some):
        of = lists.row[some]
        some = some[np.argsort(rows["length"][of], kind="stable")]
        longest = np.full(int(rows["session"].max()) + 1, -1, np.int64)
        longest[rows["session"][lists.row[some]]] = some  # of several, the last one stays
        which = longest[rows["session"]]
        begin, length = lists.start[which], rows["length"].astype(np.int64)
        fits = whole & (which >= 0) & (length >= 0) & (length <= np.diff(lists.start)[which])
        sums = _sums(history)
        end = np.where(fits, begin + length, begin)
        out = np.where(fits & (sums[end] - sums[begin] == rows["digest"]), begin, out)
    out[lists.row] = lists.start[:-1]
    return out


def _sums(history: History) -> npt.NDArray[np.uint64]:
    """The running sums of what the ids of all answers add to their digests, from 0."""
    lists = history.lists
    places = np.arange(len(lists.ids)) - np.repeat(lists.start[:-1], np.diff(lists.start))
    sums = np.zeros(len(lists.ids) + 1, np.uint64)
    np.cumsum(placed(lists.ids, places), dtype=np.uint64, out=sums[1:])
    return sums


def session_names(history: History) -> list[str | int]:
    """What each session is called: its id, or its number where another one has the same id."""
    often = Counter(history.sessions)
    return [name if often[name] == 1 else number for number, name in enumerate(history.sessions)]


def counted(reasons: Mapping[str, Mask]) -> dict[str, int]:
    """How many rows there are for each reason, without those that have none."""
    numbers = {reason: int(rows.sum()) for reason, rows in reasons.items()}
    return {reason: number for reason, number in numbers.items() if number}
