"""A schedule's table as lines of text, for terminals, logs and failures of tests."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.contract.verdicts import ScheduleStep, ScheduleTable

WIDTH = 110
LINES_MOST = 80  # where others have to fit beside it
_COLUMN_LEAST = 12
_APART = " | "
_MARK = "* "  # in front of what matters
_REMARKS = {
    "lines": "found between lines of the store's code: an interpreter may never switch there",
    "not controlled": "not controlled throughout: a client waited where it is not seen",
}


def lines_of(table: ScheduleTable, *, width: int = WIDTH) -> list[str]:
    """The table in lines of at most ``width`` characters, but for the sentences below it.

    Where that is too narrow for so many clients, they have one column, and another has their names.
    """
    names = [_flat(name) for name in table.clients]
    heads, rows = [f"  {name}" for name in names], _rows(table)
    if _each(width, len(heads)) < _COLUMN_LEAST:
        heads = ["", "  step"]
        rows = [[name, "".join(row)] for row in rows for name in [_whose(row, names)]]
    room = _widths([heads, *rows], width)
    across = "-+-".join("-" * one for one in room)
    out = [_fitted(f"before: {', '.join(map(_flat, table.before))}", width)] if table.before else []
    out += [_line(heads, room), across]
    for step, row in zip(table.steps, rows, strict=True):
        out += [across] if step.switched else []
        out.append(_line(row, room))
    out += [across, *map(_flat, table.after)]
    out += [f"wrong: {_flat(table.sentence)}"] if table.sentence else []
    return [*out, *remarks_of(table)]


def text_of(table: ScheduleTable, *, width: int = WIDTH) -> str:
    """The same as one text."""
    return "\n".join(lines_of(table, width=width))


def short_lines_of(
    table: ScheduleTable, *, width: int = WIDTH, most: int = LINES_MOST
) -> list[str]:
    """At most ``most`` lines: of a longer table the middle is left out, and what is wrong stays."""
    lines = lines_of(table, width=width)
    if len(lines) <= most:
        return lines
    tail = most // 2
    head = most - tail - 1
    return [*lines[:head], f"... {len(lines) - head - tail} lines left out ...", *lines[-tail:]]


def cell_of(step: ScheduleStep) -> str:
    """A step as one line: what matters begins with a star, steps stand below their operation."""
    mark = _MARK if step.matters else "  "
    head = f"{step.operation}: " if step.operation else ""
    return f"{mark}{head}{said_of(step)}"


def said_of(step: ScheduleStep) -> str:
    """What a step is, with how often."""
    said = _flat(step.said)
    match step.kind:
        case "stopped":
            return f"... is stopped before: {said}"
        case "waits":
            return f"... waits: {said}"
        case "step" if step.times > 1:
            return f"  {step.times} steps: {said}"
        case "step":
            return f"  {said}"
        case _:
            return said


def remarks_of(table: ScheduleTable) -> list[str]:
    """What is to be known of how it was found."""
    return [
        *([_REMARKS["lines"]] if table.lines else []),
        *([] if table.controlled else [_REMARKS["not controlled"]]),
    ]


def _rows(table: ScheduleTable) -> list[list[str]]:
    """A list of cells for each step, of which that of its client is not empty."""
    return [
        [cell_of(step) if name == step.client else "" for name in table.clients]
        for step in table.steps
    ]


def _whose(row: Sequence[str], names: Sequence[str]) -> str:
    return next((name for name, cell in zip(names, row, strict=True) if cell), "")


def _each(width: int, columns: int) -> int:
    """The room of each column where all are as wide."""
    return (width - len(_APART) * (columns - 1)) // max(columns, 1)


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The width of each column: what it needs, and where that is too much at most an equal one."""
    needs = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = width - len(_APART) * (len(needs) - 1)
    most = max(needs, default=0)
    while most > 1 and sum(min(need, most) for need in needs) > left:
        most -= 1
    return [min(need, most) for need in needs]


def _line(cells: Sequence[str], room: Sequence[int]) -> str:
    made = (_fitted(cell, wide).ljust(wide) for cell, wide in zip(cells, room, strict=True))
    return _APART.join(made).rstrip()


def _flat(text: str) -> str:
    return " ".join(text.split())


def _fitted(cell: str, wide: int) -> str:
    return cell if len(cell) <= wide else f"{cell[: wide - 1]}…"
