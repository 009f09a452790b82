"""What is still on its way to the disk at each point of a recording, and what a crash may leave.

One model is one pair of functions: what a sync makes safe, and which of the rest may be lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random  # noqa: TID251 - the type alone

from sessionproof.contract.seed import generator
from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.layers import PAGE, SECTOR, Layers
from sessionproof.faults.crashes.names import NAMING, Names, Naming
from sessionproof.faults.crashes.places import bits, since
from sessionproof.faults.crashes.states import KILL, POWER_ORDERED, POWER_STRICT

ALONE = 48
"""How many of the pending changes are lost alone, and kept alone, at one point.

A store that never syncs has all its changes pending at the end: half of these are the newest,
the others are drawn anew for each point.
"""
_SUBSETS = 4
_EDGES = 6

WHOLE = "whole"
NONE_SURVIVES = ("none",)
ONE_IS_LOST = ("names up to", "file up to", "alone lost")
"""Manners of candidates: a killed process loses nothing; all that is pending, a part of it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What is not on the disk at ``point``: changes of bytes by file, and those of names."""

    point: int
    data: dict[int, list[int]]
    names: list[int]

    @property
    def all(self) -> list[int]:
        """The places of all of them, in order."""
        return sorted([*self.names, *(place for places in self.data.values() for place in places)])


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that a crash may leave; ``manner`` says how it was made, as in "alone lost".

    ``lost`` is a set of places as ``places.bits`` makes it.
    """

    manner: str
    point: int
    lost: int = 0
    cut: tuple[int, int] | None = None
    sectors: tuple[int, tuple[int, ...]] | None = None


class Facts:
    """A recording with what follows from it: made once for all its points."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.layers = Layers(changes)
        self.names = Names(changes)
        self.naming = {naming.place: naming for naming in self.names.all}
        self.kinds: list[int] = changes.rows["kind"].tolist()
        self.files: list[int] = changes.rows["file"].tolist()


def candidates(
    facts: Facts, model: str, points: Container[int] | None = None
) -> Iterator[tuple[int, list[Candidate]]]:
    """For each point from 0 on, what the model lets a crash leave there; some of it is alike.

    With ``points``, for those alone.
    """
    if model == KILL:
        yield from ((at, found) for at, found in _killed(facts) if points is None or at in points)
        return
    make = _ordered if model == POWER_ORDERED else _strict
    for pending in _pendings(facts, model):
        if points is None or pending.point in points:
            yield pending.point, list(make(facts, pending))


def pending_at(facts: Facts, model: str, point: int) -> Pending:
    """What a crash behind the first ``point`` changes may take under a model of lost power."""
    return next(pending for pending in _pendings(facts, model) if pending.point == point)


def _killed(facts: Facts) -> Iterator[tuple[int, list[Candidate]]]:
    for point in range(len(facts.kinds) + 1):
        found = [Candidate(WHOLE, point)]
        if point:  # the kernel looks for a fatal signal between the pages of one write
            found += [
                Candidate("cut", point, cut=(point - 1, kept))
                for kept in _edges(facts.layers, point - 1, PAGE)
            ]
        yield point, found


def _pendings(facts: Facts, model: str) -> Iterator[Pending]:
    data: defaultdict[int, list[int]] = defaultdict(list)
    names: list[int] = []
    away: dict[int, set[int]] = {}  # strict: folders that must be synced for a change of names
    for point in range(len(facts.kinds) + 1):
        yield Pending(point, {file: places[:] for file, places in data.items() if places}, names[:])
        if point == len(facts.kinds):
            return
        kind, file = facts.kinds[point], facts.files[point]
        if kind in NAMING:
            names.append(point)
            away[point] = set(facts.naming[point].folders)
        elif kind in {Kind.WRITTEN, Kind.SIZED}:
            data[file].append(point)
        elif kind == Kind.SYNCED_ALL:
            data.clear()
            names.clear()
        elif kind == Kind.SYNCED:
            data.pop(file, None)
            if model == POWER_STRICT:
                for place in names:
                    away[place].discard(file)
                names = [place for place in names if away[place]]
            else:
                names = _committed(facts, data, names, file)


def _committed(facts: Facts, data: dict[int, list[int]], names: list[int], file: int) -> list[int]:
    """The names still pending after a sync: names go to the disk in order, up to this file's last.

    Data that was written before a rename is on the disk when the rename is.
    """
    mine = [place for place in names if _about(facts.naming[place], file)]
    count = names.index(mine[-1]) + 1 if mine else 0
    for moved, place in _carried(facts, names[:count]).items():
        data[moved] = [one for one in data.get(moved, ()) if one > place]
    return names[count:]


def _about(naming: Naming, file: int) -> bool:
    return naming.file == file or file in naming.folders


def _carried(facts: Facts, names: Sequence[int]) -> dict[int, int]:
    """Files that were renamed, each with the place of its last rename among ``names``."""
    return {facts.files[one]: one for one in names if facts.kinds[one] == Kind.RENAMED}


def _ordered(facts: Facts, pending: Pending) -> Iterator[Candidate]:
    """Names in order up to some change, of each file's bytes the first so many changes."""
    names, data, point = pending.names, pending.data, pending.point
    random = _random(POWER_ORDERED, point)
    carried = _carried(facts, names)
    masks = {file: bits(places) for file, places in data.items()}
    late = {file: since(mask, carried.get(file, 0)) for file, mask in masks.items()}
    every = sum(late.values())  # no change is of two files
    named_all = bits(names)

    def lost(named: int, kept: Mapping[int, int]) -> int:
        before = _carried(facts, names[:named])
        gone = since(named_all, names[named]) if named < len(names) else 0
        for file, places in data.items():
            count = kept.get(file, 0)
            if count < len(places):
                gone |= since(masks[file], max(places[count], before.get(file, 0)))
        return gone

    yield Candidate("all", point)
    torn = _last_write(facts, pending)
    cuts = [(torn, kept) for kept in _cuts(facts.layers, torn, random)]
    ups = _spread(range(len(names)), random)
    there = {file for _, file, _ in facts.names.tree(point, 0).files}
    downs = {  # of a file that was removed nobody sees how much is kept
        file: _spread(range(len(places)), random) for file, places in data.items() if file in there
    }
    whole = {file: len(places) for file, places in data.items()}
    # Neighbours in this list differ in little, which makes them quick to tell apart.
    for cut in cuts:
        yield Candidate("torn", point, cut=cut)
    for named in reversed(ups):
        yield Candidate("names up to", point, lost(named, whole))
    for file, counts in downs.items():
        for kept in reversed(counts):
            yield Candidate("file up to", point, since(late[file], data[file][kept]))
    for file, counts in downs.items():
        others = every ^ late[file]
        for kept in reversed(counts):
            gone = others | since(late[file], data[file][kept] + 1)
            yield Candidate("file up to, alone", point, gone)
    rest = every ^ late[facts.files[torn]] if cuts else 0
    for cut in cuts:
        yield Candidate("torn, alone", point, rest, cut=cut)
    yield Candidate("names alone", point, every)
    for named in reversed(ups):
        yield Candidate("names up to, alone", point, lost(named, {}))
    yield Candidate("none", point, lost(0, {}))
    for _ in range(_SUBSETS if data or names else 0):
        drawn = {file: random.randint(0, count) for file, count in whole.items()}
        yield Candidate("drawn", point, lost(random.randint(0, len(names)), drawn))


def _last_write(facts: Facts, pending: Pending) -> int:
    """The place of the newest write that no rename has taken along, -1 where there is none."""
    carried = _carried(facts, pending.names)
    ends = (
        places[-1] for file, places in pending.data.items() if places[-1] > carried.get(file, -1)
    )
    newest = max(ends, default=-1)
    return newest if newest >= 0 and facts.kinds[newest] == Kind.WRITTEN else -1


def _strict(facts: Facts, pending: Pending) -> Iterator[Candidate]:
    """Any of the pending changes, and of a write any of its sectors."""
    point, places = pending.point, pending.all
    every = bits(places)
    random = _random(POWER_STRICT, point)
    yield Candidate("all", point)
    if not places:
        return
    alone = [places[at] for at in _spread(range(len(places)), random)]
    writes = [place for place in alone if facts.kinds[place] == Kind.WRITTEN]
    cuts = [(place, kept) for place in writes[-1:] for kept in _cuts(facts.layers, place, random)]
    parts = [(place, some) for place in writes[-1:] for some in _sectors(facts, place, random)]
    # Neighbours in this list differ in little, which makes them quick to tell apart.
    for place in alone:
        yield Candidate("alone lost", point, 1 << place)
    for place in writes:  # the file has grown, the bytes are not there
        yield Candidate("zeros", point, sectors=(place, ()))
    for cut in cuts:
        yield Candidate("torn", point, cut=cut)
    for sectors in parts:
        yield Candidate("sectors", point, sectors=sectors)
    for place in alone:
        yield Candidate("alone kept", point, every ^ 1 << place)
    for cut in cuts:
        yield Candidate("torn, alone", point, every ^ 1 << cut[0], cut=cut)
    for sectors in parts:
        yield Candidate("sectors, alone", point, every ^ 1 << sectors[0], sectors=sectors)
    yield Candidate("none", point, every)
    for _ in range(_SUBSETS):
        yield _drawn(facts, point, places, random)


def _drawn(facts: Facts, point: int, places: list[int], random: Random) -> Candidate:
    often = random.choice((0.2, 0.5, 0.8))
    lost = bits(place for place in places if random.random() < often)
    writes = [place for place in places if facts.kinds[place] == Kind.WRITTEN]
    torn = random.choice(writes) if writes else -1
    if torn < 0 or lost >> torn & 1:
        return Candidate("drawn", point, lost)
    count = _sectors_in(facts.layers, torn)
    some = tuple(one for one in range(count) if random.random() < 0.5)
    return Candidate("drawn", point, lost, sectors=(torn, some))


def _random(model: str, point: int) -> Random:
    """Chance of its own for each point: which states there are does not hang on a run's seed."""
    return generator(0, "crash", model, point)


def _spread(places: Sequence[int], random: Random) -> list[int]:
    """All of them, or the newest and some older ones."""
    if len(places) <= ALONE:
        return list(places)
    newest = list(places[-ALONE // 2 :])
    return sorted(random.sample(places[: -ALONE // 2], ALONE // 2)) + newest


def _edges(layers: Layers, place: int, step: int) -> list[int]:
    """How many bytes of a write lie before each multiple of ``step`` inside it."""
    first, end = layers.span(place)
    return [edge - first for edge in range((first // step + 1) * step, end, step)]


def _cuts(layers: Layers, place: int, random: Random) -> list[int]:
    """Where a write may be torn: at edges of pages, at one of a sector, at one byte."""
    first, end = layers.span(place)
    if end - first < 2:
        return []
    edges = _edges(layers, place, PAGE)
    sectors = _edges(layers, place, SECTOR)
    some = random.sample(edges, min(_EDGES, len(edges)))
    some += random.sample(sectors, min(1, len(sectors)))
    return sorted({*some, random.randrange(1, end - first)})


def _sectors_in(layers: Layers, place: int) -> int:
    first, end = layers.span(place)
    return -(-end // SECTOR) - first // SECTOR if end > first else 0


def _sectors(facts: Facts, place: int, random: Random) -> list[tuple[int, ...]]:
    """Which sectors of a write survive: all but the first, the last alone, some."""
    count = _sectors_in(facts.layers, place)
    if count < 2:
        return []
    some = tuple(one for one in range(count) if random.random() < 0.5)
    return [tuple(range(1, count)), (count - 1,), some]
