"""A single client's transcript against the oracle, step by step: the first fault, or none."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sessionproof.checks.messages import Difference, Elsewhere, compare
from sessionproof.checks.rules import IdsOf, OneManner, Rule
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Append,
    AppendWithState,
    Completed,
    Count,
    Create,
    Failure,
    Get,
    List,
    Operation,
    Outcome,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    method_of,
    session_of,
)
from sessionproof.oracle.model import (
    EMPTY,
    Expectation,
    Session,
    World,
    Worlds,
    info_problems,
    listing_problems,
    step,
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The operation at ``index`` went wrong: the anomaly, and what was expected and seen.

    ``rule`` is what it broke; None when that is the oracle's word. ``refusable`` are the indexes of
    operations before it that a store may also refuse. ``change`` is as in ``Difference``.
    """

    index: int
    anomaly: Anomaly
    expected: str
    seen: str
    evidence: dict[str, str] | None = None
    rule: Rule | None = None
    refusable: tuple[int, ...] = ()
    change: str = ""


_REFUSED = Outcome("fail")


Refusable = Callable[[Operation], bool]


def judge(
    transcript: Sequence[Completed],
    claims: Claims,
    *,
    refusable: bool | Refusable = False,
    disturbed: Collection[int] = (),
) -> Fault | None:
    """The first operation whose outcome the oracle does not accept, or None.

    Without faults injected, every operation that the contract owes must succeed: a refusal or an
    open outcome of one is a fault by itself. ``refusable`` says which may be refused all the same
    (True: appends and creations), for inputs that a store may decline; then nothing of them may
    be seen. ``disturbed`` are the places of operations that met an injected fault: they may fail,
    and where one left it open whether it took effect, both is right.
    """
    may = refusable if callable(refusable) else _appends if refusable else _nothing
    fault = _first_fault(transcript, claims, may, disturbed)
    if fault is None:
        return None
    before = enumerate(transcript[: fault.index])
    return replace(fault, refusable=tuple(at for at, done in before if may(done.operation)))


def _appends(operation: Operation) -> bool:
    return isinstance(operation, Append | AppendWithState | Create)


def _nothing(_operation: Operation) -> bool:
    return False


def _first_fault(
    transcript: Sequence[Completed],
    claims: Claims,
    may_refuse: Refusable,
    disturbed: Collection[int],
) -> Fault | None:
    worlds: Worlds = EMPTY
    for index, done in enumerate(transcript):
        fault = _own_fault(index, done)
        if fault:
            return fault
        failure = done.outcome.failure
        if failure is not None and index in disturbed:
            if done.outcome.type == "info":
                worlds = step(worlds, done, claims).worlds
            continue
        if failure is not None:
            # A refusal that is allowed changes nothing, whatever its class.
            refused = step(worlds, replace(done, outcome=_REFUSED), claims)
            if refused.accepted:
                worlds = refused.worlds
            elif not may_refuse(done.operation) and not _retried(transcript, index):
                return _refused(index, done, failure)
            continue
        judged = step(worlds, done, claims)
        if not judged.accepted:
            return _explained(index, transcript, worlds[0], judged.expected, claims)
        worlds = judged.worlds
    return None


def judge_answers(transcript: Sequence[Completed]) -> Fault | None:
    """The first operation that hung, crashed or answered what the contract does not allow."""
    faults = (_own_fault(index, done) for index, done in enumerate(transcript))
    return next((fault for fault in faults if fault is not None), None)


def judge_receipts(transcript: Sequence[Completed]) -> Fault | None:
    """The first read whose message ids are not those that the append before it answered."""
    answered: dict[str, Sequence[str]] = {}
    by: dict[str, int] = {}
    for index, done in enumerate(transcript):
        match done.operation:
            case Append(session, messages) | AppendWithState(session, messages) if messages:
                receipt = done.outcome.value
                answered[session] = (receipt.ids if receipt is not None else None) or ()
                by[session] = index
            case Read(session) if done.outcome.type == "ok":
                ids = answered.get(session, ())
                seen = [message.id for message in done.outcome.value[-len(ids) or None :]]
                if ids and None not in seen and seen != list(ids)[-len(seen) :]:
                    return Fault(
                        index=index,
                        anomaly=Anomaly.WRONG_ANSWER,
                        expected=f"the ids {list(ids)} of the receipt",
                        seen=f"the ids {seen}",
                        rule=IdsOf(by[session]),
                    )
            case List() | Reopen() | Get() | Count() | ReadLast() | ReadPages():
                pass
            case other:
                answered.pop(other.session, None)
    return None


def judge_repeats(transcript: Sequence[Completed]) -> Fault | None:
    """The first operation that was asked twice in a row and answered in two ways, or None."""
    for index, (one, other) in enumerate(itertools.pairwise(transcript), 1):
        if one.operation is not other.operation:
            continue
        first, second = _manner(one), _manner(other)
        if first != second:
            return Fault(
                index=index,
                anomaly=Anomaly.WRONG_ANSWER,
                expected=f"the same answer as a moment before: {first}",
                seen=second,
                rule=OneManner(),
            )
    return None


def _manner(done: Completed) -> str:
    failure = done.outcome.failure
    return "an answer" if failure is None else f"the error {failure.type}"


def evidence_of(transcript: Sequence[Completed]) -> Counter[str]:
    """How much a transcript examined, by unit: only what was answered counts."""
    out: Counter[str] = Counter()
    for done in transcript:
        if done.outcome.type != "ok":
            continue
        out["operations"] += 1
        match done.operation:
            case Read() | ReadLast():
                out["reads"] += 1
                out["messages"] += len(done.outcome.value)
            case ReadPages():
                out["reads"] += 1
                out["messages"] += sum(map(len, done.outcome.value))
            case Append() | AppendWithState() | Create() | Replace():
                out["batches"] += len(done.operation.messages) > 1
            case Reopen():
                out["reopenings"] += 1
    return out


def _retried(transcript: Sequence[Completed], index: int) -> bool:
    """Whether a Conflict was followed by another attempt of the same operation."""
    done = transcript[index]
    following = transcript[index + 1] if index + 1 < len(transcript) else None
    return (
        done.outcome.failure is not None
        and done.outcome.failure.type == "Conflict"
        and following is not None
        and following.operation is done.operation
    )


def _own_fault(index: int, done: Completed) -> Fault | None:
    failure = done.outcome.failure
    if failure is None or failure.type not in (HANG, CRASH, MALFORMED):
        return None
    expected = {
        HANG: "an answer within the deadline",
        CRASH: "an answer from a living process",
        MALFORMED: f"an answer of {method_of(done.operation)} as the contract says",
    }[failure.type]
    return Fault(
        index=index,
        anomaly=Anomaly(failure.type),
        expected=expected,
        seen=failure.text,
        evidence=dict(failure.evidence),
    )


def _refused(index: int, done: Completed, failure: Failure) -> Fault:
    reopened = isinstance(done.operation, Reopen)
    owed = "the store is opened again" if reopened else f"{method_of(done.operation)} succeeds"
    return Fault(
        index=index,
        anomaly=Anomaly.UNEXPECTED_REFUSAL,
        expected=f"{owed}: the contract and the claims owe it",
        seen=f"it raised {failure}",
        evidence=dict(failure.evidence),
    )


def _explained(
    index: int,
    transcript: Sequence[Completed],
    world: World,
    expected: Expectation,
    claims: Claims,
) -> Fault:
    difference = _difference(index, transcript, world, expected, claims)
    return Fault(
        index=index,
        anomaly=difference.anomaly,
        expected=difference.expected,
        seen=difference.seen,
        change=difference.change,
    )


def _difference(
    index: int,
    transcript: Sequence[Completed],
    world: World,
    expected: Expectation,
    claims: Claims,
) -> Difference:
    done = transcript[index]
    value = done.outcome.value
    operation = done.operation
    if expected.refusal == "must":
        return Difference(
            Anomaly.ACCEPTED_INVALID if isinstance(operation, Create) else Anomaly.PHANTOM_SESSION,
            "a refusal: the session is unknown, and the store claims to refuse that"
            if isinstance(operation, Append | AppendWithState)
            else "a refusal: the session exists",
            f"it was accepted and answered {value!r}",
        )
    match operation:
        case Read():
            return _of_messages(expected.answer, value, index, transcript, world, claims)
        case ReadLast(session):
            difference = _of_messages(expected.answer, value, index, transcript, world, claims)
            living = world[session].messages if session in world else ()
            # All of it lives, so nothing is lost, back or doubled: the wrong part was answered.
            own = compare(living, [*living, *value], claims.keeps)
            doubled = own is None or own.anomaly is Anomaly.DUPLICATE
            return replace(difference, anomaly=Anomaly.WRONG_ANSWER) if doubled else difference
        case ReadPages(_, limit):
            sizes = [len(page) for page in value]
            if any(size > limit for size in sizes):
                text = f"pages of {sizes} messages"
                return Difference(Anomaly.WRONG_ANSWER, f"pages of at most {limit} messages", text)
            flat = [message for page in value for message in page]
            return _of_messages(expected.answer, flat, index, transcript, world, claims)
        case PopLast():
            want = [expected.answer] if expected.answer is not None else []
            have = [value] if value is not None else []
            return _of_messages(want, have, index, transcript, world, claims)
        case Count():
            return Difference(Anomaly.COUNTER_DRIFT, f"count {expected.answer}", f"count {value}")
        case Get():
            return _of_info(expected.answer, value, claims)
        case List():
            return _of_listing(world, value, transcript[:index])
        case _:
            return Difference(
                Anomaly.WRONG_ANSWER,
                f"{method_of(operation)} answers {expected.answer!r}",
                f"it answered {value!r}",
            )


def _of_messages(
    want: Sequence[Message],
    have: Sequence[Message],
    index: int,
    transcript: Sequence[Completed],
    world: World,
    claims: Claims,
) -> Difference:
    session = session_of(transcript[index].operation)
    elsewhere = _elsewhere(transcript[:index], world, session)
    difference = compare(want, have, claims.keeps, elsewhere)
    if difference is None:  # the oracle and the comparison disagree: never hide that
        return Difference(Anomaly.WRONG_ANSWER, repr(want), repr(have))
    return difference


def _of_info(session: Session | None, info: Any, claims: Claims) -> Difference:
    problems = info_problems(session, info, claims)
    unknown = session is None or info is None
    anomaly = Anomaly.COUNTER_DRIFT
    if unknown:
        anomaly = Anomaly.PHANTOM_SESSION if session is None else Anomaly.LOST_SESSION
    expected = "no facts of an unknown session" if session is None else "facts of the messages"
    return Difference(anomaly, expected, "; ".join(problems))


def _of_listing(world: World, listed: Sequence[str], before: Sequence[Completed]) -> Difference:
    problems = listing_problems(world, listed)
    surplus = set(listed) - set(world)
    deleted = {
        session_of(done.operation) for done in before if method_of(done.operation) == "delete"
    }
    anomaly = Anomaly.LOST_SESSION
    if surplus:
        anomaly = Anomaly.RESURRECTION if surplus <= deleted else Anomaly.PHANTOM_SESSION
    elif len(set(listed)) < len(listed):
        anomaly = Anomaly.DUPLICATE
    return Difference(anomaly, f"the sessions {sorted(world)}", "; ".join(problems))


def _elsewhere(before: Sequence[Completed], world: World, session: str) -> Elsewhere:
    sent = [
        (done, done.operation.messages)
        for done in before
        if isinstance(done.operation, Append | AppendWithState | Create | Replace)
    ]
    living = {id(message) for other in world.values() for message in other.messages}
    return Elsewhere(
        others=[m for name, other in world.items() if name != session for m in other.messages],
        deleted=[
            message
            for done, messages in sent
            if done.outcome.type == "ok" and session_of(done.operation) == session
            for message in messages
            if id(message) not in living  # the oracle keeps the very objects that were sent
        ],
        refused=[m for done, messages in sent if done.outcome.type != "ok" for m in messages],
        batches=[messages for done, messages in sent if done.outcome.type == "ok"],
    )
