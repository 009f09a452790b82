"""What exploring comes to: a schedule that breaks a promise, and how it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sessionproof.contract.anomalies import Anomaly
from sessionproof.schedule.decisions import Key
from sessionproof.schedule.program import Program, Run

Schedule = tuple[tuple[Key, int], ...]
"""Deviations from the order in which nobody is interrupted: at this decision, this task goes on."""


@dataclass(frozen=True)
class Wrong:
    """Why an execution breaks a promise. ``rows``, ``session`` and ``ids`` as in an incident."""

    anomaly: Anomaly
    sentence: str
    session: int = 0
    rows: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()


Judge = Callable[[Run], Wrong | None]


@dataclass(frozen=True)
class Found:
    """A schedule that breaks a promise, with the execution that shows it.

    ``after`` executions and ``seconds`` it was found; ``replayed`` of ``replays`` further
    executions on fresh locations showed the same. ``first`` is what it was before it was made
    smaller: operations and deviations. ``by`` names the strategy.
    """

    program: Program
    schedule: Schedule
    run: Run
    wrong: Wrong
    after: int
    seconds: float
    by: str
    replayed: int = 0
    replays: int = 0
    first: tuple[int, int] = (0, 0)
    lines: bool = False
