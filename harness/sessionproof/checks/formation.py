"""Whether a history is well formed. What is not was recorded wrongly: no break of the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sessionproof.checks.table import PLACE, Flags, Rows, Table
from sessionproof.checks.wording import amount
from sessionproof.history.columns import BATCH, MISSING, NEVER, F, Type


@dataclass(frozen=True)
class Formation:
    """``ill`` are the sessions that cannot be judged, ``reasons`` say why."""

    ill: Flags
    reasons: tuple[str, ...]


def formation_of(table: Table) -> Formation:
    """Which sessions were recorded as no client can have seen them."""
    ill = np.zeros(table.names, np.bool_)
    reasons = []
    for found, reason in (
        (_impossible(table), "rows that say what no operation can"),
        (_overlaps(table), "operations that began before their client's last one had ended"),
        (_shared(table), "operations that share an id and are not one operation sent again"),
        (_cut(table), "reads whose kept answer has another length than they say"),
    ):
        if len(found):
            ill[table.session[found]] = True
            first = int(table.at[found[0]])
            reasons.append(
                f"{reason}: {len(found)} in the history (first: row {first}); "
                f"{amount(len(np.unique(table.session[found])), 'session')} not judged"
            )
    return Formation(ill, tuple(reasons))


def _impossible(table: Table) -> Rows:
    done = table.type != Type.INFO
    wrong = (table.f < F.APPEND) | (table.f > F.REPLACE) | (table.type > Type.FAIL)
    wrong |= done & ((table.ret == NEVER) | (table.ret < table.inv))
    wrong |= (table.id == 0) | ((table.id & PLACE) != 0)
    wrong |= (table.n < 0) | (table.writes & (table.n > BATCH))
    wrong |= table.length < MISSING
    return np.flatnonzero(wrong)


def _overlaps(table: Table) -> Rows:
    order = table.by_client
    client, inv, ret = table.client[order], table.inv[order], table.ret[order]
    same = client[1:] == client[:-1]
    overlapping: Rows = order[1:][same & (ret[:-1] > inv[1:])]
    return overlapping


def _shared(table: Table) -> Rows:
    """Rows that share their number with another that is not an earlier, refused attempt of it."""
    decided = table.writer(table.id)
    apart = np.flatnonzero(decided != np.arange(len(table)))
    if not len(apart):
        return apart
    other = decided[apart]
    same = table.type[apart] == Type.FAIL
    for column in (table.session, table.client, table.f, table.n):
        same &= column[apart] == column[other]
    refused_too = table.type[other] == Type.FAIL
    same &= refused_too | (table.ret[apart] <= table.inv[other])
    wrong = apart[~same]
    return np.concatenate([wrong, decided[wrong]])


def _cut(table: Table) -> Rows:
    row, length = table.kept.row, table.kept.end - table.kept.start
    cut: Rows = row[(table.type[row] == Type.OK) & (np.maximum(table.length[row], 0) != length)]
    return cut
