"""A client among others: carries its program out against a store, and keeps a journal of it.

It calls the store's own methods: a check in between would take time from the races that it is
there to make. What was answered is copied at once and judged later, by whoever has the history.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from itertools import count
from typing import Any, TypeAlias

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.errors import Conflict, NotFound
from sessionproof.contract.frames import AT
from sessionproof.contract.operations import CRASH, MALFORMED, Outcome
from sessionproof.history.columns import BATCH, MISSING, NONE, F, Type
from sessionproof.history.journal import Records
from sessionproof.workload.answers import (
    Malformed,
    counted,
    first_number,
    keeps_no_count,
    next_cursor,
    texts_of,
)
from sessionproof.workload.guard import outcome_of
from sessionproof.workload.meeting import Meet
from sessionproof.workload.rounds import Call
from sessionproof.workload.shapes import kind
from sessionproof.workload.speech import Speech

Steps: TypeAlias = Generator[Awaitable[Any], Any, None]
"""What a client does; it gives out what must be awaited, and is sent what came of it."""

ATTEMPTS = 40  # of an operation that is refused with Conflict, as a client would
_AT_ONCE = 4  # of them; then waits grow
_WAIT_S = 0.000_2
_LONGEST_WAIT_S = 0.02
_PAGES_MOST = 10_000
_SAID = 300  # characters of an error that are kept
_FRAMES_MOST = 100  # texts of errors whose line is kept
_READS = (F.READ, F.READ_LAST, F.PAGES, F.COUNT)


def key_of(n: int) -> str:
    """The key that ``SET_STATE`` sets; its value is the number of the operation."""
    return f"key-{n}"


@dataclass(frozen=True)
class Job:
    """What one client is to do.

    ``client`` is its number and ``clients`` the number of all: after an unknown outcome it goes on
    as ``client + clients``. Call ``i`` has the operation number ``first + i * stride``, or that of
    ``numbers`` where they are given. No call begins more than ``budget_s`` after the start. It
    meets the others each time that ``meets`` calls were made, as long as they are of the first
    ``meets_until``; and before the calls at the places ``gathers``. ``pauses`` are seconds that it
    lets pass before each call. ``due_ns`` are times of the monotonic clock before which calls do
    not begin: who is late begins the next one at once.
    """

    program: tuple[Call, ...]
    client: int
    clients: int
    first: int
    stride: int
    budget_s: float
    meets: int = 0
    meets_until: int = 0
    gathers: tuple[int, ...] = ()
    pauses: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()
    due_ns: tuple[int, ...] = ()


class Client:
    """One thread of calls on an open store.

    ``ids`` are the ids by which the store knows the round's sessions, None where it must name
    one first; clients of one process share the list. ``since_ns`` is when the call in flight
    began, 0 when there is none, and ``doing`` its name. ``stopped`` is set when the store's
    process has ended: nothing further can be called. ``left``: nothing is written any more.
    """

    def __init__(
        self,
        job: Job,
        store: Any,
        journal: Records,
        *,
        speech: Speech,
        ids: list[str | None],
        capabilities: Collection[str],
        by_store: bool = False,
        as_task: bool = False,
        meet: Meet | None = None,
        awaited: set[str] | None = None,
        frames: dict[str, str] | None = None,
    ) -> None:
        """``by_store``: the store names sessions. Tasks let others go on while they wait.

        ``awaited`` takes the names of the methods that answered awaitables, ``frames`` the line of
        the store that raised first with each text.
        """
        self.job = job
        self.ids = ids
        self.since_ns = 0
        self.doing = ""
        self.stopped: Outcome | None = None
        self._store = store
        self._journal = journal
        self._speech = speech
        self._by_store = by_store
        self._as_task = as_task
        self._awaited = set() if awaited is None else awaited
        self._frames = {} if frames is None else frames
        self._meet = meet if job.meets or job.gathers else None
        self._counts = [name for name in ("get", "count") if name in capabilities]
        self._number = job.client
        self._enough = False
        self.left = False

    def work(self) -> Steps:
        """Carry the program out; never raises."""
        until_ns = monotonic_ns() + int(self.job.budget_s * 1e9)
        numbers = self.job.numbers or count(self.job.first, self.job.stride)
        for place, (call, number) in enumerate(zip(self.job.program, numbers, strict=False)):
            yield from self._wait_for_others(place)
            if self._enough or self.stopped is not None or monotonic_ns() > until_ns:
                return
            if self.ids[call.session] is None and call.f is not F.CREATE:
                continue  # the store has not named it, so nobody can call it
            yield from self._attempts(call, number * BATCH)
            if self._as_task:
                yield asyncio.sleep(0)  # a store need not let others go on by itself

    def _wait_for_others(self, place: int) -> Steps:
        job = self.job
        if job.meets and place and place % job.meets == 0:
            if place < job.meets_until:
                yield from self._together()
            else:
                self._meet = None
        for _ in range(job.gathers.count(place)):
            yield from self._together()
        if place < len(job.pauses):
            yield from self._pause(job.pauses[place])
        if place < len(job.due_ns):
            yield from self._pause(max(0.0, (job.due_ns[place] - monotonic_ns()) / 1e9))

    def _together(self) -> Steps:
        if self._meet is None:
            return
        met = self._meet()
        if not isinstance(met, bool):
            met = yield met
        if met is not True:
            self._meet = None

    def _pause(self, pause_s: float) -> Steps:
        if pause_s and self._as_task:
            yield asyncio.sleep(pause_s)
        elif pause_s:
            time.sleep(pause_s)

    @property
    def named(self) -> str:
        """As pages call it; the last of all is who prepares sessions, and reads them at the end."""
        return "quiet" if self.job.client == self.job.clients - 1 else f"c{self.job.client + 1}"

    def finish(self) -> None:
        """Begin no further call; from any thread."""
        self._enough = True

    def leave(self) -> None:
        """Begin no further call, and write nothing any more, whatever is answered; as above."""
        self._enough = self.left = True

    def _attempts(self, call: Call, number: int) -> Steps:
        for attempt in range(ATTEMPTS):
            if not (yield from self._attempt(call, number)) or call.f is F.CREATE:
                return  # a taken id stays taken
            if attempt >= _AT_ONCE:
                yield from self._pause(min(_WAIT_S * 2 ** (attempt - _AT_ONCE), _LONGEST_WAIT_S))
            if self._enough:
                return

    def _attempt(self, call: Call, number: int) -> Generator[Awaitable[Any], Any, bool]:
        """One call; whether it was refused with Conflict."""
        ask = self._asking(call, number)
        slot = self._journal.invoke(call.f, call.session, number, call.n, call.phase)
        self.since_ns = monotonic_ns()
        try:
            if call.f is F.PAGES:
                answer = yield from self._pages(slot, call)
            else:
                answer = ask()
                if _to_await(answer):
                    self._awaited.add(self.doing)
                    answer = _came((yield answer))
        except BaseException as error:  # noqa: BLE001 - a store may raise anything
            self.since_ns = 0
            return not self.left and self._failed(slot, call, error)
        if not self.left:
            self._answered(slot, call, answer)
        self.since_ns = 0
        return False

    def _asking(self, call: Call, number: int) -> Callable[[], Any]:
        """The call, ready to be made: its messages are built before the clock is read."""
        store, session = self._store, self.ids[call.session]
        arguments: tuple[Any, ...] = (session,)
        match call.f:
            case F.APPEND:
                name, arguments = "append", (session, self._speech.messages(number, call.n))
            case F.REPLACE:
                name, arguments = "replace", (session, self._speech.messages(number, call.n))
            case F.CREATE:
                return partial(self._create, call, number)
            case F.READ_LAST:
                name, arguments = "read_last", (session, call.n)
            case F.COUNT:
                name = self._counts[number // BATCH % len(self._counts)]
            case F.SET_STATE:
                name, arguments = "set_state", (session, key_of(call.n), number // BATCH)
            case _:
                name = _METHODS[call.f]
        self.doing = name
        # Even the lookup of the method is the store's code: it is not made here.
        return lambda: getattr(store, name)(*arguments)

    def _create(self, call: Call, number: int) -> Any:
        self.doing = "create"
        given = None if self._by_store else self.ids[call.session]
        if not call.n:
            return self._store.create(given)
        return self._store.create(given, messages=self._speech.messages(number, call.n))

    def _pages(self, slot: int, call: Call) -> Generator[Awaitable[Any], Any, list[str]]:
        """The texts of all pages; the row's times are those of the last call."""
        texts: list[str] = []
        seen: set[object] = set()
        cursor: str | int | None = None
        for _ in range(_PAGES_MOST):
            self._journal.again(slot)
            self.since_ns = monotonic_ns()
            page = self._store.page(self.ids[call.session], cursor=cursor, limit=call.n)
            if _to_await(page):
                self._awaited.add(self.doing)
                page = _came((yield page))
            cursor = next_cursor(page, texts)
            if cursor is None:
                return texts
            if cursor in seen:
                break
            seen.add(cursor)
        raise Malformed(f"the cursor {cursor!r:.100} leads back: paging never ends")

    def _answered(self, slot: int, call: Call, answer: Any) -> None:
        try:
            if call.f in (F.READ, F.READ_LAST):
                self._journal.answered(slot, texts_of(answer))
            elif call.f is F.COUNT and keeps_no_count(answer):
                self._journal.complete(slot, Type.FAIL, 0, NONE, "get answered no message_count")
            elif call.f is F.PAGES:
                self._journal.answered(slot, answer)
            else:
                length, value = self._facts(call, answer)
                self._journal.complete(slot, Type.OK, length, value)
        except Malformed as problem:
            self._unknown(slot, f"{MALFORMED}: {problem}")
        except BaseException as error:  # noqa: BLE001 - attributes of answers are the store's code
            self._unknown(slot, f"{MALFORMED}: looking at the answer raised {_told(error)[1]}")

    def _facts(self, call: Call, answer: Any) -> tuple[int, int]:
        """``length`` and ``value`` of a row; raises Malformed."""
        match call.f:
            case F.APPEND:
                return 0, first_number(answer, call.n)
            case F.CREATE:
                if not isinstance(answer, str):
                    raise Malformed(f"create answered {kind(answer)}, expected a string")
                self.ids[call.session] = str.__str__(answer)
                return 0, NONE
            case F.COUNT:
                return counted(answer, self.doing, tokens=self._speech.counted)
            case _:
                return 0, NONE  # nothing is promised of what these answer

    def _failed(self, slot: int, call: Call, error: BaseException) -> bool:
        """Write down how the call failed; whether with Conflict."""
        sort = type(error)
        if sort is Malformed:  # ours: no store's code knows it
            self._unknown(slot, f"{MALFORMED}: {error}")
            return False
        outcome, text = _told(error)
        self._note_frame(text, outcome)
        if issubclass(sort, NotFound):
            ending = Type.OK if call.f in _READS else Type.FAIL
            self._journal.complete(slot, ending, MISSING, NONE, text)
        elif outcome.type == "fail":
            self._journal.complete(slot, Type.FAIL, 0, NONE, text)
        else:
            self._unknown(slot, text)
        if outcome.failure is not None and outcome.failure.type == CRASH:
            self.stopped = outcome
        return issubclass(sort, Conflict)

    def _note_frame(self, text: str, outcome: Outcome) -> None:
        at = outcome.failure.evidence.get(AT) if outcome.failure is not None else None
        if at is not None and len(self._frames) < _FRAMES_MOST:
            self._frames.setdefault(text, at)

    def _unknown(self, slot: int, text: str) -> None:
        """Nobody knows what came of the call: the client goes on as another one."""
        self._journal.complete(slot, Type.INFO, 0, NONE, " ".join(text.split())[:_SAID])
        self._number += self.job.clients
        self._journal.renew(self._number)


_METHODS = {F.READ: "read", F.PAGES: "page", F.DELETE: "delete", F.CLEAR: "clear"}


class _Raised:
    """Says that what was awaited raised: some exceptions cannot be thrown into a generator."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _came(value: Any) -> Any:
    if type(value) is _Raised:
        raise value.error
    return value


def _to_await(value: Any) -> bool:
    try:
        return isawaitable(value)
    except BaseException:  # noqa: BLE001 - an answer's attributes are the store's code
        return False


def run(client: Client, wait: Callable[[Awaitable[Any]], Any]) -> None:
    """Have a client work in this thread; ``wait`` runs an awaitable to its end."""
    steps, came = client.work(), None
    with suppress(StopIteration):
        while True:
            asked = steps.send(came)
            try:
                came = wait(asked)
            except BaseException as error:  # noqa: BLE001 - the client writes down how it ended
                came = _Raised(error)


async def run_as_task(client: Client) -> None:
    """Have a client work in this task; others have their turn after each call."""
    steps, came = client.work(), None
    with suppress(StopIteration):
        while True:
            asked = steps.send(came)
            try:
                came = await asked
            except BaseException as error:  # as above
                if client.left:
                    raise  # the loop that hung is given up
                came = _Raised(error)


def _told(error: BaseException) -> tuple[Outcome, str]:
    outcome = outcome_of(error)
    failure = outcome.failure
    return outcome, "" if failure is None else failure.line[:_SAID]
