"""Sequence numbers of a transcript, under every claim."""

import pytest
from transcripts import h

from sessionproof.checks.sequence import count_numbers, judge_numbers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits

MALFORMED = Anomaly.MALFORMED
GAP = Anomaly.SEQUENCE_GAP
DOUBLE = Anomaly.DUPLICATE_SEQUENCE
ORDER = Anomaly.SEQUENCE_ORDER

ANY, REUSE, NEVER = None, "reuse", "never"


def found(lines, start=1, after=None, **limits):
    """The name of the first fault, or None."""
    claims = Claims(seq_start=start, seq_after_delete=after, limits=Limits(**limits))
    fault = judge_numbers(h(*lines), claims)
    return fault.anomaly if fault else None


@pytest.mark.parametrize(
    ("lines", "anomaly"),
    [
        (("append s0 [a] #1", "append s0 [b c] #2,3", "append s1 [d] #1"), None),
        (("append s0 []", "append s0 [b] #1"), None),
        (("append s0 [a] fail", "append s0 [b] #1"), None),
        (("append s0 [a] fail", "append s0 [b] #2"), GAP),
        (("append s0 [a b c d e f] #1,2,3,4,5,6", "append s0 [g] #8"), GAP),
        (("create s0", "append s0 [a] #1", "read s0 [a]", "reopen", "append s0 [b] #2"), None),
        (("append s0 [a]",), MALFORMED),
        (("append s0 [a] #2",), GAP),
        (("append s0 [a] #0",), GAP),
        (("append s0 [a] #1", "append s0 [b] #3"), GAP),
        (("append s0 [a b] #1,3",), GAP),
        (("append s0 [a] #1", "append s0 [b] #1"), DOUBLE),
        (("append s0 [a b] #1,1",), DOUBLE),
        (("append s0 [a b] #2,1",), ORDER),
        (("append s0 [a b] #1,2", "append s0 [c d] #4,3"), ORDER),
        (("append s0 [a b] #1,2", "append s0 [c] #0"), ORDER),
        (("append s0 [a] #1", "append s1 [b] #2"), GAP),
        (("append s0 [a] #1", "delete s0", "append s0 [b] #1"), None),
        (("remove s0 0", "append s0 [a] #1"), None),
        (("pop s0 a", "append s0 [a] #1"), None),
        (("clear s0", "append s0 [a] #1"), None),
        (("delete s0", "append s0 [a] #1"), None),
        (("append s0 [a] #1", "delete s0", "append s0 [b] #2"), GAP),
        (("append s0 [a] #1", "append s0 [b] info", "append s0 [c] #3"), None),
        (("append s0 [a b] #1,2", "pop s0 info", "append s0 [c] #2"), None),
        (("append s0 [a] #1", "read s0 info", "append s0 [c] #3"), GAP),
        (("append s0 [a] info", "append s1 [c] #2"), GAP),
    ],
    ids=str,
)
@pytest.mark.parametrize("after", [ANY, REUSE, NEVER])
def test_numbers_rise_by_one_while_nothing_was_deleted(lines, anomaly, after):
    """From the declared start, by one, without repeat, whatever is claimed for later."""
    assert found(lines, after=after) is anomaly


def test_the_start_is_the_declared_one():
    """Numbers may start anywhere, if that is what the store says; at 1 if it says nothing."""
    assert found(("append s0 [a b] #0,1", "append s0 [c] #2"), start=0) is None
    assert found(("append s0 [a] #1",), start=0) is GAP
    assert found(("append s0 [a] #7", "append s0 [b] #8"), start=7) is None
    assert found(("append s0 [a] #1", "append s0 [b] #2"), start=None) is None


TWO = "append s0 [a b] #1,2"


@pytest.mark.parametrize(
    ("lines", "of_any", "of_reuse", "of_never"),
    [
        ((TWO, "pop s0 b", "append s0 [c] #2"), None, None, DOUBLE),
        ((TWO, "pop s0 b", "append s0 [c] #3"), None, GAP, None),
        ((TWO, "pop s0 b", "append s0 [c] #7"), None, GAP, None),
        ((TWO, "pop s0 b", "append s0 [c] #1"), DOUBLE, DOUBLE, DOUBLE),
        ((TWO, "pop s0 b", "pop s0 a", "append s0 [c] #1"), None, None, DOUBLE),
        ((TWO, "pop s0 none", "append s0 [c] #3"), None, None, None),
        ((TWO, "pop s0 fail", "append s0 [c] #3"), None, None, None),
        ((TWO, "clear s0", "append s0 [c] #1"), None, None, DOUBLE),
        ((TWO, "clear s0", "append s0 [c] #3"), None, GAP, None),
        ((TWO, "remove s0 0", "append s0 [c] #3"), None, None, None),
        ((TWO, "remove s0 1", "append s0 [c] #2"), None, None, DOUBLE),
        ((TWO, "remove s0 0", "append s0 [c] #2"), DOUBLE, DOUBLE, DOUBLE),
        ((TWO, "remove s0 5", "append s0 [c] #2"), None, None, DOUBLE),
        ((TWO, "pop s0 b", "append s0 [c d] #3,5"), None, GAP, None),
        ((TWO, "pop s0 b", "append s0 [c d] #4,3"), ORDER, ORDER, ORDER),
        ((TWO, "pop s0 b", "append s0 [c d] #3,3"), DOUBLE, DOUBLE, DOUBLE),
        ((TWO, "clear s0", "clear s0", "append s0 [c] #0"), ORDER, ORDER, DOUBLE),
        ((TWO, "delete s0", "append s0 [c] #1"), None, None, None),
        ((TWO, "delete s0", "create s0", "append s0 [c] #1"), None, None, None),
    ],
    ids=str,
)
def test_numbers_after_deletions_follow_the_claim(lines, of_any, of_reuse, of_never):
    """Strictly rising always; given again, or never, where that is claimed."""
    for after, anomaly in ((ANY, of_any), (REUSE, of_reuse), (NEVER, of_never)):
        seen = found(lines, after=after)
        assert (seen is None) is (anomaly is None), (after, seen)


def test_a_window_drops_the_oldest_numbers():
    """With a retention limit a message is removed from among those that are still there."""
    lines = ("append s0 [a b c d] #1,2,3,4", "remove s0 5", "append s0 [e] #4")
    assert found(lines, after=REUSE, retention=2) is None  # index 5 of two is the second, number 4
    lines = ("append s0 [a b c] #1,2,3", "pop s0 c", "append s0 [d] #3")
    assert found(lines, after=REUSE, retention=2) is None


def test_numbers_are_counted():
    """What was answered is counted, and nothing else."""
    assert count_numbers(h("append s0 [a b] #1,2", "append s0 [c]", "append s0 [d] fail")) == 2
    assert count_numbers(h("append s0 [a b] #1,2", "append s0 [c] info", "append s0 [d] #3")) == 2
