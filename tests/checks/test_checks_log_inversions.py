"""The test of pairs, against looking at every pair."""

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


def contradicts(table, slots, late, early):
    """Whether one had ended before the other began, which must come first."""
    return (
        table.session[late] == table.session[early]
        and slots.above[late] > slots.below[early]
        and table.ret[late] < table.inv[early]
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_pair_is_found(seed):
    """What contradicts any other operation is found, with a witness that does."""
    table, slots = drawn(seed)
    everything = np.ones(len(table), np.bool_)
    pairs = inversions(table, slots, early=everything, late=everything)
    count = range(len(table))
    guilty = {a for a in count for b in count if contradicts(table, slots, a, b)}
    assert set(pairs.late.tolist()) == guilty
    for late, early in zip(pairs.late, pairs.early, strict=True):
        assert contradicts(table, slots, late, early)
        latest = max(table.inv[b] for b in count if contradicts(table, slots, late, b))
        assert table.inv[early] == latest


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
    for late, early in zip(pairs.late, pairs.early, strict=True):
        assert contradicts(table, slots, late, early)
