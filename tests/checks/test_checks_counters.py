"""Counts and totals beside the messages read before them."""

from dataclasses import replace

import pytest

from sessionproof.checks.counters import FACTS, count_counters, judge_counters
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import MESSAGE_FIELDS, Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    Completed,
    Count,
    Failure,
    Get,
    Outcome,
    Read,
    Reopen,
)

CLAIMS = Claims(keeps=MESSAGE_FIELDS)
A = Message("user", "a", tokens=5, duration_us=700)
B = Message("user", "b")


def read(*messages, session="s0"):
    return Completed(Read(session), Outcome("ok", messages))


def got(session="s0", **facts):
    return Completed(Get(session), Outcome("ok", SessionInfo(session_id=session, **facts)))


def counted(number, session="s0"):
    return Completed(Count(session), Outcome("ok", number))


def judged(*done, facts=tuple(FACTS), claims=CLAIMS):
    fault = judge_counters(done, claims, facts)
    return None if fault is None else (fault.index, fault.anomaly, fault.seen)


RIGHT = got(message_count=2, total_tokens=5, total_duration_us=700)


def test_right_counters_are_spared_and_counted():
    """Each fact that was compared is evidence; unknown tokens are 0."""
    done = (read(A, B), counted(2), RIGHT)
    assert judged(*done) is None
    assert count_counters(done, CLAIMS, tuple(FACTS)) == 4
    assert count_counters(done, CLAIMS, ["total_tokens"]) == 1


@pytest.mark.parametrize(
    ("facts", "seen"),
    [
        ({"message_count": 1}, "message_count 1"),
        ({"total_tokens": 6}, "total_tokens 6"),
        ({"total_duration_us": 701}, "total_duration_us 701"),
    ],
)
def test_each_wrong_fact_is_found(facts, seen):
    """The first fact that is not what the messages give is the fault."""
    assert judged(read(A, B), got(**facts)) == (1, Anomaly.COUNTER_DRIFT, seen)
    (name,) = facts
    assert judged(read(A, B), got(**facts), facts=[one for one in FACTS if one != name]) is None


def test_a_wrong_count_is_found():
    """The answer of count is the fact message_count, too."""
    assert judged(read(A), counted(0)) == (1, Anomaly.COUNTER_DRIFT, "message_count 0")
    assert judged(read(A), counted(0), facts=["total_tokens"]) is None


def test_only_what_was_read_since_the_last_change_counts():
    """A change of any session, or a reopening, makes what was read before it no measure."""
    change = Completed(Append("s1", (B,)), Outcome("ok"))
    reopened = Completed(Reopen(), Outcome("ok"))
    for between in (change, reopened):
        assert judged(read(A), between, counted(9)) is None
        assert judged(read(A), between, read(A), counted(9)) is not None
    assert judged(read(A, session="s1"), counted(9)) is None


def test_facts_that_are_not_kept_are_not_judged():
    """None is no wrong value, and a total of a field that is not kept cannot be told."""
    done = (read(A, B), got(message_count=2))
    assert judged(*done) is None
    assert count_counters(done, CLAIMS, tuple(FACTS)) == 1
    modest = replace(CLAIMS, keeps=frozenset({"content"}))
    assert judged(read(A), got(total_tokens=99), claims=modest) is None


def test_failures_are_no_evidence():
    """What raised, and unknown sessions, are not compared."""
    failed = Completed(Count("s0"), Outcome("fail", failure=Failure("NotFound", "no")))
    unknown = Completed(Get("s0"), Outcome("ok", None))
    assert count_counters((read(A), failed, unknown), CLAIMS, tuple(FACTS)) == 0
    assert count_counters((read(A), failed, counted(1)), CLAIMS, tuple(FACTS)) == 1


@pytest.mark.parametrize(("off", "fault"), [(0, False), (1, False), (2, True), (-2, True)])
def test_durations_may_be_off_by_one_part_in_a_thousand_million(off, fault):
    """Of a total of 1,000 s one microsecond is tolerated, of an empty one or of tokens nothing."""
    long = replace(A, duration_us=10**9)
    found = judged(read(long), got(total_duration_us=10**9 + off), facts=["total_duration_us"])
    assert (found is not None) is fault
    assert (judged(read(), got(total_duration_us=off)) is not None) is (off != 0)
    many = replace(A, tokens=10**9)
    assert (judged(read(many), got(total_tokens=10**9 + off)) is not None) is (off != 0)
