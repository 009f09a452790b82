"""Judging all sessions of a history at once, in linear time, where messages only become more.

A session is an order of messages that grows at its end. Each answer pins down how much of it had
been there, so nothing is left to search: what the operations demand of each other is compared with
real time. ``docs/checking.md`` has the proof in short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sessionproof.checks.answers import odd_answers
from sessionproof.checks.contents import doubtful_sessions
from sessionproof.checks.counts_together import counts_of, drifts
from sessionproof.checks.formation import formation_of
from sessionproof.checks.incidents import Incident, Judged
from sessionproof.checks.inversions import Pairs, inversions
from sessionproof.checks.levels import level_of, within_clients
from sessionproof.checks.lifecycle import life_of, linear_sessions
from sessionproof.checks.losses import final_reads, losses
from sessionproof.checks.naming import Seen, named, names_of
from sessionproof.checks.numbers_together import misnumbered, numbered
from sessionproof.checks.positions import order_of, places_of
from sessionproof.checks.table import Rows, Table, table_of
from sessionproof.checks.wording import amount, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import F, History, Type


def judge_log(history: History, claims: Claims) -> Judged:
    """Judge the sessions of a history that need no search.

    Sessions that were recorded wrongly, and those that need a search, are ``unknown``.
    """
    table = table_of(history)
    formation = formation_of(table)
    linear = linear_sessions(table, claims)
    searched = np.unique(table.session[(~linear & ~formation.ill)[table.session]])
    unknown = list(formation.reasons)
    if len(searched):
        unknown.append(f"{amount(len(searched), 'session')} may shrink, and must be searched")
    judged = judge_table(table.only((linear & ~formation.ill)[table.session]), claims)
    return replace(judged, unknown=(*unknown, *judged.unknown))


def judge_table(table: Table, claims: Claims) -> Judged:
    """Judge rows that are well formed, of sessions that need no search."""
    if not len(table):
        return Judged()
    order = order_of(table)
    places = places_of(table, order)
    doubtful = doubtful_sessions(table, order, places)
    order, versions, odd = odd_answers(table, order, doubtful, atomic=claims.atomic_batches)
    if doubtful.any():
        places = places_of(table, order, doubtful=doubtful)
    life = life_of(table, order, places, versions, claims)
    seen = Seen(table, order, places, life)
    incidents = [
        *(one for one in odd if not _excused(table.history, one, claims)),
        *losses(seen),
        *drifts(seen, atomic=claims.atomic_batches),
        *_misnumbered(seen, claims),
        *_vanished(seen),
    ]
    lost = {row for one in incidents if one.anomaly is Anomaly.LOST_MESSAGE for row in one.rows}
    pairs = _between(seen)
    own = within_clients(table, life.slots)
    contradictions = [*_named_once(seen, pairs, own)]
    incidents += [
        one
        for one in contradictions
        if one.anomaly is not Anomaly.LOST_MESSAGE or not lost & set(one.rows)
    ]
    level = level_of(incidents, between=len(pairs.late) > 0, clients=len(own.late) > 0)
    return Judged(tuple(incidents), _examined(seen), _unseen(seen, versions), level)


def _excused(history: History, one: Incident, claims: Claims) -> bool:
    """Whether messages of a batch may be there without its first ones.

    Where messages land one by one and have numbers, one of unknown fate may have taken its number
    and left nothing.
    """
    if one.anomaly is not Anomaly.TORN_BATCH or claims.atomic_batches or claims.seq_start is None:
        return False
    _, writer = one.rows
    return bool(history.rows["type"][writer] != Type.OK)


def _misnumbered(seen: Seen, claims: Claims) -> Iterator[Incident]:
    if claims.seq_start is not None:
        yield from misnumbered(seen, start=claims.seq_start, atomic=claims.atomic_batches)


def _between(seen: Seen) -> Pairs:
    """Contradictions of real time; counts and pages apart, so that nothing else hides them."""
    table, slots = seen.table, seen.life.slots
    counts, pages = table.f == F.COUNT, table.f == F.PAGES
    rest, everything = ~(counts | pages), np.ones(len(table), np.bool_)
    parts = [
        inversions(table, slots, early=early, late=late)
        for early, late in ((rest, rest), (rest, ~rest), (counts, everything), (pages, everything))
    ]
    return Pairs(
        np.concatenate([part.late for part in parts]),
        np.concatenate([part.early for part in parts]),
    )


def _named_once(seen: Seen, pairs: Pairs, own: Pairs) -> Iterator[Incident]:
    """Incidents between clients, and those of single clients that are not among them."""
    client = seen.table.history.rows["client"]
    told: set[tuple[Anomaly, int] | int] = set()
    for one in named(seen, pairs, names_of(seen, pairs), pairs.early, finest=True):
        told |= {(one.anomaly, row) for row in one.rows[:2]}
        if client[one.rows[0]] == client[one.rows[1]]:
            told.add(one.rows[0])
        yield one
    for one in named(seen, own, names_of(seen, own), own.late, finest=False):
        if not told & {one.rows[0], *((one.anomaly, row) for row in one.rows[:2])}:
            yield one


def _vanished(seen: Seen) -> Iterator[Incident]:
    """Sessions that were said not to exist, though they had been made and nobody deleted them."""
    table, rows = seen.table, seen.life.vanished
    for session in np.unique(table.session[rows]):
        mine = rows[table.session[rows] == session]
        row = int(mine[np.argmin(table.inv[mine])])
        sentence = (
            f"{whose(table, row)} was told that there is no such session; "
            "it had been created, and no deletion had begun."
        )
        at = (int(table.at[row]),)
        yield Incident(Anomaly.LOST_SESSION, int(session), at, sentence, flagged=len(mine))


def _examined(seen: Seen) -> dict[str, int]:
    table = seen.table
    reads = table.ok & ((table.f == F.READ) | (table.f == F.READ_LAST) | (table.f == F.PAGES))
    return {
        "operations": len(table),
        "appends": int(np.count_nonzero(table.writes & table.ok)),
        "reads": int(np.count_nonzero(reads)),
        "pages": int(np.count_nonzero(table.ok & (table.f == F.PAGES))),
        "counts": len(counts_of(seen)),
        "messages": len(seen.order.ids),
        "numbers": len(numbered(seen)),
        "deletions": int(np.count_nonzero((table.f == F.DELETE) & (table.type != Type.FAIL))),
        "sessions": len(np.unique(table.session)),
    }


def _unseen(seen: Seen, versions: Rows) -> tuple[str, ...]:
    """What could not be judged, because nobody read it."""
    table, order = seen.table, seen.order
    reasons = []
    acked = np.flatnonzero(table.writes & table.ok)
    unread = (final_reads(seen) < 0)[table.session[acked]]
    sessions = len(np.unique(table.session[acked[unread]]))
    if sessions:
        never = int(np.count_nonzero(unread & (seen.places.first[acked] < 0)))
        reasons.append(
            f"{amount(sessions, 'session')} without a final read: "
            f"{amount(never, 'acknowledged append')} never read"
        )
    full = (table.f == F.READ) | (table.f == F.PAGES)
    longer = full & (versions > order.length[table.session])
    if longer.any():
        reasons.append(
            f"{amount(int(np.count_nonzero(longer)), 'read')} longer than any answer that was "
            "kept: what they had beyond it is not known"
        )
    return tuple(reasons)
