"""Calls of a session manager as lines that show a fault, on a clock of the script's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sessionproof.checks.managing import ManagerFault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.managing import CALLS
from sessionproof.contract.message import Message
from sessionproof.contract.operations import HANG, MALFORMED, Append, Read
from sessionproof.scripts.expressions import call, expression
from sessionproof.scripts.lifetime import Times, told_us
from sessionproof.scripts.program import suppressed
from sessionproof.workload.managing import (
    APPEND,
    CREATE,
    CREATE_AGAIN,
    KILL,
    READ,
    REOPEN,
    Done,
    Step,
)

_REFUSED = "    raise AssertionError(f'{type(error).__name__}: {error}') from error"


def lines_of(
    done: Sequence[Done], fault: ManagerFault, message: Message, times: Times, *, answer_s: float
) -> list[str]:
    """The calls up to the one that went wrong, and what must hold of its answer."""
    lines, now, made = [*times.begin()], None, set[str]()
    for at, one in enumerate(done[: fault.index + 1]):
        step = one.step
        if step.call == KILL:
            lines = _ended_by_a_kill(lines, times)
            now = None
            continue
        if step.call != "set_clock" and (step.at_us != now or step.call == REOPEN):
            now = step.at_us
            lines += [] if step.call == REOPEN else times.at(now)
        called = [*_called(step, message, times, frozenset(made))]
        if at == fault.index:
            lines += _last(one, fault, called, answer_s)
        elif one.outcome.failure is not None:
            lines += suppressed(called)
        elif step.call == CREATE:
            made.add(step.session)
            lines.append(f"{step.session} = {called[0]}['session_id']")
        else:
            lines += called
    return [*lines, "store.close()"]


def _ended_by_a_kill(lines: Sequence[str], times: Times) -> list[str]:
    """The lines in a child that is killed behind them; then the store, opened again.

    Sessions that they made have ids of our own, so these lines are said again.
    """
    begin = [*times.begin()]
    known = [f"{line.partition(' = ')[0]} = {_own_id(line)}" for line in lines if _own_id(line)]
    before = [line for line in begin if line != times.open]
    child = [f"    {line}" if line else "" for line in lines if line not in before]
    return [
        *before, "child = os.fork()", "if not child:", *child,
        "    os.kill(os.getpid(), signal.SIGKILL)", "os.waitpid(child, 0)", *known, times.open,
    ]  # fmt: skip


def _own_id(line: str) -> str:
    found = re.search(r"'session_id': ('own-\d+')", line)
    return found.group(1) if found and "create_session" in line else ""


def program_of(done: Sequence[Done], fault: ManagerFault) -> tuple[str, ...]:
    """The same for people: a call a line, with its time."""
    return tuple(
        f"{shown(one.step)}  # at {told_us(one.step.at_us)}" for one in done[: fault.index + 1]
    )


def shown(step: Step) -> str:
    """A step as a person would write it."""
    if step.call in (REOPEN, KILL):
        ended = "store.close()" if step.call == REOPEN else "the process is killed"
        return f"{ended}; store = open_again()"
    if step.call in (APPEND, READ):
        more = ", […]" if step.call == APPEND else ""
        return f"store.{step.call}({step.session}{more})"
    if step.call == CREATE_AGAIN:
        return f"manager.create_session(session_id={step.session})"
    given = [f"{name}={value!r}" for name, value in step.arguments.items()]
    about = [step.session] if step.session and step.call != CREATE else []
    made = f"{step.session} = " if step.call == CREATE else ""
    return f"{made}manager.{step.call}({', '.join([*about, *given])})"


def _called(step: Step, message: Message, times: Times, made: frozenset[str]) -> Iterator[str]:
    """One step as lines; ``made`` are the sessions that have a variable."""
    name = step.session if step.session in made else expression(f"no-{step.session}")
    match step.call:
        case "reopen":
            yield "store.close()"
            yield times.open
            if times.clock == "method":
                yield from times.at(step.at_us)
        case "set_clock":
            yield from times.at(step.at_us)
        case "append":
            yield call(Append(step.session, (message,)), name)
        case "read":
            yield call(Read(step.session), name)
        case "create_again":
            yield f"store.manager('create_session', {{'session_id': {name}}})"
        case _:
            about = step.call in CALLS and "session_id" in CALLS[step.call].parameters
            first = [f"'session_id': {name}"] if about and step.call != CREATE else []
            given = [
                f"{expression(key)}: {expression(value)}" for key, value in step.arguments.items()
            ]
            yield f"store.manager({step.call!r}, {{{', '.join([*first, *given])}}})"


def _last(one: Done, fault: ManagerFault, called: list[str], answer_s: float) -> list[str]:
    failure = one.outcome.failure
    if failure is not None and failure.type == HANG:
        stop = f"faulthandler.dump_traceback_later({answer_s:g}, exit=True)  # no answer"
        return [stop, *called, "faulthandler.cancel_dump_traceback_later()"]
    if failure is not None and failure.type == MALFORMED:
        return [*called[:-1], f"answer = {called[-1]}", *_of_its_type(one.step.call)]
    if fault.refused:
        return [
            "try:", f"    {called[-1]}", f"except {fault.refused}:", "    pass",
            "except Exception as error:", _REFUSED,
            "else:", "    raise AssertionError('it was accepted')",
        ]  # fmt: skip
    if one.step.call == READ and fault.anomaly is Anomaly.RESURRECTION:
        may = "with suppress(NotFound, Expired):  # the session is gone"
        return ["answer = []", may, f"    answer = {called[-1]}", *fault.lines]
    if fault.lines:
        return [*called[:-1], f"answer = {called[-1]}", *fault.lines]
    return [*called[:-1], "try:", f"    {called[-1]}", "except Exception as error:", _REFUSED]


def _of_its_type(call: str) -> list[str]:
    """Lines that hold of an answer of the right shape."""
    session = (
        "for one in {each}:",
        "    assert isinstance(one, dict) and isinstance(one.get('session_id'), str), one",
        "    for name in ('created_at_us', 'last_accessed_us', 'expires_at_us'):",
        "        assert type(one.get(name)) is int, one",
        "    for name in ('first_user_message', 'chat_id', 'parent_id'):",
        "        assert isinstance(one.get(name), str | None), one",
        "    assert isinstance(one.get('metadata'), dict | None), one",
        "    assert len(one.keys() - {known}) == 0, one",
    )
    known = "{'session_id', 'created_at_us', 'last_accessed_us', 'expires_at_us', "
    known += "'first_user_message', 'chat_id', 'parent_id', 'metadata'}"
    each = {CREATE: "[answer]", "get_session": "[answer] if answer is not None else []",
            "get_all_sessions": "answer", "get_active_sessions": "answer"}  # fmt: skip
    if call in each:
        return [line.format(each=each[call], known=known) for line in session]
    if call == "get_metrics":
        names = "('created', 'deleted', 'expired', 'active', 'total')"
        return [f"assert all(type(answer.get(name)) is int for name in {names}), answer"]
    kinds = {"bool": "bool", "int": "int", "str": "str", "str | None": "(str, type(None))"}
    kind = kinds.get(str(CALLS[call].return_annotation)) if call in CALLS else None
    if kind is None:
        return ["assert answer is None, answer"]
    return [f"assert isinstance(answer, {kind}), answer"]
