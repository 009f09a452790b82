"""Operations of a concurrent history in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.checks.table import Table
from sessionproof.history.columns import MISSING, F, Type


def who(table: Table, row: int) -> str:
    """The client of an operation."""
    return f"client {int(table.client[row])}"


def call(table: Table, row: int) -> str:
    """What an operation was, as a noun: ``append of #a00``, ``read``, ``read_last(5)``."""
    n, f = int(table.n[row]), F(int(table.f[row]))
    if f in (F.APPEND, F.CREATE, F.REPLACE) and n:
        name = {F.APPEND: "append", F.CREATE: "creation with", F.REPLACE: "replacement by"}[f]
        first = int(table.id[row])
        return f"{name}{' of' * (f is F.APPEND)} {labels(range(first, first + n))}"
    return {
        F.READ: "read",
        F.READ_LAST: f"read_last({n})",
        F.PAGES: "reading of the last page",
        F.COUNT: "count",
        F.CREATE: "creation",
        F.DELETE: "deletion",
        F.CLEAR: "clearing",
        F.APPEND: "append of nothing",
        F.REPLACE: "replacement by nothing",
    }[f]


def whose(table: Table, row: int) -> str:
    """As ``client 1's append of #a00``."""
    return f"{who(table, row)}'s {call(table, row)}"


def labels(ids: Sequence[int]) -> str:
    """Messages by their labels: ``#a00``, ``#a00 and #b00``, ``#a00…#a02 (3 messages)``."""
    names = [f"#{number:x}" for number in ids]
    if not names:
        return "no message"
    if len(names) == 1:
        return names[0]
    if len(names) == 2:
        return f"{names[0]} and {names[1]}"
    return f"{names[0]}…{names[-1]} ({len(names)} messages)"


def sent(table: Table, row: int) -> tuple[int, ...]:
    """The ids of the messages that an operation sent."""
    first = int(table.id[row])
    return tuple(range(first, first + int(table.n[row]))) if table.writes[row] else ()


def apart(earlier_ns: int, later_ns: int) -> str:
    """A stretch of time: ``41 µs``, ``2.5 ms``, ``less than 1 µs``."""
    span = later_ns - earlier_ns
    if span < 1_000:
        return "less than 1 µs"
    if span < 1_000_000:
        return f"{span // 1_000} µs"
    return f"{span / 1e6:.1f} ms" if span < 1_000_000_000 else f"{span / 1e9:.1f} s"


def began_after(table: Table, row: int, earlier: int) -> str:
    """As ``client 3's read began 41 µs after client 1's append of #a00 had been acknowledged``."""
    gap = apart(int(table.ret[earlier]), int(table.inv[row]))
    verb = "acknowledged" if table.writes[earlier] or table.f[earlier] == F.DELETE else "answered"
    if table.type[earlier] == Type.FAIL:
        verb = "refused"
    other = "its own" if table.client[row] == table.client[earlier] else who(table, earlier) + "'s"
    return f"{whose(table, row)} began {gap} after {other} {call(table, earlier)} had been {verb}"


def answered(table: Table, row: int) -> str:
    """What a read or count said, in short."""
    length = int(table.length[row])
    if length == MISSING:
        return "that there is no such session"
    if table.f[row] == F.COUNT:
        return f"a count of {length}"
    return amount(length, "message")


def amount(number: int, unit: str) -> str:
    """As ``1 session``, ``3 sessions``."""
    return f"{number} {unit}{'s' * (number != 1)}"


def session_name(table: Table, session: int) -> str:
    """The session's id, or its number where the history has no names."""
    names = table.history.sessions
    return repr(names[session]) if session < len(names) else f"number {session}"
