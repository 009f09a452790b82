"""One client that opens a location at a given moment and appends at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Conflict
from sessionproof.contract.frames import AT
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.guard import outcome_of

_CONFLICT_S = 5.0  # in which a Conflict is tried again
_WAIT_S = 0.002
_SPIN_S = 0.001


class Deed(NamedTuple):
    """One call: its method, the session, when it began and ended, what it raised and where."""

    call: str
    session: str
    began: int
    ended: int
    raised: str = ""
    at: str = ""


@dataclass(frozen=True)
class Visit:
    """``begin_ns``: when to open. ``sessions``: to append one of ``messages`` to each, in order.

    ``creates`` says that each session is made first; None for one that the store names.
    """

    begin_ns: int
    sessions: Sequence[str | None]
    messages: Sequence[Message]
    creates: bool = False


def visited(opening: Callable[[Location], Any], location: Location, visit: Visit) -> list[Deed]:
    """What came of it, up to the first call that raised; the store is closed then."""
    with asyncio.Runner() as runner:

        def wait(value: Any) -> Any:
            return waited(value, lambda awaitable: runner.run(settled(awaitable)))

        _meet(visit.begin_ns)
        deeds: list[Deed] = []
        store = _done(deeds, "open", "", lambda: wait(opening(location)))
        if store is not None:
            _appended(deeds, store, wait, visit)
            with contextlib.suppress(Exception):  # closing is judged elsewhere
                wait(store.close())
        return deeds


def _meet(begin_ns: int) -> None:
    """Return at this moment; a sleep would end later, and for each of them at another time."""
    left_s = (begin_ns - monotonic_ns()) / 1e9
    if left_s > _SPIN_S:
        time.sleep(left_s - _SPIN_S)
    while monotonic_ns() < begin_ns:
        time.sleep(0)  # lets other threads of this process look, too


def _appended(deeds: list[Deed], store: Any, wait: Callable[[Any], Any], visit: Visit) -> None:
    for given, message in zip(visit.sessions, visit.messages, strict=True):
        session = given
        if visit.creates:
            session = _done(deeds, "create", given or "", partial(_create, store, wait, given))
        if session is None:
            return
        _done(deeds, "append", session, partial(_append, store, wait, session, message))
        if deeds[-1].raised:
            return


def _create(store: Any, wait: Callable[[Any], Any], given: str | None) -> Any:
    return wait(store.create(given))


def _append(store: Any, wait: Callable[[Any], Any], session: str, message: Message) -> None:
    until = monotonic_s() + _CONFLICT_S
    while True:
        try:
            wait(store.append(session, [message]))
        except Conflict:
            if monotonic_s() > until:
                raise
            time.sleep(_WAIT_S)
        else:
            return


def _done(deeds: list[Deed], call: str, session: str, action: Callable[[], Any]) -> Any:
    """What the action answered, None when it raised."""
    began = monotonic_ns()
    try:
        answer = action()
    except BaseException as error:  # noqa: BLE001 - a store may raise anything
        ended = monotonic_ns()
        failure = outcome_of(error).failure
        raised = failure.line[:300] if failure else "it failed"
        at = failure.evidence.get(AT, "") if failure else ""
        deeds.append(Deed(call, session, began, ended, raised, at))
        return None
    deeds.append(Deed(call, str(answer) if call == "create" else session, began, monotonic_ns()))
    return answer
