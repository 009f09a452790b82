"""The rows of many clients: what each looks at, what breaks it, which of them a store promises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.history.columns import MISSING, NONE, F, Phase, Type
from sessionproof.trials.examine import unmet
from sessionproof.trials.rounds import Played

_READS = (F.READ, F.READ_LAST, F.PAGES)


@dataclass(frozen=True)
class Row:
    """What a guarantee looks at: mixes, what breaks it, and which operations are evidence.

    ``about`` are the operations that an incident must be about, where not every one counts.
    ``counted`` says how much of the row's unit a round examined. ``quiet`` says that those
    operations are final ones, or are not; ``alone`` that both that contradict each other must be
    of one client.
    """

    mixes: tuple[str, ...]
    breaks: frozenset[Anomaly]
    counted: Callable[[Played], int]
    about: frozenset[F] = frozenset()
    quiet: bool | None = None
    alone: bool = False


def _number(played: Played, *fs: F) -> int:
    """Operations of these kinds that answered, and ran beside one of another client."""
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together
    return sum(int((fits & (rows["f"] == f)).sum()) for f in fs)


def appends(played: Played) -> int:
    """Appends that were acknowledged, beside another client's operation."""
    return _number(played, F.APPEND)


def _reads(played: Played) -> int:
    return _number(played, *_READS)


def _operations(played: Played) -> int:
    return _number(played, *F)


def _messages(played: Played) -> int:
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together & (rows["f"] == F.APPEND)
    return int(rows["n"][fits].sum())


def _numbers(played: Played) -> int:
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together & (rows["f"] == F.APPEND)
    return int(rows["n"][fits & (rows["value"] != NONE)].sum())


def _counts(played: Played) -> int:
    return _number(played, F.COUNT)


def _counted_appends(played: Played) -> int:
    """Appends to rounds whose counts were asked for when all was quiet."""
    rows = played.history.rows
    final = (rows["f"] == F.COUNT) & (rows["phase"] == Phase.FINAL) & (rows["type"] == Type.OK)
    return appends(played) if (final & (rows["length"] != MISSING)).any() else 0


def _pages(played: Played) -> int:
    return _number(played, F.PAGES)


_GONE = frozenset({Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION})
_STRANGE = frozenset({Anomaly.PHANTOM, Anomaly.LEAK, Anomaly.CHANGED})
_TORN = frozenset({Anomaly.TORN_BATCH, Anomaly.INTERMEDIATE_READ})
_LATE = frozenset(
    {Anomaly.STALE_READ, Anomaly.NON_MONOTONIC, Anomaly.READ_YOUR_WRITES, Anomaly.FUTURE_READ}
)
AT_EVERY_LEVEL = _GONE | _STRANGE | {
    Anomaly.DUPLICATE, Anomaly.ABORTED_READ, Anomaly.TORN_BATCH, Anomaly.WRITE_ORDER,
}  # fmt: skip
_LINEAR = AT_EVERY_LEVEL | _LATE | _TORN | {
    Anomaly.REAL_TIME, Anomaly.REORDER, Anomaly.NOT_LINEARIZABLE, Anomaly.RESURRECTION,
    Anomaly.PHANTOM_SESSION, Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP,
    Anomaly.SEQUENCE_ORDER, Anomaly.COUNTER_DRIFT, Anomaly.WRONG_ANSWER,
}  # fmt: skip
_IN_COUNTS = _LATE | _TORN | {Anomaly.COUNTER_DRIFT, Anomaly.NOT_LINEARIZABLE}
_IN_PAGES = _STRANGE | _LATE | {Anomaly.DUPLICATE, Anomaly.REORDER, Anomaly.NOT_LINEARIZABLE}
_SEQUENCES = frozenset({Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP, Anomaly.SEQUENCE_ORDER})
_OF_REAL_TIME = frozenset({Anomaly.STALE_READ, Anomaly.REAL_TIME, Anomaly.NOT_LINEARIZABLE})
_OF_A_CLIENT = frozenset({Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC})
_COUNT, _PAGE = frozenset({F.COUNT}), frozenset({F.PAGES})

ROWS: dict[str, Row] = {
    "CONC-01": Row(("hot", "short", "batches"), _GONE, appends),
    "CONC-02": Row(("hot", "short", "batches"), frozenset({Anomaly.DUPLICATE}), appends),
    "CONC-03": Row(("hot", "batches", "mixed"), frozenset({Anomaly.ABORTED_READ}), _reads),
    "CONC-04": Row(("batches",), _TORN, _reads),
    "CONC-05": Row(
        ("hot", "mixed", "short", "batches", "deletes", "counts", "clears", "pages"),
        _LINEAR,
        _operations,
    ),
    "CONC-06": Row(
        ("hot", "mixed"),
        frozenset({Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC, Anomaly.WRITE_ORDER}),
        _reads,
        alone=True,
    ),
    "SEQ-02": Row(("hot", "batches"), _SEQUENCES, _numbers),
    "SEQ-04": Row(("hot", "batches"), frozenset({Anomaly.WRITE_ORDER}), _messages),
    "SEQ-06": Row(("hot", "mixed"), frozenset({Anomaly.REORDER}) | _STRANGE, _reads),
    "CNT-05": Row(("counts",), _IN_COUNTS, _counts, about=_COUNT, quiet=False),
    "CNT-06": Row(("counts",), _IN_COUNTS, _counted_appends, about=_COUNT, quiet=True),
    "CORE-04": Row(("pages",), _IN_PAGES, _pages, about=_PAGE),
}

BY_APPENDS = frozenset({"CONC-04", "CONC-05", "CONC-06", "CNT-05", "CORE-04", "SEQ-02"})

_LOG = frozenset({F.APPEND, F.READ})
_LOOKS = _LOG | {F.READ_LAST, F.COUNT, F.PAGES}
_CALLS: Mapping[str, frozenset[F]] = {
    "CONC-01": _LOG | {F.CREATE},
    "CONC-02": _LOG | {F.CREATE},
    "CONC-03": _LOOKS,
    "CONC-04": _LOG,
    "CONC-05": frozenset(F),
    "CONC-06": _LOOKS,
}
"""What is called in the rounds of each row: of sessions with other calls it says nothing."""


def promised_together(capabilities: Collection[str], claims: Claims) -> tuple[str, ...]:
    """Those of CONC-01 to CONC-06 that a store promises."""
    timed = BY_APPENDS if claims.order == "timestamp" else frozenset()
    return tuple(
        row
        for row in _CALLS
        if row not in timed and unmet(GUARANTEES[row], capabilities, claims) is None
    )


def called_for(rows: Collection[str]) -> frozenset[F]:
    """The calls that one of these rows says something of."""
    return frozenset().union(*(_CALLS[row] for row in rows))


def broken_together(
    played: Played, capabilities: Collection[str], claims: Claims, like: Anomaly | None = None
) -> Incident | None:
    """An incident that breaks one of CONC-01 to CONC-06; one ``like`` another, where there is one.

    A row counts for sessions on which nothing was called but what its own rounds call.
    """
    found = [
        incident
        for row in promised_together(capabilities, claims)
        if (incident := broken_by(ROWS[row], _about(played, row), claims, like)) is not None
    ]
    return next((one for one in found if one.anomaly is like), found[0] if found else None)


def _about(played: Played, row: str) -> Played:
    """The round without the incidents of sessions on which something else was called."""
    if not played.judged.incidents:
        return played
    rows = played.history.rows
    prepares = (rows["f"] == F.CREATE) & (rows["phase"] == Phase.RAMP)  # before clients began
    other = {*rows["session"][~np.isin(rows["f"], [*_CALLS[row]]) & ~prepares].tolist()}
    incidents = tuple(one for one in played.judged.incidents if one.session not in other)
    return replace(played, judged=replace(played.judged, incidents=incidents))


def broken_by(
    row: Row, played: Played, claims: Claims, like: Anomaly | None = None
) -> Incident | None:
    """An incident of a round that breaks the row; one ``like`` another, where there is one."""
    found = [one for one in played.judged.incidents if _breaks(row, one, played, claims)]
    return next((one for one in found if one.anomaly is like), found[0] if found else None)


def _breaks(row: Row, incident: Incident, played: Played, claims: Claims) -> bool:
    if incident.anomaly not in row.breaks:
        return False
    if incident.anomaly in _OF_REAL_TIME and not claims.at_least("consistency", "linearizable"):
        return False
    weak = not row.quiet and not claims.at_least("consistency", "session")
    if weak and incident.anomaly in _OF_A_CLIENT:
        return False
    rows = played.history.rows[[*incident.rows]]
    if row.alone and len(set(_clients(played, incident.rows[:2]))) > 1:
        return False
    if not row.about:
        return True
    about = rows[np.isin(rows["f"], [*row.about])]
    if row.quiet is None:
        return len(about) > 0
    return bool(((about["phase"] == Phase.FINAL) == row.quiet).any())


def _clients(played: Played, rows: Sequence[int]) -> list[int]:
    """Whose operations they are; a client keeps its place when it goes on under a new number."""
    number = len(played.round.programs) + 1
    return [int(one) % number for one in played.history.rows["client"][[*rows]]]


def named(row: Row, incident: Incident) -> Incident:
    """The incident as the row calls it: what a counter says is drift, whatever it is for reads."""
    return replace(incident, anomaly=Anomaly.COUNTER_DRIFT) if row.about == _COUNT else incident
