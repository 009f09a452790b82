"""One slice of a night: ``sessionproof run`` or ``bench run`` in a process group of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sessionproof.bench.tracking.nights import Nights
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.decoding import decoded
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.children import Ended, run_and_read
from sessionproof.engine.gathering import judged
from sessionproof.report import nights as speeds
from sessionproof.report.nightly.night import SPEED, Ran, Seen, Slice
from sessionproof.report.nightly.pages import ARCHIVE
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import (
    EXIT_REGRESSION,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    GuaranteeResult,
    RunResult,
    is_accepted,
)
from sessionproof.report.words import reason
from sessionproof.report.write import STEP_SUMMARY

RUNS = "runs"
REPORTS_MOST = 30
"""Of one night: the page names the command that makes any other again."""
_GRACE_S = 20.0  # for a run that is asked to end: it reports what it knows
_SAID = 200


@dataclass(frozen=True, kw_only=True)
class Where:
    """How slices are carried out. ``words`` name each store on a command line, by its name.

    ``folder`` is that of all nights; ``night`` the name of this one. ``options`` are given to each
    run of guarantees. ``stop`` ends the slice that runs.
    """

    words: dict[str, tuple[str, ...]]
    folder: Path
    night: str
    options: tuple[str, ...]
    stop: threading.Event


def carried_out(one: Slice, where: Where, *, number: int, left_s: float, kept: int) -> Ran:
    """Run a slice, at most so long, and say what came of it.

    ``number`` is its place in the night. Its report stays where something was broken, while fewer
    than ``REPORTS_MOST`` are ``kept``.
    """
    name = f"{number:04d}-{one.part.replace(' ', '-')}"
    report = where.folder / RUNS / where.night / name
    report.mkdir(parents=True, exist_ok=True)
    at, begun = datetime.now(UTC).isoformat(timespec="seconds"), monotonic_s()
    ended, printed = _run(one, where, report, left_s)
    ran = _speed(one, ended, report, printed) if one.part == SPEED else _judged(
        one, ended, report, printed
    )  # fmt: skip
    found = any(each.is_break for each in ran.rows) or (
        one.part == SPEED and ended.code == EXIT_REGRESSION
    )
    keep = found and kept < REPORTS_MOST
    if not keep:
        shutil.rmtree(report, ignore_errors=True)
        with contextlib.suppress(OSError):  # others of this night were kept
            report.parent.rmdir()
    path = report.relative_to(where.folder).as_posix() if keep else ""
    return replace(ran, at=at, seconds=round(monotonic_s() - begun, 1), report=path)


def command_of(one: Slice, where: Where, report: Path) -> list[str]:
    """The command of a slice."""
    words = ["bench", "run"] if one.part == SPEED else ["run"]
    command = [
        sys.executable, "-m", "sessionproof", *words, *where.words[one.store],
        "--profile", one.profile, "--seed", str(one.seed), "--report", os.fspath(report.resolve()),
    ]  # fmt: skip
    if one.part == SPEED:
        return [*command, "--archive", os.fspath((where.folder / ARCHIVE).resolve())]
    return [*command, *where.options, *(word for row in one.rows for word in ("--only", row))]


def _run(one: Slice, where: Where, report: Path, left_s: float) -> tuple[Ended, str]:
    """Run the command; how it ended, and the end of what it printed."""
    kept = {name: value for name, value in os.environ.items() if name != STEP_SUMMARY}
    return run_and_read(
        command_of(one, where, report),
        environment=kept,
        folder=None,
        until_s=monotonic_s() + left_s,
        stop=where.stop,
        grace_s=_GRACE_S,
    )


def _judged(one: Slice, ended: Ended, report: Path, printed: str) -> Ran:
    """What a run of guarantees came to."""
    state, problem, result = judged(ended, report, printed)
    ran = Ran(asked=one, at="", seconds=0.0, state=state, exit_code=ended.code, problem=problem)
    if result is None:
        return ran
    asked = [row for row in result.guarantees if row.id in one.rows]
    whole = state == "judged"
    return replace(
        ran,
        said=result.verdict,
        version=result.store_version,
        held=tuple(row.id for row in asked if row.verdict is Verdict.HOLDS),
        rows=tuple(
            _seen(row, result)
            for row in asked
            if row.verdict is Verdict.BROKEN or (whole and row.verdict is Verdict.UNKNOWN)
        ),
        stale=result.baseline.problems if result.baseline is not None else (),
    )


def _seen(row: GuaranteeResult, result: RunResult) -> Seen:
    finding = row.findings[0] if row.findings else None
    said = reason(row) if finding is None else f"{finding.anomaly.value}: {finding.seen}"
    repeat = finding.repeat if finding is not None else None
    return Seen(
        id=row.id,
        verdict=row.verdict,
        gated=row.gated,
        known=row.known,
        accepted=is_accepted(result, row),
        said=shown(cut(said, _SAID)),
        repeat=repeat or f"sessionproof run {one_line(result, row)}",
    )


def one_line(result: RunResult, row: GuaranteeResult) -> str:
    """The words behind ``sessionproof run`` that look at one guarantee again."""
    words = result.command.removeprefix("sessionproof run ").partition(" --only ")[0]
    return f"{words} --only {row.id}"


def _speed(one: Slice, ended: Ended, report: Path, printed: str) -> Ran:
    """What a benchmark came to, as its own JSON says beside the runs before."""
    ran = Ran(asked=one, at="", seconds=0.0, state="judged", exit_code=ended.code)
    lines = [line for line in printed.splitlines() if line.strip()] or ["it said nothing"]
    last = shown(cut(lines[-1].removeprefix("sessionproof: "), _SAID))
    if ended.why:
        return replace(ran, state="cut short", problem=f"it was cut short: {ended.why}")
    if ended.code == EXIT_USAGE:  # a store without speeds, most often
        return replace(ran, state="not run", problem=last)
    if ended.code not in (0, EXIT_REGRESSION, EXIT_UNKNOWN):
        how = f"was killed by signal {-ended.code}" if ended.code < 0 else "did not end well"
        return replace(ran, state="died", problem=f"the benchmark {how}: {last}")
    try:
        values = json.loads((report / speeds.JSON).read_bytes())["stores"]
        said = "; ".join(speeds.headline(decoded(Nights, value)) for value in values)
    except (OSError, ValueError, KeyError, TypeError):
        said = last
    return replace(ran, said=said)
