"""The order of the messages of each session, and the version of it that each operation saw.

The order is the longest answer that was kept; final reads always are. A read of version ``v``
answered its first ``v`` messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sessionproof.checks.table import PLACE, SHIFT, Flags, Ids, Rows, Table, spread
from sessionproof.history.columns import F, Phase, Type, placed

NOWHERE = -1
BEYOND = -2
"""The version of an answer that holds more than the order: what it was is not known."""
WRONG = -3
"""The version of an answer that no prefix of the order gives."""


@dataclass(frozen=True, eq=False)
class Order:
    """The messages of session ``s`` are ``ids[start[s]:start[s + 1]]``.

    ``source`` is the row that answered them, by session, ``NOWHERE`` where nothing was kept.
    ``writer`` is the row that sent each, ``NOWHERE`` where none did. ``within`` says of each place
    that the batch of the message before goes on there.
    """

    ids: Ids
    start: Rows
    source: Rows
    session: Rows
    writer: Rows
    prefix: Ids
    within: Flags

    @property
    def length(self) -> Rows:
        """How many messages, by session."""
        return np.diff(self.start)


@dataclass(frozen=True, eq=False)
class Places:
    """Where the messages of each row stand in the order: the first and the last, ``NOWHERE``."""

    first: Rows
    last: Rows
    count: Rows = field(default_factory=lambda: np.zeros(0, np.int64))


def order_of(table: Table, *, without: Flags | None = None) -> Order:
    """The order of every session; ``without`` leaves out some of the kept answers."""
    kept = table.kept
    full = kept.row >= 0
    if without is not None:
        full &= ~without
    lists = np.flatnonzero(full)
    row = kept.row[lists]
    reads = (table.type[row] == Type.OK) & (kept.end[lists] > kept.start[lists])
    reads &= (table.f[row] == F.READ) | (table.f[row] == F.PAGES)
    lists, row = lists[reads], row[reads]
    # The longest; of equal ones a final read, because nothing went on beside it.
    rank = (kept.end - kept.start)[lists] * 2 + (table.phase[row] == Phase.FINAL)
    best = np.full(table.names, NOWHERE, np.int64)
    np.maximum.at(best, table.session[row], rank * len(lists) + np.arange(len(lists)))
    sessions = np.flatnonzero(best != NOWHERE)
    chosen = lists[best[sessions] % len(lists)]
    source = np.full(table.names, NOWHERE, np.int64)
    source[sessions] = kept.row[chosen]
    length = np.zeros(table.names, np.int64)
    length[sessions] = (kept.end - kept.start)[chosen]
    ids = kept.ids[spread(kept.start[chosen], length[sessions])]
    return _order(table, ids, length, source)


def _order(table: Table, ids: Ids, length: Rows, source: Rows) -> Order:
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    session = np.repeat(np.arange(table.names), length)
    places = np.arange(len(ids)) - start[session]
    prefix = np.zeros(len(ids) + 1, np.uint64)
    np.cumsum(placed(ids, places), out=prefix[1:])
    within = np.zeros(len(ids) + 1, np.bool_)
    if len(ids):
        within[1:-1] = (ids[1:] >> SHIFT == ids[:-1] >> SHIFT) & (ids[1:] & PLACE != 0)
        within[start] = False
    return Order(ids, start, source, session, table.writer(ids), prefix, within)


def places_of(table: Table, order: Order, *, doubtful: Flags | None = None) -> Places:
    """Where the messages of each operation stand, for operations of the same session.

    In ``doubtful`` sessions a message may stand more often: there its first place counts.
    """
    first = np.full(len(table), NOWHERE, np.int64)
    last = first.copy()
    known = order.writer >= 0
    known[known] = table.session[order.writer[known]] == order.session[known]
    if doubtful is not None:
        known &= ~_repeated(order, np.flatnonzero(doubtful[order.session]))
    writer = order.writer[known]
    place = (np.arange(len(order.ids)) - order.start[order.session])[known]
    last[writer] = place  # of equal cells the last assignment stays
    first[writer[::-1]] = place[::-1]
    return Places(first, last, np.bincount(writer, minlength=len(table)))


def _repeated(order: Order, where: Rows) -> Flags:
    """Which of these messages stood in their session before."""
    flags = np.zeros(len(order.ids), np.bool_)
    ids, session = order.ids[where], order.session[where]
    by = np.lexsort((where, ids, session))
    again = (ids[by][1:] == ids[by][:-1]) & (session[by][1:] == session[by][:-1])
    flags[where[by[1:][again]]] = True
    return flags


def versions_of(table: Table, order: Order) -> Rows:
    """The version that each row answered: ``NOWHERE`` for rows that say nothing of one.

    ``BEYOND`` for a ``READ_LAST`` that ends with a message that the order does not have. A full
    read or a count of more messages than the order has keeps its length.
    """
    version = np.full(len(table), NOWHERE, np.int64)
    answered = table.ok & (table.length >= 0)
    full = np.flatnonzero(answered & ((table.f == F.READ) | (table.f == F.PAGES)))
    base, length = order.start[table.session[full]], table.length[full]
    longer = length > order.length[table.session[full]]
    end = np.where(longer, base, base + length)
    equal = longer | (order.prefix[end] - order.prefix[base] == table.digest[full])
    version[full] = np.where(equal, length, WRONG)
    counts = answered & (table.f == F.COUNT)
    version[counts] = table.length[counts]
    if (table.f == F.READ_LAST).any():
        _last_versions(table, order, version)
    return version


def _last_versions(table: Table, order: Order, version: Rows) -> None:
    """Fill in the versions of ``READ_LAST``: that of its last message, if all others fit."""
    last = table.f == F.READ_LAST
    version[last & table.ok & (table.length == 0) & (table.n > 0)] = 0
    kept = table.kept
    lists = np.flatnonzero((kept.row >= 0) & (kept.end > kept.start))
    lists = lists[last[kept.row[lists]] & table.ok[kept.row[lists]]]
    row, length = kept.row[lists], (kept.end - kept.start)[lists]
    session = table.session[row]
    spot = _spots(table, order, kept.ids[kept.end[lists] - 1], session)
    found = spot >= 0
    version[row[~found]] = BEYOND
    lists, row, length, session = lists[found], row[found], length[found], session[found]
    after = spot[found] + 1
    fits = length == np.minimum(table.n[row], after - order.start[session])
    begin = np.where(fits, after - length, 0)
    want = order.ids[spread(begin, np.where(fits, length, 0))]
    have = kept.ids[spread(kept.start[lists], np.where(fits, length, 0))]
    group = np.repeat(np.arange(len(lists)), np.where(fits, length, 0))
    fits &= np.bincount(group[want != have], minlength=len(lists)) == 0
    version[row] = np.where(fits, after - order.start[session], WRONG)


def _spots(table: Table, order: Order, ids: Ids, session: Rows) -> Rows:
    """Where in ``order.ids`` each of these messages of these sessions stands, or ``NOWHERE``."""
    places = places_of(table, order)
    writer = table.writer(ids)
    spot = np.full(len(ids), NOWHERE, np.int64)
    if not len(order.ids):
        return spot
    known = (writer >= 0) & (places.first[writer] >= 0)
    guess = order.start[session] + places.first[writer] + (ids & PLACE).astype(np.int64)
    guess = np.minimum(guess, len(order.ids) - 1)
    right = known & (order.ids[guess] == ids) & (order.session[guess] == session)
    spot[right] = guess[right]
    # A batch that was torn has its messages elsewhere.
    for k in np.flatnonzero(known & ~right):
        here = order.start[session[k]] + np.flatnonzero(
            order.ids[order.start[session[k]] : order.start[session[k] + 1]] == ids[k]
        )
        spot[k] = here[0] if len(here) else NOWHERE
    return spot
