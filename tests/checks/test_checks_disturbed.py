"""Operations that met an injected fault: what may have become of them."""

import pytest

from sessionproof.checks.transcript import judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import HANG, Append, Completed, Failure, Outcome, Read

BEFORE, MET, AFTER = (Message("user", text) for text in ("before", "met", "after"))


def transcript(outcome, *seen, failure="OperationalError"):
    """An append, one that met a fault, and a read of these."""
    failed = None if outcome == "ok" else Failure(failure, "locked")
    return (
        Completed(Append("s0", (BEFORE,)), Outcome("ok"), "s0"),
        Completed(Append("s0", (MET,)), Outcome(outcome, failure=failed), "s0"),
        Completed(Append("s0", (AFTER,)), Outcome("ok"), "s0"),
        Completed(Read("s0"), Outcome("ok", tuple(seen)), "s0"),
    )


@pytest.mark.parametrize(
    ("outcome", "seen"),
    [
        ("ok", (BEFORE, MET, AFTER)),
        ("fail", (BEFORE, AFTER)),
        ("info", (BEFORE, AFTER)),
        ("info", (BEFORE, MET, AFTER)),
    ],
)
def test_kept_or_raised_is_right(outcome, seen):
    """An error leaves nothing, or when it is no definite one, perhaps the whole."""
    assert judge(transcript(outcome, *seen), Claims(), disturbed={1}) is None


@pytest.mark.parametrize(
    ("outcome", "seen", "anomaly"),
    [
        ("ok", (BEFORE, AFTER), Anomaly.LOST_MESSAGE),
        ("fail", (BEFORE, MET, AFTER), Anomaly.ABORTED_READ),
        ("info", (MET, BEFORE, AFTER), Anomaly.ABORTED_READ),
        ("info", (AFTER,), Anomaly.LOST_MESSAGE),
    ],
)
def test_all_else_is_a_fault(outcome, seen, anomaly):
    """What was acknowledged is there, what was refused is not, and nothing else suffers."""
    fault = judge(transcript(outcome, *seen), Claims(), disturbed={1})
    assert fault is not None
    assert fault.index == 3
    assert fault.anomaly is anomaly


def test_an_open_outcome_ends_with_the_first_read():
    """What was not there may not turn up later."""
    late = Completed(Read("s0"), Outcome("ok", (BEFORE, MET, AFTER)), "s0")
    steps = (*transcript("info", BEFORE, AFTER), late)
    fault = judge(steps, Claims(), disturbed={1})
    assert fault is not None
    assert fault.index == 4


def test_a_fault_is_no_excuse_for_others():
    """An operation that met nothing must succeed, and a hang is a hang."""
    refused = judge(transcript("info", BEFORE, AFTER), Claims(), disturbed={2})
    assert refused is not None
    assert refused.anomaly is Anomaly.UNEXPECTED_REFUSAL
    hung = judge(transcript("info", BEFORE, failure=HANG), Claims(), disturbed={1})
    assert hung is not None
    assert hung.anomaly is Anomaly.HANG
