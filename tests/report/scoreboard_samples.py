"""Boards that nobody made by judging: for the tests of their words, pages and files."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from sessionproof.contract.claims import Claims, Limits, claims_to_json
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.scoreboard.board import Board, Cost, Entry, Example, Row
from sessionproof.report.scoreboard.compact import groups, promises

ADDRESS = "https://docs.example/store#one-client"
CLAIMS = claims_to_json(
    Claims(handles="one", limits=Limits(retention=10), sources={"handles": ADDRESS})
)
LOST = Example(
    anomaly="lost-message",
    meaning="a message that was acknowledged is not there",
    did="appended two messages and read them",
    expected="2 messages",
    seen="1 message",
    program=("store.append('a', [Message('user', 'one')])", "store.read('a')"),
    repeats="3 of 3",
    fails=True,
    said="AssertionError: a message is lost",
    script="from sessionproof import Message\nassert False\n",
)


def row(name: str, verdict: Verdict = Verdict.HOLDS, **changes) -> Row:
    """A row with evidence, and with a confirmed finding where it is broken."""
    unit = GUARANTEES[name].unit
    plain = Row(id=name, verdict=verdict, examined=80, unit=unit)
    if verdict is Verdict.BROKEN:
        plain = replace(plain, findings=2, confirmed=1, example=LOST)
    if verdict is Verdict.NOT_CLAIMED:
        plain = replace(plain, examined=0, reason="the store does not claim it")
    return replace(plain, **changes)


def rows(*changed: Row) -> tuple[Row, ...]:
    """A row of each guarantee; those that are not given hold."""
    given = {one.id: one for one in changed}
    return tuple(given.get(name, row(name)) for name in GUARANTEES)


def entry(name: str, *changed: Row, **changes) -> Entry:
    """A store that was judged: what is not given holds."""
    plain = Entry(
        name=name,
        kind="third-party",
        state="judged",
        command=f"sessionproof run {name} --seed 7 --profile smoke",
        package=f"{name}-package",
        version="1.2.3",
        packages={f"{name}-package": "1.2.3"},
        isolated=True,
        python="CPython 3.12.4",
        sqlite="3.45.1",
        sessionproof="0.1.0",
        claims=CLAIMS,
        rows=rows(*changed),
        costs=(
            Cost(operation="append", value=2.31, low=2.2, high=2.4),
            Cost(operation="read_last", value=14.0, low=13.1, high=15.2),
            Cost(operation="open", value=31.0, low=30.0, high=32.0),
        ),
        started_at="2026-01-05T09:30:00+00:00",
        running_s=48.2,
        installing_s=12.0,
    )
    return replace(plain, **changes)


def board(*entries: Entry, **changes) -> Board:
    """A board of these stores."""
    plain = Board(
        made_at="2026-01-05T09:30:00+00:00",
        sessionproof="0.1.0",
        profile="smoke",
        seed=7,
        jobs=2,
        duration_s=600.0,
        machine={"cpu": "of some kind", "cores": "2"},
        groups=groups(),
        promises=promises(),
        entries=entries,
    )
    return replace(plain, **changes)


UNSURE = replace(LOST, fails=False, said="the script did not fail", repeats="1 of 3")
BROKEN = entry(
    "broken",
    row("CORE-01", Verdict.BROKEN),
    row("CORE-06", Verdict.BROKEN, confirmed=0, example=UNSURE),
    row("CORE-07", Verdict.UNKNOWN, reason="the time was over"),
    row("CORE-10", Verdict.NOT_CLAIMED),
    row("CORE-11", Verdict.NOT_CLAIMED, findings=1, example=LOST),
    row("CONC-01", Verdict.NOT_CLAIMED),
    row("SEQ-03", Verdict.BROKEN, gated=False),
    not_representable=("messages without a role: NotRepresentable: no item for it",),
)
SOUND = entry("sound", costs=())
SHUT = Entry(name="shut", kind="other", state="not opened", problem="there is no module 'shut'")


@st.composite
def drawn_entries(draw, name: str = "drawn") -> Entry:
    """A store of any rows."""
    found = [
        Row(
            id=one,
            verdict=draw(st.sampled_from(Verdict)),
            gated=draw(st.integers(0, 5)) > 0,
            findings=draw(st.integers(0, 3)),
            confirmed=draw(st.integers(0, 2)),
            reason=draw(st.sampled_from(["", "<b>why</b>", "a\u202eb\ud800"])),
        )
        for one in GUARANTEES
    ]
    return entry(name, *found)
