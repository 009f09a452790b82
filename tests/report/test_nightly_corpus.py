"""The corpus keeps the seeds that are worth another look, and lets go of the others."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from nightly_samples import STORE, left, night, ran, replay, seen, speed

from sessionproof.report.nightly.corpus import (
    CALM_MOST,
    CONFIRMING,
    LEAST,
    MOST,
    OPEN_MOST,
    Corpus,
    Kept,
    after,
    owed,
)


def the(corpus):
    """The only entry."""
    (one,) = corpus.entries
    return one


def calm(day, row="CONC-01", number=1):
    """A night in which the seed was replayed so often, and held each time."""
    return night(*[replay(held=row)] * number, day=day)


def test_a_break_is_kept_with_its_seed():
    """What broke is tried again the next night, with the seed that broke it."""
    one = the(left(night(ran(broken="CONC-01", held="CONC-02", seed=42))))
    assert (one.store, one.row, one.profile, one.seed) == (STORE, "CONC-01", "gate", 42)
    assert (one.tried, one.shown, one.since, one.is_open) == (1, 1, "2026-01-05T031700Z", True)
    assert one.repeat.endswith("--only CONC-01")


def test_what_decides_nothing_is_not_kept():
    """A known break, one of what is not claimed, and a benchmark leave no seed."""
    known = seen("CORE-06", known="issue 12")
    free = seen("SEQ-03", gated=False)
    assert not left(night(ran(rows=(known, free)), speed(3))).entries


def test_a_guarantee_keeps_few_seeds():
    """However often it breaks, the first seeds are enough."""
    many = left(night(*(ran(broken="CONC-01", seed=number) for number in range(10))))
    assert [one.seed for one in many.entries] == list(range(OPEN_MOST))
    more = after(many, night(ran(broken="CONC-01", seed=99), day=6))
    assert [one.seed for one in more.entries] == list(range(OPEN_MOST))


def test_a_seed_that_breaks_takes_the_place_of_one_that_does_not():
    """What is broken with another seed stays known as broken."""
    old = left(night(*(ran(broken="CONC-01", seed=number) for number in range(OPEN_MOST))))
    held = [replay(held="CONC-01", seed=number) for number in range(OPEN_MOST)] * MOST
    corpus = after(old, night(*held, ran(broken="CONC-01", seed=99), day=6))
    assert [one.seed for one in corpus.entries if one.is_open] == [99]
    assert len(corpus.entries) == OPEN_MOST + 1


def test_a_seed_that_still_breaks_counts_on():
    """Its rate is that of all nights since it came."""
    corpus = left(
        night(ran(broken="CONC-01"), replay(held="CONC-01"), replay(broken="CONC-01")),
        night(replay(broken="CONC-01"), day=6),
    )
    one = the(corpus)
    assert (one.shown, one.tried, one.since) == (3, 4, "2026-01-05T031700Z")


def test_a_break_is_mended_when_enough_replays_held():
    """Once is not enough: a rare break would have stayed hidden."""
    corpus = left(night(ran(broken="CONC-01")))
    needed = the(corpus).needed
    assert the(after(corpus, calm(6, number=needed - 1))).is_open
    mended = the(after(corpus, calm(6, number=needed)))
    assert (mended.is_open, mended.calm) == (False, 1)


def test_the_rarer_the_break_the_more_replays():
    """So that one that is still there shows itself in nineteen nights of twenty."""
    one = the(left(night(ran(broken="CONC-01"))))
    assert [replace(one, shown=1, tried=tried).needed for tried in (1, 3, 9, 50)] == [5, 11, 20, 20]
    assert replace(one, shown=9, tried=9).needed == LEAST
    assert replace(one, shown=0, tried=9).needed == MOST


@given(shown=st.integers(0, 1_000), more=st.integers(0, 1_000))
def test_a_rate_always_has_a_number_of_replays(shown, more):
    """Whatever was seen, the number is within its bounds and is enough."""
    kept = Kept(store="s", row="CONC-01", profile="gate", seed=1, kind="broken", since="n",
                tried=shown + more, shown=shown)  # fmt: skip
    assert LEAST <= kept.needed <= MOST
    rate = shown / (shown + more + 1)
    assert kept.needed == MOST or (1 - rate) ** kept.needed <= 0.05


def test_a_mended_seed_is_watched_for_two_weeks():
    """Then it goes, as it finds nothing that a fresh seed does not."""
    corpus = left(night(ran(broken="CONC-01")), calm(6, number=MOST))
    for day in range(7, 6 + CALM_MOST):
        corpus = after(corpus, calm(day))
        assert the(corpus).calm == day - 5
    assert not after(corpus, calm(30)).entries


def test_what_comes_back_counts_from_then_on():
    """A break that was mended and is there again is open, with a rate of its own."""
    corpus = left(
        night(ran(broken="CONC-01")),
        calm(6, number=MOST),
        night(replay(broken="CONC-01"), day=7),
    )
    one = the(corpus)
    assert (one.is_open, one.shown, one.tried) == (True, 1, 1)
    assert one.since.startswith("2026-01-07")


def test_a_seed_that_cannot_break_any_more_goes():
    """What is not claimed any more, or is in the baseline now, is not tried again."""
    corpus = left(night(ran(broken="CONC-01")))
    gone = night(replay(asked=("CONC-01",)), day=6)
    known = night(replay(rows=(seen("CONC-01", known="issue 12"),)), day=6)
    assert not after(corpus, gone).entries
    assert not after(corpus, known).entries


def test_a_replay_that_told_nothing_changes_nothing():
    """A run that died, was cut short or could not tell is no proof of anything."""
    corpus = left(night(ran(broken="CONC-01")))
    for one in (
        replay(asked=("CONC-01",), state="died"),
        replay(asked=("CONC-01",), state="cut short"),
        replay(unsure="CONC-01"),
    ):
        assert after(corpus, night(one, day=6)).entries == corpus.entries


def test_a_seed_of_which_could_not_be_told_is_kept_where_others_could():
    """It came near; what can be told with no seed is not the seed's doing."""
    strange = night(ran(unsure="DUR-01 DUR-02", seed=8), ran(held="DUR-01", seed=9))
    one = the(left(strange))
    assert (one.row, one.seed, one.kind) == ("DUR-01", 8, "unsure")
    assert not left(strange, night(replay(unsure="DUR-01", seed=8), day=6)).entries
    held = [night(replay(held="DUR-01", seed=8), day=day) for day in range(6, 10)]
    assert len(left(strange, *held[:3]).entries) == 1
    assert not left(strange, *held).entries


def test_a_seed_that_came_near_and_breaks_is_a_break():
    """The suspicion was right."""
    strange = night(ran(unsure="DUR-01", seed=8), ran(held="DUR-01", seed=9))
    one = the(left(strange, night(replay(broken="DUR-01", seed=8), day=6)))
    assert (one.kind, one.shown, one.tried) == ("broken", 1, 1)


def owes(corpus, *every, **changes):
    """What is owed after these slices: row, seed, done, more."""
    found = owed(corpus, night(*every, day=6, ended=False, **changes))
    return [(one.kept.row, one.kept.seed, one.done, one.more) for one in found]


def test_each_seed_is_owed_a_replay():
    """Open ones until they broke again or held often enough, mended ones once."""
    corpus = left(night(ran(broken="CONC-01")))
    needed = the(corpus).needed
    assert owes(corpus) == [("CONC-01", 7, 0, needed)]
    assert owes(corpus, replay(broken="CONC-01")) == []
    assert owes(corpus, replay(held="CONC-01")) == [("CONC-01", 7, 1, needed - 1)]
    assert owes(corpus, *[replay(held="CONC-01")] * needed) == []
    mended = after(corpus, calm(6, number=needed))
    assert owes(mended) == [("CONC-01", 7, 0, 1)]
    assert owes(mended, replay(held="CONC-01")) == []


def test_replays_that_tell_nothing_come_to_an_end():
    """A store that cannot be judged does not take the night."""
    corpus = left(night(ran(broken="CONC-01")))
    needed = the(corpus).needed
    blind = [replay(asked=("CONC-01",), state="died")] * (needed + 2)
    assert owes(corpus, *blind[:-1])
    assert owes(corpus, *blind) == []


def test_a_new_break_is_looked_for_again_at_once():
    """So that its first night says how often it comes; known ones need no more seeds."""
    found = ran(broken="CONC-01", seed=8)
    assert owes(Corpus(), found) == [("CONC-01", 8, 0, CONFIRMING)]
    assert owes(Corpus(), found, ran(broken="CONC-01", seed=9)) == [("CONC-01", 8, 0, CONFIRMING)]
    assert owes(Corpus(), found, *[replay(held="CONC-01", seed=8)] * CONFIRMING) == []
    known = left(night(ran(broken="CONC-01")))
    assert owes(known, replay(broken="CONC-01"), found) == []


def test_only_what_the_night_is_about_is_owed():
    """A night of another store, or of other guarantees, leaves the seed for later."""
    corpus = left(night(ran(broken="CONC-01")))
    assert owes(corpus, stores=("other",)) == []
    assert owes(corpus, rows=("CORE-01",)) == []


def test_a_seed_keeps_its_words():
    """What a slice said and how to look again are kept as it said them."""
    one = the(left(night(ran(rows=(seen("CONC-01", said="two", repeat="again"),)))))
    assert (one.said, one.repeat) == ("two", "again")
