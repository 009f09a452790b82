"""Whether what was asked of sessions with limits was answered as their ends allow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import ACTIVITY, Claims
from sessionproof.contract.errors import Expired, NotFound
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, MALFORMED
from sessionproof.oracle.lifetime import Life, Span, acted, is_due, limited, shown, swept, takes
from sessionproof.oracle.model import same_messages
from sessionproof.workload.timelines import BEGIN, REOPEN, SWEEP, Done

Kind: TypeAlias = Literal["early", "late", "limits", "unclear", "content", "warning", "call"]
"""What a fault is about; ``call`` are calls that any row owes."""

ENDS: frozenset[Kind] = frozenset({"early", "late", "limits"})
Rule: TypeAlias = Literal[
    "succeeds", "fails", "fails clearly", "not in expired", "in expired", "once in expired",
    "not in warned", "in warned", "once in warned", "same content", "no content", "status",
]  # fmt: skip
_FRESH_US = 1_000_000  # no store's own limit is so short
_SPECIAL = (HANG, CRASH, MALFORMED)
_MAKES = ("replace", "set_state")
_REMOVES = {"delete_message": 1, "edit_message": 0, "pop_last": 1, "replace": 0, "clear": 1_000_000}


@dataclass(frozen=True)
class TimeFault:
    """The step that went wrong, and by which rule; ``session`` is the one that it is about.

    ``statuses`` are those of which the session should have one, where that is the rule.
    ``refusable`` are the places of earlier steps that a store may, or must, refuse.
    """

    index: int
    kind: Kind
    anomaly: Anomaly
    rule: Rule
    session: str
    expected: str
    seen: str
    statuses: tuple[str, ...] = ()
    refusable: frozenset[int] = frozenset()


@dataclass
class _Judged:
    """The sessions while the steps go by. ``kept`` is None where contents are not known.

    ``left`` is the least number of messages: emptied, a session may be another one.
    """

    claims: Claims
    lives: dict[str, Life] = field(default_factory=dict)
    kept: dict[str, tuple[Message, ...] | None] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    warnings: int = 0


@dataclass(frozen=True)
class Judgement:
    """The first fault, and what was seen: sessions that ended when they had to, and so on.

    ``ended`` are sessions that were alive within their limits and seen to be over after them,
    ``warnings`` how many came in time, ``moves`` those of a status that were taken or refused.
    """

    fault: TimeFault | None
    ended: int = 0
    warnings: int = 0
    moves: int = 0


def judged(done: Sequence[Done], claims: Claims, kinds: Collection[Kind]) -> Judgement:
    """The first fault of these kinds; steps with faults of other kinds end what is known."""
    state = _Judged(claims)
    refusable: set[int] = set()
    for index, one in enumerate(done):
        for name, life in state.lives.items():
            state.lives[name] = shown(life, one.now)
        asked = state.lives.get(one.step.session)
        if asked is not None and takes(asked, one.now, claims) != "takes":
            refusable.add(index)
        for fault in _step(state, index, one):
            if fault.kind == "call" or fault.kind in kinds:
                return Judgement(replace(fault, refusable=frozenset(refusable)))
            _give_up(state, fault.session)
            state.kept[fault.session] = None
    return Judgement(None, len(state.ended), state.warnings)


def _give_up(state: _Judged, session: str) -> None:
    """Nothing can be said any more of when this session ends."""
    state.lives[session] = replace(state.lives[session], known=False)


def _step(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    failure = one.outcome.failure
    if failure is not None and failure.type in _SPECIAL:
        return [_owed(index, one, Anomaly(failure.type), failure.text)]
    method = one.step.method
    if method in (BEGIN, REOPEN, SWEEP, "list", "verify", "set_clock") and failure is not None:
        said = f"it raised {failure}"
        return [_owed(index, one, Anomaly.UNEXPECTED_REFUSAL, said)]
    match method:
        case "begin":
            name = one.step.session
            state.lives[name] = Life(one.now, known=False, unset=True)
            state.ids[one.session_id] = name
            state.kept[name] = _within(one.sent, state.claims)
            most = state.claims.limits.retention
            state.left[name] = len(one.sent) if most is None else min(most, len(one.sent))
            return []
        case "set_limits":
            return _limits(state, index, one)
        case "append" | "append_with_state" | "touch":
            return _activity(state, index, one)
        case "sweep":
            return _sweep(state, index, one)
        case _:
            return _other(state, index, one)


def _owed(index: int, one: Done, anomaly: Anomaly, seen: str) -> TimeFault:
    return TimeFault(index, "call", anomaly, "succeeds", one.step.session,
                     "it succeeds: the contract and the claims owe it", seen)  # fmt: skip


def _limits(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    step, life = one.step, state.lives[one.step.session]
    failure = one.outcome.failure
    bad = any(value is not None and value < 1 for value in (step.idle_us, step.hard_us))
    if bad:
        if one.outcome.type == "info":
            _give_up(state, step.session)
        return [] if failure is not None else [
            TimeFault(index, "limits", Anomaly.ACCEPTED_INVALID, "fails", step.session,
                      "a refusal: limits below 1 are refused", "it was accepted")
        ]  # fmt: skip
    fresh = life.unset and one.now.latest - life.active.latest <= _FRESH_US
    if not fresh and takes(life, one.now, state.claims) != "takes":
        _give_up(state, step.session)
        return []
    if failure is not None:
        said = f"it raised {failure}"
        return [
            TimeFault(index, "limits", Anomaly.UNEXPECTED_REFUSAL, "succeeds", step.session,
                      "the limits are set", said)
        ]  # fmt: skip
    life = replace(life, known=True, unset=False)
    state.lives[step.session] = limited(life, one.now, idle_us=step.idle_us, hard_us=step.hard_us)
    return []


def _activity(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    """A message or a touch: taken, or refused, or either."""
    name, failure = one.step.session, one.outcome.failure
    life = state.lives[name]
    word = takes(life, one.now, state.claims)
    if failure is None:
        if word == "refuses":
            return [_late(state, index, one)]
        counts = "touch" if one.step.method == "touch" else "append"
        if counts in state.claims.activity:
            state.lives[name] = acted(life, one.now, certain=True)
        _keep(state, name, one.sent)
        return []
    if word == "takes":
        said = str(failure)
        return [
            TimeFault(index, "early", Anomaly.UNEXPECTED_REFUSAL, "succeeds", name,
                      f"it is taken: {_why_alive(life, one.now)}", f"it raised {said}")
        ]  # fmt: skip
    state.lives[name] = replace(life, asked=True)
    if word == "refuses":
        state.ended.add(name)
        clear = {Expired.__name__}
        clear |= {NotFound.__name__} if state.claims.after_expiry == "gone" else set()
        if failure.type not in clear:
            return [
                TimeFault(index, "unclear", Anomaly.WRONG_ANSWER, "fails clearly", name,
                          f"{' or '.join(sorted(clear))}: the session has ended",
                          f"it raised {failure}")
            ]  # fmt: skip
    elif one.outcome.type == "info":  # it may be in
        state.lives[name] = acted(life, one.now, certain=False)
        state.kept[name] = None
    return []


def _late(state: _Judged, index: int, one: Done) -> TimeFault:
    life = state.lives[one.step.session]
    why = "a sweep came after its end" if life.ended else _why_over(life, one.now)
    return TimeFault(
        index, "late", Anomaly.ACCEPTED_INVALID, "fails", one.step.session,
        f"it is refused: {why}", "it was accepted",
    )  # fmt: skip


def _sweep(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    answer: Swept = one.outcome.value
    expired = {state.ids[each] for each in answer.expired if each in state.ids}
    warned = {state.ids[each] for each in answer.warned if each in state.ids}
    faults = _twice(state, index, answer)
    for name, life in state.lives.items():
        is_expired, is_warned = name in expired, name in warned
        if life.known:
            faults += _expired(index, one.now, name, life, is_expired=is_expired)
            if state.claims.warns:
                found = _warned(index, one.now, name, life, told=is_warned, expired=is_expired)
                faults += found
                state.warnings += is_warned and not found
        if is_expired and is_due(life, one.now) == "yes":
            state.ended.add(name)
        state.lives[name] = swept(life, one.now, warned=is_warned, expired=is_expired)
    return faults


def _twice(state: _Judged, index: int, answer: Swept) -> list[TimeFault]:
    """That one answer tells a session more than once."""
    faults = []
    for session_id, name in state.ids.items():
        if answer.expired.count(session_id) > 1:
            faults.append(
                TimeFault(index, "late", Anomaly.DUPLICATE, "once in expired", name,
                          f"{name} is told once", f"it told of {name} more than once")
            )  # fmt: skip
        if state.claims.warns and answer.warned.count(session_id) > 1:
            faults.append(
                TimeFault(index, "warning", Anomaly.DUPLICATE, "once in warned", name,
                          f"one warning of {name}", f"it warned of {name} more than once")
            )  # fmt: skip
    return faults


def _expired(index: int, now: Span, name: str, life: Life, *, is_expired: bool) -> list[TimeFault]:
    """What is wrong in what a sweep told of a session's end."""
    due = is_due(life, now)
    if is_expired and due == "no" and not life.ended:
        return [
            TimeFault(index, "early", Anomaly.WRONG_ANSWER, "not in expired", name,
                      f"{name} is not expired: {_why_alive(life, now)}", f"it told of {name}")
        ]  # fmt: skip
    if is_expired and life.told:
        return [
            TimeFault(index, "late", Anomaly.DUPLICATE, "not in expired", name,
                      f"{name} is told once", f"it told of {name} a second time")
        ]  # fmt: skip
    if not is_expired and due == "yes" and not (life.ended or life.asked):
        return [
            TimeFault(index, "late", Anomaly.WRONG_ANSWER, "in expired", name,
                      f"it tells that {name} expired: {_why_over(life, now)}",
                      f"it did not tell of {name}")
        ]  # fmt: skip
    return []


def _warned(
    index: int, now: Span, name: str, life: Life, *, told: bool, expired: bool
) -> list[TimeFault]:
    """What is wrong in what a sweep told, or did not tell, of what comes soon."""
    if told and (life.ended or is_due(life, now) == "yes" or expired):
        return [
            TimeFault(index, "warning", Anomaly.WRONG_ANSWER, "not in warned", name,
                      f"no warning of {name}, which has ended", f"it warned of {name}")
        ]  # fmt: skip
    if told and life.end is None:
        return [
            TimeFault(index, "warning", Anomaly.WRONG_ANSWER, "not in warned", name,
                      f"no warning of {name}, which has no limit", f"it warned of {name}")
        ]  # fmt: skip
    if told and life.warned:
        return [
            TimeFault(index, "warning", Anomaly.DUPLICATE, "not in warned", name,
                      f"one warning of {name}, as nothing was done in it since",
                      f"it warned of {name} a second time")
        ]  # fmt: skip
    end = life.end
    is_last = end is not None and is_due(life, now) == "no" and end.latest - now.earliest <= 1
    if is_last and not told and not life.warned and life.warned_of != end:
        return [
            TimeFault(index, "warning", Anomaly.WRONG_ANSWER, "in warned", name,
                      f"a warning of {name} before its end, which is a microsecond away",
                      f"neither this sweep nor one before it warned of {name}")
        ]  # fmt: skip
    return []


def _other(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    """A call that is activity or not, as the store says."""
    method, name = one.step.method, one.step.session
    if name not in state.lives:
        return []
    life, failure = state.lives[name], one.outcome.failure
    word = takes(life, one.now, state.claims)
    if failure is not None and failure.type == Expired.__name__ and word == "takes":
        return [
            TimeFault(index, "early", Anomaly.UNEXPECTED_REFUSAL, "succeeds", name,
                      f"no such refusal: {_why_alive(life, one.now)}",
                      f"it raised {failure}")
        ]  # fmt: skip
    faults = _content(state, index, one) if method == "read" else []
    if method == "get" and word == "takes" and _status(one) == "expired":
        allowed = tuple(status for status in STATUSES if status != "expired")
        faults.append(
            TimeFault(index, "early", Anomaly.WRONG_ANSWER, "status", name,
                      f"another status: {_why_alive(life, one.now)}", "status 'expired'", allowed)
        )  # fmt: skip
    if method in _REMOVES:
        state.kept[name] = None
        state.left[name] = state.left[name] - _REMOVES[method] if method != "replace" else 1
        if state.left[name] < 1:
            _give_up(state, name)
            return faults
    gone = state.claims.after_expiry == "gone" and word != "takes"
    if gone and method in _MAKES and failure is None:  # its id may be that of a new session now
        _give_up(state, name)
    elif method in state.claims.activity & ACTIVITY and word != "refuses":
        certain = word == "takes" and failure is None
        state.lives[name] = acted(life, one.now, certain=certain)
    elif is_due(life, one.now) != "no":
        state.lives[name] = replace(life, asked=True)
    return faults


def _status(one: Done) -> str | None:
    status: str | None = getattr(one.outcome.value, "status", None)
    return status


def _content(state: _Judged, index: int, one: Done) -> list[TimeFault]:
    """What a read of a session shows, before and after its end."""
    name, failure = one.step.session, one.outcome.failure
    life, kept = state.lives[name], state.kept[name]
    word = takes(life, one.now, state.claims)
    gone = state.claims.after_expiry == "gone"
    if gone and word == "refuses":
        return [] if failure is not None or not one.outcome.value else [
            TimeFault(index, "content", Anomaly.WRONG_ANSWER, "no content", name,
                      "nothing, or an error: the session has ended, and is claimed to be gone",
                      f"{len(one.outcome.value)} messages")
        ]  # fmt: skip
    if (gone and word != "takes") or kept is None:
        return []
    if failure is None and same_messages(kept, one.outcome.value, state.claims.keeps):
        return []
    seen = f"it raised {failure.type}" if failure is not None else f"{len(one.outcome.value)}"
    return [
        TimeFault(index, "content", Anomaly.LOST_MESSAGE, "same content", name,
                  f"its {len(kept)} messages", seen)
    ]  # fmt: skip


def _keep(state: _Judged, name: str, sent: Sequence[Message]) -> None:
    kept = state.kept[name]
    if kept is not None:
        state.kept[name] = _within((*kept, *sent), state.claims)
    most = state.claims.limits.retention
    left = state.left[name] + len(sent)
    state.left[name] = left if most is None else min(most, left)


def _within(messages: tuple[Message, ...], claims: Claims) -> tuple[Message, ...]:
    most = claims.limits.retention
    return messages if most is None else messages[max(0, len(messages) - most) :]


def _why_alive(life: Life, now: Span) -> str:
    if life.end is None:
        return "the session has no limit"
    return f"the session ends {life.end.earliest - now.latest:,} µs later"


def _why_over(life: Life, now: Span) -> str:
    assert life.end is not None  # which ran out
    passed = now.earliest - life.end.latest
    return f"its limit ran out {f'{passed:,} µs ago' if passed else 'at this microsecond'}"
