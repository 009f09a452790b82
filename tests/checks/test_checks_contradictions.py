"""What is wrong by itself, whatever else happened: each rule, with what it must spare."""

import numpy as np
import pytest
from histories import named

from sessionproof.checks.contradictions import contradictions
from sessionproof.checks.operations import answers_of, operations_of


def said(history, *, atomic=True):
    """What is said of the history's first session."""
    rows = np.flatnonzero(history.rows["session"] == 0)
    operations = operations_of(history, rows, atomic=atomic)
    answers = answers_of(history, operations)
    return contradictions(history, 0, rows, operations, answers, atomic=atomic)


def counted(*lines, atomic=True, odd=()):
    """How many cases of each anomaly are there."""
    found = said(named(*lines, odd=odd).history, atomic=atomic)
    return {str(one.anomaly): one.flagged for one in found}


GOOD = {
    "a read that ends as the append begins": ("2 read -> a 0-10", "1 append a 10-20"),
    "a read that begins as the append ends": ("1 append a 0-10", "2 read -> 10-20"),
    "a read that begins as the removal ends": (
        "1 append a 0-10",
        "1 clear 20-30",
        "2 read -> a 30-40",
    ),
    "a removal that begins as the append ends": (
        "1 append a 0-10",
        "1 clear 10-20",
        "2 read -> a 30-40",
    ),
    "a removal that begins as the read ends": (
        "1 append a 0-10",
        "2 read -> 20-30",
        "1 clear 30-40",
    ),
    "a removal that ends as the append begins": (
        "1 clear 0-10",
        "2 append a 10-20",
        "2 read -> 30-40",
    ),
    "a read that begins as one without the message ends": (
        "1 append a 0-10",
        "2 clear 5-50",
        "1 read -> 20-30",
        "3 read -> a 30-40",
    ),
    "removed, and never seen again": (
        "1 append a 0-10",
        "2 clear 5-15",
        "1 read -> 20-30",
        "1 read -> 40-50",
    ),
    "an append that begins as one behind it ends": (
        "1 append a 0-10",
        "2 append b 10-20",
        "3 read -> b a 30-40",
    ),
    "the end of a batch in a window": ("1 append a b c 0-10", "2 read_last 2 -> b c 20-30"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_some_order_explains_is_spared(name):
    """What touches in time may be in either order, and a window may begin within a batch."""
    assert counted(*GOOD[name]) == {}


BOTH = ("1 append a 0-10", "2 append b 0-10")
BAD = {
    "seen before they were sent": (
        {"future-read": 2},
        ("2 read -> a b 0-5", "3 read -> a b 0-5", "1 append a 10-20", "1 append b 21-25"),
    ),
    "removed and there": (
        {"resurrection": 2},
        ("1 append a 0-10", "1 clear 20-30", "2 read -> a 40-50", "3 read -> a 40-50"),
    ),
    "missed by some": (
        {"stale-read": 2},
        (
            "1 append a 5-10",
            "1 append b 12-14",
            "2 read -> 0-6",
            "3 read_last 1 -> b 15-18",
            "4 read -> a 20-30",
            "5 read -> a 20-30",
            "9 final read -> a b 90-91",
        ),
    ),
    "seen for the last time as the read begins that misses it": (
        {"lost-message": 1},
        ("1 append a 0-10", "2 read -> a 12-20", "3 read -> 20-30"),
    ),
    "missed, and there again": (
        {"stale-read": 1},
        ("1 append a 0-10", "2 clear 5-50", "3 read -> 20-30", "4 read -> a 40-45"),
    ),
    "two orders, of which the first is right": (
        {"incompatible-order": 2},
        (
            *BOTH,
            *(
                f"{at} read -> {ids} 20-30"
                for at, ids in enumerate(("a b", "a b", "b a", "b a"), 3)
            ),
        ),
    ),
    "the longer answer is what others are held against": (
        {"duplicate": 1, "incompatible-order": 1},
        (
            *BOTH,
            "3 append c 0-50",
            "4 read -> b a 20-30",
            "5 read -> a b c a 20-30",
            "6 read -> a b c 20-30",
        ),
    ),
    "two orders in one of two lives": (
        {"incompatible-order": 1},
        (
            "1 append a 0-10",
            "2 append b 0-10",
            "3 append c 0-10",
            "5 append d e f 50-60",
            "6 clear 40-45",
            "7 read -> a b c 20-30",
            "8 read -> d e f 70-80",
            "9 read -> a b 10-35",
            "10 read -> b a 10-36",
        ),
    ),
    "against time": (
        {"order-contradicts-real-time": 2},
        (
            "1 append a 0-10",
            "2 append b 20-30",
            "3 append c 20-30",
            "4 read -> b c a 40-50",
            "5 read -> b c a 40-50",
        ),
    ),
    "in pieces": (
        {"torn-batch": 2, "incompatible-order": 1},
        ("1 append a b 0-10", "2 append c 0-10", "3 read -> a c b 20-30", "4 read -> b a c 20-30"),
    ),
    "a part behind what is whole": (
        {
            "duplicate": 1,
            "intermediate-read": 1,
            "torn-batch": 1,
            "stale-read": 1,
            "lost-message": 2,
        },
        (
            "1 append a b 0-10",
            "1 append c d 12-14",
            "2 read -> a a 20-30",
            "3 read -> a b c 31-40",
            "4 final read -> a b c 90-91",
        ),
    ),
    "a part in a window that begins within a batch": (
        {"intermediate-read": 1},
        ("1 append a b 0-10", "1 append c d 12-50", "3 read_last 2 -> b c 20-30"),
    ),
    "refused, of a read that was refused, and of nobody": (
        {"aborted-read": 1, "phantom": 2},
        (
            "3 read_last 2 0-1 refused",
            "1 append a 2-10 refused",
            "2 read -> a z 0x100 20-30",
        ),
    ),
    "right behind what another session has": (
        {"cross-session-leak": 1, "phantom": 1},
        ("2 read -> b 0x202 20-30", "1 append a b 0-10 @t"),
    ),
    "of nobody, and twice": ({"phantom": 1, "duplicate": 1}, ("2 read -> z z 20-30",)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_order_explains_is_counted(name):
    """One incident for each name, with the number of cases."""
    counts, lines = BAD[name]
    assert counted(*lines) == counts


def test_batches_that_may_be_in_parts_keep_their_order():
    """The messages of a batch stand in their order, each once."""
    turned = ("1 append a b 0-10", "2 read -> b a 20-30", "3 read -> b a 20-30")
    assert counted(*turned, atomic=False) == {"non-monotonic-writes": 2}
    assert counted(*turned) == {"torn-batch": 2}
    assert counted("1 append a 0-10", "2 read -> a a 20-30", atomic=False) == {"duplicate": 1}


def test_a_message_without_an_id_is_told_by_its_text_alone():
    """What no client sent has no id; where its text was not kept there is nothing to tell."""
    made = named("2 read -> ? 20-30", "1 append a 0-10 @t").history
    made.rows["id"][1] = 0  # recorded wrongly, in another session
    (one,) = said(made)
    assert one.sentence == "a read of client 2 holds #0, which no client sent"
    (one,) = said(named("2 read -> z 20-30", odd=((0, "hello"),)).history)
    assert one.sentence == "a read of client 2 holds #990000, which no client sent"
