"""Counts and totals that clients read while others append: each must be that of one state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.checks.losses import final_reads
from sessionproof.checks.naming import Seen
from sessionproof.checks.table import Ids, Rows
from sessionproof.checks.wording import amount, began_after, labels, sent, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import NONE, F, Type
from sessionproof.history.tokens import tokens_of

_SUMS_MOST = 1_000  # numbers of messages that a count may have beyond the order
_Told: TypeAlias = Callable[[Seen, int], tuple[str, tuple[int, ...], tuple[int, ...]]]


def counts_of(seen: Seen) -> Rows:
    """The rows of counts that answered a number."""
    table = seen.table
    return np.flatnonzero((table.f == F.COUNT) & table.ok & (table.length >= 0))


def drifts(seen: Seen, *, atomic: bool) -> Iterator[Incident]:
    """Counts that no state of their session had, and totals that are not those of their count."""
    rows = counts_of(seen)
    if not len(rows):
        return
    order, session, count = seen.order, seen.table.session[rows], seen.table.length[rows]
    length = order.length[session]
    known = count <= length
    if atomic:
        inside = known & order.within[order.start[session] + np.where(known, count, 0)]
        yield from _each(seen, rows[inside], _inside)
    most = seen.life.most[session]
    yield from _each(seen, rows[count > most], _too_many)
    beyond = np.flatnonzero(~known & (count <= most))
    sums = {int(one): _sums(seen, int(one), atomic=atomic) for one in np.unique(session[beyond])}
    strange = [k for k in beyond if not _possible(seen, int(rows[k]), sums[int(session[k])])]
    yield from _each(seen, rows[strange], _never)
    final = final_reads(seen)
    whole = (final[session] >= 0) & (seen.table.length[final[session]] == length)
    whole &= ~seen.life.deleted[session] & ~known & (count <= most)
    whole[strange] = False
    before = whole & (seen.table.ret[rows] < seen.table.inv[final[session]])
    yield from _each(seen, rows[before], _more_than_final)
    told = known & (seen.table.value[rows] != NONE)
    if told.any():
        yield from _each(seen, rows[told][_wrong_totals(seen, rows[told])], _total)


def _sums(seen: Seen, session: int, *, atomic: bool) -> dict[int, int] | None:
    """What messages that were sent, but are not in the order, can add to it.

    For each number of messages the totals of tokens that so many of them may have: bit ``t`` for
    ``t``. None where there are too many of them to tell.
    """
    table, placed = seen.table, seen.places.count
    sends = table.writes & (table.type != Type.FAIL) & (placed < table.n)
    sums = {0: 1}
    for other in np.flatnonzero(sends & (table.session == session)):
        rest = sent(table, int(other))[int(placed[other]) :]
        tokens = list(accumulate(map(tokens_of, rest), initial=0))
        if len(sums) > _SUMS_MOST:
            return None
        for count, totals in list(sums.items()):
            for part in (len(rest),) if atomic else range(len(rest) + 1):
                sums[count + part] = sums.get(count + part, 0) | totals << tokens[part]
    return sums


def _possible(seen: Seen, row: int, sums: dict[int, int] | None) -> bool:
    """Whether these sums can make up for what a count has beyond the order."""
    if sums is None:
        return True
    table, order = seen.table, seen.order
    session, value = int(table.session[row]), int(table.value[row])
    log = order.ids[order.start[session] : order.start[session + 1]]
    totals = sums.get(int(table.length[row]) - len(log), 0)
    beyond = value - int(_totals(log)[-1])
    return bool(totals) if value == NONE else beyond >= 0 and bool(totals >> beyond & 1)


def _wrong_totals(seen: Seen, rows: Rows) -> Rows:
    totals = _totals(seen.order.ids)
    start = seen.order.start[seen.table.session[rows]]
    real = totals[start + seen.table.length[rows]] - totals[start]
    return np.flatnonzero(real != seen.table.value[rows])


def _totals(ids: Ids) -> Rows:
    """The running sum of ``tokens_of`` over these messages, from 0."""
    # The same arithmetic as tokens_of; a test holds them together.
    tokens = (ids % np.uint64(7)).astype(np.int64) + tokens_of(0)
    return np.append(0, np.cumsum(tokens))


def _each(seen: Seen, rows: Rows, told: _Told) -> Iterator[Incident]:
    """An incident for each session: the first of these counts, and how many there are."""
    table = seen.table
    rows = rows[np.lexsort((table.inv[rows], table.session[rows]))]
    for mine in np.split(rows, np.flatnonzero(np.diff(table.session[rows])) + 1):
        if not len(mine):
            return
        row = int(mine[0])
        sentence, ids, others = told(seen, row)
        yield Incident(
            anomaly=Anomaly.COUNTER_DRIFT,
            session=int(table.session[row]),
            rows=tuple(int(table.at[one]) for one in (row, *others) if one >= 0),
            sentence=sentence,
            ids=ids,
            flagged=len(mine),
        )


def _inside(seen: Seen, row: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    table, order = seen.table, seen.order
    session, count = int(table.session[row]), int(table.length[row])
    writer = int(order.writer[order.start[session] + count])
    sentence = (
        f"{whose(table, row)} answered {count}, which is within the batch of "
        f"{labels(sent(table, writer))}: the session never had so many messages."
    )
    return sentence, sent(table, writer), (writer, int(order.source[session]))


def _never(seen: Seen, row: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    table = seen.table
    session, value = int(table.session[row]), int(table.value[row])
    count, has = int(table.length[row]), int(seen.order.length[session])
    both = f"{amount(count, 'message')} and {amount(value, 'token')}"
    sentence = (
        f"{whose(table, row)} answered {both if value != NONE else count}: the session has "
        f"{amount(has, 'message')}, and no batches that were sent besides make up for the rest."
    )
    return sentence, (), (int(seen.order.source[session]),)


def _too_many(seen: Seen, row: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    table = seen.table
    session = int(table.session[row])
    sentence = (
        f"{whose(table, row)} answered {int(table.length[row])}, but the session was never "
        f"sent more than {amount(int(seen.life.most[session]), 'message')}."
    )
    return sentence, (), (int(seen.order.source[session]),)


def _more_than_final(seen: Seen, row: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    table = seen.table
    session = int(table.session[row])
    final = int(final_reads(seen)[session])
    sentence = (
        f"{began_after(table, final, row)}: the count was {int(table.length[row])}, and the final "
        f"read, which has every message, has {int(table.length[final])}."
    )
    return sentence, (), (final,)


def _total(seen: Seen, row: int) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    table, order = seen.table, seen.order
    session, count = int(table.session[row]), int(table.length[row])
    ids = order.ids[order.start[session] : order.start[session] + count]
    sentence = (
        f"{whose(table, row)} answered {amount(count, 'message')} and "
        f"{amount(int(table.value[row]), 'token')}; the tokens up to message {count} are "
        f"{int(_totals(ids)[-1])}."
    )
    return sentence, (), (int(order.source[session]),)
