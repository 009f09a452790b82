"""What is wrong after a crash has its name: each in the smallest recording that shows it."""

from dataclasses import replace

import pytest

from sessionproof.checks.flaws import Shown
from sessionproof.checks.survivable import Act, Timeline
from sessionproof.checks.survivors import judge_again, judge_survivors
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Completed,
    Create,
    Delete,
    EditMessage,
    Failure,
    Outcome,
    PopLast,
    Replace,
    SetState,
)

CLAIMS = Claims(atomic_batches=True, keeps={"role", "content", "tokens"})
DEAD = Outcome("info", failure=Failure("DatabaseError", "the file is malformed"))
UNKNOWN = Outcome("fail", failure=Failure("NotFound", "s0"))
HUNG = Outcome("info", failure=Failure("hang", "no answer within 1 s"))


def says(*texts):
    """Messages with these texts."""
    return tuple(Message("user", text, tokens=2) for text in texts)


def at_point(operations, point, shown, *, claims=CLAIMS, **options):
    """The flaws after a crash. The operation n runs from change 2n - 1 to its answer, 2n + 1."""
    acts = [
        Act(
            client=0,
            done=Completed(operation, Outcome("ok"), operation.session),
            asked=2 * number - 1,
            answered=2 * number + 1,
        )
        for number, operation in enumerate(operations)
    ]
    return judge_survivors(shown, Timeline(acts, claims), point, **options)


def reads(*texts, **more):
    """What is shown when s0 has these messages."""
    return Shown(reads={"s0": Outcome("ok", says(*texts))}, **more)


AB = Append("s0", says("a", "b"))
CD = Append("s0", says("c", "d"))


@pytest.mark.parametrize(
    ("operations", "point", "texts", "anomaly", "method", "lost"),
    [
        ((AB, CD), 4, "ab", Anomaly.LOST_MESSAGE, "append", True),
        ((AB, CD), 4, "cd", Anomaly.LOST_MESSAGE, "", False),
        ((AB, CD), 4, "abc", Anomaly.TORN_BATCH, "", False),
        ((AB, CD), 3, "abd", Anomaly.TORN_BATCH, "append", False),
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


@pytest.mark.parametrize(
    ("outcome", "anomaly", "aspect", "lost"),
    [
        (DEAD, Anomaly.UNREADABLE, "read", False),
        (UNKNOWN, Anomaly.LOST_MESSAGE, "messages", True),
        (HUNG, Anomaly.HANG, "read", False),
    ],
)
def test_reads_that_fail(outcome, anomaly, aspect, lost):
    """A read that raises is unreadable, one that knows no session has lost it."""
    (flaw,) = at_point((AB,), 2, Shown(reads={"s0": outcome}))
    assert (flaw.anomaly, flaw.aspect, flaw.lost) == (anomaly, aspect, lost)


def test_a_refusal_of_what_need_not_be_there_is_no_flaw():
    """Before the first answer a session may be unknown."""
    assert at_point((AB,), 1, Shown(reads={"s0": UNKNOWN})) == ()


BOTH = AppendWithState("s0", says("c"), {"theme": 1})


@pytest.mark.parametrize(
    ("operations", "point", "texts", "state", "anomaly", "method", "lost"),
    [
        ((AB, BOTH), 3, "abc", None, Anomaly.PARTIAL, "append_with_state", False),
        ((AB, BOTH), 3, "ab", 1, Anomaly.PARTIAL, "append_with_state", False),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", None, Anomaly.STALE_READ, "set_state", True),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", 7, Anomaly.PARTIAL, "set_state", False),
    ],
)
def test_state(operations, point, texts, state, anomaly, method, lost):
    """State is there with its messages, or of an earlier time, or half of a change."""
    (flaw,) = at_point(
        operations, point, reads(*texts, states={("s0", "theme"): Outcome("ok", state)})
    )
    assert (flaw.anomaly, flaw.aspect) == (anomaly, "state")
    assert (flaw.method, flaw.lost) == (method, lost)


def test_state_and_messages_of_one_earlier_time_are_one_flaw():
    """What lost messages and their state together is told of the messages alone."""
    shown = reads("a", "b", states={("s0", "theme"): Outcome("ok", None)})
    assert [flaw.aspect for flaw in at_point((AB, BOTH), 4, shown)] == ["messages"]


@pytest.mark.parametrize(
    "shown",
    [
        reads("a", "b", counts={"s0": Outcome("ok", 3)}),
        reads("a", "b", facts={"s0": Outcome("ok", SessionInfo(session_id="s0", total_tokens=2))}),
        reads("a", counts={"s0": Outcome("ok", 2)}),
    ],
)
def test_counters(shown):
    """Counts and totals are judged by the messages that are read, whatever is lost."""
    flaw = at_point((AB,), 2, shown)[-1]
    assert (flaw.anomaly, flaw.aspect) == (Anomaly.COUNTER_DRIFT, "counters")


def test_the_newest_messages_are_those_that_are_read():
    """An index of its own that is behind the messages is told."""
    shown = reads("a", "b", newest={"s0": Outcome("ok", says("a"))})
    (flaw,) = at_point((AB,), 2, shown)
    assert (flaw.anomaly, flaw.aspect) == (Anomaly.WRONG_ANSWER, "read")
    more = reads("a", "b", "c", "d", newest={"s0": Outcome("ok", says("c", "d"))})
    assert at_point((AB, CD), 4, more) == ()


@pytest.mark.parametrize("outcome", [DEAD, UNKNOWN])
def test_the_newest_messages_can_be_read_where_there_are_any(outcome):
    """An error, or that there is no such session, is wrong when its messages are read."""
    shown = reads("a", "b", newest={"s0": outcome})
    (flaw,) = at_point((AB,), 2, shown)
    assert (flaw.anomaly, flaw.aspect, flaw.session) == (Anomaly.UNREADABLE, "read", "s0")


def test_the_newest_messages_of_a_session_without_any_may_be_refused():
    """Nor is an error of read_last told twice, where nothing of the session can be read."""
    assert at_point((AB,), 1, reads(newest={"s0": UNKNOWN})) == ()
    dead = Shown(reads={"s0": DEAD}, newest={"s0": DEAD})
    (flaw,) = at_point((AB,), 2, dead)
    assert flaw.expected.startswith("s0 can be read")


def test_sessions_that_cannot_be_listed_are_told():
    """Whatever is in flight: an error is no half of a change."""
    for point in (1, 2):
        (flaw,) = at_point((AB,), point, reads("a", "b", listed=DEAD))
        assert (flaw.anomaly, flaw.aspect) == (Anomaly.UNREADABLE, "sessions")


@pytest.mark.parametrize(
    ("operations", "point", "texts", "listed", "anomaly", "method"),
    [
        ((AB,), 2, "ab", (), Anomaly.LOST_SESSION, ""),
        ((AB,), 2, "ab", ("s0", "s0"), Anomaly.DUPLICATE, ""),
        ((AB,), 2, "ab", ("s0", "s0.tmp"), Anomaly.PHANTOM_SESSION, ""),
        ((AB, Delete("s0")), 4, "", ("s0",), Anomaly.RESURRECTION, ""),
        ((Create("s0", says("a")),), 1, "", ("s0",), Anomaly.PARTIAL, "create"),
        ((AB, Delete("s0")), 3, "", ("s0",), Anomaly.PARTIAL, "delete"),
    ],
)
def test_sessions(operations, point, texts, listed, anomaly, method):
    """The list has the sessions that are there, each once, and no others."""
    (flaw,) = at_point(operations, point, reads(*texts, listed=Outcome("ok", listed)))
    assert (flaw.anomaly, flaw.aspect, flaw.method) == (anomaly, "sessions", method)


def test_each_aspect_has_its_own_flaw():
    """Lost messages do not hide a count that is wrong by itself."""
    shown = reads("a", counts={"s0": Outcome("ok", 2)}, listed=Outcome("ok", ()))
    aspects = [flaw.aspect for flaw in at_point((AB,), 2, shown)]
    assert aspects == ["messages", "sessions", "counters"]


def test_what_changes_between_two_looks_is_told():
    """What was read once must be read again."""
    before, after = reads("a", "b"), reads("a")
    assert judge_again(before, before, CLAIMS) is None
    loose = replace(CLAIMS, keeps={"role", "content"})
    uncounted = Shown(reads={"s0": Outcome("ok", tuple(Message("user", one) for one in "ab"))})
    assert judge_again(before, uncounted, loose) is None  # tokens that nobody keeps
    changed = judge_again(before, uncounted, CLAIMS)
    assert changed is not None
    assert changed.anomaly is Anomaly.CHANGED
    lost = judge_again(before, after, CLAIMS)
    gone = judge_again(before, replace(after, reads={"s0": DEAD}), CLAIMS)
    assert lost is not None
    assert gone is not None
    assert (lost.anomaly, lost.aspect) == (Anomaly.LOST_MESSAGE, "going on")
    assert (gone.anomaly, gone.aspect) == (Anomaly.UNREADABLE, "going on")
