"""Rows that outlive their messages: what was removed, or never kept, is gone from the table."""

from __future__ import annotations

from sessionproof.audit.tables import unread_problems
from sessionproof.checks.rules import Asserts, asserts_none
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Create,
    Delete,
    DeleteMessage,
    PopLast,
    Read,
    Replace,
    messages_of,
    session_of,
)
from sessionproof.trials.audits import look, shown
from sessionproof.trials.lines import tolerated
from sessionproof.trials.single import Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript

_REMOVALS = (PopLast, Clear, Delete, DeleteMessage, Replace)
_PUTS = (Append, AppendWithState, Create, Replace)


def none_is_left(trial: Trial) -> None:
    """Any sequence of changes on a file of its own, then SQL: no more rows than can be read.

    Counts messages that were removed. Fewer rows than messages are right: a row may hold many.
    """
    shown(trial, lambda tables: unread_problems(tables, 1))
    trial.store.fresh_location()
    kinds = programs.changes(trial.capabilities, trial.claims)
    removals = [kind for kind in kinds if kind in _REMOVALS]

    def check(transcript: Transcript) -> Fault | None:
        return _left_in(trial, transcript)

    filled = (Append("s0", trial.several(3)), Append("s1", trial.several(1)))
    for removal in programs.one_of_each(trial.words, removals, "s0", trial.text_seed):
        program = trial.program(*filled, removal, sessions=("s0", "s1"))
        trial.count("removed messages", _removed(trial.run(program, check, examined=0)))
    drawn = trial.strategy(Append, Append, *removals, *kinds, sessions=2, most=12)
    trial.search(drawn, check, count=_removed)


def _left_in(trial: Trial, transcript: Transcript) -> Fault | None:
    """What the program has left behind; the next one begins on an empty location."""
    if trial.store.dropped:
        return None
    readable = _readable(trial, transcript)
    problems = [] if readable is None else _problems(trial, readable)
    trial.store.fresh_location()
    if not problems:
        return None
    changes = [at for at, done in enumerate(transcript) if not isinstance(done.operation, Read)]
    return Fault(
        index=max(changes, default=len(transcript) - 1),
        anomaly=Anomaly.UNREACHABLE,
        expected="each row of the table of messages is a message that a read answers",
        seen=problems[0],
        rule=_rule(trial, transcript),
    )


def _problems(trial: Trial, readable: int) -> list[str]:
    return look(trial, lambda tables: unread_problems(tables, readable)).answer or []


def _readable(trial: Trial, transcript: Transcript) -> int | None:
    """How many messages all sessions answer together; None where that cannot be known."""
    ids = {done.session_id for done in transcript if done.session_id is not None}
    if "list" in trial.capabilities:
        listed = trial.handle().perform("list", lambda call: [str(one) for one in call("list")])
        if listed.type != "ok":
            return None
        ids |= set(listed.value)
    number = 0
    for session in sorted(ids):
        read = trial.handle().invoke(Read("s"), session)
        if read.type == "info":
            return None
        number += len(read.value) if read.type == "ok" else 0  # an unknown session has none
    return number


def _rule(trial: Trial, transcript: Transcript) -> Asserts:
    """The same count in lines: of the sessions that are listed, or of those of the program."""
    names = sorted({session_of(done.operation) for done in transcript} - {""})
    each = "for name in store.list():" if "list" in trial.capabilities else f"for name in {names}:"
    read = tolerated("readable += len(store.read(name))")
    audit = asserts_none("unread_problems(store.tables(), readable)").lines
    return Asserts(("readable = 0", each, *(f"    {line}" for line in read), *audit))


def _removed(transcript: Transcript) -> int:
    """Messages that were put into the program's sessions, and that its last reads do not answer."""
    put, there = 0, dict[str, int]()
    for done in transcript:
        if done.outcome.type != "ok":
            continue
        if isinstance(done.operation, _PUTS):
            put += len(messages_of(done.operation))
        elif isinstance(done.operation, Read):
            there[done.operation.session] = len(done.outcome.value)
    return max(0, put - sum(there.values()))
