"""Transactions for clients: what is drawn, what is recorded, what counts as beside another."""

from __future__ import annotations

import pytest

from sessionproof import Message, Receipt
from sessionproof.contract.operations import Failure, Outcome
from sessionproof.contract.seed import generator
from sessionproof.history.tokens import text_of
from sessionproof.history.transactions import Step, Transaction
from sessionproof.workload.racers import Did
from sessionproof.workload.transacting import (
    Numbers,
    Unfit,
    asked,
    beside,
    programs,
    recorded,
)

SAMPLE = Message("user", "x")
READ, APPEND = Step("read", "a", None), Step("append", "a", (7,))


def drawn(seed: int = 0):
    """The programs of four clients on three sessions."""
    return programs(generator(seed, "x"), Numbers(), ("a", "b", "c"), clients=4, length=6)


def test_programs_are_those_of_the_seed():
    """The same seed draws the same, another one does not; ids are given once."""
    assert drawn() == drawn()
    assert drawn() != drawn(1)
    steps = [step for program in drawn() for one in program for step in one]
    ids = [number for step in steps for number in step.ids or ()]
    assert len(ids) == len(set(ids)) > 10
    assert {step.f for step in steps} == {"append", "read"}
    assert {step.session for step in steps} == {"a", "b", "c"}


def test_messages_hold_their_ids():
    """A step of the contract says the text of its id; a read has no messages."""
    (ask,) = asked(((READ, APPEND),), SAMPLE)
    (steps,) = ask.arguments
    assert ask.method == "transact"
    assert steps[0].messages is None
    assert [message.content for message in steps[1].messages] == [text_of(7)]


def did(outcome: Outcome) -> Did:
    """The only transaction of a client."""
    (ask,) = asked(((READ, APPEND),), SAMPLE)
    return Did(ask, outcome, 10, 20)


def test_answers_become_ids():
    """Known texts are ids, others 0; after an unknown outcome a client has another number."""
    told = Outcome("ok", [[Message("user", text_of(3)), Message("user", "what?")], Receipt((1,))])
    lost = Outcome("info", failure=Failure("Oops", "…"))
    program = ((READ, APPEND), (READ, APPEND), (READ, APPEND))
    made = recorded([program], [[did(told), did(lost), did(told)]])
    assert made[0] == Transaction(0, 10, 20, "ok", (Step("read", "a", (3, 0)), APPEND))
    assert made[1] == Transaction(0, 10, None, "info", (READ, APPEND))
    assert made[2].client == 1


@pytest.mark.parametrize("value", [[], [[]], [[], None, None], [None, None], [[], []]])
def test_answers_that_do_not_fit_their_steps_are_told(value):
    """One for each step: a list for a read, a receipt or None for an append."""
    with pytest.raises(Unfit):
        recorded([((READ, APPEND),)], [[did(Outcome("ok", value))]])


def test_beside_means_on_a_session_of_both():
    """Another client's, at the same time, on the same session; final reads do not count."""

    def one(client: int, inv: int, ret: int | None, session: str, kind: str = "ok", **more: bool):
        return Transaction(client, inv, ret, kind, (Step("read", session, ()),), **more)

    assert beside([one(0, 1, 5, "a"), one(1, 3, 6, "a")]) == 2
    assert beside([one(0, 1, 5, "a"), one(1, 3, 6, "b")]) == 0
    assert beside([one(0, 1, 5, "a"), one(0, 3, 6, "a")]) == 0
    assert beside([one(0, 1, 5, "a"), one(1, 6, 7, "a")]) == 0
    assert beside([one(0, 1, None, "a", "info"), one(1, 6, 7, "a")]) == 1
    assert beside([one(0, 1, 5, "a"), one(1, 2, 3, "b"), one(2, 4, 6, "a")]) == 2
    assert beside([one(0, 1, 5, "a"), one(1, 3, 6, "a", final=True)]) == 0
