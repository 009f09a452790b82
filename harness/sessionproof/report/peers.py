"""The reference beside all other stores: where it is ahead, and where it is not, by how much."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from markupsafe import Markup

import sessionproof
from sessionproof.contract.measurements import Size, Speed
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.amounts import amount_of, digits, duration, interval
from sessionproof.report.charts import BAR_CHARACTERS_MAX, NAME_CHARACTERS_MAX
from sessionproof.report.comparison import NOTHING, Column, facts
from sessionproof.report.html import environment
from sessionproof.report.markdown import code, plain
from sessionproof.report.plain import cut, shown
from sessionproof.report.promises import number_of
from sessionproof.report.speed import MACHINE
from sessionproof.report.write import write_whole
from sessionproof.svg.columns import Bar, columns
from sessionproof.svg.scales import ceiling, floor

SCHEMA_VERSION = 1
MARKDOWN, JSON, PAGE = "peers.md", "peers.json", "peers.html"
ALIKE = 1.1  # times and rates of runs one after the other that differ by less are level
_WORDS_MAX = 600

Place: TypeAlias = Literal["ahead", "level", "behind"]
Measured: TypeAlias = Speed | Size


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The reference beside one store in one row.

    ``times`` is its cost as a multiple of the other's. ``by`` says of what: ``ratio`` to the floor
    of the store's own durability, ``calls a second``, ``p50`` or ``bytes``.
    """

    store: str
    place: Place
    times: float
    by: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: what each store measured, by the store's name, and where the reference stands.

    ``standings`` has each store that measured the same, the one that is best first; it is empty
    where the reference is alone, or has no such call.
    """

    head: str
    measured: Mapping[str, Measured]
    standings: tuple[Standing, ...]

    @property
    def place(self) -> Place | None:
        """Where the reference stands beside the best of the others; None where there is none."""
        return self.standings[0].place if self.standings else None


def rows_of(reference: Column, others: Sequence[Column]) -> tuple[Row, ...]:
    """All rows that any store has, in the order in which they come."""
    found: dict[str, dict[str, Measured]] = {}
    for column in (reference, *others):
        for head, one in _measured(column):
            found.setdefault(head, {})[column.name] = one
    return tuple(
        Row(head=head, measured=by_store, standings=_standings(reference.name, by_store))
        for head, by_store in found.items()
    )


def told(row: Row) -> str:
    """Where the reference stands in a row, in a sentence; empty where there is nothing to say."""
    if not row.standings:
        return ""
    best = row.standings[0]
    match best.place:
        case "ahead":
            return f"ahead of all, of {best.store} ×{digits(1 / best.times)}"
        case "level":
            return f"level with {best.store}: {_times(best)}"
        case _:
            others = [one.store for one in row.standings if one.place == "behind"]
            return f"behind {', '.join(others)}: {_times(best)}"


def _times(one: Standing) -> str:
    times = 1 / one.times if one.by == "calls a second" else one.times
    return f"{digits(times)} times {one.store}'s {one.by}"


def summary(rows: Sequence[Row]) -> str:
    """In how many rows the reference is ahead, in a sentence."""
    judged = [row.place for row in rows if row.place]
    if not judged:
        return "No other store measured what the reference measured."
    ahead, level, behind = (judged.count(place) for place in ("ahead", "level", "behind"))
    return (
        f"The reference is ahead in {ahead} of {len(judged)} rows that another store has too, "
        f"level in {level}, behind in {behind}."
    )


def seen_broken(column: Column) -> str:
    """What was seen to be wrong while the store was measured, in a sentence; most often empty."""
    findings = [
        finding
        for row in (column.result.guarantees if column.result is not None else ())
        if row.verdict is Verdict.BROKEN
        for finding in row.findings
    ]
    if not findings:
        return ""
    one = findings[0]
    return (
        f"{one.anomaly.value} was seen while it was measured: expected {one.expected}, {one.seen}"
    )


def write_peers(reference: Column, others: Sequence[Column], directory: Path) -> Path:
    """Write the three forms into the existing folder, each whole; the path of the page."""
    rows = rows_of(reference, others)
    said = json.dumps(to_json(reference, others, rows), allow_nan=False)
    write_whole(directory / JSON, said + "\n")
    write_whole(directory / MARKDOWN, render_markdown(reference, others, rows))
    write_whole(directory / PAGE, render_page(reference, others, rows))
    return directory / PAGE


def to_json(reference: Column, others: Sequence[Column], rows: Sequence[Row]) -> dict[str, Any]:
    """The standings as JSON values; raw samples are in ``performance.json``."""
    return {
        "schema": SCHEMA_VERSION,
        "sessionproof": sessionproof.__version__,
        "reference": reference.store,
        "stores": [
            {
                "store": one.store,
                "problem": one.problem,
                "version": _version(one),
                "broken": seen_broken(one),
            }
            for one in (reference, *others)
        ],
        "rows": [
            {
                "row": row.head,
                "place": row.place,
                "cells": {store: cell(one) for store, one in row.measured.items()},
                "standings": [asdict(one) for one in row.standings],
            }
            for row in rows
        ],
    }


def render_markdown(reference: Column, others: Sequence[Column], rows: Sequence[Row]) -> str:
    """The table as Markdown, and each row in which the reference is not ahead."""
    seen = [one for one in (reference, *others) if one.measured.any]
    heads = ["row", *(plain(one.name, 80) for one in seen), "the reference is"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [cell(row.measured.get(one.name)) for one in seen]
        lines.append(f"| {' | '.join(plain(one, 200) for one in (row.head, *cells, told(row)))} |")
    parts = ["# The reference beside other stores", summary(rows), "\n".join(lines)]
    lagging = [plain(f"{row.head}: {told(row)}", 400)
               for row in rows if row.place in ("level", "behind")]  # fmt: skip
    missing = [f"{code(one.store, 200)}: {code(one.problem, 500)}"
               for one in (reference, *others) if one.problem]  # fmt: skip
    wrong = [f"{code(one.store, 200)}: {plain(seen_broken(one), 400)}"
             for one in (reference, *others) if seen_broken(one)]  # fmt: skip
    parted = {"Where it is not ahead": lagging, "Seen broken": wrong, "Not measured": missing}
    for head, items in parted.items():
        if items:
            parts += [f"## {head}", "\n".join(f"- {item}" for item in items)]
    return "\n\n".join([*parts, f"{MACHINE}."]) + "\n"


def render_page(reference: Column, others: Sequence[Column], rows: Sequence[Row]) -> str:
    """The same as one page, with a picture for each operation that has a floor."""
    every = (reference, *others)
    return (
        environment()
        .get_template("peers.html.j2")
        .render(
            reference=reference,
            every=every,
            seen=[one for one in every if one.measured.any],
            rows=rows,
            lagging=[row for row in rows if row.place in ("level", "behind")],
            pictures=pictures(reference.name, rows),
            summary=summary(rows),
            told=told,
            seen_broken=seen_broken,
            cell=cell,
            version=_version,
            facts=facts(every),
            machine=MACHINE,
            tone=Verdict.HOLDS if reference.measured.any else Verdict.UNKNOWN,
            sessionproof=sessionproof.__version__,
        )
    )


def pictures(reference: str, rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """For each row with ratios of two stores or more: its head, and a bar for each store.

    All share one scale by powers of ten, so that pictures can be compared.
    """
    ratios = {
        row.head: {
            store: one.ratio.value
            for store, one in row.measured.items()
            if isinstance(one, Speed) and one.ratio is not None
        }
        for row in rows
    }
    drawn = {head: values for head, values in ratios.items() if len(values) > 1}
    every = [value for values in drawn.values() for value in values.values()]
    scale = (min(0.1, floor(min(every, default=1))), max(10.0, ceiling(max(every, default=1))))
    return [(head, _picture(reference, head, values, scale)) for head, values in drawn.items()]


def cell(one: Measured | None) -> str:
    """What a store measured, in a few words: the ratio where there is one, else a time or rate."""
    if one is None:
        return NOTHING
    if isinstance(one, Size):
        return amount_of(one.value, one.unit)
    rate = [f"{digits(one.per_second)}/s"] if number_of(one.clients) > 1 else []
    ratio = [interval(one.ratio)] if one.ratio is not None else []
    return ", ".join([duration(one.latency.p50_us), *ratio, *rate])


def _measured(column: Column) -> list[tuple[str, Measured]]:
    speeds, sizes = column.measured.speeds, column.measured.sizes
    named: list[tuple[str, Measured]] = [(_head(one), one) for one in speeds]
    return [*named, *((one.what, one) for one in sizes)]


def _head(one: Speed) -> str:
    """The row's name: one client is understood."""
    return one.operation if "client" in one.clients else f"{one.operation}, {one.clients}"


def _standings(reference: str, measured: Mapping[str, Measured]) -> tuple[Standing, ...]:
    own = measured.get(reference)
    if own is None:
        return ()
    found = [
        _standing(store, own, other) for store, other in measured.items() if store != reference
    ]
    return tuple(sorted(found, key=lambda one: (_ORDER[one.place], -one.times)))


_ORDER = {"behind": 0, "level": 1, "ahead": 2}


def _standing(store: str, own: Measured, other: Measured) -> Standing:
    if isinstance(own, Size) or isinstance(other, Size):
        values = [one.value for one in (own, other) if isinstance(one, Size)]
        return _by(store, values[0] / max(values[-1], 1), "bytes")
    if own.ratio is None or other.ratio is None:
        if number_of(own.clients) > 1:
            return _by(store, other.per_second / max(own.per_second, 1e-9), "calls a second")
        return _by(store, own.latency.p50_us / max(other.latency.p50_us, 1e-9), "p50")
    place: Place = "level"
    if own.ratio.high < other.ratio.low:
        place = "ahead"
    elif own.ratio.low > other.ratio.high:
        place = "behind"
    times = own.ratio.value / other.ratio.value
    return Standing(store=store, place=place, times=times, by="ratio")


def _by(store: str, times: float, by: str) -> Standing:
    place: Place = "level"
    if times > ALIKE:
        place = "behind"
    elif times < 1 / ALIKE:
        place = "ahead"
    return Standing(store=store, place=place, times=times, by=by)


def _picture(
    reference: str, head: str, values: Mapping[str, float], scale: tuple[float, float]
) -> Markup:
    bars = [
        Bar(shown(cut(store, BAR_CHARACTERS_MAX)), value, f"×{digits(value)}",
            "s0" if store == reference else "other")
        for store, value in sorted(values.items(), key=lambda pair: pair[1])
    ]  # fmt: skip
    said = "; ".join(f"{one.name} {one.words}" for one in bars)
    label = f"{cut(head, NAME_CHARACTERS_MAX)}, cost as a multiple of the floor: {said}"
    return columns(bars, label=shown(cut(label, _WORDS_MAX)), powers=scale)


def _version(one: Column) -> str:
    return (one.result.store_version or "") if one.result is not None else ""
