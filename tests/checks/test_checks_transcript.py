"""A transcript against the oracle: the first fault, its name, and nothing where there is none."""

import pytest
from transcripts import h, message

from sessionproof.checks import transcript
from sessionproof.checks.transcript import (
    evidence_of,
    judge,
    judge_answers,
    judge_repeats,
)
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import Append, Completed, Create, Failure, Outcome, Read

CLAIMS = Claims()


def found(*lines, claims=CLAIMS, **options):
    """The place and the name of the first fault, or None."""
    fault = judge(h(*lines), claims, **options)
    return None if fault is None else (fault.index, fault.anomaly)


@pytest.mark.parametrize(
    "lines",
    [
        ("append s0 [a b]", "read s0 [a b]", "reopen", "read s0 [a b]"),
        ("read s0 fail", "read s0 []"),
        ("delete s0 fail", "clear s0 fail", "pop s0 fail", "get s0 fail"),
        ("read s0 info:KeyError", "append s0 [a]", "read s0 [a]"),
        ("clear s0", "create s0 fail:Conflict", "append s0 [a]", "read s0 [a]"),
        ("replace s0 []", "create s0 fail:Conflict", "create s0"),
        ("clear s0", "create s0", "list s0"),
        ("append s0 [a]", "clear s0", "read s0 fail", "append s0 [b]", "read s0 [b]"),
    ],
    ids="; ".join,
)
def test_a_right_transcript_has_no_fault(lines):
    """What the contract leaves open is never a fault."""
    assert found(*lines) is None


@pytest.mark.parametrize(
    ("lines", "index", "anomaly"),
    [
        (("append s0 [a b]", "read s0 [a]"), 1, Anomaly.TORN_BATCH),
        (("append s0 [a]", "append s0 [b]", "read s0 [a]"), 2, Anomaly.LOST_MESSAGE),
        (("append s0 [a]", "read s0 [a a]"), 1, Anomaly.DUPLICATE),
        (("append s0 [a]", "append s0 [b]", "read s0 [b a]"), 2, Anomaly.REORDER),
        (("append s0 [a]", "read s0 [a x]"), 1, Anomaly.PHANTOM),
        (("append s0 [a]", "append s1 [b]", "read s0 [a b]"), 2, Anomaly.LEAK),
        (("append s0 [a]", "read s0 [A]"), 1, Anomaly.CHANGED),
        (("append s0 [a]", "pop s0 a", "read s0 [a]"), 2, Anomaly.RESURRECTION),
        (("append s0 [a]", "delete s0", "read s0 [a]"), 2, Anomaly.RESURRECTION),
        (("append s0 [a]", "clear s0", "read s0 [a]"), 2, Anomaly.RESURRECTION),
        (("append s0 [a]", "delete s0", "list s0"), 2, Anomaly.RESURRECTION),
        (("append s1 [a]", "delete s1", "read s0 [a]"), 2, Anomaly.PHANTOM),
        (("list s0",), 0, Anomaly.PHANTOM_SESSION),
        (("read s0 []", "list s0"), 1, Anomaly.PHANTOM_SESSION),
        (("append s0 [a]", "list"), 1, Anomaly.LOST_SESSION),
        (("append s0 [a]", "append s1 [b]", "list"), 2, Anomaly.LOST_SESSION),
        (("append s0 [a]", "list s0 s0"), 1, Anomaly.DUPLICATE),
        (("append s0 [a]", "get s0 none"), 1, Anomaly.LOST_SESSION),
        (("get s0 message_count=0",), 0, Anomaly.PHANTOM_SESSION),
        (("append s0 [a]", "get s0 message_count=3"), 1, Anomaly.COUNTER_DRIFT),
        (("append s0 [a]", "count s0 3"), 1, Anomaly.COUNTER_DRIFT),
        (("append s0 [a b]", "last s0 1 [a]"), 1, Anomaly.WRONG_ANSWER),
        (("append s0 [a b]", "last s0 2 [b a]"), 1, Anomaly.WRONG_ANSWER),
        (("append s0 [a b]", "last s0 1 [x]"), 1, Anomaly.CHANGED),
        (("last s0 1 [a]",), 0, Anomaly.PHANTOM),
        (("append s0 [a b c]", "pages s0 2 [a b c]"), 1, Anomaly.WRONG_ANSWER),
        (("append s0 [a b c]", "pages s0 2 [a b|b c]"), 1, Anomaly.DUPLICATE),
        (("append s0 [a]", "append s0 [b]", "pop s0 a"), 2, Anomaly.CHANGED),
        (("append s0 [a]", "pop s0 none"), 1, Anomaly.LOST_MESSAGE),
        (("pop s0 a",), 0, Anomaly.PHANTOM),
        (("set s0 k 3", "state s0 k 4"), 1, Anomaly.WRONG_ANSWER),
        (("create s0 [a]", "create s0 [b]"), 1, Anomaly.ACCEPTED_INVALID),
        (("append s0 [a] fail",), 0, Anomaly.UNEXPECTED_REFUSAL),
        (("append s0 [a] info",), 0, Anomaly.UNEXPECTED_REFUSAL),
        (("append s0 [a]", "read s0 fail"), 1, Anomaly.UNEXPECTED_REFUSAL),
        (("append s0 [a]", "reopen fail:CannotOpen"), 1, Anomaly.UNEXPECTED_REFUSAL),
        (("read s0 info:hang",), 0, Anomaly.HANG),
        (("read s0 info:crash",), 0, Anomaly.CRASH),
        (("read s0 info:malformed-answer",), 0, Anomaly.MALFORMED),
        (("clear s0 info:hang",), 0, Anomaly.HANG),
        # the first fault counts
        (("append s0 [a]", "count s0 2", "read s0 []"), 1, Anomaly.COUNTER_DRIFT),
    ],
    ids=str,
)
def test_the_first_fault_is_found_and_named(lines, index, anomaly):
    """Each kind of wrong answer is found where it was given, by the right name."""
    assert found(*lines) == (index, anomaly)


def test_all_that_is_wrong_with_facts_is_told():
    """Totals only of fields that are kept."""
    lines = h("append s0 [a]", "get s0 message_count=3 total_tokens=5")
    counted = Claims(keeps={"role", "content", "tokens"})
    first = "message_count is 3, the messages give 1"
    assert judge(lines, CLAIMS).seen == first
    assert judge(lines, counted).seen == f"{first}; total_tokens is 5, the messages give 0"


def test_an_unknown_session_must_be_refused_where_that_is_claimed():
    """An append that was to be refused makes a phantom session."""
    refuses = Claims(missing_session="refuses")
    assert found("append s0 [a]", claims=refuses) == (0, Anomaly.PHANTOM_SESSION)
    assert found("append s0 [a] fail", "read s0 []", claims=refuses) is None


def test_a_refused_append_must_leave_nothing():
    """Where appends may be refused, what they tried to write must not be read."""
    lines = ("append s0 [a]", "append s0 [x] info:ValueError")
    assert found(*lines, "read s0 [a]", refusable=True) is None
    assert found(*lines, "read s0 [a x]", refusable=True) == (2, Anomaly.ABORTED_READ)
    assert found(*lines, "read s0 [a]") == (1, Anomaly.UNEXPECTED_REFUSAL)
    assert found("append s0 [a]", "read s0 fail", refusable=True) is not None


def test_what_may_be_refused_can_be_said_of_each_operation():
    """Those before a fault are kept with it."""

    def creations(operation):
        return isinstance(operation, Create)

    assert found("create s0 fail:Refused", refusable=creations) is None
    assert found("append s0 [a] fail", refusable=creations) == (0, Anomaly.UNEXPECTED_REFUSAL)
    fault = judge(h("create s0", "append s0 [a]", "read s0 []"), CLAIMS, refusable=creations)
    assert fault.refusable == (0,)


def test_the_oracle_has_the_last_word(monkeypatch):
    """Should the comparison find no difference, both lists are told."""
    monkeypatch.setattr(transcript, "compare", lambda *_: None)
    fault = judge(h("append s0 [a]", "read s0 [b]"), CLAIMS)
    assert (fault.anomaly, fault.expected) == (Anomaly.WRONG_ANSWER, repr((message("a"),)))


def retried(*types):
    """Attempts of one append, as they ended."""
    append = Append("s0", (message("a"),))
    outcomes = {
        "ok": Outcome("ok"),
        "Conflict": Outcome("fail", failure=Failure("Conflict", "busy")),
        "Refused": Outcome("fail", failure=Failure("Refused", "no")),
    }
    return tuple(Completed(append, outcomes[name], "s0") for name in types)


def test_a_conflict_may_be_retried():
    """A conflict that was tried again is no fault, the last of them is; a refusal always is."""
    read = h("read s0 [a]")
    assert judge((*retried("Conflict", "Conflict", "ok"), *read), CLAIMS) is None
    assert judge(retried("Conflict", "ok"), CLAIMS) is None
    assert judge((*retried("Conflict", "Conflict"), *read), CLAIMS).index == 1
    assert judge((*retried("Refused", "ok"), *read), CLAIMS).index == 0
    twice = h("read s0 [a a]")
    fault = judge((*retried("Conflict", "ok"), *twice), CLAIMS)
    assert fault.index == 2


def test_evidence_of_a_fault_is_kept():
    """A hang's stack is part of the fault."""
    outcome = Outcome("info", failure=Failure("hang", "no answer", {"stack": "in sleep"}))
    fault = judge((Completed(Read("s0"), outcome, "s0"),), CLAIMS)
    assert fault.evidence == {"stack": "in sleep"}
    assert fault.seen == "no answer"


def test_answers_alone_can_be_judged():
    """Hangs, crashes and malformed answers are faults whatever else is looked at."""
    assert judge_answers(h("append s0 [a]", "read s0 fail", "count s0 7")) is None
    assert judge_answers(h("read s0 []", "read s0 info:crash")).index == 1


def asked_twice(first, second):
    """One operation with two outcomes in a row."""
    (one,), (other,) = h(first), h(second)
    return (one, Completed(one.operation, other.outcome, "s0"))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("read s0 []", "read s0 []", True),
        ("read s0 fail", "read s0 fail", True),
        ("read s0 fail", "read s0 []", False),
        ("read s0 []", "read s0 fail", False),
        ("read s0 fail", "read s0 info:KeyError", False),
    ],
)
def test_a_repeated_look_is_answered_alike(first, second, same):
    """The same question twice in a row gets an answer twice, or the same error twice."""
    fault = judge_repeats(asked_twice(first, second))
    assert (fault is None) is same
    assert judge_repeats(h(first, second)) is None  # two questions, not one asked twice
    later = judge_repeats((*h("append s0 [a]"), *asked_twice(first, second)))
    assert (None if later is None else later.index) == (None if same else 2)


def test_only_answers_are_evidence():
    """What failed or stayed open examines nothing."""
    seen = evidence_of(
        h("read s0 fail", "append s0 [a b]", "append s0 [c]", "read s0 [a b c]", "last s0 1 [c]",
          "pages s0 2 [a b|c]", "reopen", "create s1 [x y]", "reopen", "append s0 [d e] info")
    )  # fmt: skip
    assert seen == {
        "operations": 8, "batches": 2, "reads": 3, "messages": 7, "reopenings": 2,
    }  # fmt: skip
    assert evidence_of(h("read s0 fail", "reopen fail")).total() == 0
    assert +evidence_of(h("append s0 [a]", "count s0 1", "list s0")) == {"operations": 3}
