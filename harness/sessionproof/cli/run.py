"""``sessionproof run``: plan, supervise, report."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessionproof.cli.servers import Servers, opened
from sessionproof.cli.upkeep import say
from sessionproof.contract.folders import private_folder
from sessionproof.contract.seed import fresh_seed
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.children import nothing_left
from sessionproof.engine.judge import LOG, Judgement
from sessionproof.engine.judge import judge as run_plan
from sessionproof.engine.machine import check_location, cores, fast_folder, make_report_folder
from sessionproof.engine.plan import BadUsage, Plan, make_plan, wanted_rows
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE
from sessionproof.report.terminal import print_summary
from sessionproof.report.timings import print_timings
from sessionproof.report.write import append_step_summary


def judge(
    store: str,
    *,
    servers: Servers,
    profile: str,
    workers: int | None,
    report: Path,
    seed: int | None,
    seeds: int,
    only: Sequence[str],
    require: Sequence[str],
    accept_unknown: Sequence[str],
    baseline: Path | None,
    location: Path | None,
    size: int | None,
    memory: int | None,
    timings: bool,
    operation_s: float | None,
    test_s: float | None,
) -> int:
    """Judge the store, print the summary, write the report; answers the exit code."""
    console = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if location is not None:
            check_location(location)
        wanted_rows(accept_unknown)
        make_report_folder(report)
        parent = location or fast_folder()
        with ExitStack() as stack:
            directory = stack.enter_context(private_folder(parent))
            with _waiting(console):
                found = stack.enter_context(opened(store, servers, parent))
                stack.enter_context(nothing_left())
                plan = make_plan(
                    found.name,
                    profile=profile,
                    seed=fresh_seed() if seed is None else seed,
                    seeds=seeds,
                    directory=directory,
                    require=require,
                    only=only,
                    baseline=baseline,
                    operation_s=operation_s,
                    test_s=test_s,
                    size=size,
                    memory=memory,
                    called=found.words,
                )
            judged = _run(plan, workers or cores(), report, accept_unknown, console)
    except BadUsage as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say(console, "sessionproof: interrupted before all was judged and written")
        return EXIT_INTERRUPTED
    if timings:
        print_timings(judged.result, judged.records, Console())
    return judged.exit_code


def _waiting(console: Console) -> AbstractContextManager[Any]:
    """What moves while a store is opened: on a terminal alone, so that a mistake stays one line."""
    return console.status("opening the store") if console.is_terminal else nullcontext()


def _run(
    plan: Plan, workers: int, report: Path, accept_unknown: Sequence[str], console: Console
) -> Judgement:
    version = f" (version {plan.version})" if plan.version else ""
    seeds = "" if plan.seeds == 1 else f" and the {plan.seeds - 1} that follow it"
    about = f"profile {plan.profile.name}, seed {plan.seed}{seeds}"
    say(console, f"judging {plan.store}{version}: {about}")
    with Watch(console) as watch:
        judged = run_plan(
            plan, report, workers=workers, follow=watch.follow, accept_unknown=accept_unknown
        )
    out = Console()
    print_summary(judged.result, out)
    if not judged.unwritten:
        say(out, f"report: {judged.page}")
    unsaid = append_step_summary(judged.result, os.environ)
    for problem in (*judged.problems, *filter(None, [unsaid, judged.unwritten])):
        say(console, f"sessionproof: {problem}")
    if judged.never_started:
        say(console, f"sessionproof: no test ran; what pytest said is in {report / LOG}")
    return judged


class Watch:
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

    def __enter__(self) -> Watch:
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
            name = value["guarantee"]
            name += "" if value["seed"] is None else f" seed {value['seed']}"
            say(self._console, f"{name} {words} ({value['duration_s']:.1f} s)")

    def _describe(self, guarantee: str) -> None:
        broken = f", {self._broken} broken" if self._broken else ""
        if self._progress is not None:
            self._progress.update(self._task, description=f"{guarantee}{broken}")
