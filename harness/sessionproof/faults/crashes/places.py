"""Sets of changes by their places in a recording, as the bits of a number: quick to tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def bits(places: Iterable[int]) -> int:
    """The set of these places."""
    found = 0
    for place in places:
        found |= 1 << place
    return found


def places_in(found: int) -> Iterator[int]:
    """The places of a set, from the first."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest


def since(found: int, place: int) -> int:
    """Those of a set from this place on."""
    return found >> place << place
