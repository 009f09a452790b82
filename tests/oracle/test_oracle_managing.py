"""What a session manager must remember: lives, and accesses on a clock that may step back."""

from dataclasses import replace

from sessionproof.oracle.managing import EXACT_US, Held, accessed, life_of

LIMIT = 1_000_000
HELD = Held("a", 0, 5, 5, LIMIT)


def test_a_session_lives_for_its_limit():
    """To a millisecond; in between it may be either."""
    end = 5 + LIMIT
    lives = [life_of(HELD, end + by, 0) for by in (-EXACT_US, -EXACT_US + 1, 0, EXACT_US)]
    assert lives == ["alive", "either", "either", "over"]


def test_a_step_makes_the_end_unsure():
    """By its length, and only afterwards."""
    end, step = 5 + LIMIT, 60_000
    assert life_of(HELD, end - EXACT_US, step) == "alive"
    assert life_of(HELD, end + step, step) == "either"
    assert life_of(HELD, end + step + EXACT_US, step) == "over"


def test_without_a_clock_sessions_live():
    """No time worth speaking of passes."""
    assert life_of(HELD, None, 0) == "alive"
    assert accessed(HELD, None) == HELD


def test_an_access_begins_a_life():
    """From now on."""
    assert accessed(HELD, 70) == replace(HELD, since_us=70, until_us=70)


def test_an_access_on_a_clock_that_stepped_back_may_count_or_not():
    """Either access may be the last one."""
    back = accessed(replace(HELD, since_us=100, until_us=100), 40)
    assert (back.since_us, back.until_us) == (40, 100)
    assert life_of(back, 40 + LIMIT + EXACT_US, 0) == "either"
