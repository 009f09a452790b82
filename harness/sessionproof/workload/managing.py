"""What is asked of a session manager, call by call, each at its time on the store's clock.

Sessions have names of their own; a call is given the id that the manager made for the name. A
call answers an outcome as ``Handle.invoke`` does: it never raises, and a malformed answer is a
failure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sessionproof.contract.managing import CALLS, ManagedSession, answer_of
from sessionproof.contract.message import Json, Message
from sessionproof.contract.operations import Append, Outcome, Read
from sessionproof.host.client import MalformedAnswer
from sessionproof.workload import lifetime
from sessionproof.workload.execute import StoreUnderTest, insisted
from sessionproof.workload.guard import Handle

CREATE, CREATE_AGAIN = "create_session", "create_again"
REOPEN, KILL, APPEND, READ = "reopen", "kill", "append", "read"

_OF_A_SESSION = frozenset(name for name, call in CALLS.items() if "session_id" in call.parameters)


@dataclass(frozen=True, slots=True)
class Step:
    """One call, so many microseconds after the beginning; times may step back.

    ``session`` is the name of the session that it is about. ``create_session`` gives the name to
    what it makes, ``create_again`` asks for another session of the same id. ``reopen`` closes the
    store and opens it again, ``kill`` ends its process before; ``append`` and ``read`` are the
    store's own calls.
    """

    at_us: int
    call: str
    session: str = ""
    arguments: Mapping[str, Json] = field(default_factory=dict)


Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A step, what came of it, and the id of its session."""

    step: Step
    outcome: Outcome
    session_id: str = ""


@dataclass
class Desk:
    """Where a manager is asked. ``began_us`` is None for a store whose clock cannot be set."""

    store: StoreUnderTest
    message: Message
    began_us: int | None
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def handle(self) -> Handle:
        """The open handle; raises CannotOpen."""
        return self.store.handle()


def ask(handle: Handle, call: str, arguments: Mapping[str, Json] | None = None) -> Outcome:
    """The answer of a call, with sessions as ``ManagedSession``."""

    def asked(send: Any) -> Any:
        value = send("manager", call, dict(arguments or {}))
        try:
            return answer_of(call, value)
        except ValueError as error:
            raise MalformedAnswer(f"{call}: {error}") from None

    return handle.perform(f"manager({call!r})", asked)


def carried_out(steps: Sequence[Step], desk: Desk) -> tuple[Done, ...]:
    """Each step at its time; it ends early when the handle is lost. Raises CannotOpen."""
    done: list[Done] = []
    shows: int | None = None
    desk.ids.clear()
    for step in steps:
        if desk.began_us is not None and step.at_us != shows:
            shows = step.at_us
            stood = _at(desk, step)
            if stood.failure is not None:
                return (*done, Done(Step(step.at_us, "set_clock"), stood))
        done.append(Done(step, _asked(step, desk), desk.ids.get(step.session, "")))
        if desk.store.dropped or (step.call in (REOPEN, KILL) and done[-1].outcome.type != "ok"):
            break
    return tuple(done)


def id_of(desk: Desk, name: str) -> str:
    """The id of a session; one that was never made has a likely one."""
    return desk.ids.get(name, f"no-{name}")


def _at(desk: Desk, step: Step) -> Outcome:
    return lifetime.set_clock(desk.handle, (desk.began_us or 0) + step.at_us)


def _asked(step: Step, desk: Desk) -> Outcome:
    match step.call:
        case "reopen" | "kill":
            if step.call == KILL:
                desk.handle.lend("its process is killed", lambda store, _: store.kill())
            closed = desk.store.reopen()
            return closed if closed.type != "ok" or desk.began_us is None else _at(desk, step)
        case "append":
            return _invoked(desk, Append(step.session, (desk.message,)))
        case "read":
            return _invoked(desk, Read(step.session))
        case "create_session":
            made = ask(desk.handle, CREATE, step.arguments)
            if isinstance(made.value, ManagedSession):
                desk.ids[step.session] = made.value.session_id
            return made
        case "create_again":
            return ask(desk.handle, CREATE, {"session_id": id_of(desk, step.session)})
    about = {"session_id": id_of(desk, step.session)} if step.call in _OF_A_SESSION else {}
    return ask(desk.handle, step.call, {**about, **step.arguments})


def _invoked(desk: Desk, operation: Append | Read) -> Outcome:
    session_id = id_of(desk, operation.session)
    return insisted(lambda: desk.handle.invoke(operation, session_id))
