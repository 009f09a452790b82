"""What is wrong with an answer by itself, and how it disagrees with the order."""

import numpy as np
import pytest
from histories import history, named

from sessionproof.checks.contents import disagreement, doubtful_sessions, surprises
from sessionproof.checks.positions import order_of, places_of
from sessionproof.checks.table import table_of
from sessionproof.contract.anomalies import Anomaly


def doubted(*lines):
    """The numbers of the sessions whose order is doubtful."""
    table = table_of(history(*lines))
    order = order_of(table)
    return np.flatnonzero(doubtful_sessions(table, order, places_of(table, order))).tolist()


def looked_at(made, *, atomic=True):
    """What is surprising in each kept answer, as "row anomaly"."""
    table = table_of(made)
    complete = places_of(table, order_of(table)).count >= table.n
    answers = [(int(row), table.kept.of(k)) for k, row in enumerate(table.kept.row)]
    found = [
        one for row, ids in answers
        for one in surprises(table, row, ids, atomic=atomic, complete=complete)
    ]  # fmt: skip
    return [f"{one.row} {one.anomaly}" for one in found]


def against(*lines):
    """How each kept answer disagrees with the longest one."""
    table = table_of(history(*lines))
    order = order_of(table)
    rows = enumerate(table.kept.row.tolist())
    return [disagreement(table, row, table.kept.of(k), order) for k, row in rows]


BATCHES = ("1 append a b 0-10", "1 append c 12-14", "1 append d e f 16-18")
ORDERS = {
    "whole batches": ([], (*BATCHES, "9 final read -> a b c d e f 90-91")),
    "whole batches in another order": ([], (*BATCHES, "9 final read -> d e f a b c 90-91")),
    "none": ([], BATCHES),
    "without the beginning of a batch": ([0], (*BATCHES, "9 final read -> c b 90-91")),
    "without the end of a batch": ([0], (*BATCHES, "9 final read -> a c 90-91")),
    "without the end, at the end": ([0], (*BATCHES, "9 final read -> c d e 90-91")),
    "without the middle of a batch": ([0], (*BATCHES, "9 final read -> d f 90-91")),
    "twice": ([0], (*BATCHES, "9 final read -> c a b c 90-91")),
    "one behind the batch": ([0], ("1 append a 0-10", "9 final read -> a 0x101 90-91")),
    "a batch in two sessions": (
        [0, 1],
        ("1 append a b 0-10", "9 final read -> a 90-91", "9 final read -> b 92-93 @t"),
    ),
    "a read's own number": (
        [0],
        ("1 append a 0-10", "2 read_last 1 -> a 20-30", "9 final read -> a 0x200 90-91"),
    ),
    "of nobody": ([0], ("9 final read -> a z 90-91", "1 append a 0-10")),
    "refused": ([0], ("1 append a 0-10 refused", "9 final read -> a 90-91")),
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_doubtful_unless_whole_batches_stand_in_it(name):
    """Each message of its own session, once, with its batch around it."""
    sessions, lines = ORDERS[name]
    assert doubted(*lines) == sessions


ONE = "1 append a 0-10"
REFUSED = ("1 append a 0-10 refused", "1 append a 12-14 refused")
ANSWERS = {
    "whole batches": ([], (*BATCHES, "9 final read -> a b c d e f 90-91")),
    "one behind the batch": (["1 phantom"], (ONE, "9 final read -> a 0x101 90-91")),
    "one behind the batch, alone": (["1 phantom"], (ONE, "9 final read -> 0x101 90-91")),
    "far behind the batch": (["1 phantom"], (ONE, "9 final read -> a 0x105 0x103 90-91")),
    "a read's own number": (
        ["2 phantom"],
        (ONE, "2 read_last 1 -> a 20-30", "9 final read -> a 0x200 90-91"),
    ),
    "of nobody": (["0 phantom"], ("9 final read -> a z 90-91", ONE)),
    "of another session": (
        ["2 cross-session-leak"],
        ("1 append a b c d 0-10 @t", "1 append x 12-14", "9 final read -> x d 90-91"),
    ),
    "refused twice, and there twice": (
        ["2 aborted-read", "2 duplicate"],
        (*REFUSED, "9 final read -> a a 90-91"),
    ),
    "refused, sent, and there twice": (
        ["3 duplicate"],
        (*REFUSED, "1 append a 20-30", "9 final read -> a a 90-91"),
    ),
    "one of a batch twice": (
        ["1 duplicate"],
        ("1 append a b 0-10", "9 final read -> a b a 90-91"),
    ),
    "the newest messages may be a part": (
        [],
        ("1 append a b c 0-10", "2 read_last 2 -> b c 20-30", "9 final read -> a b c 90-91"),
    ),
    "the newest messages twice": (
        ["1 duplicate"],
        ("1 append a b 0-10", "2 read_last 3 -> b a b 20-30", "9 final read -> a b 90-91"),
    ),
    "turned": (
        ["1 non-monotonic-writes", "1 torn-batch"],
        ("1 append a b 0-10", "9 read -> b a 90-91"),
    ),
    "turned behind the first": (
        ["1 non-monotonic-writes", "1 torn-batch"],
        ("1 append a b c 0-10", "9 read -> a c b 90-91"),
    ),
    "without the beginning": (["2 torn-batch"], (*BATCHES[:2], "9 final read -> c b 90-91")),
    "without the beginning, at the end": (
        ["2 torn-batch"],
        (*BATCHES[1:], "9 read -> c e f 90-91"),
    ),
    "without the middle": (["2 torn-batch"], (*BATCHES[1:], "9 final read -> c d f 90-91")),
    "without the end": (["2 torn-batch"], (*BATCHES[:2], "9 read -> a c 90-91")),
    "without the end, at the end": (["2 intermediate-read"], (*BATCHES[:2], "9 read -> c a 90-91")),
    "without the end in the end": (["2 torn-batch"], (*BATCHES[:2], "9 final read -> c a 90-91")),
    "without the end in the end, but there before": (
        ["3 intermediate-read"],
        (*BATCHES[:2], "2 read -> a b c 20-30", "9 final read -> c a 90-91"),
    ),
    "in pieces": (["2 torn-batch"], (*BATCHES[:2], "9 read -> a c b 90-91")),
    "in pieces, at the end": (["2 torn-batch"], (*BATCHES[1:], "9 read -> d c e f 90-91")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_wrong_with_an_answer_is_named(name):
    """Each kind once for each writer."""
    found, lines = ANSWERS[name]
    assert looked_at(history(*lines)) == found


PARTS = {
    "the first of a batch": ([], "a"),
    "the first of a batch, and others": ([], "a c"),
    "in pieces": ([], "a c b"),
    "without the beginning": (["2 torn-batch"], "c b"),
    "turned": (["2 non-monotonic-writes"], "c b a"),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_batches_begin_with_the_first_message(name):
    """Where batches are not atomic their first messages may be there alone."""
    found, answer = PARTS[name]
    made = history(*BATCHES[:2], f"9 read -> {answer} 90-91")
    assert looked_at(made, atomic=False) == found


def test_every_batch_that_is_turned_is_named():
    """However many writers an answer has, the messages of each are held against their order."""
    lines = [f"{at} append a{at} b{at} 0-10" for at in range(100)]
    answer = " ".join([*(f"b{at}" for at in range(100)), *(f"a{at}" for at in range(100))])
    found = looked_at(history(*lines, f"999 final read -> {answer} 90-91"))
    assert found.count(f"100 {Anomaly.WRITE_ORDER}") == 100


TEXTS = {
    "without a text": (["2 phantom"], "?", ()),
    "without a text, beside ours": (
        ["2 changed-content", "2 phantom"],
        "? ? ?",
        ("#100 the quikc",),
    ),
    "one of two is ours": (["2 changed-content", "2 phantom"], "? ?", ("hello", "#100 the quikc")),
    "two are ours": (["2 changed-content"], "? ?", ("#100 the quikc", "#100 the quick")),
    "a number of nobody": (["2 phantom"], "?", ("#770000 of nobody",)),
    "a read's number": (["2 phantom"], "?", ("#200 of a read",)),
    "more than a number": (["2 phantom"], "?", ("#10000000000000000 too large",)),
    "sixty characters": (["2 phantom"], "?", ("x" * 60,)),
    "more of them": (["2 phantom"], "?", ("x" * 61,)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_were_sent_by_nobody_are_told(name):
    """A text with the token of a message that was sent has changed; of others some are shown."""
    found, answer, texts = TEXTS[name]
    lines = (ONE, "2 read_last 1 -> a 20-30", f"9 final read -> {answer} 90-91", "1 append b 95-96")
    odd = ((1, "hello"), *((2, text) for text in texts))
    assert looked_at(named(*lines, odd=odd).history) == found


SAME, OTHER = "has the same messages in another order", "has messages in another order"
MORE = "has messages that the other one does not have, and misses some that it has"
MISSES = "misses messages in front of some that it has"
STRANGE_END = "ends with a message that the other one does not have"
TURNED = "has the messages before its last one in another order"
GAP = "ends with #600 but has not #500, which stands before it"
GAPS = "ends with #600 but has not #400 and #500, which stand before it"
DISAGREEMENTS = {
    "the same": ("read", "a b c d", None),
    "fewer": ("read", "a b", None),
    "what is strange does not count": ("read", "a z b ?", None),
    "as many, but for the strange": ("read", "a b c c d", None),
    "the first ones turned": ("read", "b a", SAME),
    "all turned": ("read", "b a c d", SAME),
    "others turned": ("read", "c b", OTHER),
    "without the first": ("read", "b c", MISSES),
    "with another instead": ("read", "b x", MORE),
    "as many, with another": ("read", "a b x d", MORE),
    "no newest ones": ("read_last 2", "", None),
    "the newest ones": ("read_last 2", "c d", None),
    "all as the newest ones": ("read_last 9", "a b c d", None),
    "the newest ones of before": ("read_last 2", "a b", None),
    "the newest ones, and what is strange": ("read_last 3", "b z c", None),
    "too few of them": ("read_last 3", "c d", "has 2 messages up to #600, and not 3"),
    "too many of them": ("read_last 1", "c d", "has 2 messages up to #600, and not 1"),
    "all of them, but the first": ("read_last 3", "b c d", None),
    "ending with another": ("read_last 2", "d x", STRANGE_END),
    "with a gap": ("read_last 2", "b d", GAP),
    "with two gaps": ("read_last 3", "x a d", GAPS),
    "the newest ones turned": ("read_last 3", "c b d", TURNED),
    "of another session and refused": ("read_last 4", "c t r d", None),
}


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_an_answer_is_held_against_the_order(name):
    """What was sent by nobody, or refused, is left out of both."""
    call, answer, words = DISAGREEMENTS[name]
    said = against(
        "8 append t 0-10 @t",
        "9 read -> t 20-30 @t",
        *(f"{at} append {one} 0-10" for at, one in enumerate("abcdx", 1)),
        "7 append r 0-10 refused",
        "9 final read -> a b c d 90-91",
        f"6 {call} -> {answer} 20-30",
    )
    assert said[-1] == words
