"""The rows of one session as operations for the search, and what their answers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sessionproof.checks.models import READS, REMOVALS, Known, Operation
from sessionproof.history.columns import (
    BATCH,
    MISSING,
    NEVER,
    NONE,
    F,
    History,
    Phase,
    Type,
    digest_of,
)

Answers: TypeAlias = Mapping[int, tuple[int, ...]]
"""By row, the ids that a read answered, where they are known."""

SENDS = frozenset({F.APPEND, F.CREATE, F.REPLACE})


def operations_of(
    history: History, rows: npt.NDArray[np.int64], *, atomic: bool
) -> tuple[Operation, ...]:
    """What the rows of one session say: what may have taken effect, and what was answered.

    Left out is what says nothing: refused writes other than those answered "not found", reads
    without an answer, and pages during which something may have been removed. Without ``atomic``,
    an append of several messages is as many operations, one after another.
    """
    made = [_operation(history.rows[row], int(row)) for row in rows]
    some = [one for one in made if one is not None]
    unsure = _unsure_pages(some, history.rows[rows])
    out: list[Operation] = []
    for one in some:
        if one.key in unsure:
            continue
        out += [one] if atomic or one.f != F.APPEND or one.refused else _parts(one)
    return tuple(out)


def _operation(row: np.void, place: int) -> Operation | None:
    """One row; None for one that says nothing."""
    f, kind = F(int(row["f"])), Type(int(row["type"]))
    length, n = int(row["length"]), int(row["n"])
    refused = kind == Type.FAIL and length == MISSING and f not in READS and f != F.CREATE
    if kind == Type.FAIL and not refused:
        return None
    if kind == Type.INFO and f in READS:
        return None
    first = int(row["id"])
    ids = tuple(range(first, first + n)) if f in SENDS and not refused else ()
    if f == F.APPEND and not refused and not ids:
        return None
    return Operation(
        row=place,
        key=place * BATCH,
        f=f,
        inv=int(row["inv"]),
        ret=NEVER if kind == Type.INFO else int(row["ret"]),
        client=int(row["client"]),
        final=int(row["phase"]) == Phase.FINAL,
        must=kind != Type.INFO,
        refused=refused,
        ids=ids,
        n=n,
        length=length,
        digest=int(row["digest"]),
        last=int(row["last"]),
        value=int(row["value"]) if kind == Type.OK else NONE,
    )


def _parts(append: Operation) -> list[Operation]:
    """A batch whose messages land one after another."""
    return [
        replace(
            append,
            ids=(number,),
            key=append.key + at,
            after=append.key + at - 1 if at else None,
            value=append.value if not at else NONE,
        )
        for at, number in enumerate(append.ids)
    ]


def _unsure_pages(operations: Sequence[Operation], rows: npt.NDArray[np.void]) -> set[int]:
    """Pages during which something may have been removed: they are no picture of one moment.

    Their first page came after whatever the client had done before.
    """
    removals = [one for one in operations if one.f in REMOVALS and not one.refused]
    out = set()
    for one in operations if removals else ():
        if one.f != F.PAGES:
            continue
        before = (rows["client"] == one.client) & (rows["ret"] <= one.inv)
        began = int(rows["ret"][before].max(initial=-1))
        others = (other for other in removals if other.client != one.client or not other.must)
        if any(other.inv <= one.ret and other.ret >= began for other in others):
            out.add(one.key)
    return out


def answers_of(history: History, operations: Iterable[Operation]) -> dict[int, tuple[int, ...]]:
    """What reads answered: kept lists, and reads that are the beginning of one by their digest."""
    out: dict[int, tuple[int, ...]] = {}
    rest = []
    for one in operations:
        if one.f not in READS or one.f == F.COUNT:
            continue
        kept = history.lists.of(one.row)
        if kept is not None:
            out[one.row] = tuple(map(int, kept))
        elif one.length <= 0:
            out[one.row] = ()
        elif one.f != F.READ_LAST:
            rest.append(one)
    by_end: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for ids in set(out.values()) if rest else ():
        for at, number in enumerate(ids):
            by_end.setdefault((at + 1, number), []).append(ids)
    for one in rest:
        for ids in by_end.get((one.length, one.last), ()):
            if digest_of(np.array(ids[: one.length], np.uint64)) == one.digest:
                out[one.row] = ids[: one.length]
                break
    return out


def known_of(operations: Sequence[Operation], answers: Answers) -> Known:
    """What all answers together say of places and neighbours; see ``Known``."""
    writers = Counter(number for one in operations for number in one.ids)
    places: dict[int, set[int]] = {}
    above: dict[int, set[int]] = {}
    below: dict[int, set[int]] = {}
    due: dict[int, list[int]] = {}
    for one in operations:
        whole = one.f in (F.READ, F.PAGES)
        if one.f in READS and one.f != F.COUNT and one.length > 0 and writers[one.last] == 1:
            due.setdefault(one.last, []).append(one.key)
        if whole and one.length > 0:
            places.setdefault(one.last, set()).add(one.length - 1)
        ids = answers.get(one.row, ())
        for at, number in enumerate(ids):
            if whole:
                places.setdefault(number, set()).add(at)
            if at:
                above.setdefault(number, set()).add(ids[at - 1])
                below.setdefault(ids[at - 1], set()).add(number)
    return Known(
        places=_agreed(places, writers),
        above=_agreed(above, writers),
        below=_agreed(below, writers),
        due=due,
        unseen=_unseen(operations, answers),
    )


def _unseen(operations: Sequence[Operation], answers: Answers) -> frozenset[int]:
    """Ids that no answer holds: of what was answered, or could be before it was sent."""
    reads = [one for one in operations if one.f in READS and one.f != F.COUNT]
    seen = {number for one in reads for number in answers.get(one.row, (one.last,))}
    until = max((one.ret for one in reads if one.row not in answers), default=-1)
    return frozenset(
        number for one in operations if one.inv > until for number in one.ids if number not in seen
    )


def _agreed(found: Mapping[int, set[int]], writers: Mapping[int, int]) -> dict[int, int]:
    """What is said in one way alone, of ids that one operation sent."""
    return {
        number: next(iter(said))
        for number, said in found.items()
        if len(said) == 1 and writers.get(number) == 1
    }


def by_client_alone(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The same without real time between clients; final reads still stand behind all others.

    Each operation stands after the one before it of its client, and no more.
    """
    quiet = min((one.inv for one in operations if one.final), default=NEVER)
    out = []
    latest: dict[int, int] = {}
    for one in sorted(operations, key=lambda one: (one.inv, one.key)):
        if one.final:
            out.append(one)
            continue
        after = one.after if one.after is not None else latest.get(one.client)
        ret = quiet - 1 if one.must and one.ret < quiet else NEVER
        out.append(replace(one, inv=0, ret=ret, after=after))
        if one.must:
            latest[one.client] = one.key
    return tuple(out)
