"""The states that a crash may leave: told apart, counted, and chosen over all crash points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import accumulate
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.layers import Layers, Torn, file_mark, folder_mark
from sessionproof.faults.crashes.names import Names
from sessionproof.faults.crashes.points import (
    NONE_SURVIVES,
    NOTHING,
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
    lost = tuple(sorted(candidate.lost))
    return State(model, candidate.point, lost, candidate.cut, candidate.sectors, digest)


def _distinct(facts: Facts, model: str) -> Iterator[tuple[int, Candidate, bytes]]:
    """Candidates that are not like an earlier one, with their places among those of their point."""
    answered = acknowledged(facts.changes)
    cursor = _Cursor(facts)
    seen: set[tuple[int, bytes]] = set()
    for point, found in candidates(facts, model):
        for place, candidate in enumerate(found):
            digest = cursor.digest(candidate)
            key = (answered[point], digest)
            if key not in seen:
                seen.add(key)
                yield place, candidate, digest


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


class _Cursor:
    """The digest of one state after another: only what differs from the last is looked at."""

    def __init__(self, facts: Facts) -> None:
        self._layers: Layers = facts.layers
        self._names: Names = facts.names
        self._point = 0
        self._lost: AbstractSet[int] = NOTHING
        self._torn: Torn | None = None
        self._pages: dict[tuple[int, int], int] = {}
        self._marks: defaultdict[int, int] = defaultdict(int)
        self._sizes: defaultdict[int, int] = defaultdict(int)

    def digest(self, candidate: Candidate) -> bytes:
        """That of the image of this candidate; its point is not before the last one's."""
        layers, point, lost = self._layers, candidate.point, candidate.lost
        torn = layers.torn(candidate.cut, candidate.sectors)
        changed = set(lost ^ self._lost)
        changed.update(range(self._point, point))
        changed.update(one.place for one in (torn, self._torn) if one)
        self._point, self._lost, self._torn = point, lost, torn
        resized: set[int] = set()
        pages: set[tuple[int, int]] = set()
        for place in changed:
            file = layers.file.get(place)
            if file is not None:
                pages.update((file, page) for page in layers.pages[place])
                if layers.decides_size(place, self._sizes[file]):
                    resized.add(file)
        for file, page in pages:
            mark = layers.mark(page, layers.chain(file, page, point, lost, torn), torn)
            self._marks[file] ^= self._pages.get((file, page), 0) ^ mark
            self._pages[file, page] = mark
        for file in resized:
            self._sizes[file] = layers.size(file, point, lost, torn)
        return self._combined()

    def _combined(self) -> bytes:
        tree = self._names.tree(self._point, self._lost)
        total = 0
        for folder in tree.folders:
            total ^= folder_mark(folder)
        for path, file, same_as in tree.files:
            total ^= file_mark(path, self._sizes[file], self._marks[file], same_as)
        return total.to_bytes(16, "little")
