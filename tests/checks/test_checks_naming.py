"""What two operations that cannot both be right are called, and what is said of them."""

from dataclasses import replace

from histories import history

from sessionproof.checks.log import judge_log
from sessionproof.contract.claims import Claims

REFUSES = Claims(
    atomic_batches=True, consistency="linearizable", handles="threads", missing_session="refuses"
)
CREATES = replace(REFUSES, missing_session="creates")


def told(*lines, claims=CREATES):
    """The name, the messages and the sentence of each incident."""
    return [
        (str(one.anomaly), [f"{number:x}" for number in one.ids], one.sentence)
        for one in judge_log(history(*lines), claims).incidents
    ]


def test_a_deletion_that_found_no_session_was_told_so_itself():
    """Not what had been there before."""
    lines = ("1 create 0-10", "2 delete -> missing 20-30 refused")
    sentence = (
        "client 2's deletion began 10 µs after client 1's creation had been answered, and was told "
        "that there is no such session."
    )
    assert ("lost-session", [], sentence) in told(*lines, claims=REFUSES)


def test_a_batch_that_goes_on_after_a_later_append_is_not_lost():
    """It stands in the order, from its first place on."""
    lines = ("1 append a c 0-1", "1 append b 2-3", "9 final read -> a b c 10-11")
    names = [name for name, *_ in told(*lines, claims=replace(CREATES, atomic_batches=False))]
    assert names == ["non-monotonic-writes"]


def test_an_append_that_the_order_lacks_is_lost_to_a_later_one():
    """Also without a final read."""
    lines = ("1 append a 0-1", "3 read -> b 2-19", "2 append b 3-18")
    sentence = (
        "client 2's append of #300 began 2 µs after client 1's append of #100 had been "
        "acknowledged, but is in the order, which #100 is not."
    )
    assert ("lost-message", ["100", "300"], sentence) in told(*lines)


def test_one_append_may_break_the_order_and_be_missed():
    """Of a client's own contradictions each name is told, of those between clients the finest."""
    lines = ("1 append a 0-1", "1 append b 2-3", "1 read -> 4-5", "9 final read -> b a 10-11")
    found = [(name, ids) for name, ids, _ in told(*lines)]
    assert found == [
        ("read-your-writes", ["200", "100"]),
        ("non-monotonic-writes", ["100", "200"]),
    ]


def test_of_many_missed_appends_eight_are_named():
    """In the order of the session."""
    names = [chr(ord("a") + at) for at in range(10)]
    appends = [f"{at + 1} append {name} 0-1" for at, name in enumerate(names)]
    lines = (*appends, "20 read -> 4-5", f"9 final read -> {' '.join(names)} 10-11")
    ((name, ids, _),) = told(*lines)
    assert (name, ids) == ("stale-read", [f"{at}00" for at in range(1, 9)])


def test_what_was_seen_too_early_is_told_alone():
    """Whatever else the read had seen; and a shorter answer lacks what the longer one had."""
    seen = ("3 read -> b a 0-1", "1 append a 2-9", "2 append b 4-5", "9 final read -> b a 10-11")
    assert [(name, ids) for name, ids, _ in told(*seen)] == [("future-read", ["300"])]
    less = (
        "1 append a b c 0-9",
        "3 read -> a 1-2",
        "3 read -> 3-4",
        "9 final read -> a b c 10-11",
    )
    lacks = told(*less, claims=replace(CREATES, atomic_batches=False))
    assert [(name, ids) for name, ids, _ in lacks] == [("non-monotonic-read", ["100"])]
