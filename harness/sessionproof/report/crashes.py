"""What was found by crashes, for people: a line for each model, a table, a map of all points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.measurements import CrashCell, Crashes
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import RunResult, measured_once
from sessionproof.svg.crash_map import Column, Row, crash_map, sample
from sessionproof.svg.scales import rounds

COLUMNS_MAX = 240  # of a map; neighbours share one where there are more
MAPS_MAX = 4
ROWS_MAX = 40  # of the table
STRETCHES_MAX = 12  # that are told, for each model
NAME_CHARACTERS_MAX = 40
SAID_CHARACTERS_MAX = 120
WORDS_CHARACTERS_MAX = 1_000
LETTERS = "ABCDEF"  # kinds that have a colour of their own; rarer ones share the last


@dataclass(frozen=True)
class Found:
    """The crashes of one model with the guarantees that they belong to.

    ``first`` tells the first crash point at which something was wrong, empty for none.
    """

    guarantees: tuple[str, ...]
    crashes: Crashes
    wrong: int
    kinds: str
    first: str


@dataclass(frozen=True)
class Stretch:
    """Neighbouring crash points that went wrong in one way, in words."""

    model: str
    letter: str
    worst: str
    points: str
    answered: str
    states: str
    said: str


@dataclass(frozen=True)
class Drawn:
    """A map of the models of one kind of clients, what its letters mean, and its stretches.

    ``more`` counts stretches that are not among them.
    """

    clients: str
    names: Markup
    rows: Markup
    legend: tuple[tuple[Markup, str], ...]
    scale: str
    stretches: tuple[Stretch, ...]
    more: int


def crash_rows(result: RunResult) -> tuple[Found, ...]:
    """All crashes of a run, each once though several guarantees may have the same."""
    known = measured_once(result, Crashes)
    clients = list(dict.fromkeys(one.clients for one, _ in known))
    known.sort(key=lambda pair: clients.index(pair[0].clients))
    return tuple(Found(names, one, wrong(one), kinds(one), _first(one)) for one, names in known)


def crash_lines(rows: Iterable[Found]) -> list[str]:
    """One line for each model: ``kill: 412 of 412 states, none wrong``."""
    every = [row.crashes for row in rows]
    several = len({one.clients for one in every}) > 1
    return [summary(one, clients=several) for one in every]


def summary(one: Crashes, *, clients: bool = False) -> str:
    """How many states were judged and what was wrong; with ``clients`` also who called."""
    number = wrong(one)
    said = f"{number:,} wrong ({kinds(one)})" if number else "none wrong"
    name = f"{one.model}, {one.clients}" if clients else one.model
    also = "" if one.claimed else "; not claimed"
    return f"{name}: {one.judged:,} of {one.existing:,} states, {said}{also}"


def wrong(one: Crashes) -> int:
    """How many states were wrong."""
    return sum(one.by_anomaly.values())


def kinds(one: Crashes) -> str:
    """What was wrong, most frequent first: ``lost-message 10, unreadable 2``."""
    pairs = sorted(one.by_anomaly.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{_name(name)} {number:,}" for name, number in pairs if number)


def crash_maps(rows: Sequence[Found]) -> list[Drawn]:
    """A map for each kind of clients, with its models below each other."""
    maps: list[dict[str, Crashes]] = []
    for row in rows:
        one = row.crashes
        if not one.cells:
            continue
        for group in maps:
            if one.model not in group and next(iter(group.values())).clients == one.clients:
                group[one.model] = one
                break
        else:
            maps.append({one.model: one})
    return [_map(list(group.values())) for group in maps[:MAPS_MAX]]


def _map(models: Sequence[Crashes]) -> Drawn:
    points = sorted({cell.point for one in models for cell in one.cells})
    size = -(-len(points) // COLUMNS_MAX)  # points that share a column
    letters = _letters(models)
    rows = [
        Row(
            name=_name(one.model),
            below=f"{wrong(one) or 'none'} wrong" + ("" if one.claimed else ", not claimed"),
            columns=tuple(_columns(one, points, size, letters)),
            claimed=one.claimed,
        )
        for one in models
    ]
    drawn = crash_map(
        rows, ticks=_ticks(models, points, size), title="operations answered", label=_label(models)
    )
    told = [stretch for one in models for stretch in _stretches(one, letters)[:STRETCHES_MAX]]
    return Drawn(
        clients=_name(models[0].clients),
        names=drawn.names,
        rows=drawn.rows,
        legend=_legend(models, letters, some_not_judged=_not_judged(rows)),
        scale=_scale(len(points), size),
        stretches=tuple(told),
        more=sum(len(_stretches(one, letters)) for one in models) - len(told),
    )


def _letters(models: Sequence[Crashes]) -> dict[str, str]:
    """A letter for each anomaly, the most frequent first."""
    number: Counter[str] = Counter()
    for one in models:
        number.update({cell.worst: 0 for cell in one.cells if cell.bad})
        number.update(one.by_anomaly)
    names = [name for name, _ in number.most_common()]
    return {name: LETTERS[min(place, len(LETTERS) - 1)] for place, name in enumerate(names)}


def _columns(
    one: Crashes, points: Sequence[int], size: int, letters: Mapping[str, str]
) -> Iterable[Column]:
    """Each crash point, or as many neighbours as share a column; the worse one is shown."""
    by_point = {cell.point: cell for cell in one.cells}
    for start in range(0, len(points), size):
        cells = [by_point[point] for point in points[start : start + size] if point in by_point]
        judged = sum(cell.judged for cell in cells)
        worst = max((cell for cell in cells if cell.bad), key=_share, default=None)
        if worst is None:
            yield Column(share=0.0 if judged else None)
        else:
            letter = letters[worst.worst]
            yield Column(share=_share(worst), letter=letter, class_=_class(letter))


def _share(cell: CrashCell) -> float:
    return cell.bad / max(cell.judged, cell.bad, 1)


def _class(letter: str) -> str:
    return f"s{LETTERS.index(letter)}"


def _ticks(models: Sequence[Crashes], points: Sequence[int], size: int) -> list[tuple[int, str]]:
    """The columns at which round numbers of operations had been answered."""
    answered = {cell.point: cell.acknowledged for one in models for cell in one.cells}
    places = {point: place for place, point in enumerate(points)}
    numbers = rounds(0, max(answered.values(), default=0), most=8)
    first = ((next(at for at in points if answered[at] >= number), number) for number in numbers)
    return [(places[point] // size, f"{number:,.0f}") for point, number in first]


def _stretches(one: Crashes, letters: Mapping[str, str]) -> list[Stretch]:
    """Where something went wrong, in order; a crash point that was not judged ends no stretch."""
    out = []
    judged = [cell for cell in one.cells if cell.judged]
    for worst, group in groupby(judged, key=lambda cell: cell.worst if cell.bad else None):
        if worst is None:
            continue
        cells = list(group)
        bad, every = sum(cell.bad for cell in cells), sum(cell.judged for cell in cells)
        out.append(
            Stretch(
                model=_name(one.model),
                letter=letters[worst],
                worst=_name(worst),
                points=_span([cell.point for cell in cells]),
                answered=_span([cell.acknowledged for cell in cells]),
                states=f"{bad:,} of {every:,}",
                said=shown(cut(cells[0].said, SAID_CHARACTERS_MAX)),
            )
        )
    return out


def _span(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _first(one: Crashes) -> str:
    cell = next((cell for cell in one.cells if cell.bad), None)
    if cell is None:
        return ""
    return f"{cell.point:,}: {shown(cut(cell.said, SAID_CHARACTERS_MAX))}"


def _not_judged(rows: Sequence[Row]) -> bool:
    return any(column.share is None for row in rows for column in row.columns)


def _legend(
    models: Sequence[Crashes], letters: Mapping[str, str], *, some_not_judged: bool
) -> tuple[tuple[Markup, str], ...]:
    """Nothing wrong, each letter with its names, and how it looks where it is not claimed."""
    out = [(sample(""), "judged, none wrong")]
    for letter, group in groupby(letters, key=lambda name: letters[name]):
        names = [*group]
        words = f"{letter}: {', '.join(map(_name, names))}"
        if len(names) == 1 and (meaning := _meaning(names[0])):
            words = f"{words}, {meaning}"
        out.append((sample(_class(letter)), cut(words, WORDS_CHARACTERS_MAX)))
    if some_not_judged:
        out.append((sample("", judged=False), "not judged"))
    if any(not one.claimed and wrong(one) for one in models):
        out.append((sample("s0", claimed=False), "pale: the store does not claim this model"))
    return tuple(out)


def _meaning(name: str) -> str:
    return MEANINGS[Anomaly(name)] if name in {*map(str, Anomaly)} else ""


def _scale(points: int, size: int) -> str:
    if size == 1:
        return f"Each column is one of {points:,} crash points."
    return f"Each column is {size} of {points:,} crash points, shown by the worst of them."


def _label(models: Sequence[Crashes]) -> str:
    said = "; ".join(summary(one) for one in models)
    return cut(f"Crash points by model. {shown(said)}", WORDS_CHARACTERS_MAX)


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX)) if text else "?"
