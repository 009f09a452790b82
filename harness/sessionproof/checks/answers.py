"""Answers that are wrong by themselves, or disagree with the others about the order of messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sessionproof.checks.contents import Surprise, disagreement, surprises
from sessionproof.checks.incidents import Incident
from sessionproof.checks.positions import (
    BEYOND,
    WRONG,
    Order,
    order_of,
    places_of,
    versions_of,
)
from sessionproof.checks.table import Flags, Ids, Rows, Table
from sessionproof.checks.wording import answered, call, labels, sent, who, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import F


def odd_answers(
    table: Table, order: Order, doubtful: Flags, *, atomic: bool
) -> tuple[Order, Rows, list[Incident]]:
    """The order to go by, the version that each row answered, and what is wrong with answers.

    Where the longest answer of a session is wrong by itself, the longest that is not is the order.
    """
    found: list[Surprise] = []
    if doubtful.any():
        order, found = _cleaner(table, order, doubtful, atomic=atomic)
    versions = versions_of(table, order)
    wrong = versions == WRONG
    incidents: list[Incident] = []
    if wrong.any() or (versions == BEYOND).any():
        found += _looked_through(table, order, versions, doubtful, atomic=atomic)
        incidents = [*_disagreements(table, order, np.flatnonzero(wrong))]
    if atomic:
        found += _intermediate(table, order, versions)
    return order, versions, [*_merged(table, found), *incidents]


def _cleaner(
    table: Table, order: Order, doubtful: Flags, *, atomic: bool
) -> tuple[Order, list[Surprise]]:
    """What is wrong with the answers of doubtful sessions, and an order without them if it can."""
    kept = table.kept
    complete = places_of(table, order).count >= table.n
    dirty = np.zeros(len(kept.row), np.bool_)
    found = []
    rest = np.zeros(table.names, np.bool_)
    for k in np.flatnonzero((kept.row >= 0) & doubtful[table.session[kept.row]]):
        row = int(kept.row[k])
        if not table.ok[row] or table.f[row] == F.READ_LAST:
            continue
        wrong = [*surprises(table, row, kept.of(int(k)), atomic=atomic, complete=complete)]
        dirty[k] = bool(wrong)
        if not wrong and kept.end[k] > kept.start[k]:
            rest[table.session[row]] = True
        found += wrong
    return order_of(table, without=dirty & rest[table.session[kept.row]]), found


def _looked_through(
    table: Table, order: Order, versions: Rows, doubtful: Flags, *, atomic: bool
) -> Iterator[Surprise]:
    """What is wrong with kept answers that are no prefix of the order."""
    kept = table.kept
    complete = places_of(table, order).count >= table.n
    odd = (kept.row >= 0) & np.isin(versions[kept.row], (WRONG, BEYOND))
    last = table.f[kept.row] == F.READ_LAST
    for k in np.flatnonzero(odd & (last | ~doubtful[table.session[kept.row]])):
        ids = kept.of(int(k))
        yield from surprises(table, int(kept.row[k]), ids, atomic=atomic, complete=complete)


def _intermediate(table: Table, order: Order, versions: Rows) -> Iterator[Surprise]:
    """Reads that end within a batch of which the order has more."""
    rows = np.flatnonzero((versions > 0) & (table.f != F.COUNT))
    session = table.session[rows]
    known = versions[rows] < order.length[session]
    rows, session = rows[known], session[known]
    at = order.start[session] + versions[rows]
    inside = order.within[at]
    for row, spot in zip(rows[inside], at[inside], strict=True):
        about = int(order.writer[spot])
        begun = spot - np.flatnonzero(~order.within[: spot + 1])[-1]
        ids = tuple(map(int, order.ids[spot - begun : spot]))
        words = f"is a batch of which {begun} of {int(table.n[about])} messages were there"
        yield Surprise(Anomaly.INTERMEDIATE_READ, int(row), about, ids, words)


def _disagreements(table: Table, order: Order, rows: Rows) -> Iterator[Incident]:
    """One incident for each session whose answers disagree about the order, and for its pages."""
    place = table.answer
    which = 2 * table.session[rows] + (table.f[rows] == F.PAGES)
    order_of_rows = np.lexsort((table.inv[rows], place[rows] < 0, which))
    rows, which = rows[order_of_rows], which[order_of_rows]
    for mine in np.split(rows, np.flatnonzero(np.diff(which)) + 1):
        told = ((int(row), _disagrees(table, order, int(row), int(place[row]))) for row in mine)
        real = [(row, words) for row, words in told if words is not None]
        if real:
            yield _disagreement(table, order, *real[0], flagged=len(real))


def _disagrees(table: Table, order: Order, row: int, place: int) -> str | None:
    """How an answer disagrees with the order; of one that was not kept the digest tells it."""
    if place >= 0:
        return disagreement(table, row, table.kept.of(place), order)
    if table.f[row] == F.READ_LAST:
        return None
    return "are not the first of them in their order"


def _disagreement(table: Table, order: Order, row: int, words: str, *, flagged: int) -> Incident:
    session = int(table.session[row])
    source = int(order.source[session])
    other = f"{whose(table, source)} ({answered(table, source)})" if source >= 0 else "the others"
    sentence = f"{whose(table, row)} ({answered(table, row)}) {words}, compared with {other}."
    if words.startswith("are"):
        sentence = f"the {answered(table, row)} of {whose(table, row)} {words} in {other}."
    rows = (row, source) if source >= 0 else (row,)
    at = tuple(int(table.at[one]) for one in rows)
    return Incident(Anomaly.REORDER, session, at, sentence, _shown(table, order, row), flagged)


def _shown(table: Table, order: Order, row: int) -> tuple[int, ...]:
    """The first message that is not where the order has it."""
    place = int(table.answer[row])
    if place < 0 or table.f[row] == F.READ_LAST:
        return ()
    have: Ids = table.kept.of(place)
    session = int(table.session[row])
    want = order.ids[order.start[session] : order.start[session + 1]]
    both = min(len(have), len(want))
    other = np.flatnonzero(have[:both] != want[:both])
    return tuple(map(int, have[other[:1]]))


def _merged(table: Table, found: Iterable[Surprise]) -> Iterator[Incident]:
    """One incident for each cause: the earliest answer that shows it, and how many do.

    Pages are told apart from reads, because another guarantee is about them.
    """
    causes: dict[tuple[Anomaly, int, int, tuple[int, ...], bool], list[Surprise]] = {}
    for one in found:
        session = int(table.session[one.row])
        about = one.ids if one.about < 0 else ()
        pages = bool(table.f[one.row] == F.PAGES)
        causes.setdefault((one.anomaly, session, one.about, about, pages), []).append(one)
    for (anomaly, session, writer, *_), those in causes.items():
        first = min(those, key=lambda one: int(table.inv[one.row]))
        rows: tuple[int, ...] = (first.row, writer) if writer >= 0 else (first.row,)
        if anomaly is Anomaly.DUPLICATE:
            again = [int(one) for one in table.attempts(writer) if one != writer]
            rows += tuple(again[:2])
        at = tuple(int(table.at[row]) for row in rows)
        sentence = _told(table, first)
        yield Incident(anomaly, session, at, sentence, first.ids, flagged=len(those))


def _told(table: Table, one: Surprise) -> str:
    reader = f"{who(table, one.row)}'s {call(table, one.row)}"
    if not one.ids:
        return f"{reader} answered what it should not: {one.words}."
    if one.about < 0:
        return f"{reader} answered {labels(one.ids)}: it {one.words}."
    writer = whose(table, one.about)
    shown = labels(one.ids)
    if one.anomaly in (Anomaly.TORN_BATCH, Anomaly.INTERMEDIATE_READ):
        shown = labels(sent(table, one.about))
    return f"{reader} answered {shown}, of {writer}: it {one.words}."
