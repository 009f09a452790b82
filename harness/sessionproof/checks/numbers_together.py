"""Sequence numbers that appends of several clients were answered: those of the places they got."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.checks.naming import Seen
from sessionproof.checks.table import Flags, Rows, Table
from sessionproof.checks.wording import sent, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import NONE, F, Type


def numbered(seen: Seen) -> Rows:
    """The acknowledged appends that answered a number."""
    table = seen.table
    return np.flatnonzero(table.writes & table.ok & (table.value != NONE) & (table.f == F.APPEND))


def misnumbered(seen: Seen, *, start: int, atomic: bool) -> Iterator[Incident]:
    """Numbers given twice, out of order, or with a gap; ``start`` is that of the first message.

    A gap that appends of unknown fate may have left is none.
    """
    table, places = seen.table, seen.places
    rows = numbered(seen)
    if not len(rows):
        return
    off = (places.first[rows] < 0) | (table.value[rows] - start != places.first[rows])
    doubtful = np.zeros(table.names, np.bool_)
    doubtful[table.session[rows[off]]] = True
    rows = rows[doubtful[table.session[rows]]]
    rows = rows[np.lexsort((table.inv[rows], table.value[rows], table.session[rows]))]
    session = table.session[rows]
    same = session[1:] == session[:-1]
    twice = np.flatnonzero(same & _taken(table, rows, atomic=atomic))
    for k in _first_of_each(session[twice]):
        yield _duplicate(
            seen, rows, int(twice[k]), int(np.sum(session[twice] == session[twice[k]]))
        )
    placed = rows[places.first[rows] >= 0]
    placed = placed[np.lexsort((places.first[placed], table.session[placed]))]
    for one in np.split(placed, np.flatnonzero(np.diff(table.session[placed])) + 1):
        yield from _session(seen, one, start=start, atomic=atomic)
    yield from _astray(seen, rows, start)


def _first_of_each(session: Rows) -> Rows:
    return np.unique(session, return_index=True)[1]


def _duplicate(seen: Seen, rows: Rows, k: int, flagged: int) -> Incident:
    table = seen.table
    one, other = int(rows[k]), int(rows[k + 1])
    sentence = (
        f"{whose(table, one)} was given number {int(table.value[one])}, and {whose(table, other)} "
        f"number {int(table.value[other])}: number {int(table.value[other])} was given twice."
    )
    ids = (*sent(table, one), *sent(table, other))
    return _incident(seen, Anomaly.DUPLICATE_SEQUENCE, (one, other), sentence, ids, flagged)


def _session(seen: Seen, rows: Rows, *, start: int, atomic: bool) -> Iterator[Incident]:
    """What is wrong with the numbers of one session, along its order of messages."""
    if not len(rows):
        return
    table, places = seen.table, seen.places
    value, first = table.value[rows], places.first[rows]
    back = np.flatnonzero(value[1:] < value[:-1])
    for k in back[:1]:
        one, other = int(rows[k]), int(rows[k + 1])
        sentence = (
            f"{whose(table, other)} stands behind {whose(table, one)}, but was given number "
            f"{int(value[k + 1])}, and the other {int(value[k])}."
        )
        both = (int(table.id[one]), int(table.id[other]))
        yield _incident(seen, Anomaly.SEQUENCE_ORDER, (one, other), sentence, both, len(back))
    shift = value - start - first
    low = np.flatnonzero(np.diff(shift, prepend=0) < 0)
    if len(low) and not len(back) and not _taken(table, rows, atomic=atomic).any():
        k = int(low[0])
        sentence = (
            f"{whose(table, int(rows[k]))} was given number {int(value[k])}, but its message is "
            f"the {int(first[k]) + 1}. of the session, which begins with number {start}."
        )
        ids = sent(table, int(rows[k]))
        yield _incident(seen, Anomaly.SEQUENCE_ORDER, (int(rows[k]),), sentence, ids, len(low))
    if not len(back) and not len(low):
        yield from _gap(seen, rows, shift, start=start, atomic=atomic)


def _taken(table: Table, rows: Rows, *, atomic: bool) -> Flags:
    """Whether the number of each but the first is one that the row before it took.

    A batch whose messages land one by one need not have the numbers behind its first one.
    """
    value, n = table.value[rows], table.n[rows]
    taken: Flags = value[1:] < value[:-1] + (n[:-1] if atomic else 1)
    return taken


def _gap(seen: Seen, rows: Rows, shift: Rows, *, start: int, atomic: bool) -> Iterator[Incident]:
    """The first number that was skipped, if no append of unknown fate can have had it."""
    table, first = seen.table, seen.places.first
    holes = np.diff(shift, prepend=0)
    places = np.flatnonzero(holes)
    for k in places:
        row = int(rows[k])
        if _fits(int(holes[k]), _sizes(seen, row), atomic=atomic):
            continue
        before = f"after {whose(table, int(rows[k - 1]))} " if k else ""
        size = int(holes[k])
        sentence = (
            f"{whose(table, row)} comes next {before}and was given number "
            f"{int(table.value[row])} instead of {start + int(first[row] + shift[k]) - size}: "
            f"{size} number{'s' * (size != 1)} before it {'are' if size != 1 else 'is'} nobody's."
        )
        shown = (row, int(rows[k - 1])) if k else (row,)
        flagged = len(rows) - int(k)
        yield _incident(seen, Anomaly.SEQUENCE_GAP, shown, sentence, sent(table, row), flagged)
        return


def _sizes(seen: Seen, row: int) -> list[int]:
    """The sizes of the appends that nobody read, and that may have taken numbers before this."""
    table = seen.table
    unseen = table.writes & (table.type != Type.FAIL) & (seen.places.first < 0)
    unseen &= (table.session == table.session[row]) & (table.inv <= table.ret[row])
    return [int(n) for n in table.n[unseen]]


def _fits(hole: int, sizes: list[int], *, atomic: bool) -> bool:
    """Whether some of these batches together have as many messages as a hole has numbers."""
    if not atomic:
        return hole <= sum(sizes)
    sums = 1  # bit k: k numbers can be taken
    for size in sizes:
        sums |= sums << size
    return bool(sums >> hole & 1)


def _astray(seen: Seen, rows: Rows, start: int) -> Iterator[Incident]:
    """Numbers of appends that nobody read: behind all that was sent."""
    table, life = seen.table, seen.life
    unseen = rows[seen.places.first[rows] < 0]
    session, place = table.session[unseen], table.value[unseen] - start
    far = place + table.n[unseen] > life.most[session]
    for k in np.flatnonzero(far):
        row, most = int(unseen[k]), int(life.most[session[k]])
        sentence = (
            f"{whose(table, row)} was given number {int(table.value[row])}, but only {most} "
            f"messages were ever sent to the session, and the first has number {start}."
        )
        yield _incident(seen, Anomaly.SEQUENCE_GAP, (row,), sentence, sent(table, row), 1)


def _incident(
    seen: Seen, anomaly: Anomaly, rows: tuple[int, ...], sentence: str, ids: tuple[int, ...],
    flagged: int,
) -> Incident:  # fmt: skip
    table = seen.table
    source = int(seen.order.source[table.session[rows[0]]])
    shown = (*rows, source) if source >= 0 else rows
    at = tuple(int(table.at[row]) for row in shown)
    return Incident(anomaly, int(table.session[rows[0]]), at, sentence, ids, flagged)
