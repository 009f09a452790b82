"""From the records of a run to its result."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import sessionproof
from sessionproof.contract.claims import Claims, as_python, claims_to_json
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Record, Verdict
from sessionproof.engine.baseline import compared
from sessionproof.engine.plan import Plan, wanted_rows
from sessionproof.report.result import GuaranteeResult, RunResult, concluded, merge
from sessionproof.report.same_cause import with_causes
from sessionproof.trials.examine import unmet


def assemble(
    plan: Plan,
    records: Iterable[Record],
    *,
    workers: int,
    started_at: str,
    timings: Mapping[str, float],
    duration_s: float,
    environment: Mapping[str, str],
    complete: bool = True,
    interrupted: bool = False,
    accept_unknown: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> RunResult:
    """The result of a run with its verdict and exit code."""
    made = list(map(_with_repeat(plan), records))
    accepted = tuple(name.upper() for name in accept_unknown)
    guarantees = merge([*made, *_unmet(plan, made)], plan.only)
    baseline = None
    if plan.baseline is not None:
        guarantees, baseline = compared(guarantees, plan.baseline)
    guarantees = with_causes(guarantees)
    result = RunResult(
        store=plan.store,
        store_version=plan.version,
        profile=plan.profile.name,
        seed=plan.seed,
        guarantees=guarantees,
        sessionproof=sessionproof.__version__,
        command=_again(plan, accepted),
        workers=workers,
        claims=claims_to_json(plan.claims),
        claims_declared=plan.declared,
        suggested_claims=None if plan.declared else as_python(_suggested(plan, guarantees)),
        capabilities=plan.capabilities,
        not_representable=plan.not_representable,
        environment=environment,
        started_at=started_at,
        duration_s=duration_s,
        complete=complete,
        interrupted=interrupted,
        accepted_unknown=accepted,
        notes=(*plan.notes, *notes),
        baseline=baseline,
        timings=timings,
        seeds=plan.seeds,
    )
    return concluded(result)


def _with_repeat(plan: Plan) -> Callable[[Record], Record]:
    def repeat(record: Record) -> Record:
        command = f"{_with_seed(plan, record.seed)} --only {record.guarantee}"
        findings = tuple(replace(finding, repeat=command) for finding in record.findings)
        return replace(record, findings=findings)

    return repeat


def _with_seed(plan: Plan, seed: int | None) -> str:
    """The command with another seed; its last such option is ours, whatever the store's words."""
    if seed is None:
        return plan.command
    before, _, after = plan.command.rpartition(f"--seed {plan.seed}")
    return f"{before}--seed {seed}{after}"


def _unmet(plan: Plan, made: Iterable[Record]) -> list[Record]:
    """Records of guarantees that the run did not come to, and that the store does not claim."""
    judged = {record.guarantee for record in made}
    lacking = {
        name: unmet(GUARANTEES[name], plan.capabilities, plan.claims)
        for name in plan.only
        if name not in judged
    }
    return [
        Record(guarantee=name, test="", verdict=Verdict.NOT_CLAIMED, reason=reason)
        for name, reason in lacking.items()
        if reason is not None
    ]


def _again(plan: Plan, accepted: Iterable[str]) -> str:
    words = [word for name in _named(plan) for word in ("--only", name)]
    words += [word for name in accepted for word in ("--accept-unknown", name)]
    words += [] if plan.seeds == 1 else ["--seeds", str(plan.seeds)]
    words += [] if plan.baseline is None else ["--baseline", plan.baseline.file]
    return " ".join([plan.command, shlex.join(words)]).rstrip()


def _named(plan: Plan) -> Sequence[str]:
    """The guarantees of the run as they were asked for; none for all of them."""
    if set(plan.only) == set(GUARANTEES):
        return ()
    as_asked = plan.asked and set(wanted_rows(plan.asked)) == set(plan.only)
    return plan.asked if as_asked else plan.only  # pytest may have left some of them out


def _suggested(plan: Plan, guarantees: Iterable[GuaranteeResult]) -> Claims:
    """What was probed, less what was then seen not to hold."""
    held = {one.id for one in guarantees if one.verdict is Verdict.HOLDS}
    together = {"CONC-01", "CONC-02", "SEQ-04"} <= held
    consistency: Literal["none", "session", "linearizable"] = "none"
    if "CONC-06" in held:
        consistency = "linearizable" if "CONC-05" in held else "session"
    return replace(
        plan.claims,
        atomic_batches="CORE-02" in held,
        validates="CORE-10" in held,
        durability="process" if "CORE-08" in held else "none",
        handles=plan.claims.handles if together else "one",
        shared_handle=together and plan.claims.shared_handle and "CONC-10" in held,
        consistency=consistency if together else "none",
        isolation=plan.claims.isolation if together and "CONC-07" in held else None,
        concurrent_readers=together and "CONC-12" in held,
        writers=plan.claims.writers if together and "CONC-09" in held else None,
    )
