"""What is asked of sessions with limits, each at its time: carried out on the store's clock.

Where the store's clock can be set it stands at the time of each step. Where it cannot, the steps
come at their times by the machine's clock, and what was asked when is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Count,
    DeleteMessage,
    EditMessage,
    Failure,
    Get,
    GetState,
    List,
    Operation,
    Outcome,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    Replace,
    SetState,
)
from sessionproof.oracle.lifetime import Span
from sessionproof.workload import lifetime, upkeep
from sessionproof.workload.execute import StoreUnderTest, insisted
from sessionproof.workload.guard import Handle
from sessionproof.workload.sessions import begin

SLACK_US = 30_000
"""How roughly a time by the machine's clock is taken."""

BEGIN, REOPEN, SWEEP, LIMITS, STATUS = "begin", "reopen", "sweep", "set_limits", "set_status"
CLOCK = "set_clock"
_NOTHING_LEFT = Outcome("fail", failure=Failure("NotFound", "there was nothing left to ask about"))
_EARLIEST_US = 1_000_000_000_000_000  # of messages in a store that is ordered by their times


@dataclass(frozen=True, slots=True)
class Step:
    """One call, so many microseconds after the beginning; times may step back.

    ``begin`` makes the session, with messages; ``reopen`` and ``sweep`` are about no session.
    """

    at_us: int
    method: str
    session: str = ""
    idle_us: int | None = None
    hard_us: int | None = None
    status: str = ""


Timeline: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A step with when it was done and what came of it. ``sent`` are messages that it gave."""

    step: Step
    now: Span
    outcome: Outcome
    session_id: str = ""
    sent: tuple[Message, ...] = ()


@dataclass
class Bench:
    """The store, the messages that it is sent, and the time at which its clock begins.

    ``began_us`` is None for a store whose clock cannot be set.
    """

    store: StoreUnderTest
    sample: Message
    capabilities: frozenset[str]
    began_us: int | None
    ids: dict[str, str] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sent: int = 0

    @property
    def handle(self) -> Handle:
        """The open handle; raises CannotOpen."""
        return self.store.handle()


def carried_out(
    timeline: Timeline, bench: Bench, *, leave: Callable[[], bool] = lambda: False
) -> tuple[Done, ...]:
    """Each step at its time; it ends early when the handle is lost, or is to be left.

    Raises CannotOpen.
    """
    prefix = bench.store.next_program()
    bench.ids = {one.session: prefix + one.session for one in timeline if one.method == BEGIN}
    bench.messages = {}
    done: list[Done] = []
    started = monotonic_ns() // 1_000
    shows: int | None = None
    for step in timeline:
        if leave():
            break
        if bench.began_us is None:
            _wait(started + step.at_us - monotonic_ns() // 1_000)
        elif step.at_us != shows:
            shows = step.at_us
            stood = lifetime.set_clock(bench.handle, bench.began_us + step.at_us)
            if stood.failure is not None:
                asked = Step(step.at_us, CLOCK)
                done.append(Done(asked, Span(step.at_us, step.at_us), stood))
                break
        called = monotonic_ns() // 1_000 - started
        outcome, sent = _asked(step, bench)
        now = Span(step.at_us, step.at_us)
        if bench.began_us is None:
            answered = monotonic_ns() // 1_000 - started
            now = Span(called - SLACK_US, answered + SLACK_US)
        done.append(Done(step, now, outcome, bench.ids.get(step.session, ""), sent))
        if bench.store.dropped:
            break
    return tuple(done)


def _wait(microseconds: int) -> None:
    if microseconds > 0:
        time.sleep(microseconds / 1e6)


def _asked(step: Step, bench: Bench) -> tuple[Outcome, tuple[Message, ...]]:
    match step.method:
        case "begin":
            return _begun(step, bench)
        case "reopen":
            return _reopened(step, bench), ()
        case "sweep":
            return lifetime.sweep(bench.handle), ()
        case "verify":
            return upkeep.verify(bench.handle), ()
        case "search":
            return lifetime.search(bench.handle, bench.texts.get(step.session, "")), ()
    session = bench.ids[step.session]
    match step.method:
        case "set_limits":
            limits = {"idle_us": step.idle_us, "hard_us": step.hard_us}
            return lifetime.set_limits(bench.handle, session, **limits), ()
        case "set_status":
            return lifetime.set_status(bench.handle, session, step.status), ()
        case "touch":
            return lifetime.touch(bench.handle, session), ()
    sent = (bench_message(bench),) if step.method in _SENDS else ()
    operation = operation_of(step.method, step.session, sent)
    message_id = None
    if isinstance(operation, DeleteMessage | EditMessage):
        known = bench.messages.get(step.session, [])
        if not known:
            return _NOTHING_LEFT, ()
        message_id = known.pop(0) if isinstance(operation, DeleteMessage) else known[0]
    return _invoked(bench, operation, session, message_id), sent


def _begun(step: Step, bench: Bench) -> tuple[Outcome, tuple[Message, ...]]:
    """A session with three messages, whose ids are learned by a read."""
    claims, name = bench.store.claims, step.session
    made = begin(bench.handle, bench.ids[name], claims, bench.capabilities)
    if made.type != "ok":
        return made, ()
    bench.ids[name] = str(made.value)
    sent = tuple(bench_message(bench) for _ in range(3))
    bench.texts[name] = _text(bench.sent)
    for message in sent:
        done = _invoked(bench, Append(name, (message,)), bench.ids[name])
        if done.type != "ok":
            return done, sent
    read = _invoked(bench, Read(name), bench.ids[name])
    if read.type == "ok":
        bench.messages[name] = [one.id for one in read.value if one.id is not None]
    return read, sent


def _invoked(
    bench: Bench, operation: Operation, session_id: str, message_id: str | None = None
) -> Outcome:
    return insisted(lambda: bench.handle.invoke(operation, session_id, message_id))


def _reopened(step: Step, bench: Bench) -> Outcome:
    closed = bench.store.reopen()
    if closed.type == "ok" and bench.began_us is not None:
        return lifetime.set_clock(bench.handle, bench.began_us + step.at_us)
    return closed


def bench_message(bench: Bench) -> Message:
    """The next message: its text is a word and a number."""
    bench.sent += 1
    message, text = bench.sample, _text(bench.sent)
    if message.created_at_us is not None:
        message = replace(message, created_at_us=_EARLIEST_US + bench.sent)
    if message.kind == "tool_call":
        return replace(message, call_id=text)
    return replace(message, content=text)


def _text(number: int) -> str:
    return f"limit {number}"


_SENDS = ("append", "append_with_state", "edit_message", "replace")


def operation_of(method: str, session: str, sent: Sequence[Message]) -> Operation:
    """One operation of this method on the session."""
    messages = tuple(sent)
    made: dict[str, Operation] = {
        "append": Append(session, messages),
        "append_with_state": AppendWithState(session, messages, {"step": 1}),
        "read": Read(session),
        "read_last": ReadLast(session, 2),
        "page": ReadPages(session, 2),
        "count": Count(session),
        "get": Get(session),
        "list": List(),
        "pop_last": PopLast(session),
        "clear": Clear(session),
        "delete_message": DeleteMessage(session, 0),
        "get_state": GetState(session, "step"),
        "set_state": SetState(session, "step", 1),
        "replace": Replace(session, messages),
    }
    return made[method] if method in made else EditMessage(session, 0, messages[0])
