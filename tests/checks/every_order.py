"""A judge of small histories of transactions that tries every order: slow, and easy to believe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import TypeAlias

from sessionproof.history.transactions import Transaction

State: TypeAlias = frozenset[tuple[str, tuple[int, ...]]]
"""What each session has that has anything."""


def explained(transactions: Sequence[Transaction], isolation: str) -> bool:
    """Whether some order of those that took place, or may have, gives every answer."""
    surely = [one for one in transactions if one.type == "ok"]
    perhaps = [one for one in transactions if one.type == "info"]
    for number in range(len(perhaps) + 1):
        for some in combinations(perhaps, number):
            there = (*surely, *some)
            if isolation == "snapshot" and _in_snapshots(there):
                return True
            strict = isolation == "strict-serializable"
            if isolation != "snapshot" and _one_by_one(there, strict=strict):
                return True
    return False


def _one_by_one(there: Sequence[Transaction], *, strict: bool) -> bool:
    number = len(there)

    @cache
    def goes_on(done: frozenset[int], state: State) -> bool:
        if len(done) == number:
            return True
        for at in set(range(number)) - done:
            ends = (there[other].ret for other in set(range(number)) - done - {at})
            if strict and any(ret is not None and ret < there[at].inv for ret in ends):
                continue
            if _answers(there[at], state) and goes_on(done | {at}, _after(there[at], state)):
                return True
        return False

    return goes_on(frozenset(), frozenset())


def _in_snapshots(there: Sequence[Transaction]) -> bool:
    """Each begins, sees what was committed then, and commits later.

    Two that write one session do not overlap.
    """
    number = len(there)

    @cache
    def goes_on(done: frozenset[int], begun: frozenset[int], state: State) -> bool:
        if len(done) == number:
            return True
        for at in begun:
            if goes_on(done | {at}, begun - {at}, _after(there[at], state)):
                return True
        return any(
            goes_on(done, begun | {at}, state)
            for at in _fresh(there, done, begun)
            if _answers(there[at], state)  # all its reads are of now, whenever it commits
        )

    return goes_on(frozenset(), frozenset(), frozenset())


def _fresh(
    there: Sequence[Transaction], done: frozenset[int], begun: frozenset[int]
) -> Iterator[int]:
    for at, one in enumerate(there):
        if at not in done | begun and not any(_wrote(one) & _wrote(there[it]) for it in begun):
            yield at


def _answers(one: Transaction, state: State) -> bool:
    """Whether the transaction reads just this from such a state."""
    own = dict(state)
    for step in one.steps:
        if step.f == "append":
            own[step.session] = own.get(step.session, ()) + (step.ids or ())
        elif one.type == "ok" and step.ids is not None and own.get(step.session, ()) != step.ids:
            return False
    return True


def _after(one: Transaction, state: State) -> State:
    after = dict(state)
    for step in one.steps:
        if step.f == "append":
            after[step.session] = after.get(step.session, ()) + (step.ids or ())
    return frozenset(after.items())


def _wrote(one: Transaction) -> set[str]:
    return {step.session for step in one.steps if step.f == "append"}
