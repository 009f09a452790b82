"""Latency against offered rate: in words, as a table, and as a page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

import sessionproof
from sessionproof.contract.measurements import KEPT_UP, OfferedRate
from sessionproof.report.amounts import count, digits, duration, tick
from sessionproof.report.html import environment
from sessionproof.svg.plane import Axis, Series, Upright, plane, spanning
from sessionproof.svg.small import swatch

PAGE = "load.html"
HEADS = ("offered/s", "achieved/s", "p50", "p95", "p99", "p99.9", "max", "errors", "not begun")
_PARTS = ("p50", "p95", "p99", "p99.9")
_SHAPES = ("circle", "square", "diamond", "triangle")


def cells(rate: OfferedRate) -> tuple[str, ...]:
    """A row of the table, in the order of ``HEADS``."""
    return (
        digits(rate.offered_per_s),
        digits(rate.done_per_s),
        *(duration(value) for value in _percentiles(rate)),
        duration(rate.latency.max_us),
        f"{rate.failed + rate.unknown:,}",
        f"{rate.missed:,}",
    )


def knee_of(rates: Sequence[OfferedRate]) -> str:
    """Up to which rate the store keeps up, and where it stops, in a sentence."""
    kept = max((one.offered_per_s for one in rates if one.kept_up), default=None)
    lost = sorted(
        (one for one in rates if not one.kept_up and one.offered_per_s > (kept or 0.0)),
        key=lambda one: one.offered_per_s,
    )
    up = "with none of the rates" if kept is None else f"with {digits(kept)} a second"
    if not lost:
        return f"it keeps up {up}, the highest that was offered"
    first = lost[0]
    return (
        f"it keeps up {up}; of {digits(first.offered_per_s)} it does {digits(first.done_per_s)}, "
        f"less than {KEPT_UP:.0%}"
    )


def render_offered(store: str, rates: Sequence[OfferedRate], facts: Mapping[str, str]) -> str:
    """The page; ``facts`` say under which circumstances. At least one rate."""
    rates = sorted(rates, key=lambda one: one.offered_per_s)
    return (
        environment()
        .get_template("offered.html.j2")
        .render(
            store=store,
            sentence=knee_of(rates),
            heads=HEADS,
            rows=[(one.kept_up, cells(one)) for one in rates],
            latencies=_latencies(rates),
            achieved=_achieved(rates),
            legend=[
                (swatch(f"s{at}", shape), part)
                for at, (part, shape) in enumerate(zip(_PARTS, _SHAPES, strict=True))
            ],
            facts=facts,
            sessionproof=sessionproof.__version__,
        )
    )


def _percentiles(rate: OfferedRate) -> tuple[float, ...]:
    one = rate.latency
    return one.p50_us, one.p95_us, one.p99_us, one.p999_us


def _across(rates: Sequence[OfferedRate]) -> Axis:
    highest = max(one.offered_per_s for one in rates)
    title = "operations offered a second"
    return Axis(low=0, high=highest * 1.05, shown=count, title=title, logarithmic=False)


def _latencies(rates: Sequence[OfferedRate]) -> Markup:
    series = [
        Series(
            points=tuple((one.offered_per_s, _percentiles(one)[at]) for one in rates),
            class_=f"s{at}",
            shape=shape,
            titles=tuple(
                f"{part} {duration(_percentiles(one)[at])} at {digits(one.offered_per_s)}/s"
                for one in rates
            ),
        )
        for at, (part, shape) in enumerate(zip(_PARTS, _SHAPES, strict=True))
    ]
    y = spanning([value for one in rates for value in _percentiles(one)], tick)
    words = "; ".join(
        f"p50 {duration(one.latency.p50_us)}, p99 {duration(one.latency.p99_us)} "
        f"at {digits(one.offered_per_s)} a second"
        for one in rates
    )
    label = f"Latency against offered rate: {words}"
    return plane(series, _across(rates), y, label=label, uprights=_knee(rates))


def _achieved(rates: Sequence[OfferedRate]) -> Markup:
    x = _across(rates)
    done = Series(
        points=tuple((one.offered_per_s, one.done_per_s) for one in rates),
        class_="s0",
        fit=((0.0, 0.0), (x.high, x.high)),
        titles=tuple(
            f"{digits(one.done_per_s)} of {digits(one.offered_per_s)} a second" for one in rates
        ),
    )
    y = Axis(low=0, high=x.high, shown=count, logarithmic=False)
    words = "; ".join(
        f"{digits(one.done_per_s)} of {digits(one.offered_per_s)} a second" for one in rates
    )
    label = f"What was done of what was offered: {words}"
    return plane([done], x, y, label=label, uprights=_knee(rates))


def _knee(rates: Sequence[OfferedRate]) -> list[Upright]:
    kept = [one.offered_per_s for one in rates if one.kept_up]
    if not kept or len(kept) == len(rates):
        return []
    return [Upright(x=max(kept), word="keeps up")]
