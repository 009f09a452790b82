"""Carrying programs out against the store under test, and recording what it answered."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Conflict
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    MALFORMED,
    Append,
    AppendWithState,
    Completed,
    Create,
    DeleteMessage,
    EditMessage,
    Failure,
    List,
    Operation,
    Outcome,
    Program,
    Read,
    Reopen,
    Replace,
    session_of,
)
from sessionproof.workload.guard import CannotOpen, FlightRecorder, Handle
from sessionproof.workload.profiles import Deadlines

Transcript: TypeAlias = tuple[Completed, ...]

RETRIES = 8  # of a Conflict, as a client would
_FRESH_AFTER = 150  # programs on one location, so that listings stay short


class StoreUnderTest:
    """The store, opened on a private location when it is needed.

    One location serves many programs, each with session ids of its own. After a hang the handle
    and the location are dropped, and the next program gets fresh ones. ``awaited`` are the methods
    that were seen to answer awaitables; ``open`` stands for opening.
    """

    def __init__(
        self,
        spec: StoreSpec,
        claims: Claims,
        *,
        parent: Path,
        deadlines: Deadlines,
        recorder: FlightRecorder | None = None,
    ) -> None:
        self.spec = spec
        self.claims = claims
        self.deadlines = deadlines
        self._parent = parent
        self.awaited: set[str] = set()
        self._recorder = recorder
        self._handle: Handle | None = None
        self._programs = itertools.count(1)
        self._served = 0
        self.location = self._fresh_location()

    @property
    def dropped(self) -> bool:
        """Whether the handle was lost to a hang or a crash."""
        return self._handle is not None and self._handle.dropped

    def below(self, parent: Path) -> StoreUnderTest:
        """The same store on locations of its own below another directory; the caller closes it."""
        other = StoreUnderTest(
            self.spec, self.claims, parent=parent, deadlines=self.deadlines, recorder=self._recorder
        )
        other.awaited = self.awaited
        return other

    def handle(self) -> Handle:
        """The open handle; raises CannotOpen."""
        if self._handle is None or self._handle.dropped:
            if self._handle is not None:
                self.location = self._fresh_location()
            self._handle = self.another_handle()
        return self._handle

    def another_handle(self) -> Handle:
        """A further handle on the same location; the caller closes it. Raises CannotOpen."""
        return Handle(
            self.spec, self.location, deadlines=self.deadlines, recorder=self._recorder,
            awaited=self.awaited,
        )  # fmt: skip

    def reopen(self) -> Outcome:
        """Close the handle and open its location again; raises CannotOpen."""
        outcome = self.close()
        if outcome.type == "ok":
            self.handle()
        else:  # the old location may still be held by what did not close
            self.location = self._fresh_location()
        return outcome

    def close(self) -> Outcome:
        """Close the handle, if one is open; the location stays."""
        handle, self._handle = self._handle, None
        return handle.close() if handle is not None else Outcome("ok")

    def next_program(self) -> str:
        """A prefix for the session ids of the next program; changes the location now and then."""
        self._served += 1
        if self._served > _FRESH_AFTER:
            self._served = 1
            self.close()
            self.location = self._fresh_location()
        return f"p{next(self._programs)}-"

    def fresh_location(self, *, deep: bool = False) -> None:
        """Go on at an empty location.

        A ``deep`` one has empty folders around it, so that a session's id that leads out of it, as
        ``../../x`` does, leads to nothing that an earlier one left.
        """
        self.close()
        self.location = self._fresh_location("/".join("abcd") if deep else "")

    def _fresh_location(self, below: str = "") -> Location:
        self._parent.mkdir(parents=True, exist_ok=True)  # a store may have removed it
        root = Path(tempfile.mkdtemp(prefix="location-", dir=self._parent), below)
        root.mkdir(parents=True, exist_ok=True)
        return Location(root)


def execute(
    program: Program, store: StoreUnderTest, *, ids: Mapping[str, str] | None = None
) -> Transcript:
    """Run the program with fresh session ids, or with those given by logical name.

    The transcript ends early after a hang, a crash, or when the store does not open. ``Conflict``
    is retried, each attempt recorded. An operation on a single message is preceded by the read
    that names it.
    """
    names = Names(store.next_program(), by_store=store.claims.session_ids == "store", ids=ids)
    done: list[Completed] = []
    try:
        _each(program, store, names, done)
    except CannotOpen as error:
        done.append(Completed(Reopen(), error.outcome()))
        store.fresh_location()  # what this program did to its location is no matter of the next
    return tuple(done)


def _each(program: Program, store: StoreUnderTest, names: Names, done: list[Completed]) -> None:
    for operation in (names.with_ids(step) for step in program):
        if isinstance(operation, DeleteMessage | EditMessage):
            stop = _on_message(operation, store, names, done)
        elif isinstance(operation, Reopen):
            done.append(Completed(operation, store.reopen()))
            stop = done[-1].outcome.type != "ok"
        else:
            stop = _attempt(operation, store, names, done)
        if stop:
            break


class Names:
    """Binds the logical names of a program to the ids that the store knows."""

    def __init__(self, prefix: str, *, by_store: bool, ids: Mapping[str, str] | None) -> None:
        self._prefix = prefix
        self._by_store = by_store
        self._ids = dict(ids or {})

    def id_of(self, session: str) -> str:
        """The id of a session; one that was never made gets a likely name."""
        return self._ids.get(session, self._prefix + session)

    def requested(self, session: str) -> str | None:
        """The id to ask ``create`` for; None when the store names its sessions."""
        return None if self._by_store else self.id_of(session)

    def bind(self, session: str, session_id: str) -> None:
        """Remember the id that ``create`` answered."""
        self._ids[session] = session_id

    def with_ids(self, operation: Operation) -> Operation:
        """The operation with the ids that clients give to messages unlike those of any other run.

        A store may keep one name space of message ids for all its sessions.
        """
        match operation:
            case Append() | AppendWithState() | Create() | Replace():
                if all(message.id is None for message in operation.messages):
                    return operation
                return replace(operation, messages=tuple(map(self._with_id, operation.messages)))
            case _:
                return operation

    def _with_id(self, message: Message) -> Message:
        return message if message.id is None else replace(message, id=self._prefix + message.id)

    def known(self, listed: tuple[str, ...], sessions: set[str]) -> tuple[str, ...]:
        """A listing in logical names, without the sessions of other programs."""
        logical = {self.id_of(session): session for session in sessions}
        return tuple(logical[item] for item in listed if item in logical)


def _attempt(
    operation: Operation,
    store: StoreUnderTest,
    names: Names,
    done: list[Completed],
    *,
    message_id: str | None = None,
) -> bool:
    for _ in range(RETRIES):
        completed = _once(operation, store, names, message_id, done)
        done.append(completed)
        if not to_be_retried(operation, completed.outcome):
            break
    return store.dropped


def to_be_retried(operation: Operation, outcome: Outcome) -> bool:
    """Whether a client tries again: after a Conflict, unless it is that an id is taken."""
    return _is_conflict(outcome) and not isinstance(operation, Create)


def insisted(ask: Callable[[], Outcome]) -> Outcome:
    """What is answered in the end: after a Conflict it is asked again, as a client would."""
    for _ in range(RETRIES - 1):
        outcome = ask()
        if not _is_conflict(outcome):
            return outcome
    return ask()


def _is_conflict(outcome: Outcome) -> bool:
    failure = outcome.failure
    conflict = failure is not None and failure.type == Conflict.__name__
    return outcome.type == "fail" and conflict


def _once(
    operation: Operation,
    store: StoreUnderTest,
    names: Names,
    message_id: str | None,
    done: list[Completed],
) -> Completed:
    handle = store.handle()
    if isinstance(operation, List):
        outcome = handle.invoke(operation)
        if outcome.type == "ok":
            sessions = {session_of(item.operation) for item in done} - {""}
            outcome = replace(outcome, value=names.known(outcome.value, sessions))
        return Completed(operation, outcome)
    session = session_of(operation)
    if isinstance(operation, Create):
        requested = names.requested(session)
        outcome = handle.invoke(operation, requested)
        if outcome.type == "ok":
            names.bind(session, outcome.value)
    else:
        outcome = handle.invoke(operation, names.id_of(session), message_id)
    return Completed(operation, outcome, names.id_of(session))


def _on_message(
    operation: DeleteMessage | EditMessage,
    store: StoreUnderTest,
    names: Names,
    done: list[Completed],
) -> bool:
    if _attempt(Read(operation.session), store, names, done):
        return True
    read = done[-1].outcome
    if read.type != "ok" or not read.value:
        return False  # nothing to delete or edit
    chosen = read.value[operation.index % len(read.value)]
    if chosen.id is None:
        text = "read answered a message without an id, so it cannot be deleted or edited"
        done.append(Completed(operation, Outcome("info", failure=Failure(MALFORMED, text))))
        return False
    return _attempt(operation, store, names, done, message_id=chosen.id)
