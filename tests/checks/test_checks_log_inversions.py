"""The test of pairs, against looking at every pair."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from histories import history

from sessionproof.checks.inversions import FREE, Slots, inversions
from sessionproof.checks.levels import within_clients
from sessionproof.checks.table import table_of


def drawn(seed):
    """Operations of three clients on two sessions, with slots that nothing explains."""
    random = Random(seed)
    lines, clock = [], [0] * 3
    for _ in range(random.randint(2, 12)):
        client = random.randrange(3)
        begin = clock[client] + random.randint(0, 4)
        clock[client] = begin + random.randint(0, 6)
        end = clock[client]
        lines.append(f"{client} read -> {begin}-{end} @{random.choice('st')}")
        clock[client] += random.randint(0, 1)
    table = table_of(history(*lines))
    count = len(lines)
    below = np.array([random.choice((0, 1, 2, 3, 4, FREE)) for _ in range(count)])
    above = np.array([random.randint(0, 5) for _ in range(count)])
    return table, Slots(below, above, np.full(table.names, 6))


def told(pairs):
    """The rows of these pairs."""
    return list(zip(pairs.late.tolist(), pairs.early.tolist(), strict=True))


CLOCKS = {  # from nanoseconds that are whole microseconds
    "as it is": lambda inv, ret: (inv, ret),
    "coarse, with times before its first": lambda inv, ret: (inv // 1000 - 20, ret // 1000 - 20),
    "with a long pause, and returns after all else": lambda inv, ret: (
        paused(inv, 2**60),
        np.where(ret > 20_000, 2**63 - 2, paused(ret, 2**60)),
    ),
    "so long that sessions do not fit side by side": lambda inv, ret: (
        paused(inv, 3 * 2**61) - 2**62,
        paused(ret, 3 * 2**61) - 2**62,
    ),
}


def paused(times, pause):
    """In steps of one, and nothing for a while after the first ten."""
    return times // 1000 + (times > 10_000) * pause


def contradicts(table, slots, late, early):
    """Whether one had ended before the other began, which must come first."""
    return (
        table.session[late] == table.session[early]
        and slots.above[late] > slots.below[early]
        and table.ret[late] < table.inv[early]
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_pair_is_found(seed):
    """What contradicts any other operation is found, with a witness that does, by any clock."""
    table, slots = drawn(seed)
    everything = np.ones(len(table), np.bool_)
    count = range(len(table))
    for clock in CLOCKS.values():
        inv, ret = clock(table.inv, table.ret)
        timed = replace(table, inv=inv, ret=ret)
        pairs = inversions(timed, slots, early=everything, late=everything)
        guilty = {a for a in count for b in count if contradicts(timed, slots, a, b)}
        assert set(pairs.late.tolist()) == guilty
        for late, early in told(pairs):
            assert contradicts(timed, slots, late, early)
            latest = max(inv[b] for b in count if contradicts(timed, slots, late, b))
            assert inv[early] == latest


@pytest.mark.parametrize("seed", range(60))
def test_every_pair_of_a_client_is_found(seed):
    """Within clients, too: what comes after an operation of the same client that must follow it."""
    table, slots = drawn(seed)
    pairs = within_clients(table, slots)
    count = range(len(table))
    guilty = {
        b
        for a in count
        for b in count
        if table.client[a] == table.client[b] and contradicts(table, slots, a, b)
    }
    assert set(pairs.early.tolist()) == guilty
    for late, early in told(pairs):
        assert contradicts(table, slots, late, early)


def test_a_coarse_clock_tells_an_earlier_one_apart():
    """Where what demands the most ended as the other began, another one may be the witness."""
    lines = {  # each with the slot that it must stand after
        "2 read -> 0-1": 9,
        "1 read -> 0-1 @t": 9,
        "1 read -> 2-3": 1,
        "1 read -> 4-5": 2,
        "1 read -> 6-7": 2,
        "1 read -> 8-9": 4,
        "1 read -> 9-10": 0,
    }
    table = table_of(history(*lines))
    below = np.array([*[FREE] * 6, 1])
    slots = Slots(below, np.array([*lines.values()]), np.full(2, 10))
    assert told(within_clients(table, slots)) == [(3, 6)]
    slots.above[3:5] = 1
    assert told(within_clients(table, slots)) == []
