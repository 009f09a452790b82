"""What a night says: new, flaky, still broken, mended, not settled; and the code that follows."""

from __future__ import annotations

import pytest
from nightly_samples import left, night, ran, replay, seen, speed

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.corpus import CONFIRMING, MOST, Corpus
from sessionproof.report.nightly.standing import (
    Standing,
    exit_code,
    headline,
    missed,
    problems,
    told,
    tone,
)

BEFORE = left(night(ran(broken="CONC-01")))
NEEDED = BEFORE.entries[0].needed


def tonight(*every, **changes):
    """A night after that of ``BEFORE``."""
    return night(*every, day=6, **changes)


def the(corpus, one):
    """The only thing that is told: where it stands, and how often it was seen."""
    (found,) = told(corpus, one)
    return found.standing, found.how


@pytest.mark.parametrize(
    ("held", "broken", "how"),
    [
        (0, 0, "seen once"),
        (0, CONFIRMING, "4 of 4 runs with its seed broke it"),
        (2, 1, "2 of 4 runs with its seed broke it"),
    ],
)
def test_what_was_not_known_as_broken_is_new(held, broken, how):
    """With its rate, where it was tried again."""
    replays = [replay(held="CONC-01")] * held + [replay(broken="CONC-01")] * broken
    one = tonight(ran(broken="CONC-01", held="CONC-02"), *replays)
    assert the(Corpus(), one) == (Standing.NEW, how)
    assert exit_code(Corpus(), one) == 1


def test_what_breaks_each_time_is_still_broken():
    """One replay is enough to say so."""
    one = tonight(replay(broken="CONC-01"))
    assert the(BEFORE, one) == (
        Standing.STILL,
        "2 of 2 runs with its seed broke it, since 2026-01-05",
    )
    assert exit_code(BEFORE, one) == 1


def test_what_breaks_sometimes_is_flaky():
    """With how often."""
    one = tonight(replay(held="CONC-01"), replay(broken="CONC-01"))
    assert the(BEFORE, one) == (
        Standing.FLAKY,
        "2 of 3 runs with its seed broke it, since 2026-01-05",
    )
    assert exit_code(BEFORE, one) == 1


def test_what_never_breaks_again_is_mended():
    """So many replays held that it would have shown itself."""
    one = tonight(*[replay(held="CONC-01")] * NEEDED, ran(held="CONC-01", seed=9))
    standing, how = the(BEFORE, one)
    assert standing is Standing.MENDED
    assert how == f"0 of {NEEDED} replays broke it; seen once before"
    assert exit_code(BEFORE, one) == 0


def test_a_fresh_seed_that_breaks_it_outweighs_replays_that_held():
    """What breaks with another seed is not mended."""
    one = tonight(*[replay(held="CONC-01")] * NEEDED, ran(broken="CONC-01", seed=9))
    assert the(BEFORE, one)[0] is Standing.FLAKY
    assert exit_code(BEFORE, one) == 1


def test_too_few_replays_settle_nothing():
    """A budget that was over first does not mend a break."""
    one = tonight(replay(held="CONC-01"), ran(held="CONC-01", seed=9))
    standing, how = the(BEFORE, one)
    assert standing is Standing.OPEN
    assert how == f"it held in 1 of the {NEEDED} replays that would tell"
    assert exit_code(BEFORE, one) == 4
    assert the(BEFORE, tonight(ran(held="CONC-02")))[0] is Standing.OPEN


def test_what_comes_back_is_new():
    """A break that was mended is told like one that was never seen."""
    mended = left(night(ran(broken="CONC-01")), night(*[replay(held="CONC-01")] * MOST, day=6))
    standing, how = the(mended, night(replay(broken="CONC-01"), day=7))
    assert standing is Standing.NEW
    assert how == "seen once, came back after it was mended"


def test_a_break_of_the_baseline_is_known():
    """It is shown, and fails nothing."""
    one = tonight(ran(rows=(seen("CORE-06", known="issue 12"),), held="CORE-01"))
    assert the(Corpus(), one)[0] is Standing.KNOWN
    assert exit_code(Corpus(), one) == 0
    assert told(BEFORE, tonight(replay(rows=(seen("CONC-01", known="issue 12"),)))) == []


def test_what_no_seed_could_tell_could_not_be_told():
    """What one seed could tell is told, whatever another left open."""
    assert the(Corpus(), tonight(ran(unsure="DUR-01")))[0] is Standing.UNSURE
    assert exit_code(Corpus(), tonight(ran(unsure="DUR-01"))) == 4
    both = tonight(ran(unsure="DUR-01"), ran(held="DUR-01", seed=9))
    assert told(Corpus(), both) == []
    accepted = seen("DUR-01", Verdict.UNKNOWN, accepted=True)
    assert exit_code(Corpus(), tonight(ran(rows=(accepted,)))) == 0


def test_what_is_not_claimed_decides_nothing():
    """It was seen broken, and is not told."""
    one = tonight(ran(rows=(seen("SEQ-03", gated=False),), held="CORE-01"))
    assert told(Corpus(), one) == []
    assert exit_code(Corpus(), one) == 0


def test_new_breaks_are_told_first():
    """Then what is flaky, still broken, mended, open."""
    before = left(night(ran(broken="CONC-01 CONC-02 CONC-03 CONC-04")))
    held = [replay(held="CONC-03")] * NEEDED
    one = tonight(
        replay(broken="CONC-01"),
        replay(held="CONC-02"),
        replay(broken="CONC-02"),
        *held,
        ran(broken="SEQ-04", seed=9),
    )
    assert [(each.row, each.standing.value) for each in told(before, one)] == [
        ("SEQ-04", "new"),
        ("CONC-02", "flaky"),
        ("CONC-01", "still broken"),
        ("CONC-03", "mended"),
        ("CONC-04", "not settled"),
    ]
    assert headline(told(before, one), one) == (
        "1 new, 1 flaky, 1 still broken, 1 mended, 1 not settled; 0 guarantees hold."
    )


@pytest.mark.parametrize(
    ("every", "code"),
    [
        ((), 5),
        ((ran(held="CORE-01"),), 0),
        ((ran(held="CORE-01"), speed(3)), 3),
        ((ran(held="CORE-01"), speed(4)), 4),
        ((ran(broken="CORE-01"), speed(3)), 1),
        ((ran(held="CORE-01"), ran(state="died", problem="it died")), 4),
        ((ran(held="CORE-01", stale=("x lists CORE-06: strike it.",)),), 1),
        ((ran(broken="CORE-01"), ran(state="not opened", problem="no such store")), 2),
    ],
)
def test_the_code_is_that_of_a_run(every, code):
    """The first that applies, in the order of docs/gate.md."""
    assert exit_code(Corpus(), tonight(*every)) == code
    assert exit_code(Corpus(), tonight(*every), interrupted=True) == 130


def test_the_headline_says_that_nothing_is_new():
    """A reader sees at once whether there is something to do."""
    one = tonight(ran(held="CORE-01 CORE-02"), ran(held="CORE-01", seed=9))
    assert headline(told(Corpus(), one), one) == "Nothing new; 2 guarantees hold."
    assert headline([], tonight()) == "Nothing was examined."
    assert headline([], tonight(ran(held="CORE-01"), speed(3))) == (
        "Nothing new, slower than usual; 1 guarantee holds."
    )


def test_what_went_wrong_with_the_night_is_said_once():
    """However many slices of it say so."""
    dead = ran(state="died", problem="the run left no result: it said nothing")
    assert problems(tonight(dead, dead)) == [
        "shop.chat:Store: the run left no result: it said nothing"
    ]
    assert problems(tonight(ran(state="cut short", problem="its time was over"))) == []


def test_the_colour_is_that_of_the_worst():
    """Green is for a night of which all holds; an interrupted one with a break is red."""

    def colour(one, *, interrupted=False):
        code = exit_code(Corpus(), one, interrupted=interrupted)
        return tone(told(Corpus(), one), code)

    assert colour(tonight(ran(held="CORE-01"))) is Verdict.HOLDS
    assert colour(tonight(ran(held="CORE-01")), interrupted=True) is Verdict.UNKNOWN
    assert colour(tonight(ran(broken="CORE-01")), interrupted=True) is Verdict.BROKEN
    assert colour(tonight(ran(held="CORE-01"), speed(3))) is Verdict.BROKEN
    assert colour(tonight(ran(unsure="CORE-01"))) is Verdict.UNKNOWN
    known = seen("CORE-06", known="issue 12")
    assert colour(tonight(ran(rows=(known,), held="CORE-01"))) is Verdict.NOT_CLAIMED


def test_what_the_night_did_not_come_to_is_said():
    """Nobody takes it for holding."""
    one = tonight(ran(held="CORE-01"), rows=("CORE-01", "CORE-02", "DUR-01"))
    assert missed(one) == [
        "the night did not come to 2 of 3 guarantees of shop.chat:Store: "
        "it needs a larger budget, or another night"
    ]
    assert missed(tonight(ran(held="CORE-01"), rows=("CORE-01",))) == []
