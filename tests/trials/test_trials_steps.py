"""The steps of a finding say who did what, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Count,
    Delete,
    Failure,
    List,
    Outcome,
    PopLast,
    Read,
    ReadPages,
    Reopen,
)
from sessionproof.contract.verdicts import Step
from sessionproof.trials.steps import steps_of

ONE, TWO = Message("user", "one #0"), Message("user", "two #1")
CLAIMS = Claims()


def ok(operation, value=None):
    """The operation, answered so."""
    return Completed(operation, Outcome("ok", value))


def test_a_lost_message_is_wanted():
    """The last step has what was answered and what should have been, by the messages' tokens."""
    steps = steps_of([ok(Append("s0", (ONE, TWO))), ok(Read("s0"), (ONE,))], CLAIMS)
    assert steps == (
        Step(call="append", session="s0", sent=("#0", "#1")),
        Step(call="read", session="s0", got=("#0",), want=("#0", "#1")),
    )


def test_a_changed_message_says_so():
    """A message that came back with its token and another content is told from an equal one."""
    changed = replace(TWO, role="assistant")
    (_, last) = steps_of([ok(Append("s0", (ONE, TWO))), ok(Read("s0"), (ONE, changed))], CLAIMS)
    assert last.got == ("#0", "#1 changed")
    assert last.want == ("#0", "#1")


def test_a_refused_step_changes_nothing_that_is_wanted():
    """What a refused append sent is not expected to be read."""
    refused = Completed(Append("s0", (TWO,)), Outcome("fail", failure=Failure("Refused", "no")))
    transcript = [ok(Append("s0", (ONE,))), refused, ok(Read("s0"), ())]
    steps = steps_of(transcript, CLAIMS)
    assert (steps[1].outcome, steps[1].said) == ("fail", "Refused")
    assert steps[2].want == ("#0",)


def test_where_the_oracle_has_no_word_nothing_is_wanted():
    """After an answer that the oracle refuses, and for other answers than messages, none is."""
    transcript = [ok(Append("s0", (ONE,))), ok(Read("s0"), ()), ok(Read("s0"), (ONE,))]
    assert steps_of(transcript, CLAIMS)[-1].want is None
    assert steps_of([ok(Append("s0", (ONE,))), ok(Count("s0"), 5)], CLAIMS)[-1] == Step(
        call="count", session="s0", said="5"
    )
    assert steps_of([], CLAIMS) == ()


def test_each_kind_of_answer_is_told():
    """Pages are one list, a popped message is a list of one, and other answers are words."""
    call = Message("assistant", None, kind="tool_call", name="f", call_id="call-7", arguments={})
    long = Message("user", "no token " * 9)
    steps = steps_of(
        [
            ok(Append("s0", (ONE, call, long))),
            ok(ReadPages("s0", 2), [[ONE, call], [long]]),
            ok(PopLast("s0"), long),
            ok(List(), ["s0"]),
            ok(Reopen()),
            Completed(Delete("s0"), Outcome("info", failure=Failure("hang", "no answer"))),
            ok(PopLast("s0"), None),
        ],
        Claims(kinds=frozenset({"text", "tool_call"})),
    )
    assert steps[0].sent == ("#0", "call-7", "no token no token no to…")
    assert steps[1].got == steps[0].sent
    assert steps[2].got == steps[0].sent[2:]
    assert (steps[3].said, steps[3].session) == ("1 session", "")
    assert (steps[4].call, steps[4].session) == ("close", "")
    assert (steps[5].outcome, steps[5].said) == ("info", "hang")
    assert steps[6].got == ()
