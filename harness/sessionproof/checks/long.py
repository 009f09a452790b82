"""Many messages compared with those that were appended: fast while they are the same."""

from __future__ import annotations

from collections.abc import Sequence, Set
from operator import attrgetter

from sessionproof.checks.messages import Difference, compare
from sessionproof.contract.message import Message
from sessionproof.contract.operations import message_call
from sessionproof.oracle.model import ASSIGNED, differing


def first_wrong(expected: Sequence[Message], seen: object, keeps: Set[str]) -> int | None:
    """The place of the first element of a raw answer that is surely not right, or None. Linear.

    Nothing but exact plain types is compared, so no code of the store's runs. Only lists and
    tuples can be right at once. What is wrong here may still be allowed: that is for ``compare``,
    with copies. An answer that is too short or too long is wrong where the shorter one ends.
    """
    if type(seen) not in (list, tuple):
        return 0
    fields = _fields_of(expected, keeps)
    for place, (want, have) in enumerate(zip(expected, seen, strict=False)):  # type: ignore[call-overload]
        if type(have) is not Message:
            return place
        wanted, given = fields(want), fields(have)
        if _types(wanted) != _types(given) or wanted != given:
            return place
    length = len(seen)  # type: ignore[arg-type]
    return None if length == len(expected) else min(length, len(expected))


def difference(
    expected: Sequence[Message], seen: Sequence[Message], keeps: Set[str]
) -> Difference | None:
    """How two long lists differ, told by the first wrong message and its neighbours, or None."""
    found = compare(expected, seen, keeps)
    if found is None:
        return None
    pairs = enumerate(zip(expected, seen, strict=False))
    places = (place for place, (one, other) in pairs if differing(one, other, keeps))
    place = next(places, min(len(expected), len(seen)))
    return Difference(
        found.anomaly,
        f"{len(expected):,} messages; {_around(expected, place)}",
        f"{len(seen):,} messages; {_around(seen, place)}",
        found.change,
    )


def _around(messages: Sequence[Message], place: int) -> str:
    """The messages at a place and beside it, counted from 1."""
    near = range(max(0, place - 1), min(len(messages), place + 2))
    shown = [f"{number + 1:,}: {message_call(messages[number])}" for number in near]
    return "; ".join(shown) if shown and near[-1] >= place else "; ".join([*shown, "then nothing"])


def _types(values: tuple[object, ...]) -> list[int]:
    """Types by identity: a type may have a say in its own equality."""
    return [*map(id, map(type, values))]


def _fields_of(expected: Sequence[Message], keeps: Set[str]) -> attrgetter[tuple[object, ...]]:
    """The kept fields of a message as a tuple, without those that the store may fill itself."""
    left = {name for name in ASSIGNED if not expected or getattr(expected[0], name) is None}
    two = ("__class__", "__class__")  # of two names at least a getter makes a tuple
    return attrgetter(*two, *sorted(keeps - left))
