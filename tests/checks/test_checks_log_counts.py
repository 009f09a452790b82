"""Counts, totals and sequence numbers of concurrent histories."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from histories import history

from sessionproof.checks import counts_together
from sessionproof.checks.counts_together import _totals
from sessionproof.checks.history import judge_history
from sessionproof.contract.claims import Claims
from sessionproof.history.tokens import tokens_of

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads", seq_start=1)


def tokens(*numbers):
    return sum(map(tokens_of, numbers))


LOOSE = replace(CLAIMS, atomic_batches=False)


def anomalies(*lines, claims=CLAIMS):
    return [one.anomaly for one in judge_history(history(*lines), claims).incidents]


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


def test_of_too_many_unknown_messages_any_may_be_counted(monkeypatch):
    """What is in the order is not among them, and up to the limit each is tried."""
    monkeypatch.setattr(counts_together, "_SUMS_MOST", 3)
    unknown = ("2 append b c 0-?", "3 append d 0-?")
    rest = ("1 append a 0-10", "9 final read -> a 50-60", "8 count -> 2/99 95-96")
    assert anomalies(*unknown, *rest, claims=LOOSE) == ["counter-drift"]
    assert anomalies(*unknown, "4 append e 0-?", *rest, claims=LOOSE) == []


def test_counts_of_each_session_are_judged_by_its_own_messages():
    """A session has no part in what another one counts, and each is an incident of its own."""
    lines = ("9 final read -> a b 90-91", "1 append a b 0-10",
             "9 final read -> c d 92-93 @t", "1 append c d 12-20 @t")  # fmt: skip
    totals = (tokens(0x200, 0x201), tokens(0x400, 0x401))
    right = (f"2 count -> 2/{totals[0]} 60-61", f"2 count -> 2/{totals[1]} 62-63 @t")
    assert anomalies(*lines, *right) == []
    drifts = {
        "within a batch": ("2 count -> 1 30-31 @t", "2 count -> 1 4-5", "2 count -> 1 2-3"),
        "too many": ("2 count -> 7 30-31 @t", "2 count -> 8 2-3", "2 count -> 9 4-5"),
        "with a wrong total": ("2 count -> 2/99 30-31 @t", "2 count -> 2/98 12-13"),
    }
    for wrong in drifts.values():
        assert set(anomalies(*lines, *wrong)) >= {"counter-drift"}


BEYOND = {
    "by appends of unknown fate": ([], "2 append b c 0-?", "3 count -> 3 95-96"),
    "by a part of them": (
        ["counter-drift", "non-monotonic-read"],
        "2 append b c 0-?",
        "3 count -> 2 20-30",
    ),
    "by what was refused": (
        ["counter-drift", "non-monotonic-read"],
        "2 append b c 0-?",
        "5 append d 0-5 refused",
        "4 read_last 1 -> a 12-15",
        "3 count -> 2 20-30",
    ),
    "by what went to another session": (
        ["counter-drift"],
        "2 append b c 0-?",
        "5 append d 0-? @t",
        "3 count -> 2 95-96",
        "9 final read -> 92-93 @t",
    ),
    "just before the final read": ([], "2 append b 0-?", "3 count -> 2 80-90"),
    "before the final read": (
        ["counter-drift", "non-monotonic-read"],
        "2 append b 0-?",
        "3 count -> 2 20-30",
    ),
    "with a total in each of two sessions": (
        [],
        "2 append b 0-?",
        f"3 count -> 2/{tokens(0x200, 0x300)} 95-96",
        "1 append c 12-15 @t",
        "4 append d 0-? @t",
        "9 final read -> c 92-93 @t",
        f"3 count -> 2/{tokens(0x500, 0x600)} 97-98 @t",
    ),
}


@pytest.mark.parametrize("name", BEYOND)
def test_counts_beyond_the_final_read(name):
    """What was sent to the session, and may have landed, makes up for what a count has beyond."""
    anomaly, *lines = BEYOND[name]
    assert anomalies("9 final read -> a 90-91", "1 append a 0-10", *lines) == anomaly


def test_a_count_beyond_a_final_read_that_lost_messages_may_be_right():
    """The final read that lacks messages says nothing of how many there were."""
    lines = ("1 append a 0-10", "2 append b 0-?", "4 read -> a 12-14", "3 count -> 2 20-30")
    assert anomalies(*lines, "9 final read -> 90-91") == ["lost-message"]


def test_too_many_sums_are_not_judged():
    """Where there are more sums than anybody looks into, a count beyond the order may be right."""
    sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256, 1]
    names = iter(f"m{at}" for at in range(sum(sizes)))
    lines = [
        f"{at} append {' '.join(next(names) for _ in range(size))} 0-?"
        for at, size in enumerate(sizes, 2)
    ]
    count = "99 count -> 2/9999 95-96"
    assert anomalies("1 append a 0-10", "9999 final read -> a 90-91", *lines, count) == []


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


WHICH = {
    "of two sessions": (
        ["sequence-gap", "sequence-gap"],
        ("1 append a -> 2 0-10", "2 append b -> 3 20-30", "9 final read -> a b 90-91"),
        (
            "1 append c -> 1 12-15 @t",
            "2 append d -> 3 40-50 @t",
            "9 final read -> c d 92-93 @t",
        ),
    ),
    "the same in two sessions": (
        ["duplicate-sequence", "duplicate-sequence"],
        ("1 append a -> 1 0-10", "2 append b -> 1 20-30", "9 final read -> a b 90-91"),
        (
            "1 append c -> 1 12-15 @t",
            "2 append d -> 2 40-50 @t",
            "2 append e -> 2 52-55 @t",
            "9 final read -> c d e 92-93 @t",
        ),
    ),
    "of a batch behind another append": (
        ["duplicate-sequence"],
        ("1 append a -> 1 0-10", "1 append b c -> 2 20-30", "1 append d -> 3 40-50"),
        ("9 final read -> a b c d 90-91",),
    ),
    "back twice": (
        ["sequence-order"],
        ("1 append a -> 1 0-10", "1 append b -> 4 20-30", "1 append c -> 3 40-50"),
        ("1 append d -> 2 60-70", "9 final read -> a b c d 90-91"),
    ),
    "of one message alone": (
        ["sequence-gap"],
        ("1 append a -> 9 0-10", "9 final read -> a 90-91"),
    ),
    "behind messages without one": (
        ["sequence-order"],
        ("1 append a b 0-10", "1 append c -> 1 20-30", "9 final read -> a b c 90-91"),
    ),
    "with a gap that fits and one that does not": (
        ["sequence-gap"],
        ("1 append a -> 1 0-10", "2 append b -> 3 20-30", "2 append c -> 6 40-50"),
        ("3 append x 5-?", "9 final read -> a b c 90-91"),
    ),
    "with a gap that one of two fits": (
        [],
        ("1 append a -> 1 0-10", "2 append b -> 3 20-30", "9 final read -> a b 90-91"),
        ("3 append x 30-?", "4 append y z 5-?"),
    ),
    "twice, and nobody read them": (
        ["duplicate-sequence"],
        ("1 append a -> 1 0-10", "2 append b -> 1 0-10"),
    ),
    "shown by a read that stands first": (
        ["duplicate-sequence"],
        ("9 final read -> a b 90-91", "1 append a -> 1 0-10", "2 append b -> 1 0-10"),
    ),
    "unread, and the next": (
        [],
        ("1 append a -> 1 0-10", "9 final read -> a 50-60", "1 append b -> 2 70-80"),
    ),
    "unread, and behind all that was sent": (
        ["sequence-gap"],
        ("1 append a -> 1 0-10", "9 final read -> a 50-60", "1 append b -> 3 70-80"),
    ),
}


@pytest.mark.parametrize("name", WHICH)
def test_numbers_are_judged_by_session_and_order(name):
    """Which numbers are wrong, whatever stands beside them."""
    anomaly, *parts = WHICH[name]
    assert anomalies(*(line for part in parts for line in part)) == anomaly


def test_a_batch_that_lands_in_parts_takes_numbers_where_its_messages_stand():
    """Where none is claimed whole, another append may take the number behind a batch's first."""
    lines = ("1 append a b -> 1 0-50", "2 append c -> 2 0-50", "9 final read -> a c b 90-91")
    late = "3 append d -> 4 95-96"
    assert anomalies(*lines, claims=LOOSE) == []
    assert anomalies(*lines, late, claims=LOOSE) == []
    assert anomalies(*lines) == ["torn-batch"]
    again = "3 append d -> 2 95-96"
    assert anomalies(*lines, again, claims=LOOSE) == ["duplicate-sequence"]


def test_a_gap_is_explained_by_parts_of_unknown_appends():
    """Where none is claimed whole, any part of a batch may have taken a number."""
    lines = ("1 append a -> 1 0-10", "2 append b -> 3 20-30", "9 final read -> a b 90-91")
    assert anomalies(*lines, "3 append x 5-?", claims=LOOSE) == []
    assert anomalies(*lines, "3 append x y 5-?", claims=LOOSE) == []
    assert anomalies(*lines, claims=LOOSE) == ["sequence-gap"]


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
