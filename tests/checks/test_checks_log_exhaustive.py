"""The linear pass against every order of a few operations, and against large planted faults."""

from random import Random

import pytest
from drawn_histories import Shape, drawn, history_of, shaken
from second_method import explained
from simulated_store import FAULTS, Store

from benchmarks.made_history import FAULTS as PLANTED
from benchmarks.made_history import made_history
from sessionproof.checks.history import judge_history
from sessionproof.checks.log import judge_log
from sessionproof.contract.claims import Claims

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads")
HISTORIES = 400

STORES = {
    "plain": Store(totals=True),
    "batches in parts": Store(atomic=False, totals=True),
    "numbered": Store(start=1),
    "numbered, batches in parts": Store(start=0, atomic=False),
    "refusing": Store(creates=False),
    "deleting": Store(creates=False, deletes=True),
    "deleting, numbered": Store(creates=False, deletes=True, start=1, totals=True),
}


def small(store, seed):
    """A history of a few operations, often with something wrong in it."""
    random = Random(seed)
    # What of unknown outcome took a number is not judged as strictly as the search does it.
    shape = Shape(most=8, unknown=0.0 if store.start is not None else 0.12)
    made = drawn(random, store, shape=shape, fault=random.choice((*FAULTS, "", "", "")))
    return shaken(random, made) if random.random() < 0.4 else made


@pytest.mark.parametrize("name", STORES)
def test_the_linear_pass_says_what_every_order_says(name):
    """What no order explains has an incident, and nothing else has one."""
    store = STORES[name]
    claims = Claims(
        missing_session="creates" if store.creates else "refuses",
        atomic_batches=store.atomic,
        seq_start=store.start,
        consistency="linearizable",
        handles="threads",
    )
    judged = broken = 0
    for seed in range(HISTORIES):
        made = small(store, seed)
        said = judge_log(history_of(made), claims)
        if any("searched" in reason or "not judged" in reason for reason in said.unknown):
            continue
        judged += 1
        right = explained(made)
        broken += not right
        if not right and any("any answer that was kept" in reason for reason in said.unknown):
            continue
        assert right == (not said.incidents), (seed, made, said.incidents)
    assert judged > HISTORIES / 2
    assert broken > HISTORIES / 10


EXPECTED = {
    "stale": {"stale-read", "read-your-writes", "non-monotonic-read"},
    "lost": {"lost-message"},
    "duplicate": {"duplicate"},
    "swap": {"incompatible-order", "order-contradicts-real-time", "non-monotonic-writes"},
    "gap": {"lost-message"},
    "phantom": {"phantom"},
    "aborted": {"aborted-read"},
    "leak": {"cross-session-leak"},
}


def test_planted_faults_are_found_where_they_are():
    """Of twenty thousand operations those sessions are named that have a fault, and no others."""
    made = made_history(
        20_000, batch=3, unknown=0.02, refused=0.02, faults=dict.fromkeys(PLANTED, 4), seed=3
    )
    judged = judge_history(made.history, CLAIMS)
    names = {}
    for one in judged.incidents:
        names.setdefault(one.session, set()).add(str(one.anomaly))
    for fault, sessions in made.planted.items():
        for session in sessions:
            assert names.pop(session) & EXPECTED[fault], fault
    assert not names


@pytest.mark.parametrize("per_session", [20, 1_000])
def test_large_histories_of_a_correct_store_are_spared(per_session):
    """Nothing is wrong with what a correct store answered, unknown outcomes or not."""
    made = made_history(
        30_000, per_session=per_session, batch=4, unknown=0.05, refused=0.05, seed=per_session
    )
    judged = judge_history(made.history, CLAIMS)
    assert (judged.incidents, judged.unknown) == ((), ())
    assert judged.level == "linearizable"
    assert judged.examined["operations"] == len(made.history)


def test_times_may_be_large():
    """Sessions and times so large that they must be ranked are judged alike."""
    made = made_history(20_000, unknown=0.02, faults={"stale": 3}, seed=5)
    rows = made.history.rows
    for column in ("inv", "ret"):
        known = rows[column] < 2**62
        rows[column][known] *= 2**37
    judged = judge_history(made.history, CLAIMS)
    assert {one.session for one in judged.incidents} == set(made.planted["stale"])
