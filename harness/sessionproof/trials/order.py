"""Order within a session: bursts, times that tie or step back, and what the tables say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from sessionproof.audit.sequence import numbers_in, sequence_problems
from sessionproof.checks.rules import asserts_none
from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import MICROSECONDS
from sessionproof.contract.operations import Append, Operation, Read
from sessionproof.contract.store import SqliteTables
from sessionproof.scripts.program import lines_of
from sessionproof.trials.audits import answered, look
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import Transcript

_START_US = 1_767_225_600 * MICROSECONDS
_DAY_US = 86_400 * MICROSECONDS
_BURST = 60


def burst(trial: Trial) -> None:
    """Single appends and batches as fast as they go, without times: read in append order.

    Where a session keeps fewer, it is read as often as the limit drops all that was seen.
    """
    sample, keeps = trial.words.samples[0], trial.claims.limits.retention
    steps: list[Operation] = []
    for number in range(1, _BURST + 1):
        steps.append(Append("s0", (sample,)))
        if keeps is not None and number % keeps == 0:
            steps.append(Read("s0"))
    steps += [Append("s0", (sample,) * 8)] * 3
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
    found = answered(trial, look(trial, lambda tables: _numbers(tables, start)))
    if found is None:
        raise NotClaimed("the store's tables have no column of numbers")
    numbers, problems = found
    trial.require(
        not problems,
        Anomaly.SEQUENCE_GAP,
        did="appended 1, 3 and 2 messages, then read the tables",
        expected="each session's numbers from the declared start, without gap or repeat",
        seen="; ".join(problems[:5]),
        script=[*lines, *asserts_none(f"sequence_problems(store.tables(), start={start})").lines],
    )
    if numbers < 6:
        raise CouldNotTell(f"6 messages were appended, the tables show {numbers} numbers")
    trial.count("numbers", 6)


def _numbers(tables: SqliteTables, start: int) -> tuple[int, list[str]] | None:
    """How many numbers there are and what is wrong with them; None without such a column."""
    if tables.message_seq is None:
        return None
    return numbers_in(tables), sequence_problems(tables, start=start)
