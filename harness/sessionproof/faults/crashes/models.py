"""The states that a crash may leave: told apart, counted, and chosen over all crash points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.layers import Layers, Torn, file_mark, folder_mark
from sessionproof.faults.crashes.names import NAMING, Names
from sessionproof.faults.crashes.places import bits, places_in
from sessionproof.faults.crashes.points import (
    NONE_SURVIVES,
    ONE_IS_LOST,
    WHOLE,
    Candidate,
    Facts,
    candidates,
)
from sessionproof.faults.crashes.states import State


def states(changes: Changes, model: str, *, generator: Random, most: int = 0) -> Iterator[State]:
    """The distinct states of a recording under one model, by rising crash points.

    With ``most``, at most so many, chosen by the generator: up to half of them right behind
    answers, without what had not been synced, or, where a kill loses nothing, where a transaction
    may just have ended; the others spread over the points, and at each over the ways in which
    states are made. Which states exist does not hang on the generator.
    """
    if most:
        yield from chosen(changes, model, generator=generator, most=most)[0]
        return
    for _, candidate, digest in _distinct(Facts(changes), model):
        yield _state(model, candidate, digest)


def chosen(
    changes: Changes, model: str, *, generator: Random, most: int
) -> tuple[list[State], int]:
    """At most so many of the ``states``, and how many there are: both for one enumeration."""
    facts = Facts(changes)
    digests, wanted = _chosen(facts, model, generator, most)
    points = {point for point, _ in wanted}
    return [
        _state(model, candidate, digests[point, place])
        for point, found in candidates(facts, model, points)
        for place, candidate in enumerate(found)
        if (point, place) in wanted
    ], len(digests)


def states_at(facts: Facts, model: str, point: int) -> list[tuple[str, State]]:
    """All states of one crash point, each with how it was made; also those of other points."""
    cursor = _Cursor(facts)
    _, found = next(candidates(facts, model, {point}))
    made = [(one.manner, _state(model, one, cursor.digest(one))) for one in found]
    first = {one[1].digest: one for one in reversed(made)}
    return [one for one in made if first[one[1].digest] is one]


def number_of(changes: Changes, model: str) -> int:
    """How many distinct states the model allows for this recording."""
    return sum(1 for _ in _distinct(Facts(changes), model))


def acknowledged(changes: Changes) -> list[int]:
    """For each point from 0 on, how many operations had been answered by then."""
    answers = (changes.rows["kind"] == Kind.ANSWERED).tolist()
    return list(accumulate(answers, initial=0))


def _state(model: str, candidate: Candidate, digest: bytes) -> State:
    lost = tuple(places_in(candidate.lost))
    return State(model, candidate.point, lost, candidate.cut, candidate.sectors, digest)


def _distinct(facts: Facts, model: str) -> Iterator[tuple[int, Candidate, bytes]]:
    """Candidates that are not like an earlier one, with their places among those of their point."""
    answered = acknowledged(facts.changes)
    cursor = _Cursor(facts)
    seen: set[tuple[int, bytes]] = set()
    made: set[tuple[object, ...]] = set()
    changing = bits(at for at, kind in enumerate(facts.kinds) if kind in _CHANGING)
    for point, found in candidates(facts, model):
        before = changing & ((1 << point) - 1)
        for place, candidate in enumerate(found):
            survive = (answered[point], before & ~candidate.lost, candidate.cut, candidate.sectors)
            if survive in made:  # what is made of the same changes need not be looked at
                continue
            made.add(survive)
            digest = cursor.digest(candidate)
            key = (answered[point], digest)
            if key not in seen:
                seen.add(key)
                yield place, candidate, digest


_CHANGING = {Kind.WRITTEN, Kind.SIZED, *NAMING}
_Key = tuple[int, int]
_ENDING = {Kind.SIZED, Kind.RENAMED, Kind.REMOVED}
_SYNCING = {Kind.SYNCED, Kind.SYNCED_ALL}


def _chosen(
    facts: Facts, model: str, random: Random, most: int
) -> tuple[dict[_Key, bytes], frozenset[_Key]]:
    """Digests of all states, by points and places among those of a point; which are chosen.

    Half of the choice is for what was lost although it had just been acknowledged, or for where a
    transaction may just have become visible. For the rest points take turns, and at each point its
    manners.
    """
    by_point: defaultdict[int, defaultdict[str, list[_Key]]]
    by_point = defaultdict(lambda: defaultdict(list))
    digests: dict[_Key, bytes] = {}
    for place, candidate, digest in _distinct(facts, model):
        key = (candidate.point, place)
        digests[key] = digest
        by_point[candidate.point][candidate.manner].append(key)
    answered = acknowledged(facts.changes)
    behind = [by_point[at] for at in by_point if at and answered[at] > answered[at - 1]]
    telling = [
        [key for at in behind for name in manners for key in at[name]]
        for manners in (NONE_SURVIVES, ONE_IS_LOST)
    ]
    telling += [
        [key for at in ends if at in by_point for key in by_point[at].get(WHOLE, ())]
        for ends in _ends(facts)
    ]
    first = [key for keys in telling for key in _shuffled(keys, random)][: most // 2]
    queues = [_by_turns(list(manners.values()), random) for manners in by_point.values()]
    taken = frozenset(first)
    rest = [key for key in _by_turns(queues, random, within=False) if key not in taken]
    return digests, taken.union(rest[: most - len(taken)])


def _ends(facts: Facts) -> tuple[list[int], list[int]]:
    """Points where a transaction may just have ended: by a name or a length, or before a sync.

    An operation of several transactions is half done there: a state among hundreds, as most are
    in the middle of a transaction, which a store takes back.
    """
    kinds = facts.kinds
    named = [at for at in range(1, len(kinds) + 1) if kinds[at - 1] in _ENDING]
    synced = [at for at in range(1, len(kinds)) if kinds[at] in _SYNCING]
    return named, synced


def _shuffled(keys: list[_Key], random: Random) -> list[_Key]:
    return random.sample(keys, len(keys))


def _by_turns(queues: list[list[_Key]], random: Random, *, within: bool = True) -> list[_Key]:
    """One of each queue in turn, in a drawn order; ``within`` draws the order of each, too."""
    random.shuffle(queues)
    if within:
        for queue in queues:
            random.shuffle(queue)
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


@dataclass(slots=True)
class _File:
    """What a file was in the last state in which it had a name."""

    there: int = 0
    torn: Torn | None = None
    mark: int = 0
    size: int = 0


class _Cursor:
    """The digest of one state after another: only what differs from the last is looked at."""

    def __init__(self, facts: Facts) -> None:
        self._layers: Layers = facts.layers
        self._names: Names = facts.names
        self._files: defaultdict[int, _File] = defaultdict(_File)
        self._pages: dict[tuple[int, int], int] = {}
        self._of: defaultdict[int, int] = defaultdict(int)  # all changes of a file's bytes
        for place, file in facts.layers.file.items():
            self._of[file] |= 1 << place

    def digest(self, candidate: Candidate) -> bytes:
        """That of the image of this candidate."""
        point, lost = candidate.point, candidate.lost
        torn = self._layers.torn(candidate.cut, candidate.sectors)
        tree = self._names.tree(point, lost)
        total = 0
        for folder in tree.folders:
            total ^= folder_mark(folder)
        there = ~lost & ((1 << point) - 1)
        for path, number, same_as in tree.files:
            file = self._files[number]
            self._follow(number, file, point, there & self._of[number], torn)
            total ^= file_mark(path, file.size, file.mark, same_as)
        return total.to_bytes(16, "little")

    def _follow(self, number: int, file: _File, point: int, there: int, torn: Torn | None) -> None:
        """Make the file what it is with these of its changes, of which one may be torn."""
        layers = self._layers
        if torn is not None and not there >> torn.place & 1:
            torn = None  # of another file
        changed = set(places_in(there ^ file.there))
        changed.update(one.place for one in (torn, file.torn) if one)
        lost, resized = ~there, False
        pages: set[int] = set()
        for place in changed:
            pages.update(layers.pages[place])
            resized = resized or layers.decides_size(place, file.size)
        for page in pages:
            mark = layers.mark(page, layers.chain(number, page, point, lost, torn), torn)
            file.mark ^= self._pages.get((number, page), 0) ^ mark
            self._pages[number, page] = mark
        if resized:
            file.size = layers.size(number, point, lost, torn)
        file.there, file.torn = there, torn
