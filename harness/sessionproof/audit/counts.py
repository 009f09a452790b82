"""Counters, totals and sequence numbers of sessions against their messages, in one pass."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.checks import shown
from sessionproof.audit.result import EXAMPLES_MAX, Problem
from sessionproof.audit.schemas import Known, Sessions
from sessionproof.audit.tables import quoted

_NEAR, _NEAR_S = 1e-9, 1e-6  # sums of fractions differ by their order: no user sees it


@dataclass(slots=True)
class _Group:
    """Sessions with the same problem."""

    count: int = 0
    missing: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str, missing: int = 0) -> None:
        self.count += 1
        self.missing += missing
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(example)


def session_problems(
    connection: sqlite3.Connection, found: Catalog, known: Known
) -> Iterator[Problem]:
    """Counters that are wrong or NULL, next numbers that were given, gaps that counts contradict.

    A gap alone is no damage: messages may be deleted. It is, when the session counts more
    messages than it has.
    """
    sessions = known.sessions and _present(found, known.sessions)
    if sessions is None:
        return
    try:
        rows = _compare(connection, sessions, known, "SUM")
    except sqlite3.OperationalError as error:
        if "integer overflow" not in str(error):
            raise
        rows = _compare(connection, sessions, known, "TOTAL")
    wrong = {column: _Group() for column in sessions.counters}
    beyond, gaps = _Group(), _Group()
    for name, number, low, high, after, *pairs in rows:
        session = shown(name)
        kept_and_real = dict(
            zip(sessions.counters, zip(pairs[::2], pairs[1::2], strict=True), strict=True)
        )
        for column, (kept, real) in kept_and_real.items():
            if differs(kept, real):
                wrong[column].add(f"{session}: {shown(kept)}, its messages give {shown(real)}")
        given = number and isinstance(high, int | float) and _least(after) <= high
        if sessions.next and (not isinstance(after, int) or given):
            beyond.add(f"{session}: next {shown(after)}, highest {shown(high)}")
        counted = kept_and_real[sessions.count][0] if sessions.count else None
        missing = _missing(sessions, counted, number, low, high, after)
        if missing:
            gaps.add(f"{session}: {missing}", missing)
    yield from _told(sessions, wrong, beyond, gaps)


def _told(
    sessions: Sessions, wrong: dict[str, _Group], beyond: _Group, gaps: _Group
) -> Iterator[Problem]:
    for column, group in wrong.items():
        if group.count:
            yield _problem(
                "wrong-counter", sessions.table, column, group,
                f"{column} is wrong in {group.count} sessions", _recount(sessions, column),
            )  # fmt: skip
    if beyond.count:
        repair = (
            f"UPDATE {quoted(sessions.table)} SET {quoted(str(sessions.next))} = 1 + "
            f"{_of_messages(sessions, f'MAX({quoted(str(sessions.number))})')} "
            f"WHERE {quoted(str(sessions.next))} <= "
            f"{_of_messages(sessions, f'MAX({quoted(str(sessions.number))})')}"
        )
        what = f"{sessions.next} is not above the numbers of {beyond.count} sessions"
        yield _problem("number-beyond-next", sessions.table, sessions.next, beyond, what, repair)
    if gaps.count:
        yield _problem(
            "gap", sessions.messages, sessions.number, gaps,
            f"{gaps.missing} messages are missing in {gaps.count} sessions that count them", None,
        )  # fmt: skip


def _problem(
    kind: str, table: str, column: str | None, group: _Group, what: str, sql: str | None
) -> Problem:
    examples = tuple(group.examples)
    return Problem(
        kind=kind, table=table, column=column, count=group.count, what=what, examples=examples,
        sql=sql,
    )  # fmt: skip


def _present(found: Catalog, sessions: Sessions) -> Sessions | None:
    """The description without the columns that the file lacks; None without the tables."""
    if not found.has(sessions.table, sessions.key):
        return None
    if not found.has(sessions.messages, sessions.message_key):
        return None
    counters = {
        column: source
        for column, source in sessions.counters.items()
        if found.has(sessions.table, column)
        and (source is None or found.has(sessions.messages, source))
    }
    numbered = sessions.number is not None and found.has(sessions.messages, sessions.number)
    follows = numbered and sessions.next is not None and found.has(sessions.table, sessions.next)
    return replace(
        sessions,
        counters=counters,
        count=sessions.count if sessions.count in counters else None,
        number=sessions.number if numbered else None,
        next=sessions.next if follows else None,
    )


def _compare(
    connection: sqlite3.Connection, sessions: Sessions, known: Known, total: str
) -> sqlite3.Cursor:
    """The sessions of which something may be wrong.

    A row is the name, the number of messages, the lowest and highest number, the next number, then
    each counter as it is kept and as it is computed.
    """
    numbers = f"m.{quoted(sessions.number)}" if sessions.number else "NULL"
    sums = [
        "COUNT(*)" if source is None else f"coalesce({total}(m.{quoted(source)}), 0)"
        for source in sessions.counters.values()
    ]
    inner = "".join(f", {one} AS t{place}" for place, one in enumerate(sums))
    after = f"s.{quoted(sessions.next)}" if sessions.next else "NULL"
    pairs, doubts = [], []
    for place, column in enumerate(sessions.counters):
        kept, real = f"s.{quoted(column)}", f"coalesce(r.t{place}, 0)"
        pairs.append(f", {kept}, {real}")
        doubts.append(f"{kept} IS NOT {real}")
    if sessions.next:
        doubts += [f"r.high >= {after}", f"typeof({after}) <> 'integer'"]
    name = _label(known, sessions)
    key = f"m.{quoted(sessions.message_key)}"
    return connection.execute(
        f"SELECT s.{quoted(name)}, coalesce(r.n, 0), r.low, r.high, {after}{''.join(pairs)} "
        f"FROM {quoted(sessions.table)} AS s LEFT JOIN (SELECT {key} AS k, COUNT(*) AS n, "
        f"MIN({numbers}) AS low, MAX({numbers}) AS high{inner} "
        f"FROM {quoted(sessions.messages)} AS m GROUP BY {key}) AS r "
        f"ON r.k = s.{quoted(sessions.key)} WHERE {' OR '.join(doubts) or '0'}"
    )


def _label(known: Known, sessions: Sessions) -> str:
    return known.tables[sessions.table].label[0]


def differs(kept: object, real: object) -> bool:
    """Whether a kept counter is not the real one; sums of fractions may differ by their order."""
    numbers = (int, float)
    if not isinstance(kept, numbers) or not isinstance(real, numbers):
        return True
    if isinstance(kept, int) and isinstance(real, int):
        return kept != real
    if real == 0:
        return kept != 0  # nothing was added: a residue is what additions and subtractions left
    return not abs(kept - real) <= max(_NEAR_S, _NEAR * abs(real))


def _least(value: object) -> int | float:
    return value if isinstance(value, int) else float("inf")


def _missing(
    sessions: Sessions, counted: object, number: int, low: object, high: object, after: object
) -> int:
    """How many messages are counted, have had a number, and are not there."""
    if sessions.number is None or not isinstance(counted, int) or counted <= number:
        return 0
    highest = max(high if isinstance(high, int) else 0, after - 1 if isinstance(after, int) else 0)
    lowest = min(sessions.first, low) if isinstance(low, int) else sessions.first
    return max(0, min(highest - lowest + 1 - number, counted - number))


def _recount(sessions: Sessions, column: str) -> str:
    source = sessions.counters[column]
    add = "COUNT(*)" if source is None else f"coalesce(SUM({quoted(source)}), 0)"
    real, kept = _of_messages(sessions, add), quoted(column)
    return f"UPDATE {quoted(sessions.table)} SET {kept} = {real} WHERE {kept} IS NOT {real}"


def _of_messages(sessions: Sessions, value: str) -> str:
    return (
        f"(SELECT {value} FROM {quoted(sessions.messages)} AS m WHERE "
        f"m.{quoted(sessions.message_key)} = {quoted(sessions.table)}.{quoted(sessions.key)})"
    )
