"""The smallest part of a session's history that no order explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from itertools import pairwise

from sessionproof.checks.contradictions import label
from sessionproof.checks.incidents import Incident
from sessionproof.checks.models import READS, Operation
from sessionproof.checks.operations import Answers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.history.columns import MISSING, NEVER, NONE, F


class Cause(Enum):
    """Without which answers the rest is explained."""

    COUNTS = 1
    NUMBERS = 2
    OTHER = 3


Search = Callable[[Sequence[Operation], float], bool | None]
"""Whether some operations are explained, within so many seconds."""


def smallest(
    operations: Sequence[Operation],
    answers: Answers,
    search: Search,
    *,
    limit_s: float,
    numbered: bool,
) -> tuple[Operation, ...]:
    """Fewest operations without an explanation, found one by one within ``limit_s``.

    What goes only ever asks for less: an answer is not looked at any more; a write may have taken
    effect, but need not; a write that need not is left out when no answer that is left can show it.
    So what remains is a contradiction of the whole history, not of the part. ``numbered`` says that
    numbers were judged: then what is in between counts.
    """
    until = monotonic_s() + limit_s
    left = list(operations)
    for weaker in (_unasked, _optional, _unasked, _without):
        for one in sorted(left, key=lambda one: (one.f not in READS, -one.ret, one.key)):
            less = weaker(left, one, answers, numbered)
            seconds = until - monotonic_s()
            if seconds <= 0:
                return tuple(left)
            if less is not None and search(less, seconds) is False:
                left = less
    return tuple(left)


def _unasked(
    left: Sequence[Operation], one: Operation, _answers: Answers, _numbered: bool
) -> list[Operation] | None:
    """Without an answer: what changes nothing can go."""
    if one.f not in READS and not one.refused:
        return None
    return [other for other in left if other.key != one.key]


def _optional(
    left: Sequence[Operation], one: Operation, _answers: Answers, _numbered: bool
) -> list[Operation] | None:
    """With a write that need not have taken effect."""
    if one.f in READS or one.refused or not one.must:
        return None
    free = replace(one, must=False, ret=NEVER)
    return [free if other.key == one.key else other for other in left]


def _without(
    left: Sequence[Operation], one: Operation, answers: Answers, numbered: bool
) -> list[Operation] | None:
    """Without a write that need not have taken effect, if no answer can show it."""
    if one.must or (
        one.inv <= max((other.ret for other in left if other.must), default=0)
        and _matters(left, one, answers, numbered)
    ):
        return None
    return [other for other in left if other.key != one.key]


def _matters(left: Sequence[Operation], one: Operation, answers: Answers, numbered: bool) -> bool:
    """Whether an answer might be explained by this write."""
    if one.f != F.APPEND:
        return True
    reads = [other for other in left if other.f in READS]
    if numbered and any(other.value != NONE for other in left if other.f not in READS):
        return True
    if any(other.after == one.key for other in left):
        return True
    if any(other.row not in answers and other.length > 0 for other in reads):
        return True
    return any(set(one.ids) & set(answers.get(other.row, ())) for other in reads)


def incident_of(
    fewest: Sequence[Operation], answers: Answers, session: int, *, cause: Cause = Cause.OTHER
) -> Incident:
    """The fewest operations as an incident: those that cannot all be right stand first."""
    musts = sorted((one for one in fewest if one.must), key=lambda one: (one.inv, one.key))
    reads = [one for one in musts if one.f in READS or one.refused]
    guilty = sorted({*musts[:2], *reads[-1:]}, key=lambda one: (one.inv, one.key))
    rest = [one for one in fewest if one not in guilty]
    rows = tuple(dict.fromkeys(one.row for one in (*guilty, *rest)))
    told = [_told(one, answers) for one in musts]
    shown = ", ".join(told[:6]) + (f" and {len(told) - 6} more" if len(told) > 6 else "")
    sentence = f"no order explains {shown}"
    ids = tuple(number for one in guilty for number in one.ids)
    anomaly = Anomaly.COUNTER_DRIFT
    if cause is not Cause.COUNTS:
        by_numbers = cause is Cause.NUMBERS
        anomaly = _of_numbers(musts) if by_numbers else _name(musts, answers)
    return Incident(anomaly, session, rows, sentence, ids, len(musts))


def _of_numbers(musts: Sequence[Operation]) -> Anomaly:
    """What is wrong with the numbers that appends were given."""
    given = [one for one in musts if one.value != NONE and one.ids]
    for one, other in pairwise(sorted(given, key=lambda one: one.value)):
        if other.value < one.value + len(one.ids):
            return Anomaly.DUPLICATE_SEQUENCE
        if other.ret < one.inv:
            return Anomaly.SEQUENCE_ORDER
    return Anomaly.SEQUENCE_GAP


def _name(musts: Sequence[Operation], answers: Answers) -> Anomaly:
    """The name of a contradiction by what is left of it."""
    reads = [one for one in musts if one.f in READS]
    writes = [one for one in musts if one.f not in READS and not one.refused]
    if len(musts) != 2 or len(reads) + len(writes) != 2 or not reads:
        return Anomaly.NOT_LINEARIZABLE
    first, second = musts
    if len(reads) == 2:
        return _of_two_reads(first, second, answers)
    if first.ret >= second.inv or second.f not in READS:
        return Anomaly.NOT_LINEARIZABLE
    if first.f == F.CREATE and second.length == MISSING:
        return Anomaly.LOST_SESSION
    beyond = second.f == F.READ_LAST and second.length >= second.n
    held = answers.get(second.row)
    if first.f == F.APPEND and held is not None and not beyond and not set(first.ids) & set(held):
        same = first.client == second.client
        return Anomaly.READ_YOUR_WRITES if same else Anomaly.STALE_READ
    return Anomaly.NOT_LINEARIZABLE


def _of_two_reads(first: Operation, second: Operation, answers: Answers) -> Anomaly:
    """Two reads, the first one begun before the second."""
    earlier, later = answers.get(first.row), answers.get(second.row)
    whole = first.f in (F.READ, F.PAGES) and second.f in (F.READ, F.PAGES)
    if not whole or earlier is None or later is None or first.ret >= second.inv:
        return Anomaly.NOT_LINEARIZABLE
    less = later == earlier[: len(later)]
    return Anomaly.NON_MONOTONIC if less else Anomaly.NOT_LINEARIZABLE


def _told(one: Operation, answers: Answers) -> str:
    """One operation with its answer, for people."""
    verb = one.f.name.lower().replace("_", " ")
    who = f"{verb} by client {one.client}"
    if one.refused or one.length == MISSING:
        return f"{who} (not found)"
    if one.f not in READS:
        number = f" (number {one.value})" if one.value != NONE else ""
        return f"{verb} of {label(one.ids[0])} by client {one.client}{number}" if one.ids else who
    ids = answers.get(one.row)
    if ids and len(ids) <= 4:
        return f"{who} ({' '.join(map(label, ids))})"
    return f"{who} ({one.length} messages)"
