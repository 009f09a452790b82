"""What a run is beside the runs before it: in words, as Markdown, JSON, and files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import sessionproof
from sessionproof.bench.tracking.differences import differences
from sessionproof.bench.tracking.nights import LEAST, Night, Nights
from sessionproof.report.amounts import digits, interval
from sessionproof.report.markdown import code, plain
from sessionproof.report.regressions import render_nights
from sessionproof.report.result import EXIT_HOLDS, EXIT_REGRESSION, EXIT_UNKNOWN
from sessionproof.report.write import write_whole

SCHEMA = 1
JSON, MARKDOWN, PAGE = "nights.json", "nights.md", "nights.html"
HEADS = ("operation", "this run", "usual", "limit", "again", "verdict")
COULD_NOT_TELL = "could not tell"
NOTHING = "–"
NO_CAUSE = "nothing that was counted differs"


def exit_code(every: Sequence[Nights]) -> int:
    """3 when further runs agree that something is slower, 4 when one was needed and said nothing.

    Too few earlier runs are no reason to fail: a line has to begin.
    """
    if any(one.slower for one in every):
        return EXIT_REGRESSION
    unsure = any(row.verdict == "undecided" for one in every for row in one.above)
    return EXIT_UNKNOWN if unsure else EXIT_HOLDS


def headline(one: Nights) -> str:
    """The night in a sentence: what is slower, what is faster, what could not be told."""
    gated = [row for row in one.rows if row.gated]
    if gated and len(one.before) < LEAST:
        return (
            f"{COULD_NOT_TELL}: {_runs(len(one.before))} before this one on such a machine, "
            f"and {LEAST} are needed"
        )
    said = [
        f"{word}: {', '.join(_sized(row) for row in rows)}"
        for word in ("slower", "faster")
        if (rows := [row for row in gated if row.verdict == word])
    ]
    if not one.slower:
        said.insert(0, f"none of {len(gated)} operations is known to be slower")
    if untold := [row.operation for row in gated if row.verdict == "undecided"]:
        said.append(f"{COULD_NOT_TELL}: {', '.join(untold)}")
    return "; ".join(said)


def cells(row: Night) -> tuple[str, ...]:
    """The cells of a row below ``HEADS``."""
    change = f" ({100 * row.change:+.1f} %)" if row.change is not None else ""
    clients = f", {row.clients}" if "client" not in row.clients else ""
    return (
        row.operation + clients,
        NOTHING if row.ratio is None else interval(row.ratio) + change,
        NOTHING if row.usual is None else f"×{digits(row.usual)}",
        NOTHING if row.limit is None else f"+{100 * (row.limit - 1):.1f} %",
        ", ".join(map(interval, row.again)) or NOTHING,
        ": ".join(filter(None, [word(row), row.reason])),
    )


def word(row: Night) -> str:
    """The verdict as it is shown."""
    if not row.gated:
        return "shown alone"
    return COULD_NOT_TELL if row.verdict == "undecided" else row.verdict


def causes(one: Nights) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Operations above their limits, with sentences on what their calls do otherwise than before.

    Those that a further run showed to be as usual are left out.
    """
    for row in one.above:
        if row.causes is not None and row.verdict != "same":
            yield row.operation, differences(*row.causes) or (NO_CAUSE,)


def render_markdown(every: Sequence[Nights]) -> str:
    """The nights of all stores, for the summary of a job."""
    return "\n".join(line for one in every for line in _lines(one)) + "\n"


def write_nights(every: Sequence[Nights], folder: Path) -> Path:
    """Write the three forms into the existing folder, each whole; the path of the page."""
    value = {
        "schema": SCHEMA,
        "sessionproof": sessionproof.__version__,
        "stores": [asdict(one) for one in every],
    }
    write_whole(folder / JSON, json.dumps(value, allow_nan=False) + "\n")
    write_whole(folder / MARKDOWN, render_markdown(every))
    write_whole(folder / PAGE, render_nights(every))
    return folder / PAGE


def _lines(one: Nights) -> Iterator[str]:
    yield f"## Speed of {code(one.store)} beside the {_runs(len(one.before))} before"
    yield ""
    yield plain(headline(one))
    yield ""
    yield _row(HEADS)
    yield _row(["---"] * len(HEADS))
    for row in one.rows:
        yield _row(plain(cell, 300) for cell in cells(row))
    yield ""
    for operation, said in causes(one):
        yield f"- {plain(operation)}: {plain('; '.join(said))}"
    for note in one.notes:
        yield f"- {plain(note)}"
    if one.commit is not None:
        yield f"- commit {code(one.commit.id[:12])} {plain(one.commit.subject, 200)}"
    yield ""


def _sized(row: Night) -> str:
    return row.operation if row.change is None else f"{row.operation} ({100 * row.change:+.1f} %)"


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"


def _row(given: Iterable[str]) -> str:
    return f"| {' | '.join(given)} |"
