"""What is wrong with messages after a crash has its name: each in the smallest recording."""

from dataclasses import replace

import pytest
from after_a_crash import AB, BUSY, CD, CLAIMS, DEAD, HUNG, REFUSED, UNKNOWN, at_point, reads, says

from sessionproof.checks import survivor_contents
from sessionproof.checks.flaws import Shown
from sessionproof.checks.survivable import Act, Timeline
from sessionproof.checks.survivors import judge_survivors
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    Completed,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    List,
    Outcome,
    PopLast,
    Replace,
)


@pytest.mark.parametrize(
    ("operations", "point", "texts", "anomaly", "method", "lost"),
    [
        ((AB, CD), 4, "ab", Anomaly.LOST_MESSAGE, "append", True),
        ((AB, CD), 4, "cd", Anomaly.LOST_MESSAGE, "", False),
        ((AB, CD), 4, "abc", Anomaly.TORN_BATCH, "", False),
        ((AB, CD), 3, "abd", Anomaly.TORN_BATCH, "append", False),
        ((AB, Append("s0", says("a", "c"))), 3, "abc", Anomaly.TORN_BATCH, "append", False),
        ((AB, CD), 3, "acd", Anomaly.TORN_BATCH, "", False),
        ((AB, CD), 4, "abcdd", Anomaly.DUPLICATE, "", False),
        ((AB, CD), 4, "bacd", Anomaly.REORDER, "", False),
        ((AB, CD), 4, "abcx", Anomaly.CHANGED, "", False),
        ((AB, CD), 4, "abcdx", Anomaly.PHANTOM, "", False),
        ((AB, PopLast("s0")), 4, "ab", Anomaly.RESURRECTION, "pop_last", True),
        ((AB, Delete("s0")), 4, "ab", Anomaly.RESURRECTION, "delete", True),
        ((AB, Delete("s0")), 3, "b", Anomaly.PARTIAL, "delete", False),
        ((AB, Replace("s0", says("c"))), 3, "", Anomaly.PARTIAL, "replace", False),
        ((AB, Replace("s0", says("c"))), 3, "abc", Anomaly.PARTIAL, "replace", False),
        ((AB, EditMessage("s0", 0, *says("x"))), 3, "b", Anomaly.PARTIAL, "edit_message", False),
        ((Create("s0", says("a", "b")),), 1, "a", Anomaly.PARTIAL, "create", False),
        ((AB, CD, Append("s0", says("e"))), 6, "ab", Anomaly.LOST_MESSAGE, "append", True),
        ((AB, DeleteMessage("s0", 1), CD), 6, "abcd", Anomaly.RESURRECTION, "", False),
        ((AB, CD), 4, "abca", Anomaly.CHANGED, "", False),
        ((AB, Append("s1", says("x"))), 4, "abx", Anomaly.LEAK, "", False),
        ((AB, REFUSED), 4, "abcd", Anomaly.ABORTED_READ, "", False),
    ],
)
def test_messages(operations, point, texts, anomaly, method, lost):
    """Messages are lost, torn, doubled, moved, changed, foreign, back, or half of a change."""
    (flaw,) = at_point(operations, point, reads(*texts))
    assert (flaw.anomaly, flaw.aspect) == (anomaly, "messages")
    assert (flaw.method, flaw.lost, flaw.session) == (method, lost, "s0")


def test_a_part_of_a_batch_is_lost_where_batches_are_not_whole():
    """Without the claim of whole batches, one that lost its end is of an earlier time."""
    claims = replace(CLAIMS, atomic_batches=False)
    (flaw,) = at_point((AB, CD), 4, reads("a", "b", "c"), claims=claims)
    assert (flaw.anomaly, flaw.method, flaw.lost) == (Anomaly.LOST_MESSAGE, "append", True)
    assert at_point((AB, CD), 3, reads("a", "b", "c"), claims=claims) == ()


def test_what_was_before_is_lost_where_changes_were():
    """An empty session is half of a replacement after a kill, and lost after a loss of power."""
    operations = (AB, Replace("s0", says("c")))
    (flaw,) = at_point(operations, 3, reads(), losing=True)
    assert (flaw.anomaly, flaw.method, flaw.lost) == (Anomaly.LOST_MESSAGE, "append", True)


ASSIGNING = replace(CLAIMS, keeps=CLAIMS.keeps | {"id"})


def test_ids_that_the_store_gave_tell_no_messages_apart():
    """A batch is torn whatever ids its messages have; an edit may change an id alone."""
    given = tuple(replace(one, id=f"#{one.content}") for one in says("a", "b", "d"))
    (flaw,) = at_point((AB, CD), 3, Shown(reads={"s0": Outcome("ok", given)}), claims=ASSIGNING)
    assert (flaw.anomaly, flaw.method) == (Anomaly.TORN_BATCH, "append")
    first, second = (replace(*says("a"), id=one) for one in "12")
    edited = (Append("s0", (first,)), EditMessage("s0", 0, second))
    shown = Shown(reads={"s0": Outcome("ok", (first,))})
    (flaw,) = at_point(edited, 4, shown, claims=ASSIGNING)
    assert (flaw.anomaly, flaw.lost, flaw.change) == (Anomaly.RESURRECTION, True, "")


def flying(*operations):
    """Operations of one client each, all in flight."""
    acts = [
        Act(client=number, done=Completed(one, Outcome("ok"), "s0"), asked=-1, answered=9)
        for number, one in enumerate(operations)
    ]
    return Timeline(acts, CLAIMS)


@pytest.mark.parametrize(
    ("texts", "anomaly", "act"),
    [
        ("b", Anomaly.TORN_BATCH, 2),
        ("ba", Anomaly.TORN_BATCH, 2),
        ("cba", Anomaly.REORDER, None),
        ("a", None, None),
    ],
)
def test_of_several_in_flight_the_one_that_is_torn_is_told(texts, anomaly, act):
    """Not one of another session, nor one that is there whole or not at all."""
    sent = Append("s1", says("x", "y")), Append("s0", says("a")), Append("s0", says("b", "c"))
    flaws = judge_survivors(reads(*texts), flying(*sent), 1)
    assert [(flaw.anomaly, flaw.act) for flaw in flaws] == ([(anomaly, act)] if anomaly else [])


@pytest.mark.parametrize("answered", [5, 9])
def test_sessions_that_are_right_alone_may_be_of_no_one_moment(answered):
    """One list saw s1 and not s0, the other s0 and not s1: one of them is gone after both."""
    lists = [
        Act(client=at, done=Completed(List(), Outcome("ok", (name,))), asked=-1, answered=at)
        for at, name in ((1, "s1"), (3, "s0"))
    ]
    changes = [
        change for name in ("s0", "s1") for change in (Append(name, says("a")), Delete(name))
    ]
    acts = [
        Act(client=at, done=Completed(one, Outcome("ok"), one.session), asked=-1, answered=answered)
        for at, one in enumerate(changes, 4)
    ]
    timeline, there = Timeline([*lists, *acts], CLAIMS), Outcome("ok", says("a"))
    gone = Outcome("ok", ())
    for one, other in ((there, gone), (gone, there), (gone, gone)):
        assert judge_survivors(Shown(reads={"s0": one, "s1": other}), timeline, 6) == ()
    (flaw,) = judge_survivors(Shown(reads={"s0": there, "s1": there}), timeline, 6)
    assert flaw.anomaly is Anomaly.NOT_LINEARIZABLE
    assert flaw.method == ("" if answered == 5 else "delete")


def test_of_several_sessions_the_worst_is_told():
    """What is merely missing comes last."""
    wrong = Shown(reads={"s0": Outcome("ok", ()), "s1": Outcome("ok", says("x"))})
    (flaw,) = at_point((AB, Append("s1", says("c"))), 4, wrong)
    assert (flaw.anomaly, flaw.session, flaw.lost) == (Anomaly.CHANGED, "s1", False)


def test_the_oracle_has_the_last_word(monkeypatch):
    """Should the comparison find no difference, both lists are told."""
    monkeypatch.setattr(survivor_contents, "compare", lambda *_: None)
    (flaw,) = at_point((AB,), 2, reads("x"))
    assert (flaw.anomaly, flaw.expected) == (Anomaly.CHANGED, repr(says("a", "b")))


CREATED = Create("s0")


@pytest.mark.parametrize(
    ("operations", "outcome", "anomaly", "aspect", "lost"),
    [
        ((AB,), DEAD, Anomaly.UNREADABLE, "read", False),
        ((AB,), BUSY, Anomaly.UNREADABLE, "read", False),
        ((AB,), UNKNOWN, Anomaly.LOST_MESSAGE, "messages", True),
        ((AB,), replace(UNKNOWN, type="info"), Anomaly.UNREADABLE, "read", False),
        ((AB,), HUNG, Anomaly.HANG, "read", False),
        ((AB,), Outcome("info"), Anomaly.UNREADABLE, "read", False),
        ((Append("s0", says("a")),), UNKNOWN, Anomaly.LOST_MESSAGE, "messages", True),
        ((CREATED,), UNKNOWN, Anomaly.LOST_SESSION, "messages", True),
    ],
)
def test_reads_that_fail(operations, outcome, anomaly, aspect, lost):
    """A read that raises is unreadable, one that knows no session has lost it."""
    (flaw,) = at_point(operations, 2, Shown(reads={"s0": outcome}))
    assert (flaw.anomaly, flaw.aspect, flaw.lost) == (anomaly, aspect, lost)
    assert flaw.evidence == outcome.evidence


def test_what_cannot_be_read_may_have_what_is_in_flight():
    """All messages that may be there are counted."""
    (flaw,) = at_point((AB, CD), 3, Shown(reads={"s0": DEAD}))
    assert flaw.expected == "s0 can be read: it has 4 messages"


def test_a_refusal_of_what_need_not_be_there_is_no_flaw():
    """Before the first answer a session may be unknown."""
    assert at_point((AB,), 1, Shown(reads={"s0": UNKNOWN})) == ()
