"""Operations kept in memory, on a clock that counts: for clients of whom one runs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sessionproof.history.answers import answers_of
from sessionproof.history.columns import NEVER, NONE, ROW, F, History, Phase, Type, no_lists

Tick = Callable[[], int]


class Notes:
    """What one client does, as in a ``Journal``; every answer is kept whole.

    ``tick`` answers the next number of a clock that all clients share. ``begins`` is told the
    number of each operation, as it begins.
    """

    def __init__(self, client: int, tick: Tick, begins: Callable[[int], None]) -> None:
        self.rows: list[list[int]] = []
        self.answers: dict[int, tuple[Any, ...]] = {}
        self.errors: dict[int, str] = {}
        self._client = client
        self._tick = tick
        self._begins = begins

    def invoke(self, f: F, session: int, first: int, n: int = 0, phase: Phase = Phase.LOAD) -> int:
        """As in ``Journal``."""
        self._begins(first)
        row = [first, self._tick(), NEVER, NONE, self._client, session, n, 0, f, Type.INFO, phase]
        self.rows.append(row)
        return len(self.rows) - 1

    def again(self, slot: int) -> None:
        """As in ``Journal``."""
        self.rows[slot][1] = self._tick()

    def complete(
        self,
        slot: int,
        type: Type,  # noqa: A002 - the column's name
        length: int = 0,
        value: int = NONE,
        error: str = "",
    ) -> None:
        """As in ``Journal``."""
        row = self.rows[slot]
        now = self._tick()
        row[2] = now if type else NEVER
        row[3], row[7], row[9] = value, length, type
        if error:
            self.errors[slot] = error

    def answered(self, slot: int, answer: Iterable[Any]) -> None:
        """As in ``Journal``."""
        self.complete(slot, Type.OK)
        self.answers[slot] = tuple(answer)

    def back_to(self, rows: int) -> None:
        """Forget all but so many of the first operations."""
        del self.rows[rows:]
        for kept in (self.answers, self.errors):
            for slot in [one for one in kept if one >= rows]:
                del kept[slot]

    def renew(self, client: int) -> None:
        """As in ``Journal``."""
        self._client = client


_COLUMNS = ("id", "inv", "ret", "value", "client", "session", "n", "length", "f", "type", "phase")


def history_of(notes: Sequence[Notes], sessions: tuple[str, ...]) -> History:
    """What these clients noted, as one history."""
    made = [row for one in notes for row in one.rows]
    rows = np.zeros(len(made), ROW)
    for name, column in zip(_COLUMNS if made else (), zip(*made, strict=True), strict=False):
        rows[name] = column
    errors: dict[str, int] = {"": 0}
    reads: list[tuple[int, tuple[Any, ...]]] = []
    base = 0
    for one in notes:
        reads += [(base + slot, answer) for slot, answer in one.answers.items()]
        for slot, text in one.errors.items():
            rows["error"][base + slot] = errors.setdefault(text, len(errors))
        base += len(one.rows)
    if not reads:
        return History(rows, no_lists(), sessions, tuple(errors))
    reads.sort(key=lambda read: read[0])
    at = np.array([row for row, _ in reads], np.int64)
    answers = answers_of([answer for _, answer in reads])
    rows["length"][at], rows["digest"][at] = answers.lengths, answers.digests
    rows["last"][at] = answers.lasts
    odd = tuple((int(at[read]), text) for read, text in answers.odd)
    lists = answers.of(np.ones(len(at), np.bool_), at)
    return History(rows, lists, sessions, tuple(errors), odd)
