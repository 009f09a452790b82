"""Every kind of page that we write, of runs that never happened: what holds of one holds of all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from nightly_samples import night as night_of
from nightly_samples import ran, seen, weeks
from report_measurements import LOAD, SLOW
from report_samples import HOSTILE, SAMPLES, all_hold, fast, slow, three_broken, with_measured
from scoreboard_samples import BROKEN, SHUT, SOUND, board

from fixtures.regressions.gates import COMPARISON, night
from fixtures.regressions.runs import nights, stepped
from sessionproof import Message
from sessionproof.bench.tracking.trend import trends
from sessionproof.contract.measurements import OfferedRate
from sessionproof.report import comparison, peers
from sessionproof.report.browsing import Browsed
from sessionproof.report.browsing import render_page as render_sessions
from sessionproof.report.changes.between import changes
from sessionproof.report.changes.page import render_changes
from sessionproof.report.comparison import Column
from sessionproof.report.html import render_html
from sessionproof.report.nightly.corpus import Corpus, after
from sessionproof.report.nightly.pages import render_page as render_nightly
from sessionproof.report.nightly.standing import told
from sessionproof.report.offered import render_offered
from sessionproof.report.regressions import render_comparison, render_nights, render_trends
from sessionproof.report.scoreboard.pages import render_board, render_store

RUNS = (
    "three_broken", "unclaimed", "interrupted", "all_hold", "fast", "together", "crashed",
    "damaged", "scheduled", "hostile",
)  # fmt: skip
TEMPLATES = {
    "report.html.j2": RUNS,
    "changes.html.j2": ("changes", "unchanged"),
    "comparison.html.j2": ("performance",),
    "peers.html.j2": ("peers",),
    "offered.html.j2": ("load",),
    "compared.html.j2": ("comparison",),
    "nights.html.j2": ("nights",),
    "trend.html.j2": ("trend",),
    "nightly.html.j2": ("nightly", "first_night"),
    "browse.html.j2": ("browse",),
    "scoreboard.html.j2": ("board",),
    "scoreboard_store.html.j2": ("store",),
}
"""Which pages a template makes."""
NAMES = tuple(name for of_one in TEMPLATES.values() for name in of_one)
SCRIPTED = {"browse", "board", *RUNS}
"""Pages with a script of their own, which narrows or searches; all others have none."""
_COLUMNS = (
    Column(name="reference", store="reference", result=fast),
    Column(name="shop.chat:Store", store="shop.chat:Store", result=slow),
    Column(name="gone", store="gone", problem="gone needs the package x: pip install 'x'"),
)


@cache
def pages() -> dict[str, str]:
    """The pages by name."""
    whole = board(BROKEN, SOUND, SHUT)
    return {
        **{name: render_html(SAMPLES[name]) for name in RUNS},
        "changes": render_changes(
            changes(fast, with_measured(three_broken, SLOW)),
            reports=("a/index.html", "b/index.html"),
        ),
        "unchanged": render_changes(changes(all_hold, all_hold)),
        "performance": comparison.render_page(_COLUMNS),
        "peers": peers.render_page(
            _COLUMNS[0], _COLUMNS[1:], peers.rows_of(_COLUMNS[0], _COLUMNS[1:])
        ),
        "load": render_offered("shop.chat:Store", _rates(), {"Seed": "3", "Clients": "4 threads"}),
        "comparison": render_comparison(COMPARISON),
        "nights": render_nights([night()]),
        "trend": render_trends(_trends()),
        **_nightly(),
        "browse": render_sessions("chats", _sessions(), made="as of today"),
        "board": render_board(whole),
        "store": render_store(whole, BROKEN, has_run=True),
    }


def _rates() -> list[OfferedRate]:
    return [
        OfferedRate(
            offered_per_s=point.offered_per_s, done_per_s=point.done_per_s, seconds=5.0,
            latency=point.latency, failed=0, unknown=0, missed=0,
        )
        for point in LOAD.points
    ]  # fmt: skip


def _trends():
    runs = nights({"append": stepped(60, 40, 0.2), "get": [3.0] * 60})
    return trends(runs, find=lambda values: [40] if len(values) > 40 else [])


def _nightly() -> dict[str, str]:
    """The page after many nights, and after a first one in which nobody behaved."""
    every, corpus = weeks(), Corpus()
    for one in every[:-1]:
        corpus = after(corpus, one)
    last = every[-1]
    bad = replace(night_of(ran(broken="CORE-01", rows=(seen("CORE-02", said=HOSTILE),))),
                  stores=(HOSTILE, "shop.chat:Store"), ended=False)  # fmt: skip
    return {
        "nightly": render_nightly(
            last, told(corpus, last), after(corpus, last), nights=every, speeds=_trends(), code=1
        ),
        "first_night": render_nightly(
            bad, told(Corpus(), bad), after(Corpus(), bad), nights=[bad], unread=[HOSTILE], code=130
        ),
    }


def _sessions() -> list[Browsed]:
    messages = [Message("user", "hello"), Message("assistant", "a long answer " * 90)]
    numbered = [(number, "then", one) for number, one in enumerate(messages, 1)]
    return [
        Browsed(session_id=f"s{n}", facts={"title": f"chat {n}", "owner": "o"}, messages=numbered)
        for n in range(30)
    ]
