"""The board's pages: one of all stores, and one for each; nothing is loaded from elsewhere.

The page of all stores has a small script that narrows its rows. It is allowed by its digest, so
that nothing else runs, whatever a store said; without it all rows are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.report.amounts import digits
from sessionproof.report.html import environment
from sessionproof.report.inline import digest, part
from sessionproof.report.plain import cut, shown
from sessionproof.report.scoreboard.badges import badge_words
from sessionproof.report.scoreboard.board import SYMBOLS, Board, Cost, Entry, Row, Standing
from sessionproof.report.scoreboard.sentences import standing_words, what_to_know
from sessionproof.report.words import claim_rows
from sessionproof.svg.bars import against, top

SHOWN_COSTS = ("append", "read_last")
"""Operations whose costs stand on the page of all stores."""
_BAR = 72
_PROBLEM_MOST = 300
_SCRIPT_MOST = 30_000
_LINK = re.compile(r"https?://[\w./:%?&=#~+,;@!$'()*-]+")


@dataclass(frozen=True)
class Cell:
    """What a store has in one group: how many rows stand how, the worst first."""

    group: str
    counted: Mapping[Standing, int]

    @property
    def worst(self) -> Standing:
        """The standing that the cell wears."""
        return next(iter(self.counted), Standing.NOT_RUN)

    @property
    def number(self) -> int:
        """How many rows stand so."""
        return self.counted.get(self.worst, 0)

    @property
    def others(self) -> dict[Standing, int]:
        """How many stand otherwise."""
        return {one: number for one, number in self.counted.items() if one is not self.worst}


def cells(board: Board, entry: Entry) -> list[Cell]:
    """A cell for each group of the board."""
    return [Cell(group, entry.counted(group)) for group in board.groups]


def render_board(board: Board) -> str:
    """The page of all stores, sorted by name."""
    script = part("scoreboard.js")
    entries = sorted(board.entries, key=lambda entry: entry.name.casefold())
    costs = [one.value for entry in entries for one in entry.costs if one.operation in SHOWN_COSTS]
    return (
        environment()
        .get_template("scoreboard.html.j2")
        .render(
            board=board,
            entries=entries,
            cells={entry.name: cells(board, entry) for entry in entries},
            shown_costs=SHOWN_COSTS if costs else (),
            highest=top(costs),
            script=Markup(script),  # noqa: S704 - our own file
            script_digest=digest(script),
            **_words(),
        )
    )


def render_store(board: Board, entry: Entry, *, has_run: bool) -> str:
    """The page of one store; ``has_run``: the whole report of its run lies beside the board."""
    by_group = {group: [row for row in entry.rows if row.group == group] for group in board.groups}
    claims = claim_rows(entry.claims or {})
    return (
        environment()
        .get_template("scoreboard_store.html.j2")
        .render(
            board=board,
            entry=entry,
            by_group={group: rows for group, rows in by_group.items() if rows},
            sentences=what_to_know(board, entry),
            claims=[one for one in claims if not _says_nothing(one)],
            unclaimed=[one[0] for one in claims if _says_nothing(one)],
            has_run=has_run,
            badge=badge_words(entry)[0],
            highest=top([one.value for one in entry.costs]),
            **_words(),
        )
    )


def _says_nothing(claim: tuple[str, str, str]) -> bool:
    """Whether a claim without a source promises nothing; most are so."""
    _, value, source = claim
    return not source and value in ("no", "none")


def _words() -> dict[str, object]:
    """What both templates call."""
    return {
        "Standing": Standing,
        "mark": SYMBOLS.__getitem__,
        "kind_of": kind_of,
        "cost_bar": _cost_bar,
        "times": digits,
        "standing_words": standing_words,
        "searched": _searched,
        "found_in": _found_in,
        "linked": _linked,
        "whole_script": _whole_script,
    }


def kind_of(standing: Standing) -> str:
    """The class that colours a standing."""
    return "unconfirmed" if standing is Standing.UNCONFIRMED else standing.value.replace(" ", "-")


def _cost_bar(cost: Cost, highest: float) -> Markup:
    label = f"{cost.operation} costs {digits(cost.value)} times what raw SQLite needs"
    return against(cost.value, highest=highest, width=_BAR, label=label)


def _searched(entry: Entry) -> str:
    """The text that the filter looks into, in small letters."""
    packages = " ".join(f"{name} {version}" for name, version in entry.packages.items())
    text = f"{entry.name} {entry.package} {packages} {entry.kind} {entry.state}"
    return shown(cut(text, _PROBLEM_MOST)).casefold()


def _found_in(entry: Entry) -> str:
    """The classes of all that the store's rows are, for the filter."""
    return " ".join(map(kind_of, entry.counted())) or "none"


def _linked(text: str) -> Markup:
    """A text, as a link where all of it is an address."""
    safe = shown(cut(text, _PROBLEM_MOST))
    if _LINK.fullmatch(safe) and safe == text:
        return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(safe)
    return Markup.escape(safe)


def _whole_script(row: Row) -> Markup:
    script = row.example.script if row.example is not None else ""
    return Markup.escape(shown(script[:_SCRIPT_MOST], lines=True))
