"""The words that all forms of the report share: symbols and amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Reproducer, Verdict
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_REGRESSION,
    GuaranteeResult,
    RunResult,
    counts,
    is_new_break,
)
from sessionproof.report.same_cause import apart

SYMBOLS: dict[Verdict, str] = {
    Verdict.HOLDS: "✓",
    Verdict.BROKEN: "✗",
    Verdict.UNKNOWN: "?",
    Verdict.NOT_CLAIMED: "–",
    Verdict.NOT_RUN: "·",
}
JUDGED = (Verdict.HOLDS, Verdict.BROKEN, Verdict.UNKNOWN)


def overall(result: RunResult) -> Verdict:
    """The verdict whose colour and symbol the whole run wears.

    It looks good for exit code 0 alone, and not when something was seen broken that is not claimed
    or is known.
    """
    if result.exit_code == EXIT_HOLDS:
        broken = any(one.verdict is Verdict.BROKEN for one in result.guarantees)
        return Verdict.NOT_CLAIMED if broken else Verdict.HOLDS
    if result.exit_code in (EXIT_BROKEN, EXIT_REGRESSION):
        return Verdict.BROKEN
    return Verdict.UNKNOWN


def warnings(result: RunResult) -> tuple[str, ...]:
    """What a reader must know before the verdict: one sentence each, most often none."""
    out = []
    if result.interrupted:
        out.append("This run was interrupted: it says only what was judged until then.")
    elif not result.complete:
        out.append("This run is incomplete: it was cut short before all was judged.")
    if not result.claims_declared:
        out.append("This store declares no claims: concurrency and durability are not gated.")
    if result.baseline is not None:
        out += result.baseline.problems
        out += [
            f"{name} is listed as broken in {result.baseline.file}, and holds now: strike it there."
            for name in result.baseline.mended
        ]
    return tuple(out)


def of(result: RunResult, verdict: Verdict, *, gated: bool) -> tuple[GuaranteeResult, ...]:
    """The guarantees with this verdict that are gated, or those that are not."""
    return tuple(one for one in result.guarantees if one.verdict is verdict and one.gated is gated)


def new_breaks(result: RunResult) -> tuple[GuaranteeResult, ...]:
    """The broken guarantees that fail the run, those that share a cause last."""
    return apart(one for one in result.guarantees if one.gated and is_new_break(one))


def known_breaks(result: RunResult) -> tuple[GuaranteeResult, ...]:
    """The broken guarantees that would fail the run, if no baseline listed them."""
    broken = of(result, Verdict.BROKEN, gated=True)
    return apart(one for one in broken if not is_new_break(one))


def tried(result: RunResult) -> tuple[GuaranteeResult, ...]:
    """What was seen broken, and is not claimed: it decides nothing, and has its evidence too."""
    return tuple(
        one
        for one in result.guarantees
        if (one.verdict is Verdict.BROKEN and not one.gated)
        or (one.verdict is Verdict.NOT_CLAIMED and one.findings)
    )


def judged(result: RunResult) -> tuple[GuaranteeResult, ...]:
    """The guarantees that were examined, or should have been."""
    return tuple(one for one in result.guarantees if one.verdict in JUDGED)


def not_examined(result: RunResult) -> str:
    """What has no evidence, in a sentence, so that nobody takes it for holding; most often some."""
    number = counts(result)
    parts = [
        f"{number[verdict]} {verdict.shown}"
        for verdict in (Verdict.NOT_CLAIMED, Verdict.NOT_RUN)
        if number[verdict]
    ]
    return f"No evidence was gathered for the others: {', '.join(parts)}." if parts else ""


def damage(row: GuaranteeResult) -> str:
    """An example of what a break does to a user's chat; empty for an id that is not known."""
    known = GUARANTEES.get(row.id)
    return known.damage if known is not None else ""


def again(repeats: str) -> str:
    """How often the program failed anew, as in "3 of 3 times" and "in 3 of 3 rounds"."""
    said = f"{repeats} times" if repeats[-1:].isdecimal() else f"in {repeats}"
    return f"in the run, and {said}" if repeats.startswith("0 of ") else said


def reproduced(reproducer: Reproducer) -> str:
    """Whether the script showed the break by itself, in a clause."""
    match reproducer.fails:
        case True:
            return "it failed when it was run alone"
        case False:
            return "it did not fail when it was run alone"
        case None:
            return "it was not run to its end"


def seen_broken(result: RunResult) -> str:
    """How many of the broken decide nothing, in a sentence; empty when all of them decide."""
    match len(of(result, Verdict.BROKEN, gated=False)):
        case 0:
            return ""
        case 1:
            return "1 guarantee was seen broken and is not claimed: it decides nothing."
        case number:
            return f"{number} guarantees were seen broken and are not claimed: they decide nothing."


def short_look(result: RunResult) -> str:
    """That a green run of profile smoke is no gate, in a sentence; empty for all others."""
    if result.profile != "smoke" or result.exit_code != EXIT_HOLDS:
        return ""
    return "a short look: profile gate searches longer; run it before you push"


def accepted(result: RunResult, row: GuaranteeResult) -> bool:
    """Whether the run takes "could not tell" of this guarantee for good."""
    return bool({row.id, row.group} & set(result.accepted_unknown))


def unclaimed(row: GuaranteeResult) -> bool:
    """Whether there is a verdict that decides nothing."""
    return not row.gated and row.verdict in JUDGED


def marks(result: RunResult, row: GuaranteeResult) -> tuple[str, ...]:
    """What stands beside a verdict that decides less than it seems to; most often nothing."""
    out = []
    if unclaimed(row):
        out.append("not claimed" if row.verdict is Verdict.UNKNOWN else "seen, not claimed")
    if row.verdict is Verdict.UNKNOWN and accepted(result, row):
        out.append("accepted")
    if row.known is not None:
        out.append("known")
    return tuple(out)


def reason(row: GuaranteeResult) -> str:
    """Why the verdict is what it is; a break without a reason is named by its anomalies.

    A known break has the reason of the baseline, too.
    """
    names = ", ".join(dict.fromkeys(one.anomaly.value for one in row.findings))
    same = f"same cause as {row.same_cause_as}" if row.same_cause_as else ""
    return "; ".join(filter(None, (row.reason or same or names, row.known)))


def same_cause(row: GuaranteeResult) -> str:
    """Where to look for a break that another one explains, in a line; empty where none does."""
    if row.same_cause_as is None:
        return ""
    return f"same cause as {row.same_cause_as}: {_change(row)}; mend that first"


def same_causes(rows: Sequence[GuaranteeResult]) -> list[str]:
    """The breaks that others explain, a line for each of these others."""
    led: dict[str, list[GuaranteeResult]] = {}
    for row in rows:
        led.setdefault(row.same_cause_as or row.id, []).append(row)
    return [
        f"{len(some)} more by the same cause as {leader} ({_change(some[0])}): "
        f"{' '.join(row.id for row in some)}; mend that first, others may show then"
        for leader, some in led.items()
    ]


def hint(row: GuaranteeResult) -> str:
    """What mends it where the cause is hard to see; empty where nothing is known."""
    known = GUARANTEES.get(row.id)
    return known.remedy if known else ""


def broken_ids(rows: Sequence[GuaranteeResult]) -> str:
    """``by one cause (metadata: None became {}): CORE-01 CORE-06; SEQ-06 PERF-04``."""
    by_leader: dict[str, list[GuaranteeResult]] = {}
    for row in rows:
        by_leader.setdefault(row.same_cause_as or row.id, []).append(row)
    alone = [row.id for some in by_leader.values() if len(some) == 1 for row in some]
    shared = [
        f"by one cause ({_change(some[-1])}): {' '.join(row.id for row in some)}"
        for some in by_leader.values()
        if len(some) > 1
    ]
    return "; ".join(filter(None, (*shared, " ".join(alone))))


def _change(row: GuaranteeResult) -> str:
    return next((one.change for one in row.findings), "")


def ranges(ids: Sequence[str]) -> str:
    """``CORE-01 … CORE-17, SEC-02``: three or more in a row of the registry are one."""
    order = {name: number for number, name in enumerate(GUARANTEES)}
    runs: list[list[str]] = []
    for name in ids:
        before = order.get(runs[-1][-1]) if runs else None
        follows = before is not None and order.get(name) == before + 1
        if follows and runs[-1][-1].split("-")[0] == name.split("-")[0]:
            runs[-1].append(name)
        else:
            runs.append([name])
    told = (f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)
    return ", ".join(told)


def unclaimed_by_reason(result: RunResult) -> dict[str, tuple[GuaranteeResult, ...]]:
    """By reason, the guarantees that the store does not claim and of which nothing was seen."""
    out: dict[str, tuple[GuaranteeResult, ...]] = {}
    for row in result.guarantees:
        if row.verdict is Verdict.NOT_CLAIMED and not row.findings and not row.notes:
            out[row.reason] = (*out.get(row.reason, ()), row)
    return out


def grouped(result: RunResult) -> dict[str, list[GuaranteeResult]]:
    """The guarantees by group, in the order of the run."""
    out: dict[str, list[GuaranteeResult]] = {}
    for row in result.guarantees:
        out.setdefault(row.group, []).append(row)
    return out


def claim_rows(claims: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Each claim as name, value, source; limits one by one, and an empty source where none is."""
    sources = claims.get("sources")
    of_claim = sources if isinstance(sources, Mapping) else {}
    flat: list[tuple[str, object]] = []
    for name, value in claims.items():
        if name == "sources":
            continue
        if isinstance(value, Mapping):
            flat += [(f"{name}.{part}", inner) for part, inner in value.items()]
        else:
            flat.append((name, value))
    return [
        (name, value_words(value), str(of_claim.get(name, of_claim.get(name.split(".")[0], ""))))
        for name, value in flat
    ]


def value_words(value: object) -> str:
    """A claim's value for people: ``yes``, ``none``, ``content, role``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def amount(number: int, unit: str) -> str:
    """``1,234 messages``."""
    return f"{number:,} {unit}".rstrip()


def seconds(duration_s: float) -> str:
    """A duration in the digits that matter, without its unit."""
    return f"{duration_s:.2f}" if duration_s < 10 else f"{duration_s:,.0f}"
