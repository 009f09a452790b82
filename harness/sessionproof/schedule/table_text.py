"""A schedule's table as lines of text, for terminals, logs and failures of tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessionproof.contract.verdicts import ScheduleStep, ScheduleTable

WIDTH = 110
_COLUMN_LEAST = 12
_APART = " | "
_MARK = "* "  # in front of what matters
_REMARKS = {
    "lines": "found between lines of the store's code: an interpreter may never switch there",
    "not controlled": "not controlled throughout: a client waited where it is not seen",
}


def lines_of(table: ScheduleTable, *, width: int = WIDTH) -> list[str]:
    """The table in lines of at most ``width`` characters, but for the sentences below it."""
    heads = [f"  {name}" for name in table.clients]
    cells = [cell_of(step) for step in table.steps]
    room = _widths(table, heads, cells, width)
    out = [f"before: {', '.join(table.before)}"[:width]] if table.before else []
    out += [_line(heads, room), "-+-".join("-" * one for one in room)]
    for step, cell in zip(table.steps, cells, strict=True):
        if step.switched:
            out.append("-+-".join("-" * one for one in room))
        at = table.clients.index(step.client)
        out.append(_line([cell if at == place else "" for place in range(len(room))], room))
    out.append("-+-".join("-" * one for one in room))
    return [*out, *table.after, *([f"wrong: {table.sentence}"] if table.sentence else []),
            *remarks_of(table)]  # fmt: skip


def text_of(table: ScheduleTable, *, width: int = WIDTH) -> str:
    """The same as one text."""
    return "\n".join(lines_of(table, width=width))


def cell_of(step: ScheduleStep) -> str:
    """A step as one line: what matters begins with a star, steps stand below their operation."""
    mark = _MARK if step.matters else "  "
    head = f"{step.operation}: " if step.operation else ""
    return f"{mark}{head}{said_of(step)}"


def said_of(step: ScheduleStep) -> str:
    """What a step is, with how often."""
    said = " ".join(step.said.split())
    match step.kind:
        case "stopped":
            return f"... is stopped before: {said}"
        case "waits":
            return f"... waits: {said}"
        case "step" if step.times > 1:
            return f"  {said} ({step.times} steps)"
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


def _widths(
    table: ScheduleTable, heads: Sequence[str], cells: Sequence[str], width: int
) -> list[int]:
    """The width of each column: what it needs, and where that is too much an equal share."""
    needs = [
        max([len(head), *_lengths(table, cells, name)])
        for name, head in zip(table.clients, heads, strict=True)
    ]
    left = width - len(_APART) * (len(needs) - 1)
    most = max(needs, default=0)
    while most > _COLUMN_LEAST and sum(min(need, most) for need in needs) > left:
        most -= 1
    return [min(need, most) for need in needs]


def _lengths(table: ScheduleTable, cells: Sequence[str], name: str) -> Iterator[int]:
    for step, cell in zip(table.steps, cells, strict=True):
        if step.client == name:
            yield len(cell)


def _line(cells: Sequence[str], room: Sequence[int]) -> str:
    made = (_fitted(cell, wide).ljust(wide) for cell, wide in zip(cells, room, strict=True))
    return _APART.join(made).rstrip()


def _fitted(cell: str, wide: int) -> str:
    return cell if len(cell) <= wide else f"{cell[: wide - 1]}…"
