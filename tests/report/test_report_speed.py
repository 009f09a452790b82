"""What was measured is shown with its words, its doubts and its pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from report_measurements import ALL, GROWTHS, LOAD, MEMORIES, SPEEDS, growth, latency, speed
from report_page import Page
from report_samples import SAMPLES, all_hold, fast, slow, with_measured

from sessionproof.contract.measurements import Ratio, Size
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import amounts
from sessionproof.report.charts import Named, growth_pictures, load_pictures, percentile_picture
from sessionproof.report.html import render_html
from sessionproof.report.promises import PROMISES, number_of, promise_of, promised
from sessionproof.report.speed import (
    alone,
    claimed,
    grown,
    kept,
    kind_of,
    knee,
    measurements,
    throughputs,
)
from sessionproof.report.summary import render_summary


@pytest.mark.parametrize(
    ("us", "words"),
    [(0, "0 µs"), (0.05, "50.0 ns"), (1, "1.00 µs"), (42, "42.0 µs"), (999.7, "1.00 ms"),
     (1_800, "1.80 ms"), (120_000, "120 ms"), (2_500_000, "2.50 s"), (9e9, "9,000 s")],
)  # fmt: skip
def test_a_duration_has_three_digits(us, words):
    """In the unit in which it is at least one."""
    assert amounts.duration(us) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.087, "0.087"), (0.5, "0.50"), (1.274, "1.27"), (12.34, "12.3"),
     (640, "640"), (12_345, "12,300"), (-805.4, "-805")],
)  # fmt: skip
def test_a_number_has_the_digits_that_matter(value, words):
    """No digit is shown that the next run would change anyway."""
    assert amounts.digits(value) == words


@pytest.mark.parametrize(
    ("us", "words"), [(1, "1µs"), (100_000, "100ms"), (2_100, "2.1ms"), (0.5, "500ns"), (0, "0")]
)
def test_a_tick_is_short(us, words):
    """Marks of an axis have no needless digits."""
    assert amounts.tick(us) == words


def test_a_slope_has_no_negative_zero():
    """What rounds to zero is zero."""
    assert amounts.slope(growth("append", 1.0, 0.02 - 0.0201)) == "0.00 [-0.02, 0.02]"


def row(low, high, most=2.0):
    """A row whose ratio lies in this interval."""
    ratio = Ratio(value=(low + high) / 2, low=low, high=high, rounds=80, of=100)
    return speed("append", 10.0, 5.0, ratio=ratio, most=most)


@pytest.mark.parametrize(
    ("low", "high", "broken", "verdict"),
    [(1.5, 1.9, False, Verdict.HOLDS), (1.9, 2.1, True, Verdict.UNKNOWN),
     (2.1, 2.3, False, Verdict.UNKNOWN), (2.1, 2.3, True, Verdict.BROKEN)],
)  # fmt: skip
def test_a_claim_is_red_only_when_it_is_broken(low, high, broken, verdict):
    """Beyond the claim in one measurement is a doubt, as at the guarantee; about it is one, too."""
    shown = claimed(row(low, high), broken=broken)
    assert shown is not None
    assert shown[0] is verdict
    assert "×2" in shown[1]
    assert claimed(row(low, high, most=None), broken=broken) is None
    assert claimed(replace(row(low, high), ratio=None), broken=broken)[0] is Verdict.UNKNOWN


def test_growth_and_memory_are_red_only_when_they_are_broken():
    """What was seen once and not confirmed is a doubt."""
    linear = growth("get", 1.0, 0.98)
    assert grown(growth("get", 1.0), broken=True)[0] is Verdict.HOLDS
    assert [grown(linear, broken=one)[0] for one in (False, True)] == ["unknown", "broken"]
    assert grown(GROWTHS[-1], broken=True)[0] is Verdict.UNKNOWN
    assert [kept(one, broken=True)[0] for one in MEMORIES] == ["holds", "broken"]
    assert kept(MEMORIES[1], broken=False)[0] is Verdict.UNKNOWN


def test_a_kind_is_broken_by_its_own_guarantee():
    """A break elsewhere does not colour what was measured."""
    rows = tuple(
        replace(one, verdict=Verdict.BROKEN) if one.id == "SCALE-01" else one
        for one in fast.guarantees
    )
    assert measurements(replace(fast, guarantees=rows)).broken == {"growth"}
    assert measurements(fast).broken == frozenset()


@pytest.mark.parametrize(
    ("clients", "number", "kind"),
    [("one client", 1, "client"), ("1 thread", 1, "thread"), ("10 threads", 10, "thread"),
     ("1 process", 1, "process"), ("4 processes", 4, "process"), ("8 tasks", 8, "task"),
     ("10 threads, one session", 10, "thread"),
     ("4 processes, one session", 4, "process")],
)  # fmt: skip
def test_clients_are_understood(clients, number, kind):
    """Their number and their kind are in their name."""
    assert number_of(clients) == number
    assert kind_of(speed("append", 1.0, None, clients=clients)) == kind


def test_rows_of_one_and_of_many_are_told_apart():
    """Each operation has one row by itself; throughput is shown of those done by several."""
    speeds = measurements(fast).speeds
    assert [one.operation for one in alone(speeds)] == [one.operation for one in SPEEDS]
    assert {one.operation for one in throughputs(speeds)} == {"append"}
    assert [one.clients for one in throughputs(speeds)] == [
        "one client", "1 thread", "2 threads", "4 threads", "10 threads",
        "1 process", "2 processes", "4 processes",
    ]  # fmt: skip
    assert throughputs(SPEEDS) == ()


def test_promises_are_compared_with_what_was_measured():
    """After and target are met or missed by what was measured, ten appends in all together."""
    measured = measurements(fast)
    rows = {one.what: one for one in promised(measured.speeds, measured.sizes)}
    assert (rows["append"].after.words, rows["append"].after.met) == ("1.8 ms", True)
    assert rows["append"].before.met is None
    assert rows["get"].target.words == "< 10 ms"
    ten = rows["append, 10 threads"]
    assert ten.here == "725 µs in all, ×0.70 throughput"
    assert (ten.after.met, ten.target.met) == (True, False)
    assert rows["memory per connection"].after.met is True
    missed = {one.what: one for one in promised(measurements(slow).speeds, ())}
    assert (missed["append"].after.met, missed["get"].after.met) == (False, False)
    assert missed["get"].target.met is True


def test_what_nobody_promised_has_no_row():
    """Other operations, other numbers of clients and processes are in none of those tables."""
    assert promise_of("read_last", "one client") is None
    assert promise_of("append", "4 threads") is None
    assert promise_of("append", "10 processes") is None
    assert promise_of("getter", "one client") is None
    assert promised([speed("page", 1.0, None)], [Size(what="file", value=1, unit="bytes")]) == []
    assert all(one.before or one.after or one.below or one.faster for one in PROMISES)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """Pages with measurements and one without."""
    return {name: Page(render_html(SAMPLES[name])) for name in ("fast", "slow", "all_hold")}


def test_the_page_has_every_row(pages):
    """Each speed, size, growth and memory has its place; raw samples have none."""
    (section,) = pages["fast"].all("section", **{"aria-labelledby": "speed"})
    for one in measurements(fast).speeds:
        figures = (amounts.duration(one.latency.p50_us), amounts.digits(one.per_second))
        assert one.operation in section
        assert all(figure in section for figure in figures)
    for one in GROWTHS:
        assert f"{one.verdict}, slope {amounts.slope(one)}" in section
    for one in (*MEMORIES, ALL["PERF-01"][-1]):
        assert one.what in section
    assert "only ratios, measured in the same rounds, carry over" in section
    assert "what this cannot see: a part that grows" in section
    assert "1020" not in section.replace(",", "")


def test_a_page_without_measurements_has_no_such_section(pages):
    """Nothing is shown of what was not measured."""
    assert not pages["all_hold"].all("section", **{"aria-labelledby": "speed"})
    assert "Speed" not in pages["all_hold"].all("nav")[0]
    assert "Speed" in pages["fast"].all("nav")[0]


def test_every_picture_is_described(pages):
    """Each picture has words for those who do not see it, with the figures that it shows."""
    labels = [
        given.get("aria-label") or ""
        for tag, given in pages["fast"].elements
        if tag == "svg" and given.get("aria-hidden") is None
    ]
    assert all(labels)
    assert any("p50 42.0 µs" in one for one in labels)
    assert any("42.0 µs at 1,000" in one and "slope" in one for one in labels)
    assert any("keeps up with 9,000 calls a second" in one for one in labels)
    assert any("10 threads 13,800" in one for one in labels)


def test_pictures_of_several_stores_name_them():
    """With two stores, titles and descriptions say whose each mark is; with one they need not."""
    one, two = Named("alpha", 0), Named("beta", 1)
    ((_, picture, drawn),) = growth_pictures([(one, GROWTHS[:1]), (two, GROWTHS[:1])])
    assert len(drawn) == 2
    assert "alpha 42.0 µs" in picture
    assert "beta 1,000 messages: 42.0 µs" in picture
    ((_, alone_picture, _),) = growth_pictures([(one, GROWTHS[:1])])
    assert "alpha" not in alone_picture
    ((_, load, words),) = load_pictures([(one, [LOAD]), (two, [replace(LOAD, knee_per_s=None)])])
    assert "beta it kept up with no offered rate" in words
    assert "alpha knee" in load
    assert "beta knee" not in load


def test_a_fit_has_the_slope():
    """Where the exponent is one, the line climbs a power of ten for each power of ten."""
    ((_, picture, _),) = growth_pictures([(Named("a", 0), [growth("get", 10.0, 1.0)])])
    (fit,) = [one for one in ET.fromstring(picture).iter("path") if "fit" in one.get("class")]
    (x1, y1), (x2, y2) = (
        map(float, point.split()) for point in fit.get("d").removeprefix("M").split(" L")
    )
    dots = [
        one.get("d") for one in ET.fromstring(picture).iter("path") if "dot" in one.get("class")
    ]
    assert x2 > x1
    assert y2 < y1
    first, last = (float(d.split()[1].removesuffix("a")) for d in (dots[5], dots[-1]))
    assert (y1, y2) == pytest.approx((first, last), abs=0.2)


def test_nothing_measured_draws_nothing():
    """No rows, no points: no picture and no error."""
    name = Named("a", 0)
    assert percentile_picture([(name, ())]) is None
    assert growth_pictures([(name, ())]) == []
    assert load_pictures([(name, [replace(LOAD, points=())])]) == []
    assert knee(replace(LOAD, knee_per_s=None)).startswith("it kept up with no offered rate")


def test_zeros_are_drawn():
    """A clock that saw nothing, and an empty store, make no error."""
    nothing = replace(latency(0.0), calls=1)
    odd = with_measured(
        all_hold,
        {
            "PERF-01": (
                replace(speed("append", 1.0, 1.0), latency=nothing, floor_us=0.0, per_second=0.0),
            ),
            "SCALE-01": (replace(GROWTHS[0], cost_us=(0.0,) * 5, floor_us=None),),
            "SCALE-03": (replace(MEMORIES[0], kept_bytes=(0,) * 5),),
        },
    )
    assert "Speed" in render_html(odd)


def test_the_summary_has_the_speeds():
    """The text to paste has a line for each speed and each growth."""
    text = render_summary(fast)
    assert len(re.findall(r"^\| .* \| .* \| [\d.]+ [µm]s \|", text, re.MULTILINE)) == len(
        measurements(fast).speeds
    )
    assert "- growth of append along messages: flat, slope 0.01" in text
    assert "ratio to the floor" not in render_summary(all_hold)
