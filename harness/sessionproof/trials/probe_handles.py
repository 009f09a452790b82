"""Probing a store that declares no claims: by whom it may be open at the same time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Read
from sessionproof.host.client import HostedStore
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.sessions import needs_create

_PROBES = itertools.count(1)  # each probe has a session of its own
_WRITERS = 4  # so many at once are tried


def opened_by_many(
    handle: Handle,
    again: Callable[[], Handle],
    elsewhere: Callable[[], Handle],
    claims: Claims,
    *,
    awaits: bool,
) -> Claims:
    """The claims with who may open the location beside this handle, as a few calls show it.

    ``again`` opens it once more in this process, ``elsewhere`` in another one; both may raise
    CannotOpen. What calls in turn cannot show, such as linearizability, is assumed at the
    strongest level.
    """
    shared = awaits or _takes_other_threads(handle, claims)
    handles: Literal["one", "tasks", "threads", "processes"] = "tasks" if awaits else "one"
    if _sees_the_other(handle, again, claims):
        handles = "threads"
        if _sees_the_other(handle, elsewhere, claims):
            handles = "processes"
    elif shared and not awaits:
        handles = "threads"
    if handles == "one":
        return claims
    return replace(
        claims,
        handles=handles,
        shared_handle=shared,
        writers=_WRITERS,
        concurrent_readers=True,
        consistency="linearizable",
        isolation="strict-serializable" if "transact" in handle.capabilities else None,
    )


def _sees_the_other(handle: Handle, opening: Callable[[], Handle], claims: Claims) -> bool:
    """Whether two handles that are open at the same time see what the other has appended."""
    session = _session(handle, claims)
    try:
        other = opening()
    except CannotOpen:
        return False
    try:
        for one, another in ((handle, other), (other, handle)):
            wrote = one.invoke(Append("s", (Message("user", "probe"),)), session)
            read = another.invoke(Read("s"), session)
            if wrote.type != "ok" or read.type != "ok" or not read.value:
                return False
        return len(read.value) == 2
    finally:
        other.close()


def _takes_other_threads(handle: Handle, claims: Claims) -> bool:
    """Whether the handle's store can be called by a thread that did not open it."""
    session = _session(handle, claims)
    lent = handle.lend("a call by another thread", lambda store, _: _called(store, session))
    return lent.type == "ok" and lent.value is True


def _called(store: Any, session: str) -> bool:
    if isinstance(store, HostedStore):
        return False  # a pipe takes one call at a time
    answers: list[int] = []

    def call() -> None:
        try:
            store.append(session, [Message("user", "probe")])
            answers.append(len(store.read(session)))
        except BaseException:  # noqa: BLE001 - a store may raise anything; it is refused then
            answers.append(0)

    thread = threading.Thread(target=call, name="probe", daemon=True)
    thread.start()
    thread.join()  # bound by the deadline of the handle
    return answers == [1]


def _session(handle: Handle, claims: Claims) -> str:
    name = f"probe-together-{next(_PROBES)}"
    if not needs_create(claims, handle.capabilities):
        return name
    made = handle.invoke(Create("s"), None if claims.session_ids == "store" else name)
    return made.value if made.type == "ok" else name
