"""Counts and totals beside the messages that they are of: after changes, after failures, for long.

The store's answers are compared with what it reads back. Where it shows its tables, the counters
that are kept there are compared with the rows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from sessionproof.audit.tables import counter_problems
from sessionproof.checks.counters import FACTS, count_counters, judge_counters, kept_facts
from sessionproof.checks.rules import asserts_none
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Count,
    Create,
    DeleteMessage,
    EditMessage,
    Get,
    Operation,
    Program,
    Read,
    Reopen,
    Replace,
    as_call,
    message_call,
    method_of,
    session_of,
)
from sessionproof.trials.audits import look
from sessionproof.trials.batches import poisoned
from sessionproof.trials.inputs import good_message, invalid_messages
from sessionproof.trials.lines import facts_hold, made, said, tolerated
from sessionproof.trials.single import Judge, NotClaimed, Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript

Failing = tuple[str, Operation, str | None]
"""A write in words, as a step, and the id of the message that it names."""

_ROUNDS_MOST = 25_000  # of four operations each, with the emptying
_BLOCK = 50  # rounds between two looks


def agree(trial: Trial, *facts: str) -> None:
    """Any sequence of changes; after each, these facts are those of the messages that are read."""
    _answered(trial, facts)
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
    _answered(trial, facts)
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


def _answered(trial: Trial, facts: Collection[str]) -> None:
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

    def both(transcript: Transcript) -> Fault | None:
        fault = check(transcript)
        if fault is not None or "tables" not in trial.capabilities or trial.store.dropped:
            return fault
        problems = look(trial, lambda tables: counter_problems(tables, facts)).answer
        if not problems:
            return None
        trial.store.fresh_location()  # the next program shall not find what this one left
        return Fault(
            index=len(transcript) - 1,
            anomaly=Anomaly.COUNTER_DRIFT,
            expected="each counter in the tables is that of the session's rows",
            seen="; ".join(problems[:5]),
            rule=asserts_none(f"counter_problems(store.tables(), {sorted(facts)})"),
        )

    return both


def for_long(trial: Trial) -> None:
    """Thousands of appends and removals in one session: no drift adds up, and nothing is left.

    The profile's share decides how many; 25,000 rounds are 100,000 operations.
    """
    fact = ["total_duration_us"]
    _answered(trial, fact)
    start = trial.run(trial.program(Append("s0", trial.several(1))), lambda _: None, examined=0)
    session, began, rounds = start[-1].session_id or "", monotonic_s(), 0
    ways = ("clear", "pop_last", "delete_message", "replace")
    emptying = next((name for name in ways if name in trial.capabilities), None)
    _carry_out(trial, partial(_emptied, session, emptying))
    while rounds < (_ROUNDS_MOST if emptying else _BLOCK * 10):
        for number in range(rounds, rounds + _BLOCK):
            _carry_out(trial, partial(_round, trial, session, number))
        rounds += _BLOCK
        _no_drift(trial, session, rounds, emptied=None)
        if emptying is not None:
            _carry_out(trial, partial(_emptied, session, emptying))
            _no_drift(trial, session, rounds, emptied=emptying)
        if monotonic_s() - began > trial.profile.share_s:
            break
    trial.notes.append(f"{rounds * 4:,} appends and removals in one session")


def _carry_out(trial: Trial, action: Callable[[Callable[..., Any]], object]) -> None:
    outcome = trial.handle().perform("appends and removals", action)
    trial.require_ok(outcome, "appended and removed messages with durations")


def _round(trial: Trial, session: str, number: int, call: Callable[..., Any]) -> None:
    """Two appends; the second is taken back where it can be."""
    message = good_message(trial, "for long")
    for duration_us in (number * 7_919_017 % 90_000_001, number * 104_729_003 % 1_000_003):
        call("append", session, [replace(message, duration_us=duration_us)])
    if "pop_last" in trial.capabilities:
        call("pop_last", session)


def _emptied(session: str, emptying: str | None, call: Callable[..., Any]) -> None:
    if emptying == "clear":
        call("clear", session)
    elif emptying == "replace":
        call("replace", session, [])
    elif emptying == "delete_message":
        for message in call("read", session):
            call("delete_message", session, message.id)
    while emptying == "pop_last" and call("pop_last", session) is not None:
        pass


_EMPTYING = {
    None: (),
    "clear": ("store.clear(s0)",),
    "replace": ("store.replace(s0, [])",),
    "pop_last": ("while store.pop_last(s0):", "    pass"),
    "delete_message": (
        "for message in store.read(s0):", "    store.delete_message(s0, message.id)",
    ),
}  # fmt: skip


def _no_drift(trial: Trial, session: str, rounds: int, *, emptied: str | None) -> None:
    """The total of durations is that of the messages, as answered and in the tables."""
    fact = ["total_duration_us"]
    fault, done = _looked(trial, session, fact)
    trial.require_ok(done[0].outcome, "read after appends and removals")
    trial.require(
        fault is None,
        Anomaly.COUNTER_DRIFT,
        did=f"appended {rounds * 2:,} messages with durations to one session, and removed some"
        + (" and then all" if emptied else ""),
        expected=fault.expected if fault else "",
        seen=fault.seen if fault else "",
        script=_long_script(trial, rounds, emptied),
    )
    trial.count("totals", count_counters(done, trial.claims, fact))


def _long_script(trial: Trial, rounds: int, emptied: str | None) -> list[str]:
    message = said(trial, "for long").removesuffix(")")
    popped = ["    store.pop_last(s0)"] if "pop_last" in trial.capabilities else []
    return [
        *made(trial, "s0"),
        f"for n in range({rounds}):",
        f"    store.append(s0, [{message}, duration_us=n * 7_919_017 % 90_000_001)])",
        f"    store.append(s0, [{message}, duration_us=n * 104_729_003 % 1_000_003)])",
        *popped,
        *_EMPTYING[emptied],
        *facts_hold(trial, "total_duration_us"),
    ]


def _looked(
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


def after_failures(trial: Trial) -> None:
    """Writes that fail in every way that can be had; after each, all facts are right."""
    _answered(trial, tuple(FACTS))
    _each_fails(trial, [*_named_wrongly(trial), *_failing(trial)])
    _each_fails(trial, [*_poisoned_steps(trial)])


def _each_fails(trial: Trial, steps: Sequence[Failing]) -> None:
    session: str | None = None
    for words, step, message_id in trial.within_time(steps):
        if session is None:
            plain = trial.program(Append("s0", trial.several(3)))
            session = trial.run(plain, lambda _: None, examined=0)[-1].session_id or ""
        if not _failed(trial, session, words, step, message_id):
            session = None
            trial.store.fresh_location()  # what was stored there may be anything


def _failing(trial: Trial) -> Iterator[Failing]:
    """Writes that a store is likely to refuse."""
    for words, bad in invalid_messages(trial):
        yield from _with(trial, words, bad)
    if "create" in trial.capabilities and trial.claims.session_ids == "caller":
        again = Create("s0", (good_message(trial, "good"),))
        yield "create a session that exists", again, None


def _poisoned_steps(trial: Trial) -> Iterator[Failing]:
    """Writes that the database itself refuses, half-way."""
    for words, bad in poisoned(trial):
        yield from _with(trial, words, bad)


def _with(trial: Trial, words: str, bad: Message) -> Iterator[Failing]:
    good = good_message(trial, "good")
    yield f"append a batch with {words}", Append("s0", (good, bad, good)), None
    if "replace" in trial.capabilities:
        yield f"replace the history by one with {words}", Replace("s0", (good, bad)), None
    if "edit_message" in trial.capabilities:
        yield f"edit a message into {words}", EditMessage("s0", 0, bad), None


def _named_wrongly(trial: Trial) -> Iterator[Failing]:
    """Changes of a message that is not there."""
    edited = EditMessage("s0", 0, good_message(trial, "edited"))
    for step in (DeleteMessage("s0", 0), edited) * 2:
        if method_of(step) in trial.capabilities:
            yield f"{method_of(step)} of an id that no message has", step, "no-such-id"


def _failed(
    trial: Trial, session: str, words: str, step: Operation, message_id: str | None
) -> bool:
    """Whether the step failed; then its session's facts must be right."""
    handle = trial.handle()
    if isinstance(step, EditMessage) and message_id is None:
        read = handle.invoke(Read("s0"), session)
        message_id = read.value[0].id if read.type == "ok" and read.value else None
        if message_id is None:
            return True
    outcome = handle.invoke(step, session, message_id)
    if outcome.type == "ok":
        return False
    fault, done = _looked(trial, session, tuple(FACTS))
    if done[0].outcome.type != "ok":
        return False  # what the failure did to the messages is no matter of the counters
    failure = outcome.failure
    raised = f"it raised {failure.type}" if failure is not None else "it failed"
    trial.require(
        fault is None,
        Anomaly.COUNTER_DRIFT,
        did=f"tried to {words} in a session of {len(done[0].outcome.value)} messages; {raised}",
        expected=fault.expected if fault else "",
        seen=fault.seen if fault else "",
        program=[as_call(Append("s0", trial.several(3))), as_call(step), as_call(Get("s0"))],
        script=_failed_script(trial, step, message_id),
    )
    trial.count("failed writes", bool(count_counters(done, trial.claims, tuple(FACTS))))
    return True


def _failed_script(trial: Trial, step: Operation, message_id: str | None) -> list[str]:
    """The failing write in lines; none where its message cannot be written as an expression."""
    chosen = repr(message_id) if message_id == "no-such-id" else "store.read(s0)[0].id"
    match step:
        case Append(_, messages) | Replace(_, messages):
            call = f"store.{method_of(step)}(s0, [{', '.join(map(message_call, messages))}])"
        case Create(_, messages):
            call = f"store.create(s0, messages=[{', '.join(map(message_call, messages))}])"
        case EditMessage(_, _, message):
            call = f"store.edit_message(s0, {chosen}, {message_call(message)})"
        case _:
            call = f"store.delete_message(s0, {chosen})"
    try:
        ast.parse(call)
    except SyntaxError:
        return []
    good = said(trial, "x")
    return [
        *made(trial, "s0"),
        f"store.append(s0, [{good}, {good}])",
        *tolerated(call),
        *facts_hold(trial),
    ]
