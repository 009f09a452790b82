"""Transactions for several clients at once: drawn, asked, and recorded as a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from random import Random  # noqa: TID251 - the type alone
from typing import TypeAlias

from sessionproof.contract import transactions as contract
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Outcome
from sessionproof.history.tokens import id_of, text_of
from sessionproof.history.transactions import Step, Transaction
from sessionproof.workload.racers import Ask, Did
from sessionproof.workload.texts import said

Program: TypeAlias = tuple[tuple[Step, ...], ...]
"""What a client asks for, one transaction after the other; reads without their answers."""

# What goes wrong in services: two sides of a move, a look at both, a check before an append.
_SHAPES = (
    ("+0", "+1"),
    ("=0", "=1"),
    ("=0", "+0"),
    ("=0", "=1", "+0"),
    ("=0", "=1", "+1"),
    ("+0", "=1", "+1"),
    ("=0", "+0", "+0", "=0"),
    ("=2", "+0", "=1"),
    ("+0", "+1", "+2"),
    ("=0", "=1", "=2"),
)


class Numbers:
    """Gives ids of messages, each once."""

    def __init__(self) -> None:
        self._next = count(1)

    def take(self) -> int:
        """One more."""
        return next(self._next)


def programs(
    random: Random, numbers: Numbers, sessions: Sequence[str], *, clients: int, length: int
) -> list[Program]:
    """For each client so many transactions of two to four steps, on three sessions at most."""
    return [
        tuple(_transaction(random, numbers, sessions) for _ in range(length))
        for _ in range(clients)
    ]


def _transaction(random: Random, numbers: Numbers, sessions: Sequence[str]) -> tuple[Step, ...]:
    names = random.sample(sessions, len(sessions))
    return tuple(
        Step("append", names[int(place) % len(names)], (numbers.take(),))
        if kind == "+"
        else Step("read", names[int(place) % len(names)], None)
        for kind, place in map(tuple, random.choice(_SHAPES))
    )


def asked(program: Program, sample: Message) -> list[Ask]:
    """The calls of a program; its messages are the sample with texts that hold their ids."""
    return [Ask("transact", (tuple(_asked(step, sample) for step in one),)) for one in program]


def _asked(step: Step, sample: Message) -> contract.Step:
    if step.f == "read":
        return contract.Step(step.session)
    messages = tuple(
        said(sample, text_of(number), at_us=sample.created_at_us) for number in step.ids or ()
    )
    return contract.Step(step.session, messages)


class Unfit(Exception):
    """An answer that the contract does not allow; the text says what."""


def recorded(programs: Sequence[Program], done: Sequence[Sequence[Did]]) -> list[Transaction]:
    """The history of a race; raises Unfit.

    A client goes on under another number after an outcome that nobody knows.
    """
    made, clients = [], len(programs)
    for client, own in enumerate(done):
        number = client
        for steps, did in zip(programs[client], own, strict=False):
            made.append(_recorded(steps, did, number))
            number += clients * (did.outcome.type == "info")
    return made


def _recorded(steps: Sequence[Step], did: Did, client: int) -> Transaction:
    kind = did.outcome.type
    answered = tuple(_answered(steps, did.outcome)) if kind == "ok" else tuple(steps)
    ret = None if kind == "info" else did.ended_ns
    return Transaction(client, did.began_ns, ret, kind, answered)


def _answered(steps: Sequence[Step], outcome: Outcome) -> Iterator[Step]:
    answers = outcome.value
    if len(answers) != len(steps):
        raise Unfit(f"transact answered {len(answers)} times for {len(steps)} steps")
    for step, answer in zip(steps, answers, strict=True):
        is_list = isinstance(answer, list)
        if is_list != (step.f == "read"):
            what = "no list of messages for a read" if step.f == "read" else "a list for an append"
            raise Unfit(f"transact answered {what}")
        yield Step("read", step.session, ids_of(answer)) if is_list else step


def ids_of(messages: Sequence[Message]) -> tuple[int, ...]:
    """The ids that the texts of messages hold; 0 for a text that no client has sent."""
    return tuple(id_of(_text(message)) for message in messages)


def _text(message: Message) -> object:
    if message.kind == "tool_call" and isinstance(message.arguments, Mapping):
        return message.arguments.get("text")
    return message.content


def beside(transactions: Sequence[Transaction]) -> int:
    """How many took place while another client's was under way on one of the same sessions."""
    spans = sorted((one for one in transactions if not one.final), key=lambda one: one.inv)
    met: set[int] = set()
    for at, one in enumerate(spans):
        for place in range(at + 1, len(spans)):
            other = spans[place]
            if one.ret is not None and other.inv > one.ret:
                break
            if one.client != other.client and _sessions(one) & _sessions(other):
                met |= {at, place}
    return sum(spans[at].type == "ok" for at in met)


def _sessions(one: Transaction) -> set[str]:
    return {step.session for step in one.steps}
