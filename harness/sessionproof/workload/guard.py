"""The guard: a handle to the store under test that cannot hang, crash or fool its caller.

Every handle lives in a thread of its own: it is opened, used and closed there (sqlite3 insists on
it), and an async store has its event loop there. A call that does not end within its deadline is
an ``info`` outcome, and the handle is dropped with its thread. Whatever the store answers or
raises is turned into plain values inside that thread, under the same deadline.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

from sessionproof.contract import machine
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound, StoreSpec
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Failure,
    Operation,
    Outcome,
    ReadPages,
    as_call,
    method_of,
)
from sessionproof.contract.store import as_offered, capabilities_of, shape_problems
from sessionproof.host.client import HostedStore
from sessionproof.workload.arguments import arguments_of
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.raised import CannotOpen, outcome_of
from sessionproof.workload.shapes import checked_answer, checked_page, kind

__all__ = ["CannotOpen", "FlightRecorder", "Handle", "Wait", "outcome_of"]

Wait = Callable[[Awaitable[Any]], Any]
"""Runs an awaitable to its end on the handle's own event loop."""

_PAGES_MOST = 10_000
_VERSION_MOST = 200  # characters
_WELL_FORMED: set[tuple[type, frozenset[str]]] = set()
_DROPPED = Outcome("info", failure=Failure(HANG, "the handle was dropped after an earlier hang"))


class FlightRecorder:
    """The operation in flight, in a file that outlives the process: evidence after a crash."""

    SIZE = 2_000

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def note(self, text: str) -> None:
        """Overwrite the note; costs one system call and no sync."""
        data = text.encode("utf-8", "backslashreplace")[: self.SIZE].ljust(self.SIZE)
        os.pwrite(self._file, data, 0)

    def close(self) -> None:
        """Close the file; the note stays."""
        os.close(self._file)

    @staticmethod
    def last_note(path: Path) -> str:
        """The note in a file, empty when there is none."""
        try:
            return path.read_text("utf-8", "replace").strip()
        except OSError:
            return ""


class Handle:
    """One guarded handle on one location. Opening it raises CannotOpen."""

    def __init__(
        self,
        spec: StoreSpec,
        location: Location,
        *,
        deadlines: Deadlines,
        recorder: FlightRecorder | None = None,
        awaited: set[str] | None = None,
    ) -> None:
        """Open it; ``awaited`` takes the names of what answers awaitables, opening as ``open``."""
        self._deadlines = deadlines
        self._recorder = recorder
        self._awaited = set() if awaited is None else awaited
        self._requests: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[Outcome] = SimpleQueue()
        self._store: Any = None
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.dropped = False
        self._thread = threading.Thread(target=self._serve, name="store-under-test", daemon=True)
        machine.begin(self._thread)
        self._note(f"open({spec.name})")
        outcome = self._run(lambda: self._open(spec, location), deadlines.open_s)
        if outcome.type != "ok":
            self._leave()
            raise CannotOpen(_why_not_open(outcome, deadlines), outcome.failure)
        self.capabilities, self.claims, self.version, problems = outcome.value
        if problems:
            self.close()
            raise CannotOpen("; ".join(problems))

    @property
    def awaited(self) -> frozenset[str]:
        """The names of methods that were seen to answer awaitables, opening as ``open``."""
        return frozenset(self._awaited)

    def invoke(
        self, operation: Operation, session_id: str | None = "", message_id: str | None = None
    ) -> Outcome:
        """Carry the operation out on the session of this id; never raises.

        An id of None lets the store name a session that is created.
        """
        if self.dropped:
            return _DROPPED
        self._note_call(operation, session_id)
        return self._run(
            lambda: self._invoke(operation, session_id, message_id), self._deadlines.operation_s
        )

    def invoke_all(self, asked: Sequence[tuple[Operation, str]]) -> list[Outcome]:
        """Carry these out one after the other, each on the session of its id; never raises.

        Nobody waits in between, so many small calls cost little. It is a hang if none of them
        ends within the deadline of an operation; what comes after a hang or a crash is dropped.
        """
        if self.dropped:
            return [_DROPPED] * len(asked)
        done: list[Outcome] = []
        self._requests.put(partial(self._each, asked, done))
        before = -1
        while len(done) > before:
            before = len(done)
            with suppress(Empty):
                self._answers.get(timeout=self._deadlines.operation_s)
                break
        else:
            done = [*done, self._hang(self._deadlines.operation_s)]
        if done and _crashed(done[-1]):
            self._leave()
        return done + [_DROPPED] * (len(asked) - len(done))

    def perform(self, name: str, action: Callable[[Callable[..., Any]], Any]) -> Outcome:
        """Run ``action(call)`` in the handle's thread: for checks of raw answers.

        ``call(method, *arguments, **options)`` calls the store and awaits what it answers.
        The action's own answer becomes the outcome's value unchecked.
        """
        if self.dropped:
            return _DROPPED
        self._note(name)
        return self._run(lambda: Outcome("ok", action(self._call)), self._deadlines.operation_s)

    def lend(self, name: str, action: Callable[[Any, Wait], Any]) -> Outcome:
        """Run ``action(store, wait)`` in the handle's thread: for measuring.

        It gets the store itself, as each call in between would be measured too. ``wait`` runs an
        awaitable to its end. The action's own answer becomes the outcome's value unchecked; all
        of it is bound by the deadline of one operation, so it is to be short.
        """
        if self.dropped:
            return _DROPPED
        self._note(name)
        return self._run(
            lambda: Outcome("ok", action(self._store, self._to_its_end)),
            self._deadlines.operation_s,
        )

    def begin(self, name: str, action: Callable[[Any, Wait], Any]) -> None:
        """As ``lend``, but go on at once: for many handles together. ``ended`` must follow."""
        self._note(name)
        self._requests.put(lambda: Outcome("ok", action(self._store, self._to_its_end)))

    def ended(self, deadline_s: float) -> Outcome:
        """How what was begun ended; a hang if it has not after so many seconds."""
        return self._answer(deadline_s)

    def close(self) -> Outcome:
        """Close the store and end the thread."""
        if self.dropped:
            return _DROPPED
        self._note("store.close()")
        outcome = self._run(lambda: Outcome("ok", self._call("close")), self._deadlines.operation_s)
        self._leave()
        return outcome

    def _leave(self) -> None:
        if not self.dropped:
            self.dropped = True
            self._requests.put(None)
            self._thread.join(self._deadlines.operation_s)

    def _note(self, text: str) -> None:
        if self._recorder is not None:
            self._recorder.note(text)

    def _note_call(self, operation: Operation, session_id: str | None) -> None:
        if self._recorder is not None:
            called = as_call(operation)
            self._recorder.note(f"{called}   (session id {(session_id or '')[:200]!a})")

    def _run(self, action: Callable[[], Outcome], deadline_s: float) -> Outcome:
        self._requests.put(action)
        return self._answer(deadline_s)

    def _answer(self, deadline_s: float) -> Outcome:
        try:
            outcome = self._answers.get(timeout=deadline_s)
        except Empty:
            return self._hang(deadline_s)
        if _crashed(outcome):
            self._leave()
        return outcome

    def _hang(self, deadline_s: float) -> Outcome:
        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)[-12:]) if frame else "the thread has ended"
        self.dropped = True
        self._requests.put(None)  # should the call ever end, its thread ends too
        if issubclass(type(self._store), HostedStore):  # its __class__ may be the store's code
            self._store.kill()
            self._thread.join(2)
        text = f"no answer within {deadline_s:g} s"
        return Outcome("info", failure=Failure(HANG, text, {"stack": stack}))

    # What follows runs in the handle's own thread.

    def _serve(self) -> None:
        while (action := self._requests.get()) is not None:
            try:
                outcome = action()
            except BaseException as error:  # noqa: BLE001 - a store may raise anything
                outcome = outcome_of(error)
            self._end_copies()
            self._answers.put(outcome)
            del outcome, action  # nothing of the store stays alive between calls
        if self._loop is not None:
            # Threads that the store had the loop start for it would outlive the handle. It takes
            # one more to wait for them, for which a store may have left no memory.
            with suppress(RuntimeError):
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _open(self, spec: StoreSpec, location: Location) -> Outcome:
        self._store = self._await("open", spec.open(location))
        problems = _shape_problems(self._store)
        claims = getattr(self._store, "claims", None) or spec.claims
        if claims is not None and not isinstance(claims, Claims):
            problems.append(f"claims is {kind(claims)}, expected sessionproof.Claims")
        elif claims is not None:
            claims = as_offered(claims, self._store)
        version = getattr(self._store, "version", None) or spec.version
        facts = (
            capabilities_of(self._store),
            claims,
            str.__str__(version)[:_VERSION_MOST] if isinstance(version, str) else None,
            problems,
        )
        return Outcome("ok", facts)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        self._end_copies()
        return self._await(method, getattr(self._store, method)(*arguments, **options))

    def _end_copies(self) -> None:
        """End this process if the store forked it: it would go on as a second client."""
        if os.getpid() != self._process:
            os._exit(0)

    def _await(self, method: str, value: Any) -> Any:
        if not inspect.isawaitable(value):
            return value
        self._awaited.add(method)
        return self._to_its_end(value)

    def _to_its_end(self, value: Awaitable[Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()

        async def wait() -> Any:
            return await value

        return self._loop.run_until_complete(wait())

    def _invoke(
        self, operation: Operation, session_id: str | None, message_id: str | None
    ) -> Outcome:
        if isinstance(operation, ReadPages):
            return self._pages(operation, session_id)
        arguments, options = arguments_of(operation, session_id, message_id)
        value = self._call(method_of(operation), *arguments, **options)
        return _checked(lambda: checked_answer(operation, value))

    def _each(self, asked: Sequence[tuple[Operation, str]], done: list[Outcome]) -> Outcome:
        for operation, session_id in asked:
            self._note_call(operation, session_id)
            try:
                done.append(self._invoke(operation, session_id, None))
            except BaseException as error:  # noqa: BLE001 - a store may raise anything
                done.append(outcome_of(error))
            if _crashed(done[-1]):
                break
        return Outcome("ok")

    def _pages(self, operation: ReadPages, session_id: str | None) -> Outcome:
        pages: list[tuple[Message, ...]] = []
        seen: set[str | int] = set()
        cursor: str | int | None = None
        while True:
            page = self._call("page", session_id, cursor=cursor, limit=operation.limit)
            outcome = _checked(lambda page=page: checked_page(page))  # type: ignore[misc]
            if outcome.type != "ok":
                return outcome
            pages.append(outcome.value.messages)
            cursor = outcome.value.next
            if cursor is None:
                return Outcome("ok", tuple(pages))
            if cursor in seen or len(pages) >= _PAGES_MOST:
                text = f"page {len(pages)} leads back to cursor {cursor!r:.100}: paging never ends"
                return Outcome("info", failure=Failure(MALFORMED, text))
            seen.add(cursor)


def _shape_problems(store: object) -> list[str]:
    """As of the contract. What was well formed once is not looked at again: that takes its time."""
    shape = (type(store), capabilities_of(store))
    problems = [] if shape in _WELL_FORMED else shape_problems(store)
    if not problems:
        _WELL_FORMED.add(shape)
    return problems


def _crashed(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.type == CRASH


def _checked(check: Callable[[], tuple[Any, list[str]]]) -> Outcome:
    try:
        value, problems = check()
    except BaseException as error:  # noqa: BLE001 - hostile answers
        failure = outcome_of(error).failure
        shown = str(failure) if failure else ""
        value, problems = None, [f"looking at the answer raised {shown}"]
    if problems:
        return Outcome("info", failure=Failure(MALFORMED, "; ".join(problems)))
    return Outcome("ok", value)


def _why_not_open(outcome: Outcome, deadlines: Deadlines) -> str:
    failure = cast(Failure, outcome.failure)
    if failure.type == HANG:
        return f"did not open within {deadlines.open_s:g} s"
    text = " ".join(failure.text.split())
    return text if failure.type == StoreNotFound.__name__ else f"{failure.type}: {text}"
