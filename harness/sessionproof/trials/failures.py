"""Writes that fail in every way that can be had: counts and totals stay those of the messages."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sessionproof.checks.counters import FACTS, count_counters
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    Create,
    DeleteMessage,
    EditMessage,
    Failure,
    Get,
    Operation,
    Outcome,
    Read,
    Replace,
    as_call,
    message_call,
    method_of,
)
from sessionproof.contract.verdicts import Finding
from sessionproof.trials.counters import answered, looked
from sessionproof.trials.inputs import good_message, invalid_messages
from sessionproof.trials.lines import facts_hold, made, said, tolerated
from sessionproof.trials.single import Broken, Trial
from sessionproof.trials.unstorable import Unstorable, poisoned

_NOBODY = "no-such-id"
_AGAIN = 3


@dataclass(frozen=True)
class _Failing:
    """A write that should fail: in words, as a step, with the id of the message that it names.

    ``lines`` make it fail in a script, where the step alone does not.
    """

    words: str
    step: Operation
    message_id: str | None = None
    lines: tuple[str, ...] = ()


def after_failures(trial: Trial) -> None:
    """Writes that fail in every way that can be had; after each, all facts are right."""
    answered(trial, tuple(FACTS))
    invalid = [Unstorable(words, bad) for words, bad in invalid_messages(trial)]
    plain = sorted(invalid, key=lambda one: not _is_expression(message_call(one.message)))
    failed = _each_fails(trial, [*_named_wrongly(trial), *_holding(trial, plain)])
    try:
        bad = poisoned(trial)
    except Broken as broken:
        raise _after_which(trial, broken, failed) from None
    _each_fails(trial, [*_holding(trial, bad)])


def _each_fails(trial: Trial, writes: Sequence[_Failing]) -> list[_Failing]:
    """The writes that failed."""
    session: str | None = None
    failed: list[_Failing] = []
    for write in trial.within_time(writes):
        session = session or _filled(trial)
        if _failed(trial, session, write):
            failed.append(write)
        else:
            session = None
            trial.store.fresh_location()  # what was stored there may be anything
    return failed


def _filled(trial: Trial) -> str:
    """The id of a session of a few messages."""
    filled = trial.program(Append("s0", trial.several(3)))
    return trial.run(filled, lambda _: None, examined=0)[-1].session_id or ""


def _after_which(trial: Trial, broken: Broken, failed: Sequence[_Failing]) -> Broken:
    """A good append was refused: the same with the write that failed before it.

    That is the first after which it is refused at an empty location as well, one that a script can
    show if there is any.
    """
    found = broken.finding
    if found.anomaly is not Anomaly.UNEXPECTED_REFUSAL or not failed:
        return broken
    for write in sorted(failed, key=lambda one: not _failing_lines(trial, one)):
        raised, failure = _refused_after(trial, write)
        if failure is not None:
            return _refused(trial, found, write, raised, failure)
    last = f"{len(failed)} writes that failed, the last: tried to {failed[-1].words}"
    return Broken(replace(found, did=f"{found.did}, after {last}"))


def _refused(
    trial: Trial, found: Finding, write: _Failing, raised: str, failure: Failure
) -> Broken:
    good = as_call(_good(trial))
    again = [_refused_after(trial, write)[1] for _ in range(_AGAIN)]
    finding = replace(
        found,
        did=f"tried to {write.words}; {raised}; then, on the same handle, {good}",
        seen=f"it raised {failure}",
        program=(as_call(Append("s0", trial.several(3))), as_call(write.step), good),
        repeats=f"{sum(one is not None for one in again)} of {_AGAIN}",
        evidence=dict(failure.evidence),
        script=(),
        reproducer=None,
        steps=(),
    )
    lines = _failing_lines(trial, write)
    after = [f"store.append(s0, [{said(trial, 'x')}])"] if lines else []
    return trial.broken(finding, lambda: [*lines, *after])


def _good(trial: Trial) -> Append:
    return Append("s0", (good_message(trial, "x"),))


def _refused_after(trial: Trial, write: _Failing) -> tuple[str, Failure | None]:
    """How this write ended at an empty location, and how the append of a good message after it."""
    trial.store.fresh_location()
    session = _filled(trial)
    outcome = _invoked(trial, session, write)
    return _ended(outcome), trial.handle().invoke(_good(trial), session).failure


def _named_wrongly(trial: Trial) -> Iterator[_Failing]:
    """Changes of a message that is not there; a creation of what is."""
    edited = EditMessage("s0", 0, good_message(trial, "edited"))
    for step in (DeleteMessage("s0", 0), edited) * 2:
        if method_of(step) in trial.capabilities:
            words = f"call {method_of(step)} with an id that no message has"
            yield _Failing(words, step, _NOBODY)
    named = trial.claims.session_ids == "caller" and trial.claims.limits.first_messages
    if "create" in trial.capabilities and named:
        again = Create("s0", (good_message(trial, "good"),))
        yield _Failing("create a session that exists", again)


def _holding(trial: Trial, bad: Sequence[Unstorable]) -> Iterator[_Failing]:
    """Writes of messages that cannot be stored."""
    good = good_message(trial, "good")
    for one in bad:
        batch = Append("s0", (good, one.message, good))
        yield _Failing(f"append a batch with {one.words}", batch, lines=one.lines)
        if "replace" in trial.capabilities:
            words = f"replace the history by one with {one.words}"
            yield _Failing(words, Replace("s0", (good, one.message)), lines=one.lines)
        if "edit_message" in trial.capabilities:
            words = f"edit a message into {one.words}"
            yield _Failing(words, EditMessage("s0", 0, one.message), lines=one.lines)


def _failed(trial: Trial, session: str, write: _Failing) -> bool:
    """Whether the write failed; then its session's facts must be right."""
    step, outcome = write.step, _invoked(trial, session, write)
    if outcome is None:
        return True
    if outcome.type == "ok":
        return False
    fault, done = looked(trial, session, tuple(FACTS))
    if done[0].outcome.type != "ok":
        return False  # what the failure did to the messages is no matter of the counters
    number = len(done[0].outcome.value)
    trial.require(
        fault is None,
        Anomaly.COUNTER_DRIFT,
        did=f"tried to {write.words}, in a session of {number} messages; {_ended(outcome)}",
        expected=fault.expected if fault else "",
        seen=fault.seen if fault else "",
        program=[as_call(Append("s0", trial.several(3))), as_call(step), as_call(Get("s0"))],
        script=_failed_script(trial, write),
    )
    trial.count("failed writes", bool(count_counters(done, trial.claims, tuple(FACTS))))
    return True


def _invoked(trial: Trial, session: str, write: _Failing) -> Outcome | None:
    """How the write ended; None where there is no message that it could be about."""
    handle, message_id = trial.handle(), write.message_id
    if isinstance(write.step, EditMessage) and message_id is None:
        read = handle.invoke(Read("s0"), session)
        message_id = read.value[0].id if read.type == "ok" and read.value else None
        if message_id is None:
            return None
    return handle.invoke(write.step, session, message_id)


def _ended(outcome: Outcome | None) -> str:
    if outcome is None or outcome.failure is None:
        return "it did not fail"
    return f"it raised {outcome.failure.type}"


def _failed_script(trial: Trial, write: _Failing) -> list[str]:
    """The failing write in lines, then that all facts hold; none where it cannot be written."""
    lines = _failing_lines(trial, write)
    return [*lines, *facts_hold(trial)] if lines else []


def _failing_lines(trial: Trial, write: _Failing) -> list[str]:
    """The failing write in lines; none where its message cannot be written as an expression."""
    step = write.step
    chosen = repr(_NOBODY) if write.message_id == _NOBODY else "store.read(s0)[0].id"
    match step:
        case Append(_, messages) | Replace(_, messages):
            call = f"store.{method_of(step)}(s0, [{', '.join(map(message_call, messages))}])"
        case Create(_, messages):
            call = f"store.create(s0, messages=[{', '.join(map(message_call, messages))}])"
        case EditMessage(_, _, message):
            call = f"store.edit_message(s0, {chosen}, {message_call(message)})"
        case _:
            call = f"store.delete_message(s0, {chosen})"
    if not _is_expression(call):
        return []
    good = said(trial, "x")
    return [
        *write.lines,
        *made(trial, "s0"),
        f"store.append(s0, [{good}, {good}])",
        *tolerated(call),
    ]


def _is_expression(text: str) -> bool:
    """Whether the text is Python: objects of a class of their own cannot be written so."""
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True
