"""Orders, places and versions of drawn answers, against looking them up one by one."""

from random import Random

import numpy as np
import pytest
from histories import named

from sessionproof.checks.positions import (
    BEYOND,
    NOWHERE,
    WRONG,
    order_of,
    places_of,
    versions_of,
)
from sessionproof.checks.table import table_of
from sessionproof.history.columns import F, Phase, digest_of


def drawn(seed):
    """The table of appends and reads of two sessions whose answers are right, or nearly so."""
    random = Random(seed)
    names = iter(f"m{at}" for at in range(99))
    sent = {one: [[next(names) for _ in range(random.randint(1, 3))] for _ in range(4)]
            for one in "st"}  # fmt: skip
    lines = [
        f"{at} append {' '.join(batch)} 0-{random.choice(('5', '?', '5 refused'))} @{one}"
        for one in "st"
        for at, batch in enumerate(sent[one])
    ]
    for one, other in ("st", "ts"):
        log = [name for batch in sent[one][: random.randint(0, 4)] for name in batch]
        for _ in range(random.choice((0, 0, 1, 3))):
            strange = random.choice((log or ["z"], sent[other][0], ["y"]))
            log.insert(random.randint(0, len(log)), random.choice(strange))
        if random.random() < 0.3:
            random.shuffle(log)
        lines += [_read(random, log, one) for _ in range(random.randint(0, 8))]
    random.shuffle(lines)
    unkept = tuple(at for at in range(len(lines)) if random.random() < 0.2)
    table = table_of(named(*lines, unkept=unkept).history)
    chance = np.array([random.random() for _ in lines])
    return table.only(chance < random.choice((0.8, 1, 1))), random


def _read(random, log, session):
    """One operation that reads a log, or something like it."""
    call = random.choice(("read", "pages 1", "count", "read_last", "read_last", "final read"))
    end, n = random.randint(0, len(log)), random.randint(0, 4)
    ends = f"10-{random.choice(('20', '20', '20', '?'))} @{session}"
    if call == "count":
        return f"9 count -> {end} {ends}"
    answer = log[:end]
    if call == "read_last":
        call, answer = f"read_last {n}", answer[max(0, end - n) :]
    if answer and random.random() < 0.3:
        answer[random.randrange(len(answer))] = random.choice((*log, "x"))
    words = "missing" if random.random() < 0.1 else " ".join(answer)
    return f"9 {call} -> {words} {ends}"


def lists_of(table):
    """Row and messages of each answer that was kept and whose row is in the table."""
    kept = table.kept
    return [
        (int(kept.row[k]), kept.of(k).tolist(), k)
        for k in range(len(kept.row)) if kept.row[k] >= 0
    ]  # fmt: skip


def looked_up(table, without):
    """The messages of each session, and the row that answered them."""
    best = {}
    for row, ids, k in lists_of(table):
        if ids and not without[k] and table.ok[row] and table.f[row] in (F.READ, F.PAGES):
            rank = (len(ids), table.phase[row] == Phase.FINAL, k)
            mine = best.get(int(table.session[row]), ((),))
            best[int(table.session[row])] = max(mine, (rank, ids, row))
    return {session: (ids, row) for session, (_, ids, row) in best.items()}


def places_looked_up(table, logs, doubtful):
    """The places of the messages of each row, by row."""
    places = {}
    for session, (ids, _) in logs.items():
        for place, one in enumerate(ids):
            writer = int(table.writer(np.array([one], np.uint64))[0])
            again = doubtful[session] and one in ids[:place]
            if writer >= 0 and table.session[writer] == session and not again:
                places.setdefault(writer, []).append(place)
    return places


def version(table, row, log, kept, places):
    """The version that a row answered, by the promise of ``versions_of``."""
    length = int(table.length[row])
    match F(table.f[row]):
        case F.COUNT if table.ok[row] and length >= 0:
            return length
        case F.READ | F.PAGES if table.ok[row] and length >= 0:
            same = digest_of(np.array(log[:length], np.uint64)) == table.digest[row]
            return length if length > len(log) or same else WRONG
        case F.READ_LAST if table.ok[row] and length == 0 and table.n[row] > 0:
            return 0
        case F.READ_LAST if table.ok[row] and kept:
            writer = int(table.writer(np.array(kept[-1:], np.uint64))[0])
            if kept[-1] not in log or writer not in places:
                return BEYOND
            guess = places[writer][0] + kept[-1] % 256
            there = guess < len(log) and log[guess] == kept[-1]
            end = 1 + (guess if there else log.index(kept[-1]))
            right = len(kept) == min(table.n[row], end) and log[end - len(kept) : end] == kept
            return end if right else WRONG
    return NOWHERE


@pytest.mark.parametrize("part", range(3))
def test_orders_places_and_versions_are_what_looking_up_finds(part):
    """Of repeated, torn, strange and missing messages, and of answers that were not kept."""
    for seed in range(50 * part, 50 * part + 50):
        _agrees(*drawn(seed))


def _agrees(table, random):
    without = np.array([random.random() < 0.3 for _ in table.kept.row], np.bool_)
    whole, order = order_of(table), order_of(table, without=without)
    assert np.array_equal(order_of(table, without=without & False).ids, whole.ids)
    logs = looked_up(table, without)
    empty = ([], NOWHERE)
    every = range(table.names)
    assert order.source.tolist() == [logs.get(one, empty)[1] for one in every]
    parts = np.split(order.ids, order.start)[1:-1]
    assert [one.tolist() for one in parts] == [logs.get(one, empty)[0] for one in every]
    flat = [(one, at) for one in every for at in range(len(logs.get(one, empty)[0]))]
    assert order.within.tolist() == [_goes_on(logs[one][0], at) for one, at in flat] + [False]
    doubtful = np.array([random.random() < 0.5 for _ in every])
    for flags in (None, doubtful):
        places = places_of(table, order, doubtful=flags)
        found = places_looked_up(table, logs, doubtful if flags is not None else doubtful & False)
        assert places.first.tolist() == [min(found.get(r, [NOWHERE])) for r in range(len(table))]
        assert places.last.tolist() == [max(found.get(r, [NOWHERE])) for r in range(len(table))]
        assert places.count.tolist() == [len(found.get(r, [])) for r in range(len(table))]
    kept = {row: ids for row, ids, _ in lists_of(table)}
    places = places_looked_up(table, logs, doubtful & False)
    assert versions_of(table, order).tolist() == [
        version(table, row, logs.get(int(table.session[row]), empty)[0], kept.get(row), places)
        for row in range(len(table))
    ]


def _goes_on(ids, at):
    return at > 0 and ids[at] >> 8 == ids[at - 1] >> 8 and ids[at] % 256 != 0


NEWEST = {
    "of a message that stands twice, the place behind its batch's first": (
        ("1 append a b c 0-10", "2 read_last 2 -> a c 20-30", "9 final read -> c a c b 90-91"),
        [NOWHERE, 3, 4],
    ),
    "of nobody's message, none": (
        ("9 final read -> a z 90-91", "2 read_last 1 -> z 20-30", "1 append a 0-10"),
        [2, BEYOND, NOWHERE],
    ),
    "where there is nothing else": (
        ("1 read_last 2 -> z 20-30", "2 read_last 3 -> 20-30"),
        [BEYOND, 0],
    ),
}


@pytest.mark.parametrize("name", NEWEST)
def test_the_version_of_newest_messages(name):
    """The place of the last of them decides."""
    lines, versions = NEWEST[name]
    table = table_of(named(*lines).history)
    assert versions_of(table, order_of(table)).tolist() == versions
