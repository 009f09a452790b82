"""The page of two runs: what differs first, then every change, the gravest on top."""

from __future__ import annotations

import re

import sessionproof
from sessionproof.report import words
from sessionproof.report.changes import wording
from sessionproof.report.changes.between import Changes, Kind, exit_code
from sessionproof.report.html import environment
from sessionproof.report.speed import growth_facts

ROWS_MAX = 60  # of a kind; the JSON has all
_PLAIN_PATH = re.compile(r"(\.\./)*[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)


def render_changes(found: Changes, *, reports: tuple[str, str] = ("", "")) -> str:
    """The page; ``reports`` are the paths of both runs' pages as seen from it, or empty."""
    return (
        environment()
        .get_template("changes.html.j2")
        .render(
            found=found,
            kinds=[(kind, rows) for kind in Kind if (rows := found.of(kind))],
            detailed=(Kind.BROKE, Kind.UNSEEN, Kind.KNOWN),
            most=ROWS_MAX,
            headline=wording.headline(found),
            tone=wording.tone(found),
            code=exit_code(found),
            wording=wording,
            words=words,
            growth_facts=growth_facts,
            links=[one if _PLAIN_PATH.fullmatch(one) else "" for one in reports],
            sessionproof=sessionproof.__version__,
        )
    )
