"""The smallest contradiction: what it is called by what is left of it, and when the time is up."""

import pytest

from sessionproof.checks.models import Operation
from sessionproof.checks.smallest import Cause, incident_of, smallest
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import MISSING, F

A, B = 1 << 8, 2 << 8


def append(row, number, inv, ret, *, client=1, value=-1):
    """One message, with the number that it was given."""
    return Operation(row=row, key=row, f=F.APPEND, inv=inv, ret=ret, client=client, ids=(number,),
                     n=1, value=value)  # fmt: skip


def read(row, inv, ret, *, client=2, f=F.READ, n=0, length=0):
    """A read of so many messages."""
    return Operation(row=row, key=row, f=f, inv=inv, ret=ret, client=client, n=n, length=length)


def test_when_the_time_is_up_nothing_more_is_left_out():
    """What was found is a contradiction as it stands, and only larger than it might be."""
    some = [append(0, A, 0, 1), append(1, B, 2, 3), read(2, 4, 5)]

    def unexplained(_operations, _seconds):
        return False

    assert smallest(some, {2: ()}, unexplained, limit_s=0.0) == tuple(some)
    assert smallest(some, {2: ()}, unexplained, limit_s=60.0) == ()


@pytest.mark.parametrize(
    ("later", "held", "anomaly"),
    [
        (read(1, 2, 3, client=1), (), Anomaly.READ_YOUR_WRITES),
        (read(1, 2, 3), (), Anomaly.STALE_READ),
        (read(1, 2, 3, length=1), (B,), Anomaly.STALE_READ),
        (read(1, 2, 3, f=F.READ_LAST, n=2, length=1), (B,), Anomaly.STALE_READ),
        (read(1, 2, 3, f=F.READ_LAST, n=1, length=1), (B,), Anomaly.NOT_LINEARIZABLE),
        (read(1, 2, 3, length=2), (B, A), Anomaly.NOT_LINEARIZABLE),
        (read(1, 2, 3, length=2), None, Anomaly.NOT_LINEARIZABLE),
        (read(1, 0, 3), (), Anomaly.NOT_LINEARIZABLE),
    ],
)
def test_a_read_is_stale_when_it_must_have_what_it_lacks(later, held, anomaly):
    """Not when it has it, began beside it, looked at fewer, or when its answer was not kept."""
    answers = {} if held is None else {1: held}
    assert incident_of([append(0, A, 0, 1), later], answers, 0).anomaly is anomaly


def test_a_session_that_was_made_and_is_unknown_is_lost():
    """And one that holds something else is not."""
    made = Operation(row=0, key=0, f=F.CREATE, inv=0, ret=1)
    gone, there = read(1, 2, 3, length=MISSING), read(1, 2, 3, length=1)
    assert incident_of([made, gone], {}, 0).anomaly is Anomaly.LOST_SESSION
    assert incident_of([made, there], {1: (A,)}, 0).anomaly is Anomaly.NOT_LINEARIZABLE


@pytest.mark.parametrize(
    ("one", "other", "anomaly"),
    [
        (append(0, A, 0, 1, value=4), append(1, B, 2, 3, value=4), Anomaly.DUPLICATE_SEQUENCE),
        (append(0, A, 0, 1, value=5), append(1, B, 2, 3, value=4), Anomaly.SEQUENCE_ORDER),
        (append(0, A, 0, 3, value=5), append(1, B, 2, 3, value=4), Anomaly.SEQUENCE_GAP),
        (append(0, A, 0, 1, value=4), append(1, B, 2, 3, value=6), Anomaly.SEQUENCE_GAP),
    ],
)
def test_numbers_are_given_twice_or_against_time_or_have_a_gap(one, other, anomaly):
    """Two that ran side by side may have theirs in any order."""
    assert incident_of([one, other], {}, 0, cause=Cause.NUMBERS).anomaly is anomaly


@pytest.mark.parametrize(
    ("later", "held", "anomaly"),
    [
        (read(1, 2, 3, length=1), (A,), Anomaly.NON_MONOTONIC),
        (read(1, 2, 3), (), Anomaly.NON_MONOTONIC),
        (read(1, 2, 3, length=1), (B,), Anomaly.NOT_LINEARIZABLE),
        (read(1, 2, 3, f=F.READ_LAST, n=1, length=1), (A,), Anomaly.NOT_LINEARIZABLE),
        (read(1, 2, 3, length=1), None, Anomaly.NOT_LINEARIZABLE),
        (read(1, 1, 3, length=1), (A,), Anomaly.NOT_LINEARIZABLE),
    ],
)
def test_a_read_goes_back_when_a_later_one_has_only_the_beginning_of_it(later, held, anomaly):
    """Not when it has others, looked at fewer, began beside it, or when its answer was not kept."""
    answers = {0: (A, B)} | ({} if held is None else {1: held})
    assert incident_of([read(0, 0, 1, length=2), later], answers, 0).anomaly is anomaly
