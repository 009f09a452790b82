"""The trend: when the ratio of an operation to its floor changed, and between which commits.

It is told and never judged. Method and figures: docs/regressions.md, "The trend".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TypeAlias

from sessionproof.bench.tracking.archived import LINE_FACTS, ArchivedRun, Commit
from sessionproof.contract.causes import Causes
from sessionproof.contract.measurements import Ratio

WINDOW = 30
P_MOST = 0.001
LEAST = 0.03  # a change of less is not looked for
RUNS_LEAST = 5  # of a line: in fewer no change reaches that p, seen twice
NEAR = 1  # runs by which two nights may differ in where a change is
_FLEETING = ("load",)  # facts that differ from hour to hour
NEEDED = "could not tell: pip install 'sessionproof[trend]'"

Find: TypeAlias = Callable[[Sequence[float]], Sequence[int]]
"""Where the values of a series change: places of the first values that are different."""


class Unavailable(Exception):
    """Change points cannot be looked for; the text is a reason in one line."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run's ratio of an operation to its floor; ``place`` counts the store's runs from 0."""

    place: int
    run: ArchivedRun
    ratio: Ratio


@dataclass(frozen=True, kw_only=True)
class Change:
    """The ratio went from ``before`` to ``after``, medians of the runs between the changes.

    ``at`` is the place of the first run after it, in the points of its line. ``commits`` came
    between that run and the one before, the oldest first; where not ``all_known``, these are only
    the ones that are known to have come. ``facts`` of the machine that changed there too are
    sentences. ``causes`` are what the operation does before and after, None where not looked at.
    """

    at: int
    before: float
    after: float
    commits: tuple[Commit, ...]
    all_known: bool
    facts: tuple[str, ...] = ()
    causes: tuple[Causes, Causes] | None = None

    @property
    def share(self) -> float:
        """How much slower it became, as a share of before; below 0 it became faster."""
        return self.after / self.before - 1


@dataclass(frozen=True, kw_only=True)
class Line:
    """Runs that may be compared, in their order. ``reason`` is why it is not the line before."""

    points: tuple[Point, ...]
    changes: tuple[Change, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """An operation over time; ``untold`` says why no change could be looked for, or is empty."""

    operation: str
    clients: str
    lines: tuple[Line, ...]
    untold: str = ""

    @property
    def is_short(self) -> bool:
        """Whether its newest line has too few runs for any change to be seen in them."""
        newest = max(self.lines, key=lambda line: line.points[-1].place)
        return len(newest.points) < RUNS_LEAST

    @property
    def worst(self) -> float:
        """The largest share by which it became slower at once; 0 where it never did."""
        return max((change.share for line in self.lines for change in line.changes), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Trends:
    """One store: its runs in their order, the line of each, and the trend of each row.

    Rows without a ratio to a floor have none. ``left_out`` is the number of older runs that are
    not among these.
    """

    store: str
    runs: tuple[ArchivedRun, ...]
    lines: tuple[str, ...]
    rows: tuple[Trend, ...]
    left_out: int = 0


def found_by_otava(values: Sequence[float]) -> tuple[int, ...]:
    """Where a series changes. Raises Unavailable where the package is not installed."""
    try:
        from otava.analysis import compute_change_points
    except ImportError:
        raise Unavailable(NEEDED) from None
    found, _ = compute_change_points(
        list(values), window_len=WINDOW, max_pvalue=P_MOST, min_magnitude=LEAST
    )
    return tuple(int(one.index) for one in found)


def settled(values: Sequence[float]) -> list[float]:
    """The values without single odd nights: one that is off both its neighbours by a change's size.

    It is put to the nearer neighbour, or the tests of change points take it for noise of all. The
    last value has one neighbour, and stays.
    """
    found = list(values)
    for at in range(1, len(values) - 1):
        low, high = sorted((values[at - 1], values[at + 1]))
        if not low / (1 + LEAST) <= values[at] <= high * (1 + LEAST):
            found[at] = min(max(values[at], low), high)
    return found


def seen_twice(values: Sequence[float], find: Find = found_by_otava) -> tuple[int, ...]:
    """The changes of a series that were there the night before too, without its last value."""
    before = find(settled(values[:-1]))
    return tuple(at for at in find(settled(values)) if any(abs(at - one) <= NEAR for one in before))


def trends(runs: Iterable[ArchivedRun], *, find: Find = found_by_otava) -> tuple[Trends, ...]:
    """The trends of each store, the stores in the order of their first runs."""
    stores: dict[str, list[ArchivedRun]] = {}
    for run in sorted(runs, key=lambda one: one.when):
        stores.setdefault(run.store, []).append(run)
    return tuple(_of_store(store, own, find) for store, own in stores.items())


def newest(one: Trends, most: int) -> Trends:
    """The last runs of a store with what was found in all: the changes between two of these."""
    gone = max(0, len(one.runs) - most)
    rows = (
        replace(row, lines=tuple(line for each in row.lines if (line := _since(each, gone)).points))
        for row in one.rows
    )
    return Trends(
        store=one.store, runs=one.runs[gone:], lines=one.lines[gone:],
        rows=tuple(row for row in rows if row.lines), left_out=gone,
    )  # fmt: skip


def _since(line: Line, gone: int) -> Line:
    """The line without its points in the first runs, which are ``gone``."""
    kept = tuple(replace(one, place=one.place - gone) for one in line.points if one.place >= gone)
    less = len(line.points) - len(kept)
    changes = tuple(replace(one, at=one.at - less) for one in line.changes if one.at > less)
    return replace(line, points=kept, changes=changes)


def _of_store(store: str, runs: Sequence[ArchivedRun], find: Find) -> Trends:
    lines = tuple(run.line for run in runs)
    return Trends(store=store, runs=tuple(runs), lines=lines, rows=_rows(runs, lines, find))


def _rows(runs: Sequence[ArchivedRun], lines: Sequence[str], find: Find) -> tuple[Trend, ...]:
    """A trend for each row of a table that has a ratio, in the order in which they come."""
    rows: dict[tuple[str, str], dict[tuple[str, str], list[Point]]] = {}
    of_lines: dict[str, dict[int, ArchivedRun]] = {}
    for place, (run, line) in enumerate(zip(runs, lines, strict=True)):
        of_lines.setdefault(line, {})[place] = run
        for one in run.speeds:
            if one.ratio is not None and one.ratio.value > 0:  # shares are made of it
                own = rows.setdefault((one.operation, one.clients), {})
                points = own.setdefault((line, one.floor or ""), [])
                points.append(Point(place=place, run=run, ratio=one.ratio))
    return tuple(
        _trend(Trend(operation=operation, clients=clients, lines=()), own, of_lines, find)
        for (operation, clients), own in rows.items()
    )


def _trend(
    empty: Trend,
    own: Mapping[tuple[str, str], Sequence[Point]],
    of_lines: Mapping[str, Mapping[int, ArchivedRun]],
    find: Find,
) -> Trend:
    lines: list[Line] = []
    untold, old_floor = "", ""
    for (line, floor), points in own.items():
        reason = _reason(lines[-1].points[-1].run, old_floor, points[0].run, floor) if lines else ""
        old_floor = floor
        try:
            places = seen_twice([point.ratio.value for point in points], find)
        except Unavailable as why:
            places, untold = (), str(why)
        changes = _changes(empty.operation, points, places, of_lines[line])
        lines.append(Line(points=tuple(points), changes=changes, reason=reason))
    return replace(empty, lines=tuple(lines), untold=untold)


def _changes(
    operation: str,
    points: Sequence[Point],
    places: Sequence[int],
    of_line: Mapping[int, ArchivedRun],
) -> tuple[Change, ...]:
    ends = [0, *places, len(points)]
    parts = [points[start:end] for start, end in pairwise(ends)]
    changes = []
    for at, before, after in zip(places, parts, parts[1:], strict=False):
        last, first = before[-1], after[0]
        commits, all_known = commits_between(
            [run for place, run in of_line.items() if last.place <= place <= first.place]
        )
        known = (_causes(operation, reversed(before)), _causes(operation, after))
        changes.append(
            Change(
                at=at, before=_level(before), after=_level(after), commits=commits,
                all_known=all_known, facts=_differing(last.run, first.run),
                causes=(known[0], known[1]) if known[0] and known[1] else None,
            )
        )  # fmt: skip
    return tuple(changes)


def commits_between(runs: Sequence[ArchivedRun]) -> tuple[tuple[Commit, ...], bool]:
    """The commits after the first run's up to the last run's, and whether that is all of them.

    ``runs`` are all of one line, from the one to the other. A run's ``between`` may reach farther
    back than the run that stands before it now: archives are merged.
    """
    found: list[Commit] = []
    all_known = runs[0].commit is not None
    for before, run in pairwise(runs):
        all_known = all_known and (bool(run.between) or _is_same(before, run))
        found += [one for one in run.between or (run.commit,) if one is not None]
    start = runs[0].commit.id if runs[0].commit else None
    after = 1 + max((at for at, one in enumerate(found) if one.id == start), default=-1)
    return tuple({one.id: one for one in found[after:]}.values()), all_known


def _is_same(before: ArchivedRun, run: ArchivedRun) -> bool:
    return (
        before.commit is not None and run.commit is not None and before.commit.id == run.commit.id
    )


def _level(points: Sequence[Point]) -> float:
    return median(point.ratio.value for point in points)


def _causes(operation: str, points: Iterable[Point]) -> Causes | None:
    """What the operation does, by the first of the points whose run looked at it."""
    every = (one for point in points for one in point.run.causes if one.operation == operation)
    return next(every, None)


def _reason(last: ArchivedRun, old_floor: str, first: ArchivedRun, floor: str) -> str:
    """Why the line of the run ``first`` is not that of ``last``: what differs, by name."""
    said = [_said(last, first, name) for name in _parting(last, first)]
    said += [f"profile: {last.profile} → {first.profile}"] if last.profile != first.profile else []
    said += [f"floor: {old_floor} → {floor}"] if floor != old_floor else []
    return "; ".join(said)


def _parting(before: ArchivedRun, after: ArchivedRun) -> list[str]:
    """The facts for which the two runs are of different lines."""
    one_other = (
        (name, replace(before, machine={**before.machine, name: after.machine.get(name, "")}))
        for name in LINE_FACTS
    )
    return [name for name, run in one_other if run.line != before.line]


def _differing(before: ArchivedRun, after: ArchivedRun) -> tuple[str, ...]:
    """What else is different of the machine and of the harness, as ``python: 3.11.2 → 3.11.4``."""
    names = [one for one in {**before.machine, **after.machine} if one not in _FLEETING]
    said = [_said(before, after, name) for name in names
            if before.machine.get(name) != after.machine.get(name)]  # fmt: skip
    if before.sessionproof != after.sessionproof:
        said.append(f"sessionproof: {before.sessionproof} → {after.sessionproof}")
    return tuple(said)


def _said(before: ArchivedRun, after: ArchivedRun, name: str) -> str:
    old, new = (one.machine.get(name) or "not known" for one in (before, after))
    return f"{name}: {old} → {new}"
