"""What the page shows of an execution under a controlled schedule: a table with client columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionproof.contract.verdicts import ScheduleStep, ScheduleTable
from sessionproof.report.plain import cut, shown

ROWS_MAX = 160
COLUMNS_MAX = 8
NAME_CHARACTERS_MAX = 40
SAID_CHARACTERS_MAX = 240
DETAIL_CHARACTERS_MAX = 1_000
_COLOURS = 6  # of series, as the style sheet has them
_HEADS = {"stopped": "is stopped before", "waits": "waits"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row: ``at`` is its column, ``head`` what stands before what is ``said``."""

    number: str
    at: int
    kind: str
    head: str
    said: str
    operation: str
    detail: str
    matters: bool


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What one client did until another went on; ``name`` is the client's."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class DrawnSchedule:
    """All that stands on the page about an execution; ``heads`` are names with their colours."""

    heads: tuple[tuple[str, str], ...]
    stretches: tuple[Stretch, ...]
    told: str
    left_out: str


def drawn_schedule(table: ScheduleTable) -> DrawnSchedule | None:
    """The execution; None where nothing happened in it.

    Of more than ``ROWS_MAX`` rows the first and the last are there; what is done in columns beyond
    ``COLUMNS_MAX`` stands in the last one, with its name.
    """
    if not table.steps:
        return None
    half = ROWS_MAX // 2
    steps = [*enumerate(table.steps, 1)]
    kept = steps if len(steps) <= ROWS_MAX else [*steps[:half], *steps[-half:]]
    names = [_name(one) for one in table.clients[:COLUMNS_MAX]]
    if len(table.clients) > COLUMNS_MAX:
        names[-1] = "others"
    return DrawnSchedule(
        heads=tuple((name, f"s{at % _COLOURS}") for at, name in enumerate(names)),
        stretches=tuple(_stretches(kept, table.clients)),
        told=_told(table),
        left_out=f"{len(steps) - len(kept)} rows in the middle are in result.json."
        if len(kept) < len(steps)
        else "",
    )


def _stretches(steps: Sequence[tuple[int, ScheduleStep]], clients: Sequence[str]) -> list[Stretch]:
    out: list[list[tuple[int, ScheduleStep]]] = []
    for number, step in steps:
        broken = bool(out) and number != out[-1][-1][0] + 1
        if not out or step.switched or broken:
            out.append([])
        out[-1].append((number, step))
    return [
        Stretch(
            name=_name(part[0][1].client),
            lines=tuple(_line(number, step, clients) for number, step in part),
        )
        for part in out
    ]


def _line(number: int, step: ScheduleStep, clients: Sequence[str]) -> Line:
    at = clients.index(step.client) if step.client in clients else len(clients) - 1
    others = at >= COLUMNS_MAX - 1 and len(clients) > COLUMNS_MAX
    head = _HEADS.get(step.kind, "")
    times = f"{step.times:,} steps: " if step.times > 1 else ""
    return Line(
        number=f"{number:,}",
        at=min(at, COLUMNS_MAX - 1),
        kind=step.kind if step.kind in ("begin", "end", "stopped", "waits") else "step",
        head=f"{_name(step.client)}: {head}".rstrip() if others else head,
        said=times + shown(cut(step.said, SAID_CHARACTERS_MAX)),
        operation=_name(step.operation),
        detail=shown(cut(step.detail, DETAIL_CHARACTERS_MAX), lines=True),
        matters=step.matters,
    )


def _told(table: ScheduleTable) -> str:
    """What is in the table, in a sentence."""
    number, clients = table.interruptions, len(table.clients)
    times = {0: "Nobody is interrupted", 1: "One interruption is enough"}.get(
        number, f"{number:,} interruptions"
    )
    who = "one at work" if clients == 1 else f"{clients} at work, one at a time"
    return f"Step by step, downwards: {who}. {times}."


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX))
