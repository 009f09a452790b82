"""Sessions that are created and deleted while others are at work."""

import pytest
from histories import history

from sessionproof.checks.history import judge_history
from sessionproof.checks.log import judge_log
from sessionproof.contract.claims import Claims

REFUSES = Claims(
    atomic_batches=True, consistency="linearizable", handles="threads", missing_session="refuses"
)
CREATES = Claims(atomic_batches=True, consistency="linearizable", handles="threads")

GOOD = {
    "created, used, deleted": (
        "1 create 0-10",
        "1 append a 20-30",
        "1 read -> a 35-38",
        "1 delete 40-50",
        "2 read -> missing 60-70",
        "9 final read -> missing 90-91",
    ),
    "missing before the creation ends": (
        "1 create 0-30",
        "2 read -> missing 10-20",
        "3 append a -> missing 10-20 refused",
        "9 final read -> 90-91",
    ),
    "an unknown deletion takes effect late": (
        "1 create 0-10",
        "1 append a 20-30",
        "1 delete 40-?",
        "2 read -> a 60-70",
        "2 read -> missing 75-80",
        "9 final read -> missing 90-91",
    ),
    "an unknown deletion never takes effect": (
        "1 create 0-10",
        "1 append a 20-30",
        "1 delete 40-?",
        "9 final read -> a 90-91",
    ),
    "an append that the deletion wins against": (
        "1 create 0-10",
        "2 append a -> missing 20-60 refused",
        "1 delete 40-50",
        "9 final read -> missing 90-91",
    ),
    "deleted by two": (
        "1 create 0-10",
        "1 append a 20-30",
        "1 read -> a 32-34",
        "1 delete 40-50",
        "2 delete 45-60",
        "2 read -> 70-80",
        "9 final read -> 90-91",
    ),
    "there from the start": ("1 append a 0-10", "9 final read -> a 90-91"),
}


@pytest.mark.parametrize("name", GOOD)
def test_lives_that_are_right_are_spared(name):
    """A deletion that races, or is not known to have happened, is no fault."""
    judged = judge_history(history(*GOOD[name]), REFUSES)
    assert (judged.incidents, judged.unknown) == ((), ())


BROKEN = {
    "there after the deletion": (
        {"resurrection"},
        ("1 create 0-10", "1 append a 20-30", "1 delete 40-50", "9 final read -> a 90-91"),
    ),
    "there after it was missing": (
        {"resurrection"},
        (
            "1 create 0-10",
            "1 append a 12-14",
            "1 delete 20-80",
            "2 read -> missing 40-50",
            "3 read -> a 60-70",
            "9 final read -> missing 90-91",
        ),
    ),
    "gone without a deletion": (
        {"lost-session", "lost-message"},
        ("1 create 0-10", "1 append a 20-30", "9 final read -> missing 90-91"),
    ),
    "gone without a trace": (
        {"lost-session"},
        ("1 create 0-10", "2 read -> missing 20-30", "9 final read -> 90-91"),
    ),
    "gone before the deletion began": (
        {"lost-session"},
        (
            "1 create 0-10",
            "1 append a 20-30",
            "1 read -> a 32-34",
            "2 read -> missing 36-38",
            "1 delete 40-50",
            "9 final read -> missing 90-91",
        ),
    ),
    "used before it was created": (
        {"phantom-session"},
        ("1 append a 0-10", "2 create 20-30", "9 final read -> a 90-91"),
    ),
    "gone though it had been there from the start": (
        {"lost-session"},
        ("1 read -> missing 0-5", "1 append a 10-20", "9 final read -> a 90-91"),
    ),
    "gone to two, though it had been there from the start": (
        {"lost-session"},
        (
            "2 read -> missing 6-8",
            "1 read -> missing 0-5",
            "1 append a 10-20",
            "9 final read -> a 90-91",
        ),
    ),
    "empty before the deletion began": (
        {"stale-read"},
        (
            "1 create 0-10",
            "1 append a 20-30",
            "1 read -> a 32-34",
            "2 read -> 36-38",
            "1 delete 40-50",
            "9 final read -> missing 90-91",
        ),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_lives_that_are_wrong_are_named(name):
    """A session that is back, or gone without a deletion, is named so, in linear time."""
    names, lines = BROKEN[name]
    judged = judge_log(history(*lines), REFUSES)
    found = {one.anomaly for one in judged.incidents} - {"non-monotonic-read"}
    assert found == names
    assert all(one.sentence.endswith(".") for one in judged.incidents)


def test_sessions_with_several_lives_are_searched():
    """Where appends create sessions, a deletion may be followed by another life."""
    lines = ("1 append a 0-10", "1 delete 20-30", "2 append b 25-40", "9 final read -> b 90-91")
    assert judge_log(history(*lines), CREATES).unknown
    assert judge_history(history(*lines), CREATES).incidents == ()


def test_a_deleted_session_without_a_kept_answer_is_searched():
    """Answers before a deletion that nothing kept tells the order of are not guessed at."""
    lines = (
        "1 create 0-10",
        "1 append a b c 12-14",
        "2 read_last 2 -> a c 16-18",
        "1 delete 20-30",
        "9 final read -> missing 90-91",
    )
    assert judge_log(history(*lines), REFUSES).unknown
    assert judge_history(history(*lines), REFUSES).incidents


def test_pages_beside_a_deletion_are_not_judged_by_time():
    """Pages before the last one may have been read when the session was still there."""
    lines = ("1 create 0-5", "1 append a 6-10", "2 read -> a 12-14", "1 delete 20-30")
    after = "9 final read -> missing 90-91"
    assert judge_history(history(*lines, "2 pages 1 -> a 40-41", after), REFUSES).incidents == ()
    between = ("2 read -> missing 35-36", "2 pages 1 -> a 40-41")
    names = {
        one.anomaly for one in judge_history(history(*lines, *between, after), REFUSES).incidents
    }
    assert names == {"resurrection"}


def test_a_session_that_is_back_after_a_refusal_says_so():
    """What was told that there is no session had been refused, and not acknowledged."""
    lines = (
        "1 create 0-10",
        "1 append a 12-15",
        "1 delete 20-80",
        "2 append b -> missing 35-40 refused",
        "2 append c 50-60",
        "9 final read -> missing 90-91",
    )
    (incident,) = judge_log(history(*lines), REFUSES).incidents
    assert incident.anomaly == "resurrection"
    assert incident.sentence == (
        "client 2's append of #500 began 10 µs after its own append of #400 had been refused, and "
        "the session is there again."
    )
    assert judge_log(history(*lines[:4], lines[5]), REFUSES).incidents == ()


@pytest.mark.parametrize(
    ("after", "read"),
    [("1 append b -> missing 40-50 refused", "missing"), ("1 append b 40-50", "b")],
)
def test_where_nothing_is_claimed_of_unknown_sessions_a_history_may_hold_both(after, read):
    """What was deleted is made again by an append, or stays away; what is read must say so."""
    silent = Claims(atomic_batches=True, consistency="linearizable", session_ids="store")
    lines = ("1 create 0-10", "1 append a 15-18", "1 delete 20-30", after)
    right = judge_history(history(*lines, f"9 final read -> {read} 60-61"), silent)
    assert not right.incidents
    wrong = judge_history(history(*lines, "9 final read -> a b 60-61"), silent)
    assert wrong.incidents
