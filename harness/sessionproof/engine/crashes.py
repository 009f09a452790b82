"""What is known of a worker that died: the test it ran, the operation in flight, its stack."""

from __future__ import annotations

from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.plan import Plan
from sessionproof.workload.guard import FlightRecorder


def crash_record(begun: dict[str, Any], plan: Plan) -> Record:
    """The record of the test that a worker had begun when it died."""
    worker = begun["worker"]
    flight = plan.directory / f"flight-{worker}.txt"
    doing = FlightRecorder.last_note(flight) or "a step between two operations"
    try:
        stack = (plan.directory / f"stack-{worker}.txt").read_text("utf-8", "replace").strip()
    except OSError:
        stack = ""
    hung = stack.startswith("Timeout")
    finding = Finding(
        anomaly=Anomaly.HANG if hung else Anomaly.CRASH,
        did=f"was in {doing}",
        expected=f"the test ends within {plan.profile.deadlines.test_s:g} s"
        if hung
        else "an answer; the process goes on",
        seen="no answer; no timer inside the process helped, so it was ended from outside"
        if hung
        else "the process that ran the store ended",
        evidence={"stack": stack} if stack else {},
    )
    return Record(
        guarantee=begun["guarantee"],
        test=begun["nodeid"].rpartition("::")[2],
        verdict=Verdict.BROKEN,
        findings=(finding,),
    )
