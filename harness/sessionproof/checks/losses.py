"""Acknowledged messages that are not there in the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.checks.naming import Seen
from sessionproof.checks.table import Flags, Ids, Rows, spread
from sessionproof.checks.wording import amount, answered, labels, sent, session_name, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import MISSING, F, Phase


def final_reads(seen: Seen) -> Rows:
    """The last final read of each session whose answer is known, -1 where there is none."""
    table = seen.table
    final = (table.phase == Phase.FINAL) & table.ok & ((table.f == F.READ) | (table.f == F.PAGES))
    final &= (table.answer >= 0) | (table.length <= 0)
    rows = np.flatnonzero(final)
    rows = rows[np.argsort(table.inv[rows], kind="stable")]
    out = np.full(table.names, -1, np.int64)
    out[table.session[rows]] = rows
    return out


def losses(seen: Seen) -> Iterator[Incident]:
    """An incident for each session whose final read misses what was acknowledged before it.

    A session that was deleted has none; what came back of it is another matter.
    """
    table = seen.table
    final = final_reads(seen)
    acked = np.flatnonzero(table.writes & table.ok & ~_gone(seen, final)[table.session])
    acked = acked[final[table.session[acked]] >= 0]
    acked = acked[table.ret[acked] < table.inv[final[table.session[acked]]]]
    there = np.where(
        (final == seen.order.source)[table.session[acked]],
        seen.places.count[acked],
        -1,
    )
    other = np.flatnonzero(there < 0)
    if len(other):
        there[other] = _held(seen, final, np.unique(table.session[acked[other]]))[acked[other]]
    lost = acked[there < table.n[acked]]
    if not len(lost):
        return
    lost = lost[np.lexsort((table.inv[lost], table.session[lost]))]
    starts = np.flatnonzero(np.append(True, np.diff(table.session[lost]) != 0))
    for rows in np.split(lost, starts[1:]):
        yield _loss(seen, rows, int(final[table.session[rows[0]]]))


def _gone(seen: Seen, final: Rows) -> Flags:
    """Sessions that a deletion may have emptied, or did."""
    table, life = seen.table, seen.life
    gone = life.deleted.copy()
    there = np.flatnonzero(gone & (final >= 0))
    sure = np.zeros(len(gone), np.bool_)
    sure[table.session[(table.f == F.DELETE) & table.ok]] = True
    gone[there] = sure[there] | (table.length[final[there]] <= 0)
    return gone


def _held(seen: Seen, final: Rows, sessions: Rows) -> Rows:
    """How many of its messages the final reads of these sessions have, by row."""
    table, kept = seen.table, seen.table.kept
    lists = table.answer[final[sessions]]
    sessions, lists = sessions[lists >= 0], lists[lists >= 0]
    length = (kept.end - kept.start)[lists]
    ids = kept.ids[spread(kept.start[lists], length)]
    session = np.repeat(sessions, length)
    pairs = np.unique(np.rec.fromarrays([session, ids]))
    writer = table.writer(pairs["f1"])
    own = (writer >= 0) & (table.session[writer] == pairs["f0"])
    return np.bincount(writer[own], minlength=len(table))


def _loss(seen: Seen, rows: Rows, final: int) -> Incident:
    table = seen.table
    here = set(map(int, _answer(seen, final)))
    ids = tuple(
        number for row in rows[:64] for number in sent(table, int(row)) if number not in here
    )
    first = int(rows[0])
    others = f", nor {amount(len(rows) - 1, 'other acknowledged append')}" if len(rows) > 1 else ""
    told = (
        f"was told that there is no session {session_name(table, int(table.session[first]))}"
        if table.length[final] == MISSING
        else f"answered {answered(table, final)}, and does not have {labels(ids[:1])}{others}"
    )
    return Incident(
        anomaly=Anomaly.LOST_MESSAGE,
        session=int(table.session[first]),
        rows=(int(table.at[first]), int(table.at[final])),
        sentence=f"{whose(table, first)} was acknowledged; the final read {told}.",
        ids=ids,
        flagged=len(rows),
    )


def _answer(seen: Seen, row: int) -> Ids:
    kept, place = seen.table.kept, int(seen.table.answer[row])
    return kept.of(place) if place >= 0 else kept.ids[:0]
