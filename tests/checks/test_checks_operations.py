"""Rows as operations for the search, and what their answers say of places."""

from dataclasses import replace

import numpy as np
import pytest
from histories import history, named

from sessionproof.checks.models import Known, Operation
from sessionproof.checks.operations import answers_of, by_client_alone, known_of, operations_of
from sessionproof.history.columns import NEVER, F

A, B, C, D = (number << 8 for number in (1, 2, 3, 4))


def operations(*lines, atomic=True):
    """What these lines say."""
    one = history(*lines)
    return operations_of(one, np.arange(len(lines)), atomic=atomic)


def test_what_says_nothing_is_left_out():
    """Refused calls but for writes that found no session, and appends of nothing."""
    some = operations(
        "1 create a 0-1",
        "2 create -> missing 0-1 refused",
        "3 append b -> missing 0-1 refused",
        "4 append c 0-1 refused",
        "5 append 0-1",
        "6 read -> missing 0-1 refused",
        "7 read -> missing 0-1",
        "8 read 0-?",
        "9 read_last 2 -> a 0-1",
    )
    assert [(one.row, one.refused, one.ids) for one in some] == [
        (0, False, (A,)), (2, True, ()), (6, False, ()), (8, False, ()),
    ]  # fmt: skip


def test_of_an_unknown_outcome_only_the_beginning_counts():
    """Whatever a history says of its end and its number."""
    one = history("1 append a 0-?")
    one.rows["ret"], one.rows["value"] = 9, 7
    (append,) = operations_of(one, np.arange(1), atomic=True)
    assert (append.ret, append.value, append.must) == (NEVER, -1, False)


def test_a_batch_that_need_not_be_whole_is_a_row_of_appends():
    """The first has its number, each other stands behind the one before it."""
    first, second, third = operations("1 append a b c -> 5 0-1", atomic=False)
    assert first == replace(second, ids=(A,), key=0, after=None, value=5)
    assert (second.ids, second.key, second.after, second.value) == ((A + 1,), 1, 0, -1)
    assert third == replace(second, ids=(A + 2,), key=2, after=1)


@pytest.mark.parametrize(
    ("lines", "stays"),
    [
        (("1 append a 0-30",), True),
        (("1 clear 0-30",), False),
        (("1 clear -> missing 0-30 refused",), True),
        (("2 read -> 19-20", "1 clear 5-10"), True),
        (("2 read -> 15-20", "1 clear 5-20"), False),
        (("2 read -> 15-21", "1 clear 5-20"), True),
        (("2 read -> 19-22", "1 clear 5-20"), True),
        (("1 clear 0-0",), False),
        (("1 clear 25-30",), False),
        (("1 clear 26-30",), True),
        (("2 clear 10-20",), True),
        (("2 clear 10-?",), False),
    ],
)
def test_pages_while_something_may_have_been_removed_say_nothing(lines, stays):
    """From the end of what the client did before to the end of the last page."""
    some = operations(*lines, "2 pages 1 -> a 22-25")
    assert any(one.f == F.PAGES for one in some) is stays


def test_answers_that_were_not_kept_are_found_by_their_digests():
    """If they are the beginning of one that was kept; the end of one is not looked for."""
    lines = (
        "1 append a 0-1",
        "1 append b 2-3",
        "2 read -> b a 4-5",
        "3 read -> a b 4-5",
        "4 read -> a 4-5",
        "5 read -> b a 4-5",
        "6 read -> x a 4-5",
        "7 read_last 1 -> a 4-5",
        "8 read -> 4-5",
        "9 count -> 2 4-5",
        "10 read -> x 4-5",
    )
    one = named(*lines, unkept=(4, 5, 6, 7, 8, 10)).history
    some = operations_of(one, np.arange(len(lines)), atomic=True)
    assert answers_of(one, some) == {2: (B, A), 3: (A, B), 4: (A,), 5: (B, A), 8: ()}
    assert answers_of(one, some[:3]) == {2: (B, A)}


def append(number, *, inv=0, **more):
    """One message, by a client of its own."""
    common = {"ret": inv + 1, "client": number, "ids": (number << 8,), "n": 1}
    return Operation(row=number, key=number, f=F.APPEND, inv=inv, **common | more)


def read(row, *, f=F.READ, **more):
    """An answer of row ``row``."""
    return Operation(**{"row": row, "key": row, "f": f, "inv": 5, "ret": 6} | more)


SENT = [append(number) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("operations", "answers", "known"),
    [
        ([read(9, length=2, last=B)], {9: (A, B)},
         {"places": {A: 0, B: 1}, "above": {B: A}, "below": {A: B}, "due": {B: [9]},
          "unseen": {C, D}}),
        ([read(9, length=3, last=C, f=F.READ_LAST)], {9: (A, B, C)},
         {"above": {B: A, C: B}, "below": {A: B, B: C}, "due": {C: [9]}, "unseen": {D}}),
        ([read(9, length=1, last=A), read(10, length=2, last=B)], {},
         {"places": {A: 0, B: 1}, "due": {A: [9], B: [10]}}),
        ([read(9, last=A), read(10, length=1, last=B, f=F.COUNT)], {9: ()},
         {"unseen": {A, B, C, D}}),
        ([read(9, length=2, last=B), read(10, length=2, last=A)], {9: (A, B), 10: (B, A)},
         {"above": {A: B, B: A}, "below": {A: B, B: A}, "due": {A: [10], B: [9]},
          "unseen": {C, D}}),
        ([append(5, ids=(B,)), read(9, length=2, last=B)], {9: (A, B)},
         {"places": {A: 0}, "below": {A: B}, "unseen": {C, D}}),
        ([append(5, inv=6), append(6, inv=7, length=1, last=A), read(9, length=1, last=D)], {},
         {"places": {D: 0}, "due": {D: [9]}, "unseen": {6 << 8}}),
        ([], {}, {"unseen": {A, B, C, D}}),
    ],
)  # fmt: skip
def test_what_all_answers_agree_on_is_known(operations, answers, known):
    """Of ids that one operation sent; ids that no answer can hold are unseen."""
    assert known_of([*SENT, *operations], answers) == Known(**known)


def test_by_client_alone_each_stands_behind_its_client_s_last():
    """What had ended before all was quiet still has; final reads stay where they are."""
    given = [
        append(1, inv=1),
        append(2, inv=2, client=1, must=False, ret=NEVER),
        append(3, inv=3, client=1, ret=9),
        append(4, inv=4, client=2, ret=10),
        append(5, inv=5, client=3, after=3),
        append(6, inv=6, client=3, after=3),
        read(9, inv=10, ret=12, final=True),
        append(7, inv=11, client=1, ret=30),
        append(8, inv=12, client=2, must=False, ret=5),
    ]
    ends = {1: (9, None), 2: (NEVER, 1), 3: (9, 1), 4: (NEVER, None), 5: (9, 3), 6: (9, 3),
            7: (NEVER, 3), 8: (NEVER, 4)}  # fmt: skip
    assert by_client_alone(given[::-1]) == tuple(
        one if one.final else replace(one, inv=0, ret=ends[one.key][0], after=ends[one.key][1])
        for one in given
    )
