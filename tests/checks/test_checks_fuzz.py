"""The judges of histories contradict neither each other nor a method that shares no code."""

from random import Random

import pytest
from drawn_histories import Drawn, Shape, drawn, history_of
from opinions import a_drawn, opinions, shown
from simulated_store import FAIL, FAULTS, Act, Store

from sessionproof.checks.history import judge_history
from sessionproof.checks.search import judge_session
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import F

SAMPLE, PART = 3000, 300


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_linear_pass_search_and_every_order_agree(first):
    """A drawn history is linearizable for all of them or for none, and its fault is named."""
    for seed in range(first, first + PART):
        one = opinions(seed)
        assert one.agree, f"seed {seed}\n{shown(one)}"
        assert one.tried or one.named, f"seed {seed}\n{shown(one)}"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_comes_about(fault):
    """Every fault is drawn: none is a word alone."""
    store = Store(atomic=True, start=1, totals=True, clears=True, deletes=True)
    shape = Shape(refused=0.2)
    some = [drawn(Random(seed), store, shape=shape, fault=fault) for seed in range(60)]
    assert sum(one.fault == fault for one in some) >= 3


def test_the_sample_is_neither_all_good_nor_all_bad():
    """Of drawn histories, a fifteenth at least is not linearizable, and a half at least is."""
    bad = sum(not opinions(seed).tried for seed in range(300))
    assert 20 <= bad <= 150


def test_few_are_left_undecided():
    """A user's run comes to a word on nearly every drawn history."""
    assert sum(not opinions(seed).told for seed in range(1000)) <= 5


def test_a_drawn_history_is_the_same_again():
    """A seed gives one history: what was found can be looked at again."""
    assert a_drawn(Random(7)) == a_drawn(Random(7))


@pytest.mark.parametrize("f", [F.CLEAR, F.REPLACE, F.DELETE, F.APPEND])
def test_a_refusal_says_that_there_is_no_session(f):
    """A write that is told "not found" of a session that was made contradicts its creation."""
    acts = (
        Act(F.CREATE, 1, 1 << 8, 0, 1),
        Act(f, 2, 2 << 8, 2, 3, type=FAIL, missing=True, n=f in (F.REPLACE, F.APPEND)),
        Act(F.READ, 3, 3 << 8, 4, 5, answer=(), final=True),
    )
    history = history_of(Drawn(Store(), acts, kept=frozenset({2})))
    for claims in (Claims(), Claims(missing_session="refuses")):
        (incident,) = judge_history(history, claims).incidents
        assert incident.anomaly is Anomaly.LOST_SESSION
    assert judge_session(history, 0, creates=True, limit_s=1.0).incidents
