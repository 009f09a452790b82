"""The columns of histories: sorting that is stable, and who sent what, however large the keys."""

from dataclasses import replace
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from histories import history

from sessionproof.checks.table import least, lowest, stable_order, table_of
from sessionproof.history.columns import NEVER, Type


@pytest.mark.parametrize("most", [3, 2**16 - 1, 2**16, 2**20, 2**32 - 1])
def test_the_order_by_halves_is_that_of_a_stable_sort(most):
    """Equal keys stand as they stood, below and above the half of their bits."""
    random = Random(most)
    drawn = [random.randint(0, most) for _ in range(200)]
    keys = np.array([*drawn, most, *drawn, 0, most], np.int64)
    assert list(stable_order(keys)) == sorted(range(len(keys)), key=lambda at: int(keys[at]))
    assert list(stable_order(keys[:0])) == []


def _sending(op, refused):
    """A table of these numbers of operations."""
    table, kinds = table_of(history("1 read 0-1")), np.where(refused, Type.FAIL, Type.OK)
    return replace(table, id=op.astype(np.uint64) << 8, type=kinds)


@pytest.mark.parametrize("numbers", [(4, 5, 9, 40), (4, 5, 9, 2**54)], ids=["near", "far"])
def test_the_sender_of_a_message_is_the_last_attempt_that_was_not_refused(numbers):
    """If all were, the last; and -1 for a message that nobody sent."""
    random = Random(1)
    op = np.array([random.choice(numbers[1:]) for _ in range(200)] + [4] * 50, np.int64)
    refused = np.array([random.random() < 0.9 for _ in range(200)] + [True] * 50)
    found = {int(op[row]): row for flag in (True, False) for row in np.flatnonzero(refused == flag)}
    top = numbers[-1]
    asked = [0, 3, *numbers, 6, 10, top + 1, top + 2, top + 3, 2**55]
    ids = np.array([number << 8 | 3 for number in asked], np.uint64)
    table = _sending(op, refused)
    assert list(table.writer(ids)) == [found.get(number, -1) for number in asked]


def test_of_no_operations_nobody_sent_anything():
    """An empty history has no rows to name."""
    none = np.zeros(0, np.int64)
    assert list(_sending(none, none == 0).writer(np.array([5, 6], np.uint64))) == [-1, -1]


def test_the_least_of_each_session_is_the_last_of_equal_ones():
    """And -1, or never, in a session that has none of the rows."""
    random = Random(2)
    keys = np.array([random.randint(0, 3) for _ in range(200)], np.int64)
    session = np.array([random.choice((0, 2)) for _ in range(200)], np.int64)
    table, rows = SimpleNamespace(names=3, session=session), np.arange(200)
    some = {name: [row for row in range(200) if session[row] == name] for name in (0, 2)}
    last = {name: min(mine, key=lambda row: (keys[row], -row)) for name, mine in some.items()}
    assert list(least(rows, keys, table)) == [last[0], -1, last[2]]
    assert list(lowest(rows, keys, table)) == [keys[last[0]], NEVER, keys[last[2]]]


def test_a_history_without_names_has_sessions_all_the_same():
    """As many as its rows name; none if it has no rows."""
    one = history("1 read -> 0-1", "1 read -> 2-3 @t", "1 read -> 4-5 @u")
    assert table_of(replace(one, sessions=())).names == 3
    assert table_of(replace(one, sessions=(), rows=one.rows[:0])).names == 0


def test_answers_of_rows_that_are_left_out_belong_to_none():
    """Their row is -1, also when rows are left out once more."""
    table = table_of(history("1 read -> 0-1", "2 read -> 2-3", "3 read -> 4-5", "4 read -> 6-7"))
    part = table.only(np.array([False, True, False, True]))
    assert list(part.kept.row) == [-1, 0, -1, 1]
    assert list(part.only(np.array([False, True])).kept.row) == [-1, -1, -1, 0]
