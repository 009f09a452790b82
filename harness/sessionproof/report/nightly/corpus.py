"""The seeds that are worth another look: those that broke something, and those that came near.

The corpus is what nights leave behind: ``after`` makes it of the corpus before and one night more.
Pure functions. A seed is kept for one guarantee of one store.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.night import REPLAY, SPEED, Night, Ran, Seen, Slice

OPEN_MOST = 3
"""So many seeds of one guarantee are kept that break it."""
CALM_MOST = 14
"""A seed whose break is mended is replayed in so many nights more."""
UNSURE_MOST = 3
"""A seed with which once could not be told is kept through so many nights in which it holds."""
CONFIRMING = 3
"""A new break is looked for again so many times in its first night."""
LEAST, MOST = 3, 20
_MISSED = 0.05

Key: TypeAlias = tuple[str, str, str, int]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A seed with which a guarantee of a store was seen broken, or could not be told.

    ``since`` names the night in which it came, or came back. Of ``tried`` runs since then that
    told, ``shown`` broke it. ``calm`` counts the nights in a row that saw it hold: above 0 it is
    mended. ``said`` and ``repeat`` are as in ``Seen``.
    """

    store: str
    row: str
    profile: str
    seed: int
    kind: Literal["broken", "unsure"]
    since: str
    tried: int = 0
    shown: int = 0
    calm: int = 0
    said: str = ""
    repeat: str = ""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return (self.store, self.row, self.profile, self.seed)

    @property
    def is_open(self) -> bool:
        """Whether it is a break that is not known to be mended."""
        return self.kind == "broken" and not self.calm

    @property
    def needed(self) -> int:
        """How often it has to hold in one night to be mended.

        So often that a break of its rate would have stayed hidden in one night of twenty at most.
        """
        rate = self.shown / (self.tried + 1)
        if not rate:
            return MOST
        return min(MOST, max(LEAST, math.ceil(math.log(_MISSED) / math.log(1 - rate))))


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """All seeds that are kept after the night ``until``; empty before the first."""

    until: str = ""
    entries: tuple[Kept, ...] = ()

    def open_rows(self) -> set[tuple[str, str]]:
        """The guarantees, by store and id, that are known to be broken."""
        return {(one.store, one.row) for one in self.entries if one.is_open}


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one night saw of a seed: how often what came, and how often it was replayed.

    ``out`` counts runs in which it decided nothing: not claimed any more, or in the baseline.
    """

    broken: int = 0
    held: int = 0
    unknown: int = 0
    out: int = 0
    replays: int = 0


def tallies(night: Night) -> dict[Key, Tally]:
    """What the night saw, by store, guarantee, profile and seed."""
    counted: dict[Key, Counter[str]] = {}
    for ran in night.ran:
        if ran.asked.part == SPEED:
            continue
        for row, word in _words(ran):
            key = (ran.asked.store, row, ran.asked.profile, ran.asked.seed)
            found = counted.setdefault(key, Counter())
            found[word] += 1
            found["replays"] += ran.asked.part == REPLAY
    return {key: Tally(**found) for key, found in counted.items()}


def after(corpus: Corpus, night: Night) -> Corpus:
    """The corpus once the night is over."""
    kept, broken = _kept_of(corpus, night), fresh(corpus, night)
    names = {(one.store, one.row) for one in (*kept, *broken)}
    unsure = [one for one in _unsure(night) if (one.store, one.row) not in names]
    return Corpus(until=night.name, entries=(*kept, *broken, *unsure))


def fresh(corpus: Corpus, night: Night) -> list[Kept]:
    """The seeds that broke something tonight and were not known, the first of each guarantee."""
    tonight, known = tallies(night), {one.key for one in corpus.entries}
    still = (one for one in _kept_of(corpus, night) if one.is_open)
    number = Counter((one.store, one.row) for one in still)
    found: list[Kept] = []
    for ran in night.ran:
        for seen in ran.rows:
            one = _kept(ran.asked, seen, night, "broken")
            if not seen.is_break or one.key in known or number[one.store, one.row] >= OPEN_MOST:
                continue
            tally = tonight[one.key]
            known.add(one.key)
            number[one.store, one.row] += 1
            found.append(replace(one, tried=tally.broken + tally.held, shown=tally.broken))
    return found


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A seed that is to be replayed tonight: it was ``done`` times, and is to be ``more`` times."""

    kept: Kept
    done: int
    more: int


def owed(corpus: Corpus, night: Night) -> list[Owed]:
    """The replays that are still to be made tonight.

    Each seed of the corpus once; one that was broken and holds, until it counts as mended; one
    that broke what was not known as broken, so often that a rate can be told.
    """
    tonight, known = tallies(night), corpus.open_rows()
    found = [(one, _more(one, tonight.get(one.key, Tally()))) for one in corpus.entries]
    first: dict[tuple[str, str], Kept] = {}
    for one in fresh(corpus, night):
        first.setdefault((one.store, one.row), one)
    confirming = [one for name, one in first.items() if name not in known]
    found += [(one, CONFIRMING - tonight[one.key].replays) for one in confirming]
    return [
        Owed(kept=one, done=tonight.get(one.key, Tally()).replays, more=more)
        for one, more in found
        if more > 0 and one.store in night.stores and one.row in night.rows
    ]


def _kept_of(corpus: Corpus, night: Night) -> list[Kept]:
    """What the night leaves of the seeds that were known before it."""
    tonight = tallies(night)
    turned = (_turned(one, tonight.get(one.key, Tally()), night) for one in corpus.entries)
    return [one for one in turned if one is not None]


def _more(one: Kept, tally: Tally) -> int:
    """How often a seed of the corpus is still to be replayed."""
    if not one.is_open:
        return 1 - tally.replays
    if tally.broken or tally.out:
        return 0
    # A replay that could not tell is made up for, twice at most.
    return min(one.needed - tally.held, one.needed + 2 - tally.replays)


def _turned(one: Kept, tally: Tally, night: Night) -> Kept | None:
    """A seed of the corpus after a night; None where it is of no use any more."""
    if tally.out:
        return None
    if tally.broken:
        back = one.calm or one.kind == "unsure"
        return replace(
            one,
            kind="broken",
            since=night.name if back else one.since,
            tried=(0 if back else one.tried) + tally.broken + tally.held,
            shown=(0 if back else one.shown) + tally.broken,
            calm=0,
        )
    if one.kind == "unsure" and tally.unknown:
        return None  # it is not the seed that keeps it from being told
    if not tally.held:
        return one
    calm = one.calm + 1 if one.calm or one.kind == "unsure" or tally.held >= one.needed else 0
    most = UNSURE_MOST if one.kind == "unsure" else CALM_MOST
    return replace(one, tried=one.tried + tally.held, calm=calm) if calm <= most else None


def _unsure(night: Night) -> list[Kept]:
    """One seed of each guarantee that could not be told with it, and could with another."""
    told = {(ran.asked.store, row) for ran in night.ran for row in ran.held}
    found: dict[tuple[str, str], Kept] = {}
    for ran in night.ran:
        for seen in ran.rows:
            name = (ran.asked.store, seen.id)
            if seen.is_unsure and name in told and ran.asked.part not in (REPLAY, SPEED):
                found.setdefault(name, _kept(ran.asked, seen, night, "unsure"))
    return list(found.values())


def _kept(asked: Slice, seen: Seen, night: Night, kind: Literal["broken", "unsure"]) -> Kept:
    return Kept(
        store=asked.store,
        row=seen.id,
        profile=asked.profile,
        seed=asked.seed,
        kind=kind,
        since=night.name,
        said=seen.said,
        repeat=seen.repeat,
    )


def _words(ran: Ran) -> Iterable[tuple[str, str]]:
    """Each guarantee of the slice with what came of it: a field of ``Tally``.

    What held with a fresh seed says nothing of any seed that is kept, and is left out.
    """
    seen = {one.id: one for one in ran.rows}
    if ran.asked.part != REPLAY:
        yield from ((row, _word(one)) for row, one in seen.items())
        return
    for row in ran.asked.rows:
        if row in ran.held:
            yield row, "held"
        elif row in seen:
            yield row, _word(seen[row])
        else:  # not claimed by what was judged whole; else nobody came to it
            yield row, "out" if ran.state == "judged" else "unknown"


def _word(seen: Seen) -> str:
    if seen.is_break:
        return "broken"
    return "unknown" if seen.verdict is Verdict.UNKNOWN else "out"
