"""What the answer of each operation demands of its session's order, as slots.

By slots, of a session whose order has N messages, and where U more were sent::

    0            "no such session", before it was created
    1            the creation; "it is empty"
    2(p + 1)     the append of the message at place p
    2v + 1       a read or count of v messages
    2K + 2       the deletion (K = N + U)
    2K + 3       "no such session", or "it is empty", after that

A read that finds nothing fits before the first message and after the deletion. It is placed
before if it can be there: what forces it to the other side forces every later one, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sessionproof.checks.inversions import FREE, Slots
from sessionproof.checks.positions import BEYOND, Order, Places
from sessionproof.checks.table import Flags, Rows, Table, least, lowest
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import MISSING, NEVER, NONE, F, Type


@dataclass(frozen=True, eq=False)
class Life:
    """Slots, and what was decided on the way.

    ``most`` is K by session. ``missing`` are the rows that were told that there is no such session.
    ``vanished`` are those of them that no creation and no deletion explains.
    ``deleted`` are the sessions that may have been deleted, ``deletion`` the rows that did it.
    """

    slots: Slots
    most: Rows
    missing: Flags
    vanished: Rows
    deleted: Flags
    deletion: Rows


def linear_sessions(table: Table, claims: Claims) -> Flags:
    """The sessions that need no search: their messages only become more, until the session ends.

    Where a deletion can come before a creation, a session may have several lives. Where answers
    before a deletion had more than any that was kept, the order of their messages is not known.
    """
    linear = np.ones(table.names, np.bool_)
    happened = table.type != Type.FAIL
    linear[table.session[happened & ((table.f == F.CLEAR) | (table.f == F.REPLACE))]] = False
    deletes = np.flatnonzero(happened & (table.f == F.DELETE))
    if not len(deletes):
        return linear
    if claims.missing_session != "refuses":
        linear[table.session[deletes]] = False
        return linear
    began = lowest(deletes, table.inv, table)
    creates = np.flatnonzero(happened & (table.f == F.CREATE))
    late = creates[table.ret[creates] >= began[table.session[creates]]]
    linear[table.session[late]] = False
    untold = _untold(table, numbered=claims.seq_start is not None)
    linear[table.session[untold[began[table.session[untold]] != NEVER]]] = False
    return linear


def _untold(table: Table, *, numbered: bool) -> Rows:
    """Answers of more than the longest that was kept of their session, and those that may be.

    Where appends are ``numbered``, their answers are such, too.
    """
    kept = table.kept
    known = np.zeros(table.names, np.int64)
    held = np.flatnonzero(kept.row >= 0)
    full = held[table.ok[kept.row[held]] & (table.f[kept.row[held]] != F.READ_LAST)]
    np.maximum.at(known, table.session[kept.row[full]], (kept.end - kept.start)[full])
    sends = np.flatnonzero(table.writes & (table.type != Type.FAIL))
    sent = np.bincount(table.session[sends], weights=table.n[sends], minlength=table.names)
    unread = (table.f == F.READ_LAST) & (table.length > 0)
    if numbered:
        unread |= table.writes & (table.value != NONE)
    unread &= (sent > known)[table.session]
    return np.flatnonzero(table.ok & (unread | (table.length > known[table.session])))


def life_of(table: Table, order: Order, places: Places, versions: Rows, claims: Claims) -> Life:
    """The slots of every row."""
    length = order.length
    sends = table.writes & (table.type != Type.FAIL)
    seen = places.first >= 0
    unseen = sends & ~seen
    rest = np.flatnonzero(sends & (places.count < table.n))
    most = length + np.bincount(
        table.session[rest], weights=(table.n - places.count)[rest], minlength=table.names
    ).astype(np.int64)
    below = np.full(len(table), FREE, np.int64)
    above = np.zeros(len(table), np.int64)
    _place_reads(table, versions, length, most, below, above)
    here = sends & seen
    below[here] = 2 * (places.first[here] + 1)
    above[here] = 2 * (places.last[here] + 1)
    part = rest[table.ok[rest] & seen[rest]]  # the others of its messages stand behind all
    above[part] = 2 * length[table.session[part]] + 2
    _place_unseen(table, np.flatnonzero(unseen & table.ok), length, most, claims, below, above)
    deletes = np.flatnonzero((table.f == F.DELETE) & (table.type != Type.FAIL))
    deleted = np.zeros(table.names, np.bool_)
    deleted[table.session[deletes]] = True
    pages = _crossed(table, np.flatnonzero((table.f == F.PAGES) & (versions > 0)), deletes)
    below[pages], above[pages] = FREE, 0
    missing = _missing(table)
    slots = Slots(below, above, 2 * most + 4)
    if not (missing.any() or len(deletes) or (table.f == F.CREATE).any()):
        return Life(slots, most, missing, deletes, deleted, np.full(table.names, -1, np.int64))
    vanished, deletion = _bounds(table, slots, versions, missing, deletes, most, claims)
    return Life(slots, most, missing, vanished, deleted, deletion)


def _place_reads(
    table: Table, versions: Rows, length: Rows, most: Rows, below: Rows, above: Rows
) -> None:
    reads = np.flatnonzero(versions > 0)
    slot = 2 * np.minimum(versions[reads], most[table.session[reads]]) + 1
    below[reads] = slot
    above[reads] = slot
    below[versions == 0] = 1
    beyond = np.flatnonzero(versions == BEYOND)
    below[beyond] = 2 * most[table.session[beyond]] + 1
    above[beyond] = 2 * length[table.session[beyond]] + 2


def _place_unseen(
    table: Table, rows: Rows, length: Rows, most: Rows, claims: Claims, below: Rows, above: Rows
) -> None:
    """Acknowledged appends that the order does not have: behind it, or where their number says."""
    if not len(rows):
        return
    session = table.session[rows]
    below[rows] = 2 * most[session] + 1
    above[rows] = 2 * length[session] + 2
    if claims.seq_start is None:
        return
    place = table.value[rows] - claims.seq_start
    told = (table.value[rows] != NONE) & (place >= length[session])
    rows, place, top = rows[told], place[told], most[session[told]]
    below[rows] = 2 * np.minimum(place + 1, top)
    above[rows] = 2 * np.minimum(place + table.n[rows], top)


def _crossed(table: Table, pages: Rows, deletes: Rows) -> Rows:
    """Those of these readings of pages during which the session may have been deleted.

    The time of a row is that of its last page; the first came after what its client did before.
    """
    began = lowest(deletes, table.inv, table)
    pages = pages[began[table.session[pages]] <= table.ret[pages]]
    if not len(pages):
        return pages
    ended = np.full(table.names, -1, np.int64)
    np.maximum.at(ended, table.session[deletes], table.ret[deletes])
    order = table.by_client
    before = np.full(len(table), -1, np.int64)
    same = table.client[order][1:] == table.client[order][:-1]
    before[order[1:][same]] = table.ret[order[:-1][same]]
    return pages[ended[table.session[pages]] >= before[pages]]


def _missing(table: Table) -> Flags:
    """Rows that were told that there is no such session."""
    none = table.length == MISSING
    asked = [F.APPEND, F.DELETE, F.CLEAR, F.REPLACE]
    refused = (table.type == Type.FAIL) & np.isin(table.f, asked)
    told: Flags = none & (table.ok | refused)
    return told


def _bounds(
    table: Table, slots: Slots, versions: Rows, missing: Flags, deletes: Rows, most: Rows,
    claims: Claims,
) -> tuple[Rows, Rows]:  # fmt: skip
    """Place creations, deletions, and the answers that there is nothing; see ``Life``."""
    below, above, session = slots.below, slots.above, table.session
    holds = np.flatnonzero(table.ok & (above >= 2))  # something was surely there
    creates = np.flatnonzero((table.f == F.CREATE) & (table.type != Type.FAIL))
    made = creates[table.ok[creates]]
    above[made] = np.maximum(above[made], 1)
    always = np.zeros(table.names, np.bool_)  # there before the history began
    if claims.missing_session == "refuses":
        first = least(creates, table.inv, table)
        below[first[first >= 0]] = 1
        always[session[holds]] = True
        always[session[creates]] = False
    deletion = least(deletes, table.inv, table)
    ends = deletes[table.ok[deletes]]
    above[ends] = 2 * most[session[ends]] + 2
    did = deletion[deletion >= 0]
    below[did] = 2 * most[session[did]] + 2

    begun = lowest(np.concatenate([holds, ends]), table.ret, table)
    since = np.full(table.names, NEVER, np.int64)
    since[session[did]] = table.inv[did]
    told = np.flatnonzero(missing)
    early = table.inv[told] <= np.minimum(begun, lowest(made, table.ret, table))[session[told]]
    late = told[_after(table, told, since, early & ~always[session[told]])]
    empty = np.flatnonzero((versions == 0) & ~missing)
    early = table.inv[empty] <= np.minimum(begun, lowest(late, table.ret, table))[session[empty]]
    below[told] = 0
    late = np.concatenate([late, empty[_after(table, empty, since, early)]])
    below[late], above[late] = FREE, 2 * most[session[late]] + 3
    vanished = told[always[session[told]] & (below[told] == 0)]
    below[vanished] = FREE
    return vanished, deletion


def _after(table: Table, rows: Rows, since: Rows, early: Flags) -> Flags:
    """Which answers of nothing stand behind the deletion of their session."""
    began = since[table.session[rows]]
    flags: Flags = ~early & (began != NEVER) & (table.ret[rows] >= began)
    return flags
