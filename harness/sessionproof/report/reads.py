"""Reads of a session beside each other: where they disagree, and with what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sessionproof.contract.verdicts import Seen, Window
from sessionproof.report.plain import cut, shown

READS_MAX = 20
COLUMNS_MAX = 22
AROUND = 2  # places on each side of a wrong one
FIRST, LAST = 5, 3  # places of rows that are wrong nowhere
LABEL_CHARACTERS_MAX = 24

MISSING = "missing"


@dataclass(frozen=True)
class Cell:
    """One place of a read; ``label`` is empty where the read had ended."""

    label: str
    wrong: bool = False


@dataclass(frozen=True)
class Read:
    """A row: who read, what was called, when it had answered, and its places."""

    client: str
    call: str
    when: str
    cells: tuple[Cell, ...]
    messages: int


@dataclass(frozen=True)
class Reads:
    """``heads`` name the columns: a place from 1, or how many places were left out.

    Where a column is left out, each row has a cell without a label there.
    """

    heads: tuple[str, ...]
    gaps: tuple[bool, ...]
    order: Read | None
    rows: tuple[Read, ...]
    left_out: int


def reads_table(window: Window) -> Reads | None:
    """The reads of a window with the order that they should agree with; None without reads.

    A ``read_last`` stands below the place of its first message, if the order has that. Long ones
    are shortened to what lies around the disagreement, many are cut to those that disagree and as
    many others as there is room for.
    """
    if not window.reads:
        return None
    kept = [_aligned(one, window.order) for one in _kept(window.reads)]
    skipped = _skipped(window.order)
    places = _places(kept, len(window.order))
    columns = _with_gaps(places, _length(kept, len(window.order)))
    order = Seen(client="", call="", ended_us=0, labels=window.order)
    return Reads(
        heads=tuple(_head(one, skipped) for one in columns),
        gaps=tuple(not isinstance(one, int) for one in columns),
        order=_read(order, columns) if window.order else None,
        rows=tuple(_read(one, columns) for one in kept),
        left_out=len(window.reads) - len(kept),
    )


def _kept(reads: Sequence[Seen]) -> list[Seen]:
    if len(reads) <= READS_MAX:
        return list(reads)
    places = sorted(range(len(reads)), key=lambda at: (not reads[at].wrong, at))[:READS_MAX]
    return [reads[at] for at in sorted(places)]


def _aligned(one: Seen, order: Sequence[str]) -> Seen:
    """A read of the newest alone, moved to where they stand in the order, if they do."""
    newest = one.call.partition("(")[0] == "read_last"
    if not (newest and one.labels and one.labels[0] in order):
        return one
    start = order.index(one.labels[0])
    labels = (*("",) * start, *one.labels)
    return replace(one, labels=labels, wrong=tuple(at + start for at in one.wrong))


def _skipped(order: Sequence[str]) -> int:
    """How many messages the first label stands for, as ``… 12`` does; 0 where it is a message."""
    found = re.fullmatch(r"… (\d{1,9})", order[0]) if order else None
    return int(found[1]) if found else 0


def _head(column: int | range, skipped: int) -> str:
    if not isinstance(column, int):
        hidden = len(column) + (skipped - 1 if skipped and 0 in column else 0)
        return f"{hidden:,} more"
    if skipped:
        return f"{skipped:,} more" if column == 0 else f"{column + skipped:,}"
    return f"{column + 1:,}"


def _length(reads: Iterable[Seen], order: int) -> int:
    return max(
        order, *(max(len(one.labels), *(at + 1 for at in (*one.wrong, -1))) for one in reads)
    )


def _places(reads: Sequence[Seen], order: int) -> list[int]:
    """The places that are shown: the first, the last, and those around each wrong one.

    Where none is wrong, what a read lacks begins where it ends: those around the ends.
    """
    length = _length(reads, order)
    wrong = sorted({at for one in reads for at in one.wrong})
    if length <= COLUMNS_MAX:
        return list(range(length))
    near = {0, length - 1}
    near |= {*range(FIRST), *range(length - LAST, length)} if not wrong else set()
    for at in wrong or sorted({len(one.labels) for one in reads}):
        around = range(max(at - AROUND, 0), min(at + AROUND + 1, length))
        if len(near | {*around}) > COLUMNS_MAX:
            break
        near |= {*around}
    return sorted(near)


def _with_gaps(places: Sequence[int], length: int) -> list[int | range]:
    """Each place, and a range where some are left out; a single one is not worth leaving out."""
    out: list[int | range] = []
    before = -1
    for place in (*places, length):
        between = range(before + 1, place)
        out += [between] if len(between) > 1 else between
        if place < length:
            out.append(place)
        before = place
    return out


def _read(one: Seen, columns: Sequence[int | range]) -> Read:
    return Read(
        client=shown(cut(one.client, LABEL_CHARACTERS_MAX)),
        call=shown(cut(one.call, LABEL_CHARACTERS_MAX)),
        when=f"{one.ended_us:,.1f}".removesuffix(".0"),
        cells=tuple(_cell(one, place) for place in columns),
        messages=len(one.labels),
    )


def _cell(one: Seen, place: int | range) -> Cell:
    if not isinstance(place, int):
        there = any(one.labels[place.start : place.stop])
        return Cell("…" if there else "", any(at in one.wrong for at in place))
    wrong = place in one.wrong
    if place >= len(one.labels):
        return Cell(MISSING if wrong else "", wrong)
    if place == 0 and _skipped(one.labels):
        return Cell("…", wrong)
    return Cell(shown(cut(one.labels[place], LABEL_CHARACTERS_MAX)), wrong)
