"""What clients read, as numbers: ids, digests, and which answers are worth keeping in full.

All is computed for many reads at once: a digest alone would cost more than the call it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import Lists, placed
from sessionproof.history.tokens import id_of

_ODD = 0
_LARGEST = 2**64 - 1
_ODD_MOST = 16  # texts of one read
_TEXT_CHARACTERS_MAX = 500

Known = dict[int, tuple[int, int]]
"""Of each session, the length and the digest of the last whole read of it."""


@dataclass(frozen=True)
class Answers:
    """Reads in order: read ``i`` answered ``ids[start[i]:start[i + 1]]``.

    ``sums`` are the running sums of what the ids add to digests, from 0. ``odd`` has texts that
    no client sent, with the number of their read.
    """

    ids: npt.NDArray[np.uint64]
    start: npt.NDArray[np.int64]
    sums: npt.NDArray[np.uint64]
    odd: tuple[tuple[int, str], ...] = ()

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """How many messages each read answered."""
        return np.diff(self.start)

    @property
    def digests(self) -> npt.NDArray[np.uint64]:
        """``digest_of`` each read."""
        return self.sums[self.start[1:]] - self.sums[self.start[:-1]]

    @property
    def lasts(self) -> npt.NDArray[np.uint64]:
        """The id of each read's last message, 0 where there is none."""
        out = np.zeros(len(self.start) - 1, np.uint64)
        full = self.lengths > 0
        out[full] = self.ids[self.start[1:][full] - 1]
        return out

    @property
    def has_odd(self) -> npt.NDArray[np.bool_]:
        """Which reads answered a message that no client sent."""
        zeros = np.concatenate([[0], np.cumsum(self.ids == _ODD)])
        return zeros[self.start[1:]] > zeros[self.start[:-1]]

    def of(self, which: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> Lists:
        """The full answers of some reads; ``rows`` are the rows of all, in rising order."""
        lengths = self.lengths
        start = np.concatenate([[0], np.cumsum(lengths[which])]).astype(np.int64)
        return Lists(rows[which], start, self.ids[np.repeat(which, lengths)])


def answers_of(answers: Sequence[tuple[Any, ...]]) -> Answers:
    """Each answer holds ids, texts, or messages whose text is their ``content``."""
    flat = list(chain.from_iterable(answers))
    lengths = np.fromiter(map(len, answers), np.int64, len(answers))
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.fromiter(_ids(flat), np.uint64, len(flat))
    places = np.arange(len(flat)) - np.repeat(start[:-1], lengths)
    sums = np.zeros(len(flat) + 1, np.uint64)
    np.cumsum(placed(ids, places), dtype=np.uint64, out=sums[1:])
    return Answers(ids, start, sums, _odd_texts(flat, ids, start))


def surprises(
    answers: Answers,
    sessions: npt.NDArray[np.uint32],
    whole: npt.NDArray[np.bool_],
    known: Known,
) -> npt.NDArray[np.bool_]:
    """Which whole reads are no extension of the client's previous whole read of the session.

    ``known`` is brought up to date.
    """
    lengths, digests = answers.lengths, answers.digests
    order = np.flatnonzero(whole)
    order = order[np.argsort(sessions[order], kind="stable")]
    changes = np.diff(sessions[order].astype(np.int64)) != 0
    earlier_length, earlier_digest = np.zeros_like(lengths), np.zeros_like(digests)
    earlier_length[order[1:]] = lengths[order[:-1]]
    earlier_digest[order[1:]] = digests[order[:-1]]
    for at in order[np.append(True, changes)[: len(order)]]:  # the first of each session
        earlier_length[at], earlier_digest[at] = known.get(int(sessions[at]), (0, 0))
    for at in order[np.append(changes, True)[: len(order)]]:  # and the last
        known[int(sessions[at])] = (int(lengths[at]), int(digests[at]))
    begin = answers.start[:-1]
    common = np.minimum(earlier_length, lengths)
    beginning = answers.sums[begin + common] - answers.sums[begin]
    surprising: npt.NDArray[np.bool_] = (lengths < earlier_length) | (beginning != earlier_digest)
    return surprising


@lru_cache(1 << 16)
def _id_of_text(text: str) -> int:
    number = id_of(text)
    return number if number <= _LARGEST else _ODD


def _ids(flat: Sequence[Any]) -> Sequence[int]:
    if {*map(type, flat)} <= {str}:  # as a rule, and then in C
        return [*map(_id_of_text, flat)]
    return [_id(one) for one in flat]


def _id(one: Any) -> int:
    if type(one) is int:
        return one
    text = one if type(one) is str else getattr(one, "content", None)
    return _id_of_text(text) if type(text) is str else _ODD


def _odd_texts(
    flat: Sequence[Any], ids: npt.NDArray[np.uint64], start: npt.NDArray[np.int64]
) -> tuple[tuple[int, str], ...]:
    places = np.flatnonzero(ids == _ODD)
    if not len(places):
        return ()
    reads = np.searchsorted(start, places, side="right") - 1
    found: list[tuple[int, str]] = []
    seen: dict[int, int] = {}
    for place, read in zip(places.tolist(), reads.tolist(), strict=True):
        seen[read] = seen.get(read, 0) + 1
        if seen[read] <= _ODD_MOST:
            found.append((read, _text(flat[place])))
    return tuple(found)


def _text(one: Any) -> str:
    text = one if type(one) in {int, str} else getattr(one, "content", None)
    if type(text) in {int, str}:
        return str(text)[:_TEXT_CHARACTERS_MAX]
    return f"({type(text).__name__}, not a text)"
