"""Deleted sessions: what may be answered of them, and of an id that is used again."""

import pytest

from sessionproof.checks.deletion import count_deletions, judge_deleted
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import MESSAGE_FIELDS, Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Count,
    Create,
    Delete,
    EditMessage,
    Failure,
    Get,
    GetState,
    List,
    Outcome,
    PopLast,
    Read,
    ReadPages,
    Replace,
    SetState,
)

KEEPS = frozenset(MESSAGE_FIELDS)
OLD = Message("user", "old #0", tokens=7)
NEW = Message("user", "new #1", tokens=2)
FAILED = Outcome("fail", failure=Failure("NotFound", "no"))


def done(operation, value=None):
    return Completed(operation, Outcome("ok", value))


def facts(**values):
    return done(Get("s"), SessionInfo(session_id="s", **values))


FILLED = (done(Append("s", (OLD,))), done(SetState("s", "k", 1)))
DELETED = (*FILLED, done(Delete("s")))
AGAIN = (*DELETED, done(Append("s", (NEW,))))


def judged(*transcript):
    fault = judge_deleted(transcript, KEEPS)
    assert fault is None or fault.anomaly is Anomaly.RESURRECTION
    return None if fault is None else fault.seen


@pytest.mark.parametrize(
    "look",
    [
        done(Read("s"), ()),
        Completed(Read("s"), FAILED),
        done(ReadPages("s", 2), ((), ())),
        done(Count("s"), 0),
        done(Get("s"), None),
        done(GetState("s", "k"), None),
        done(List(), ("t",)),
        done(PopLast("s"), None),
    ],
    ids=repr,
)
def test_nothing_and_not_found_are_right(look):
    """A deleted session is empty or unknown."""
    assert judged(*DELETED, look) is None


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (done(Read("s"), (OLD,)), "1 message: 'old #0'"),
        (done(ReadPages("s", 1), ((OLD,), ())), "1 message: 'old #0'"),
        (done(PopLast("s"), OLD), "1 message: 'old #0'"),
        (done(Count("s"), 1), "a count of 1"),
        (facts(), "facts of it, as if it were there"),
        (done(GetState("s", "k"), 1), "the state 'k' = 1"),
        (done(List(), ("t", "s")), "it is listed"),
    ],
    ids=repr,
)
def test_whatever_rises_is_found(look, seen):
    """Any answer that shows something of a deleted session is a fault."""
    assert judged(*DELETED, look) == seen
    assert judged(*FILLED, look) is None


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (done(Read("s"), (NEW,)), None),
        (done(Read("s"), ()), None),  # lost, which is no matter of this check
        (facts(message_count=1, total_tokens=2), None),
        (done(List(), ("s",)), None),
        (done(Read("s"), (OLD, NEW)), "2 messages, among them 'old #0'"),
        (done(Read("s"), (OLD,)), "1 message: 'old #0'"),
        (done(Count("s"), 2), "a count of 2"),
        (facts(message_count=2), "message_count 2"),
        (facts(total_tokens=9), "total_tokens 9"),
        (facts(total_tokens=3, total_duration_us=1), "total_tokens 3, total_duration_us 1"),
        (done(GetState("s", "k"), 1), "the state 'k' = 1"),
    ],
    ids=repr,
)
def test_an_id_that_is_used_again_shows_what_was_put_in_since(look, seen):
    """Messages, counters and state of the former life are a fault."""
    assert judged(*AGAIN, look) == seen


def test_the_first_of_many_messages_are_shown():
    """Three of them, and of a long text its beginning."""
    old = tuple(Message("user", f"{number} {'old ' * 20}") for number in range(4))
    seen = judged(done(Append("s", old)), done(Delete("s")), done(Read("s"), old))
    texts = ", ".join(f"'{number} {'old ' * 20}"[:60] for number in range(3))
    assert seen == f"4 messages, among them {texts}"


def test_calls_of_tools_are_told_apart_by_their_ids():
    """They may have no text."""
    old, new = (Message("assistant", None, kind="tool_call", call_id=one) for one in ("c1", "c2"))
    again = (done(Append("s", (old,))), done(Delete("s")), done(Append("s", (new,))))
    assert judged(*again, done(Read("s"), (new,))) is None
    assert judged(*again, done(Read("s"), (old,))) == "1 message: None"


def test_what_is_asked_of_a_session_is_about_it_alone():
    """It puts nothing in, and tells nothing of another session that was deleted."""
    look = done(Read("s"), ())
    assert judged(*DELETED, look, facts()) == "facts of it, as if it were there"
    other = (*DELETED, done(Append("t", (NEW,))), done(Read("t"), (NEW,)))
    assert judged(*other) is None
    assert count_deletions(other, reused=False) == 0
    assert judged(done(Delete("s")), look, done(List(), ("s",))) == "it is listed"


def test_whatever_may_make_a_session_makes_it_a_new_one():
    """After clear, replace or set_state the session may be there, empty."""
    for change in (Clear("s"), Replace("s", ()), SetState("s", "j", 1), Create("s")):
        assert judged(*DELETED, done(change), facts(message_count=0)) is None
        assert judged(*DELETED, done(change), done(Count("s"), 1)) is not None
    assert judged(*DELETED, done(PopLast("s")), facts(message_count=0)) is not None
    assert judged(*AGAIN, done(EditMessage("s", 0, OLD)), done(Read("s"), (OLD,))) is None


def test_what_may_not_have_happened_is_not_judged():
    """An open deletion deletes nothing for sure; a refused one does not either."""
    open_end = Completed(Delete("s"), Outcome("info", failure=Failure("OSError", "?")))
    refused = Completed(Delete("s"), FAILED)
    for deletion in (open_end, refused):
        assert judged(*FILLED, deletion, done(Read("s"), (OLD,))) is None
    later = (*FILLED, open_end, done(Append("s", (NEW,))), done(Delete("s")))
    assert judged(*later, done(Append("s", (NEW,))), done(Read("s"), (OLD,))) is not None
    assert judged(*DELETED, Completed(Append("s", (NEW,)), FAILED), done(Count("s"), 1)) is not None
    maybe = Completed(Append("s", (NEW,)), Outcome("info", failure=Failure("OSError", "?")))
    assert judged(*DELETED, maybe, done(Read("s"), (NEW,))) is None


def test_only_deletions_that_were_looked_at_are_evidence():
    """Something must have been there, and something must have been asked afterwards."""
    look = done(Read("s"), ())
    assert count_deletions(DELETED, reused=False) == 0
    assert count_deletions((*DELETED, look), reused=False) == 1
    assert count_deletions((*DELETED, look), reused=True) == 0
    assert count_deletions((*DELETED, look, *AGAIN[-1:], look), reused=False) == 1
    assert count_deletions((done(Delete("s")), look), reused=False) == 0
    assert count_deletions((*AGAIN, look), reused=True) == 1
    assert count_deletions((*AGAIN, look, done(Delete("s")), look), reused=True) == 1
    assert count_deletions((*AGAIN, look, done(Delete("s")), look), reused=False) == 1


def test_state_that_came_with_new_messages_is_new():
    """Its key may be one that the deleted session had; a key that came with none may not."""
    both = done(AppendWithState("s", (NEW,), {"k": 2}))
    assert judged(*DELETED, both, done(GetState("s", "k"), 2)) is None
    assert judged(*DELETED, both, done(GetState("s", "j"), 1)) == "the state 'j' = 1"
    assert judged(*AGAIN, done(GetState("s", "k"), 1)) == "the state 'k' = 1"
    alone = done(SetState("s", "j", 1))
    assert judged(*DELETED, alone, both, done(GetState("s", "j"), 1)) is None


def test_totals_of_what_nobody_keeps_tell_nothing():
    """A store that keeps no tokens may show any total of them."""
    risen = (*AGAIN, facts(message_count=1, total_tokens=9))
    assert judged(*risen) == "total_tokens 9"
    assert judge_deleted(risen, frozenset({"role", "content"})) is None
    counted = (*AGAIN, facts(message_count=2))
    assert judge_deleted(counted, frozenset({"role", "content"})) is not None
