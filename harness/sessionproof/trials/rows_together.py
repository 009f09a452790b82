"""What breaks any of the rows of many clients, as far as a store promises them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.history.columns import F
from sessionproof.trials import together  # which tries what it finds again by what needs this
from sessionproof.trials.examine import unmet
from sessionproof.trials.rounds import Played

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
    timed = together.BY_APPENDS if claims.order == "timestamp" else frozenset()
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
        if (incident := together.broken_by(together.ROWS[row], _about(played, row), claims, like))
        is not None
    ]
    return next((one for one in found if one.anomaly is like), found[0] if found else None)


def _about(played: Played, row: str) -> Played:
    """The round without the incidents of sessions on which something else was called."""
    if not played.judged.incidents:
        return played
    rows = played.history.rows
    other = {*rows["session"][~np.isin(rows["f"], [*_CALLS[row]])].tolist()}
    incidents = tuple(one for one in played.judged.incidents if one.session not in other)
    return replace(played, judged=replace(played.judged, incidents=incidents))
