"""Operations of a history in words, as people read them in every sentence of a finding."""

import numpy as np
import pytest
from histories import history

from sessionproof.checks.table import table_of
from sessionproof.checks.wording import (
    amount,
    answered,
    apart,
    began_after,
    call,
    labels,
    sent,
    session_name,
)

LINES = (
    "1 append a b -> 7  0-10",
    "2 create           0-10 @t",
    "2 create c         20-30 @u",
    "1 replace d        20-30",
    "3 read -> d        40-50",
    "3 read_last 5 -> d 51-52",
    "3 pages 1 -> d     53-54",
    "3 count -> 1       55-56",
    "4 append e         60-70 refused",
    "4 clear            72-80",
    "4 delete           82-90",
    "4 read -> missing  95-96",
    "3 read ->          97-99",
    "4 append           100-101",
    "4 replace          102-103",
)


@pytest.fixture(scope="module")
def table():
    """The operations of the lines, in their order."""
    made = table_of(history(*LINES))
    assert list(made.at) == list(range(len(LINES)))
    return made


def test_each_call_has_its_noun(table):
    """With what it sent, by its label; with the number that was asked for."""
    assert [call(table, row) for row in range(len(LINES))] == [
        "append of #100 and #101", "creation", "creation with #300", "replacement by #400",
        "read", "read_last(5)", "reading of the last page", "count", "append of #900",
        "clearing", "deletion", "read", "read", "append of nothing", "replacement by nothing",
    ]  # fmt: skip
    assert [sent(table, row) for row in (0, 5)] == [(0x100, 0x101), ()]


def test_answers_are_told_in_short(table):
    """A session that is unknown is not one without messages, and a count is none of these."""
    told = {row: answered(table, row) for row in (4, 7, 11, 12)}
    assert told == {
        4: "1 message", 7: "a count of 1", 11: "that there is no such session", 12: "0 messages",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "earlier", "sentence"),
    [
        (4, 0, "client 3's read began 30 µs after client 1's append of #100 and #101 had been "
               "acknowledged"),
        (3, 0, "client 1's replacement by #400 began 10 µs after its own append of #100 and #101 "
               "had been acknowledged"),
        (12, 10, "client 3's read began 7 µs after client 4's deletion had been acknowledged"),
        (12, 7, "client 3's read began 41 µs after its own count had been answered"),
        (9, 8, "client 4's clearing began 2 µs after its own append of #900 had been refused"),
    ],
)  # fmt: skip
def test_what_began_later_is_told_with_the_end_of_what_was_earlier(table, row, earlier, sentence):
    """What was written is acknowledged or refused, what was asked is answered."""
    assert began_after(table, row, earlier) == sentence


def test_few_messages_are_all_named_and_many_by_their_ends():
    """None, one, two, three."""
    ids = np.array([0xA00, 0xA01, 0xA02], np.uint64)
    assert [labels(ids[:count]) for count in range(4)] == [
        "no message", "#a00", "#a00 and #a01", "#a00…#a02 (3 messages)",
    ]  # fmt: skip


def test_times_and_amounts_have_their_unit():
    """From nanoseconds to seconds; one thing is not called by its plural."""
    spans = (
        999, 1_000, 999_999, 1_000_000, 2_550_001, 999_900_000, 1_000_000_000, 1_550_000_001,
    )  # fmt: skip
    assert [apart(7, 7 + span) for span in spans] == [
        "less than 1 µs", "1 µs", "999 µs", "1.0 ms", "2.6 ms", "999.9 ms", "1.0 s", "1.6 s",
    ]  # fmt: skip
    assert [amount(number, "session") for number in (0, 1, 2)] == [
        "0 sessions", "1 session", "2 sessions",
    ]  # fmt: skip


def test_a_session_without_a_name_is_told_by_its_number(table):
    """A history may have no names."""
    assert [session_name(table, number) for number in (0, 1, 3)] == ["'s'", "'t'", "number 3"]
