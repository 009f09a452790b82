"""Histories of a few operations, and what is wrong with them."""

import pytest
from histories import history, named

from sessionproof.checks.history import judge_history
from sessionproof.checks.log import judge_log
from sessionproof.contract.claims import Claims

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads")
LOOSE = Claims(handles="threads")

GOOD = {
    "one after the other": ("1 append a 0-10", "1 read -> a 20-30", "9 final read -> a 90-91"),
    "a read beside an append may have it or not": (
        "1 append a 0-50",
        "2 read -> 10-20",
        "3 read -> a 10-20",
        "9 final read -> a 90-91",
    ),
    "appends beside each other in any order": (
        "1 append a 0-50",
        "2 append b 0-50",
        "9 final read -> b a 90-91",
    ),
    "an unknown outcome takes effect late": (
        "1 append a 0-?",
        "2 read -> 10-20",
        "2 read -> a 30-40",
        "9 final read -> a 90-91",
    ),
    "an unknown outcome never takes effect": (
        "1 append a 0-?",
        "2 append b 10-20",
        "9 final read -> b 90-91",
    ),
    "a refused append that was sent again": (
        "1 append a 0-10 refused",
        "1 append a 20-30",
        "9 final read -> a 90-91",
    ),
    "reads of every kind": (
        "1 append a b 0-10",
        "2 read_last 1 -> b 20-30",
        "2 read_last 9 -> a b 40-50",
        "3 pages 1 -> a b 20-30",
        "3 count -> 2 40-50",
        "9 final read -> a b 90-91",
    ),
    "sessions of their own": (
        "1 append a 0-10",
        "2 append b 0-10 @t",
        "9 final read -> a 90-91",
        "9 final read -> b 92-93 @t",
    ),
    "nothing at all": ("1 read -> 0-10", "2 count -> 0 0-10", "9 final read -> 90-91"),
    "missing, then there": (
        "1 read -> missing 0-10",
        "1 append a 20-30",
        "9 final read -> a 90-91",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_spared(name):
    """A history that some order explains has no incident, whatever else is strange in it."""
    judged = judge_history(history(*GOOD[name]), CLAIMS)
    assert (judged.incidents, judged.unknown, judged.level) == ((), (), "linearizable")


BROKEN = {
    "a read misses what was acknowledged": (
        "stale-read",
        ("1 append a 0-10", "2 read -> 20-30", "9 final read -> a 90-91"),
        (1, 0, 2),
        "client 2's read began 10 µs after client 1's append of #100 had been acknowledged, "
        "and does not have it.",
    ),
    "a client misses its own message": (
        "read-your-writes",
        ("1 append a 0-10", "1 read -> 20-30", "9 final read -> a 90-91"),
        (1, 0, 2),
        "client 1's read began 10 µs after its own append of #100 had been acknowledged, "
        "and does not have it.",
    ),
    "a count misses it": (
        "stale-read",
        ("1 append a 0-10", "2 count -> 0 20-30", "9 final read -> a 90-91"),
        (1, 0, 2),
        "client 2's count began 10 µs after client 1's append of #100 had been acknowledged, "
        "and does not count it: it answered a count of 0.",
    ),
    "less than before": (
        "non-monotonic-read",
        ("1 append a 0-50", "2 read -> a 5-10", "3 read -> 20-30", "9 final read -> a 90-91"),
        (2, 1),
        "client 3's read began 10 µs after client 2's read had been answered, and answered less: "
        "it lacks #100 (0 messages after 1 message).",
    ),
    "gone in the end": (
        "lost-message",
        ("1 append a 0-10", "1 append b 20-30", "9 final read -> b 90-91"),
        (0, 2),
        "client 1's append of #100 was acknowledged; the final read answered 1 message, and does "
        "not have #100.",
    ),
    "seen once, and gone in the end": (
        "lost-message",
        ("1 append a 0-10", "2 read -> a 20-30", "9 final read -> 90-91"),
        (0, 2),
        "client 1's append of #100 was acknowledged; the final read answered 0 messages, and does "
        "not have #100.",
    ),
    "against real time": (
        "order-contradicts-real-time",
        ("1 append a 0-10", "2 append b 20-30", "9 final read -> b a 90-91"),
        (1, 0, 2),
        "client 2's append of #200 began 10 µs after client 1's append of #100 had been "
        "acknowledged, but stands before it in the order of the session.",
    ),
    "against a writer's order": (
        "non-monotonic-writes",
        ("1 append a 0-10", "1 append b 20-30", "9 final read -> b a 90-91"),
        (1, 0, 2),
        "client 1's append of #200 began 10 µs after its own append of #100 had been "
        "acknowledged, but stands before it in the order of the session.",
    ),
    "before it was sent": (
        "future-read",
        ("1 read -> a 0-10", "2 append a 20-30", "9 final read -> a 90-91"),
        (1, 0, 2),
        "client 2's append of #200 began 10 µs after client 1's read had been answered, but "
        "client 1 had already seen it: it answered 1 message.",
    ),
    "twice": (
        "duplicate",
        ("1 append a 0-10", "9 final read -> a a 90-91"),
        (1, 0),
        "client 9's read answered #100, of client 1's append of #100: it is there 2 times.",
    ),
    "twice after a refusal": (
        "duplicate",
        ("1 append a 0-10 refused", "1 append a 20-30", "9 final read -> a a 90-91"),
        (2, 1, 0),
        "client 9's read answered #100, of client 1's append of #100: it is there 2 times; "
        "it was sent again after 1 refusal.",
    ),
    "of nobody": (
        "phantom",
        ("1 append a 0-10", "9 final read -> a z 90-91"),
        (1,),
        "client 9's read answered #990000: it was sent by nobody.",
    ),
    "of another session": (
        "cross-session-leak",
        ("1 append a 0-10 @t", "9 final read -> a 90-91", "9 final read -> a 92-93 @t"),
        (1, 0),
        "client 9's read answered #100, of client 1's append of #100: it was sent to another "
        "session.",
    ),
    "refused, and there": (
        "aborted-read",
        ("1 append a 0-10 refused", "9 final read -> a 90-91"),
        (1, 0),
        "client 9's read answered #100, of client 1's append of #100: it was refused.",
    ),
    "a part of a batch": (
        "torn-batch",
        ("1 append a b 0-?", "9 final read -> a 90-91"),
        (1, 0),
        "client 9's read answered #100 and #101, of client 1's append of #100 and #101: it is a "
        "batch of which 1 of 2 messages are there.",
    ),
    "a batch in the making": (
        "intermediate-read",
        ("1 append a b 0-50", "2 read -> a 10-20", "9 final read -> a b 90-91"),
        (1, 0),
        "client 2's read answered #100 and #101, of client 1's append of #100 and #101: it is a "
        "batch of which 1 of 2 messages were there.",
    ),
    "batches that are mixed": (
        "torn-batch",
        ("1 append a b 0-50", "2 append c 0-50", "9 final read -> a c b 90-91"),
        (2, 0),
        "client 9's read answered #100 and #101, of client 1's append of #100 and #101: it is a "
        "batch whose messages do not stand together in their order.",
    ),
    "two orders": (
        "incompatible-order",
        ("1 append a 0-50", "2 append b 0-50", "3 read -> b a 60-70", "9 final read -> a b 90-91"),
        (2, 3),
        "client 3's read (2 messages) has the same messages in another order, compared with "
        "client 9's read (2 messages).",
    ),
    "a gap": (
        "incompatible-order",
        ("1 append a 0-50", "2 append b 0-50", "3 read -> b 10-20", "9 final read -> a b 90-91"),
        (2, 3),
        "client 3's read (1 message) misses messages in front of some that it has, compared with "
        "client 9's read (2 messages).",
    ),
    "a window with a gap": (
        "incompatible-order",
        (
            "1 append a b c 0-10",
            "3 read_last 2 -> a c 20-30",
            "9 final read -> a b c 90-91",
        ),
        (1, 2),
        "client 3's read_last(2) (2 messages) ends with #102 but has not #101, which stands before "
        "it, compared with client 9's read (3 messages).",
    ),
    "a window in another order": (
        "incompatible-order",
        (
            "1 append a b c 0-10",
            "3 read_last 3 -> b a c 20-30",
            "9 final read -> a b c 90-91",
        ),
        (1, 2),
        "client 3's read_last(3) (3 messages) has the messages before its last one in another "
        "order, compared with client 9's read (3 messages).",
    ),
    "a window that is too long": (
        "incompatible-order",
        ("1 append a b 0-10", "3 read_last 2 -> b a 20-30", "9 final read -> a b 90-91"),
        (1, 2),
        "client 3's read_last(2) (2 messages) has 2 messages up to #100, and not 1, compared with "
        "client 9's read (2 messages).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_named(name):
    """Each anomaly has its name, the rows that show it, and a sentence that says why."""
    anomaly, lines, rows, sentence = BROKEN[name]
    judged = judge_history(history(*lines), CLAIMS)
    assert [one.anomaly for one in judged.incidents] == [anomaly]
    (incident,) = judged.incidents
    assert incident.rows == rows
    assert incident.sentence == sentence


def test_a_changed_text_is_told_from_a_strange_one():
    """A text with the token of a message that was sent has changed; any other is a phantom."""
    lines = ("1 append a 0-10", "9 final read -> ? 90-91")
    changed = judge_history(named(*lines, odd=((1, "#100 the quikc"),)).history, CLAIMS)
    strange = judge_history(named(*lines, odd=((1, "hello"),)).history, CLAIMS)
    assert {one.anomaly for one in changed.incidents} == {"changed-content", "lost-message"}
    assert {one.anomaly for one in strange.incidents} == {"phantom", "lost-message"}


@pytest.mark.parametrize(
    ("texts", "anomaly"),
    [
        (("#100 the quikc",), "changed-content"),
        (("hello", "#100 the quikc"), "changed-content"),
        (("hello",), "phantom"),
        (("100 without its sign",), "phantom"),
        (("#770000 of nobody",), "phantom"),
        (("#10000000000000000 too large a number",), "phantom"),
    ],
)
def test_a_changed_text_is_told_from_a_strange_one_where_messages_go(texts, anomaly):
    """A session that was cleared is judged by search, and names what is strange as well."""
    lines = ("1 append a 0-10", "1 clear 20-30", "1 append b 40-50", "9 final read -> ? b 90-91")
    odd = tuple((3, text) for text in texts)
    (incident,) = judge_history(named(*lines, odd=odd).history, CLAIMS).incidents
    assert (incident.anomaly, incident.rows) == (anomaly, (3,))
    strange = texts[-1] if anomaly == "changed-content" else texts[0]
    assert repr(strange) in incident.sentence


def test_an_answer_that_was_not_kept_is_judged_by_its_digest():
    """A digest shows that an answer is no prefix, though not how."""
    lines = ("1 append a 0-50", "2 append b 0-50", "3 read -> b 60-70", "9 final read -> a b 90-91")
    judged = judge_history(named(*lines, unkept=(2,)).history, CLAIMS)
    assert [one.anomaly for one in judged.incidents] == ["incompatible-order"]
    assert judged.incidents[0].sentence == (
        "the 1 message of client 3's read are not the first of them in their order in client 9's "
        "read (2 messages)."
    )


def test_parts_of_batches_are_fine_where_none_is_claimed_whole():
    """A store that claims no atomic batches may show their parts, but keeps their order."""
    lines = (
        "1 append a b 0-50",
        "2 append c 0-50",
        "3 read -> a c 10-20",
        "3 count -> 1 5-9",
        "9 final read -> a c b 90-91",
    )
    assert judge_history(history(*lines), LOOSE).incidents == ()
    swapped = history("1 append a b 0-50", "9 final read -> b a 90-91")
    names = [one.anomaly for one in judge_history(swapped, LOOSE).incidents]
    assert names == ["non-monotonic-writes"]


def test_strange_newest_messages_of_an_empty_session_are_found():
    """Where nobody sent anything there is no order to look them up in."""
    lines = ("2 read_last 2 -> z 20-30", "9 final read -> 90-91")
    phantom = judge_history(history(*lines), CLAIMS).incidents[0]
    assert (phantom.anomaly, phantom.rows) == ("phantom", (0,))


def test_one_cause_is_one_incident():
    """A read that misses many messages is one incident, which counts the operations against it."""
    appends = [f"{k} append m{k} {k * 10}-{k * 10 + 5}" for k in range(1, 9)]
    everything = " ".join(f"m{k}" for k in range(1, 9))
    judged = judge_history(
        history(*appends, "20 read -> 200-210", f"30 final read -> {everything} 290-291"), CLAIMS
    )
    assert [one.anomaly for one in judged.incidents] == ["stale-read"]
    assert judged.incidents[0].flagged == 8


def test_a_late_count_does_not_hide_behind_a_late_read():
    """Counts are judged apart: a read that is wrong, too, does not hide them."""
    lines = (
        "1 append a 0-10",
        "2 count -> 0 20-30",
        "3 read -> 40-50",
        "9 final read -> a 90-91",
    )
    judged = judge_history(history(*lines), CLAIMS)
    assert sorted(one.rows[0] for one in judged.incidents) == [1, 2]


def test_without_a_final_read_nothing_is_lost():
    """What nobody read in the end is unknown, and said to be so."""
    judged = judge_history(history("1 append a 0-10", "1 append b 20-30"), CLAIMS)
    assert judged.incidents == ()
    assert judged.unknown == ("1 session without a final read: 2 acknowledged appends never read",)


def test_what_was_examined_is_counted():
    """The judgement says how much it looked at, by unit."""
    judged = judge_history(history(*GOOD["reads of every kind"]), CLAIMS)
    assert judged.examined["operations"] == 6
    assert judged.examined["appends"] == 1
    assert judged.examined["reads"] == 4
    assert judged.examined["counts"] == 1
    assert judged.examined["messages"] == 2
    assert judged.examined["sessions"] == 1


def test_a_longer_answer_than_any_that_was_kept_is_unknown():
    """What a longer answer held is not known; what follows from its length is."""
    lines = ("1 append a 0-10", "1 append b 15-18", "2 read -> a b 20-30", "2 read -> a 40-50")
    judged = judge_history(named(*lines, unkept=(2,)).history, CLAIMS)
    assert "non-monotonic-read" in {one.anomaly for one in judged.incidents}
    assert any("never read" in reason for reason in judged.unknown)
    assert any("any answer that was kept" in reason for reason in judged.unknown)


def test_sessions_that_need_a_search_are_left_to_it():
    """The linear pass does not judge what it cannot: cleared sessions, several lives."""
    cleared = history("1 append a 0-10", "1 clear 20-30", "9 final read -> 90-91")
    judged = judge_log(cleared, CLAIMS)
    assert judged.incidents == ()
    assert judged.unknown == ("1 session may shrink, and must be searched",)
    assert judge_history(cleared, CLAIMS).unknown == ()
