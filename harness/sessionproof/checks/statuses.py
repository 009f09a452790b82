"""Whether a session's status moved as declared, and took messages only where that allows it.

A status that the store does not tell is known by what was done to it; a warning may have made an
active session idle, so several may be possible until one is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sessionproof.checks.timelines import Judgement, Rule, TimeFault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.lifetime import STATUSES
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, MALFORMED
from sessionproof.oracle.model import same_messages
from sessionproof.workload.timelines import SWEEP, Done

TAKING = frozenset({"active", "idle"})
"""Statuses in which a session takes messages."""


@dataclass
class _Session:
    """The statuses that are possible, the messages that were taken, and an idle limit."""

    possible: frozenset[str] = frozenset({"active"})
    kept: tuple[Message, ...] = ()
    idle_us: int | None = None
    active_us: int = 0

    def is_over(self, at_us: int) -> bool:
        """Whether its limit has run out, on a clock that stands."""
        return self.idle_us is not None and at_us >= self.active_us + self.idle_us


@dataclass
class _State:
    claims: Claims
    sessions: dict[str, _Session] = field(default_factory=dict)
    moves: int = 0


def judged(done: Sequence[Done], claims: Claims) -> Judgement:
    """The first fault, and how many moves were seen that had to be taken or refused."""
    state = _State(claims)
    for index, one in enumerate(done):
        _time_goes_by(state, one)
        fault = _step(state, index, one)
        if fault is not None:
            return Judgement(fault)
    return Judgement(None, moves=state.moves)


def _time_goes_by(state: _State, one: Done) -> None:
    """Limits that run out are no moves."""
    sweeps = one.step.method == SWEEP
    for session in state.sessions.values():
        over = session.is_over(one.step.at_us)
        if over and (sweeps or state.claims.expires == "at_once") and session.possible <= TAKING:
            session.possible = frozenset({"expired"})
        elif sweeps and state.claims.warns and session.idle_us and "active" in session.possible:
            session.possible |= {"idle"}


def _step(state: _State, index: int, one: Done) -> TimeFault | None:
    step, failure = one.step, one.outcome.failure
    name, method = step.session, step.method
    if failure is not None and failure.type in (HANG, CRASH, MALFORMED):
        return _fault(index, one, Anomaly(failure.type), "it succeeds", failure.text)
    if method == "set_status":
        return _move(state, index, one)
    if method == "append":
        return _append(state, index, one)
    if method == "get":
        return _get(state, index, one)
    if method == "read":
        return _read(state, index, one)
    if failure is not None:
        said = f"it raised {failure}"
        return _fault(index, one, Anomaly.UNEXPECTED_REFUSAL, "it succeeds", said)
    if method == "begin":
        state.sessions[name] = _Session(kept=one.sent)
    elif method == "set_limits":
        session = state.sessions[name]
        session.idle_us, session.active_us = step.idle_us, step.at_us
    return None


def _fault(
    index: int, one: Done, anomaly: Anomaly, expected: str, seen: str,
    *, rule: Rule = "succeeds", statuses: tuple[str, ...] = (),
) -> TimeFault:  # fmt: skip
    return TimeFault(index, "call", anomaly, rule, one.step.session, expected, seen, statuses)


def _move(state: _State, index: int, one: Done) -> TimeFault | None:
    """A move: taken where it is declared, refused where not, and either where it is none."""
    session, target = state.sessions[one.step.session], one.step.status
    failure = one.outcome.failure
    declared = {was for was in session.possible if f"{was}>{target}" in state.claims.transitions}
    stays = {was for was in session.possible if was == target}
    was = " or ".join(sorted(session.possible))
    if failure is None:
        if not declared and not stays:
            expected = f"a refusal: {was} to {target!r} is no declared move"
            return _fault(index, one, Anomaly.ACCEPTED_INVALID, expected, "it was taken",
                          rule="fails")  # fmt: skip
        session.possible = frozenset({target})
        if target == "active" and not stays:
            session.active_us = one.step.at_us
    elif declared == session.possible:
        expected = f"it is taken: {was} to {target} is a declared move"
        said = f"it raised {failure}"
        return _fault(index, one, Anomaly.UNEXPECTED_REFUSAL, expected, said)
    else:
        session.possible -= declared
    state.moves += 1
    return None


def _append(state: _State, index: int, one: Done) -> TimeFault | None:
    session, failure = state.sessions[one.step.session], one.outcome.failure
    was = " or ".join(sorted(session.possible))
    if failure is None:
        if not session.possible & TAKING:
            return _fault(index, one, Anomaly.ACCEPTED_INVALID,
                          f"it is refused: the session is {was}", "it was accepted",
                          rule="fails")  # fmt: skip
        session.kept = (*session.kept, *one.sent)
        session.possible = frozenset({"active"} | session.possible & {"idle"})
        session.active_us = one.step.at_us
        return None
    if session.possible <= TAKING:
        return _fault(index, one, Anomaly.UNEXPECTED_REFUSAL,
                      f"it is taken: the session is {was}",
                      f"it raised {failure}")  # fmt: skip
    session.possible -= TAKING
    return None


def _get(state: _State, index: int, one: Done) -> TimeFault | None:
    session = state.sessions[one.step.session]
    told = getattr(one.outcome.value, "status", None)
    if one.outcome.failure is not None or told is None:
        return None  # what else get owes is judged by other rows
    if told in session.possible:
        session.possible = frozenset({told})
        return None
    allowed = tuple(word for word in STATUSES if word in session.possible)
    return _fault(index, one, Anomaly.WRONG_ANSWER, f"status {' or '.join(allowed)}",
                  f"status {told!r}", rule="status", statuses=allowed)  # fmt: skip


def _read(state: _State, index: int, one: Done) -> TimeFault | None:
    session, failure = state.sessions[one.step.session], one.outcome.failure
    if state.claims.after_expiry == "gone" and "expired" in session.possible:
        return None
    most = state.claims.limits.retention
    kept = session.kept if most is None else session.kept[max(0, len(session.kept) - most) :]
    if failure is None and same_messages(kept, one.outcome.value, state.claims.keeps):
        return None
    seen = f"{len(one.outcome.value)}" if failure is None else f"it raised {failure.type}"
    return _fault(index, one, Anomaly.LOST_MESSAGE, f"its {len(kept)} messages", seen,
                  rule="same content")  # fmt: skip
