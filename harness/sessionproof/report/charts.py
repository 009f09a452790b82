"""What the page draws of measurements: growth, percentiles, latency under load, throughput.

Each picture takes one kind of measurement of one store or of several, by name: on the page of a
run there is one, where stores are compared each has its own colour, shape and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from markupsafe import Markup

from sessionproof.contract.measurements import Growth, Load, Memory, Speed
from sessionproof.report.amounts import amount_of, count, digits, duration, slope, tick
from sessionproof.report.plain import cut, shown
from sessionproof.report.promises import number_of
from sessionproof.report.speed import knee
from sessionproof.svg import small
from sessionproof.svg.columns import Bar, columns
from sessionproof.svg.plane import Axis, Series, Upright, plane, spanning
from sessionproof.svg.shapes import SHAPES
from sessionproof.svg.strips import Mark, Row, Strip, strips

NAME_CHARACTERS_MAX = 42
BAR_CHARACTERS_MAX = 24
WORDS_CHARACTERS_MAX = 2_000
COLOURS = 6  # of series; a seventh store looks like the first

Of = TypeVar("Of", Speed, Growth, Load)


@dataclass(frozen=True)
class Named:
    """A store, its place among the stores, and which kinds of measurements broke a guarantee."""

    name: str
    place: int
    broken: frozenset[str] = frozenset()

    @property
    def class_(self) -> str:
        """The class that colours it."""
        return f"s{self.place % COLOURS}"

    @property
    def shape(self) -> str:
        """The shape of its marks."""
        return SHAPES[self.place % len(SHAPES)]

    @property
    def swatch(self) -> Markup:
        """Its mark for a legend."""
        return small.swatch(self.class_, self.shape)


def growth_pictures(
    every: Sequence[tuple[Named, Sequence[Growth]]],
) -> list[tuple[str, Markup, list[tuple[Named, Growth]]]]:
    """A picture for each operation: its title, itself, and what is drawn in it.

    All share the axis of cost, so that pictures can be compared; those along the same thing stand
    together. Floors are drawn of the first store that has one.
    """
    flat = [one for _, growths in every for one in growths]
    costs = [cost for one in flat for cost in (*one.cost_us, *(one.floor_us or ()))]
    y = spanning(costs, tick)
    out = []
    pairs = dict.fromkeys((one.operation, one.along) for one in flat)
    for operation, along in sorted(pairs, key=lambda pair: pair[1]):
        drawn = [
            (name, one)
            for name, growths in every
            for one in growths
            if (one.operation, one.along) == (operation, along)
        ]
        sizes = [size for _, one in drawn for size in one.sizes]
        x = spanning(sizes, count, title=_name(along))
        title = f"{operation} along {along}"
        out.append((title, _growth(title, drawn, x, y), drawn))
    return out


def percentile_picture(every: Sequence[tuple[Named, Sequence[Speed]]]) -> Markup | None:
    """p50, p95, p99 and p99.9 of each row as marks on one axis, with the floor's p50."""
    rows = _by_row(every)
    if not rows:
        return None
    values = [
        value
        for drawn in rows.values()
        for _, one in drawn
        for value in (one.latency.p50_us, one.latency.p999_us, one.floor_us or one.latency.p50_us)
    ]
    strip_rows = [
        Row(_name(label), tuple(_strip(name, one) for name, one in drawn))
        for label, drawn in rows.items()
    ]
    label = "Times of single calls: " + "; ".join(
        f"{label}{_of(name, drawn)}: p50 {duration(one.latency.p50_us)}, "
        f"p99 {duration(one.latency.p99_us)}"
        for label, drawn in rows.items()
        for name, one in drawn
    )
    return strips(strip_rows, spanning(values, tick), label=_plain(label))


def load_pictures(every: Sequence[tuple[Named, Sequence[Load]]]) -> list[tuple[str, Markup, str]]:
    """Latency against offered rate for each operation: title, picture, and what it says."""
    flat = [one for _, loads in every for one in loads]
    out = []
    for operation, clients in dict.fromkeys((one.operation, one.clients) for one in flat):
        drawn = [
            (name, one)
            for name, loads in every
            for one in loads
            if (one.operation, one.clients) == (operation, clients) and one.points
        ]
        if not drawn:
            continue
        title = f"{operation} by {clients}"
        words = "; ".join(f"{_prefix(name, drawn)}{knee(one)}" for name, one in drawn)
        out.append((title, _load(title, drawn), words))
    return out


def throughput_picture(every: Sequence[tuple[Named, Sequence[Speed]]]) -> Markup | None:
    """Calls a second by each number of threads and of processes, as bars."""
    rows = [(name, one) for name, speeds in every for one in speeds]
    if not rows:
        return None
    several = len({name for name, _ in rows}) > 1
    groups: dict[str, list[tuple[Named, Speed]]] = {}
    for name, one in rows:
        head = f"{one.operation}, {one.clients}" if several else one.operation
        groups.setdefault(head, []).append((name, one))
    bars = [
        Bar(
            _short(name.name if several else one.clients),
            one.per_second,
            f"{digits(one.per_second)}/s",
            name.class_,
            "" if at else _name(head),
        )
        for head, drawn in groups.items()
        for at, (name, one) in enumerate(drawn)
    ]
    label = "Calls a second: " + "; ".join(
        f"{one.operation} by {one.clients}{_of(name, rows)} {digits(one.per_second)}"
        for name, one in rows
    )
    return columns(bars, label=_plain(label))


def memory_spark(memory: Memory) -> Markup | None:
    """What was kept after each of the calls, as a small line."""
    if len(memory.calls) < 2:
        return None
    points = list(zip(map(float, memory.calls), map(float, memory.kept_bytes), strict=True))
    first, last, growth = (
        amount_of(value, "bytes")
        for value in (memory.kept_bytes[0], memory.kept_bytes[-1], memory.per_call)
    )
    label = f"kept {first} at first and {last} at last: {growth} a call"
    return small.spark(points, label=label)


def _growth(title: str, drawn: Sequence[tuple[Named, Growth]], x: Axis, y: Axis) -> Markup:
    series = []
    floored = next((one for _, one in drawn if one.floor_us is not None), None)
    if floored is not None and floored.floor_us is not None:
        points = tuple(zip(map(float, floored.sizes), floored.floor_us, strict=True))
        titles = tuple(f"floor, {size:,}: {duration(cost)}" for size, cost in points)
        series.append(
            Series(points=points, class_="floor", shape="bar", joined=False, titles=titles)
        )
    for name, one in drawn:
        points = tuple(zip(map(float, one.sizes), one.cost_us, strict=True))
        titles = tuple(
            f"{_prefix(name, drawn)}{size:,.0f} {one.along}: {duration(cost)}"
            for size, cost in points
        )
        series.append(
            Series(
                points=points, class_=name.class_, shape=name.shape, joined=False,
                titles=tuple(map(_plain, titles)), fit=_fitted(one),
            )
        )  # fmt: skip
    words = "; ".join(
        f"{_prefix(name, drawn)}{duration(one.cost_us[0])} at {one.sizes[0]:,}, "
        f"{duration(one.cost_us[-1])} at {one.sizes[-1]:,}, slope {slope(one)}, {one.verdict}"
        for name, one in drawn
    )
    return plane(series, x, y, label=_plain(f"Cost of {title}: {words}"))


def _fitted(one: Growth) -> tuple[tuple[float, float], tuple[float, float]]:
    """The line of the slope through the middle of the sizes that it was fitted to: the last three.

    It is drawn over all sizes: where smaller ones leave it, their cost was something else.
    """
    middle, at = (
        prod(values) ** (1 / len(values)) for values in (one.sizes[-3:], one.cost_us[-3:])
    )
    start, end = (
        (float(size), at * (size / middle) ** one.slope) for size in (one.sizes[0], one.sizes[-1])
    )
    return start, end


def _strip(name: Named, one: Speed) -> Strip:
    latency = one.latency
    marks = (
        Mark(latency.p50_us, name.shape, f"p50 {duration(latency.p50_us)}"),
        Mark(latency.p95_us, "bar", f"p95 {duration(latency.p95_us)}"),
        Mark(latency.p99_us, "bar", f"p99 {duration(latency.p99_us)}"),
        Mark(latency.p999_us, name.shape, f"p99.9 {duration(latency.p999_us)}", "hollow"),
    )
    floor: tuple[Mark, ...] = ()
    if one.floor_us is not None:
        floor = (Mark(one.floor_us, "bar", f"floor {duration(one.floor_us)}", "floor"),)
    return Strip(marks, name.class_, floor)


def _load(title: str, drawn: Sequence[tuple[Named, Load]]) -> Markup:
    highest = max(point.offered_per_s for _, one in drawn for point in one.points)
    x = Axis(low=0, high=highest * 1.05, shown=count, title="calls offered a second",
             logarithmic=False)  # fmt: skip
    series: list[Series] = []
    values: list[float] = []
    for name, one in drawn:
        for part, class_ in (("p50", ""), ("p99", " tail")):
            points = tuple(
                (point.offered_per_s, getattr(point.latency, f"{part}_us")) for point in one.points
            )
            values += [value for _, value in points]
            titles = tuple(
                f"{_prefix(name, drawn)}{part} {duration(value)} at {digits(rate)}/s"
                for rate, value in points
            )
            series.append(
                Series(points=points, class_=f"{name.class_}{class_}", shape=name.shape,
                       titles=tuple(map(_plain, titles)))
            )  # fmt: skip
    uprights = [
        Upright(x=one.knee_per_s, word=_name(f"{_prefix(name, drawn)}knee"),
                class_=f"upright {name.class_}")
        for name, one in drawn
        if one.knee_per_s is not None
    ]  # fmt: skip
    words = "; ".join(f"{_prefix(name, drawn)}{knee(one)}" for name, one in drawn)
    label = _plain(f"Latency against offered rate, {title}: {words}")
    return plane(series, x, spanning(values, tick), label=label, uprights=uprights)


def _by_row(
    every: Sequence[tuple[Named, Sequence[Speed]]],
) -> dict[str, list[tuple[Named, Speed]]]:
    rows: dict[str, list[tuple[Named, Speed]]] = {}
    for name, speeds in every:
        for one in speeds:
            label = (
                one.operation if number_of(one.clients) == 1 else f"{one.operation}, {one.clients}"
            )
            rows.setdefault(label, []).append((name, one))
    return rows


def _prefix(name: Named, drawn: Iterable[tuple[Named, Of]]) -> str:
    """The store's name, where there are several."""
    return f"{name.name} " if len({other for other, _ in drawn}) > 1 else ""


def _of(name: Named, drawn: Iterable[tuple[Named, Of]]) -> str:
    return f" of {name.name}" if len({other for other, _ in drawn}) > 1 else ""


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX))


def _short(text: str) -> str:
    """The beginning of a name, where there is no room for more."""
    name = _name(text)
    return name if len(name) <= BAR_CHARACTERS_MAX else f"{name[: BAR_CHARACTERS_MAX - 1]}…"


def _plain(text: str) -> str:
    return shown(cut(text, WORDS_CHARACTERS_MAX))
