"""The names of contradictions: what two operations that cannot both be right are an instance of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.checks.inversions import Pairs
from sessionproof.checks.lifecycle import Life
from sessionproof.checks.positions import Order, Places
from sessionproof.checks.table import Rows, Table
from sessionproof.checks.wording import answered, began_after, call, labels, sent, who
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import F, Phase

REAL_TIME = frozenset(
    {Anomaly.STALE_READ, Anomaly.NON_MONOTONIC, Anomaly.FUTURE_READ, Anomaly.REAL_TIME}
)
"""Names that may stand for a break of real time between clients alone."""

# Of what one witness shows, the finest name is told: the first of these.
_FINEST = (
    Anomaly.RESURRECTION, Anomaly.LOST_SESSION, Anomaly.PHANTOM_SESSION, Anomaly.LOST_MESSAGE,
    Anomaly.READ_YOUR_WRITES, Anomaly.WRITE_ORDER, Anomaly.STALE_READ, Anomaly.NON_MONOTONIC,
    Anomaly.REAL_TIME, Anomaly.FUTURE_READ,
)  # fmt: skip
_CODE = {anomaly: code for code, anomaly in enumerate(_FINEST)}


@dataclass(frozen=True, eq=False)
class Seen:
    """All that is known of a history when its contradictions are named."""

    table: Table
    order: Order
    places: Places
    life: Life


def names_of(seen: Seen, pairs: Pairs) -> Rows:
    """The name of each pair, as a place in the list of names, the finest first."""
    table = seen.table
    a, b = pairs.late, pairs.early
    f_a, f_b = table.f[a], table.f[b]
    writes_a, writes_b = table.writes[a], table.writes[b]
    same = table.client[a] == table.client[b]
    final = table.phase[b] == Phase.FINAL
    lost = seen.places.first[a] < 0
    ended = (f_a == F.DELETE) | (
        seen.life.slots.above[a] > 2 * seen.life.most[table.session[a]] + 2
    )
    cases = (
        (ended, Anomaly.RESURRECTION),
        (seen.life.missing[b], Anomaly.LOST_SESSION),
        ((f_b == F.CREATE) & (seen.life.slots.below[b] == 1), Anomaly.PHANTOM_SESSION),
        (writes_b & writes_a & lost, Anomaly.LOST_MESSAGE),
        (writes_b & writes_a & same, Anomaly.WRITE_ORDER),
        (writes_b & writes_a, Anomaly.REAL_TIME),
        (writes_b, Anomaly.FUTURE_READ),
        (writes_a & final, Anomaly.LOST_MESSAGE),
        (writes_a & same, Anomaly.READ_YOUR_WRITES),
        (writes_a, Anomaly.STALE_READ),
    )
    return np.select(
        [case for case, _ in cases],
        [_CODE[anomaly] for _, anomaly in cases],
        default=_CODE[Anomaly.NON_MONOTONIC],
    ).astype(np.int64)


def named(
    seen: Seen, pairs: Pairs, codes: Rows, witness: Rows, *, finest: bool
) -> Iterator[Incident]:
    """An incident for each witness: of all pairs that it is in, one with the finest name is told.

    Without ``finest`` each name of a witness is an incident of its own.
    """
    if not len(pairs.late):
        return
    guilty = seen.places.last[pairs.late]
    order = np.lexsort((guilty, codes, witness))
    other = np.diff(witness[order]) != 0
    if not finest:
        other |= np.diff(codes[order]) != 0
    for group in np.split(order, np.flatnonzero(other) + 1):
        code = codes[group[0]]
        told = group[codes[group] == code]
        ids = _ids(seen, pairs, told)
        late, early = int(pairs.late[told[0]]), int(pairs.early[told[0]])
        yield incident_of(seen, _FINEST[code], late, early, ids=ids, flagged=len(group))


def _ids(seen: Seen, pairs: Pairs, told: Rows) -> tuple[int, ...]:
    """The messages that these pairs are about: those of their appends."""
    writers = [
        int(row)
        for k in told[:8]
        for row in (pairs.late[k], pairs.early[k])
        if seen.table.writes[row]
    ]
    return tuple(number for row in dict.fromkeys(writers) for number in sent(seen.table, row))


def incident_of(
    seen: Seen, anomaly: Anomaly, late: int, early: int, *, ids: tuple[int, ...], flagged: int
) -> Incident:
    """``late`` had ended before ``early`` began, and must follow it."""
    table = seen.table
    session = int(table.session[early])
    source = int(seen.order.source[session])
    needs_source = any(table.writes[row] and seen.places.first[row] >= 0 for row in (late, early))
    rows = (early, late) + ((source,) if needs_source and source not in (early, late) else ())
    if not ids and anomaly in (Anomaly.NON_MONOTONIC, Anomaly.FUTURE_READ):
        ids = _missed(seen, late, early)
    return Incident(
        anomaly=anomaly,
        session=session,
        rows=tuple(int(table.at[row]) for row in rows),
        sentence=_sentence(seen, anomaly, late, early, ids),
        ids=ids,
        flagged=flagged,
    )


def _missed(seen: Seen, late: int, early: int) -> tuple[int, ...]:
    """What a read had and a later one has not, as far as the order tells."""
    table, order = seen.table, seen.order
    base = int(order.start[table.session[early]])
    most = int(order.length[table.session[early]])
    below, above = int(seen.life.slots.below[early]), int(seen.life.slots.above[late])
    begin, end = min(max(0, (below - 1) // 2), most), min((above - 1) // 2, most)
    return tuple(map(int, order.ids[base + begin : base + end]))


def _sentence(seen: Seen, anomaly: Anomaly, late: int, early: int, ids: tuple[int, ...]) -> str:
    table = seen.table
    start = began_after(table, early, late)
    match anomaly:
        case Anomaly.STALE_READ | Anomaly.READ_YOUR_WRITES | Anomaly.LOST_MESSAGE if (
            not table.writes[early]
        ):
            if table.f[early] == F.COUNT:
                return f"{start}, and does not count it: it answered {answered(table, early)}."
            return f"{start}, and does not have it."
        case Anomaly.LOST_MESSAGE:
            return f"{start}, but is in the order, which {labels(sent(table, late))} is not."
        case Anomaly.NON_MONOTONIC:
            missed = f": it lacks {labels(ids)}" if ids else ""
            return (
                f"{start}, and answered less{missed} "
                f"({answered(table, early)} after {answered(table, late)})."
            )
        case Anomaly.REAL_TIME | Anomaly.WRITE_ORDER:
            return f"{start}, but stands before it in the order of the session."
        case Anomaly.FUTURE_READ:
            return (
                f"{start}, but {who(table, late)} had already seen it: "
                f"it answered {answered(table, late)}."
            )
        case Anomaly.RESURRECTION:
            return f"{start}, and the session is there again."
        case Anomaly.LOST_SESSION:
            return f"{start}, and was told that there is no such session."
        case _:
            return f"{start}: the {call(table, late)} took place before there was such a session."
