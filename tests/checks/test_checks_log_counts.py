"""Counts, totals and sequence numbers of concurrent histories."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from histories import history

from sessionproof.checks.counts_together import _totals
from sessionproof.checks.history import judge_history
from sessionproof.contract.claims import Claims
from sessionproof.history.tokens import tokens_of

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads", seq_start=1)


def tokens(*numbers):
    return sum(map(tokens_of, numbers))


def anomalies(*lines):
    return [one.anomaly for one in judge_history(history(*lines), CLAIMS).incidents]


def test_totals_are_those_of_tokens():
    """The running total is the sum of what each message is said to have."""
    ids = np.array([0x100, 0x101, 0x3E800, 0x207], np.uint64)
    assert _totals(ids)[-1] == sum(tokens_of(int(one)) for one in ids)


COUNTS = {
    "within a batch": "2 count -> 1 5-9",
    "more than were sent": "2 count -> 9 5-9",
    "with the total of another count": f"2 count -> 2/{tokens(0x100)} 20-30",
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_that_no_state_had_is_a_drift(name):
    """The guilty row is the count's, and stands first."""
    lines = ("1 append a b 0-10", COUNTS[name], "9 final read -> a b 90-91")
    (incident,) = judge_history(history(*lines), CLAIMS).incidents
    assert incident.anomaly == "counter-drift"
    assert incident.rows[0] == 1


def test_a_count_beyond_the_final_read_is_a_drift():
    """Before the final read the session had no more than it has."""
    assert "counter-drift" in anomalies(
        "1 append a 0-?", "2 count -> 1 20-30", "9 final read -> 90-91"
    )


def test_a_count_of_what_nobody_knows_may_be_right():
    """Messages of unknown fate may be counted, by whole batches."""
    ok = ("1 append a 0-10", "2 append b c 0-?", "9 final read -> a 50-60")
    assert anomalies(*ok, "3 count -> 3 55-70") == []
    assert anomalies(*ok, "3 count -> 2 55-70") == ["counter-drift"]


@pytest.mark.parametrize("atomic", [False, True])
def test_what_may_be_counted_is_what_some_of_the_unknown_add_up_to(atomic):
    """Drawn sends of unknown outcome, against all choices of them one by one."""
    random = np.random.default_rng(7)
    claims, seen = replace(CLAIMS, atomic_batches=atomic), set()
    for _ in range(60):
        names = iter("bcdefghijk")
        sends = [[next(names) for _ in range(random.integers(1, 4))] for _ in range(3)]
        lines = [f"{at} append {' '.join(own)} 0-?" for at, own in enumerate(sends, 2)]
        lines = ["1 append a 0-10", *lines, "9 final read -> a 50-60"]
        made = history(*lines)
        parts = [
            [sum(tokens_of(int(first) + at) for at in range(n)) for n in range(len(own) + 1)]
            for first, own in zip(made.rows["id"][1:4].tolist(), sends, strict=True)
        ]
        allowed = {
            (1 + sum(chosen), tokens(0x100) + sum(map(list.__getitem__, parts, chosen)))
            for chosen in product(*([0, len(own)] if atomic else range(len(own) + 1)
                                    for own in sends))
        }  # fmt: skip
        count, total = 1 + int(random.integers(1, 4)), tokens(0x100) + int(random.integers(0, 20))
        judged = judge_history(history(*lines, f"8 count -> {count}/{total} 55-70"), claims)
        wrong = [one.anomaly for one in judged.incidents] == ["counter-drift"]
        assert wrong == ((count, total) not in allowed)
        seen.add(wrong)
    assert seen == {False, True}


def test_many_unknown_appends_are_judged_soon():
    """Each count is one look into what the session's unknown appends can add up to."""
    rows = [f"{at} append m{at} 0-?" for at in range(2, 250)]
    counts = [f"1 count -> {at} {100 + 2 * at}-{101 + 2 * at}" for at in range(1, 200)]
    assert anomalies(*rows, "9999 final read -> 50-60", *counts) == []


def test_right_counts_are_spared():
    """A count with its total, beside appends and after them."""
    total = tokens(0x100, 0x101)
    lines = ("1 append a b 0-10", f"2 count -> 2/{total} 5-9", "3 count -> 0/0 0-3")
    assert anomalies(*lines, "9 final read -> a b 90-91") == []


NUMBERS = {
    "twice": ("duplicate-sequence", "1 append a -> 1 0-10", "2 append b -> 1 0-10"),
    "the other way round": ("sequence-order", "1 append a -> 2 0-10", "2 append b -> 1 0-10"),
    "with a gap": ("sequence-gap", "1 append a -> 1 0-10", "2 append b -> 3 0-10"),
    "from the wrong start": ("sequence-gap", "1 append a -> 2 0-10", "2 append b -> 3 0-10"),
    "below the start": ("sequence-order", "1 append a -> 0 0-10", "2 append b -> 1 0-10"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_wrong_numbers_are_named(name):
    """Numbers that repeat, step back or skip, told by the order of the final read."""
    anomaly, *lines = NUMBERS[name]
    assert anomalies(*lines, "9 final read -> a b 90-91") == [anomaly]


def test_a_number_inside_a_batch_is_given_twice():
    """A batch takes as many numbers as it has messages."""
    lines = ("1 append a b -> 1 0-10", "2 append c -> 2 0-10", "9 final read -> a b c 90-91")
    assert anomalies(*lines) == ["duplicate-sequence"]


def test_what_nobody_read_may_have_taken_a_number():
    """An append of unknown outcome that had begun in time explains a gap of its size."""
    lines = ("1 append a -> 1 0-10", "2 append b -> 3 20-30", "9 final read -> a b 90-91")
    assert anomalies(*lines, "3 append x 5-?") == []
    assert anomalies(*lines, "3 append x y 5-?") == ["sequence-gap"]
    assert anomalies(*lines, "3 append x 40-?") == ["sequence-gap"]


def test_numbers_are_not_judged_without_the_claim():
    """A store that claims no numbers may answer what it likes."""
    lines = ("1 append a -> 7 0-10", "9 final read -> a 90-91")
    claims = Claims(atomic_batches=True, handles="threads")
    assert judge_history(history(*lines), claims).incidents == ()
