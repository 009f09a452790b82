"""Judging a recorded history: most sessions in linear time, the few others by search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from sessionproof.checks.formation import formation_of
from sessionproof.checks.incidents import Incident, Judged, Level
from sessionproof.checks.lifecycle import linear_sessions
from sessionproof.checks.log import judge_table
from sessionproof.checks.search import judge_session
from sessionproof.checks.table import Rows, Table, stable_order, table_of
from sessionproof.checks.timed_order import judge_timed
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import History

_LEVELS: tuple[Level, ...] = ("linearizable", "session", "none")  # the weakest last
_SEARCH_S = 10.0


def judge_history(history: History, claims: Claims, *, limit_s: float = _SEARCH_S) -> Judged:
    """Everything that is wrong with a history, judged by what the store claims.

    Sessions in which messages are cleared or replaced, or a deletion may come before a creation,
    are searched, ``limit_s`` in all; the others are judged together. In stores that order by the
    messages' times neither is meant (``timed_order``). What was recorded wrongly is ``unknown``.
    All anomalies are reported, whatever level of consistency is claimed.
    """
    table = table_of(history)
    formation = formation_of(table)
    if claims.order == "timestamp":
        formed = table.only(~formation.ill[table.session])
        return together([Judged(unknown=formation.reasons), judge_timed(formed)])
    linear = linear_sessions(table, claims)
    judged = judge_table(table.only((linear & ~formation.ill)[table.session]), claims)
    parts = [Judged(unknown=formation.reasons), judged]
    searched = np.flatnonzero(~linear & ~formation.ill)
    if len(searched):
        parts += _searched(table, searched, claims, limit_s)
    return together(parts)


def _searched(table: Table, sessions: Rows, claims: Claims, limit_s: float) -> Iterable[Judged]:
    order = stable_order(table.session)
    ends = np.searchsorted(table.session[order], sessions, side="right")
    begins = np.searchsorted(table.session[order], sessions, side="left")
    for session, begin, end in zip(sessions, begins, ends, strict=True):
        yield judge_session(
            table.history,
            int(session),
            creates=claims.missing_session != "refuses",
            limit_s=limit_s / len(sessions),
            atomic=claims.atomic_batches,
            start=claims.seq_start,
            rows=order[begin:end],
        )


def together(parts: Iterable[Judged]) -> Judged:
    """What was said of parts of a history, or of several histories of one store, as one."""
    incidents: list[Incident] = []
    examined: Counter[str] = Counter()
    unknown: dict[str, None] = {}
    level: Level = "linearizable"
    for part in parts:
        incidents += part.incidents
        examined.update(part.examined)
        unknown.update(dict.fromkeys(part.unknown))
        level = max(level, part.level, key=_LEVELS.index)
    return Judged(tuple(incidents), dict(examined), tuple(unknown), level)
