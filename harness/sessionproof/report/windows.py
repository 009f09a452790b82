"""What the page shows of a concurrent history around a break: picture, operations, sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.contract.verdicts import Interval, Window
from sessionproof.report.amounts import duration
from sessionproof.report.plain import cut, shown
from sessionproof.svg.clients import Act, Kind, Outcome, clients, sample
from sessionproof.svg.timeline import Timeline

ACTS_MAX = 60  # bars of one picture
NAME_CHARACTERS_MAX = 40
CALL_CHARACTERS_MAX = 80
SAID_CHARACTERS_MAX = 160

READS = frozenset(
    {"read", "read_last", "page", "pages", "count", "get", "exists", "list", "search"}
)
OUTCOMES: dict[str, str] = {
    "ok": "took place",
    "fail": "refused",
    "info": "outcome unknown",
}
_TIMES = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation as a row of the table, and as what is said when its bar is pointed at.

    ``bar`` and ``row`` are the ids of its bar and of its row.
    """

    number: int
    bar: str
    row: str
    client: str
    call: str
    times: tuple[str, str, str]
    outcome: str
    said: str
    guilty: bool
    when: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """All that stands on the page about the intervals of a window.

    ``legend`` are small bars with what they mean, ``scale`` says how time is drawn,
    ``blame`` what each guilty one is, and ``first`` is the id of the first of them, or empty.
    """

    names: Markup
    bars: Markup
    blame: str
    rows: tuple[Row, ...]
    legend: tuple[tuple[Markup, str], ...]
    scale: str
    first: str
    left_out: str


def drawn_window(window: Window, key: str) -> Drawn | None:
    """The operations of a window; ``key`` begins their ids. None where it has none.

    Of more than ``ACTS_MAX`` the guilty ones are kept, and those that are nearest to them in time.
    """
    kept = _kept(window.intervals)
    if not kept:
        return None
    blame = blamed(sum(one.guilty for one in kept))
    rows = tuple(_row(one, number, key) for number, one in enumerate(kept))
    acts = [_act(one, row, blame) for one, row in zip(kept, rows, strict=True)]
    lanes = sorted(dict.fromkeys(act.lane for act in acts), key=_natural)
    picture = clients(acts, lanes, label=_label(window, kept, len(lanes)), shown=marks)
    return Drawn(
        names=picture.names,
        bars=picture.bars,
        blame=blame,
        rows=rows,
        legend=_legend(acts, blame),
        scale=_scale(picture.time),
        first=next((row.bar for row in rows if row.guilty), ""),
        left_out=_left_out(window.left_out + len(window.intervals) - len(kept), window.session),
    )


def blamed(number: int) -> str:
    """What each of so many guilty operations is."""
    alone = number == 1
    return "the one that is wrong" if alone else f"one of the {number} that cannot all be right"


def show_command(window: Window) -> str:
    """The command that shows the session's history, to be run in the folder of the report.

    An id that could not be copied is left out: then it shows all sessions.
    """
    parts = ["sessionproof", "history", "show", window.history]
    if window.session.isprintable() and 0 < len(window.session) <= NAME_CHARACTERS_MAX:
        parts.append(f"--session={window.session}")
    return shlex.join(parts)


def key_of(guarantee: str, number: int) -> str:
    """What begins the ids of a finding's parts on the page."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', cut(guarantee, NAME_CHARACTERS_MAX))}-{number}"


def marks(times: Sequence[float]) -> list[str]:
    """Each time in as few digits as tell it from its neighbours: ``0``, ``1.000004 s``."""
    for digits in range(3, 16):
        written = [_mark(time, digits) for time in times]
        if len(set(written)) == len(set(times)):
            break
    return written


def _mark(time: float, digits: int) -> str:
    size, unit = next((pair for pair in _TIMES if time >= pair[0]), _TIMES[-1])
    return f"{time / size:.{digits}g} {unit}" if time else "0"


def _kept(intervals: Sequence[Interval]) -> list[Interval]:
    """In the order of their beginnings, at most ``ACTS_MAX``."""
    guilty = [one.began_us for one in intervals if one.guilty] or [0.0]

    def distance(one: Interval) -> tuple[bool, float]:
        return not one.guilty, min(abs(one.began_us - time) for time in guilty)

    nearest = sorted(intervals, key=distance)[:ACTS_MAX]
    return sorted(nearest, key=lambda one: (one.began_us, _natural(one.client)))


def _row(one: Interval, number: int, key: str) -> Row:
    ended = None if one.outcome == "info" else one.ended_us
    took = "" if ended is None else duration(ended - one.began_us)
    times = (_micros(one.began_us), "never" if ended is None else _micros(ended), took)
    when = f"from {times[0]} µs on" if ended is None else f"from {times[0]} to {times[1]} µs"
    return Row(
        number=number,
        bar=f"{key}-bar-{number}",
        row=f"{key}-row-{number}",
        client=_name(one.client),
        call=shown(cut(one.call, CALL_CHARACTERS_MAX)),
        times=times,
        outcome=OUTCOMES.get(one.outcome, _name(one.outcome)),
        said=shown(cut(one.said, SAID_CHARACTERS_MAX)),
        guilty=one.guilty,
        when=f"{when} ({took})" if took else when,
    )


def _act(one: Interval, row: Row, blame: str) -> Act:
    parts = [f"{row.client}: {_spoken(row.call)}", row.when, row.outcome, row.said]
    if row.guilty:
        parts.append(blame)
    outcome: Outcome = "fail" if one.outcome == "fail" else "ok"
    unknown = one.outcome == "info" or one.ended_us is None
    return Act(
        lane=row.client,
        began=one.began_us,
        ended=None if unknown else one.ended_us,
        titles=_titles(row.call),
        words="; ".join(filter(None, parts)),
        id=row.bar,
        href=f"#{row.row}",
        kind=_kind(one),
        outcome="info" if unknown else outcome,
        guilty=one.guilty,
        class_=f"o{row.number}",
    )


def _titles(call: str) -> tuple[str, ...]:
    """A call, and what is left of it where there is little room: ``append(#8)``, ``#8``."""
    name, _, arguments = call.partition("(")
    return call, arguments.removesuffix(")") or name


def _spoken(call: str) -> str:
    """A call as ``append #8``: who speaks to the machine names a bar by any word that it shows."""
    name, _, arguments = call.partition("(")
    return f"{name} {arguments.removesuffix(')')}".rstrip()


def _kind(one: Interval) -> Kind:
    return "read" if one.call.partition("(")[0].strip() in READS else "write"


def _legend(acts: Sequence[Act], blame: str) -> tuple[tuple[Markup, str], ...]:
    """The kinds of bars that are there."""
    every = (
        (sample("write", "ok"), "writes", any(act.kind == "write" for act in acts)),
        (sample("read", "ok"), "reads", any(act.kind == "read" for act in acts)),
        (sample("write", "fail"), "refused", any(act.outcome == "fail" for act in acts)),
        (sample("write", "info"), "outcome unknown", any(act.outcome == "info" for act in acts)),
        (
            sample("write", "ok", guilty=True),
            blame.removeprefix("one of "),
            any(act.guilty for act in acts),
        ),
    )
    return tuple((picture, words) for picture, words, there in every if there)


def _scale(time: Timeline) -> str:
    """How time is drawn, in a sentence."""
    if time.exact:
        return "Time runs to the right, to scale."
    said = (
        "Time runs to the right, not to scale: beginnings and ends are in their order, and the "
        "longer a stretch is, the more it is shortened"
    )
    if not time.cuts:
        return f"{said}."
    long = duration(sum(ended - began for began, ended in time.cuts))
    if len(time.cuts) == 1:
        return f"{said}. In the shaded one, of {long}, nothing began or ended."
    return f"{said}. In the {len(time.cuts)} shaded ones, of {long}, nothing began or ended."


def _left_out(number: int, session: str) -> str:
    if number <= 0:
        return ""
    what = "1 other operation" if number == 1 else f"{number:,} other operations"
    where = f" on {_name(session)}" if session else ""
    return f"{what}{where} {'is' if number == 1 else 'are'} not shown."


def _label(window: Window, kept: Sequence[Interval], lanes: int) -> str:
    guilty = sum(one.guilty for one in kept)
    where = f"on session {_name(window.session)}" if window.session else "while opening"
    return (
        f"{len(kept)} operations of {lanes} clients {where}, in the "
        f"order in which they began; guilty: {guilty}"
    )


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that puts client 2 before client 10."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"([0-9]+)", name)
    ]


def _micros(time_us: float) -> str:
    return f"{time_us:,.1f}".removesuffix(".0")


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX)) if text else ""
