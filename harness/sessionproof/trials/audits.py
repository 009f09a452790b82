"""Asking the tables behind a store, where it shows them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Append
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload.shapes import kind

T = TypeVar("T")


@dataclass(frozen=True)
class Look(Generic[T]):
    """The answer of a question to the tables; or why there is none: a fault, or no access."""

    answer: T | None = None
    malformed: str | None = None
    unseen: str | None = None


def look(trial: Trial, question: Callable[[SqliteTables], T]) -> Look[T]:
    """Ask the tables at the trial's location. Under the guard: where they lie is the store's word.

    Raises Broken when the store does not answer what they are.
    """
    outcome = trial.handle().perform("tables()", lambda call: _asked(call("tables"), question))
    trial.require_ok(outcome, "asked for the tables")
    seen: Look[T] = outcome.value
    return seen


def shown(trial: Trial, question: Callable[[SqliteTables], T]) -> T:
    """As ``look``, after a first append; raises NotClaimed where there are no tables to be seen."""
    if "tables" not in trial.capabilities:
        raise NotClaimed("the store shows no tables")
    trial.run(trial.program(Append("s0", trial.several(1))), examined=0)
    seen = look(trial, question)
    if seen.unseen is not None:
        raise NotClaimed(seen.unseen)
    require_tables(trial, seen)
    assert seen.answer is not None
    return seen.answer


def require_tables(trial: Trial, seen: Look[T]) -> None:
    """Raise Broken unless the tables are there as the store says."""
    trial.require(
        seen.malformed is None,
        Anomaly.MALFORMED,
        did="asked for the tables, then read them",
        expected="sessionproof.SqliteTables, naming tables and columns that are there",
        seen=str(seen.malformed),
        script=("tables = store.tables()", "assert tables.messages, 'there are tables'"),
    )


def _asked(tables: object, question: Callable[[SqliteTables], T]) -> Look[T]:
    if not isinstance(tables, SqliteTables):
        return Look(malformed=f"tables answered {kind(tables)}")
    try:
        return Look(question(tables))
    except (sqlite3.Error, TypeError, ValueError, AttributeError) as error:
        if "locked" in str(error):
            return Look(unseen="the store keeps its tables locked")
        return Look(malformed=f"{type(error).__name__}: {error}")
