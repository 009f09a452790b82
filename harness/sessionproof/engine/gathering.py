"""Many stores, each judged by a run of its own: as many at a time as there are jobs.

This process runs no store. Each run is the command ``sessionproof run`` in a process group of its
own, in this environment or in one that holds the store alone, and what it says is its
``result.json``.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.extras import versions
from sessionproof.engine.children import Ended, run_and_read
from sessionproof.engine.environments import Environment, Environments, NotInstalled
from sessionproof.engine.roster import Asked
from sessionproof.report.result import EXIT_USAGE, RunResult
from sessionproof.report.write import PAGE, RESULT, read_result

State = Literal["judged", "cut short", "not opened", "not installed", "died", "not run"]

RUNS = "runs"
NOT_RUN = "the command was interrupted before it was this store's turn"
_GRACE_S = 20.0  # for a run that is asked to end: it reports what it knows
_LOOK_S = 0.5
_SHOWN = 300
_SAID = re.compile(r"sessionproof: (.+)")


@dataclass(frozen=True, kw_only=True)
class How:
    """How all stores are run. ``report`` is the board's folder; runs lie in ``runs/`` below it.

    ``environments`` is the folder of virtual environments, None where all runs are in this one.
    ``deadline_s`` is what one run may take.
    """

    profile: str
    seed: int
    report: Path
    jobs: int
    deadline_s: float
    environments: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What came of a store. ``result`` is None where nothing of it was judged.

    ``problem`` is a sentence for every state but judged. ``packages`` are the distributions that it
    needs, with the versions that it was run with. ``isolated``: in an environment of its own.
    """

    asked: Asked
    state: State
    folder: Path
    problem: str = ""
    result: RunResult | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = False
    installing_s: float = 0.0
    running_s: float = 0.0


@dataclass
class Under:
    """What is going on, for whoever shows it: names of stores by what is done with them."""

    installing: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)


Follow = Callable[[Ran | None, Under], None]
"""Called with each store that is done, and with None now and then between."""


def gather(stores: Sequence[Asked], how: How, follow: Follow) -> tuple[list[Ran], bool]:
    """Judge all stores; what came of each, in their order, and whether the user interrupted.

    An interruption ends the runs that go on, each with what it knows so far, and starts no more.
    Raises BadUsage where no environments can be made.
    """
    stop, under = threading.Event(), Under()
    apart = None if how.environments is None else Environments(how.environments.resolve(), stop)
    with ThreadPoolExecutor(how.jobs) as pool:
        one = _Runner(how, apart, stop, under)
        # Our own claim most and take longest: they come first, as whoever ends last works alone.
        order = sorted(range(len(stores)), key=lambda at: stores[at].kind == "third-party")
        futures = {at: pool.submit(one, stores[at]) for at in order}
        try:
            interrupted = _wait_for([*futures.values()], stop, lambda ran: follow(ran, under))
        finally:
            stop.set()
        return [futures[at].result() for at in range(len(stores))], interrupted


def _wait_for(
    futures: Sequence[Future[Ran]], stop: threading.Event, follow: Callable[[Ran | None], None]
) -> bool:
    """Hand on each store that is done, and None now and then; whether the user interrupted."""
    waiting, interrupted = set(futures), False
    while waiting:
        try:
            done, waiting = wait(waiting, _LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                follow(future.result())
            follow(None)
        except KeyboardInterrupt:
            interrupted = True
            stop.set()
    return interrupted


@dataclass(frozen=True)
class _Runner:
    """Judges one store after the other, in any thread."""

    how: How
    environments: Environments | None
    stop: threading.Event
    under: Under

    def __call__(self, store: Asked) -> Ran:
        folder = self.how.report / RUNS / store.name
        begun = monotonic_s()
        ran = Ran(asked=store, state="not run", problem=NOT_RUN, folder=folder)
        if self.stop.is_set():
            return ran
        try:
            made = self._environment(store)
        except NotInstalled as error:
            state: State = "not run" if self.stop.is_set() else "not installed"
            return _changed(ran, state=state, problem=str(error))
        except OSError as error:  # a full disk, most of all
            return _changed(ran, state="not installed", problem=_why(error))
        installed = monotonic_s()
        if self.stop.is_set():
            return ran
        try:
            ended, printed = self._run(store, folder, made)
        except OSError as error:
            return _changed(ran, state="died", problem=_why(error))
        state, problem, result = judged(ended, folder, printed)
        found = versions(store.packages, None if made is None else made.packages)
        return Ran(
            asked=store,
            state=state,
            problem=problem,
            folder=folder,
            result=result,
            packages={name: version for name, version in found.items() if version is not None},
            isolated=made is not None,
            installing_s=round(installed - begun, 1) if made is not None else 0.0,
            running_s=round(monotonic_s() - installed, 1),
        )

    def _environment(self, store: Asked) -> Environment | None:
        if self.environments is None or not store.shipped:
            return None
        self.under.installing.add(store.name)
        try:
            return self.environments.ready(store.extras)
        finally:
            self.under.installing.discard(store.name)

    def _run(self, store: Asked, folder: Path, made: Environment | None) -> tuple[Ended, str]:
        """Run the command; how it ended, and the end of what it printed."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULT, PAGE):  # of an earlier run
            (folder / name).unlink(missing_ok=True)
        how = self.how
        command = [
            sys.executable if made is None else os.fspath(made.python), "-m", "sessionproof",
            "run", *store.words, "--profile", how.profile, "--seed", str(how.seed), "-n", "1",
            "--report", os.fspath(folder.resolve()),
        ]  # fmt: skip
        self.under.running.add(store.name)
        try:
            return run_and_read(
                command,
                environment=_environment(made),
                # An adapter finds its library in its environment, never in the user's folder.
                folder=None if made is None else made.folder,
                until_s=monotonic_s() + how.deadline_s,
                stop=self.stop,
                grace_s=_GRACE_S,
            )
        finally:
            self.under.running.discard(store.name)


def judged(ended: Ended, folder: Path, printed: str) -> tuple[State, str, RunResult | None]:
    """What a run that ended says: its state, a sentence where it is not whole, its result."""
    lines = [line for line in printed.splitlines() if line.strip()] or ["it said nothing"]
    said = [found[1] for line in lines if (found := _SAID.fullmatch(line))]
    if ended.code == EXIT_USAGE:
        return "not opened", (said or lines)[-1][:_SHOWN], None
    try:
        result = read_result(folder / RESULT)
    except ValueError:
        if ended.why:
            return "not run", f"nothing was judged: {ended.why}", None
        how = f"was killed by signal {-ended.code}" if ended.code < 0 else "left no result"
        return "died", f"the run {how}: {lines[-1][:_SHOWN]}", None
    if ended.why or not result.complete:  # also where its scripts alone were not run to their end
        return "cut short", f"the run was cut short: {ended.why or (said or lines)[-1]}", result
    return "judged", "", result


def _changed(ran: Ran, *, state: State, problem: str) -> Ran:
    return Ran(asked=ran.asked, folder=ran.folder, state=state, problem=problem)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _environment(made: Environment | None) -> dict[str, str]:
    """The variables of a run: ours, or those that show it nothing but what was installed for it."""
    kept = dict(os.environ)
    if made is not None:
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            kept.pop(name, None)
        kept["PATH"] = f"{made.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return kept
