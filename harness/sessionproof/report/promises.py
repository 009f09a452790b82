"""What performance tables of such stores promise, beside what was measured here.

The figures are those of the tables from which the project started (``docs/errata.md``). They are
milliseconds of machines that nobody knows, so meeting one says little; missing one says something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sessionproof.contract.measurements import Size, Speed
from sessionproof.report.amounts import amount_of, digits, duration

MS = 1_000.0
MB = 1_000_000.0


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One line of such a table, in its ``unit``.

    ``before`` and ``after`` are a change's two columns. ``below`` is a target that the value must
    stay under, ``faster`` one that multiplies the throughput of a single client. ``calls`` is how
    many calls, by as many clients, the times are for. ``of`` are the first words of the rows that
    it speaks of.
    """

    of: tuple[str, ...]
    unit: str = "µs"
    clients: int = 1
    calls: int = 1
    before: float | None = None
    after: float | None = None
    below: float | None = None
    faster: float | None = None


@dataclass(frozen=True)
class Cell:
    """What a cell says, and whether it is met; None where there is nothing to compare."""

    words: str = ""
    met: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Promised:
    """A row that such tables speak of: what was measured ``here``, and their columns."""

    what: str
    here: str
    before: Cell
    after: Cell
    target: Cell


PROMISES = (
    Promise(of=("append", "insert"), before=2.1 * MS, after=1.8 * MS),
    Promise(of=("get",), before=1.5 * MS, after=0.8 * MS, below=10 * MS),
    Promise(of=("search",), before=45 * MS, after=24 * MS),
    Promise(of=("create",), below=10 * MS),
    Promise(of=("update",), below=10 * MS),
    Promise(of=("delete",), below=10 * MS),
    Promise(of=("generate_session_id",), below=5 * MS),
    Promise(of=("create_session",), below=10 * MS),
    Promise(of=("get_session",), below=10 * MS),
    Promise(of=("update_parent_id",), below=10 * MS),
    Promise(of=("delete_session",), below=10 * MS),
    Promise(of=("cleanup", "sweep"), below=50 * MS),
    Promise(
        of=("append", "insert"), clients=10, calls=10, before=450 * MS, after=120 * MS, faster=10
    ),
    Promise(of=("memory per", "private memory per"), unit="bytes", before=2.5 * MB, after=0.8 * MB),
)


def promised(speeds: Sequence[Speed], sizes: Sequence[Size]) -> list[Promised]:
    """What was measured of all that is promised; the first row of an operation speaks for it."""
    out = []
    for one in PROMISES:
        if one.unit == "bytes":
            rows = [row for row in sizes if promise_of(row.what, "", row.unit) is one]
            out += [_row(one, row.what, row.value, amount_of(row.value, row.unit)) for row in rows]
            continue
        found = [row for row in speeds if promise_of(row.operation, row.clients) is one]
        out += [_of_speed(one, row, speeds) for row in found[:1]]
    return out


def promise_of(what: str, clients: str, unit: str = "µs") -> Promise | None:
    """The line of such tables that speaks of this row; processes are in none of them."""
    if "process" in clients:
        return None
    words = what.lower()
    return next(
        (
            one
            for one in PROMISES
            if one.unit == unit
            and one.clients == number_of(clients)
            and any(words == first or words.startswith((f"{first} ", f"{first},"))
                    for first in one.of)
        ),
        None,
    )  # fmt: skip


def in_words(one: Promise) -> str:
    """``before 2.1 ms, after 1.8 ms, target < 10 ms``."""
    cells = (("before", _before(one)), ("after", _after(one)), ("target", _target(one)))
    return ", ".join(f"{name} {words}" for name, words in cells if words)


def number_of(clients: str) -> int:
    """How many clients ``10 threads`` are; 1 where no number is said."""
    first = clients.partition(" ")[0]
    return int(first) if first.isdecimal() else 1


def _of_speed(one: Promise, row: Speed, speeds: Iterable[Speed]) -> Promised:
    if one.calls == 1:
        return _row(one, row.operation, row.latency.p50_us, duration(row.latency.p50_us))
    value = one.calls / row.per_second * 1e6
    here = duration(value) + _in_all(one)
    alone = [
        other.per_second
        for other in speeds
        if other.operation == row.operation
        and number_of(other.clients) == 1
        and "process" not in other.clients
    ]
    faster = row.per_second / max(alone) if alone else None
    if faster is not None:
        here += f", ×{digits(faster)} throughput"
    return _row(one, f"{row.operation}, {row.clients}", value, here, faster)


def _row(one: Promise, what: str, value: float, here: str, faster: float | None = None) -> Promised:
    met = None if one.below is None else value < one.below
    if one.faster is not None and faster is not None:
        met = faster >= one.faster
    after = None if one.after is None else value <= one.after
    return Promised(
        what=what,
        here=here,
        before=Cell(_before(one)),
        after=Cell(_after(one), after),
        target=Cell(_target(one), met),
    )


def _before(one: Promise) -> str:
    return "" if one.before is None else _said(one.before, one.unit) + _in_all(one)


def _after(one: Promise) -> str:
    return "" if one.after is None else _said(one.after, one.unit) + _in_all(one)


def _target(one: Promise) -> str:
    if one.faster is not None:
        return f"×{one.faster:g} throughput"
    return "" if one.below is None else f"< {_said(one.below, one.unit)}"


def _said(value: float, unit: str) -> str:
    """A promised value, without digits that its table has not."""
    return f"{value / MB:g} MB" if unit == "bytes" else f"{value / MS:g} ms"


def _in_all(one: Promise) -> str:
    return " in all" if one.calls > 1 else ""
