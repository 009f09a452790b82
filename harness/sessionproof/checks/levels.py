"""What each client may expect by itself: to read its own writes, and never less than before."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sessionproof.checks.incidents import Incident, Level
from sessionproof.checks.inversions import Pairs, Slots
from sessionproof.checks.naming import REAL_TIME
from sessionproof.checks.table import Table, stable_order


def within_clients(table: Table, slots: Slots) -> Pairs:
    """Operations that must precede one that the same client had done before.

    For each the witness in ``late`` is the earlier operation that demands the most. The same test
    as that between clients, with the order of one client in place of real time: exact for each.
    """
    order = table.by_client
    order = order[stable_order(table.session[order])]
    client, session = table.client[order], table.session[order]
    begins = (client[1:] != client[:-1]) | (session[1:] != session[:-1])
    # A segment is as wide as any slots: what came in those before it demands nothing there.
    segment = np.append(0, np.cumsum(begins)) * int(slots.size.max())
    running = np.maximum.accumulate(slots.above[order] + segment)
    broken = np.flatnonzero(running[:-1] - segment[1:] > slots.below[order][1:]) + 1
    witness = np.searchsorted(running, running[broken - 1])
    return _apart(table, slots, Pairs(late=order[witness], early=order[broken]))


def _apart(table: Table, slots: Slots, pairs: Pairs) -> Pairs:
    """Without pairs of which one ended at the very time at which the other began.

    A coarse clock does not tell them apart, and real time demands nothing of them.
    """
    late = pairs.late.copy()
    for k in np.flatnonzero(table.ret[pairs.late] >= table.inv[pairs.early]):
        early = pairs.early[k]
        before = table.ret < table.inv[early]
        before &= (table.client == table.client[early]) & (table.session == table.session[early])
        before &= slots.above > slots.below[early]
        late[k] = np.flatnonzero(before)[0] if before.any() else -1
    return Pairs(late[late >= 0], pairs.early[late >= 0])


def level_of(incidents: Collection[Incident], *, between: bool, clients: bool) -> Level:
    """The strongest level that held.

    ``between``: clients contradict each other in real time. ``clients``: one contradicts itself.
    """
    if clients or any(one.anomaly not in REAL_TIME for one in incidents):
        return "none"
    return "session" if between else "linearizable"
