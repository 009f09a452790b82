"""Isolation: what is read of a session is changed by its own operations alone."""

from dataclasses import replace

import pytest
from transcripts import h

from sessionproof.checks.isolation import count_watched, judge_isolation
from sessionproof.contract.anomalies import Anomaly

KEEPS = frozenset({"role", "content"})


@pytest.mark.parametrize(
    "lines",
    [
        ("read s0 []", "append s1 [b]", "read s0 []", "read s1 [b]"),
        ("append s0 [a]", "read s0 [a]", "delete s1", "read s0 [a]"),
        ("append s0 [a]", "read s0 [a]", "clear s0", "read s0 []"),
        ("read s0 fail", "append s1 [b]", "read s0 []"),
        ("append s0 [a]", "append s1 [a]", "read s0 [a]", "read s1 [a]"),
        ("append s0 [a] fail", "read s0 []", "append s1 [b]", "read s0 []"),
        ("append s0 [a]", "read s0 []", "append s1 [b]", "read s0 []"),  # lost, but not leaked
        ("append s0 [a]", "read s0 [a]", "delete s0", "read s0 fail"),
        ("append s0 [a]", "edit s0 0 x", "read s0 [x]", "list s0", "reopen", "read s0 [x]"),
    ],
    ids="; ".join,
)
def test_sessions_apart_have_no_fault(lines):
    """Whatever a session's own operations do to it, the others have no part in it."""
    assert judge_isolation(h(*lines), KEEPS) is None


@pytest.mark.parametrize(
    ("lines", "index", "anomaly"),
    [
        (("append s0 [a]", "append s1 [b]", "read s0 [a b]"), 2, Anomaly.LEAK),
        (("append s1 [b]", "read s0 [b]"), 1, Anomaly.LEAK),
        (("append s0 [a]", "edit s0 0 x", "read s1 [x]"), 2, Anomaly.LEAK),
        (("append s0 [a]", "list s0", "read s1 fail", "append s1 [b]", "read s0 [a b]"), 4,
         Anomaly.LEAK),
        (("append s0 [a]", "read s0 [a]", "delete s1", "read s0 []"), 3, Anomaly.LOST_MESSAGE),
        (("append s0 [a]", "read s0 [a]", "clear s1", "read s0 fail"), 3,
         Anomaly.UNEXPECTED_REFUSAL),
        (("append s0 [a b]", "read s0 [a b]", "pop s1", "read s0 [b a]"), 3, Anomaly.REORDER),
        (("append s0 [a]", "read s0 [a]", "pop s1 fail", "read s0 [a a]"), 3, Anomaly.DUPLICATE),
        (("append s0 [a]", "read s0 [a]", "append s1 [b]", "read s0 [A]"), 3, Anomaly.CHANGED),
    ],
    ids=str,
)  # fmt: skip
def test_what_another_session_did_is_seen(lines, index, anomaly):
    """A message of another session, or a change by one, is found at the read that shows it."""
    fault = judge_isolation(h(*lines), KEEPS)
    assert (fault.index, fault.anomaly) == (index, anomaly)


def test_a_read_that_is_tried_again_is_no_fault():
    """A conflict that was retried shows nothing; the answer that followed does."""
    first, second, conflict, read = h(
        "append s0 [a]", "read s0 [a]", "read s0 fail:Conflict", "read s0 [a]"
    )
    again = replace(read, operation=conflict.operation)
    assert judge_isolation((first, second, conflict, again), KEEPS) is None
    assert judge_isolation((first, second, conflict), KEEPS) is not None


@pytest.mark.parametrize(
    ("lines", "watched"),
    [
        (("append s0 [a]", "read s0 [a]", "append s1 [b]", "delete s1", "read s0 [a]"), 2),
        (("append s0 [a]", "read s0 [a]", "append s1 [b] fail", "read s0 [a]"), 0),
        (("append s0 [a]", "read s0 [a]", "append s1 [b]"), 0),
        (("append s0 [a]", "append s1 [b]", "read s0 [a]"), 0),
        (("append s0 [a]", "read s0 [a]", "clear s1", "pop s0 a", "read s0 []"), 0),
        (("read s0 []", "append s1 [b]", "read s0 []"), 0),
        (("append s0 [a]", "read s0 [a]", "list s0", "reopen", "read s0 [a]"), 0),
        (("append s0 [a]", "read s0 [a]", "append s1 [b]", "read s0 fail"), 0),
        (("append s0 [a]", "list s0", "read s0 [a]", "append s1 [b]", "read s0 [a]"), 1),
        (("append s0 [a]", "append s1 [b]", "read s0 [a]", "read s1 [b]", "append s2 [c]",
          "read s0 [a]", "read s1 [b]"), 1),
    ],
    ids=str,
)  # fmt: skip
def test_only_what_was_watched_is_evidence(lines, watched):
    """An operation counts when another session with messages was read before and after it."""
    assert count_watched(h(*lines)) == watched


def test_the_fault_names_what_lies_between():
    """The last three operations on other sessions since it was read are the suspects."""
    read = ("append s0 [a]", "read s0 [a]")
    between = ("append s1 [b]", "read s1 [b]", "clear s2", "reopen", "pop s1 b", "delete s1")
    suspects = "store.clear('s2'); store.pop_last('s1'); store.delete('s1')"
    for wrong in ("read s0 []", "read s0 fail"):
        fault = judge_isolation(h(*read, *between, wrong, "clear s3"), KEEPS)
        assert fault.expected.startswith(f"what s0 had before {suspects}")
        alone = judge_isolation(h(*read, wrong, "clear s3"), KEEPS)
        assert "before" not in alone.expected
