"""Which server is asked, also while the layout changes and by who has not heard of it.

A server that has the session is right, whatever layout we know of. One that has not may be the
wrong one: then it is asked which layout it knows, after that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sessionproof.contract.errors import Conflict, Indefinite, NotFound, NotRepresentable, Refused
from sessionproof.contract.message import Page
from sessionproof.reference.codec import checked_text
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.layout import Layout, epoch_of
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.shards.settling import OtherLayout, arriving, settle
from sessionproof.reference.postgres.statements import key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

T = TypeVar("T")

TRIES = 12
"""How often an operation is begun while the servers of a store change."""

_ELSEWHERE = "SP003"
_PAUSE_S = 0.002


def on_home(
    servers: Servers, session_id: str, work: Callable[[PostgresStore], T], *, asks: bool
) -> T:
    """What ``work`` answers on the server of the session.

    With ``asks`` an empty answer may be that of a server which has not got the session; else
    ``work`` makes the session, or raises ``NotFound``.
    """
    name = checked_text(session_id, "session_id")
    try:
        key = key_of(name)
    except UnicodeEncodeError:
        raise NotRepresentable("PostgreSQL takes no lone surrogates; nothing was stored") from None
    for attempt in range(TRIES):
        layout = servers.layout
        home = layout.home(key)
        if settled(servers, layout, key, name):
            try:
                answer = work(servers.at(home, layout))
            except Refused as error:
                if not _may_be_elsewhere(error) or not _is_other(servers, home, layout, error):
                    raise
            else:
                if not (asks and is_empty(answer) and servers.has_other(home, layout)):
                    return answer
        else:
            time.sleep(_PAUSE_S * attempt)
        servers.learn()
    raise _changing()


def everywhere(servers: Servers, work: Callable[[PostgresStore], T]) -> dict[str, T]:
    """What ``work`` answers on each server, by its name, so that no session is missed.

    One that moves meanwhile may be met twice. It is done anew where the layout has changed.
    """
    for _ in range(TRIES):
        layout = servers.layout
        found: dict[str, tuple[T, int]] = {}
        try:
            for number, wave in enumerate(layout.waves):
                if number:
                    complete(servers, layout)
                found |= at_once(
                    {name: partial(_asked, servers.at(name, layout), work) for name in wave}
                )
        except OtherLayout:
            servers.learn()
            continue
        if all(epoch == layout.epoch for _, epoch in found.values()):
            return {name: answer for name, (answer, _) in found.items()}
        servers.learn()
    raise _changing()


def complete(servers: Servers, layout: Layout) -> None:
    """Let all that has left its server arrive; raises ``OtherLayout``."""
    for name in layout.servers:
        for key, session_id in servers.at(name, layout)._read(arriving):
            source = layout.source(key)
            if source is not None:
                moved(servers, layout, source, key, session_id)


def settled(servers: Servers, layout: Layout, key: bytes, session_id: str) -> bool:
    """Whether nothing of the session is left to move; False where it is to be tried again."""
    source = layout.source(key)
    if source is None or servers.is_settled(layout, key):
        return True
    try:
        moved(servers, layout, source, key, session_id)
    except (OtherLayout, Conflict, Indefinite):  # of the move: nothing else was begun
        return False
    servers.note_settled(layout, key)
    return True


def moved(servers: Servers, layout: Layout, source: str, key: bytes, session_id: str) -> bool:
    """Let the session be where it belongs; whether it was moved by us. Raises as ``settle``."""
    target = servers.at(layout.home(key), layout)
    return settle(servers.at(source, layout), target, key, session_id, layout)


def is_empty(answer: Any) -> bool:
    """Whether a server that has not got the session would answer this, too."""
    return not (answer.messages if isinstance(answer, Page) else answer)


def _asked(server: PostgresStore, work: Callable[[PostgresStore], T]) -> tuple[T, int]:
    """The answer, and the epoch that the server knew after that."""
    return work(server), server._read(epoch_of)


def _may_be_elsewhere(error: Refused) -> bool:
    return isinstance(error, NotFound) or _is_fenced(error)


def _is_other(servers: Servers, home: str, layout: Layout, error: Refused) -> bool:
    """Whether to begin again: the server knows another layout, or does not know it as settled."""
    return _is_fenced(error) or servers.has_other(home, layout)


def _is_fenced(error: Refused) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == _ELSEWHERE


def _changing() -> Conflict:
    return Conflict("the servers of this store are being changed; nothing was stored, try again")
