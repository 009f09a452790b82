"""Ids of receipts against what is read after them."""

import pytest

from sessionproof import Message, Receipt
from sessionproof.checks.rules import IdsOf
from sessionproof.checks.transcript import judge_receipts
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    Clear,
    Completed,
    Count,
    Operation,
    Outcome,
    Read,
    Reopen,
)

TWO = (Message("user", "a"), Message("user", "b"))


def done(operation: Operation, value: object = None, sort: str = "ok") -> Completed:
    """An operation with its answer."""
    return Completed(operation, Outcome(sort, value))


def appended(*ids: str) -> Completed:
    """Two messages, acknowledged with these ids; with none, by nothing at all."""
    return done(Append("s0", TWO), Receipt(ids=ids) if ids else None)


def read(*ids: str | None) -> Completed:
    """Messages with these ids."""
    return done(Read("s0"), tuple(Message("user", "x", id=one) for one in ids))


@pytest.mark.parametrize(
    "transcript",
    [
        (appended("1", "2"), read("0", "1", "2")),
        (appended("1", "2"), read("2")),
        (appended("1", "2"), read(None, None)),
        (appended(), read("1", "2")),
        (appended("1", "2"), done(Reopen()), done(Count("s0"), 2), read("1", "2")),
        (appended("1", "2"), done(Clear("s0")), read("8", "9")),
        (appended("1", "2"), done(Read("s0"), None, "fail")),
        (read("1"), appended("1", "2"), read("1", "2")),
        (done(Clear("s0")), appended("1", "2"), read("1", "2")),
    ],
)
def test_ids_that_agree_are_no_fault(transcript):
    """Where a store has no ids, answers none, or lost its session since, nothing is owed."""
    assert judge_receipts(transcript) is None


@pytest.mark.parametrize("ids", [("2", "1"), ("1", "3"), ("3",)])
def test_other_ids_than_the_receipts_are_a_fault(ids):
    """The newest messages have the ids that their append answered, in its order."""
    fault = judge_receipts((appended("8", "9"), appended("1", "2"), done(Reopen()), read(*ids)))
    assert (fault.index, fault.anomaly) == (3, Anomaly.WRONG_ANSWER)
    assert fault.rule == IdsOf(1)
    assert "['1', '2']" in fault.expected
    assert str(list(ids)) in fault.seen
