"""Whether a session manager answered what its sessions, their facts and their ends allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Expired, NotFound
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.contract.operations import CRASH, HANG, MALFORMED
from sessionproof.oracle.managing import (
    EXACT_US,
    Held,
    Life,
    World,
    accessed,
    life_of,
    lives,
    with_session,
    without,
)
from sessionproof.workload.managing import APPEND, CREATE, CREATE_AGAIN, KILL, READ, REOPEN, Done

FACTS = ("first_user_message", "chat_id", "parent_id", "metadata")
_ONE_FACT = {"update_parent_id": "parent_id", "set_chat_id": "chat_id"}
_SPECIAL = (HANG, CRASH, MALFORMED)


@dataclass(frozen=True)
class ManagerFault:
    """The step that went wrong. ``lines`` of Python must hold of its ``answer``.

    Without lines it is the error that is wrong; ``refused`` names the one that is expected.
    """

    index: int
    anomaly: Anomaly
    expected: str
    seen: str
    lines: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Judgement:
    """The first fault, and what was judged: ``answers`` by call.

    ``over`` are those about sessions that were over, ``lived`` those about sessions in the last
    millisecond of their time.
    """

    fault: ManagerFault | None
    answers: Counter[str]
    over: int = 0
    lived: int = 0


@dataclass
class _Case:
    """The world while the steps go by. ``now_us`` is None where the clock cannot be set."""

    claims: Claims
    began_us: int | None
    world: World = field(default_factory=World)
    now_us: int | None = None
    answers: Counter[str] = field(default_factory=Counter)
    over: int = 0
    lived: int = 0

    @property
    def step_us(self) -> int:
        return self.claims.access_step_us or 0

    def life(self, name: str) -> Life | None:
        """How a session is; None for one that is not stored."""
        held = self.world.sessions.get(name)
        return None if held is None else life_of(held, self.now_us, self.step_us)

    def names(self, *sorts: Life) -> frozenset[str]:
        """The names of the sessions that are like that now."""
        now = lives(self.world, self.now_us, self.step_us)
        return frozenset(name for name, one in now.items() if one in sorts)


class _Wrong(Exception):
    """An answer that is wrong, in words, and as lines that must hold of ``answer``."""

    def __init__(
        self, anomaly: Anomaly, expected: str, seen: object, *lines: str, refused: str = ""
    ) -> None:
        self.anomaly, self.expected, self.seen, self.lines = anomaly, expected, seen, lines
        self.refused = refused


class _Unclear(Exception):
    """What comes next cannot be judged: either answer was right, and which world it is is open."""


def judged(done: Sequence[Done], claims: Claims, began_us: int | None) -> Judgement:
    """The first answer that the contract does not allow."""
    case, fault = _Case(claims, began_us), None
    for index, one in enumerate(done):
        case.now_us = None if began_us is None else one.step.at_us
        failure = one.outcome.failure
        try:
            if failure is not None:
                fault = _failed(case, index, one)
            else:
                _answered(case, one)
        except _Wrong as wrong:
            seen = f"it answered {_shown(wrong.seen)}"
            fault = ManagerFault(
                index, wrong.anomaly, wrong.expected, seen, wrong.lines, wrong.refused
            )
        except _Unclear:
            break
        if fault is not None:
            break
        case.answers[one.step.call] += 1
        _note(case, one)
    return Judgement(fault, case.answers, case.over, case.lived)


def _note(case: _Case, one: Done) -> None:
    """Count what was asked of sessions near their ends."""
    case.over += case.life(one.step.session) == "over"


def _failed(case: _Case, index: int, one: Done) -> ManagerFault | None:
    """The fault of a call that failed; None where it had to."""
    failure = one.outcome.failure
    assert failure is not None
    if failure.type in _SPECIAL:
        expected = "an answer as the contract says"
        return ManagerFault(index, Anomaly(failure.type), expected, failure.text)
    said = f"it raised {failure.type}: {failure.text[:300]}"
    if one.step.call == CREATE_AGAIN and case.life(one.step.session) == "alive":
        if failure.type == Conflict.__name__:
            return None
        expected = "Conflict: a session has this id"
        return ManagerFault(index, Anomaly.WRONG_ANSWER, expected, said, refused=Conflict.__name__)
    if one.step.call == CREATE_AGAIN and case.life(one.step.session) is not None:
        raise _Unclear
    ended = one.step.call in (APPEND, READ) and case.life(one.step.session) != "alive"
    if ended and failure.type in (NotFound.__name__, Expired.__name__):
        return None
    return ManagerFault(index, Anomaly.UNEXPECTED_REFUSAL, "it succeeds", said)


def _answered(case: _Case, one: Done) -> None:
    """Judge an answer, and go on to the world after it; raises _Wrong, _Unclear."""
    value, call = one.outcome.value, one.step.call
    judge = _JUDGES.get(call)
    if judge is not None:
        judge(case, one, value)
    elif call in _ONE_FACT:
        changes = {_ONE_FACT[call]: one.step.arguments.get(_ONE_FACT[call])}
        _updated(case, one, value, changes)
    elif call == "update_session":
        changes = one.step.arguments["changes"]  # type: ignore[assignment]
        _updated(case, one, value, changes)


def _created(case: _Case, one: Done, value: ManagedSession) -> None:
    given = one.step.arguments
    taken = {held.session_id: name for name, held in case.world.sessions.items()}
    asked = given.get("session_id")
    if asked is not None and value.session_id != asked:
        raise _Wrong(Anomaly.WRONG_ANSWER, f"the session has the id {asked!r}", value,
                     f"assert answer['session_id'] == {asked!r}, answer")  # fmt: skip
    if value.session_id in taken:
        other = taken[value.session_id]
        raise _Wrong(Anomaly.LEAK, f"a session of its own, and not that of {other}", value,
                     f"assert answer['session_id'] != {other}, answer")  # fmt: skip
    limit = value.expires_at_us - value.last_accessed_us
    if limit <= 0:
        line = "assert answer['expires_at_us'] > answer['last_accessed_us'], answer"
        raise _Wrong(Anomaly.WRONG_ANSWER, "its time lies ahead", value, line)
    now = case.now_us or 0
    facts = {name: given.get(name) for name in FACTS}
    held = Held(value.session_id, now, now, now, limit, facts)
    _same(case, held, value)
    case.world = with_session(case.world, one.step.session, held)
    case.world = replace(case.world, created=case.world.created + 1)


def _created_again(case: _Case, one: Done, value: ManagedSession) -> None:
    life = case.life(one.step.session)
    if life is None:  # it was removed, and its id is free
        again = replace(one.step, arguments={"session_id": one.session_id})
        _created(case, replace(one, step=again), value)
        return
    if life != "alive":
        raise _Unclear
    raise _Wrong(Anomaly.ACCEPTED_INVALID, "Conflict: a session has this id", value,
                 refused=Conflict.__name__)  # fmt: skip


def _got(case: _Case, one: Done, value: ManagedSession | None) -> None:
    name, life = one.step.session, case.life(one.step.session)
    if life in (None, "over"):
        if value is not None:
            why = "it was never made, or removed" if life is None else "it is over"
            raise _Wrong(Anomaly.RESURRECTION, f"None: {why}", value,
                         "assert answer is None, answer")  # fmt: skip
        return
    held = case.world.sessions[name]
    if value is None:
        if life == "alive":
            raise _Wrong(Anomaly.LOST_SESSION, f"the session: {_alive(case, held)}", None,
                         "assert answer is not None")  # fmt: skip
        raise _Unclear
    after = accessed(held, case.now_us)
    _same(case, after, value)
    case.world = with_session(case.world, name, after)
    if life == "alive" and case.now_us is not None and case.now_us > held.until_us:
        left = held.since_us + held.limit_us - case.now_us
        case.lived += left <= EXACT_US


def _updated(case: _Case, one: Done, value: bool, changes: Any) -> None:
    name, life = one.step.session, case.life(one.step.session)
    if life == "either":
        raise _Unclear
    if value != (life == "alive"):
        why = f"True: {_alive(case, case.world.sessions[name])}" if life == "alive" else "False"
        anomaly = Anomaly.LOST_SESSION if life == "alive" else Anomaly.RESURRECTION
        raise _Wrong(anomaly, why, value, f"assert answer is {not value}, answer")
    if value:
        held = accessed(case.world.sessions[name], case.now_us)
        held = replace(held, facts={**held.facts, **changes})
        case.world = with_session(case.world, name, held)


def _deleted(case: _Case, one: Done, value: bool) -> None:
    stored = one.step.session in case.world.sessions
    if value != stored:
        raise _Wrong(Anomaly.WRONG_ANSWER, "whether there was such a session", value,
                     f"assert answer is {stored}, answer")  # fmt: skip
    case.world = without(case.world, frozenset({one.step.session}))
    case.world = replace(case.world, deleted=case.world.deleted + stored)


def _is_new(case: _Case, one: Done, value: bool) -> None:
    held, life = case.world.sessions.get(one.step.session), case.life(one.step.session)
    parent = None if held is None else held.facts.get("parent_id")
    allowed = {True} if life in (None, "over") else {parent is None}
    allowed |= {True} if life == "either" else set()
    if value not in allowed:
        why = "it has a parent id" if value else "it has no parent id, or is not there"
        line = f"assert answer is {not value}, answer"
        raise _Wrong(Anomaly.WRONG_ANSWER, f"{not value}: {why}", value, line)


def _parent(case: _Case, one: Done, value: str | None) -> None:
    held, life = case.world.sessions.get(one.step.session), case.life(one.step.session)
    parent = None if held is None or life == "over" else held.facts.get("parent_id")
    if value != parent and not (life == "either" and value is None):
        line = f"assert answer == {parent!r}, answer"
        raise _Wrong(Anomaly.WRONG_ANSWER, f"{parent!r}", value, line)


def _cleaned(case: _Case, _one: Done, value: int) -> None:
    over, unsure = case.names("over"), case.names("either")
    if not len(over) <= value <= len(over) + len(unsure):
        raise _Wrong(Anomaly.WRONG_ANSWER, f"{len(over)}: so many were over", value,
                     f"assert answer == {len(over)}, answer")  # fmt: skip
    if unsure and value not in (len(over), len(over | unsure)):
        raise _Unclear
    gone = over if value == len(over) else over | unsure
    case.over += len(gone)
    case.world = replace(without(case.world, gone), expired=case.world.expired + len(gone))


def _counted(case: _Case, _one: Done, value: int) -> None:
    stored = len(case.world.sessions)
    if value != stored:
        line = f"assert answer == {stored}, answer"
        raise _Wrong(Anomaly.COUNTER_DRIFT, f"{stored}: so many are stored", value, line)


def _cleared(case: _Case, one: Done, value: int) -> None:
    _counted(case, one, value)
    case.world = replace(case.world, sessions={}, deleted=case.world.deleted + value)


def _listed(case: _Case, one: Done, value: Sequence[ManagedSession]) -> None:
    active = one.step.call == "get_active_sessions"
    sure = case.names("alive") if active else frozenset(case.world.sessions)
    names = {held.session_id: name for name, held in case.world.sessions.items()}
    seen = Counter(names.get(found.session_id, "") for found in value)
    if not sure <= seen.keys() <= sure | case.names("either") or max(seen.values(), default=1) > 1:
        lost, over = sure - seen.keys(), case.names("over") & seen.keys() if active else frozenset()
        anomaly = Anomaly.LOST_SESSION if lost else Anomaly.PHANTOM_SESSION
        anomaly = Anomaly.RESURRECTION if over and not lost else anomaly
        listed = ", ".join(sorted(sure))
        raise _Wrong(anomaly, f"these sessions: {listed or 'none'}", sorted(seen.elements()),
                     "ids = sorted(one['session_id'] for one in answer)",
                     f"assert ids == sorted([{listed}]), ids")  # fmt: skip
    for found in value:
        held = case.world.sessions[names[found.session_id]]
        _same(case, held, found, among=names[found.session_id])


def _measured(case: _Case, _one: Done, value: dict[str, Json]) -> None:
    world, alive = case.world, len(case.names("alive"))
    expected = {"created": world.created, "deleted": world.deleted, "expired": world.expired,
                "active": alive, "total": len(world.sessions)}  # fmt: skip
    seen = {name: value[name] for name in expected}
    for name, right in expected.items():
        unsure = len(case.names("either")) if name == "active" else 0
        if not right <= int(seen[name]) <= right + unsure:  # type: ignore[arg-type]
            line = f"assert answer[{name!r}] == {right}, answer"
            raise _Wrong(Anomaly.COUNTER_DRIFT, f"{name} is {right}", seen, line)


def _reopened(case: _Case, _one: Done, _value: object) -> None:
    if case.names("over", "either"):
        raise _Unclear  # an instance may begin with a clean-up
    case.world = replace(case.world, created=0, deleted=0, expired=0)


def _appended(case: _Case, one: Done, _value: object) -> None:
    held = case.world.sessions.get(one.step.session)
    if held is not None:
        held = replace(held, messages=held.messages + 1)
        held = accessed(held, case.now_us) if "append" in case.claims.activity else held
        case.world = with_session(case.world, one.step.session, held)


def _read(case: _Case, one: Done, value: Sequence[object]) -> None:
    held = case.world.sessions.get(one.step.session)
    owed = 0 if held is None else held.messages
    if len(value) != owed:
        anomaly = Anomaly.LOST_MESSAGE if len(value) < owed else Anomaly.RESURRECTION
        line = f"assert len(answer) == {owed}, answer"
        raise _Wrong(anomaly, f"{owed} messages", f"{len(value)} messages", line)


_JUDGES: dict[str, Callable[[_Case, Done, Any], None]] = {
    CREATE: _created, CREATE_AGAIN: _created_again, "get_session": _got,
    "delete_session": _deleted, "is_new_session": _is_new, "get_parent_id": _parent,
    "cleanup": _cleaned, "get_session_count": _counted, "clear_all": _cleared,
    "get_all_sessions": _listed, "get_active_sessions": _listed, "get_metrics": _measured,
    REOPEN: _reopened, KILL: _reopened, APPEND: _appended, READ: _read,
}  # fmt: skip


def _same(case: _Case, held: Held, found: ManagedSession, *, among: str = "") -> None:
    """Raise _Wrong unless the session that was answered has the facts and times that it must."""
    found_line = f"answer, = [one for one in answer if one['session_id'] == {among}]"
    where = [found_line] if among else []
    for name in FACTS:
        right, seen, shows = held.facts.get(name), getattr(found, name), f"answer.get({name!r})"
        if name == "metadata":  # none of it is null or {}, as a store likes
            seen, shows = seen or None, f"({shows} or None)"
        if seen != right:
            raise _Wrong(Anomaly.CHANGED, f"{name} is {right!r}", found,
                         *where, f"assert {shows} == {right!r}, answer")  # fmt: skip
    limit = found.expires_at_us - found.last_accessed_us
    if abs(limit - held.limit_us) > EXACT_US:
        raise _Wrong(Anomaly.CHANGED, f"its time is {held.limit_us} µs, as at the beginning", found,
                     *where, "limit = answer['expires_at_us'] - answer['last_accessed_us']",
                     f"assert abs(limit - {held.limit_us}) <= {EXACT_US}, answer")  # fmt: skip
    if case.began_us is None:
        return
    times = {
        "created_at_us": (held.created_us, held.created_us),
        "last_accessed_us": (max(held.created_us, held.since_us - case.step_us), held.until_us),
    }
    for name, (first, last) in times.items():
        seen = getattr(found, name) - case.began_us
        if not first - EXACT_US <= seen <= last + EXACT_US:
            told = f"{first}" if first == last else f"from {first} to {last}"
            bounds = f"{first - EXACT_US} <= answer[{name!r}] - began <= {last + EXACT_US}"
            raise _Wrong(Anomaly.CHANGED, f"{name} is {told} µs after the beginning", found,
                         *where, f"assert {bounds}, answer")  # fmt: skip


def _alive(case: _Case, held: Held) -> str:
    if case.now_us is None:
        return "nothing ended it"
    left_us = held.since_us + held.limit_us - case.now_us
    return f"it has {left_us / 1e6:.3f} s left"


def _shown(value: object) -> str:
    if isinstance(value, ManagedSession):
        fields = {name: getattr(value, name) for name in ("session_id", *FACTS)}
        kept = {name: one for name, one in fields.items() if one is not None}
        return f"{kept}, last accessed at {value.last_accessed_us}, to end at {value.expires_at_us}"
    return repr(value)[:600]
