"""Filling a store to a given size, through its own contract and as fast as that allows."""

from __future__ import annotations

import inspect
import math
import statistics
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Outcome
from sessionproof.workload.guard import Handle, Wait
from sessionproof.workload.texts import ZEROS, said, text_bytes, with_number
from sessionproof.workload.vocabulary import MARK_US, Vocabulary, timed

T = TypeVar("T")

Steps: TypeAlias = Generator[Any, Any, T]
"""Calls of a store, one after the other: yields what each answered, and is sent the value."""

Numbered: TypeAlias = Callable[[int], Message]
"""The message of this number in its session, counted from 0."""

_BATCH_MOST = 500  # larger ones are no faster, and more stores refuse them
_SINGLES = 12  # the first appends of a session, one message each: what an append costs
_QUICK_S = 0.1  # a batch that took less is doubled
# A batch that took longer is halved, far below any deadline of an operation. Not sooner: a store
# that writes whole sessions takes as long for one message, and would be filled by single ones.
_LONG_S = 1.0
_CHUNK_S = 0.5  # of work in the handle's thread at a time
_START_US, _STEP_US = 1_700_000_000_000_000, 1_000_000  # times of messages, where they need one


@dataclass
class Filled:
    """How far a session is. ``single_us`` are its first appends of one message, microseconds each.

    ``messages`` is how many it has, and ``start`` how many it had; ``seconds`` is the time that
    the store's calls took, ``most`` the largest batch that the store may be given. ``best_us`` is
    what a message took in the quickest of them.
    """

    messages: int
    most: int
    start: int = 0
    batch: int = 1
    seconds: float = 0.0
    best_us: float = math.inf
    single_us: list[float] = field(default_factory=list)

    @property
    def each_us(self) -> float:
        """What a message cost, in microseconds: in batches, where any were taken."""
        alone = len(self.single_us)
        if self.messages - self.start <= alone:
            return self.append_us
        return (self.seconds * 1e6 - sum(self.single_us)) / (self.messages - self.start - alone)

    @property
    def append_us(self) -> float:
        """What an append of one message cost, in microseconds; not a number before the first."""
        return statistics.median(self.single_us) if self.single_us else math.nan


def plain(words: Vocabulary, text: str = ZEROS) -> Numbered:
    """Messages with this text, whose end is their number: no two of a session are equal.

    Their times rise where the store is ordered by them.
    """
    sample = next((one for one in words.samples if one.kind == "text"), words.samples[0])
    timely = timed(sample, words.claims).created_at_us == MARK_US
    text = text[: text_bytes(words.claims, len(text))]

    def made(number: int) -> Message:
        at_us = _START_US + number * _STEP_US if timely else sample.created_at_us
        return said(sample, with_number(text, number), at_us=at_us)

    return made


def batch_most(claims: Claims) -> int:
    """How many messages are tried in one append: one where the store limits its batches."""
    return 1 if claims.limits.batch_bytes is not None else _BATCH_MOST


def fill(
    handle: Handle,
    session_id: str,
    messages: int,
    *,
    message: Numbered,
    claims: Claims,
    start: int = 0,
    until_s: float = math.inf,
) -> Outcome:
    """Append to a session that takes messages until it has so many; its value is ``Filled``.

    The session has ``start`` messages already. A few messages go in alone, then in batches that
    grow as long as they are quick and are taken; a batch that is refused is halved. A message that
    is refused alone ends it with that outcome, and so does a hang. At ``until_s`` of the monotonic
    clock it stops where it is.
    """
    filled = Filled(start, batch_most(claims), start)

    def chunk(store: Any, wait: Wait) -> None:
        driven(_appends(store, session_id, messages, message, filled), wait)

    while filled.messages < messages and monotonic_s() < until_s:
        at = filled.messages
        outcome = handle.lend(f"appends up to {messages:,} messages, {at:,} are there", chunk)
        if outcome.type != "ok":
            return outcome
    return Outcome("ok", filled)


def _appends(
    store: Any, session_id: str, messages: int, message: Numbered, filled: Filled
) -> Steps[None]:
    until = monotonic_s() + _CHUNK_S
    while filled.messages < messages and monotonic_s() < until:
        first = filled.messages
        size = min(filled.batch, messages - first)
        batch = [message(number) for number in range(first, first + size)]
        began = monotonic_s()
        try:
            yield store.append(session_id, batch)
        except Exception:
            if size == 1:
                raise
            filled.batch = filled.most = size // 2
            filled.messages = len((yield store.read(session_id)))  # a part may have landed
            continue
        spent = monotonic_s() - began
        filled.seconds += spent
        filled.best_us = min(filled.best_us, spent * 1e6 / size)
        filled.messages += size
        if len(filled.single_us) < _SINGLES and size == 1:
            filled.single_us.append(spent * 1e6)
        elif spent < _QUICK_S:
            filled.batch = min(filled.most, size * 2)
        elif spent > _LONG_S:
            filled.batch = max(1, size // 2)


def make_sessions(
    handle: Handle,
    number: int,
    *,
    message: Numbered,
    claims: Claims,
    capabilities: Collection[str],
    start: int = 0,
) -> Outcome:
    """Make sessions of one message each until there are so many; its value is how many there are.

    There are ``start`` of them already. A store that refuses messages at the creation is given them
    afterwards.
    """
    created = "create" in capabilities
    at_once = created and claims.limits.first_messages
    by_store = claims.session_ids == "store"
    made = start

    def steps(store: Any) -> Steps[None]:
        nonlocal made
        until = monotonic_s() + _CHUNK_S
        while made < number and monotonic_s() < until:
            name = None if by_store else f"session-{made}"
            first = [message(made)]
            if at_once:
                yield store.create(name, messages=first)
            else:
                if created:
                    name = yield store.create(name)
                yield store.append(name, first)
            made += 1

    while made < number:
        outcome = handle.lend(
            f"sessions up to {number:,}, {made:,} are there",
            lambda store, wait: driven(steps(store), wait),
        )
        if outcome.type == "fail" and at_once and made == start:
            at_once = False
        elif outcome.type != "ok":
            return outcome
    return Outcome("ok", made)


def driven(steps: Steps[T], wait: Wait) -> T:
    """Carry the calls out; from the first that answers an awaitable on, all in one task."""
    value: Any = None
    try:
        value = next(steps)
        while not inspect.isawaitable(value):
            value = steps.send(value)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    return wait(_awaiting(steps, value))  # type: ignore[no-any-return]


async def _awaiting(steps: Steps[T], value: Any) -> T:
    try:
        while True:
            try:
                answer = await value if inspect.isawaitable(value) else value
            except Exception as error:  # noqa: BLE001 - the steps decide what a refusal means
                value = steps.throw(error)
            else:
                value = steps.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
