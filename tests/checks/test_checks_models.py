"""A session as a state machine: what follows each operation, and which answers fit."""

import numpy as np
import pytest

from sessionproof.checks.models import Known, Operation, SessionModel, fits
from sessionproof.history.columns import MISSING, F, digest_of

A, B, C = 1 << 8, 2 << 8, 3 << 8
TOKENS = {A: 1 + A % 7, B: 1 + B % 7}


def model(*, creates=True, there=False, start=None, **known):
    """One whose answers say what is given."""
    return SessionModel(creates=creates, there=there, start=start, known=Known(**known))


def act(f, *ids, **more):
    """One operation that sends these ids."""
    return Operation(row=0, f=f, inv=0, ret=1, ids=ids, n=len(ids), **more)


def after(machine, *operations):
    """The only state after these operations."""
    (state,) = machine.init()
    for one in operations:
        (state,) = machine.step(state, one)
    return state


def seen(state):
    """All that is known of a state."""
    facts = (state.made, state.takes, state.exact)
    return (state.tail(9), state.id, state.length, state.tokens, *facts, state.top)


CREATE, DELETE, CLEAR, APPEND = act(F.CREATE), act(F.DELETE), act(F.CLEAR), act(F.APPEND, A)
LOST = act(F.APPEND, B, C, must=False)


@pytest.mark.parametrize(
    ("operations", "state"),
    [
        ((), ([], 0, 0, 0, False, True, True, 9)),
        ((DELETE,), ([], 0, 0, 0, False, True, True, 9)),
        ((CREATE,), ([], 0, 0, 0, True, True, True, 9)),
        ((CREATE, DELETE), ([], 0, 0, 0, False, True, False, 9)),
        ((APPEND, DELETE), ([], 0, 0, 0, False, True, False, 9)),
        ((APPEND, CLEAR), ([], 0, 0, 0, False, True, False, 9)),
        ((act(F.CLEAR, value=3),), ([], 0, 0, 0, False, True, False, 9)),
        ((CREATE, DELETE, CREATE), ([], 0, 0, 0, True, True, False, 9)),
        ((APPEND, CREATE), ([A], A, 1, TOKENS[A], False, True, True, 10)),
        (
            (CREATE, act(F.APPEND, A, B)),
            ([A, B], B, 2, TOKENS[A] + TOKENS[B], True, True, True, 11),
        ),
        ((act(F.CREATE, A, value=10),), ([A], A, 1, TOKENS[A], True, True, True, 10)),
        ((APPEND, act(F.REPLACE, B)), ([B], B, 1, TOKENS[B], False, True, False, 10)),
    ],
)
def test_a_session_after_some_operations(operations, state):
    """What it holds, whether it is known and takes appends, and its last number."""
    assert seen(after(model(start=10), *operations)) == state


def test_without_numbers_every_message_is_given_the_same():
    """So that no order of messages is told from another by them."""
    machine = model()
    assert seen(after(machine))[-1] == -1
    assert seen(after(machine, act(F.APPEND, A, B)))[-1] == 0


def test_a_session_that_refuses_takes_nothing_until_it_is_made():
    """Neither before its creation nor after its deletion; a clear leaves it known."""
    machine = model(creates=False)
    state = after(machine)
    assert machine.step(state, APPEND) == ()
    assert machine.step(after(machine, CREATE, DELETE), APPEND) == ()
    assert after(machine, CREATE, DELETE, CREATE, APPEND).tail(1) == [A]
    assert after(machine, CREATE, CLEAR, APPEND).tail(1) == [A]


def test_a_session_that_may_have_been_there_begins_in_two_states():
    """And a creation makes the first one the second."""
    missing, made = model(there=True).init()
    assert (missing.made, made.made) == (False, True)
    machine = model(there=True)
    missing, made = machine.init()
    assert machine.step(missing, CREATE) == (made,)


@pytest.mark.parametrize("first", [(CREATE,), (APPEND,)])
def test_a_creation_with_messages_must_make_the_session(first):
    """It did nothing where it was known already."""
    machine = model()
    assert machine.step(after(machine, *first), act(F.CREATE, B)) == ()


def test_an_append_of_unknown_fate_may_only_take_its_numbers():
    """Also those of a session that is created afterwards; not where numbers are not judged."""
    machine = model(start=10)
    for state in (after(machine), after(machine, APPEND)):
        grown, skipped = machine.step(state, LOST)
        assert seen(grown) == seen(after(machine, *([APPEND] * state.length), act(F.APPEND, B, C)))
        assert seen(skipped) == (*seen(state)[:-1], state.top + 2)
        assert machine.step(state, LOST)[1] is skipped
        assert state.skipping(3).top == state.top + 3
        assert skipped.digest == state.digest
    (created,) = machine.step(machine.step(after(machine), LOST)[1], CREATE)
    assert seen(created) == ([], 0, 0, 0, True, True, True, 11)
    assert len(machine.step(after(machine, CLEAR), LOST)) == 1
    assert len(model().step(after(model()), LOST)) == 1


def test_what_nobody_saw_has_no_order():
    """Two orders of unseen messages are one state; of seen ones they are two."""
    one, other = act(F.APPEND, A), act(F.APPEND, B)
    machine = model(unseen=frozenset({A, B}))
    state = after(machine, one, other)
    assert state is after(machine, other, one)
    assert state.tail(2) == [2**64 - 1] * 2
    machine = model()
    assert after(machine, one, other) is after(machine, one, other)
    assert after(machine, one, other).tail(2) == [A, B]
    machine = model(unseen=frozenset({A}))
    assert after(machine, one, other).tail(2) == [2**64 - 1, B]


@pytest.mark.parametrize(
    ("known", "stands"),
    [
        ({}, True),
        ({"places": {B: 1}}, True),
        ({"places": {B: 0}}, False),
        ({"above": {B: A}}, True),
        ({"above": {B: C}}, False),
        ({"below": {A: B}}, True),
        ({"below": {A: C}}, False),
        ({"above": {A: C}}, None),
    ],
)
def test_a_message_stands_where_the_answers_say(known, stands):
    """At its place, behind the one before it and before the one behind it."""
    machine = model(**known)
    (state,) = machine.init()
    assert bool(machine.step(state, APPEND)) is (stands is not None)
    if stands is not None:
        (state,) = machine.step(state, APPEND)
        assert bool(machine.step(state, act(F.APPEND, B))) is stands


def test_reads_are_due_where_their_last_message_is_the_newest():
    """And nowhere else."""
    machine = model(due={A: [7]})
    assert list(machine.due(after(machine, APPEND))) == [7]
    assert list(machine.due(after(machine))) == []


def answer(f, *ids, n=0, **more):
    """What a read of these ids says; of a part of it, what is given."""
    digest = digest_of(np.array(ids, np.uint64))
    said = {"length": len(ids), "last": ids[-1] if ids else 0, "digest": digest} | more
    return Operation(row=0, f=f, inv=0, ret=1, n=n, **said)


BOTH = act(F.APPEND, A, B)


@pytest.mark.parametrize(
    ("held", "said", "right"),
    [
        (BOTH, answer(F.READ, A, B), True),
        (BOTH, answer(F.PAGES, A, B), True),
        (BOTH, answer(F.READ, A, B, length=1), False),
        (BOTH, answer(F.READ, A, B, last=A), False),
        (BOTH, answer(F.READ, C, B), False),
        (BOTH, answer(F.READ), False),
        (CLEAR, answer(F.READ), True),
        (CLEAR, answer(F.READ, last=A, digest=7), True),
        (CLEAR, answer(F.READ, A), False),
        (BOTH, answer(F.READ_LAST, B, n=1), True),
        (BOTH, answer(F.READ_LAST, A, B, n=3), True),
        (BOTH, answer(F.READ_LAST, B, n=1, length=2), False),
        (BOTH, answer(F.READ_LAST, B, n=1, last=A), False),
        (BOTH, answer(F.READ_LAST, C, B, n=2), False),
        (BOTH, answer(F.READ_LAST, n=0), True),
        (BOTH, answer(F.READ_LAST, n=-1), True),
        (BOTH, answer(F.READ_LAST, n=0, last=A, digest=7), True),
        (CLEAR, answer(F.READ_LAST, n=1), True),
        (CLEAR, answer(F.READ_LAST, A, n=1), False),
        (BOTH, answer(F.COUNT, A, B), True),
        (BOTH, answer(F.COUNT, A, B, value=TOKENS[A] + TOKENS[B]), True),
        (BOTH, answer(F.COUNT, A, B, value=1), False),
        (CLEAR, answer(F.READ, length=MISSING), True),
        (CREATE, answer(F.READ, length=MISSING), False),
        (BOTH, answer(F.READ, length=MISSING), False),
        (CLEAR, CLEAR, False),
    ],
)
def test_an_answer_fits_the_messages_that_are_held(held, said, right):
    """By its length, its last id and its digest; a write that took place answers nothing."""
    assert fits(after(model(), held), said) is right
