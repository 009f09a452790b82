"""What a night does next: the corpus first, then areas by their shares, never past the budget."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))
from nightly_samples import STORE, left, night, ran, replay, seen

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.engine.areas import AREAS, OTHERS, REPLAYS, area_of, rows_of
from sessionproof.engine.nightly import SLICES_MOST, estimated_s, next_slice, taken
from sessionproof.report.nightly.corpus import Corpus
from sessionproof.report.nightly.night import REPLAY, SPEED, Ran, Slice

NEW = night(ended=False)


def done(one: Slice, seconds: float = 40.0, **changes) -> Ran:
    """The slice, of which all held."""
    usual = {"at": "now", "state": "judged", "exit_code": 0, "held": one.rows}
    return Ran(asked=one, seconds=seconds, **{**usual, **changes})


def spend(corpus=Corpus(), start=NEW, known=None, outcome=done):  # noqa: B008 - it is frozen
    """A whole night with slices that come to what ``outcome`` says."""
    current = start
    while True:
        left_s = current.budget_s - current.spent_s
        one = next_slice(current, corpus, known or {}, left_s=left_s)
        if one is None:
            return current
        current = replace(current, ran=(*current.ran, outcome(one)))


def parts(one, store=STORE):
    """Seconds by part."""
    found = Counter()
    for each in one.of(store):
        found[each.asked.part] += each.seconds
    return found


def test_every_guarantee_is_in_one_area():
    """None is forgotten at night, a new one neither."""
    every = [name for area in AREAS for name in rows_of(area, tuple(GUARANTEES))]
    assert sorted(every) == sorted(GUARANTEES)
    assert sum(area.share for area in AREAS) == pytest.approx(1)
    assert area_of("NEWGROUP-01") == OTHERS
    assert (area_of("CONC-14"), area_of("CONC-15")) == ("schedules", "concurrency")


def test_every_name_of_an_area_is_one_of_the_registry():
    """A group or an id that was renamed is not left in the list."""
    known = {*GUARANTEES, *(row.group for row in GUARANTEES.values())}
    assert {name for area in AREAS for name in area.rows} <= known


def test_the_time_is_spread_by_the_shares():
    """A long night gives each area its part, with a fresh seed in each slice."""
    one = spend(start=replace(NEW, budget_s=36_000.0), outcome=lambda each: done(each, 150.0))
    found = parts(one)
    whole = sum(found.values())
    assert whole > 35_000
    for area in AREAS:
        if not area.once:
            assert found[area.name] / whole == pytest.approx(area.share, abs=0.02), area.name
    assert sum(each.asked.part == SPEED for each in one.ran) == 1
    seeds = [each.asked.seed for each in one.ran]
    assert len(set(seeds)) == len(seeds)


def test_each_area_comes_once_before_any_comes_twice():
    """A short night has seen a little of everything."""
    one = spend()
    first = [each.asked.part for each in one.ran[: len(AREAS)]]
    assert sorted(first) == sorted(area.name for area in AREAS)


def test_short_nights_come_to_every_area_in_turn():
    """None is always the one for which no time is left."""
    firsts = Counter(
        next_slice(replace(NEW, seed=seed), Corpus(), {}, left_s=600.0).part for seed in range(200)
    )
    assert set(firsts) == {area.name for area in AREAS}
    assert min(firsts.values()) > 8


def test_nothing_is_begun_that_cannot_end_in_time():
    """Whatever slices take, the budget holds, once it is known how long they take."""
    known = {(STORE, area.name, "gate"): 300.0 for area in AREAS}
    one = spend(known=known, outcome=lambda each: done(each, 300.0))
    assert one.spent_s <= one.budget_s
    assert one.budget_s - one.spent_s < 1.2 * 300
    assert next_slice(NEW, Corpus(), known, left_s=300.0) is None


def test_a_slice_is_judged_by_what_it_took():
    """As long as the longest of its kind, with some room; those cut short say nothing."""
    asked = Slice(store=STORE, part="crash", profile="gate", seed=1, rows=("DUR-01",))
    cut = replace(done(asked, 900.0), state="cut short")
    times = taken([night(done(asked, 50.0), done(asked, 30.0), cut)])
    assert times == {(STORE, "crash", "gate"): 50.0}
    assert estimated_s(asked, times) == 60.0
    assert 10 < estimated_s(asked, {}) < 60
    more = replace(asked, rows=("DUR-01", "DUR-02"))
    assert estimated_s(more, {}) > estimated_s(asked, {})


def test_a_slow_area_has_slow_replays():
    """What it took tells what one of its seeds will take; within bounds."""
    one = Slice(store=STORE, part=REPLAY, profile="gate", seed=1, rows=("DUR-01",))
    usual = estimated_s(one, {})
    assert estimated_s(one, {(STORE, "crash", "gate"): 1.0}) == usual
    assert estimated_s(one, {("other", "crash", "gate"): 900.0}) == usual
    assert estimated_s(one, {(STORE, "concurrency", "gate"): 900.0}) == usual
    assert usual < estimated_s(one, {(STORE, "crash", "gate"): 200.0}) < 5 * usual
    assert estimated_s(one, {(STORE, "crash", "gate"): 9e9}) == 5 * usual


def test_what_an_area_cannot_spend_goes_to_the_others():
    """A store without timeouts is judged the longer for races."""

    def outcome(one):
        return done(one, 8.0, held=()) if one.part == "timeouts" else done(one)

    one = spend(outcome=outcome)
    assert sum(each.asked.part == "timeouts" for each in one.ran) == 1
    assert one.spent_s > one.budget_s - 100


def test_an_area_whose_runs_die_is_left():
    """Two are enough; the store is still judged elsewhere."""

    def outcome(one):
        dead = one.part == "crash"
        return done(one, held=(), state="died", problem="it died") if dead else done(one)

    found = Counter(each.asked.part for each in spend(outcome=outcome).ran)
    assert found["crash"] == 2
    assert found["concurrency"] > 2


def test_a_store_that_does_not_open_is_asked_once():
    """The others have the whole night."""

    def outcome(one):
        shut = one.store == "gone"
        return done(one, 1.0, held=(), state="not opened", exit_code=2) if shut else done(one)

    one = spend(start=replace(NEW, stores=("gone", STORE)), outcome=outcome)
    assert len(one.of("gone")) == 1
    assert sum(parts(one).values()) > one.budget_s - 150


def test_several_stores_have_the_same_time():
    """None waits for another."""
    one = spend(start=replace(NEW, stores=("a", "b"), budget_s=8_000.0))
    of_a, of_b = (sum(parts(one, store).values()) for store in ("a", "b"))
    assert of_a == pytest.approx(of_b, rel=0.1)


def test_the_corpus_comes_first():
    """Seeds that broke something are tried before anything new, those of one slice together."""
    corpus = left(night(ran(broken="CONC-01 CONC-02", seed=5), ran(broken="DUR-01", seed=6)))
    first = next_slice(NEW, corpus, {}, left_s=3600.0)
    assert first == Slice(
        store=STORE, part=REPLAY, profile="gate", seed=5, rows=("CONC-01", "CONC-02")
    )
    broken = replay(broken="CONC-01 CONC-02", seed=5)
    second = next_slice(replace(NEW, ran=(broken,)), corpus, {}, left_s=3600.0)
    assert (second.part, second.seed, second.rows) == (REPLAY, 6, ("DUR-01",))


def test_open_seeds_come_before_mended_ones():
    """What may still be broken is more urgent."""
    corpus = left(night(ran(broken="CONC-01", seed=5)))
    mended = replace(corpus.entries[0], calm=1, seed=4)
    both = replace(corpus, entries=(mended, *corpus.entries))
    assert next_slice(NEW, both, {}, left_s=3600.0).seed == 5


def test_replays_have_a_part_of_the_night():
    """A store with many breaks is still looked at with fresh seeds."""
    rows = tuple(seen(name) for name in GUARANTEES if name.startswith(("CONC", "SEQ", "CORE")))
    corpus = left(night(*(ran(rows=rows, seed=seed) for seed in range(3))))

    def outcome(one):
        return done(one, 30.0)

    one = spend(corpus, start=replace(NEW, budget_s=2_000.0), outcome=outcome)
    found = parts(one)
    assert 0 < found[REPLAY] <= REPLAYS * 2_000 + 30
    assert sum(found.values()) > 1_800


def test_a_new_break_is_tried_again_before_the_night_goes_on():
    """Its rate is known the sooner."""
    found = ran(broken="CONC-01", seed=8)
    one = next_slice(replace(NEW, ran=(found,)), Corpus(), {}, left_s=3600.0)
    assert (one.part, one.seed, one.rows) == (REPLAY, 8, ("CONC-01",))


def test_the_same_night_asks_the_same():
    """A night that goes on after an interruption is the night that it would have been."""
    whole = spend()
    for number in range(len(whole.ran)):
        begun = replace(whole, ran=whole.ran[:number])
        left_s = begun.budget_s - begun.spent_s
        assert next_slice(begun, Corpus(), {}, left_s=left_s) == whole.ran[number].asked


def test_a_night_ends():
    """Also where slices take no time, and where some could not be told."""
    asked = Slice(store=STORE, part="crash", profile="gate", seed=1, rows=("DUR-01",))
    every = (done(asked, 0.0),) * SLICES_MOST
    assert next_slice(replace(NEW, ran=every[1:]), Corpus(), {}, left_s=3600.0) is not None
    assert next_slice(replace(NEW, ran=every), Corpus(), {}, left_s=3600.0) is None
