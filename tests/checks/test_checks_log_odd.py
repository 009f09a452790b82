"""Histories in which several things are wrong: each is told once, and none hides another."""

from dataclasses import replace

import pytest
from histories import history, named

from sessionproof.checks.history import judge_history
from sessionproof.contract.claims import Claims

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads")
REFUSES = Claims(
    atomic_batches=True, consistency="linearizable", handles="threads", missing_session="refuses"
)
TWO = ("1 append a 0-10", "2 append b 0-10")
THREE = (*TWO, "5 append c 0-10")


def counted(*lines, claims=CLAIMS):
    """Each incident as "anomaly, operations that its cause makes wrong"."""
    incidents = judge_history(history(*lines), claims).incidents
    return [f"{one.anomaly} {one.flagged}" for one in incidents]


ANSWERS = {
    "the longest answer is wrong by itself": (
        ["phantom 1"],
        (*TWO, "3 read -> a b z 20-30", "9 final read -> b a 90-91"),
    ),
    "all but the empty answer are wrong by themselves": (
        ["phantom 1", "lost-message 1"],
        ("1 append a 0-10", "3 read -> a z 20-30", "9 final read -> 90-91"),
    ),
    "two answers, two strangers": (
        ["phantom 1", "phantom 1", "incompatible-order 1"],
        ("3 read -> a y 20-30", "4 read -> b z a 40-50", *TWO, "9 final read -> b a 90-91"),
    ),
    "one stranger, in several answers": (
        ["phantom 3", "phantom 1"],
        (
            *TWO,
            "3 read_last 2 -> z b 12-14",
            "4 read -> a b z 50-60",
            "5 read -> a b z 20-30",
            "6 pages 1 -> a b z 70-80",
            "9 final read -> a b 90-91",
        ),
    ),
    "a batch twice, in two ways": (
        ["duplicate 2"],
        (
            "1 append a b 0-10",
            "3 read -> a b a 20-30",
            "4 read -> a b b 40-50",
            "9 final read -> a b 90-91",
        ),
    ),
    "twice, with another one between": (
        ["duplicate 1"],
        ("1 append a 0-10", "2 append b 20-30", "9 final read -> a b a 90-91"),
    ),
    "sent again after three refusals, and there twice": (
        ["duplicate 1"],
        (
            *(f"1 append a {at}-{at + 1} refused" for at in (0, 2, 4)),
            "1 append a 6-10",
            "9 final read -> a a 90-91",
        ),
    ),
    "strangers in two sessions, of which one has a right order": (
        ["phantom 2", "phantom 1"],
        (
            "1 append a 0-10",
            "3 read -> a z 20-30",
            "9 final read -> a z 90-91",
            "1 append b 12-14 @t",
            "1 append c 16-18 @t",
            "3 read -> b y 40-50 @t",
            "9 final read -> b c 92-93 @t",
        ),
    ),
    "a part of a batch, first and last": (
        ["intermediate-read 2", "incompatible-order 1"],
        (
            "1 append c 0-5",
            "1 append a b 6-50",
            "2 read -> c a 15-18",
            "3 final read -> a 90-91",
            "9 final read -> c a b 92-93",
        ),
    ),
    "against the order in reads and pages of two sessions": (
        ["incompatible-order 2", "incompatible-order 1", "incompatible-order 1"],
        (
            "3 read -> b a 60-70",
            "4 read -> b a 80-85",
            "5 pages 2 -> b a 80-85",
            *TWO,
            "9 final read -> a b 90-91",
            *(f"1{at} append {one} 0-10 @t" for at, one in enumerate("cde")),
            "13 read -> c e 75-76 @t",
            "9 final read -> c d e 92-93 @t",
        ),
    ),
    "a part of a batch in the end, and all of it before": (
        ["phantom 1", "intermediate-read 1", "lost-message 1"],
        ("1 append a b 0-10", "2 read -> z a b 20-30", "9 final read -> a 90-91"),
    ),
    "against the first row": (
        ["incompatible-order 1"],
        ("9 final read -> a b 90-91", *TWO, "3 read -> b 60-70"),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_odd_answers_are_told_once(name):
    """One incident for each cause, with the number of answers that show it."""
    found, lines = ANSWERS[name]
    assert counted(*lines) == found


def test_an_answer_of_nothing_may_have_the_digest_of_something():
    """Where no answer holds a message there is none to compare with."""
    made = named("3 read -> 0-10", "9 read -> 90-91", unkept=(0, 1)).history
    made.rows["digest"][0] = 5
    (one,) = judge_history(made, CLAIMS).incidents
    assert one.rows == (0,)
    assert one.sentence.endswith("are not the first of them in their order in the others.")


HELD = ("1 append a 0-10", "9 final read -> a z t 90-91", "1 append b 12-14", "1 append c 16-18",
        "1 append d 19-20", "5 append t 0-10 @t", "9 final read -> t 92-93 @t",
        "3 read -> a b c d 22-30")  # fmt: skip
MADE = ("1 create 0-10", "1 append a 12-14", "1 append b 16-18")
LOST = {
    "in two sessions": (
        ["lost-message 2", "lost-message 1"],
        (*THREE, "9 final read -> b 90-91", "6 append d 0-10 @t", "9 final read -> 92-93 @t"),
    ),
    "beside what is strange in a final read": (
        ["phantom 1", "cross-session-leak 1", "lost-message 3"],
        HELD,
    ),
    "a part of a batch": (
        ["torn-batch 1", "lost-message 1"],
        ("1 append a b 0-10", "9 final read -> a 90-91"),
    ),
    "seen, and the session is gone": (
        ["lost-message 1", "lost-session 2"],
        ("1 append a 0-10", "2 read -> a 20-30", "9 final read -> missing 90-91"),
    ),
    "told by the first row": (["lost-message 1"], ("9 final read -> a 90-91", *TWO)),
    "nothing: the final read is shorter than another": (
        ["non-monotonic-read 1"],
        ("1 append a 0-10", "2 append x 0-?", "3 read -> a x 20-30", "9 final read -> a 90-91"),
    ),
    "nothing: the append ended as the final read began": (
        [],
        ("1 append a 0-90", "9 final read -> 90-91"),
    ),
    "nothing: no final read of all": ([], (*TWO, "9 final read_last 1 -> b 90-91")),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_told_by_session(name):
    """What was acknowledged before the last final read began is in it, or lost."""
    found, lines = LOST[name]
    assert counted(*lines) == found


OWN = {
    "each of two clients that miss their own, once": (
        ["read-your-writes 1", "stale-read 1"],
        (
            "1 append a 0-10",
            "1 read -> 20-30",
            "9 final read -> a 90-91",
            "2 append b 0-10 @t",
            "3 read -> 20-30 @t",
            "9 final read -> b 92-93 @t",
        ),
    ),
    "what a client has written and read, and then misses": (
        ["read-your-writes 2"],
        ("1 append a 0-10", "1 read -> a 12-15", "1 read -> 20-30", "9 final read -> a 90-91"),
    ),
    "what it misses, and an order that is not its own": (
        ["read-your-writes 1", "non-monotonic-writes 1"],
        (
            "1 append a 0-10",
            "1 append b 20-30",
            "1 read -> b 40-50",
            "9 final read -> b a 90-91",
        ),
    ),
    "what it reads before it writes it, as another one does": (
        ["future-read 2", "future-read 1"],
        ("3 read -> a b 0-5", "9 read -> a b 0-5", "9 append a 10-15", "2 append b 20-25"),
    ),
    "what it reads before it writes it, as a final read does": (
        ["future-read 2", "future-read 1"],
        ("9 final read -> a b 0-5", "4 read -> a b 0-5", "4 append a 10-15", "2 append b 20-25"),
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_what_a_client_sees_by_itself_is_told_beside_the_others(name):
    """What is told between clients is not told again; what is not among it is."""
    found, lines = OWN[name]
    assert counted(*lines) == found


def test_one_may_be_missing_where_messages_land_one_by_one_and_have_numbers():
    """A message of unknown fate may have taken its number, and be nowhere."""
    read = "9 final read -> b 90-91"
    loose = Claims(handles="threads", seq_start=1)
    assert counted("1 append a b 0-?", read, claims=loose) == []
    for lines, claims in (
        (("1 append a b 0-10", read), loose),
        (("1 append a b 0-?", read), replace(loose, atomic_batches=True)),
        (("1 append a b 0-?", read), replace(loose, seq_start=None)),
    ):
        assert "torn-batch 1" in counted(*lines, claims=claims)
    assert counted("1 append a 0-?", "9 final read -> a a 90-91", claims=loose) == ["duplicate 1"]


DELETED = {
    "in a session that may have been deleted, and was not": (
        ["lost-message 1"],
        ("9 final read -> a 90-91", *MADE, "2 delete 40-?"),
    ),
    "nothing: it may have been deleted": ([], (*MADE, "2 delete 40-?", "9 final read -> 90-91")),
    "nothing: it was deleted, and is back": (
        ["resurrection 2"],
        (*MADE, "1 delete 40-50", "9 final read -> a 90-91"),
    ),
}


@pytest.mark.parametrize("name", DELETED)
def test_what_a_deletion_took_is_not_lost(name):
    """What came back of a deleted session is another matter."""
    found, lines = DELETED[name]
    assert counted(*lines, claims=REFUSES) == found


def test_of_many_lost_messages_some_are_shown():
    """An incident is not as long as the history."""
    lines = [f"{at} append m{at} 0-{at}" for at in range(1, 71)]
    (one,) = judge_history(history(*lines, "99 final read -> 90-91"), CLAIMS).incidents
    assert (one.flagged, len(one.ids)) == (70, 64)


def test_the_last_of_the_final_reads_counts():
    """Of those that began at once it is the last one of the history."""
    ids = ("a ", "", *["a "] * 58)
    reads = [f"{at} final read -> {one}{500 - at // 2}-600" for at, one in enumerate(ids, 2)]
    assert "lost-message 1" in counted("1 append a 0-10", *reads)


def test_a_final_read_whose_answer_is_not_known_tells_nothing():
    """Without its answer nothing is lost, and it is as if it were not there."""
    judged = judge_history(
        named("1 append a 0-10", "9 final read -> a 90-91", unkept=(1,)).history, CLAIMS
    )
    assert judged.incidents == ()
    assert any("without a final read" in reason for reason in judged.unknown)
    empty = named("1 append a 0-10", "9 final read -> 90-91", unkept=(1,)).history
    assert [str(one.anomaly) for one in judge_history(empty, CLAIMS).incidents] == ["lost-message"]
