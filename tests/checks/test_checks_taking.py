"""Messages that were taken back at once: what no order of the calls explains."""

import pytest

from sessionproof.checks.taking import Taken, wrong_with


def wrong(**given):
    """What is wrong where of three messages one was taken, unless said otherwise."""
    end = {"sent": "abc", "maybe": "", "given": ["c"], "unknown": 0, "there": "ab", **given}
    return wrong_with(Taken(**end))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"given": [], "there": "abc"},
        {"given": ["c", "b", "a"], "there": ""},
        {"maybe": "d", "there": "abd"},
        {"maybe": "d", "given": ["d", "c"]},
        {"unknown": 1, "there": "a"},
        {"unknown": 2, "there": ""},
    ],
)
def test_what_an_order_explains(given):
    """Each message is with one caller or in the session; of failed calls nobody knows."""
    assert wrong(**given) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"given": ["c", "c"]}, "'c' was given to 2 callers"),
        ({"given": ["d"], "there": "abc"}, "'d' was given to a caller, and was never sent"),
        ({"there": "abc"}, "'c' was given to a caller, and can still be read"),
        ({"there": "a"}, "1 message is gone, the first of them 'b'"),
        ({"unknown": 1, "there": ""}, "2 messages are gone, the first of them 'a', and at most 1"),
    ],
)
def test_what_no_order_explains(given, said):
    """A message with two callers, one that stays though it was taken, one that is nowhere."""
    assert said in wrong(**given)
