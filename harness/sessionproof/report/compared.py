"""A comparison of two versions in words: a headline, the cells of its table, Markdown, files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sessionproof.bench.tracking.compared import (
    Compared,
    Comparison,
    Version,
    comparison_to_json,
)
from sessionproof.bench.tracking.differences import differences
from sessionproof.contract.measurements import Ratio
from sessionproof.report.amounts import duration
from sessionproof.report.markdown import code, plain
from sessionproof.report.result import EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_REGRESSION, EXIT_UNKNOWN
from sessionproof.report.write import write_whole

JSON, MARKDOWN = "comparison.json", "comparison.md"
HEADS = ("operation", "base", "head", "head / base", "verdict")
COULD_NOT_TELL = "could not tell"
NOTHING = "–"
NO_CAUSE = "nothing that was counted differs"
_LARGE = 2.0  # a ratio from here on is said as "× 2.1", not in percent


def headline(comparison: Comparison) -> str:
    """The whole in a sentence: what is slower, what is faster, what could not be told."""
    said = [
        f"{verdict}: {', '.join(_sized(row) for row in rows)}"
        for verdict in ("slower", "faster")
        if (rows := [row for row in comparison.rows if row.verdict == verdict])
    ]
    if not comparison.named("slower"):
        said.insert(0, f"none of {len(comparison.rows)} operations is known to be slower")
    if untold := comparison.named("undecided"):
        said.append(f"{COULD_NOT_TELL}: {', '.join(untold)}")
    return "; ".join([*said, *filter(None, [comparison.problem])])


def exit_code(comparison: Comparison, *, accept_unknown: bool) -> int:
    """What the command ends with: 130, 3, 4 or 0, the first that applies."""
    if comparison.interrupted:
        return EXIT_INTERRUPTED
    if comparison.named("slower"):
        return EXIT_REGRESSION
    unknown = comparison.problem or comparison.named("undecided")
    return EXIT_UNKNOWN if unknown and not accept_unknown else EXIT_HOLDS


def cells(row: Compared) -> tuple[str, ...]:
    """The cells of an operation below ``HEADS``."""
    return (
        row.operation,
        NOTHING if row.base_us is None else duration(row.base_us),
        NOTHING if row.head_us is None else duration(row.head_us),
        NOTHING if row.ratio is None else change(row.ratio),
        ": ".join(filter(None, [word(row), row.reason or row.warning])),
    )


def word(row: Compared) -> str:
    """The verdict as it is shown."""
    return COULD_NOT_TELL if row.verdict == "undecided" else row.verdict


def change(ratio: Ratio) -> str:
    """``+5.1 % [+4.2, +6.0]``, and from twice the cost on ``×2.1 [2.0, 2.2]``."""
    if ratio.value >= _LARGE:
        return f"×{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    return f"{_percent(ratio.value)} % [{_percent(ratio.low)}, {_percent(ratio.high)}]"


def causes(comparison: Comparison) -> list[tuple[str, tuple[str, ...]]]:
    """Operations with sentences on what head does otherwise than base, where that was counted."""
    return [
        (row.operation, differences(*row.causes) or (NO_CAUSE,))
        for row in comparison.rows
        if row.causes is not None
    ]


def named(version: Version) -> str:
    """A version as it was asked for, with its commit and what it said of itself."""
    known = [version.commit.id[:12], version.commit.subject] if version.commit else []
    own = [f"version {version.version}"] if version.version else []
    said = ", ".join(filter(None, [*known, *own]))
    return f"{version.asked} ({said})" if said else version.asked


def render_markdown(comparison: Comparison) -> str:
    """The comparison for the summary of a job: a headline, a table, and what was left out."""
    lines = [
        f"## Speed of {code(comparison.head.store)}",
        "",
        plain(headline(comparison)),
        "",
        _line(HEADS),
        _line(["---"] * len(HEADS)),
        *(_line(map(plain, cells(row))) for row in comparison.rows),
        "",
        *(f"- {plain(name)}: {plain('; '.join(said))}" for name, said in causes(comparison)),
        *(f"- {plain(name)} was not compared: {plain(why)}"
          for name, why in comparison.left_out.items()),
        *([f"- {plain(comparison.warning)}"] if comparison.warning else []),
        f"- base: {plain(named(comparison.base))}; head: {plain(named(comparison.head))}",
        f"- profile {comparison.profile}, seed {comparison.seed}, {comparison.seconds:.0f} s; "
        "an interval holds the truth in 99 of 100 cases, and what is surely above +2 % fails",
    ]  # fmt: skip
    if comparison.command:
        lines.append(f"- again: {code(comparison.command)}")
    return "\n".join(lines) + "\n"


def write_comparison_files(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.json``, which all else can be made from, and ``comparison.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    value = json.dumps(comparison_to_json(comparison), allow_nan=False)
    write_whole(folder / JSON, value + "\n")
    write_whole(folder / MARKDOWN, render_markdown(comparison))


def _sized(row: Compared) -> str:
    return f"{row.operation} ({change(row.ratio).split(' [')[0]})" if row.ratio else row.operation


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f}"


def _line(given: Iterable[str]) -> str:
    return f"| {' | '.join(given)} |"
