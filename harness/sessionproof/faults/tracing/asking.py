"""One client of a recording: it asks a traced store for operations, and keeps what came of each.

Answers are counted, not timed: the trace holds the same lines, so the n-th answer of a process here
is the n-th line that it wrote there.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import (
    HANG,
    MALFORMED,
    Create,
    DeleteMessage,
    EditMessage,
    Failure,
    List,
    Operation,
    Outcome,
    Read,
    Reopen,
    Request,
    Upkeep,
    session_of,
)
from sessionproof.faults.tracing.launching import LaunchedProcess, Tracer
from sessionproof.host.client import HostedStore, python_store_command
from sessionproof.workload.execute import RETRIES, Names, to_be_retried
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.whole_stores import carried_out

Answer = tuple[str, int]
"""A pipe, and which line of it, from 0."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One operation; ``after`` are the last answers that had been awaited before it was asked."""

    client: int
    operation: Request
    outcome: Outcome
    session_id: str | None
    after: tuple[Answer, ...]
    answered: Answer | None


def command_of(name: str) -> list[str]:
    """The command that serves the store of this name; raises ValueError for no proper command."""
    if name.startswith("cmd:"):
        return shlex.split(name.removeprefix("cmd:"))
    return python_store_command(name)


class Client:
    """A client with a process of its own, and the next one after it was closed.

    ``ended`` once the store hung, died or did not open: nothing is asked any more. ``opened_s`` is
    how long opening took at least: the first time it may wait for imports.
    """

    def __init__(
        self,
        number: int,
        *,
        name: str,
        tracer: Tracer,
        location: Location,
        names: Names,
        deadlines: Deadlines,
        root: Path,
    ) -> None:
        """``root`` is the folder below which the paths of upkeep lie."""
        self.number = number
        self.ended = False
        self.opened_s = math.inf
        self.capabilities: frozenset[str] = frozenset()
        self.processes: list[LaunchedProcess] = []
        self.last: Answer | None = None
        self.asked: list[Asked] = []
        self._name = name
        self._argv = command_of(name)
        self._tracer = tracer
        self._location = location
        self._root = root
        self._names = names
        self._deadlines = deadlines
        self._handle: Handle | None = None
        self._lines: Callable[[], int] = lambda: 0

    def begin(self) -> None:
        """Open the store for the first time; a failure is kept as that of a Reopen."""
        outcome = self._open()
        if outcome.type != "ok":
            self._keep(Reopen(), outcome, None, (), None)

    def ask(self, operation: Request, after: tuple[Answer, ...]) -> None:
        """Have it carried out, with retries after a conflict; raises CannotTrace."""
        if isinstance(operation, Upkeep):
            self._as_a_whole(operation, after)
            return
        operation = self._names.with_ids(operation)
        if isinstance(operation, Reopen):
            self._reopen(after)
        elif isinstance(operation, DeleteMessage | EditMessage):
            self._on_message(operation, after)
        else:
            self._attempt(operation, after)

    def close(self) -> None:
        """Close the store, if it is open."""
        if self._handle is not None and not self._handle.dropped:
            self._handle.close()

    def _open(self) -> Outcome:
        """Open the store in the next process; raises CannotTrace."""
        try:
            process = self._tracer.next()
        except OSError as error:
            return self._unopened(f"{self._argv[0]} cannot be started: {error.strerror}")
        self.processes.append(process)
        began = monotonic_s()

        def opened(location: Location) -> HostedStore:
            store = HostedStore(
                self._argv, location, started=process, handshake_s=self._deadlines.open_s
            )
            self._lines = lambda: store.answers
            return store

        self._lines = lambda: 0
        spec = StoreSpec(self._name, opened)
        try:
            self._handle = Handle(spec, self._location, deadlines=self._deadlines)
        except CannotOpen as error:
            return self._unopened(str(error))
        self.opened_s = min(self.opened_s, monotonic_s() - began)
        self.capabilities = self._handle.capabilities
        self._answered()
        return Outcome("ok")

    def _as_a_whole(self, operation: Upkeep, after: tuple[Answer, ...]) -> None:
        if self._handle is None or self.ended:
            return
        before = self.last
        outcome = carried_out(self._handle, operation, self._root)
        self._answered()
        self._keep(operation, outcome, None, after, before)
        self.ended = self._handle.dropped

    def _reopen(self, after: tuple[Answer, ...]) -> None:
        before = self.last
        outcome = self._handle.close() if self._handle else Outcome("ok")
        self._answered()
        if outcome.type == "ok":
            outcome = self._open()
        self._keep(Reopen(), outcome, None, after, before)
        self.ended = self.ended or outcome.type != "ok"

    def _on_message(
        self, operation: DeleteMessage | EditMessage, after: tuple[Answer, ...]
    ) -> None:
        read = self._attempt(Read(operation.session), after)
        if read.type != "ok" or not read.value:
            return  # nothing to delete or edit
        chosen = read.value[operation.index % len(read.value)]
        if chosen.id is None:
            text = "read answered a message without an id, so it cannot be deleted or edited"
            self._keep(operation, Outcome("info", failure=Failure(MALFORMED, text)), None, after,
                       self.last)  # fmt: skip
            return
        self._attempt(operation, after, message_id=chosen.id)

    def _attempt(
        self, operation: Operation, after: tuple[Answer, ...], *, message_id: str | None = None
    ) -> Outcome:
        outcome = Outcome("info", failure=Failure(HANG, "it was not asked"))
        for _ in range(RETRIES):
            if self._handle is None or self.ended:
                break
            outcome = self._once(operation, after, message_id)
            if not to_be_retried(operation, outcome):
                break
        return outcome

    def _once(
        self, operation: Operation, after: tuple[Answer, ...], message_id: str | None
    ) -> Outcome:
        if self._handle is None:
            raise AssertionError("asked before it was opened")
        session = session_of(operation)
        before = self.last
        if isinstance(operation, Create):
            outcome = self._handle.invoke(operation, self._names.requested(session))
            if outcome.type == "ok":
                self._names.bind(session, outcome.value)
        else:
            session_id = None if isinstance(operation, List) else self._names.id_of(session)
            outcome = self._handle.invoke(operation, session_id, message_id)
        self._answered()
        known = None if isinstance(operation, List) else self._names.id_of(session)
        if isinstance(operation, List) and outcome.type == "ok":
            sessions = {session_of(one.operation) for one in self.asked} - {""}
            outcome = replace(outcome, value=self._names.known(outcome.value, sessions))
        self._keep(operation, outcome, known, after, before)
        self.ended = self._handle.dropped
        return outcome

    def _answered(self) -> None:
        lines = self._lines()
        if lines:
            self.last = (self.processes[-1].pipe, lines - 1)

    def _keep(
        self,
        operation: Request,
        outcome: Outcome,
        session_id: str | None,
        after: tuple[Answer, ...],
        before: Answer | None,
    ) -> None:
        answered = self.last if self.last != before else None
        self.asked.append(
            Asked(
                client=self.number,
                operation=operation,
                outcome=outcome,
                session_id=session_id,
                after=(*after, before) if before else after,
                answered=answered,
            )
        )

    def _unopened(self, text: str) -> Outcome:
        self.ended = True
        return Outcome("info", failure=Failure(CannotOpen.__name__, text))
