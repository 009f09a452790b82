"""Whether what was asked of users was answered as it must be: the first fault of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

from sessionproof.checks.users_owed import ANYTHING, Owed, World, after, owed_by, shows
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.operations import CRASH, HANG, MALFORMED, Failure
from sessionproof.workload.users import COUNT, GET, READ, REMOVE, RENAME, SIGN_IN, WHOSE, Done

Rule: TypeAlias = Literal[
    "succeeds", "answers", "refused", "conflict", "nothing", "same words", "tells no password"
]
_SPECIAL = (HANG, CRASH, MALFORMED)


@dataclass(frozen=True)
class UserFault:
    """The step that went wrong, and by which rule; ``answer`` is what it owes, in labels."""

    index: int
    anomaly: Anomaly
    rule: Rule
    expected: str
    seen: str
    answer: Any = None


@dataclass(frozen=True)
class Judgement:
    """The first fault, and what was seen.

    ``attempts`` are those to get in that had to be refused, and were. ``removals`` are those of
    users to whom sessions belonged, ``renames`` those that took effect or met a taken name.
    """

    fault: UserFault | None
    attempts: int = 0
    removals: int = 0
    renames: int = 0


def judged(done: Sequence[Done], claims: Claims) -> Judgement:
    """The first fault of a program, and how much it was worth."""
    world = World(claims)
    attempts = removals = renames = 0
    for index, one in enumerate(done):
        shows(world, one.now)
        owed = owed_by(world, one)
        fault = _fault(index, one, owed) or _told(world, index, one)
        if fault is not None:
            return Judgement(fault, attempts, removals, renames)
        what = one.step.what
        attempts += what in (SIGN_IN, WHOSE) and owed.word == "refused"
        removals += what == REMOVE and bool(world.owned_by(one.step.user))
        renames += what == RENAME and owed.word in ("succeeds", "conflict")
        after(world, one)
    return Judgement(None, attempts, removals, renames)


def _fault(index: int, one: Done, owed: Owed) -> UserFault | None:
    failure = one.outcome.failure
    return _answered(index, one, owed) if failure is None else _failed(index, one, owed, failure)


def _answered(index: int, one: Done, owed: Owed) -> UserFault | None:
    match owed.word:
        case "refused" | "conflict":
            seen = "it succeeded" if one.answer is None else f"it answered {_words(one.answer)}"
            expected = _refusal(owed)
            return UserFault(index, Anomaly.ACCEPTED_INVALID, owed.word, expected, seen)
        case "nothing" if one.answer:
            seen = f"{one.answer} of it"
            return UserFault(index, Anomaly.ORPHAN, "nothing", f"nothing: {owed.why}", seen)
        case "nothing" | "may":
            return None
        case "succeeds":
            if owed.answer is ANYTHING or one.answer == owed.answer:
                return None
            expected = f"{_words(owed.answer)}: {owed.why}"
            seen = _words(one.answer)
            return UserFault(index, _anomaly(one), "answers", expected, seen, answer=owed.answer)
        case _:
            assert_never(owed.word)


def _failed(index: int, one: Done, owed: Owed, failure: Failure) -> UserFault | None:
    said, definite = f"it raised {failure}", one.outcome.type == "fail"
    if failure.type in _SPECIAL:
        return UserFault(index, Anomaly(failure.type), "succeeds", "an answer", failure.text)
    if one.tells:
        expected = "an error without the password"
        return UserFault(index, Anomaly.IN_CLEAR, "tells no password", expected, said)
    match owed.word:
        case "refused" | "conflict":
            if definite and (owed.word == "refused" or failure.type == Conflict.__name__):
                return None
            expected = _refusal(owed)
            return UserFault(index, Anomaly.UNEXPECTED_REFUSAL, owed.word, expected, said)
        case "nothing" | "may":
            if definite:
                return None
            expected = "an answer, or a refusal of the contract's (Refused and its children)"
            return UserFault(index, Anomaly.UNEXPECTED_REFUSAL, "succeeds", expected, said)
        case "succeeds":
            lost = one.step.what in (READ, GET, COUNT)
            anomaly = Anomaly.LOST_SESSION if lost else Anomaly.UNEXPECTED_REFUSAL
            return UserFault(index, anomaly, "succeeds", f"it succeeds: {owed.why}", said)
        case _:
            assert_never(owed.word)


def _refusal(owed: Owed) -> str:
    return f"{(Conflict if owed.word == 'conflict' else Refused).__name__}: {owed.why}"


def _anomaly(one: Done) -> Anomaly:
    match one.step.what:
        case "add_user" | "sign_in":
            return Anomaly.DUPLICATE
        case "read" | "count":
            return Anomaly.LOST_MESSAGE
        case "get" | "list" | "sessions_of":
            return Anomaly.LOST_SESSION
        case "tables":
            return Anomaly.ORPHAN
        case _:
            return Anomaly.WRONG_ANSWER


def _words(answer: Any) -> str:
    if isinstance(answer, tuple):
        return ", ".join(map(str, answer)) or "none"
    return str(answer)


def _told(world: World, index: int, one: Done) -> UserFault | None:
    """A refusal of a sign-in says the same whether the name or the password is wrong."""
    step, failure = one.step, one.outcome.failure
    if step.what != SIGN_IN or failure is None:
        return None
    user = world.owner_of(step.name)
    if user is not None and not world.people[user].active:
        return None
    wrong = "name" if user is None else "password"
    world.said.setdefault(wrong, (failure.type, one.words))
    if len({*world.said.values()}) < 2:
        return None
    seen = "; ".join(
        f"wrong {what}: {kind}: {words}" for what, (kind, words) in sorted(world.said.items())
    )
    expected = "the same words for a wrong name as for a wrong password"
    return UserFault(index, Anomaly.WRONG_ANSWER, "same words", expected, seen)
