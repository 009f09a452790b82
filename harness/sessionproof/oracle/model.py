"""The pure model: what each operation must answer, and what world follows it.

``expect`` computes; ``step`` accepts or refuses a completed operation by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, assert_never

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Json, Message, SessionInfo, canonical
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Count,
    Create,
    Delete,
    DeleteMessage,
    EditMessage,
    Get,
    GetState,
    List,
    Operation,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    Replace,
    SetState,
)


@dataclass(frozen=True, slots=True)
class Session:
    """One session. ``made`` says that it was created on purpose, and not emptied since."""

    messages: tuple[Message, ...] = ()
    state: Mapping[str, Json] = field(default_factory=dict)
    made: bool = False


World: TypeAlias = Mapping[str, Session]
Worlds: TypeAlias = tuple[World, ...]

EMPTY: Worlds = (MappingProxyType({}),)

# Fields that a store may fill by itself when the client leaves them open.
ASSIGNED = frozenset({"id", "created_at_us"})

_PLAIN = (str, int, bool, type(None))  # equal if and only if their JSON is


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an operation must do: the world after it, its answer, and whether it may be refused.

    ``or_else`` is another world that may follow, where the contract leaves it to the store.
    """

    after: World
    answer: Any = None
    refusal: Literal["never", "may", "must"] = "never"
    or_else: World | None = None

    @property
    def worlds(self) -> Worlds:
        """All that may follow where the operation took place."""
        return (self.after,) if self.or_else is None else (self.after, self.or_else)


@dataclass(frozen=True, slots=True)
class Step:
    """The oracle's word on one completed operation; ``worlds`` are the states that remain."""

    accepted: bool
    worlds: Worlds
    expected: Expectation


def step(worlds: Worlds, done: Completed, claims: Claims) -> Step:
    """Judge one completed operation against every state that is still possible.

    ``ok`` must answer as expected; ``fail`` must be allowed and changes nothing; after ``info``
    the operation may have taken effect or not, so both states go on. ``expected`` is the
    expectation in the first world, for explanations.
    """
    expectations = [expect(world, done.operation, claims) for world in worlds]
    remaining: list[World] = []
    for world, expected in zip(worlds, expectations, strict=True):
        match done.outcome.type:
            case "ok":
                if expected.refusal != "must" and answers(done, expected, claims):
                    remaining += expected.worlds
            case "fail":
                if expected.refusal != "never":
                    remaining.append(world)
            case "info":
                remaining += [world, *expected.worlds]
    return Step(bool(remaining), tuple(_distinct(remaining)), expectations[0])


def expect(world: World, operation: Operation, claims: Claims) -> Expectation:  # noqa: C901 - one case each
    """What the contract says of this operation in this world. Pure."""
    if isinstance(operation, Reopen):
        return Expectation(world)
    if isinstance(operation, List):
        return Expectation(world, world)
    name = operation.session
    session = world.get(name)
    missing: Literal["never", "may"] = "never" if _is_there(session) else "may"
    silent = session is None and claims.missing_session is None
    unclaimed: Literal["never", "may"] = "may" if silent else "never"
    old = session or Session()

    def become(after: Session, answer: Any = None) -> Expectation:
        return Expectation(_with(world, name, after), answer, missing)

    def left_open() -> Expectation:
        """Emptying an unknown session may make it, or not."""
        return Expectation(world, refusal="may", or_else=_with(world, name, Session()))

    match operation:
        case Append(_, messages):
            if not messages:
                return Expectation(world, refusal=missing)
            if session is None and claims.missing_session == "refuses":
                return Expectation(world, refusal="must")
            added = replace(old, messages=_kept(old.messages + messages, claims))
            return Expectation(_with(world, name, added), refusal=unclaimed)
        case AppendWithState(_, messages, state):
            if not messages and not state:
                return Expectation(world, refusal=missing)
            if session is None and claims.missing_session == "refuses":
                return Expectation(world, refusal="must")
            kept = _kept(old.messages + messages, claims)
            both = replace(old, messages=kept, state={**old.state, **state})
            return Expectation(_with(world, name, both), refusal=unclaimed)
        case Create(_, messages):
            made = _with(world, name, replace(old, messages=_kept(messages, claims), made=True))
            if session is None:
                return Expectation(made)
            if not _is_there(session):
                return Expectation(made, refusal="may")
            # refused, or answered without any change
            return Expectation(world, refusal="must" if messages else "may")
        case Read():
            return Expectation(world, old.messages, missing)
        case ReadLast(_, n):
            return Expectation(world, old.messages[-n:] if n > 0 else (), missing)
        case ReadPages():
            return Expectation(world, old.messages, missing)
        case Count():
            return Expectation(world, len(old.messages), missing)
        case Get():
            return Expectation(world, session, missing)
        case Delete():
            return Expectation(_without(world, name), refusal=missing)
        case Clear():
            return left_open() if session is None else become(Session(state=old.state))
        case PopLast():
            if not old.messages:
                return Expectation(world, None, "may")
            return become(replace(old, messages=old.messages[:-1]), old.messages[-1])
        case DeleteMessage() | EditMessage() if not old.messages:
            return Expectation(world, refusal="may")
        case DeleteMessage(_, index):
            return become(replace(old, messages=_spliced(old.messages, index)))
        case EditMessage(_, index, message):
            return become(replace(old, messages=_spliced(old.messages, index, message)))
        case Replace(_, messages):
            if session is None and not messages:
                return left_open()
            return become(replace(old, messages=_kept(messages, claims)))
        case GetState(_, key):
            return Expectation(world, old.state.get(key), missing)
        case SetState(_, key, value):
            return become(replace(old, state={**old.state, key: value}))
        case _:
            assert_never(operation)


def answers(done: Completed, expected: Expectation, claims: Claims) -> bool:
    """Whether an ``ok`` answer is the expected one."""
    value = done.outcome.value
    match done.operation:
        case Read() | ReadLast():
            return same_messages(expected.answer, value, claims.keeps)
        case ReadPages(_, limit):
            flat = [message for page in value for message in page]
            return all(len(page) <= limit for page in value) and same_messages(
                expected.answer, flat, claims.keeps
            )
        case PopLast():
            if expected.answer is None or value is None:
                return value is expected.answer
            return same_messages([expected.answer], [value], claims.keeps)
        case Count():
            return bool(value == expected.answer)
        case Get():
            return not info_problems(expected.answer, value, claims)
        case List():
            return not listing_problems(expected.answer, value)
        case GetState():
            return canonical(value) == canonical(expected.answer)
        case _:
            return True


def same_messages(expected: Sequence[Message], seen: Sequence[Message], keeps: Set[str]) -> bool:
    """Whether two lists of messages are equal in every field that the store keeps."""
    return len(expected) == len(seen) and all(
        not differing(one, other, keeps) for one, other in zip(expected, seen, strict=True)
    )


def differing(expected: Message, seen: Message, keeps: Set[str]) -> list[str]:
    """The kept fields in which a message read differs from the one appended."""
    out = []
    for name in keeps:
        want, have = getattr(expected, name), getattr(seen, name)
        if want is None and name in ASSIGNED:
            continue
        plain = type(want) is type(have) and type(want) in _PLAIN
        same = want == have if plain else canonical(want) == canonical(have)
        if not same:
            out.append(name)
    return sorted(out)


def info_problems(session: Session | None, info: SessionInfo | None, claims: Claims) -> list[str]:
    """What is wrong in the facts of a session, a sentence each; facts not kept are not judged."""
    if info is None:
        return ["the session is unknown"] if _is_there(session) else []
    if session is None:
        return ["an unknown session has facts"]
    facts = [("message_count", len(session.messages))]
    for total_name, source in (("total_tokens", "tokens"), ("total_duration_us", "duration_us")):
        if source in claims.keeps:
            total = sum(getattr(message, source) or 0 for message in session.messages)
            facts.append((total_name, total))
    return [
        f"{name} is {getattr(info, name)}, the messages give {value}"
        for name, value in facts
        if getattr(info, name) not in (None, value)
    ]


def listing_problems(world: World, listed: Sequence[str]) -> list[str]:
    """What is wrong in a listing of sessions, by logical names.

    Sessions with messages, and those created on purpose, must be listed; emptied ones may be.
    """
    must = {name for name, session in world.items() if session.messages or session.made}
    problems = [f"{name} is missing" for name in sorted(must - set(listed))]
    problems += [f"{name} is there, and should not be" for name in sorted(set(listed) - set(world))]
    repeated = {name for name, times in Counter(listed).items() if times > 1}
    return problems + [f"{name} is listed more than once" for name in sorted(repeated)]


def _is_there(session: Session | None) -> bool:
    """Whether a session must be known.

    One that was emptied may be gone: a store may know its sessions by their messages alone.
    """
    return session is not None and bool(session.messages or session.state or session.made)


def _kept(messages: tuple[Message, ...], claims: Claims) -> tuple[Message, ...]:
    limit = claims.limits.retention
    return messages if limit is None else messages[max(0, len(messages) - limit) :]


def _spliced(messages: tuple[Message, ...], index: int, *new: Message) -> tuple[Message, ...]:
    at = index % len(messages)
    return messages[:at] + new + messages[at + 1 :]


def _with(world: World, name: str, session: Session) -> World:
    return MappingProxyType({**world, name: session})


def _without(world: World, name: str) -> World:
    return MappingProxyType({key: value for key, value in world.items() if key != name})


def _distinct(worlds: list[World]) -> list[World]:
    out: list[World] = []
    for world in worlds:
        if world not in out:
            out.append(world)
    return out
