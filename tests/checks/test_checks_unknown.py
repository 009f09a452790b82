"""Looking at an unknown session."""

import pytest

from sessionproof.checks.unknown import judge_not_found
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Completed, Failure, List, Outcome, Read


def looked(error=None, session="unknown"):
    """A listing, then a read that ended so."""
    failure = None if error is None else Failure(error, "no such thing")
    outcome = Outcome("ok", ()) if failure is None else Outcome("info", failure=failure)
    return (Completed(List(), Outcome("ok", ())), Completed(Read(session), outcome, session))


@pytest.mark.parametrize("error", [None, "NotFound", "KeyError", "LookupError", "HistoryError"])
def test_empty_or_an_error_on_purpose_is_right(error):
    """Also one of the store's own."""
    assert judge_not_found(looked(error), "unknown") is None


@pytest.mark.parametrize("error", ["AttributeError", "TypeError", "IndexError"])
def test_an_accident_is_a_fault(error):
    """'NoneType' object has no attribute: nobody learns from it that there is no such session."""
    fault = judge_not_found(looked(error), "unknown")
    assert fault is not None
    assert (fault.index, fault.anomaly) == (1, Anomaly.WRONG_ANSWER)
    assert error in fault.seen


def test_other_sessions_are_no_matter():
    """They are the oracle's."""
    assert judge_not_found(looked("TypeError", session="s0"), "unknown") is None
