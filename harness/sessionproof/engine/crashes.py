"""What is known of a worker that died: the test it ran, the operation in flight, its stack."""

from __future__ import annotations

import faulthandler
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.machine import begin
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.plan import Plan
from sessionproof.workload.guard import FlightRecorder

_FATAL = "Fatal Python error: "
_GOING = 0.9  # of a test's deadline: when it is noted whether threads still run


@contextmanager
def ended_after(
    test_s: float, stack: TextIO, directory: Path, worker: str, nodeid: str
) -> Iterator[None]:
    """End this process, with a stack, when the test within lasts longer than so many seconds.

    Shortly before, a thread notes that it can still run. Only what holds the interpreter's lock
    keeps it from that: all other hangs are ended by the deadline of their operation. So a test
    that is ended although it was noted was slow.
    """
    going = threading.Timer(_GOING * test_s, _note_going, (directory, worker, nodeid))
    going.name, going.daemon = "before a test's deadline", True
    # Where a store has taken all memory nothing ends the test: without the note it would be blamed.
    with suppress(MemoryError, RuntimeError):
        begin(going)
        faulthandler.dump_traceback_later(test_s, exit=True, file=stack)
    try:
        yield
    finally:
        going.cancel()
        faulthandler.cancel_dump_traceback_later()


def _note_going(directory: Path, worker: str, nodeid: str) -> None:
    _going(directory, worker).write_text(nodeid, "utf-8")


def _going(directory: Path, worker: str) -> Path:
    return directory / f"going-{worker}.txt"


def crash_record(begun: dict[str, Any], plan: Plan) -> Record:
    """The record of the test that a worker had begun when it died.

    A test that was ended at its deadline is a hang where the interpreter stood still, and could
    not be told where it went on.
    """
    worker, test = begun["worker"], begun["nodeid"].rpartition("::")[2]
    flight = plan.directory / f"flight-{worker}.txt"
    doing = FlightRecorder.last_note(flight) or "a step between two operations"
    try:
        stack = (plan.directory / f"stack-{worker}.txt").read_text("utf-8", "replace").strip()
    except OSError:
        stack = ""
    hung = stack.startswith("Timeout")
    if hung and FlightRecorder.last_note(_going(plan.directory, worker)) == begun["nodeid"]:
        test_s = plan.profile.deadlines.test_s
        reason = (
            f"not done after {test_s:g} s, though it went on: the store is too slow for this "
            f"profile, or the machine; it was in {doing}"
        )
        return Record(
            guarantee=begun["guarantee"], test=test, verdict=Verdict.UNKNOWN, reason=reason,
            gated=GUARANTEES[begun["guarantee"]].is_gated(declared=plan.declared),
            seed=begun.get("seed"),
        )  # fmt: skip
    finding = Finding(
        anomaly=Anomaly.HANG if hung else Anomaly.CRASH,
        did=f"was in {doing}",
        expected=f"the test ends within {plan.profile.deadlines.test_s:g} s"
        if hung
        else "an answer; the process goes on",
        seen="no answer; no timer inside the process helped, so it was ended from outside"
        if hung
        else f"the process that ran the store ended{_fatal(stack)}",
        evidence={"stack": stack} if stack else {},
    )
    return Record(
        guarantee=begun["guarantee"],
        test=test,
        verdict=Verdict.BROKEN,
        findings=(finding,),
        seed=begun.get("seed"),
    )


def _fatal(stack: str) -> str:
    """What Python said of a signal that ended the process, as ``: Segmentation fault``."""
    first = stack.partition("\n")[0]
    return f": {first.removeprefix(_FATAL)}" if first.startswith(_FATAL) else ""
