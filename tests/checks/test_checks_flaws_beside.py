"""What is wrong beside the messages after a crash: state, counts, the newest, lists of sessions."""

from dataclasses import replace

import pytest
from after_a_crash import (
    AB,
    BUSY,
    CD,
    CLAIMS,
    DEAD,
    LOOKED,
    UNKNOWN,
    at_point,
    reads,
    says,
)

from sessionproof.checks.flaws import Shown
from sessionproof.checks.survivors import agreement_flaw, judge_again
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Create,
    Delete,
    DeleteMessage,
    Outcome,
    PopLast,
    Read,
    SetState,
)

CREATED = Create("s0")
BOTH = AppendWithState("s0", says("c"), {"theme": 1})


@pytest.mark.parametrize(
    ("operations", "point", "texts", "state", "anomaly", "method", "lost"),
    [
        ((AB, BOTH), 3, "abc", None, Anomaly.PARTIAL, "append_with_state", False),
        ((AB, BOTH), 3, "ab", 1, Anomaly.PARTIAL, "append_with_state", False),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", None, Anomaly.STALE_READ, "set_state", True),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", 7, Anomaly.PARTIAL, "set_state", False),
        ((AB, SetState("s0", "theme", 1), CD), 6, "abcd", 7, Anomaly.PARTIAL, "set_state", False),
        ((AB, SetState("s0", "theme", 1), CD), 5, "abcd", 7, Anomaly.PARTIAL, "set_state", False),
        (
            (AB, SetState("s0", "theme", 1), SetState("s0", "theme", 2)), 6, "ab", 1,
            Anomaly.STALE_READ, "set_state", True,
        ),
        ((SetState("s0", "theme", 1),), 1, "", 7, Anomaly.PARTIAL, "set_state", False),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", DEAD, Anomaly.UNREADABLE, "set_state", False),
        ((AB, SetState("s0", "theme", 1)), 4, "ab", BUSY, Anomaly.STALE_READ, "set_state", True),
        ((AB, SetState("s0", "theme", 1)), 2, "ab", DEAD, Anomaly.UNREADABLE, "set_state", False),
    ],
)  # fmt: skip
def test_state(operations, point, texts, state, anomaly, method, lost):
    """State is there with its messages, or of an earlier time, or half of a change."""
    outcome = state if isinstance(state, Outcome) else Outcome("ok", state)
    (flaw,) = at_point(operations, point, reads(*texts, states={("s0", "theme"): outcome}))
    assert (flaw.anomaly, flaw.aspect) == (anomaly, "state")
    assert (flaw.method, flaw.lost) == (method, lost)


@pytest.mark.parametrize("outcome", [BUSY, UNKNOWN, DEAD])
def test_state_that_fails_is_unset_where_no_session_need_be(outcome):
    """Before its first append; and what is refused is unset at any time."""
    shown = reads(states={("s0", "theme"): outcome})
    assert not at_point((AB,), 0, shown)
    told = at_point((AB,), 2, reads("a", "b", states={("s0", "theme"): outcome}))
    assert [flaw.anomaly for flaw in told] == ([Anomaly.UNREADABLE] if outcome is DEAD else [])


@pytest.mark.parametrize(
    ("texts", "first", "second", "told"),
    [
        ("ab", 1, 2, []),
        ("ab", 1, 7, ["s1"]),
        ("cd", None, 2, []),
        ("", None, 2, []),
        ("", None, 7, ["s1"]),
        ("", None, None, []),
    ],
)
def test_wrong_messages_of_one_session_do_not_make_the_state_of_others_wrong(
    texts, first, second, told
):
    """State that is right, or of the time to which messages were lost, is not told again."""
    sent = Append("s1", says("x"))
    operations = (AB, SetState("s0", "theme", 1), CD, DeleteMessage("s0", 2), PopLast("s0"), sent)
    shown = Shown(
        reads={"s0": Outcome("ok", says(*texts)), "s1": Outcome("ok", says("x"))},
        states={("s0", "theme"): Outcome("ok", first), ("s1", "theme"): Outcome("ok", second)},
    )
    flaws = at_point((*operations, SetState("s1", "theme", 2)), 14, shown)
    assert [flaw.session for flaw in flaws if flaw.aspect == "state"] == told


def test_state_and_messages_of_one_earlier_time_are_one_flaw():
    """What lost messages and their state together is told of the messages alone."""
    shown = reads("a", "b", states={("s0", "theme"): Outcome("ok", None)})
    assert [flaw.aspect for flaw in at_point((AB, BOTH), 4, shown)] == ["messages"]


@pytest.mark.parametrize(
    "shown",
    [
        reads("a", "b", counts={"s0": Outcome("ok", 3)}),
        reads("a", "b", facts={"s0": Outcome("ok", SessionInfo(session_id="s0", total_tokens=2))}),
        reads("a", "b", facts={"s0": Outcome("ok", SessionInfo(session_id="s0", message_count=3))}),
        reads("a", counts={"s0": Outcome("ok", 2)}),
    ],
)
def test_counters(shown):
    """Counts and totals are judged by the messages that are read, whatever is lost."""
    flaw = at_point((AB,), 2, shown)[-1]
    assert (flaw.anomaly, flaw.aspect) == (Anomaly.COUNTER_DRIFT, "counters")


def told_of(totals, *texts, us=None, tokens=None):
    """The flaw of these facts of a session beside its messages."""
    messages = tuple(Message("user", one, duration_us=us, tokens=tokens) for one in texts)
    shown = Shown(
        reads={"s0": Outcome("ok", messages)},
        facts={"s0": Outcome("ok", SessionInfo(session_id="s0", **totals))},
    )
    return agreement_flaw(shown, Claims(keeps={"content", "tokens", "duration_us"}))


def test_durations_may_be_rounded_and_nothing_else():
    """A total of durations may be off by one of 10**9, one of tokens may not."""
    much = 3 * 10**9 + 999
    right = {"message_count": 1, "total_tokens": much, "total_duration_us": much}
    assert told_of(right, "a", us=much, tokens=much) is None
    for off, flawed in ((3, False), (-3, False), (4, True), (-4, True)):
        assert bool(told_of({"total_duration_us": much + off}, "a", us=much)) is flawed
    assert told_of({"total_tokens": much + 1}, "a", tokens=much) is not None


def test_counts_of_what_cannot_be_read_are_not_judged():
    """Those of the next session are; when it showed is kept."""
    shown = Shown(
        reads={"s0": DEAD, "s1": Outcome("ok", says("a"))},
        counts={"s0": Outcome("ok", 7), "s1": Outcome("ok", 3)},
    )
    flaw = agreement_flaw(shown, CLAIMS, when="go on")
    assert (flaw.session, flaw.when) == ("s1", "go on")


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
    beside = Shown(
        reads={"s0": Outcome("ok", ()), "s1": Outcome("ok", says("x"))},
        newest={"s0": UNKNOWN, "s1": Outcome("ok", ())},
    )
    (flaw,) = at_point((Append("s1", says("x")), AB), 3, beside)
    assert (flaw.anomaly, flaw.session) == (Anomaly.WRONG_ANSWER, "s1")
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
        (
            (AB, replace(LOOKED, operation=Read("s1"))),
            4,
            "ab",
            ("s0", "s1"),
            Anomaly.PHANTOM_SESSION,
            "",
        ),
        ((Create("s1"), CREATED), 3, "", (), Anomaly.LOST_SESSION, ""),
    ],
)
def test_sessions(operations, point, texts, listed, anomaly, method):
    """The list has the sessions that are there, each once, and no others."""
    (flaw,) = at_point(operations, point, reads(*texts, listed=Outcome("ok", listed)))
    assert (flaw.anomaly, flaw.aspect, flaw.method) == (anomaly, "sessions", method)


def test_a_session_without_its_state_is_half_of_setting_it():
    """What is known of sessions is judged with the state that is there."""
    shown = reads(states={("s0", "theme"): Outcome("ok", None)}, listed=Outcome("ok", ("s0",)))
    (flaw,) = at_point((SetState("s0", "theme", 1),), 1, shown)
    assert (flaw.anomaly, flaw.aspect) == (Anomaly.PARTIAL, "sessions")
    there = replace(shown, states={("s0", "theme"): Outcome("ok", 1)})
    assert at_point((SetState("s0", "theme", 1),), 1, there) == ()


def test_emptying_an_unknown_session_may_make_it():
    """Also where it is in flight."""
    for listed in ((), ("s0",)):
        assert at_point((Clear("s0"),), 1, reads(listed=Outcome("ok", listed))) == ()


@pytest.mark.parametrize(
    ("operations", "point", "facts", "anomaly"),
    [
        ((AB,), 2, Outcome("ok", None), Anomaly.LOST_SESSION),
        ((AB,), 2, UNKNOWN, Anomaly.LOST_SESSION),
        ((AB,), 2, Outcome("ok", SessionInfo(session_id="s0")), None),
        ((LOOKED,), 2, Outcome("ok", SessionInfo(session_id="s0")), Anomaly.PHANTOM_SESSION),
        ((LOOKED,), 2, Outcome("ok", None), None),
        ((LOOKED,), 2, UNKNOWN, None),
    ],
)
def test_facts(operations, point, facts, anomaly):
    """A session that is there has facts, one that is not has none."""
    texts = "ab" if operations == (AB,) else ""
    flaws = at_point(operations, point, reads(*texts, facts={"s0": facts}))
    assert [(flaw.anomaly, flaw.aspect) for flaw in flaws] == (
        [(anomaly, "sessions")] if anomaly else []
    )


def test_each_aspect_has_its_own_flaw():
    """Lost messages do not hide a count that is wrong by itself, nor a session that is unlisted."""
    shown = reads("a", counts={"s0": Outcome("ok", 2)}, listed=Outcome("ok", ()))
    aspects = [flaw.aspect for flaw in at_point((AB,), 2, shown)]
    assert aspects == ["messages", "sessions", "counters"]
    listed = replace(shown, counts={}, listed=Outcome("ok", ("s0",)))
    assert [flaw.aspect for flaw in at_point((AB,), 2, listed)] == ["messages"]


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
    two = {"s1": Outcome("ok", says("x")), **before.reads}
    second = judge_again(Shown(reads=two), Shown(reads={**two, **after.reads}), CLAIMS)
    assert second == lost
    assert judge_again(Shown(reads={"s0": DEAD}), before, CLAIMS) is None
