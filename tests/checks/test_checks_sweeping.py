"""What sweeps may tell beside the use of sessions, and searches beside those who write."""

import math

import pytest

from sessionproof.checks.found_beside import Life, Looked, Span, is_gone, is_owed, wrong_with
from sessionproof.checks.sweeping import Told, Used, ended_in_use, never_told, told_again


def sweep(began, ended, *expired, warned=()):
    """A sweep that told this."""
    return Told(warned, expired, began, ended)


@pytest.mark.parametrize(
    ("use", "swept", "limit_ns", "wrong"),
    [
        (Used("s", 10, 20), sweep(30, 40, "s"), math.inf, True),
        (Used("s", 10, 35), sweep(30, 40, "s"), math.inf, True),
        (Used("s", 10, 20), sweep(30, 40, "other"), math.inf, False),
        (Used("s", 40, 50), sweep(30, 40, "s"), math.inf, False),
        (Used("s", 50, 60), sweep(30, 40, "s"), math.inf, False),
        (Used("s", 10, 20), sweep(30, 40, "s"), 30, False),
        (Used("s", 10, 20), sweep(30, 40, "s"), 31, True),
    ],
)
def test_a_session_in_use_is_not_ended(use, swept, limit_ns, wrong):
    """A use and a sweep contradict each other while the limit cannot have run out between them."""
    found = ended_in_use([use], [swept], limit_ns=limit_ns)
    assert found == ((use, swept) if wrong else None)


def test_what_is_told_more_than_once_is_named():
    """Warnings and expiries are counted apart, over all sweeps."""
    told = [sweep(0, 1, "a", "b", warned=("c",)), sweep(0, 1, "b", warned=("a", "c"))]
    assert told_again(told) == {"b": (0, 2), "c": (2, 0)}
    assert told_again([sweep(0, 1, "a", warned=("a",))]) == {}


def test_what_nobody_was_told_of_is_named():
    """A warning tells of no expiry."""
    assert never_told([sweep(0, 1, "a", warned=("b",))], ["a", "b"]) == ["b"]


LIFE = Life("w", 0, Span(10, 20), Span(50, 60))


@pytest.mark.parametrize(
    ("looked", "life", "owed", "gone"),
    [
        (Span(20, 50), LIFE, True, False),
        (Span(19, 30), LIFE, False, False),
        (Span(20, 51), LIFE, False, False),
        (Span(60, 70), LIFE, False, True),
        (Span(59, 70), LIFE, False, False),
        (Span(20, 30), Life("w", 0, Span(10, 20, done=False)), False, False),
        (Span(60, 70), Life("w", 0, Span(10, 20), Span(50, 60, done=False)), False, False),
        (Span(99, 100), Life("w", 0, Span(10, 20)), True, False),
    ],
)
def test_real_time_says_what_must_be_found(looked, life, owed, gone):
    """Only what ended before a search began is owed to it, and only what nobody is deleting."""
    search = Looked("w", 1, looked, hits=0)
    assert (is_owed(search, life), is_gone(search, life)) == (owed, gone)


@pytest.mark.parametrize(
    ("hits", "strange", "during", "client", "own", "wrong"),
    [
        (1, 0, Span(20, 30), 1, False, ""),
        (0, 0, Span(20, 30), 1, False, "nothing is found"),
        (0, 0, Span(20, 30), 1, True, ""),
        (0, 0, Span(20, 30), 0, True, "nothing is found"),
        (2, 0, Span(20, 30), 1, True, "2 times"),
        (1, 1, Span(20, 30), 1, True, "1 hits are not"),
        (1, 0, Span(60, 70), 1, False, "its deletion"),
        (0, 0, Span(60, 70), 1, False, ""),
    ],
)
def test_a_search_is_judged(hits, strange, during, client, own, wrong):
    """Missing, doubled, strange and deleted messages are each told in words."""
    said = wrong_with(Looked("w", client, during, hits, strange), LIFE, own=own)
    assert wrong in said
    assert bool(wrong) == bool(said)
