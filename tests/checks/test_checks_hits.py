"""What is said of hits, for each way in which they can be wrong."""

from __future__ import annotations

import pytest

from sessionproof.checks.hits import misfound, unstored
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.searching import Hit


def said(*texts: str | None) -> tuple[Message, ...]:
    return tuple(Message("user", text) for text in texts)


STORED = {"a": said("red one", "red two", "blue"), "b": said("red one", None)}


def hits(*pairs: tuple[str, str]) -> list[Hit]:
    return [Hit(session, Message("user", text)) for session, text in pairs]


ALL_RED = [("a", "red one"), ("b", "red one"), ("a", "red two")]

WRONG = {
    "one is missing": (ALL_RED[:2], Anomaly.LOST_MESSAGE, "not found in session 'a': 'red two'"),
    "one twice": ([*ALL_RED, ALL_RED[0]], Anomaly.DUPLICATE, "more than once in session 'a'"),
    "one too many": ([*ALL_RED, ("a", "blue")], Anomaly.WRONG_ANSWER, "'blue'"),
    "another session": ([*ALL_RED, ("b", "red two")], Anomaly.LEAK, "in session 'b': 'red two'"),
    "not stored": ([*ALL_RED, ("a", "red old")], Anomaly.RESURRECTION, "'red old'"),
    "changed": ([*ALL_RED[:2], ("a", "<b>red</b> two")], Anomaly.RESURRECTION, "<b>"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str):
    """The anomaly, and the message with its session."""
    pairs, anomaly, seen = WRONG[name]
    wrong = misfound(hits(*pairs), STORED, lambda text: "red" in text)
    assert wrong is not None
    assert wrong.anomaly is anomaly
    assert seen in wrong.seen


@pytest.mark.parametrize("pairs", [ALL_RED, ALL_RED[::-1]])
def test_what_is_right_is_spared(pairs: list[tuple[str, str]]):
    """All that have the word, in any order; also none where none has it."""
    assert misfound(hits(*pairs), STORED, lambda text: "red" in text) is None
    assert misfound([], STORED, lambda text: "green" in text) is None


def test_equal_texts_are_messages_of_their_own():
    """Two messages of one text are two hits, and a third one is too many."""
    stored = {"a": said("red", "red")}
    twice = hits(("a", "red"), ("a", "red"))
    assert misfound(twice, stored, lambda text: True) is None
    assert misfound(twice[:1], stored, lambda text: True).anomaly is Anomaly.LOST_MESSAGE
    assert unstored(twice * 2, stored).anomaly is Anomaly.DUPLICATE


def test_a_message_without_a_text_has_an_empty_one():
    """A store may answer either."""
    assert unstored(hits(("b", "")), STORED) is None
    assert unstored([Hit("b", Message("user", None))], {"b": said("")}) is None


def test_some_of_the_hits_are_no_fault_where_none_is_owed():
    """``unstored`` looks at what is there alone."""
    assert unstored(hits(("a", "blue")), STORED) is None
    assert unstored([], STORED) is None
