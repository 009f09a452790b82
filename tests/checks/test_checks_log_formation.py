"""What was recorded wrongly is no break of the store, and levels of consistency."""

import numpy as np
import pytest
from histories import history, named

from sessionproof.checks.history import judge_history, together
from sessionproof.checks.incidents import Judged
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import BATCH, History, Lists

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads")
LINES = ("1 append a 0-10", "1 read -> a 20-30", "9 final read -> a 90-91")


def changed(**columns):
    """The history of LINES with these columns of its first rows."""
    made = history(*LINES)
    rows = made.rows.copy()
    for name, values in columns.items():
        rows[name][: len(values)] = values
    return History(rows, made.lists, made.sessions)


ILL = {
    "no id": {"id": [0]},
    "an id within a batch": {"id": [0x101]},
    "an unknown call": {"f": [99]},
    "an unknown outcome": {"type": [7]},
    "an end before the beginning": {"ret": [-1]},
    "an answer without an end": {"ret": [2**63 - 1]},
    "two at once of one client": {"inv": [0, 5_000]},
    "one id for two operations": {"id": [0x100, 0x100]},
    "a length below none": {"length": [0, -2]},
    "a length unlike the answer": {"length": [0, 2]},
    "a batch of too many": {"n": [257]},
}


@pytest.mark.parametrize("name", ILL)
def test_what_was_recorded_wrongly_is_unknown(name):
    """A session that no client can have seen so is not judged, and the reason is said."""
    judged = judge_history(changed(**ILL[name]), CLAIMS)
    assert judged.incidents == ()
    assert judged.unknown
    assert all(reason.endswith("1 session not judged") for reason in judged.unknown)
    assert judged.examined.get("operations", 0) == 0


FINAL = "9 final read -> a 90-91"
ILL_TOGETHER = {
    "two at once of a second client": ("1 append a 0-10", "2 read -> 0-9", "2 read -> 5-15", FINAL),
    "refused to one client, and sent by another": (
        "1 append a 0-10 refused",
        "2 append a 20-30",
        FINAL,
    ),
    "refused to one client, and sent by another to another session": (
        "1 append a 0-10 refused",
        "2 append a 20-30 @t",
        FINAL,
    ),
    "sent again after it was acknowledged": (
        "1 append a 0-10",
        "1 append a 20-30 refused",
        FINAL,
    ),
}


@pytest.mark.parametrize("name", ILL_TOGETHER)
def test_what_cannot_be_beside_the_others_is_unknown(name):
    """Operations that are well formed by themselves may contradict how clients work."""
    judged = judge_history(history(*ILL_TOGETHER[name]), CLAIMS)
    assert judged.incidents == ()
    assert judged.unknown


MANY = " ".join(f"m{k}" for k in range(BATCH))
WELL = {
    "one that took no time, and one as it ended": ("1 append a 10-10", "1 read -> a 10-20", FINAL),
    "as many as a batch may have": (f"1 append {MANY} 0-10", f"9 final read -> {MANY} 90-91"),
    "sent again as it was refused": ("1 append a 0-10 refused", "1 append a 10-20", FINAL),
    "refused twice, the last one first": (
        "1 append a 20-30 refused",
        "1 append a 0-10 refused",
        "9 final read -> 90-91",
    ),
}


@pytest.mark.parametrize("name", WELL)
def test_what_is_just_right_is_judged(name):
    """What is at a limit is within it."""
    judged = judge_history(history(*WELL[name]), CLAIMS)
    assert (judged.incidents, judged.unknown) == ((), ())


def test_other_sessions_are_judged_all_the_same():
    """What is ill in one session says nothing of another."""
    lines = ("1 append b 0-10 @t", "2 read -> 20-30 @t", "8 final read -> b 90-91 @t")
    made = history(*LINES, *lines)
    rows = made.rows.copy()
    rows["ret"][0] = -1
    judged = judge_history(History(rows, made.lists, made.sessions), CLAIMS)
    assert [one.session for one in judged.incidents] == [1]
    assert len(judged.unknown) == 1


def test_nothing_is_judged_of_nothing():
    """An empty history has no incidents, and nothing was examined."""
    judged = judge_history(History(np.zeros(0, history(*LINES).rows.dtype)), CLAIMS)
    assert judged == Judged(examined=judged.examined)
    assert not any(judged.examined.values())


def test_rows_may_stand_in_any_order():
    """The order of rows says nothing; times do."""
    lines = [f"{k % 3} append m{k} {k * 10}-{k * 10 + 5}" for k in range(1, 12)]
    names = " ".join(f"m{k}" for k in range(1, 12))
    made = named(*lines, f"9 final read -> {names} 290-291").history
    back = np.arange(len(made.rows))[::-1]
    rows = made.rows[back]
    lists = Lists(np.array([0]), made.lists.start, made.lists.ids)
    judged = judge_history(History(rows, lists, made.sessions), CLAIMS)
    assert (judged.incidents, judged.unknown) == ((), ())


LEVELS = {
    "linearizable": LINES,
    "session": ("1 append a 0-10", "2 read -> 20-30", "9 final read -> a 90-91"),
    "none": ("1 append a 0-10", "1 read -> 20-30", "9 final read -> a 90-91"),
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_strongest_level_that_held_is_said(level):
    """Between clients alone real time may be broken at the level of sessions."""
    assert judge_history(history(*LEVELS[level]), CLAIMS).level == level


def test_lost_messages_leave_no_level():
    """What is lost is lost at every level."""
    lines = ("1 append a 0-10", "9 final read -> 90-91")
    assert judge_history(history(*lines), CLAIMS).level == "none"


def test_a_client_is_judged_also_where_others_are_worse():
    """A break between clients does not hide one within a client."""
    lines = (
        "1 append a 0-10",
        "1 read -> 20-30",
        "2 read -> 40-50",
        "9 final read -> a 90-91",
    )
    names = {one.anomaly for one in judge_history(history(*lines), CLAIMS).incidents}
    assert names == {"stale-read", "read-your-writes"}


def test_judgements_are_put_together():
    """The weakest level counts, and amounts are added."""
    one = Judged(examined={"reads": 2}, unknown=("x",), level="session")
    both = together([one, Judged(examined={"reads": 3, "appends": 1}, unknown=("x",))])
    assert (both.examined, both.unknown) == ({"reads": 5, "appends": 1}, ("x",))
    assert both.level == "session"
