"""The smallest contradiction: what it is called by what is left of it, and when the time is up."""

from dataclasses import replace

import pytest

from sessionproof.checks import smallest as module
from sessionproof.checks.models import Operation
from sessionproof.checks.smallest import Cause, incident_of, smallest
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.columns import MISSING, NEVER, F

A, B = 1 << 8, 2 << 8


def append(row, number, inv, ret, *, client=1, value=-1):
    """One message, with the number that it was given."""
    return Operation(row=row, key=row, f=F.APPEND, inv=inv, ret=ret, client=client, ids=(number,),
                     n=1, value=value)  # fmt: skip


def read(row, inv, ret, *, client=2, f=F.READ, n=0, length=0):
    """A read of so many messages."""
    return Operation(row=row, key=row, f=f, inv=inv, ret=ret, client=client, n=n, length=length)


def test_when_the_time_is_up_nothing_more_is_left_out(monkeypatch):
    """What was found is a contradiction as it stands, and only larger than it might be."""
    monkeypatch.setattr(module, "monotonic_s", lambda: 7.0)
    some = [append(0, A, 0, 1), append(1, B, 2, 3), read(2, 4, 5)]

    def unexplained(_operations, _seconds):
        return False

    assert smallest(some, {2: ()}, unexplained, limit_s=0.0, numbered=False) == tuple(some)
    assert smallest(some, {2: ()}, unexplained, limit_s=1.0, numbered=False) == ()


REFUSED = Operation(row=5, key=5, f=F.APPEND, inv=6, ret=9, ids=(A,), n=1, refused=True)


@pytest.mark.parametrize(
    ("operations", "left"),
    [
        ([read(0, 0, 1), read(1, 2, 3)], read(0, 0, 1)),
        ([read(0, 0, 1), REFUSED], REFUSED),
    ],
)
def test_of_two_contradictions_that_which_ended_first_is_told(operations, left):
    """Reads are left out before a refusal is, and an answer that is left stays one."""

    def search(some, _seconds):
        return not some

    assert smallest(operations, {}, search, limit_s=60.0, numbered=False) == (left,)


BATCH = replace(append(1, B, 0, 1), after=0)
NUMBERED = append(1, B, 0, 1, value=3)


@pytest.mark.parametrize(
    ("other", "answers", "how", "kept"),
    [
        (read(1, 2, 3, length=1), {1: (A,)}, {}, True),
        (read(1, 2, 3, length=1), {1: (B,)}, {}, False),
        (read(1, 2, 3, length=1), {1: (B,)}, {"f": F.CLEAR}, True),
        (read(1, 2, 3, length=1), {}, {}, True),
        (read(1, 2, 3), {}, {}, False),
        (read(1, 2, 3, length=1), {1: (A,)}, {"inv": 3}, True),
        (read(1, 2, 3, length=1), {1: (A,)}, {"inv": 4}, False),
        (BATCH, {}, {}, True),
        (NUMBERED, {}, {"numbered": True}, True),
        (NUMBERED, {}, {}, False),
        (append(1, B, 0, 1), {}, {"numbered": True}, False),
    ],
)
def test_a_write_that_need_not_be_is_left_out_if_nothing_can_show_it(other, answers, how, kept):
    """What can: an answer that has it or was not kept, a number, what must stand behind it."""
    one = Operation(row=0, key=0, f=how.get("f", F.APPEND), inv=how.get("inv", 0), ret=NEVER,
                    client=1, must=False, ids=(A,), n=1)  # fmt: skip

    def search(some, _seconds):
        return other not in some

    numbered = how.get("numbered", False)
    left = smallest([one, other], answers, search, limit_s=60.0, numbered=numbered)
    assert left == ((one, other) if kept else (other,))


def test_a_write_of_which_only_the_end_is_too_much_need_not_have_happened():
    """It stays as one of unknown outcome, which the answer may show."""
    seen = read(1, 2, 3, length=1)

    def search(some, _seconds):
        return len(some) < 2

    left = smallest([append(0, A, 0, 1), seen], {1: (A,)}, search, limit_s=60.0, numbered=False)
    assert left == (replace(append(0, A, 0, 1), must=False, ret=NEVER), seen)


@pytest.mark.parametrize("appends", [4, 5, 6])
def test_at_most_six_operations_are_told(appends):
    """The first two and the last read stand first; of answers up to four messages are named."""
    some = [append(at, at << 8, at, at) for at in range(appends)]
    middle, last = read(8, 2, 3, length=4), read(9, 20, 21, length=5)
    answers = {8: (A,) * 4, 9: (B,) * 5}
    incident = incident_of([*some, middle, last], answers, 0)
    assert incident.rows == (0, 1, 9, *range(2, appends), 8)
    told = incident.sentence.partition(" and ")
    assert told[0].count(", ") == 5
    assert told[2] == (f"{appends - 4} more" if appends > 4 else "")


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
        (read(1, 1, 3), (), Anomaly.NOT_LINEARIZABLE),
    ],
)
def test_a_read_is_stale_when_it_must_have_what_it_lacks(later, held, anomaly):
    """Not when it has it, began beside it, looked at fewer, or when its answer was not kept."""
    answers = {} if held is None else {1: held}
    assert incident_of([append(0, A, 0, 1), later], answers, 0).anomaly is anomaly


def test_a_refusal_beside_a_read_has_no_finer_name():
    """A read cannot be stale for lack of what was refused."""
    later = read(6, 10, 11)
    assert incident_of([REFUSED, later], {6: ()}, 0).anomaly is Anomaly.NOT_LINEARIZABLE


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
        (append(0, A, 2, 3, value=4), append(1, B, 3, 4, value=3), Anomaly.SEQUENCE_GAP),
        (append(0, A, 0, 1, value=4), append(1, B, 2, 3, value=6), Anomaly.SEQUENCE_GAP),
        (append(0, A, 0, 1, value=4), append(1, B, 2, 3), Anomaly.SEQUENCE_GAP),
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
