"""Sessions with limits as lines that show a fault: on a clock of the script's own, or by waiting.

A store whose factory takes ``clock`` is opened with one; another's clock is set by its own method.
Where there is neither, the script waits as the harness did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from sessionproof.checks.timelines import TimeFault
from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Expired, NotFound
from sessionproof.contract.message import Json, Message
from sessionproof.contract.operations import Append, as_call
from sessionproof.scripts.expressions import call, expression
from sessionproof.scripts.program import must_refuse, suppressed
from sessionproof.workload.timelines import (
    BEGIN,
    CLOCK,
    LIMITS,
    REOPEN,
    STATUS,
    SWEEP,
    Done,
    operation_of,
)

ClockOf: TypeAlias = Literal["factory", "method", "machine"]
"""Who gives the store its time."""

_CLOCK = [
    "",
    "",
    "class Clock:",
    "    now = 0",
    "",
    "    def now_us(self):",
    "        return self.now",
    "",
    "",
    "clock = Clock()",
]

_WARNED = "in warned"
_BY_ID = ("delete_message", "edit_message")
_REFUSED = [
    "except Exception as error:",
    "    raise AssertionError(f'{type(error).__name__}: {error}') from error",
]


@dataclass(frozen=True)
class Times:
    """How a script makes time go by. ``zone`` is a TZ of the process, empty for the usual one."""

    clock: ClockOf
    began_us: int = 0
    zone: str = ""

    @property
    def open(self) -> str:
        """The line that opens the store."""
        clock = ", clock=clock" if self.clock == "factory" else ""
        return f"store = open_store(location{clock})"

    def begin(self) -> Iterator[str]:
        """What comes before all steps."""
        if self.zone:
            yield f"os.environ['TZ'] = {self.zone!r}"
            yield "time.tzset()"
        if self.clock == "factory":
            yield from _CLOCK
        yield self.open
        yield (
            "started = time.monotonic()" if self.clock == "machine" else f"began = {self.began_us}"
        )

    def at(self, at_us: int) -> list[str]:
        """The line that goes to this time, if one is needed."""
        now = f"began + {at_us}" if at_us else "began"
        match self.clock:
            case "factory":
                return [f"clock.now = {now}"]
            case "method":
                return [f"store.set_clock({now})"]
            case "machine" if at_us > 0:
                return [f"time.sleep(max(0, started + {at_us / 1e6} - time.monotonic()))"]
            case _:
                return []


def lines_of(
    done: Sequence[Done], fault: TimeFault, claims: Claims, times: Times, *, creates: bool
) -> list[str]:
    """The lines up to the step that went wrong, and what must hold of it.

    ``creates``: sessions are created before they take messages.
    """
    lines = [*times.begin(), *(["warned = []"] if fault.rule == _WARNED else [])]
    texts = {
        one.step.session: one.sent[-1].content
        for one in done
        if one.step.method == BEGIN and one.sent
    }
    named = {one.step.session for one in done if one.step.method in _BY_ID}
    now: int | None = None
    for index, one in enumerate(done[: fault.index + 1]):
        if one.step.method != CLOCK and (one.step.at_us != now or one.step.method == REOPEN):
            now = one.step.at_us
            lines += [] if one.step.method == REOPEN else times.at(now)
        called = [*_called(one, claims, times, texts, named, creates=creates)]
        if one.step.method == SWEEP and fault.rule == _WARNED:
            called = [f"swept = {called[-1]}", "warned += swept.warned"]
        if index < fault.index:
            refused = one.outcome.failure is not None or index in fault.refusable
            lines += suppressed(called) if refused else called
            lines += _remembered(one, fault)
        else:
            lines += _last(done, fault, claims, called)
    return [*lines, "store.close()"]


def program_of(done: Sequence[Done], fault: TimeFault) -> tuple[str, ...]:
    """The same for people: a call a line, with its time."""
    return tuple(
        f"{_shown(one)}  # at {told_us(one.step.at_us)}" for one in done[: fault.index + 1]
    )


def told_us(at_us: int) -> str:
    """A time since the beginning, as in ``0:30:00.000001``."""
    return f"-{timedelta(microseconds=-at_us)}" if at_us < 0 else str(timedelta(microseconds=at_us))


def _shown(one: Done) -> str:
    step = one.step
    match step.method:
        case "begin":
            return f"{step.session} = a session with {len(one.sent)} messages"
        case "reopen":
            return "store.close(); store = open_again()"
        case "sweep" | "verify":
            return f"store.{step.method}()"
        case "search":
            return "store.search(…)"
        case "set_clock":
            return "store.set_clock(…)"
        case "set_limits" | "set_status" | "touch":
            return f"store.{step.method}({', '.join([repr(step.session), *_options(one)])})"
        case _:
            return as_call(operation_of(step.method, step.session, one.sent))


def _options(one: Done) -> list[str]:
    step = one.step
    if step.method == STATUS:
        return [repr(step.status)]
    if step.method != LIMITS:
        return []
    given = {"idle_us": step.idle_us, "hard_us": step.hard_us}
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def _called(
    one: Done,
    claims: Claims,
    times: Times,
    texts: Mapping[str, Json],
    named: Collection[str],
    *,
    creates: bool,
) -> Iterator[str]:
    """One step as lines.

    ``texts`` are of a message of each session, for searches; of the sessions ``named`` the ids of
    messages are needed.
    """
    step, name = one.step, one.step.session
    match step.method:
        case "begin":
            asked = "" if claims.session_ids == "store" else repr(name)
            yield f"{name} = store.create({asked})" if creates else f"{name} = {name!r}"
            for message in one.sent:
                yield call(Append(name, (message,)), name)
            if name in named:
                yield f"ids_{name} = [one.id for one in store.read({name})]"
        case "reopen":
            yield "store.close()"
            yield times.open
            if times.clock == "method":
                yield from times.at(step.at_us)
        case "sweep" | "verify":
            yield f"store.{step.method}()"
        case "search":
            yield f"store.search({expression(texts[name])})"
        case "set_clock":
            yield from times.at(step.at_us)
        case "set_limits" | "set_status" | "touch":
            yield f"store.{step.method}({', '.join([name, *_options(one)])})"
        case "delete_message":
            yield f"store.delete_message({name}, ids_{name}.pop(0))"
        case "edit_message":
            yield f"store.edit_message({name}, ids_{name}[0], {expression(one.sent[0])})"
        case "page":
            yield f"store.page({name}, cursor=None, limit=2)"
        case _:
            yield call(operation_of(step.method, name, one.sent), name)


def _remembered(one: Done, fault: TimeFault) -> list[str]:
    """Warnings are added up from one activity to the next: any sweep may have told of it."""
    own = one.step.session == fault.session and one.step.method != SWEEP
    return ["warned = []"] if own and fault.rule == _WARNED else []


def _last(done: Sequence[Done], fault: TimeFault, claims: Claims, called: list[str]) -> list[str]:
    match fault.rule:
        case "succeeds":
            return ["try:", *(f"    {line}" for line in called), *_REFUSED]
        case "fails":
            return [*called[:-1], *must_refuse(called[-1], fault.seen)]
        case "fails clearly":
            clear = Expired.__name__
            if claims.after_expiry == "gone":
                clear = f"({clear}, {NotFound.__name__})"
            return [
                *called[:-1], "try:", f"    {called[-1]}", f"except {clear}:", "    pass",
                *_REFUSED, "else:", "    raise AssertionError('it was accepted')",
            ]  # fmt: skip
        case "once in expired" | "once in warned":
            told = f"swept.{fault.rule.rpartition(' ')[2]}"
            return [f"swept = {called[-1]}", f"assert {told}.count({fault.session}) < 2, swept"]
        case "in warned":
            return [*called, f"assert {fault.session} in warned, warned"]
        case "in expired" | "not in expired" | "not in warned":
            within, _, what = fault.rule.rpartition(" ")
            told = "swept.warned" if what == "warned" else "swept.expired"
            return [f"swept = {called[-1]}", f"assert {fault.session} {within} {told}, swept"]
        case "status":
            allowed = expression((None, *fault.statuses))
            return [f"info = {called[-1]}", f"assert info.status in {allowed}, info"]
        case "same content":
            return [f"seen = {called[-1]}", *_contents(_kept(done, fault, claims))]
        case "no content":
            return ["seen = []", *suppressed([f"seen = {called[-1]}"]), "assert not seen, seen"]


def _contents(kept: Sequence[Message]) -> list[str]:
    if all(isinstance(message.content, str) for message in kept):
        texts = expression([message.content for message in kept])
        return [f"assert [one.content for one in seen] == {texts}, seen"]
    return [f"assert len(seen) == {len(kept)}, seen"]


def _kept(done: Sequence[Done], fault: TimeFault, claims: Claims) -> list[Message]:
    """The messages that were taken, in a session to which nothing else was done."""
    kept = [
        message
        for one in done[: fault.index]
        if one.step.session == fault.session and one.outcome.failure is None
        for message in one.sent
    ]
    most = claims.limits.retention
    return kept if most is None else kept[max(0, len(kept) - most) :]
