"""Traffic on the page: what was done at the same time, over time, by kind of clients."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

from report_measurements import TRAFFIC, traffic
from report_page import Page
from report_samples import all_hold, fast, together, with_measured

from sessionproof.report.html import render_html
from sessionproof.report.traffic import PICTURES_MAX, traffic_pictures, traffic_rows


def measured(*every):
    """The traffic of a run, in the order of its table."""
    return traffic_rows(with_measured(all_hold, {"CONC-01": every}))


def pictures(one):
    """Throughput and latency of one traffic, parsed, with its words."""
    (drawn,) = traffic_pictures(measured(one))
    return ET.fromstring(drawn.throughput), ET.fromstring(drawn.latency), drawn.words


def titles(root, class_):
    """What the points of a series say."""
    return [one[0].text for one in root.iter("path") if one.get("class") == f"dot {class_}"]


def test_every_bucket_is_drawn():
    """Each bucket has a point of its rate, and of its times where something ended in it."""
    one = traffic("4 threads", 900)
    throughput, latency, _ = pictures(one)
    assert len(titles(throughput, "s0")) == len(one.done)
    ended = len(one.done) - one.p50_us.count(None)
    assert len(titles(latency, "s0")) == len(titles(latency, "s0 tail")) == ended < len(one.done)
    lines = [p for p in latency.iter("path") if (p.get("class") or "").startswith("joined")]
    assert len(lines) == 4  # a bucket in which nothing ended breaks both


def test_a_rate_is_for_a_second():
    """40 operations in a bucket of 50 ms are 800 a second, in the middle of the bucket."""
    one = replace(traffic("4 threads", 50, buckets=4), done=(40, 0, 20, 40))
    throughput, _, _ = pictures(one)
    assert titles(throughput, "s0") == [
        "800 operations/s at 25.0 ms", "0 operations/s at 75.0 ms",
        "400 operations/s at 125 ms", "800 operations/s at 175 ms",
    ]  # fmt: skip
    assert "at most 800, at least 0" in throughput.get("aria-label")


def test_many_buckets_are_a_line():
    """Where dots would hide the line there are none, but for one that has no neighbours."""
    many = traffic("4 threads", 900, buckets=60)
    throughput, _, _ = pictures(many)
    assert titles(throughput, "s0") == []
    lonely = tuple(5.0 if place == 7 else None for place in range(60))
    _, latency, _ = pictures(replace(many, p50_us=lonely))
    assert len(titles(latency, "s0")) == 1


def test_what_was_not_ok_has_a_line_of_its_own():
    """Refusals are drawn where there were some, and told; else there is no line of them."""
    one = traffic("4 threads", 900)
    throughput, _, words = pictures(one)
    assert titles(throughput, "s1 tail")
    assert "not ok" in words
    throughput, _, words = pictures(replace(one, failed=(0,) * len(one.done)))
    assert not titles(throughput, "s1 tail")
    assert "not ok" not in words


def test_phases_are_shaded():
    """Each part of the workload is a band of both pictures, no longer than the picture."""
    one = traffic("4 threads", 900)
    for root in pictures(one)[:2]:
        bands = [box for box in root.iter("rect") if "band" in (box.get("class") or "")]
        assert len(bands) == len(one.phases)
        assert all(float(box.get("x")) + float(box.get("width")) <= 316 for box in bands)
    assert "shaded the parts of the workload: ramp, load, final" in pictures(one)[2]
    assert "shaded" not in pictures(replace(one, phases=()))[2]


def test_a_run_in_which_nothing_ended_has_pictures():
    """Buckets without a single operation are drawn at zero, and times are not invented."""
    nothing = traffic("4 threads", 1, buckets=2, operations=0, overlapping=0, done=(0, 0),
                      failed=(0, 0), p50_us=(None, None), p99_us=(None, None))  # fmt: skip
    throughput, latency, _ = pictures(nothing)
    assert len(titles(throughput, "s0")) == 2
    assert titles(latency, "s0") == []
    assert "none ended" in latency.get("aria-label")
    assert measured(nothing)[0].share == "none"


def test_each_kind_of_clients_is_drawn_once():
    """Of each kind the largest traffic is drawn, and of very many kinds the first."""
    rows = measured(traffic("4 threads", 90), traffic("4 threads", 900), traffic("8 tasks", 70))
    drawn = traffic_pictures(rows)
    assert [one.title for one in drawn] == ["4 threads", "8 tasks"]
    assert "20.4k" in drawn[0].throughput or "18,000" in drawn[0].throughput
    many = measured(*(traffic(f"{n} threads", 90) for n in range(9)))
    assert len(traffic_pictures(many)) == PICTURES_MAX


def test_the_page_has_a_part_about_concurrency():
    """All traffic is in its table with the share that overlapped; other runs have no such part."""
    page = Page(render_html(together))
    (section,) = page.all("section", **{"aria-labelledby": "concurrency"})
    rows = [row for row in page.all("tr") if re.match(r"\d (threads|processes|tasks)CONC", row)]
    assert len(rows) == sum(map(len, TRAFFIC.values()))
    assert rows[0] == "4 threadsCONC-0120,43063%171"
    assert "one loop" in section
    assert page.all("a", href="#concurrency") == ["Concurrency"]
    assert not Page(render_html(fast)).all("section", **{"aria-labelledby": "concurrency"})
