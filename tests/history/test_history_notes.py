"""Operations that are kept in memory, as one history."""

import itertools

from sessionproof.history.columns import NEVER, F, Type
from sessionproof.history.notes import Notes, history_of


def clients(number):
    """So many clients on one clock, and what was told as operations began."""
    begun, clock = [], itertools.count(1)
    return [Notes(one, lambda: next(clock), begun.append) for one in range(number)], begun


def test_what_clients_note_is_one_history():
    """Calls in the order of the clients, with their times, errors and answers."""
    (one, two), begun = clients(2)
    slot = one.invoke(F.APPEND, 0, 7, 1)
    read = two.invoke(F.READ, 0, 8)
    one.complete(slot, Type.OK)
    two.answered(read, [7])
    failed = one.invoke(F.APPEND, 0, 9, 1)
    one.complete(failed, Type.FAIL, error="refused")
    open_one = one.invoke(F.APPEND, 0, 10, 1)
    made = history_of([one, two], ("s",))
    assert begun == [7, 8, 9, 10]
    rows = made.rows
    assert rows["id"].tolist() == [7, 9, 10, 8]
    assert rows["client"].tolist() == [0, 0, 0, 1]
    assert (rows["inv"][0], rows["ret"][0]) == (1, 3)
    assert rows["ret"][open_one] == NEVER
    assert made.errors[rows["error"][failed]] == "refused"
    assert rows["length"][3] == 1
    assert rows["last"][3] == 7


def test_what_is_taken_back_was_never_noted():
    """Rows beyond a number go, with their answers and errors; a call may begin again."""
    (one,), _ = clients(1)
    one.complete(one.invoke(F.APPEND, 0, 1, 1), Type.OK)
    one.answered(one.invoke(F.READ, 0, 2), [1])
    one.complete(one.invoke(F.APPEND, 0, 3, 1), Type.FAIL, error="no")
    one.back_to(1)
    one.renew(5)
    slot = one.invoke(F.APPEND, 0, 4, 1)
    began = one.rows[slot][1]
    one.again(slot)
    assert one.rows[slot][1] > began
    made = history_of([one], ("s",))
    assert made.rows["client"].tolist() == [0, 5]
    assert made.errors == ("",)


def test_nobody_noted_anything():
    """A history without rows is one."""
    (one,), _ = clients(1)
    assert len(history_of([one], ()).rows) == 0
