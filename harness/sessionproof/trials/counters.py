"""Counts and totals beside the messages that they are of, after any changes and after edits.

The store's answers are compared with what it reads back. Where it shows its tables, the counters
that are kept there are compared with the rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from hypothesis import strategies as st

from sessionproof.audit.tables import counter_problems
from sessionproof.checks.counters import FACTS, count_counters, judge_counters, kept_facts
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Count,
    EditMessage,
    Get,
    Operation,
    Program,
    Read,
    Reopen,
    session_of,
)
from sessionproof.trials.audits import and_audited
from sessionproof.trials.single import Judge, NotClaimed, Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript


def agree(trial: Trial, *facts: str) -> None:
    """Any sequence of changes; after each, these facts are those of the messages that are read."""
    answered(trial, facts)
    kinds = programs.changes(trial.capabilities, trial.claims)
    reopen = [kind for kind in programs.kinds_for(trial.capabilities, trial.claims)
              if kind is Reopen]  # fmt: skip
    check = _and_in_the_tables(trial, facts, partial(_judged, trial, facts))
    filled = Append("s0", _weighed(trial))
    for change in programs.one_of_each(trial.words, kinds, "s0", trial.text_seed):
        program = _watched(trial, trial.program(filled, change, filled))
        trial.count(
            trial.guarantee.unit, _counted(trial, facts, trial.run(program, check, examined=0))
        )
    drawn = trial.strategy(Append, Append, *kinds, *reopen, sessions=2, most=10)
    trial.search(drawn.map(partial(_watched, trial)), check, count=partial(_counted, trial, facts))


def _weighed(trial: Trial) -> tuple[Message, ...]:
    """Some messages with tokens and durations as far as they are kept, and one without."""
    heavy, *others = trial.several(4)
    if "tokens" in trial.claims.keeps:
        heavy = replace(heavy, tokens=7)
    if "duration_us" in trial.claims.keeps:
        heavy = replace(heavy, duration_us=1_100_000)
    if not trial.words.representable(heavy):
        return trial.several(4)
    return (heavy, heavy, others[0], heavy) if others else (heavy,)


def edits_keep_totals(trial: Trial) -> None:
    """Edits of tokens and durations, in one session and another: all facts stay right."""
    facts = [fact for fact in kept_facts(FACTS, trial.claims) if FACTS[fact] is not None]
    answered(trial, facts)
    names = ["s0", "s1"]
    one = programs.operation_strategy(
        trial.words, [EditMessage, EditMessage, Append], names, trial.text_seed
    )
    filled = [Append(name, _weighed(trial)) for name in names]

    def edited(steps: list[Operation]) -> Program:
        return _watched(trial, trial.program(*filled, *steps, sessions=names))

    trial.search(
        st.lists(one, min_size=1, max_size=8).map(edited),
        _and_in_the_tables(trial, facts, partial(_judged, trial, facts)),
        count=_count_edits,
    )


def answered(trial: Trial, facts: Collection[str]) -> None:
    """See that the store answers one of these facts; raises NotClaimed."""
    steps = (Append("s0", trial.several(1)), Read("s0"), Count("s0"), Get("s0"))
    asked = [step for step in steps if _can(trial, step)]
    transcript = trial.run(trial.program(*asked), lambda _: None, examined=0)
    if not count_counters(transcript, trial.claims, facts):
        raise NotClaimed(f"the store answers no {' and no '.join(facts)}")


def _can(trial: Trial, step: Operation) -> bool:
    needed = {Count: "count", Get: "get"}.get(type(step))
    return needed is None or needed in trial.capabilities


def _watched(trial: Trial, program: Program) -> Program:
    """The program with a look at every session after each step."""
    names = sorted({session_of(step) for step in program} - {""})
    looks = [
        look for name in names for look in (Read(name), Count(name), Get(name)) if _can(trial, look)
    ]
    changed = [step for step in program if not isinstance(step, Read)]
    return tuple(part for step in changed for part in (step, *looks))


def _judged(trial: Trial, facts: Collection[str], transcript: Transcript) -> Fault | None:
    return judge_counters(transcript, trial.claims, facts)


def _counted(trial: Trial, facts: Collection[str], transcript: Transcript) -> int:
    return count_counters(transcript, trial.claims, facts)


def _count_edits(transcript: Transcript) -> int:
    """Edits that took place: a look at every session follows each."""
    return sum(
        isinstance(done.operation, EditMessage) and done.outcome.type == "ok" for done in transcript
    )


def _and_in_the_tables(trial: Trial, facts: Collection[str], check: Judge) -> Judge:
    """The check, then the counters in the store's tables beside its rows, where it shows them."""
    return and_audited(
        trial,
        check,
        lambda tables: counter_problems(tables, facts),
        anomaly=Anomaly.COUNTER_DRIFT,
        expected="each counter in the tables is that of the session's rows",
        asked=f"counter_problems(store.tables(), {sorted(facts)})",
    )


def looked(
    trial: Trial, session: str, facts: Collection[str]
) -> tuple[Fault | None, tuple[Completed, ...]]:
    """A look at the session from all sides, and at its counters in the tables."""
    steps = (Read("s0"), Count("s0"), Get("s0"))
    handle = trial.handle()
    done = tuple(
        Completed(step, handle.invoke(step, session), session)
        for step in steps
        if _can(trial, step)
    )
    check = _and_in_the_tables(trial, facts, partial(_judged, trial, facts))
    return check(done), done
