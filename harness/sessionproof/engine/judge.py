"""One run from its plan to its report: supervise, assemble, write."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Record
from sessionproof.engine import timings
from sessionproof.engine.assemble import assemble
from sessionproof.engine.machine import facts
from sessionproof.engine.plan import STORES, Plan
from sessionproof.engine.records import read_notes, read_records
from sessionproof.engine.reproduce import reproduce
from sessionproof.engine.supervise import Follow, supervise
from sessionproof.engine.timings import Pass
from sessionproof.report.plain import shown
from sessionproof.report.result import EXIT_USAGE, RunResult
from sessionproof.report.write import PAGE, write_report, write_result

LOG = "run.log"
HISTORIES = "history"
_LOG_BYTES_MOST = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a run came to. ``page`` is the written report's; ``problems`` are sentences.

    ``records`` are those of the single tests. Without any the engine itself failed, unless the
    run was interrupted. ``unwritten``: see ``Concluded``.
    """

    result: RunResult
    records: tuple[Record, ...]
    page: Path
    problems: tuple[str, ...] = ()
    unwritten: str = ""

    @property
    def never_started(self) -> bool:
        """Whether nothing can be said, and the log beside the report tells why."""
        return not self.records and not self.result.interrupted

    @property
    def exit_code(self) -> int:
        """That of the result; what cannot be looked up afterwards never passes for a verdict."""
        return EXIT_USAGE if self.never_started or self.unwritten else self.result.exit_code


def judge(
    plan: Plan,
    report: Path,
    *,
    workers: int,
    follow: Follow,
    accept_unknown: Iterable[str] = (),
) -> Judgement:
    """Run the suites as planned and write the report into its folder.

    ``follow`` gets every line that a worker writes. An interruption ends the run and is told in
    the result; it is not raised.
    """
    clock = started(plan.directory)
    ended = supervise(plan, workers=workers, follow=follow)
    concluded = conclude(
        plan,
        report,
        clock,
        workers=workers,
        complete=ended.finished,
        interrupted=ended.interrupted,
        accept_unknown=accept_unknown,
        notes=ended.problems,
        passes=ended.passes,
    )
    unwritten = concluded.unwritten
    try:
        _keep_logs(plan.directory, report)
    except OSError as error:
        unwritten = unwritten or _unwritten(report, error)
    return Judgement(
        result=concluded.result,
        records=tuple(read_records(plan.directory)),
        page=concluded.page,
        problems=tuple(ended.problems),
        unwritten=unwritten,
    )


@dataclass(frozen=True, kw_only=True)
class Started:
    """When a run started: by the calendar (UTC, ISO 8601), by the monotonic clock, and where."""

    at: str
    at_s: float
    environment: Mapping[str, str]


def started(location: Path) -> Started:
    """Now, with the facts of the machine; the store's data will lie below the location."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Started(at=at, at_s=monotonic_s(), environment=facts(location))


@dataclass(frozen=True)
class Concluded:
    """The result of a run and the page of its report; or why that is not there, or not whole."""

    result: RunResult
    page: Path
    unwritten: str = ""

    @property
    def exit_code(self) -> int:
        """As that of a ``Judgement``."""
        return EXIT_USAGE if self.unwritten else self.result.exit_code

    @property
    def where(self) -> str:
        """Where the report is, in a line."""
        return self.unwritten or f"report: {self.page}"


def conclude(
    plan: Plan,
    report: Path,
    start: Started,
    *,
    workers: int,
    complete: bool = True,
    interrupted: bool = False,
    accept_unknown: Iterable[str] = (),
    notes: Iterable[str] = (),
    passes: Sequence[Pass] = (),
) -> Concluded:
    """The result of what the workers recorded, and the page of the report that is written.

    Reproducers come first, so that the findings name them. An interrupted run does not try them.
    """
    parts = {timings.DESCRIBING: plan.described_s}
    for one in passes:
        parts |= one.parts()
    begun_s, records, unwritten = monotonic_s(), read_records(plan.directory), ""
    try:
        records = reproduce(
            plan.store,
            records,
            report,
            directory=plan.directory,
            workers=workers,
            run=not interrupted,
            limits=plan.limits,
        )
    except OSError as error:
        unwritten = _unwritten(report, error)
    written_s = monotonic_s()
    parts[timings.REPRODUCERS] = written_s - begun_s
    so_far, duration_s = timings.adding_up(parts, plan.described_s + written_s - start.at_s)
    result = assemble(
        plan,
        records,
        workers=workers,
        started_at=start.at,
        timings=so_far,
        duration_s=duration_s,
        environment=start.environment,
        complete=complete,
        interrupted=interrupted,
        accept_unknown=accept_unknown,
        notes=(*notes, *read_notes(plan.directory)),
    )
    try:
        return _written(result, plan.directory / STORES, report, written_s, unwritten)
    except OSError as error:
        return Concluded(result, report / PAGE, unwritten or _unwritten(report, error))


def _written(
    result: RunResult, stores: Path, report: Path, begun_s: float, unwritten: str
) -> Concluded:
    """Write the report; ``result.json`` once more when it is known how long the writing took."""
    _keep_histories(stores, report)
    page = write_report(result, report)
    whole = {**result.timings, timings.REPORT: round(monotonic_s() - begun_s, 2)}
    result = replace(result, timings=whole)
    write_result(result, report)
    return Concluded(result, page, unwritten)


def _unwritten(report: Path, error: OSError) -> str:
    """That the report cannot be written, or not whole, and why."""
    place = shown(os.fsdecode(error.filename2 or error.filename or report))
    return f"{place} cannot be written: {error.strerror or shown(str(error))}"


def _keep_histories(directory: Path, report: Path) -> None:
    """The recorded histories of findings, in the place of those that an earlier run left."""
    kept = report / HISTORIES
    if kept.is_dir():
        for path in _histories(kept):
            path.unlink()
        with contextlib.suppress(OSError):
            kept.rmdir()  # something else may lie there
    for path in _histories(directory / "histories"):
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept / path.name)


def _histories(folder: Path) -> list[Path]:
    """Those of sessions, and as lines those of transactions."""
    return sorted((*folder.glob("*.npz"), *folder.glob("*.jsonl")))


def _keep_logs(directory: Path, report: Path) -> None:
    """What pytest printed, and the store beside it, for whoever must look behind the report."""
    logs = [_end_of(path) for path in sorted(directory.glob("finished*.log"))]
    (report / LOG).write_text(shown("\n".join(logs), lines=True), "utf-8")


def _end_of(path: Path) -> str:
    """The last of a log, which has no end where the store prints without one."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES_MOST))
        return file.read().decode("utf-8", "replace")
