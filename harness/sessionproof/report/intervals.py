"""What the pages of gates draw: how much more each operation costs, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sessionproof.bench.tracking.compared import Compared
from sessionproof.bench.tracking.nights import MARGIN, Night
from sessionproof.bench.tracking.pairs import MARGIN as PAIRED_MARGIN
from sessionproof.contract.measurements import Ratio
from sessionproof.report.charts import NAME_CHARACTERS_MAX
from sessionproof.report.compared import change, word
from sessionproof.report.plain import cut, shown
from sessionproof.svg.intervals import Interval, intervals

_LEAST, _MOST = 0.06, 0.30  # how far the axis goes from what is equal; farther is an arrow
_WORDS_MAX = 1_500


def comparison_picture(rows: Sequence[Compared]) -> Markup | None:
    """Head's cost over base's for each operation; None where there is no row."""
    drawn = [_interval(row.operation, row.ratio, word(row), tone_of(row)) for row in rows]
    return _picture(drawn, PAIRED_MARGIN, "Head's cost beside base's")


def nights_picture(rows: Sequence[Night]) -> Markup | None:
    """The run's ratio over the usual one; None where none is known."""
    drawn = [
        _interval(name_of(row), _over(row.ratio, row.usual), word_of(row), row.verdict)
        for row in rows
        if row.ratio is not None and row.usual is not None and row.gated
    ]
    return _picture(drawn, MARGIN, "The run's ratios beside the usual ones")


def tone_of(row: Compared) -> str:
    """The class that colours a row: its verdict, or that it is shown and does not fail."""
    return "warned" if row.warning else row.verdict


def name_of(row: Night) -> str:
    """The row's name: a single client is understood."""
    return row.operation if row.clients == "one client" else f"{row.operation}, {row.clients}"


def word_of(row: Night) -> str:
    """The verdict of a night as it is shown."""
    return "could not tell" if row.verdict == "undecided" else row.verdict


def _picture(drawn: Sequence[Interval], margin: float, what: str) -> Markup | None:
    if not drawn:
        return None
    far = [abs(end) for one in drawn if one.value is not None for end in (one.low, one.high)]
    most = min(_MOST, max(_LEAST, *far, _LEAST) * 1.1)
    said = "; ".join(f"{one.label} {one.title}, {one.words}" for one in drawn)
    return intervals(
        drawn, low=-most, high=most, margin=(1 / margin - 1, margin - 1),
        shown=lambda value: f"{value * 100:+.3g} %" if value else "equal",
        label=shown(cut(f"{what}: {said}", _WORDS_MAX)),
    )  # fmt: skip


def _interval(label: str, ratio: Ratio | None, words: str, class_: str) -> Interval:
    known = ratio is not None
    return Interval(
        label=shown(cut(label, NAME_CHARACTERS_MAX)), words=words, class_=class_,
        value=ratio.value - 1 if ratio is not None else None,
        low=ratio.low - 1 if ratio is not None else 0.0,
        high=ratio.high - 1 if ratio is not None else 0.0,
        title=change(ratio) if known and ratio is not None else "was not measured",
    )  # fmt: skip


def _over(ratio: Ratio, usual: float) -> Ratio:
    return Ratio(value=ratio.value / usual, low=ratio.low / usual, high=ratio.high / usual,
                 rounds=ratio.rounds, of=ratio.of)  # fmt: skip
