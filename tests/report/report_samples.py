"""Results of runs that never happened, for the tests of the report's forms."""

from __future__ import annotations

from dataclasses import replace

from report_crashes import BROKEN_BY as CRASHED
from report_crashes import CRASHES, hostile_window
from report_crashes import everywhere as crashes_everywhere
from report_crashes import finding as found_by_a_crash
from report_damages import DAMAGES
from report_damages import everywhere as damages_everywhere
from report_measurements import ALL, SLOW, TRAFFIC, everywhere
from report_schedules import TABLES, hostile_table
from report_schedules import finding as found_by_a_schedule
from report_windows import BROKEN_BY, DENSE
from report_windows import finding as found_together

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits, as_python, claims_to_json
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import (
    Finding,
    Interval,
    Record,
    Reproducer,
    Seen,
    Step,
    Verdict,
    Window,
)
from sessionproof.report.result import Baseline, GuaranteeResult, RunResult, concluded, merge
from sessionproof.report.same_cause import with_causes

CLAIMS = Claims(
    keeps=frozenset({"role", "content", "name", "metadata"}),
    atomic_batches=True,
    handles="threads",
    writers=8,
    durability="process",
    limits=Limits(content_bytes=1_000_000, nul=False),
    sources={"durability": "README, section Durability", "limits": "docs/limits"},
)

LOST = Finding(
    anomaly=Anomaly.LOST_MESSAGE,
    did="appended 3 messages in one batch, closed the store, opened it again and read",
    expected="3 messages: 'm1', 'm2', 'm3'",
    seen="2 messages: 'm1', 'm2'",
    program=(
        "store.append('s1', [Message('user', 'm1'), Message('assistant', 'm2'), "
        "Message('user', 'm3', name='ada', metadata={'source': 'import', 'batch': 17})])",
        "store.close(); store = open_again()",
        "store.read('s1')",
    ),
    repeats="3 of 3",
    repeat="sessionproof run shop.chat:Store --profile gate --seed 7 --only CORE-08",
    evidence={
        "stack": "Traceback (most recent call last):\n"
        '  File "shop/chat.py", line 41, in read\n'
        "    return [decode(row) for row in rows]\n"
        "KeyError: 'm3'",
        "stderr": "shop.chat: WARNING checkpoint skipped\n",
    },
    script=(
        "store.append('s1', [Message('user', 'm1')])",
        "store = store.again()",
        "assert len(store.read('s1')) == 1, 'a message is lost'",
    ),
    reproducer=Reproducer(file="repro/CORE-08.py", fails=True, said="AssertionError: m3 is lost"),
    steps=(
        Step(call="append", session="s1", sent=("m1", "m2", "m3")),
        Step(call="close"),
        Step(call="read", session="s1", got=("m1", "m2"), want=("m1", "m2", "m3")),
    ),
)
CHANGED = Finding(
    anomaly=Anomaly.CHANGED,
    did="appended a text with trailing blanks, then read it",
    expected="'two blanks  '",
    seen="'two blanks'",
    program=("store.append('a', [Message('user', 'two blanks  ')])", "store.read('a')"),
    repeats="3 of 3",
    reproducer=Reproducer(file="repro/CORE-06.py", fails=False),
)
REORDER = Finding(
    anomaly=Anomaly.REORDER,
    did="appended 40 messages whose times tie, then read them",
    expected="t00, t01, t02, t03, t04, …",
    seen="t00, t02, t01, t03, t04, …",
    program=(
        *(
            f"store.append('s', [Message('user', 't{n:02}', created_at_us=1767225600000000)])"
            for n in range(40)
        ),
        "store.read('s')",
    ),
    repeats="2 of 3",
    repeat="sessionproof run shop.chat:Store --profile gate --seed 7 --only SEQ-03",
)
ENVIRONMENT = {
    "python": "3.12.4",
    "platform": "Linux-6.8.0-x86_64-with-glibc2.39",
    "sqlite": "3.45.1",
    "cpu": "2 cores",
}


def records(*changes: Record) -> list[Record]:
    """A holding record of each guarantee with ten times its least evidence, but for ``changes``."""
    changed = {record.guarantee: record for record in changes}
    return [
        changed.get(
            row.id,
            Record(
                guarantee=row.id, test="t", verdict=Verdict.HOLDS,
                examined=10 * row.least, duration_s=0.4,
            ),
        )
        for row in GUARANTEES.values()
    ]  # fmt: skip


def run(guarantees: tuple[GuaranteeResult, ...], **changes) -> RunResult:
    """A concluded run with these guarantees."""
    plain = RunResult(
        store="shop.chat:Store",
        store_version="2.3.1",
        profile="gate",
        seed=7,
        guarantees=guarantees,
        sessionproof="0.1.0",
        command="sessionproof run shop.chat:Store --seed 7",
        workers=2,
        claims=claims_to_json(CLAIMS),
        capabilities=("count", "delete", "list", "page", "read_last"),
        not_representable=("messages without a role", "kind tool_result"),
        environment=ENVIRONMENT,
        started_at="2026-01-05T09:30:00Z",
        duration_s=48.2,
    )
    return concluded(replace(plain, **changes))


def with_measured(result: RunResult, by_guarantee) -> RunResult:
    """The result with these measurements at their guarantees."""
    rows = tuple(replace(row, measured=by_guarantee.get(row.id, ())) for row in result.guarantees)
    return replace(result, guarantees=rows)


def broken(guarantee: str, *findings: Finding, **changes) -> Record:
    """A record that breaks its guarantee with these findings."""
    return replace(
        Record(
            guarantee=guarantee, test="t", verdict=Verdict.BROKEN, examined=30, duration_s=2.5,
            findings=findings,
        ),
        **changes,
    )  # fmt: skip


def unknown(guarantee: str, reason: str, **changes) -> Record:
    """A record that could not tell."""
    return replace(
        Record(guarantee=guarantee, test="t", verdict=Verdict.UNKNOWN, reason=reason, examined=4),
        **changes,
    )


NOT_CLAIMED = Record(
    guarantee="CORE-10", test="t", verdict=Verdict.NOT_CLAIMED, reason="the claim validates is off"
)

all_hold = run(merge(records()))
fast = with_measured(replace(all_hold, store="reference"), ALL)
slow = with_measured(all_hold, SLOW)
three_broken = run(
    merge(
        records(
            broken("CORE-06", CHANGED),
            broken("CORE-08", LOST, replace(LOST, anomaly=Anomaly.CRASH, program=(), evidence={})),
            broken("SEQ-03", REORDER, notes=("times were given by the client",)),
            unknown("CORE-07", "the budget of 20 s was spent after 4 of 30 ids"),
            NOT_CLAIMED,
        ),
        expected=[row for row in GUARANTEES if row != "CORE-17"],
    ),
    notes=("worker 1 ended during CORE-08 and was started again",),
)
could_not_tell = run(merge(records(unknown("CORE-07", "too slow"), NOT_CLAIMED)))
accepted = run(merge(records(unknown("CORE-07", "too slow"))), accepted_unknown=("CORE",))
unclaimed = run(
    merge(
        records(
            broken("CORE-08", LOST, gated=False),
            unknown("CORE-02", "no batch was refused", gated=False),
        )
    ),
    claims_declared=False,
    suggested_claims=as_python(CLAIMS),
    store_version=None,
)
interrupted = run(merge(records()[:4], expected=list(GUARANTEES)), complete=False, interrupted=True)
cut_short = run(merge(records(), expected=list(GUARANTEES)), complete=False)
nothing = run(merge([], expected=[]))
known = run(
    tuple(
        replace(row, known="lost after a crash, see the tracker") if row.id == "CORE-08" else row
        for row in merge(records(broken("CORE-08", LOST)))
    ),
    baseline=Baseline(file="known-breaks.toml", mended=("CORE-06",)),
)
stale = run(
    merge(records()),
    baseline=Baseline(
        file="known-breaks.toml", stale=("CORE-10",),
        problems=("known-breaks.toml lists CORE-10, which the store does not claim: strike it.",),
    ),
)  # fmt: skip
_dense = replace(found_together(BROKEN_BY["CONC-06"][0]), window=DENSE)
together = with_measured(
    run(
        merge(
            records(
                *(
                    broken(row, *map(found_together, anomalies))
                    for row, anomalies in BROKEN_BY.items()
                    if row != "CONC-06"
                ),
                broken("CONC-06", *map(found_together, BROKEN_BY["CONC-06"]), _dense),
            )
        )
    ),
    TRAFFIC,
)
crashed = with_measured(
    run(
        merge(
            records(*(broken(row, *map(found_by_a_crash, found)) for row, found in CRASHED.items()))
        )
    ),
    CRASHES,
)
damaged = with_measured(run(merge(records(broken("COR-01", LOST)))), DAMAGES)
scheduled = run(merge(records(broken("CONC-14", *map(found_by_a_schedule, TABLES)))))
METADATA = Finding(
    anomaly=Anomaly.CHANGED,
    did="2 operations, the last: store.read('s0')",
    expected="1 message: 1: Message('user', 'x')",
    seen="1 message: 1: Message('user', 'x', metadata={}); first difference at message 1, "
    "metadata: None became {}",
    program=("store.append('s0', [Message('user', 'x')])", "store.read('s0')"),
    change="metadata: None became {}",
)
one_cause = run(
    with_causes(
        merge(
            records(
                broken("CORE-01", METADATA, METADATA),
                broken("CORE-06", METADATA),
                broken("CORE-08", METADATA, LOST),
                broken("SEC-02", replace(METADATA, did="read w0")),
                broken("SEQ-03", REORDER),
                unknown("DUR-01", "what is read is wrong already without a crash"),
                unknown("DUR-02", "what is read is wrong already without a crash"),
            )
        )
    )
)
no_findings = run(merge(records(broken("CORE-01", reason="the process was gone"))), claims=None)

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href='javascript:1'>"
    "{{ 7*7 }}{% raw %}]]>&lt;&#x3c;<!--[red]bold[/red][/nothing][link=http://x.test]l[/link]"
    ":warning: \x1b[31mred\x1b]0;title\x07\x9b2J\x00\r\n::set-output name=a::b\n##[error]c"
    "\n##vso[task.setvariable]d\u202etxt.exe\u2066\u200b\u00a0\u2028\ufeff\ufffe\ud800\U000e0041"
)


HOSTILE_WINDOW = Window(
    session=HOSTILE,
    sentence=HOSTILE,
    intervals=(
        Interval(client=HOSTILE, call=HOSTILE, began_us=0, ended_us=90, said=HOSTILE, guilty=True),
        Interval(
            client="other", call=HOSTILE, began_us=90, ended_us=None, outcome="info", guilty=True
        ),
    ),
    reads=(Seen(client=HOSTILE, call=HOSTILE, ended_us=4, labels=(HOSTILE, "a"), wrong=(0,)),),
    order=(HOSTILE,),
    left_out=3,
    history=HOSTILE,
)


MEASURED = (*everywhere(HOSTILE), crashes_everywhere(HOSTILE), damages_everywhere(HOSTILE))


def _everywhere() -> RunResult:
    finding = Finding(
        anomaly=Anomaly.LEAK,
        did=HOSTILE,
        expected=HOSTILE,
        seen=HOSTILE,
        program=(HOSTILE, HOSTILE),
        repeats=HOSTILE,
        repeat=HOSTILE,
        evidence={HOSTILE: HOSTILE},
        script=(HOSTILE, HOSTILE),
        reproducer=Reproducer(file=HOSTILE, fails=False, said=HOSTILE),
        steps=(
            Step(call=HOSTILE, session=HOSTILE, outcome="fail", sent=(HOSTILE,), said=HOSTILE),
            Step(call="read", session="other", got=(HOSTILE,), want=(), said=HOSTILE),
        ),
        window=HOSTILE_WINDOW,
        crash=hostile_window(HOSTILE),
        schedule=hostile_table(HOSTILE),
        change=HOSTILE,
    )
    rows = tuple(
        GuaranteeResult(
            id=HOSTILE, group=HOSTILE, promise=HOSTILE, verdict=verdict, reason=HOSTILE, examined=3,
            unit=HOSTILE, least=2, gated=gated, findings=(finding,), notes=(HOSTILE,),
            measured=MEASURED if gated and verdict is Verdict.HOLDS else (),
        )
        for verdict in Verdict
        for gated in (True, False)
    )  # fmt: skip
    rows += (replace(rows[2], known=HOSTILE, same_cause_as=HOSTILE),)
    assert rows[-1].verdict is Verdict.BROKEN
    return run(
        rows,
        store=HOSTILE,
        store_version=HOSTILE,
        profile=HOSTILE,
        sessionproof=HOSTILE,
        claims={HOSTILE: [HOSTILE], "sources": {HOSTILE: HOSTILE}},
        claims_declared=False,
        suggested_claims=HOSTILE,
        capabilities=(HOSTILE,),
        not_representable=(HOSTILE,),
        environment={HOSTILE: HOSTILE},
        started_at=HOSTILE,
        accepted_unknown=(HOSTILE,),
        notes=(HOSTILE,),
        baseline=Baseline(file=HOSTILE, mended=(HOSTILE,), stale=(HOSTILE,), problems=(HOSTILE,)),
    )


hostile = _everywhere()
hostile = replace(hostile, verdict=hostile.verdict + HOSTILE)

SAMPLES: dict[str, RunResult] = {
    "all_hold": all_hold,
    "one_cause": one_cause,
    "fast": fast,
    "slow": slow,
    "three_broken": three_broken,
    "could_not_tell": could_not_tell,
    "accepted": accepted,
    "unclaimed": unclaimed,
    "interrupted": interrupted,
    "cut_short": cut_short,
    "nothing": nothing,
    "known": known,
    "stale": stale,
    "no_findings": no_findings,
    "together": together,
    "crashed": crashed,
    "damaged": damaged,
    "scheduled": scheduled,
    "hostile": hostile,
}
