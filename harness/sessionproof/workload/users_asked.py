"""Steps about users carried out, one after the other, and told in labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sessionproof.audit.tables import orphan_problems
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Count, Delete, Get, List, Outcome, Read
from sessionproof.oracle.lifetime import Span
from sessionproof.workload import lifetime
from sessionproof.workload.execute import insisted
from sessionproof.workload.guard import Handle
from sessionproof.workload.sessions import begin
from sessionproof.workload.timelines import SLACK_US
from sessionproof.workload.upkeep import answered
from sessionproof.workload.users import (
    ADD,
    BEGIN,
    COUNT,
    DELETE,
    GET,
    LIST,
    MESSAGES,
    READ,
    RENAME,
    REOPEN,
    SEARCH,
    SIGN_OUT,
    SPOILT,
    TABLES,
    WHOSE,
    Bench,
    Done,
    Step,
)

_HEXADECIMAL = frozenset("0123456789abcdef-")
_NAMING = (ADD, RENAME)  # a Conflict of theirs is the answer: asked again it would be the same


def carried_out(
    steps: Sequence[Step], bench: Bench, *, leave: Callable[[], bool] = lambda: False
) -> tuple[Done, ...]:
    """Each step at its time; those that speak of what is not there are left out.

    It ends early when the handle is lost, or ``leave`` says so. Raises CannotOpen.
    """
    with _begun(bench):
        done: list[Done] = []
        started = monotonic_ns() // 1_000
        for step in steps:
            if leave():
                break
            if not _can_be_asked(step, bench):
                continue
            now = Span(step.at_us, step.at_us)
            if bench.began_us is None:
                _wait(started + step.at_us - monotonic_ns() // 1_000)
            elif step.at_us != bench.at_us:
                stood = bench.stands_at(step.at_us)
                if stood is not None:
                    done.append(Done(Step("set_clock", at_us=step.at_us), now, stood))
                    break
            called = monotonic_ns() // 1_000 - started
            one = _told(step, now, *_asked(step, bench), bench)
            if bench.began_us is None:
                later = monotonic_ns() // 1_000 - started
                one = replace(one, now=Span(called - SLACK_US, later + SLACK_US))
            done.append(one)
            if bench.store.dropped or any(other.dropped for other in bench.others.values()):
                break
        return tuple(done)


@contextmanager
def _begun(bench: Bench) -> Iterator[None]:
    bench.prefix = bench.store.next_program()
    bench.at_us = None
    for known in (bench.users, bench.tokens, bench.sessions):
        known.clear()
    bench.secrets = set()
    try:
        yield
    finally:
        bench.leave()


def _wait(microseconds: int) -> None:
    if microseconds > 0:
        time.sleep(microseconds / 1e6)


def _can_be_asked(step: Step, bench: Bench) -> bool:
    """Whether its user, token and session were made before."""
    if step.what == ADD:
        return step.user not in bench.users
    if step.what == BEGIN:
        return step.session not in bench.sessions
    if step.what in (WHOSE, SIGN_OUT) and not _is_told_apart(step, bench):
        return False
    return (not step.user or step.user in bench.users) and (
        not step.session or step.session in bench.sessions
    )


def _is_told_apart(step: Step, bench: Bench) -> bool:
    """Whether there is the token, and what was altered in it makes another one.

    The case of hexadecimal digits is none of its secret, nor is base64's padding.
    """
    token = bench.tokens.get(step.key)
    if token is None:
        return False
    changed = SPOILT[step.spoilt](token)
    same = changed.lower() == token.lower() and set(token.lower()) <= _HEXADECIMAL
    return not step.spoilt or (changed.rstrip("=") != token.rstrip("=") and not same)


def _asked(step: Step, bench: Bench) -> tuple[Outcome, Any]:
    """The outcome, and its answer in labels."""
    if step.what == REOPEN:
        bench.leave()
        closed = bench.store.reopen()
        stood = bench.stands_at(step.at_us) if closed.type == "ok" else None
        return stood or closed, None
    handle = bench.handle(step.by)
    if step.what in _OF_SESSIONS:
        return _OF_SESSIONS[step.what](step, bench, handle)
    arguments, options = _given(step, bench)
    outcome = ask(handle, step.what, *arguments, **options)
    return outcome, _in_labels(step, bench, outcome.value) if outcome.type == "ok" else None


def ask(handle: Handle, method: str, *arguments: Any, **options: Any) -> Outcome:
    """One call of ``contract/users.py``; after a Conflict it is asked again, as a client would."""

    def once() -> Outcome:
        return handle.perform(
            method, lambda call: answered(method, call(method, *arguments, **options))
        )

    return once() if method in _NAMING else insisted(once)


def _given(step: Step, bench: Bench) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call about users, and its options."""
    password = SPOILT[step.spoilt](bench.password(step.knows))
    user = bench.users.get(step.user, "")
    match step.what:
        case "add_user":
            bench.secrets.add(step.knows)
            return (bench.name(step.name), password), {}
        case "sign_in":
            limits = {"idle_us": step.idle_us, "hard_us": step.hard_us}
            given = {key: value for key, value in limits.items() if value is not None}
            return (bench.name(step.name), password), given
        case "whose" | "sign_out":
            return (SPOILT[step.spoilt](bench.tokens[step.key]),), {}
        case "set_user_active":
            return (user, step.active), {}
        case "rename_user":
            return (user, bench.name(step.name)), {}
        case "set_owner":
            return (bench.sessions[step.session], user), {}
        case _:
            return (user,), {}


def _in_labels(step: Step, bench: Bench, value: Any) -> Any:
    match step.what:
        case "add_user":
            return _label(bench.users, step.user, value)
        case "sign_in":
            return _label(bench.tokens, step.key, value)
        case "whose":
            return _label_of(bench.users, value)
        case "sessions_of":
            return tuple(sorted(_label_of(bench.sessions, one) for one in value))
        case _:
            return None


def _label(known: dict[str, str], label: str, value: str) -> str:
    """The label of what was made; that of another one where the store gave it before."""
    before = _label_of(known, value)
    known[label] = value
    return label if before == value else before


def _label_of(known: Mapping[str, str], value: str) -> str:
    return next((label for label, given in known.items() if given == value), value)


def _begin(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    """A session with its messages, whose text has the session's label."""
    name = bench.prefix + step.session
    made = begin(handle, name, bench.store.claims, bench.capabilities)
    if made.type != "ok":
        return made, None
    bench.sessions[step.session] = str(made.value)
    for number in range(MESSAGES):
        append = Append(step.session, (message_of(bench.sample, name, number),))
        outcome = insisted(lambda append=append: handle.invoke(append, str(made.value)))  # type: ignore[misc]
        if outcome.type != "ok":
            return outcome, None
    return made, None


def message_of(sample: Message, name: str, number: int) -> Message:
    """A message of a session that a step begins."""
    text = f"{name} {number}"
    if sample.created_at_us is not None:
        sample = replace(sample, created_at_us=sample.created_at_us + number)
    if sample.kind == "tool_call":
        return replace(sample, call_id=text)
    return replace(sample, content=text)


def _read(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    outcome = handle.invoke(Read(step.session), bench.sessions[step.session])
    return outcome, len(outcome.value) if outcome.type == "ok" else None


def _get(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    outcome = handle.invoke(Get(step.session), bench.sessions[step.session])
    return outcome, int(outcome.value is not None) if outcome.type == "ok" else None


def _count(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    outcome = handle.invoke(Count(step.session), bench.sessions[step.session])
    return outcome, outcome.value


def _list(_step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    outcome = handle.invoke(List())
    if outcome.type != "ok":
        return outcome, None
    listed = {_label_of(bench.sessions, one) for one in outcome.value}
    return outcome, tuple(sorted(listed & bench.sessions.keys()))


def _search(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    """How many messages of the session are found by their text."""
    session = bench.sessions[step.session]
    outcome = lifetime.search(handle, f"{bench.prefix}{step.session}")
    if outcome.type != "ok":
        return outcome, None
    return outcome, sum(hit.session_id == session for hit in outcome.value)


def _delete(step: Step, bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    return handle.invoke(Delete(step.session), bench.sessions[step.session]), None


def _tables(_step: Step, _bench: Bench, handle: Handle) -> tuple[Outcome, Any]:
    """What refers to rows that are gone."""
    outcome = handle.perform("tables()", lambda call: tuple(orphan_problems(call("tables"))))
    return outcome, outcome.value


_OF_SESSIONS: dict[str, Callable[[Step, Bench, Handle], tuple[Outcome, Any]]] = {
    BEGIN: _begin, READ: _read, GET: _get, COUNT: _count, LIST: _list, SEARCH: _search,
    DELETE: _delete, TABLES: _tables,
}  # fmt: skip


def _told(step: Step, now: Span, outcome: Outcome, answer: Any, bench: Bench) -> Done:
    """What came of a step, and which passwords the text of its refusal holds."""
    if outcome.failure is None:
        return Done(step, now, outcome, answer)
    text = outcome.failure.text
    given = {step.knows, *bench.secrets} - {""}
    tells = tuple(sorted(label for label in given if bench.password(label)[2:-1] in text.lower()))
    words = text.replace(bench.name(step.name), "…") if step.name else text
    return Done(step, now, outcome, answer, words, tells)
