"""Many messages compared: what is the same at once, and how a difference is told."""

from dataclasses import replace

import pytest

from sessionproof.checks.long import difference, first_wrong
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message

KEEPS = frozenset({"role", "content", "tokens", "id", "created_at_us"})
MESSAGES = [Message("user", f"message #{number}", tokens=number) for number in range(50)]


class Text(str):
    """Equal to everything."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        raise AssertionError("the store's own code was run")


def test_the_same_messages_are_the_same():
    """Fields that the store fills in, and those that it does not keep, are left alone."""
    filled = [replace(one, id="x", created_at_us=7, name="odd") for one in MESSAGES]
    assert first_wrong(MESSAGES, filled, KEEPS) is None
    assert first_wrong(MESSAGES, tuple(filled), KEEPS) is None
    assert first_wrong([], [], KEEPS) is None
    assert difference(MESSAGES, filled, KEEPS) is None
    for keeps in ({"content"}, {"id"}):  # one field, and none but what the store may fill in
        assert first_wrong(MESSAGES[:1], filled[:1], keeps) is None


@pytest.mark.parametrize(
    ("seen", "place"),
    [
        (MESSAGES[:20], 20),
        ([*MESSAGES, MESSAGES[0]], 50),
        ([*MESSAGES[:7], *MESSAGES[8:]], 7),
        ([*MESSAGES[:9], replace(MESSAGES[9], tokens=9.0), *MESSAGES[10:]], 9),
        ([*MESSAGES[:1], replace(MESSAGES[1], tokens=True), *MESSAGES[2:]], 1),
        ([*MESSAGES[:3], None, *MESSAGES[4:]], 3),
        ([*MESSAGES[:3], replace(MESSAGES[3], content=Text("x")), *MESSAGES[4:]], 3),
        (iter(MESSAGES), 0),
        (None, 0),
    ],
)
def test_the_first_wrong_message_is_found(seen, place):
    """Missing, too many, changed, of another type; and no code of the store's is run."""
    assert first_wrong(MESSAGES, seen, KEEPS) == place


def test_a_field_that_the_client_set_is_compared():
    """An id and a time that were given must come back."""
    timed = [replace(one, created_at_us=number) for number, one in enumerate(MESSAGES)]
    assert first_wrong(timed, MESSAGES, KEEPS) == 0
    assert first_wrong(MESSAGES, timed[1:], {"content"}) == 0
    assert first_wrong(timed, timed, KEEPS) is None


def test_a_difference_names_the_place_and_its_neighbours():
    """A person sees where it begins, among thousands of messages."""
    found = difference(MESSAGES, [*MESSAGES[:30], *MESSAGES[31:]], KEEPS)
    assert found.anomaly == Anomaly.LOST_MESSAGE
    assert "50 messages" in found.expected
    assert "31: Message('user', 'message #30', tokens=30)" in found.expected
    assert "31: Message('user', 'message #31', tokens=31)" in found.seen
    assert "message #28" not in found.seen


@pytest.mark.parametrize("place", [0, 1, 49])
def test_one_change_is_told_wherever_it_is(place):
    """At either end there is one neighbour; the change alone is told as well."""
    changed = replace(MESSAGES[place], tokens=999)
    found = difference(MESSAGES, [*MESSAGES[:place], changed, *MESSAGES[place + 1 :]], KEEPS)
    assert found.change == f"tokens: {place} became 999"
    for number, near in enumerate(range(50)):
        assert (f"'message #{near}'" in found.expected) == (abs(number - place) <= 1)
    assert "then nothing" not in found.seen


def test_an_end_that_comes_too_soon_is_said():
    """Nothing follows the last message that is there."""
    found = difference(MESSAGES, MESSAGES[:30], KEEPS)
    assert found.seen.endswith("then nothing")
    assert "30: Message('user', 'message #29'" in found.seen
