"""What ``sessionproof load`` does and prints. The store runs in workers, never in this process."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sessionproof.cli.lines import line
from sessionproof.cli.offering import clear_rates, show_rates
from sessionproof.cli.servers import Servers, opened
from sessionproof.cli.upkeep import say
from sessionproof.contract.addresses import is_on_server, schemas_of_run
from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.folders import private_folder
from sessionproof.contract.location import Location
from sessionproof.contract.machine import lock
from sessionproof.contract.seed import fresh_seed
from sessionproof.engine.machine import check_location, fast_folder, make_report_folder
from sessionproof.engine.plan import BadUsage, Plan, make_plan
from sessionproof.history.files import HistoryError
from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE
from sessionproof.trials.load_report import Run, exit_code, summary, write_load
from sessionproof.trials.load_verdict import LoadVerdict, judged_load
from sessionproof.trials.recorded_load import Recorded, Wanted
from sessionproof.trials.waves import Load, StoreRefused
from sessionproof.workload.executors import DASK, NoExecutor, Workers, clients_beside, workers
from sessionproof.workload.slices import here
from sessionproof.workload.waves import GROWING, Plot, fits, rounds_beside

_HISTORY, _FILE = "history", "load.json"
_TEXT_BYTES = 80  # the longest text that clients send
_SHOWN_MOST = 10  # incidents
_LINE_CHARACTERS_MAX = 400
_STEP_S = 10.0  # between two lines where there is no terminal


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of the command."""

    store: str
    servers: Servers
    executor: str
    clients: int
    seconds: float
    operations: int | None
    rates: tuple[float, ...]
    mix: str
    sessions: int
    seed: int | None
    report: Path
    location: Path | None
    require: tuple[str, ...]
    operation_s: float | None


def load_store(asked: Asked) -> int:
    """Carry the load out, judge it, print and write what came of it; answers the exit code."""
    console = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asked = replace(asked, seed=fresh_seed() if asked.seed is None else asked.seed)
    try:
        history = _checked(asked)
        with _alone(asked.report):
            parent = asked.location or fast_folder()
            servers = opened(asked.store, asked.servers, parent)
            with private_folder(parent) as directory, servers as found:
                asked = replace(asked, store=found.name)
                run, verdict = _run(asked, directory, history, console)
                return _tell(run, verdict, asked.report)
    except (BadUsage, NoExecutor, HistoryError) as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except OSError as error:  # a full disk, or a folder that nobody may write to
        said = f"{error.filename or asked.report}: {error.strerror or error}"
        say(console, f"sessionproof: {said}: name another --report, or another --location")
        return EXIT_USAGE
    except StoreRefused as error:
        say(console, f"sessionproof: {asked.store} cannot be used by the workers: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say(console, "sessionproof: interrupted before all was judged and written; no report")
        return EXIT_INTERRUPTED


def _checked(asked: Asked) -> Path:
    """The folder for the history, as it is; raises BadUsage."""
    if asked.mix not in GROWING:
        raise BadUsage(
            f"--mix {asked.mix}: use one of {', '.join(GROWING)}; in others messages vanish, and "
            "what a worker that died had removed is not known"
        )
    if asked.location is not None:
        check_location(asked.location)
    make_report_folder(asked.report)
    return asked.report / _HISTORY


def _emptied(history: Path) -> None:
    """Remove what an earlier load left; raises BadUsage."""
    try:
        shutil.rmtree(history, ignore_errors=True)
        history.mkdir()
        (history.parent / _FILE).unlink(missing_ok=True)
        clear_rates(history.parent)
    except OSError as error:
        raise BadUsage(f"--report {history.parent} cannot be used: {error.strerror}") from None


def _run(asked: Asked, directory: Path, history: Path, console: Console) -> tuple[Run, LoadVerdict]:
    with workers(asked.executor, clients=asked.clients) as hired:
        plan = make_plan(
            asked.store, profile="gate", seed=asked.seed or 0, directory=directory,
            require=asked.require, operation_s=asked.operation_s,
        )  # fmt: skip
        wanted = _wanted(asked, plan, directory)
        _require_shared(asked, hired)
        _emptied(history)
        clients = f"{asked.clients} clients"
        say(console, f"loading {asked.store}: {clients} of {asked.executor}, seed {asked.seed}")
        with Shown(console, asked) as shown:
            load = Load(wanted, hired, history, follow=shown.follow)
            with _interruptible(load.recorded):
                recorded = load.run()
    if not console.is_terminal:
        say(console, f"judging {recorded.made:,} operations")
    with console.status("judging"):
        start_s = monotonic_s()
        verdict = judged_load(recorded, wanted.plot, history)
        judged_s = monotonic_s() - start_s
    run = Run(
        store=asked.store,
        version=plan.version,
        executor=asked.executor,
        mix=asked.mix,
        clients=asked.clients,
        sessions=asked.sessions,
        seed=plan.seed,
        claims=plan.claims,
        declared=plan.declared,
        recorded=recorded,
        judged_s=judged_s,
    )
    return run, verdict


@contextmanager
def _alone(report: Path) -> Iterator[None]:
    """Have the folder for one load at a time; raises BadUsage. It is let go when we end."""
    try:
        folder = os.open(report, os.O_RDONLY)
    except OSError as error:
        raise BadUsage(f"--report {report} cannot be used: {error.strerror}") from None
    try:
        try:
            ours = lock(folder)
        except OSError:  # a file system without locks
            ours = True
        if not ours:
            raise BadUsage(f"--report {report} is in use by another load: name another")
        yield
    finally:
        os.close(folder)


@contextmanager
def _interruptible(recorded: Recorded) -> Iterator[None]:
    """The first Ctrl-C ends the load after its wave, which is then read and judged."""

    def interrupt(*_: object) -> None:
        if recorded.interrupted:
            raise KeyboardInterrupt
        recorded.interrupted = True

    before = signal.signal(signal.SIGINT, interrupt), signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def _wanted(asked: Asked, plan: Plan, directory: Path) -> Wanted:
    """What is to be done; raises BadUsage where the store does not claim that it can be."""
    claims, level = plan.claims, clients_beside(asked.executor)
    if not claims.at_least("handles", level):
        raise BadUsage(
            f"{asked.store} claims handles={claims.handles}, and {asked.executor} needs "
            f"handles={level}: name another --executor, or judge by --require handles={level}"
        )
    if claims.order != "append" or claims.writes != "append":
        raise BadUsage(f"{asked.store} does not claim that concurrent appends are kept in order")
    if claims.limits.content_bytes is not None and claims.limits.content_bytes < _TEXT_BYTES:
        raise BadUsage(f"{asked.store} takes no texts of {_TEXT_BYTES} bytes, which clients send")
    capabilities = frozenset(plan.capabilities)
    if not fits(asked.mix, capabilities):
        raise BadUsage(f"{asked.store} has no method for --mix {asked.mix}: name another")
    plot = Plot(
        seed=plan.seed,
        mix=asked.mix,
        clients=asked.clients,
        claims=claims,
        capabilities=capabilities,
        beside=rounds_beside(asked.mix, asked.sessions),
    )
    root = directory / "location"
    root.mkdir()
    # Workers that we did not start do not know the run by their environment.
    namespace = f"{schemas_of_run()}load" if is_on_server(asked.store) else None
    return Wanted(
        store=asked.store,
        location=Location(root.absolute(), namespace=namespace),
        deadlines=plan.profile.deadlines,
        plot=plot,
        seconds=asked.seconds,
        operations=asked.operations,
        rates=tuple(sorted(asked.rates)),
    )


def _require_shared(asked: Asked, hired: Workers) -> None:
    """Raise BadUsage where workers of several machines have no folder that was named for all."""
    hosts = {look.where.host for look in hired.look()} | {here().host}
    if asked.executor.startswith(DASK) and asked.location is None and len(hosts) > 1:
        raise BadUsage(
            f"the workers are on {', '.join(sorted(hosts))}: name a folder that all of them share "
            "with --location"
        )


class Shown:
    """Progress: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, asked: Asked) -> None:
        self._console, self._asked = console, asked
        self._start_s = self._told_s = monotonic_s()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                console=console, transient=True,
            )  # fmt: skip
            seconds = asked.seconds * max(1, len(asked.rates))
            total = seconds if asked.operations is None else asked.operations
            self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> Shown:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def follow(self, recorded: Recorded) -> None:
        """Show how far it is."""
        now_s = monotonic_s()
        deaths = f", {len(recorded.deaths)} workers lost" if recorded.deaths else ""
        said = f"{recorded.made:,} operations, wave {recorded.waves}{deaths}"
        if self._bar is not None:
            by_time = self._asked.operations is None
            done = now_s - self._start_s if by_time else recorded.made
            self._bar.update(self._task, completed=done, description=said)
        elif now_s - self._told_s >= _STEP_S:
            self._told_s = now_s
            say(self._console, said)


def _tell(run: Run, verdict: LoadVerdict, report: Path) -> int:
    out = Console()
    tell = partial(line, out, most=_LINE_CHARACTERS_MAX)
    code = exit_code(run, verdict)
    for told in verdict.breaks[:_SHOWN_MOST]:
        anomaly = told.incident.anomaly
        head = f"| {anomaly}: {MEANINGS[anomaly]}, in session {told.session!r}"
        tell(head, "bold red")
        tell(f"|   {told.sentence}")
    if len(verdict.breaks) > _SHOWN_MOST:
        tell(f"| {len(verdict.breaks) - _SHOWN_MOST:,} more are in {_FILE}")
    for name, text in summary(run, verdict):
        tell(f"| {name:<11} {text}")
    show_rates(run, report, out)
    tell(f"report: {write_load(run, verdict, report / _FILE)}")
    return code
