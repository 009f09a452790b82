"""Which operations ran at the same time as one of another client."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import NEVER, History, Phase

Counts = npt.NDArray[np.int64]


def overlapping(history: History) -> npt.NDArray[np.bool_]:
    """For each row, whether a row of another client on the same session ran at the same time.

    Two rows did unless one of them ended before the other began. So a row meets as many of its
    session as began before it ended, less those that ended before it began; and the same count
    for its own client says how many of them were its own. O(n log n).
    """
    rows = history.rows
    inv, ret = _ranks(rows["inv"], rows["ret"])
    own = rows["session"].astype(np.int64) << 32 | rows["client"]
    return _met(rows["session"].astype(np.int64), inv, ret) > _met(own, inv, ret)


def in_seats(history: History, clients: int) -> History:
    """The history with the place of each client, of so many, in the place of its number.

    What nobody knows the outcome of ends there when its client went on, or when all was quiet:
    its effect may still come, but neither its client nor what came later ran beside the call.
    """
    rows = history.rows.copy()
    rows["client"] %= clients
    order = np.lexsort((rows["inv"], rows["client"]))
    own = rows["client"][order][:-1] == rows["client"][order][1:]
    went_on = np.full(len(rows), NEVER)
    went_on[order[:-1][own]] = rows["inv"][order[1:][own]]
    final = rows["inv"][rows["phase"] == Phase.FINAL]
    quiet = final.min() - 1 if len(final) else NEVER
    rows["ret"] = np.minimum(rows["ret"], np.minimum(went_on, quiet))
    return replace(history, rows=rows)


def _met(group: Counts, inv: Counts, ret: Counts) -> Counts:
    """How many rows of its group each row ran at the same time as, itself included."""
    _, group = np.unique(group, return_inverse=True)
    width = 2 * len(group) + 1  # ranks lie below it, so the groups do not touch
    begun, ended = np.sort(group * width + inv), np.sort(group * width + ret)
    began = np.searchsorted(begun, group * width + ret, "right")
    gone = np.searchsorted(ended, group * width + inv, "left")
    return began - gone


def _ranks(inv: Counts, ret: Counts) -> tuple[Counts, Counts]:
    """Both times as places in one order, equal ones as the same."""
    _, places = np.unique(np.concatenate((inv, ret)), return_inverse=True)
    return places[: len(inv)], places[len(inv) :]
