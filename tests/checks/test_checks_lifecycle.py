"""Which sessions need no search, and what each of their operations demands of the order."""

from dataclasses import replace

import pytest
from histories import history

from sessionproof.checks import log
from sessionproof.checks.inversions import FREE
from sessionproof.checks.log import judge_log
from sessionproof.contract.claims import Claims

REFUSES = Claims(
    atomic_batches=True, consistency="linearizable", handles="threads", missing_session="refuses"
)
NUMBERED = replace(REFUSES, seq_start=0)
TENS = replace(REFUSES, seq_start=10)
CREATES = replace(REFUSES, missing_session="creates")

MADE = ("1 create 0-10", "1 append a b c 12-14", "1 read -> a 15-16")
GONE = "1 delete 20-30"


@pytest.mark.parametrize(
    ("claims", "lines", "searched"),
    [
        (REFUSES, ("1 create 0-20", "2 delete 20-30"), True),
        (REFUSES, ("1 create 0-19", "2 delete 20-30"), False),
        (REFUSES, (*MADE, GONE), False),
        (REFUSES, ("1 read -> a 0-1", GONE), False),
        (REFUSES, (*MADE, "1 read_last 1 -> c 17-18", GONE), True),
        (NUMBERED, (*MADE, "1 read_last 1 -> c 17-18", GONE), True),
        (REFUSES, (*MADE, "1 read_last 1 -> 17-18", GONE), False),
        (REFUSES, ("1 append a b 0-1", "1 read_last 2 -> a b 2-3", GONE), True),
        (
            REFUSES,
            ("1 append a b c 0-1", "1 read_last 2 -> b c 2-3", "1 read -> a 4-5", GONE),
            True,
        ),
        (REFUSES, ("1 append a 0-1", "1 read -> a 2-3", "1 read_last 5 -> a 4-5", GONE), False),
        (NUMBERED, (*MADE, GONE), False),
        (NUMBERED, ("1 append a -> 0 0-1", GONE), True),
        (REFUSES, ("1 append a -> 0 0-1", GONE), False),
    ],
)
def test_a_deleted_session_is_searched_if_its_order_is_not_known(claims, lines, searched):
    """By an answer that was kept in full, and has all that others had."""
    unknown = judge_log(history(*lines), claims).unknown
    assert ("1 session may shrink, and must be searched" in unknown) is searched


def row(life, at):
    """The slots of a row, with a star where nothing must follow it, and what it was told."""
    below, above = int(life.slots.below[at]), int(life.slots.above[at])
    missing = " missing" * bool(life.missing[at]) + " vanished" * (at in life.vanished)
    return f"{'*' if below == FREE else below}-{above}{missing}"


SLOTS = {
    "reads, counts and a batch of which a part is seen": (
        CREATES,
        [5],
        [-1],
        {
            "1 append a 0-10": "2-2",
            "2 append b c 0-11": "4-8",
            "3 append d e 0-?": "6-6",
            "1 read -> 12-13": "1-0",
            "2 read -> a b d 12-14": "7-7",
            "1 count -> 2 15-16": "5-5",
            "1 read_last 1 -> c 17-18": "11-8",
            "1 count -> 9 19-20": "11-11",
        },
    ),
    "acknowledged appends that the order lacks": (
        REFUSES,
        [3, 3],
        [-1, -1],
        {
            "1 append a 0-10": "2-2",
            "1 read -> a 11-12": "3-3",
            "2 append b c 13-14": "7-4",
            "1 append x 13-14 @t": "4-4",
            "1 append y 15-16 @t": "7-6",
            "1 read -> z x 17-18 @t": "5-5",
        },
    ),
    "numbers say where they stand": (
        NUMBERED,
        [8, 4],
        [-1, -1],
        {
            "1 append a -> 0 0-10": "2-2",
            "1 read -> a 11-12": "3-3",
            "2 append b c -> 1 13-14": "4-6",
            "2 append d e -> 3 15-16": "8-10",
            "2 append f 17-18": "17-4",
            "2 append g -> 0 19-20": "17-4",
            "2 append h -> 90 21-22": "16-16",
            "1 append x -> 0 13-14 @t": "4-4",
            "1 append y z -> 2 15-16 @t": "6-8",
            "1 read -> w x 17-18 @t": "5-5",
        },
    ),
    "numbers from ten on": (
        TENS,
        [4],
        [-1],
        {
            "1 append a -> 10 0-10": "2-2",
            "1 read -> a 11-12": "3-3",
            "2 append b c -> 11 13-14": "4-6",
            "2 append d -> 13 15-16": "8-8",
        },
    ),
    "pages beside a deletion": (
        REFUSES,
        [1, 1],
        [12, 11],
        {
            "1 create 0-5": "1-1",
            "1 append a 6-10": "2-2",
            "2 read -> a 12-14": "3-3",
            "3 pages 1 -> a 15-19": "3-3",
            "4 pages 1 -> a 16-20": "*-0",
            "5 pages 1 -> a 22-24": "*-0",
            "6 pages 1 -> 21-35": "*-5",
            "10 pages 1 -> 7-21": "1-0",
            "7 read -> a 16-30": "3-3",
            "7 pages 1 -> a 32-33": "*-0",
            "2 append e 6-9 @t": "3-2",
            "3 delete 19-50 @t": "4-4",
            "1 delete 20-30": "4-4",
            "8 read -> missing 35-36": "*-5 missing",
            "8 pages 1 -> a 40-41": "3-3",
            "9 read -> missing 90-91": "*-5 missing",
        },
    ),
    "a client's first pages, after another client that ended late": (
        REFUSES,
        [1],
        [4],
        {
            "1 create 0-5": "1-1",
            "1 append a 6-10": "2-2",
            "2 read -> a 12-14": "3-3",
            "5 pages 1 -> a 22-24": "*-0",
            "1 delete 20-30": "4-4",
            "4 read -> missing 90-91": "*-5 missing",
        },
    ),
    "told so before the creation, beside all": (
        REFUSES,
        [0],
        [4],
        {
            "9 read -> 0-5": "1-0",
            "1 read -> missing 6-35": "0-0 missing",
            "3 read -> 6-35": "1-0",
            "2 create 10-20": "1-1",
            "2 delete 30-40": "2-2",
        },
    ),
    "told so after what was surely there": (
        REFUSES,
        [1],
        [9],
        {
            "8 create 0-25": "1-1",
            "1 append a 2-3": "2-2",
            "2 read -> missing 6-35": "*-5 missing",
            "5 read -> missing 3-35": "0-0 missing",
            "4 read -> missing 4-30": "*-5 missing",
            "4 read -> 31-32": "*-5",
            "3 read -> 3-36": "1-0",
            "7 read -> 4-36": "*-5",
            "1 read -> a 20-21": "3-3",
            "1 delete 30-40": "4-4",
            "6 read -> 6-37": "*-5",
        },
    ),
    "deleted in the first row": (
        REFUSES,
        [0],
        [0],
        {
            "1 delete 0-10": "2-2",
            "2 read -> missing 0-5": "0-0 missing",
            "3 read -> missing 0-9": "0-0 missing",
            "2 read -> missing 20-30": "*-3 missing",
        },
    ),
    "there from the start": (
        REFUSES,
        [1],
        [4],
        {
            "1 read -> missing 0-35": "*-5 missing",
            "2 read -> missing 0-5": "*-0 missing vanished",
            "1 append a 40-45": "2-2",
            "9 read -> a 46-50": "3-3",
            "3 delete 30-60": "4-4",
        },
    ),
    "refused": (
        REFUSES,
        [0],
        [-1],
        {
            "1 append a -> missing 0-5 refused": "0-0 missing",
            "2 clear -> missing 0-5 refused": "0-0 missing",
            "3 delete -> missing 0-5 refused": "0-0 missing",
            "4 create -> missing 0-5 refused": "*-0",
            "5 read -> missing 0-5 refused": "*-0",
            "6 replace x -> missing 0-5 refused": "0-0 missing",
            "7 create 10-11": "1-1",
        },
    ),
    "made by an append": (
        CREATES,
        [1],
        [-1],
        {
            "1 read -> missing 0-5": "0-0 missing",
            "2 append a 6-7": "2-2",
            "1 read -> a 8-9": "3-3",
            "3 read -> missing 10-11": "0-0 missing",
        },
    ),
}


@pytest.mark.parametrize("name", SLOTS)
def test_each_operation_has_its_slots(name, monkeypatch):
    """As the module's first lines draw them."""
    claims, most, deletion, lines = SLOTS[name]
    lives = []

    def remembered(*args):
        lives.append(log_life_of(*args))
        return lives[-1]

    log_life_of = log.life_of
    monkeypatch.setattr(log, "life_of", remembered)
    judge_log(history(*lines), claims)
    (life,) = lives
    assert [row(life, at) for at in range(len(lines))] == [*lines.values()]
    assert (list(life.most), list(life.deletion)) == (most, deletion)
    assert list(life.slots.size) == [2 * each + 4 for each in most]
    assert list(life.deleted) == [each >= 0 for each in deletion]
