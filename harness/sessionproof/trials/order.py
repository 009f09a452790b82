"""Order within a session: bursts, times that tie or step back, and what the tables say."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from sessionproof.audit.sequence import numbers_in, sequence_problems
from sessionproof.checks.rules import asserts_none
from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import MICROSECONDS
from sessionproof.contract.operations import Append, Operation
from sessionproof.contract.store import SqliteTables
from sessionproof.trials.script import lines_of
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import Transcript
from sessionproof.workload.shapes import kind

_START_US = 1_767_225_600 * MICROSECONDS
_DAY_US = 86_400 * MICROSECONDS
_BURST = 60


def burst(trial: Trial) -> None:
    """Single appends and batches as fast as they go, without times: read in append order."""
    sample = trial.words.samples[0]
    steps: list[Operation] = [Append("s0", (sample,) * size) for size in [1] * _BURST + [8] * 3]
    trial.run(trial.program(*steps), lambda done: _judge_order(trial, done))


def times(trial: Trial) -> None:
    """Times given by the client that tie, and where order is by append, step back or jump."""
    sample = trial.words.samples[0]
    timed = replace(sample, created_at_us=_START_US)
    ordered_by_time = trial.claims.order == "timestamp"
    if "created_at_us" not in trial.claims.keeps and not ordered_by_time:
        raise NotClaimed("the store takes no times from its clients")
    if not trial.words.representable(timed):
        raise NotClaimed("the store cannot express a message's time")
    ticks = st.just(0) if ordered_by_time else st.sampled_from((0, 1, -1, -_DAY_US, _DAY_US))

    def program(moves: list[int]) -> tuple[Operation, ...]:
        now, steps = _START_US, []
        for move in moves:
            now += move
            steps.append(Append("s0", (replace(sample, created_at_us=now),)))
        return trial.program(*steps)

    trial.search(
        st.lists(ticks, min_size=2, max_size=14).map(program),
        lambda done: _judge_order(trial, done),
    )


def _judge_order(trial: Trial, transcript: Transcript) -> Fault | None:
    """The oracle, without the times: whether they are kept exactly is another guarantee."""
    return judge(transcript, replace(trial.claims, keeps=trial.claims.keeps - {"created_at_us"}))


def tables_agree(trial: Trial) -> None:
    """Audit the numbers in the store's own tables, read-only; raises NotClaimed without tables."""
    if "tables" not in trial.capabilities:
        raise NotClaimed("the store shows no tables")
    if trial.claims.limits.retention is not None:
        raise NotClaimed("the store drops old messages, so its tables begin with any number")
    sample = trial.words.samples[0]
    appends = [Append("s0", (sample,) * size) for size in (1, 3, 2)]
    transcript = trial.run(trial.program(*appends), examined=0)
    lines, _ = lines_of(transcript[:-1], trial.claims)
    start = trial.claims.seq_start or 0
    # Under the guard: what is audited, and where it lies, is the store's word.
    outcome = trial.handle().perform("tables()", lambda call: _audited(call("tables"), start))
    trial.require_ok(outcome, "asked for the tables")
    audit: _Audit = outcome.value
    if audit.unseen is not None:
        raise NotClaimed(audit.unseen)
    trial.require(
        audit.malformed is None,
        Anomaly.MALFORMED,
        did="asked for the tables, then read them",
        expected="sessionproof.SqliteTables, naming tables that are there",
        seen=str(audit.malformed),
        script=[*lines, "assert isinstance(store.tables(), SqliteTables), store.tables()"],
    )
    trial.require(
        not audit.problems,
        Anomaly.SEQUENCE_GAP,
        did="appended 1, 3 and 2 messages, then read the tables",
        expected="each session's numbers from the declared start, without gap or repeat",
        seen="; ".join(audit.problems[:5]),
        script=[*lines, *asserts_none(f"sequence_problems(store.tables(), start={start})").lines],
    )
    if audit.numbers < 6:
        raise CouldNotTell(f"6 messages were appended, the tables show {audit.numbers} numbers")
    trial.count("numbers", 6)


@dataclass(frozen=True)
class _Audit:
    """What an audit saw: how many numbers, what is wrong with them, or why there is nothing."""

    numbers: int = 0
    problems: tuple[str, ...] = ()
    malformed: str | None = None
    unseen: str | None = None


def _audited(tables: object, start: int) -> _Audit:
    if not isinstance(tables, SqliteTables):
        return _Audit(malformed=f"tables answered {kind(tables)}")
    try:
        if tables.message_seq is None:
            return _Audit(unseen="the store's tables have no column of numbers")
        return _Audit(numbers_in(tables), tuple(sequence_problems(tables, start=start)))
    except (sqlite3.Error, TypeError, ValueError) as error:
        if "locked" in str(error):
            return _Audit(unseen="the store keeps its tables locked")
        return _Audit(malformed=f"{type(error).__name__}: {error}")
