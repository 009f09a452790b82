"""What the page of a trend draws: the ratio over runs, its lines, its changes, its nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10
from statistics import median

from markupsafe import Markup

from sessionproof.bench.tracking.archived import ArchivedRun
from sessionproof.bench.tracking.trend import Line, Trend, Trends
from sessionproof.report.amounts import digits, interval
from sessionproof.report.charts import COLOURS, NAME_CHARACTERS_MAX
from sessionproof.report.plain import cut, shown
from sessionproof.report.trends import Nightly, Told, row_of, sentence, short, told_of
from sessionproof.svg.course import Moment, Step, Stretch, course
from sessionproof.svg.plane import Axis
from sessionproof.svg.small import swatch

_DATE = slice(0, 10)  # of RFC 3339
_SPAN_LEAST = 0.05  # of the level: less than the usual noise must not look like a change
_ROOM = 0.15  # above and below, of the span
_WORDS_MAX = 1_500
NIGHTS = {"same": "holds", "faster": "holds", "above": "broken", "undecided": "not-run"}
"""The class of what a night said."""


@dataclass(frozen=True)
class LineMark:
    """A line for the legend: its colour, the run that it begins with, and why it begins."""

    swatch: Markup
    begins: str
    reason: str
    facts: str


@dataclass(frozen=True)
class TableRow:
    """A run with the ratio of each row; ``parted``: the run after it is of another line."""

    run: ArchivedRun
    cells: tuple[str, ...]
    parted: bool


def course_of(one: Trends, trend: Trend, nightly: Nightly) -> Markup:
    """The picture of one row of a store over all its runs."""
    told = told_of(one.store, trend)
    stretches = [
        _stretch(line, class_of(one, line.points[0].place), told, _nights(one, trend, nightly))
        for line in trend.lines
    ]
    said = "; ".join(sentence(each) for each in told) or "no change that two nights show"
    label = f"{row_of(trend)}, ratio to the floor over {len(one.runs)} runs: {said}"
    return course(
        stretches,
        len(one.runs),
        _axis(trend),
        shown=lambda place: date(one.runs[place]),
        label=shown(cut(label, _WORDS_MAX)),
    )


def class_of(one: Trends, place: int) -> str:
    """The colour of the line that the run at this place lies in."""
    return f"s{list(dict.fromkeys(one.lines)).index(one.lines[place]) % COLOURS}"


def line_marks(one: Trends) -> list[LineMark]:
    """The lines of a store, in the order in which they begin; none where there is but one."""
    firsts = [one.lines.index(line) for line in dict.fromkeys(one.lines)]
    if len(firsts) < 2:
        return []
    reasons = {line.points[0].place: line.reason for trend in one.rows for line in trend.lines}
    return [
        LineMark(
            swatch(class_of(one, place), "circle"), at(one.runs[place]), reasons.get(place, ""),
            one.runs[place].machine.get("cpu", ""),
        )
        for place in firsts
    ]  # fmt: skip


def date(run: ArchivedRun) -> str:
    """The day of a run's commit, or of the run."""
    return run.when[0][_DATE]


def at(run: ArchivedRun) -> str:
    """A run by its day and its commit."""
    return f"{date(run)} {short(run.commit)}" if run.commit else date(run)


def _stretch(line: Line, class_: str, told: Sequence[Told], said: Callable[[int], str]) -> Stretch:
    moments = tuple(
        Moment(
            place=point.place, value=point.ratio.value, low=point.ratio.low,
            high=point.ratio.high, words=shown(f"{at(point.run)}: {interval(point.ratio)}"),
            strip=NIGHTS.get(said(point.place), ""),
        )
        for point in line.points
    )  # fmt: skip
    ends = [0, *(change.at for change in line.changes), len(line.points)]
    steps = tuple(
        Step(
            place=line.points[each.change.at].place, start=line.points[start].place,
            end=line.points[end - 1].place, before=each.change.before, after=each.change.after,
            word=shown(cut(short(each.first.commit), NAME_CHARACTERS_MAX)) if each.first.commit
            else date(each.first),
            class_="slower" if each.change.share > 0 else "faster",
        )
        for each, start, end in zip(_of(told, line), ends, ends[2:], strict=False)
    )  # fmt: skip
    return Stretch(moments=moments, class_=class_, steps=steps, reason=shown(line.reason))


def _nights(one: Trends, trend: Trend, nightly: Nightly) -> Callable[[int], str]:
    """What the run at a place said of a row; ``nightly`` counts the runs left out, too."""
    return lambda place: nightly.get((place + one.left_out, trend.operation, trend.clients), "")


def _of(told: Sequence[Told], line: Line) -> list[Told]:
    return [one for one in told if one.line is line]


def _axis(trend: Trend) -> Axis:
    """Around all values, and at least so wide that noise looks small. Intervals may leave it."""
    values = [point.ratio.value for line in trend.lines for point in line.points]
    least = _SPAN_LEAST * median(values)
    middle, half = (min(values) + max(values)) / 2, max(max(values) - min(values), least) / 2
    room = half * (1 + 2 * _ROOM)
    decimals = max(0, 1 - floor(log10(room / 2)))
    return Axis(
        low=max(middle - room, 0.0), high=middle + room, logarithmic=False,
        shown=lambda value: f"×{value:.{decimals}f}",
    )  # fmt: skip


def table(one: Trends) -> list[TableRow]:
    """The runs of a store, the newest first."""
    by_row = [
        {point.place: f"×{digits(point.ratio.value)}" for line in row.lines
         for point in line.points}
        for row in one.rows
    ]  # fmt: skip
    rows = [
        TableRow(
            run,
            tuple(cells.get(place, "") for cells in by_row),
            parted=one.lines[place : place + 2][-1] != one.lines[place],
        )
        for place, run in enumerate(one.runs)
    ]
    return rows[::-1]
