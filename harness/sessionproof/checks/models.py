"""A session as a state machine: what each operation may do, and which answers fit which state.

The meaning of each operation is that of ``oracle/model.py``, in ids instead of messages: empty and
unknown sessions may both answer "empty" or "not found", unless the session was created on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from sessionproof.history.columns import MISSING, NONE, F, digest_of
from sessionproof.history.tokens import tokens_of

S = TypeVar("S")

READS = frozenset({F.READ, F.READ_LAST, F.PAGES, F.COUNT})
REMOVALS = frozenset({F.CLEAR, F.DELETE, F.REPLACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one session, as the search sees it.

    ``row`` is its place in the history. ``inv`` and ``ret`` are nanoseconds. ``must`` is False
    where the outcome is unknown: it may take effect at any time after ``inv``, or never.
    ``final``: read when all was quiet.
    ``refused`` says of a write that it was answered "not found". ``ids`` are those that it
    sent. No two have one ``key``; ``after`` is the key of an operation that must stand before it.
    """

    row: int
    f: F
    inv: int
    ret: int
    client: int = 0
    final: bool = False
    must: bool = True
    refused: bool = False
    key: int = 0
    after: int | None = None
    ids: tuple[int, ...] = ()
    n: int = 0
    length: int = 0
    digest: int = 0
    last: int = 0
    value: int = NONE


class Model(Protocol[S]):
    """What ``explained`` asks of a state machine. States are hashable, equal ones interchangeable.

    ``step`` answers every state that may follow, none where the operation cannot have answered so.
    ``pure`` says that an operation changes no state: it can be placed as soon as it fits.
    ``due`` are keys of operations that fit no state but this one, once it was left.
    """

    def init(self) -> Iterable[S]:
        """The states that it may begin in."""
        ...

    def step(self, state: S, operation: Operation) -> Iterable[S]:
        """The states after the operation took effect with the answer that it gave."""
        ...

    def pure(self, operation: Operation) -> bool:
        """Whether the operation leaves every state as it is."""
        ...

    def due(self, state: S) -> Iterable[int]:
        """The keys of what must be placed before this state is left; none is always right."""
        ...


_UNSEEN = 2**64 - 1
"""Stands in a log for messages that no answer holds."""


class Log:
    """One state: the messages of a session, as a node of a tree in which equal logs are one object.

    ``made``: created on purpose, so it is known although it is empty. ``takes``: an append lands
    here whatever the store does with unknown sessions. ``exact``: nothing was removed yet, so
    numbers follow from places. ``top`` is the least number that its last message can have.
    """

    __slots__ = (
        "_digest",
        "_next",
        "above",
        "exact",
        "id",
        "length",
        "made",
        "takes",
        "tokens",
        "top",
    )

    def __init__(self, *, made: bool, takes: bool, exact: bool, top: int) -> None:
        self.above: Log | None = None
        self.id = 0
        self.length = 0
        self.tokens = 0
        self.made = made
        self.takes = takes
        self.exact = exact
        self.top = top
        self._digest: int | None = None
        self._next: dict[tuple[int, int, int, int], Log] = {}

    def grown(self, number: int, top: int, *, seen: bool) -> Log:
        """This log with one more message.

        Messages that nobody saw can be told apart by their number and their tokens alone: logs that
        differ in their order alone are one, and the orders are not tried.
        """
        base = self
        if not seen and self.id == _UNSEEN and self.above is not None:
            base = self.above
        length, tokens = self.length + 1, self.tokens + tokens_of(number)
        number = number if seen else _UNSEEN
        key = (number, length, tokens, top)
        found = base._next.get(key)
        if found is None:
            found = Log(made=self.made, takes=True, exact=self.exact, top=top)
            found.above, found.id, found.length, found.tokens = base, number, length, tokens
            base._next[key] = found
        return found

    def skipping(self, numbers: int) -> Log:
        """This log after so many numbers were given to nothing."""
        key = (self.id, self.length, -1, numbers)
        found = self._next.get(key)
        if found is None:
            top = self.top + numbers
            found = Log(made=self.made, takes=self.takes, exact=self.exact, top=top)
            found.above, found.id = self.above, self.id
            found.length, found.tokens, found._digest = self.length, self.tokens, self._digest
            self._next[key] = found
        return found

    def tail(self, n: int) -> list[int]:
        """The ids of the newest ``n`` messages, oldest first."""
        out: list[int] = []
        at = self
        while at.above is not None and len(out) < n:
            out += [at.id] * (at.length - at.above.length)
            at = at.above
        return out[:n][::-1]

    @property
    def digest(self) -> int:
        """That of all ids."""
        if self._digest is None:
            self._digest = _digest(self.tail(self.length))
        return self._digest


def _digest(ids: Sequence[int]) -> int:
    return digest_of(np.array(ids, np.uint64))


@dataclass(frozen=True)
class Known:
    """What answers say of places: an append that stands elsewhere need not be tried.

    ``places``: of an id, in every log that holds it. ``above``, ``below``: the id right before and
    after another. ``due``: the reads whose newest message this id is. Only ids that one operation
    sent, and what all answers agree on, are in here. ``unseen``: ids that are in no answer.
    """

    places: Mapping[int, int] = field(default_factory=dict)
    above: Mapping[int, int] = field(default_factory=dict)
    below: Mapping[int, int] = field(default_factory=dict)
    due: Mapping[int, Sequence[int]] = field(default_factory=dict)
    unseen: frozenset[int] = frozenset()


NOTHING = Known()


class SessionModel:
    """A session of a store.

    ``creates``: an append to a missing session makes it; otherwise it is refused. ``there``: it may
    have been made before the history begins. ``start``: the number of a session's first message;
    None where numbers are not judged. Numbers follow from places until something is removed, and
    rise strictly from then on, again from ``start`` at the least. An append of unknown fate may
    take its numbers and leave no message.
    """

    def __init__(
        self,
        *,
        creates: bool,
        there: bool,
        start: int | None = None,
        known: Known = NOTHING,
    ) -> None:
        self._start = start
        self._known = known
        top = -1 if start is None else start - 1
        self._missing = Log(made=False, takes=creates, exact=True, top=top)
        self._made = Log(made=True, takes=True, exact=True, top=top)
        self._made_again = Log(made=True, takes=True, exact=False, top=top)
        self._deleted = Log(made=False, takes=creates, exact=False, top=top)
        self._emptied = Log(made=False, takes=True, exact=False, top=top)
        self._there = there

    def init(self) -> tuple[Log, ...]:
        """Missing; also made where that may have been before."""
        return (self._missing, self._made) if self._there else (self._missing,)

    def pure(self, operation: Operation) -> bool:
        """Reads, writes that were answered "not found", and appends of nothing."""
        return operation.f in READS or operation.refused

    def due(self, state: Log) -> Sequence[int]:
        """A message is the newest once: reads that end with it belong there."""
        return self._known.due.get(state.id, ())

    def step(self, state: Log, operation: Operation) -> tuple[Log, ...]:
        """What may follow; see ``Model``."""
        if self.pure(operation):
            return (state,) if fits(state, operation) else ()
        match operation.f:
            case F.APPEND:
                grown = self._grown(state, operation) if state.takes else ()
                skips = self._start is not None and state.exact and not operation.must
                return (*grown, state.skipping(len(operation.ids))) if skips else grown
            case F.CREATE:
                return self._created(state, operation)
            case F.DELETE:
                never = state.exact and not state.made and not state.length
                return (state,) if never else (self._deleted,)
            case F.CLEAR:
                return (self._emptied,)
            case _:
                return self._grown(self._emptied, operation)

    def _created(self, state: Log, operation: Operation) -> tuple[Log, ...]:
        """A session that is there stays as it is; a creation with messages must make it."""
        if state.length or state.made:
            return () if operation.ids else (state,)
        made = self._made if state.exact else self._made_again
        skipped = state.top - self._missing.top
        return self._grown(made.skipping(skipped) if skipped else made, operation)

    def _grown(self, state: Log, operation: Operation) -> tuple[Log, ...]:
        """The log with the operation's ids; none where an answer contradicts it."""
        first = state.top + 1
        if self._start is not None and operation.value != NONE:
            if operation.value < first or (state.exact and operation.value != first):
                return ()
            first = operation.value
        for at, number in enumerate(operation.ids):
            if not self._stands(state, number):
                return ()
            top = first + at if self._start is not None else 0
            state = state.grown(number, top, seen=number not in self._known.unseen)
        return (state,)

    def _stands(self, state: Log, number: int) -> bool:
        """Whether no answer contradicts that this id comes next."""
        known = self._known
        if known.places.get(number, state.length) != state.length:
            return False
        if not state.length:
            return number not in known.above
        return (
            known.above.get(number, state.id) == state.id
            and known.below.get(state.id, number) == number
        )


def fits(state: Log, operation: Operation) -> bool:
    """Whether the state gives this answer."""
    if operation.refused or operation.length == MISSING:
        return not state.length and not state.made
    match operation.f:
        case F.READ | F.PAGES:
            if operation.length != state.length or not state.length:
                return operation.length == state.length
            return operation.last == state.id and operation.digest == state.digest
        case F.READ_LAST:
            n = max(0, min(operation.n, state.length))
            if operation.length != n or not n:
                return operation.length == n
            return operation.last == state.id and operation.digest == _digest(state.tail(n))
        case F.COUNT:
            same = operation.length == state.length
            return same and operation.value in (NONE, state.tokens)
        case _:
            return False
