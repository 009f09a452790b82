"""The search of rows that draw programs of their own: drawn for a share of time, then shrunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from hypothesis.strategies import SearchStrategy

from sessionproof.contract.operations import HANG
from sessionproof.trials.single import Trial
from sessionproof.workload.search import search


class _Fault(Protocol):
    @property
    def anomaly(self) -> str: ...


class Shown(Protocol):
    """What a program showed: a fault, and whatever tells of it."""

    @property
    def fault(self) -> _Fault:
        """What was wrong."""


_Program = TypeVar("_Program")
_Shown = TypeVar("_Shown", bound=Shown)
_Judgement = TypeVar("_Judgement")


def smallest(
    trial: Trial,
    strategy: SearchStrategy[_Program],
    judged: Callable[[_Program], tuple[_Shown | None, _Judgement]],
    counted: Callable[[_Judgement], None],
    *,
    late: Callable[[], bool] = lambda: False,
) -> _Shown | None:
    """What the smallest program with a fault showed; None where none was found in time.

    ``judged`` runs a program, ``counted`` is told of those without a fault. Once a call hung, or
    it is late, no other program is run: each would wait as long.
    """
    hung = False

    def run(program: _Program) -> _Shown | None:
        nonlocal hung
        if hung or late():
            return None
        shown, judgement = judged(program)
        if shown is None:
            counted(judgement)
        hung = shown is not None and shown.fault.anomaly == HANG
        return shown

    found = search(
        strategy, run, seed=trial.seed, enough=trial.enough, shrink_s=trial.profile.shrink_s
    ).counterexample
    return None if found is None else found.fault
