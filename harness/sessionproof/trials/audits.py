"""Asking the tables behind a store, where it shows them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from sessionproof.checks.rules import asserts_none
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Append
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.single import Judge, NotClaimed, Trial
from sessionproof.workload.execute import Transcript
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
    return answered(trial, look(trial, question))


def answered(trial: Trial, seen: Look[T]) -> T:
    """The answer of a look; raises NotClaimed without access, Broken unless tables are there."""
    if seen.unseen is not None:
        raise NotClaimed(seen.unseen)
    trial.require(
        seen.malformed is None,
        Anomaly.MALFORMED,
        did="asked for the tables, then read them",
        expected="sessionproof.SqliteTables, naming tables and columns that are there",
        seen=str(seen.malformed),
        script=("tables = store.tables()", "assert tables.messages, 'there are tables'"),
    )
    return cast(T, seen.answer)


def and_audited(
    trial: Trial,
    check: Judge,
    problems_in: Callable[[SqliteTables], list[str]],
    *,
    anomaly: Anomaly,
    expected: str,
    asked: str,
) -> Judge:
    """The check, then an audit of the store's tables, where it shows them.

    ``asked`` is the audit as a script writes it.
    """

    def both(transcript: Transcript) -> Fault | None:
        fault = check(transcript)
        if fault is not None or "tables" not in trial.capabilities or trial.store.dropped:
            return fault
        problems = look(trial, problems_in).answer
        if not problems:
            return None
        trial.store.fresh_location()  # the next program shall not find what this one left
        return Fault(
            index=len(transcript) - 1,
            anomaly=anomaly,
            expected=expected,
            seen="; ".join(problems[:5]),
            rule=asserts_none(asked),
        )

    return both


def _asked(tables: object, question: Callable[[SqliteTables], T]) -> Look[T]:
    if not isinstance(tables, SqliteTables):
        return Look(malformed=f"tables answered {kind(tables)}")
    try:
        return Look(question(tables))
    except (sqlite3.Error, TypeError, ValueError, AttributeError) as error:
        if "locked" in str(error):
            return Look(unseen="the store keeps its tables locked")
        return Look(malformed=f"{type(error).__name__}: {error}")
