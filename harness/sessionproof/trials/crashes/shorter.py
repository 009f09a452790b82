"""A program that a store does not survive, without what that does not need."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import (
    Append,
    Create,
    Operation,
    Program,
    Reopen,
    messages_of,
    session_of,
)
from sessionproof.faults.recording import CannotTrace
from sessionproof.trials.crashes.again import Shown, Wanted, asked, first_wrong
from sessionproof.trials.crashes.exploration import workers
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Trial
from sessionproof.trials.trimming import trimmed
from sessionproof.workload.guard import CannotOpen

_ONE_MORE_S = 1.0  # a first try is made, however short the time


def shortened(trial: Trial, shown: Shown, wanted: Wanted) -> Shown:
    """The shortest program found that shows the same; what two clients did stays as it was.

    It has the time of shrinking twice, as the trial's own program came without any.
    """
    programs = asked(shown.recording, shown.state.point)
    costly = shown.flaw.anomaly in (Anomaly.HANG, Anomaly.CRASH)
    if costly or len(programs) > 1 or not programs[0]:
        return shown
    until = monotonic_s() + max(_ONE_MORE_S, 2 * trial.profile.shrink_s)
    tries = _Tries(trial, shown, wanted)
    program = programs[0]
    for candidate in _candidates(program, shown):
        if monotonic_s() >= until or candidate == program:
            break
        if tries.fails(candidate):
            program = candidate
            break
    trimmed(program, tries.fails, lambda: monotonic_s() < until)
    return tries.best


class _Tries:
    """Programs recorded anew; ``best`` is the last that showed the same."""

    def __init__(self, trial: Trial, shown: Shown, wanted: Wanted) -> None:
        self._trial, self._wanted = trial, wanted
        self.best = shown

    def fails(self, program: Program) -> bool:
        """Whether a crash of this program shows the same."""
        folder = Path(tempfile.mkdtemp(prefix="shorter-", dir=parent_of(self._trial)))
        try:
            shown = first_wrong(
                self._trial.store, (program,), self._wanted, model=self.best.state.model,
                folder=folder, seed=self._trial.run_seed, at_once=workers(),
            )  # fmt: skip
        except (CannotTrace, CannotOpen):  # it could, a moment ago, with more of the program
            shown = None
        if shown is None:
            shutil.rmtree(folder, ignore_errors=True)
            return False
        self.best = shown
        return True


def _candidates(program: Program, shown: Shown) -> Iterator[Program]:
    """Shorter programs that are likely to show it, the shortest first."""
    at = _target(program, shown)
    target = program[at]
    name = shown.flaw.session or session_of(target)
    same = [step for step in program[:at] if session_of(step) == name]
    before = [step for step in same if isinstance(step, Append) and _is_small(step)]
    made = [step for step in same if isinstance(step, Create)]
    yield (*made[-1:], *before[-1:], target)
    yield (*same, target)
    yield program[: at + 1]


def _target(program: Program, shown: Shown) -> int:
    """The place of the operation that it is about: the flaw's own, or the last."""
    acts, flaw = shown.recording.acts, shown.flaw
    if flaw.act is not None and acts[flaw.act].operation in program:
        return program.index(acts[flaw.act].operation)
    places = [at for at, step in enumerate(program) if not isinstance(step, Reopen)]
    return places[-1] if places else len(program) - 1


def _is_small(step: Operation) -> bool:
    return all(len(str(message.content)) < 1_000 for message in messages_of(step))
