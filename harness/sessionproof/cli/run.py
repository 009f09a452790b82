"""``sessionproof run``: plan, supervise, report."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import fresh_seed
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.assemble import assemble
from sessionproof.engine.plan import BadUsage, Plan, make_plan
from sessionproof.engine.records import read_notes, read_records
from sessionproof.engine.supervise import Supervised, supervise
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE
from sessionproof.report.terminal import print_summary
from sessionproof.report.write import write_report

_ROOM_BYTES = 512 * 1024 * 1024


def judge(
    store: str,
    *,
    profile: str,
    workers: int | None,
    report: Path,
    seed: int | None,
    only: Sequence[str],
    require: Sequence[str],
    accept_unknown: Sequence[str],
    location: Path | None,
    operation_s: float | None,
    test_s: float | None,
) -> int:
    """Judge the store, print the summary, write the report; answers the exit code."""
    console = Console(stderr=True)
    directory: Path | None = None
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _check_folders(report, location)
        directory = Path(tempfile.mkdtemp(prefix="sessionproof-", dir=location or _fast_folder()))
        # On a terminal alone: elsewhere a mistake stays one line.
        waiting = console.status("opening the store") if console.is_terminal else nullcontext()
        with waiting:
            plan = make_plan(
                store,
                profile=profile,
                seed=fresh_seed() if seed is None else seed,
                directory=directory,
                require=require,
                only=only,
                operation_s=operation_s,
                test_s=test_s,
            )
        return _run(plan, workers or _cores(), report, accept_unknown, console)
    except BadUsage as error:
        _say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        _say(console, "sessionproof: interrupted before the first test; no report was written")
        return EXIT_INTERRUPTED
    finally:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def _run(
    plan: Plan, workers: int, report: Path, accept_unknown: Sequence[str], console: Console
) -> int:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    start = monotonic_s()
    version = f" (version {plan.version})" if plan.version else ""
    _say(console, f"judging {plan.store}{version}: profile {plan.profile.name}, seed {plan.seed}")
    with _Watch(console) as watch:
        ended = supervise(plan, workers=workers, follow=watch.follow)
    result = assemble(
        plan,
        read_records(plan.directory),
        workers=workers,
        started_at=started_at,
        duration_s=monotonic_s() - start,
        complete=ended.finished,
        interrupted=ended.interrupted,
        accept_unknown=accept_unknown,
        notes=(*ended.problems, *read_notes(plan.directory)),
    )
    page = write_report(result, report)
    _keep_logs(plan.directory, report)
    out = Console()
    print_summary(result, out)
    _say(out, f"report: {page}")
    for problem in ended.problems:
        _say(console, f"sessionproof: {problem}")
    if _never_started(ended, plan):
        _say(console, f"sessionproof: no test ran; what pytest said is in {report / 'run.log'}")
        return EXIT_USAGE
    return result.exit_code


def _keep_logs(directory: Path, report: Path) -> None:
    """What pytest printed, for whoever must look behind the report."""
    logs = [path.read_bytes() for path in sorted(directory.glob("finished*.log"))]
    (report / "run.log").write_bytes(b"\n".join(logs))


def _never_started(ended: Supervised, plan: Plan) -> bool:
    """Whether the engine itself failed: without any record nothing can be said."""
    return not ended.interrupted and not read_records(plan.directory)


def _check_folders(report: Path, location: Path | None) -> None:
    if location is not None:
        if not location.is_dir():
            what = "is a file" if location.exists() else "does not exist"
            raise BadUsage(f"--location {location} {what}: name an existing folder")
        if not os.access(location, os.W_OK | os.X_OK):
            raise BadUsage(f"--location {location} is not writable")
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"--report {report} cannot be made: {error.strerror}") from None
    if not os.access(report, os.W_OK | os.X_OK):
        raise BadUsage(f"--report {report} is not writable")


def _fast_folder() -> Path | None:
    """A file system in memory where there is room: what is judged here does not need a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - the run's own folder in it is private
    if not memory.is_dir() or not os.access(memory, os.W_OK | os.X_OK):
        return None
    return memory if shutil.disk_usage(memory).free >= _ROOM_BYTES else None


def _cores() -> int:
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Watch:
    """Progress on screen: a bar on a terminal, a line a guarantee elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._shown: AbstractContextManager[Any] = nullcontext()
        if console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TimeElapsedColumn(), console=console, transient=True,
            )  # fmt: skip
            self._shown = self._progress
            self._task = self._progress.add_task("opening", total=None)
        self._broken = 0

    def __enter__(self) -> _Watch:
        self._shown.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._shown.__exit__(*details)  # type: ignore[arg-type]

    def follow(self, value: dict[str, Any]) -> None:
        """Show one line of a worker's file."""
        if "verdict" in value:
            self._judged(value)
        elif self._progress is not None and value.get("event") == "collected":
            self._progress.update(self._task, total=value["tests"])
        elif self._progress is not None and value.get("event") == "begun":
            self._describe(value["guarantee"])

    def _judged(self, value: dict[str, Any]) -> None:
        verdict = Verdict(value["verdict"])
        self._broken += verdict is Verdict.BROKEN
        if self._progress is not None:
            self._progress.advance(self._task)
            self._describe(value["guarantee"])
        else:
            words = verdict.shown + (f": {value['reason']}" if value["reason"] else "")
            _say(self._console, f"{value['guarantee']} {words} ({value['duration_s']:.1f} s)")

    def _describe(self, guarantee: str) -> None:
        broken = f", {self._broken} broken" if self._broken else ""
        if self._progress is not None:
            self._progress.update(self._task, description=f"{guarantee}{broken}")
