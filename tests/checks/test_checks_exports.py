"""Exports say of a history what we say of it, or less, and never anything harsher."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import drawn_transactions
import pytest
import second_method
from drawn_histories import SMALL, Drawn, Shape, drawn, history_of, shaken
from every_order import explained
from histories import history, named
from opinions import a_drawn
from other_judges import elle_explains, elle_transactions, porcupine_explains
from simulated_store import FAIL, FAULTS, OK, Act, Store

from sessionproof.history import elle, porcupine
from sessionproof.history.columns import F
from sessionproof.history.opinions import Export

SAMPLE, PART = 600, 150
_FAULTS = ("lost", "duplicate", "gap", "swap", "stale", "phantom", "leak", "aborted", "torn")


def text_of(export: Export) -> str:
    return "".join(export.text)


def grown(seed: int) -> Drawn:
    """The drawn history of a session that only grows, whose messages are all that is known."""
    random = Random(seed)
    store = Store(atomic=random.random() < 0.7)
    fault = random.choice(_FAULTS) if random.random() < 0.7 else ""
    # Batches in parts are many more orders for the method that tries them all.
    most = SMALL.most if store.atomic else 6
    shape = Shape(most=most, refused=0.2 if fault == "aborted" else SMALL.refused)
    one = drawn(random, store, shape=shape, fault=fault)
    return shaken(random, one) if not one.fault and random.random() < 0.6 else one


def as_elle_is_told(one: Drawn) -> Drawn:
    """The appends, and the reads whose whole answer is known; a missing session has no messages."""
    acts = []
    whole = [at for at in one.kept if one.acts[at].f in (F.READ, F.PAGES)]
    longest = max(((len(one.acts[at].answer), at) for at in whole), default=(0, 0))[1]
    order = one.acts[longest].answer or ()
    for at, act in enumerate(one.acts):
        whole = act.f in (F.READ, F.PAGES)
        short = act.f == F.READ_LAST and act.type == OK and len(act.answer or ()) < act.n
        answer = act.answer or ()
        known = act.type != OK or at in one.kept or answer == order[: len(answer)]
        if act.f == F.APPEND:
            acts.append(replace(act, missing=False))
        elif (whole and known) or short:
            acts.append(replace(act, f=F.READ, missing=False, answer=answer))
    return replace(one, acts=tuple(acts))


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_elle_is_told_what_happened(first):
    """What Elle is told is strictly serializable exactly if it is so by every order of the acts."""
    said = Counter()
    for seed in range(first, first + PART):
        one = grown(seed)
        text = text_of(elle.exported(history_of(one), atomic_batches=one.store.atomic))
        good, ours = elle_explains(text), second_method.explained(as_elle_is_told(one))
        apart = not one.store.atomic and any(len(act.ids) > 1 for act in one.acts)
        assert good == ours or (apart and good), f"seed {seed}\n{text}"
        said[good] += 1
    assert min(said[True], said[False]) > PART // 20


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_porcupine_is_told_what_happened(first):
    """It calls wrong only what is wrong, and all of that where all is told."""
    said = Counter()
    for seed in range(first, first + PART):
        one = a_drawn(Random(seed))
        text = text_of(porcupine.exported(history_of(one), atomic_batches=one.store.atomic))
        sessions = porcupine_explains(text, creates=one.store.creates)
        assert sessions["s1"]
        good, ours = sessions.get("s0", True), second_method.explained(one)
        assert good >= ours, f"seed {seed}\n{text}"
        if tells_all(one):
            assert good == ours, f"seed {seed}\n{text}"
            said[good] += 1
    assert min(said[True], said[False]) > PART // 30


def tells_all(one: Drawn) -> bool:
    """Whether no number, no order in a batch, and no pages beside a removal is told of."""
    removes = any(act.f in (F.CLEAR, F.DELETE, F.REPLACE) for act in one.acts if act.type != FAIL)
    apart = not one.store.atomic and any(act.n > 1 and act.f != F.REPLACE for act in one.acts)
    pages = removes and any(act.f == F.PAGES for act in one.acts)
    return one.store.start is None and not apart and not pages


def test_events_stand_in_the_order_of_time():
    """One transaction ends before another begins exactly if its call did."""
    for seed in range(100):
        one = replace(grown(seed), store=Store())
        told = [act for act in as_elle_is_told(one).acts if act.type == OK and act.f == F.APPEND]
        calls = elle_transactions(text_of(elle.exported(history_of(one), atomic_batches=True)))
        by_id = {call.does[0][2]: call for call in calls if call.does[0][0] == ":append"}
        for a in told:
            for b in told:
                before = by_id[a.id].ret < by_id[b.id].inv
                assert before == (a.ret < b.inv), f"seed {seed}: {a}, {b}"


def test_what_ends_as_another_begins_is_concurrent():
    """Of one client, too, whose process then is another one."""
    some = history("1 append a 0-10", "1 append b 10-20", "2 read -> b a 30-40")
    assert elle_explains(text_of(elle.exported(some, atomic_batches=True)))
    assert porcupine_explains(text_of(porcupine.exported(some, atomic_batches=True)), creates=True)
    later = history("1 append a 0-10", "1 append b 11-20", "2 read -> b a 30-40")
    assert not elle_explains(text_of(elle.exported(later, atomic_batches=True)))


@pytest.mark.parametrize("call", ["append", "create"])
@pytest.mark.parametrize("form", [elle, porcupine])
def test_a_batch_that_may_land_in_parts_is_apart(form, call):
    """A read of its first message is right then, and wrong of a batch that lands whole."""
    some = history(f"1 {call} a b 0-10", "2 read -> a 5-6", "9 final read -> a b 20-21")

    def explains(*, atomic: bool) -> bool:
        text = text_of(form.exported(some, atomic_batches=atomic))
        if form is elle:
            return elle_explains(text)
        return all(porcupine_explains(text, creates=True).values())

    assert not explains(atomic=True)
    assert explains(atomic=False)


def test_what_is_left_out_is_counted():
    """By reason, each operation once; the others are in it."""
    some = history(
        "1 append a 0-1",
        "1 append b 2-3",
        "2 read_last 1 -> b 4-5",
        "2 read_last 3 -> a b 6-7",
        "2 count -> 2 8-9",
        "2 set_state 10-11",
        "3 append c 0-1 @t",
        "3 clear 2-3 @t",
        "3 read -> 4-5 @t",
        "4 create 0-1 @u",
        "4 pages -> 2-3 @u",
        "4 delete 4-5 refused @u",
        "5 append d 0-1 @v",
        "5 clear 2-? @v",
        "6 pages -> d 4-5 @v",
    )
    told = elle.exported(some, atomic_batches=True)
    assert told.operations == 4
    assert told.left_out == {
        "in sessions that were deleted, cleared or replaced": 6,
        "that neither append nor read messages": 3,
        "that read a part of a session, or count": 2,
    }
    assert len(elle_transactions(text_of(told))) == 4
    told = porcupine.exported(some, atomic_batches=True)
    assert told.operations == 12
    assert told.left_out == {
        "that neither send nor read messages": 1,
        "refused, or reads that were never answered": 1,
        "pages in sessions that were deleted, cleared or replaced": 1,
    }


def test_a_refused_attempt_that_came_again_is_one_append():
    """Its message is sent once for Elle, and what was refused for good stays so."""
    again = [
        Act(F.APPEND, 1, 256, 0, 1, type=FAIL, n=1),
        Act(F.APPEND, 1, 256, 2, 3, n=1),
        Act(F.APPEND, 2, 512, 2, 3, type=FAIL, n=1),
    ]
    history_ = history_of(Drawn(Store(), tuple(again)))
    told = elle.exported(history_, atomic_batches=True)
    assert told.left_out == {"refused, and sent again": 1}
    assert ":fail" in text_of(elle.exported(history_, atomic_batches=True))
    assert len(elle_transactions(text_of(told))) == 3  # with those of the other session


def test_faults_of_the_sample_are_known():
    """The faults that are planted are those of the simulated store."""
    assert set(_FAULTS) <= set(FAULTS)


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_transactions_are_told_as_they_were(first):
    """Elle's form of transactions is strictly serializable exactly if the transactions are."""
    said = Counter()
    for seed in range(first, first + PART):
        some = drawn_transactions.drawn(Random(seed), final=seed % 2 > 0)
        good = elle_explains(text_of(elle.of_transactions(some)))
        assert good == explained(some, "strict-serializable"), f"seed {seed}"
        said[good] += 1
    assert min(said[True], said[False]) > PART // 10


def test_a_digest_tells_a_read():
    """An answer that was not kept is a beginning of the longest that was, or is left out."""
    lines = (
        "1 append a b 0-1",
        "1 append c 2-3",
        "2 read -> a b 4-5",
        "2 pages -> a b c 6-7",
        "3 read -> a c 8-9",
        "3 read -> a 8-9 @t",
        "9 read -> a 10-11",
        "9 final read -> a b c 12-13",
    )
    some = named(*lines, unkept=(2, 3, 4, 5))
    a, b, c = (some.ids[name] for name in "abc")
    told = elle.exported(some.history, atomic_batches=True)
    assert told.left_out == {"whose answer was not kept in full": 2}
    text = text_of(told)
    assert text.count(f'[[:r "s" [{a} {b}]]]') == 1
    assert text.count(f'[[:r "s" [{a} {b} {c}]]]') == 2
    assert text.count(f'[[:r "s" [{a}]]]') == 1
