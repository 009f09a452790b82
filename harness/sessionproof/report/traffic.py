"""What concurrent clients did over time, for the page: a table, and two pictures for each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from sessionproof.contract.measurements import Traffic
from sessionproof.report.amounts import count, digits, duration, tick
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import RunResult
from sessionproof.svg.plane import Axis, Band, Series, plane, spanning

NAME_CHARACTERS_MAX = 60
PICTURES_MAX = 4  # kinds of clients that are drawn
ROWS_MAX = 60
DOTS_MAX = 32  # more points of a line would hide it
NAMES_MAX = 12  # of phases, in a sentence
WORDS_CHARACTERS_MAX = 2_000

Shown = Callable[[float], str]


@dataclass(frozen=True)
class Row:
    """The traffic of one guarantee by one kind of clients."""

    guarantee: str
    traffic: Traffic
    share: str
    failed: int


@dataclass(frozen=True)
class Pictures:
    """Throughput and latency of one kind of clients, with what they say in a sentence."""

    title: str
    throughput: Markup
    latency: Markup
    words: str


def traffic_rows(result: RunResult) -> tuple[Row, ...]:
    """All traffic of the run, by kind of clients, in the order in which kinds first came."""
    every = [
        Row(row.id, one, _share(one), sum(one.failed))
        for row in result.guarantees
        for one in row.measured
        if isinstance(one, Traffic)
    ]
    kinds = list(dict.fromkeys(row.traffic.clients for row in every))
    return tuple(sorted(every, key=lambda row: kinds.index(row.traffic.clients)))


def traffic_pictures(rows: Sequence[Row]) -> list[Pictures]:
    """The largest traffic of each kind of clients, drawn."""
    kinds = [list(group) for _, group in groupby(rows, key=lambda row: row.traffic.clients)]
    largest = [max(group, key=lambda row: row.traffic.operations) for group in kinds]
    return [_pictures(row) for row in largest[:PICTURES_MAX] if row.traffic.done]


def _pictures(row: Row) -> Pictures:
    one = row.traffic
    title = _plain(one.clients, NAME_CHARACTERS_MAX)
    end = one.bucket_us * len(one.done)
    time = Axis(low=0, high=end, shown=tick, title="time", logarithmic=False)
    bands = [
        Band(low=phase.began_us, high=min(phase.ended_us, end), word=_plain(phase.name, 16))
        for phase in one.phases
        if phase.began_us < end
    ]
    rates = [number / one.bucket_us * 1e6 for number in one.done]
    lost = [number / one.bucket_us * 1e6 for number in one.failed]
    high = Axis(low=0, high=max(*rates, 1.0) * 1.2, shown=count, logarithmic=False)
    series = _series(one, rates, "s0", lambda value: f"{digits(value)} operations/s")
    if any(lost):
        series += _series(one, lost, "s1 tail", lambda value: f"{digits(value)} not ok/s")
    spoken = (
        f"Operations a second of {title} over {duration(end)}: at most {digits(max(rates))}, "
        f"at least {digits(min(rates))}"
    )
    throughput = plane(series, time, high, bands=bands, label=_plain(spoken, WORDS_CHARACTERS_MAX))
    p50 = [value for value in one.p50_us if value is not None]
    p99 = [value for value in one.p99_us if value is not None]
    times = [
        *_series(one, one.p50_us, "s0", lambda value: f"p50 {duration(value)}"),
        *_series(one, one.p99_us, "s0 tail", lambda value: f"p99 {duration(value)}"),
    ]
    spoken = f"Times of operations of {title}: " + (
        f"p50 from {duration(min(p50))} to {duration(max(p50))}, p99 at most {duration(max(p99))}"
        if p50 and p99
        else "none ended"
    )
    axis = spanning([*p50, *p99], tick)
    latency = plane(times, time, axis, bands=bands, label=_plain(spoken, WORDS_CHARACTERS_MAX))
    return Pictures(title, throughput, latency, _words(row))


def _series(
    one: Traffic, values: Sequence[float | None], class_: str, shown_: Shown
) -> list[Series]:
    """The values in the middles of their buckets; a bucket without one breaks the line."""
    out: list[Series] = []
    points = [((place + 0.5) * one.bucket_us, value) for place, value in enumerate(values)]
    for there, group in groupby(points, key=lambda point: point[1] is not None):
        run = tuple((at, value) for at, value in group if value is not None)
        if there:
            titles = tuple(f"{shown_(value)} at {duration(at)}" for at, value in run)
            shape = "circle" if len(values) <= DOTS_MAX or len(run) == 1 else None
            out.append(Series(points=run, class_=class_, shape=shape, titles=titles))
    return out


def _words(row: Row) -> str:
    """What is drawn, in a sentence."""
    one = row.traffic
    parts = [f"{_plain(row.guarantee, NAME_CHARACTERS_MAX)}, in steps of {duration(one.bucket_us)}"]
    if any(one.failed):
        parts.append("dashed operations that were not ok")
    if one.phases:
        names = list(dict.fromkeys(_plain(phase.name, 16) for phase in one.phases))
        more = " and others" if len(names) > NAMES_MAX else ""
        parts.append(f"shaded the parts of the workload: {', '.join(names[:NAMES_MAX])}{more}")
    return "; ".join(parts)


def _share(one: Traffic) -> str:
    return f"{one.overlapping / one.operations:.0%}" if one.operations else "none"


def _plain(text: str, most: int) -> str:
    return shown(cut(text, most))
