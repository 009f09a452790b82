"""What a night does next: replays first, then the area that is furthest behind its share.

Pure functions of what the night has done so far. So a night that was interrupted goes on as if it
had not been, and what it does can be told without doing it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.seed import derive
from sessionproof.engine.areas import AREAS, REPLAYS, Area, area_of, rows_of
from sessionproof.report.nightly.corpus import Corpus, Owed, owed
from sessionproof.report.nightly.night import REPLAY, SPEED, Night, Ran, Slice
from sessionproof.workload.profiles import PROFILES

Known: TypeAlias = Mapping[tuple[str, str, str], float]
"""Seconds that a slice took at most, by its store, part and profile."""

SLICES_MOST = 2_000
"""More would only be made by a store that is judged in no time at all."""
_STARTING_S = 10.0  # a process, a look at the store, the report
_SHARES = 4.0  # what a guarantee takes, in shares of its profile: patience, other tests, scripts
_SPEED_SHARES = 100.0
_SLOWEST = 5.0
_DYING = 2  # an area whose runs die is left after so many
_ROOM = 1.2  # what a slice took may not be what it takes


def next_slice(night: Night, corpus: Corpus, known: Known, *, left_s: float) -> Slice | None:
    """The slice that is to run now; None when the night is over.

    ``corpus`` is that before the night, ``known`` the times of earlier nights. Nothing is chosen
    that would take longer than ``left_s``.
    """
    if len(night.ran) >= SLICES_MOST:
        return None
    times = taken([night], known)
    return _next_replay(night, corpus, times, left_s) or _next_of_areas(night, times, left_s)


def taken(nights: Iterable[Night], known: Known | None = None) -> dict[tuple[str, str, str], float]:
    """What each part took at most, with what is known of it from before.

    Slices that were cut short are left out: they say nothing of the whole.
    """
    found = dict(known or {})
    for night in nights:
        for ran in night.ran:
            if ran.state == "judged":
                name = (ran.asked.store, ran.asked.part, ran.asked.profile)
                found[name] = max(found.get(name, 0.0), ran.seconds)
    return found


def estimated_s(one: Slice, times: Known) -> float:
    """How long a slice will take: as long as any of its kind, else by its guarantees' weights.

    Replays differ in their guarantees, so theirs is by weight always, and by how slow the areas of
    these guarantees were.
    """
    name = (one.store, one.part, one.profile)
    if name in times and one.part != REPLAY:
        return _ROOM * times[name]
    if one.part == SPEED:
        return _STARTING_S + _SPEED_SHARES * PROFILES[one.profile].share_s
    return _guessed_s(one.rows, one.profile) * _slowness(one, times)


def _guessed_s(rows: Iterable[str], profile: str) -> float:
    weight = sum(GUARANTEES[row].weight for row in rows)
    return _STARTING_S + _SHARES * PROFILES[profile].share_s * weight


def _slowness(one: Slice, times: Known) -> float:
    """How many times the guess the areas of these guarantees took, from 1 to a bound."""
    own = {area_of(row) for row in one.rows}
    found = [
        times[name] / _guessed_s(rows_of(area, tuple(GUARANTEES)), one.profile)
        for area in AREAS
        if area.name in own and (name := (one.store, area.name, one.profile)) in times
    ]
    return min(_SLOWEST, max([1.0, *found]))


def _next_replay(night: Night, corpus: Corpus, times: Known, left_s: float) -> Slice | None:
    """Replays that are owed, those with one seed together, those that were made least first."""
    spent = sum(one.seconds for one in night.ran if one.asked.part == REPLAY)
    budget = min(left_s, REPLAYS * night.budget_s - spent)
    lost = lost_stores(night)
    together: dict[tuple[int, str, str, int], list[Owed]] = {}
    for one in owed(corpus, night):
        kept = one.kept
        if kept.store not in lost and kept.profile in PROFILES:
            name = (one.done, kept.store, kept.profile, kept.seed)
            together.setdefault(name, []).append(one)
    for (_, store, profile, seed), group in sorted(together.items(), key=_first):
        rows = tuple(dict.fromkeys(one.kept.row for one in group))
        chosen = Slice(store=store, part=REPLAY, profile=profile, seed=seed, rows=rows)
        if estimated_s(chosen, times) <= budget:
            return chosen
    return None


def _first(one: tuple[tuple[int, str, str, int], list[Owed]]) -> tuple[int, bool]:
    """What was replayed least comes first, and of that what may still be broken."""
    (done, *_), group = one
    return done, not any(each.kept.is_open for each in group)


def _next_of_areas(night: Night, times: Known, left_s: float) -> Slice | None:
    """The area that had least of its share, of those that have something to judge, and time."""
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for one in night.ran:
        spent[one.asked.store, one.asked.part] += one.seconds
    lost = lost_stores(night)

    def behind(one: tuple[str, Area]) -> tuple[float, int]:
        store, area = one
        # Of those that had nothing yet another is first each night: short nights come to all.
        return spent[store, area.name] / area.share, derive(night.seed, "turn", store, area.name)

    places = [(store, area) for area in AREAS for store in night.stores]
    for store, area in sorted(places, key=behind):
        rows = rows_of(area, night.rows)
        ran = [one for one in night.of(store) if one.asked.part == area.name]
        if not rows or store in lost or _is_done(area, ran):
            continue
        seed = derive(night.seed, "night", store, area.name, len(ran)) % 2**32
        chosen = Slice(store=store, part=area.name, profile=night.profile, seed=seed, rows=rows)
        if estimated_s(chosen, times) <= left_s:
            return chosen
    return None


def lost_stores(night: Night) -> set[str]:
    """The stores that are not asked again tonight: they could not be opened."""
    return {one.asked.store for one in night.ran if one.state == "not opened"}


def _is_done(area: Area, ran: list[Ran]) -> bool:
    """Whether an area has had all that it can have: it is for once, empty, or its runs die."""
    if area.once:
        return bool(ran)
    empty = any(one.state == "judged" and not one.held and not one.rows for one in ran)
    return empty or sum(one.state in ("died", "not run") for one in ran) >= _DYING
