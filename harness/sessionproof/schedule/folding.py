"""Which rows of a schedule's table matter, and which may be told as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from sessionproof.contract.verdicts import ScheduleStep
from sessionproof.schedule.decisions import Step

ROWS_MOST = 40  # of a table; beyond that, steps between those that matter are put together
_FETCH = "fetch: "  # in front of the statement whose rows are fetched
_SETS_UP = re.compile(rf"({_FETCH})?(connect|close|pragma)\b", re.IGNORECASE)

Rows = list[tuple[ScheduleStep, Step | None]]
"""Rows of a table, each with the step of the execution that it shows, if it shows one."""


def marked(rows: Rows) -> Rows:
    """The rows, with those marked that other clients could have noticed.

    These are writes to what another touches too, and the steps on both sides of a switch.
    """
    touched: dict[object, set[int]] = {}
    for _, step in rows:
        if step is not None and not isinstance(step.point.on, str | None):  # texts: our own
            touched.setdefault(step.point.on, set()).add(step.key.task)
    matter = {
        at
        for at, (row, step) in enumerate(rows)
        if step is not None and step.point.writes and _is_action(row)
        if len(touched.get(step.point.on, ())) > 1
    }
    stretches = _stretches(rows)
    for number, places in enumerate(stretches):
        actions = [at for at in places if _is_action(rows[at][0])]
        matter.update(actions[:1] if number else [])
        matter.update(actions[-1:] if number + 1 < len(stretches) else [])
    return [
        (replace(row, matters=row.matters or at in matter), step)
        for at, (row, step) in enumerate(rows)
    ]


def _is_action(row: ScheduleStep) -> bool:
    return row.kind == "step" and not _sets_up(row)


def _sets_up(row: ScheduleStep) -> bool:
    return _SETS_UP.match(row.said) is not None


def _stretches(rows: Rows) -> list[list[int]]:
    """Places of rows between two switches."""
    out: list[list[int]] = []
    for at, (row, _) in enumerate(rows):
        if row.switched or not out:
            out.append([])
        out[-1].append(at)
    return out


def folded(rows: Rows, *, most: int = ROWS_MOST) -> list[ScheduleStep]:
    """Steps that repeat each other, fetch at once, or set up a connection, as one.

    Where there are still more than ``most``, all steps in a row that do not matter become one.
    """
    rows = [*_together([*_together(rows, _same)], _setting_up)]
    if len(rows) > most:
        rows = [*_together(rows, _dull)]
    return [row for row, _ in rows]


_Sort = Callable[[ScheduleStep, Step], object]
"""What steps have in common that may become one; None for one that stays alone."""


def _same(row: ScheduleStep, step: Step) -> object:
    return row.said.removeprefix(_FETCH), step.point.on


def _setting_up(row: ScheduleStep, _: Step) -> object:
    return _sets_up(row) or None


def _dull(row: ScheduleStep, _: Step) -> object:
    return None if row.matters else True


def _together(rows: Rows, sort: _Sort) -> Iterator[tuple[ScheduleStep, Step | None]]:
    """Neighbours of one sort become one, where they belong to one operation."""
    switches, keys = 0, []
    for number, (row, step) in enumerate(rows):
        switches += row.switched
        wanted = None if step is None or row.kind != "step" else sort(row, step)
        alone = wanted is None
        keys.append((number,) if alone else (switches, row.client, row.operation, wanted))
    for _, group in groupby(range(len(rows)), keys.__getitem__):
        places = [*group]
        yield _one([rows[at][0] for at in places]), rows[places[0]][1]


def _one(group: Sequence[ScheduleStep]) -> ScheduleStep:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    if len({row.said.removeprefix(_FETCH) for row in group}) == 1:
        said, detail = first.said, first.detail
    else:
        said = f"{first.said}, … {last.said}"
        detail = "\n".join(row.detail or row.said for row in group)
    times, matters = sum(row.times for row in group), any(row.matters for row in group)
    return replace(first, said=said, detail=detail, times=times, matters=matters)
