"""Histories of stores that order messages by their own times, not by the appends.

A message that is sent late may belong before one that was read already, so reads are no prefixes
of each other, and nothing is judged by real time. What stays: nothing acknowledged is lost, nothing
is there twice or that was refused, and any two reads agree on the order of what both have. Sessions
are small here: the check looks at each answer on its own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sessionproof.checks.incidents import Incident, Judged, Level
from sessionproof.checks.table import Rows, Table
from sessionproof.checks.wording import amount, labels, sent, session_name, whose
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import F, Phase, Type

_WHOLE = (F.READ, F.PAGES)
_LISTING = (*_WHOLE, F.READ_LAST)
_REMOVING = (F.DELETE, F.CLEAR, F.REPLACE)


def judge_timed(table: Table) -> Judged:
    """What is wrong with the sessions of a table, whatever order their messages' times give."""
    incidents: list[Incident] = []
    unknown: list[str] = []
    examined: Counter[str] = Counter(operations=len(table))
    kept = {int(row): place for place, row in enumerate(table.kept.row) if row >= 0}
    for session in np.unique(table.session):
        rows = np.flatnonzero(table.session == session)
        answers = {
            int(row): list(map(int, table.kept.of(kept[int(row)])))
            for row in rows
            if int(row) in kept and table.ok[row] and table.f[row] in _LISTING
        }
        examined["reads"] += len(answers)
        examined["appends"] += int((table.f[rows] == F.APPEND).sum())
        incidents += _of_session(table, rows, answers)
        if not any(_is_final(table, row) for row in answers):
            name = session_name(table, int(session))
            unknown.append(f"session {name} was not read when all was quiet")
    level: Level = "none" if incidents else "session"
    return Judged(tuple(incidents), dict(examined), tuple(unknown), level)


def _is_final(table: Table, row: int) -> bool:
    """Whether a read asked for all messages when all was quiet."""
    return bool(table.phase[row] == Phase.FINAL and table.f[row] in _WHOLE)


def _of_session(table: Table, rows: Rows, answers: dict[int, list[int]]) -> Iterator[Incident]:
    ordered = sorted(answers, key=lambda row: (len(answers[row]), table.inv[row]))
    for row in ordered:
        strange = _strange(table, row, answers[row])
        if strange is not None:
            yield strange
            return  # the same message is strange in each read that has it
    finals = [row for row in reversed(ordered) if _is_final(table, row)]
    if not finals:
        return
    yield from _disordered(table, ordered, answers, finals[0])
    yield from _miscounted(table, rows, len(answers[finals[0]]))
    if not np.isin(table.f[rows][table.type[rows] != Type.FAIL], _REMOVING).any():
        lost = (_lost(table, rows, set(answers[final]), final) for final in finals)
        yield from itertools.islice(filter(None, lost), 1)


def _strange(table: Table, row: int, answer: Sequence[int]) -> Incident | None:
    """What no order excuses in one answer: unknown, refused and repeated messages."""
    writers = table.writer(np.asarray(answer, np.uint64))
    session = int(table.session[row])
    for number, writer in zip(answer, map(int, writers), strict=True):
        if writer < 0:
            anomaly, told = Anomaly.PHANTOM, "which nobody sent"
        elif table.session[writer] != session:
            anomaly, told = Anomaly.LEAK, "which was sent to another session"
        elif table.type[writer] == Type.FAIL:
            anomaly, told = Anomaly.ABORTED_READ, "whose append was refused"
        elif answer.count(number) > 1:
            anomaly, told = Anomaly.DUPLICATE, "more than once"
        else:
            continue
        shown = (row,) if writer < 0 else (row, writer)
        sentence = f"{whose(table, row)} answered {labels([number])}, {told}."
        return _incident(table, anomaly, shown, sentence, (number,))
    return None


def _disordered(
    table: Table, reads: Sequence[int], answers: dict[int, list[int]], final: int
) -> Iterator[Incident]:
    place = {number: at for at, number in enumerate(answers[final])}
    for row in reads:
        there = [number for number in answers[row] if number in place]
        swapped = next(
            (pair for pair in itertools.pairwise(there) if place[pair[0]] > place[pair[1]]),
            None,
        )
        if swapped is not None:
            first, second = swapped
            sentence = (
                f"{whose(table, row)} has {labels([first])} before {labels([second])}; "
                "the final read has them the other way round."
            )
            yield _incident(table, Anomaly.REORDER, (row, final), sentence, swapped)
            break
    written: dict[int, tuple[int, int, int]] = {}
    for number in answers[final]:
        writer = int(table.writer(np.asarray([number], np.uint64))[0])
        client, this = int(table.client[writer]), (int(table.inv[writer]), number, writer)
        last = written.get(client, this)
        if this < last:
            _, before, other = last
            sentence = (
                f"{labels([number])} of {whose(table, writer)} stands behind {labels([before])} of "
                f"{whose(table, other)}, although its time is the earlier one."
            )
            yield _incident(table, Anomaly.WRITE_ORDER, (writer, other, final), sentence, (number,))
            return
        written[client] = this


def _miscounted(table: Table, rows: Rows, length: int) -> Iterator[Incident]:
    counts = rows[(table.f[rows] == F.COUNT) & table.ok[rows] & (table.phase[rows] == Phase.FINAL)]
    for row in map(int, counts):
        if table.length[row] >= 0 and table.length[row] != length:
            sentence = (
                f"{whose(table, row)} answered {int(table.length[row])} when all was quiet; "
                f"the final read has {amount(length, 'message')}."
            )
            yield _incident(table, Anomaly.COUNTER_DRIFT, (row,), sentence, ())
            return


def _lost(table: Table, rows: Rows, there: set[int], final: int) -> Incident | None:
    before = rows[table.writes[rows] & table.ok[rows] & (table.ret[rows] < table.inv[final])]
    lost = [row for row in map(int, before) if not there.issuperset(sent(table, row))]
    if not lost:
        return None
    ids = tuple(number for row in lost for number in sent(table, row) if number not in there)
    sentence = (
        f"{whose(table, lost[0])} was acknowledged; the final read does not have {labels(ids[:1])}."
    )
    found = _incident(table, Anomaly.LOST_MESSAGE, (lost[0], final), sentence, ids)
    return replace(found, flagged=len(lost))


def _incident(
    table: Table, anomaly: Anomaly, rows: Sequence[int], sentence: str, ids: Sequence[int]
) -> Incident:
    return Incident(
        anomaly=anomaly,
        session=int(table.session[rows[0]]),
        rows=tuple(int(table.at[row]) for row in rows),
        sentence=sentence,
        ids=tuple(ids),
    )
