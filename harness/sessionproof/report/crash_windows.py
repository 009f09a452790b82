"""What the page shows of the files around a crash: a picture, and the same steps as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.contract.verdicts import CrashWindow, FileStep
from sessionproof.report.plain import cut, shown
from sessionproof.svg.file_lanes import Crash, Gap, Kind, Left, Row, Step, file_lanes, sample

STEPS_MAX = 40  # rows of the picture
BEFORE = 30  # of them before the crash, where there are more
NAME_CHARACTERS_MAX = 60
SAID_CHARACTERS_MAX = 160

_KINDS: dict[str, Kind] = {
    "write": "write", "size": "size", "name": "name", "sync": "sync", "answer": "answer",
}  # fmt: skip
_LEFTS: dict[str, Left] = {"yes": "yes", "no": "no", "torn": "torn", "after": "after"}
_KIND_WORDS: dict[Kind, str] = {
    "write": "bytes written",
    "size": "cut or grown",
    "name": "made, renamed or removed",
    "sync": "brought to the disk",
    "answer": "answered",
}
_LEFT_WORDS: dict[Left, str] = {
    "yes": "survived",
    "no": "lost",
    "torn": "torn: a part survived",
    "after": "came after the crash",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step as a row of the table; the crash itself has ``said`` alone."""

    said: str
    number: str = ""
    file: str = ""
    left: str = ""
    class_: str = "crash"


@dataclass(frozen=True, kw_only=True)
class DrawnCrash:
    """All that stands on the page about the steps of a crash window."""

    picture: Markup
    legend: tuple[tuple[Markup, str], ...]
    lines: tuple[Line, ...]
    left_out: str


def drawn_crash(window: CrashWindow) -> DrawnCrash | None:
    """The steps of a window with the crash among them; None where it has none.

    Of more than ``STEPS_MAX`` those are kept that are nearest to the crash.
    """
    steps, crash = _nearest(window.steps)
    if not steps:
        return None
    when = _when(window)
    rows: list[Row] = []
    for place, one in enumerate(steps):
        between = one.at - steps[place - 1].at - 1 if place else 0
        if between > 0:
            rows.append(Gap(f"… {between:,} more"))
        if place == crash:
            rows.append(Crash(when))
        rows.append(_step(one))
    lines = [*map(_line, steps)]
    lines.insert(crash, Line(said=when))
    if crash == len(steps):
        rows.append(Crash(when))
    lanes = _lanes(steps)
    return DrawnCrash(
        picture=file_lanes(rows, lanes, label=_label(window, steps, len(lanes))),
        legend=_legend(steps),
        lines=tuple(lines),
        left_out=_left_out(window.left_out + len(window.steps) - len(steps)),
    )


def _nearest(steps: Sequence[FileStep]) -> tuple[Sequence[FileStep], int]:
    """At most ``STEPS_MAX`` steps, and the place among them before which the crash comes."""
    after = (place for place, one in enumerate(steps) if one.survived == "after")
    crash = next(after, len(steps))
    start = max(min(crash - BEFORE, len(steps) - STEPS_MAX), 0)
    return steps[start : start + STEPS_MAX], crash - start


def _lanes(steps: Sequence[FileStep]) -> list[str]:
    """Files in the order in which they come, then whoever was answered."""
    answered = {_name(one.file) for one in steps if one.kind == "answer"}
    return sorted(dict.fromkeys(_name(one.file) for one in steps), key=answered.__contains__)


def _step(one: FileStep) -> Step:
    left = _LEFTS.get(one.survived, "yes")
    told = {"no": "lost: ", "torn": "torn: "}.get(left, "")
    return Step(
        number=f"{one.at + 1:,}",
        lane=_name(one.file),
        kind=_KINDS.get(one.kind, "write"),
        words=told + _said(one),
        left=left,
    )


def _line(one: FileStep) -> Line:
    left = _LEFTS.get(one.survived, "yes")
    return Line(
        said=_said(one),
        number=f"{one.at + 1:,}",
        file=_name(one.file),
        left=_answered(one) if left == "yes" else _LEFT_WORDS[left],
        class_=f"left-{left}",
    )


def _answered(one: FileStep) -> str:
    """What is told of a step from before the crash that was not lost."""
    return {"answer": "had been given", "sync": ""}.get(one.kind, _LEFT_WORDS["yes"])


def _legend(steps: Sequence[FileStep]) -> tuple[tuple[Markup, str], ...]:
    """The kinds of marks that are there, then what can be left of them."""
    kinds = {_KINDS.get(one.kind, "write") for one in steps}
    lefts = {_LEFTS.get(one.survived, "yes") for one in steps} - {"yes"}
    return (
        *((sample(kind), words) for kind, words in _KIND_WORDS.items() if kind in kinds),
        *((sample("write", left), words) for left, words in _LEFT_WORDS.items() if left in lefts),
    )


def _label(window: CrashWindow, steps: Sequence[FileStep], lanes: int) -> str:
    lost = sum(one.survived in ("no", "torn") for one in steps)
    what = f"{len(steps)} steps in {lanes} lanes, downwards in time"
    return f"{what}; {_when(window)}; lost or torn: {lost}. The same steps are in the table below"


def _when(window: CrashWindow) -> str:
    """Where the crash comes: as steps are numbered from 1, behind the one of its number."""
    if window.point == 0:
        return f"crash before the first of {window.points:,} changes"
    return f"crash after change {window.point:,} of {window.points:,}"


def _left_out(number: int) -> str:
    if number <= 0:
        return ""
    return f"{number:,} other {'step is' if number == 1 else 'steps are'} not shown."


def _said(one: FileStep) -> str:
    return shown(cut(one.said, SAID_CHARACTERS_MAX))


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX)) if text else "the location"
