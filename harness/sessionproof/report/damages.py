"""What came of damaged files, for people: a line for each file, two tables, a map of its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from markupsafe import Markup

from sessionproof.contract.measurements import DamageClass, DamagedPage, Damages
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import RunResult, measured_once
from sessionproof.svg.page_map import ACROSS, Cell, page_map, rows_of, sample

FILES_MAX = 6  # that are drawn
CELLS_MAX = 400  # of a map; neighbours share one where there are more pages
PAGES_MAX = 60  # of the table
CLASSES_MAX = 40
NAME_CHARACTERS_MAX = 60

Outcome: TypeAlias = Literal["served", "found", "raised", "harmless"]

OUTCOMES: tuple[Outcome, ...] = ("served", "found", "raised", "harmless")
"""The worst first: this is the order in which a cell chooses what it shows."""

LETTERS: dict[Outcome, str] = {"served": "S", "found": "F", "raised": "R", "harmless": "H"}
MEANINGS: dict[Outcome, str] = {
    "served": "served: passed for good data, and nobody said so",
    "found": "found: reads went on, and the store's own check or log told of it",
    "raised": "raised: opening or reading gave an error",
    "harmless": "harmless: all that is served is as it was",
}


@dataclass(frozen=True)
class Found:
    """The damages of one file with the guarantees that they belong to."""

    guarantees: tuple[str, ...]
    damages: Damages

    @property
    def broken(self) -> bool:
        """Whether damage was served that a promise covers."""
        return any(one.served and one.owed for one in self.damages.classes)


@dataclass(frozen=True)
class Drawn:
    """The map of one file, what its cells mean, and its pages in words."""

    found: Found
    file: str
    said: str
    picture: Markup
    legend: tuple[tuple[Markup, str], ...]
    scale: str
    classes: tuple[DamageClass, ...]
    pages: tuple[DamagedPage, ...]
    more: int


def damage_rows(result: RunResult) -> tuple[Found, ...]:
    """All damages of a run, each once though several guarantees may have the same."""
    return tuple(Found(names, one) for one, names in measured_once(result, Damages))


def damage_lines(rows: Iterable[Found]) -> list[str]:
    """One line for each file: ``sessions.db: 24 damages, 12 raised, 9 found, 3 harmless``."""
    return [summary(row.damages) for row in rows]


def summary(one: Damages) -> str:
    """The file, and what its damages came to."""
    return f"{_name(one.file)}: {ends(one)}"


def ends(one: Damages) -> str:
    """How many damages, and what they came to; what was served says whether it was promised."""
    tried = sum(kind.tried for kind in one.classes)
    parts = []
    for outcome in ("raised", "found", "harmless"):
        number = sum(getattr(kind, outcome) for kind in one.classes)
        parts += [f"{number:,} {outcome}"] if number else []
    owed = sum(kind.served for kind in one.classes if kind.owed)
    other = sum(kind.served for kind in one.classes if not kind.owed)
    parts.append(f"{owed:,} served as good data" if owed else "none served as good data")
    if other:
        parts.append(f"{other:,} unnoticed that no promise covers")
    said = f"{tried:,} damages, {', '.join(parts)}"
    return f"{said}; {_name(one.note)}" if one.note else said


def damage_maps(rows: Sequence[Found]) -> list[Drawn]:
    """A map for each file that was damaged, as far as pages are known."""
    return [_map(row) for row in rows[:FILES_MAX]]


def _map(row: Found) -> Drawn:
    one = row.damages
    pages = max([one.pages, *(cell.page for cell in one.cells)], default=0)
    size = max(1, -(-pages // CELLS_MAX))  # pages that share a cell
    cells = list(_cells(one.cells, pages, size))
    first = [f"{at * ACROSS * size + 1:,}" for at in range(rows_of(len(cells)))]
    return Drawn(
        found=row,
        file=_name(one.file),
        said=ends(one),
        picture=page_map(cells, first=first, label=cut(f"Map of the pages of {summary(one)}", 400)),
        legend=_legend(cells, pale=not row.broken),
        scale=_scale(one, pages, size),
        classes=one.classes[:CLASSES_MAX],
        pages=one.cells[:PAGES_MAX],
        more=max(0, len(one.cells) - PAGES_MAX),
    )


def _cells(damaged: Sequence[DamagedPage], pages: int, size: int) -> Iterable[Cell]:
    """Each page, or as many neighbours as share a cell; the worst outcome is shown."""
    by_cell: dict[int, list[DamagedPage]] = {}
    for page in damaged:
        by_cell.setdefault((page.page - 1) // size, []).append(page)
    for at in range(-(-pages // size)):
        here = by_cell.get(at, [])
        worst = next((one for one in OUTCOMES if any(getattr(page, one) for page in here)), None)
        if worst is None:
            yield Cell()
        else:
            title = cut("; ".join(map(_said, here)), 300)
            strip = worst == "found"
            yield Cell(class_=worst, letter=LETTERS[worst], strip=strip, title=title)


def _said(page: DamagedPage) -> str:
    ends = [f"{getattr(page, one):,} {one}" for one in OUTCOMES if getattr(page, one)]
    return f"page {page.page:,}, {_name(page.use)}: {', '.join(ends)}"


def _legend(cells: Sequence[Cell], *, pale: bool) -> tuple[tuple[Markup, str], ...]:
    there = {cell.class_ for cell in cells}
    out = []
    for one in OUTCOMES:
        if one in there:
            words = MEANINGS[one]
            if one == "served" and pale:
                words += "; no promise of the store covers it"
            out.append((sample(one, LETTERS[one], strip=one == "found"), words))
    if "" in there:
        out.append((sample("", ""), "not damaged"))
    return tuple(out)


def _scale(one: Damages, pages: int, size: int) -> str:
    of = f"{pages:,} pages of {one.page_bytes:,} bytes"
    if size == 1:
        return f"Each cell is one of {of}."
    return f"Each cell is {size:,} of {of}, and shows the worst of them."


def _name(text: str) -> str:
    return shown(cut(text, NAME_CHARACTERS_MAX)) if text else "?"
