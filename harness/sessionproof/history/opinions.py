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

from sessionproof.history.columns import F, History, Type

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


def kept(history: History) -> Mask:
    """Which rows have their answer in full."""
    out = np.zeros(len(history), bool)
    out[history.lists.row] = True
    return out


def session_names(history: History) -> list[str | int]:
    """What each session is called: its id, or its number where another one has the same id."""
    often = Counter(history.sessions)
    return [name if often[name] == 1 else number for number, name in enumerate(history.sessions)]


def counted(reasons: Mapping[str, Mask]) -> dict[str, int]:
    """How many rows there are for each reason, without those that have none."""
    numbers = {reason: int(rows.sum()) for reason, rows in reasons.items()}
    return {reason: number for reason, number in numbers.items() if number}
