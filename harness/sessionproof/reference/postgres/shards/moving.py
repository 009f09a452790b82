"""A server more, or one less: the layout is changed, then what belongs elsewhere is moved there.

Sessions are used meanwhile. Whoever begins again after a crash goes on where it was, and so does
everybody who uses a session: he moves it first. Only when nothing is left does the change end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sessionproof.contract.addresses import is_address, shown
from sessionproof.contract.errors import Conflict, Indefinite, Refused
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.layout import Layout, read, require_empty
from sessionproof.reference.postgres.shards.routing import TRIES, complete, everywhere, moved
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.shards.settling import OtherLayout
from sessionproof.reference.postgres.statements import fetch, key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

Told = Callable[[int], None]
"""Is told how many sessions were moved so far by one of the threads."""

_SOME = 500
_MISPLACED = (
    "SELECT s.id, s.session_id FROM sessions AS s, layout AS l WHERE s.id > %s "
    "AND home_of(text_key(s.session_id), l.servers) <> l.own ORDER BY s.id LIMIT %s"
)
_MISPLACED_SNAPSHOTS = (
    "SELECT DISTINCT s.session_id FROM snapshots AS s, layout AS l "
    "WHERE home_of(text_key(s.session_id), l.servers) <> l.own LIMIT %s"
)
_COUNTED = (
    "SELECT count(s.id), coalesce(sum(s.message_count), 0), count(s.id) FILTER "
    "(WHERE home_of(text_key(s.session_id), l.servers) <> l.own) "
    "FROM layout AS l LEFT JOIN sessions AS s ON true"
)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server: what it holds, and how many of its sessions belong elsewhere by now."""

    name: str
    address: str
    sessions: int
    messages: int
    to_move: int


@dataclass(frozen=True, slots=True)
class Status:
    """All servers; ``changing`` while sessions are on their way."""

    epoch: int
    changing: bool
    servers: tuple[ServerStatus, ...]


def silent(_number: int) -> None:
    """Hear of it, and do nothing."""


def add_server(servers: Servers, store: PostgresStore, told: Told) -> int:
    """Spread the store over one more server, which is empty; how many sessions were moved.

    To add one again goes on with what is under way. Raises ``Refused``.
    """
    layout = servers.learn()
    try:
        new = _new_server(layout, store)
    except BaseException:
        store.close()
        raise
    if new is None:
        store.close()
        return finish(servers, told)
    name, changed = new
    try:
        _decide(servers, layout, changed)
    except BaseException:
        store.close()
        raise
    servers.add(name, store)
    return finish(servers, told)


def _new_server(layout: Layout, store: PostgresStore) -> tuple[str, Layout] | None:
    """The name of a server that may be added, and the layout with it; None where it is in there."""
    known = store._read(read)
    if known is not None and known[1].store != layout.store:
        raise Refused(f"{store.where} is a server of another store: name an empty one")
    if known is not None and known[0] in layout.servers:
        return None
    _require_rest(layout)
    store._read(partial(require_empty, where=store.where))
    return layout.with_server(store.url)


def remove_server(servers: Servers, server: str, told: Told) -> int:
    """Move all that is on a server, told by its name or address, to the others; how many sessions.

    To remove one again that was on its way goes on with it. Raises ``Refused``.
    """
    layout = servers.learn()
    meant = shown(server) if is_address(server) else server
    name = next((one for one in layout.all if meant in (one, layout.addresses.get(one))), None)
    if name is None:
        raise Refused(
            f"{meant} is no server of this store: name one of "
            f"{', '.join(f'{one} ({url})' for one, url in layout.addresses.items())}"
        )
    if name not in layout.servers:
        return finish(servers, told)
    _require_rest(layout)
    if len(layout.servers) == 1:
        raise Refused(f"{name} is the only server of this store: add another one first")
    _decide(servers, layout, layout.without_server(name))
    return finish(servers, told)


def finish(servers: Servers, told: Told) -> int:
    """Carry a change that is under way to its end; how many sessions were moved by us."""
    number = 0
    for _ in range(TRIES):
        layout = servers.learn()
        if layout.before is None:
            return number
        _require_told(servers, layout)
        try:
            done = at_once(
                {name: partial(_moved_from, servers, layout, name, told) for name in layout.before}
            )
            number += sum(done.values())
            complete(servers, layout)
        except (OtherLayout, Conflict, Indefinite):  # another mover, or a connection that was lost
            continue
        if any(_left_on(servers, layout, name) for name in layout.before):
            continue
        after = layout.settled()
        if servers.decide(after, layout.keeper, since=layout.epoch):
            servers.tell(after, layout.all)
    raise Refused("the change could not be brought to its end: try again")


def status(servers: Servers) -> Status:
    """What lies where."""
    layout = servers.learn()
    found = everywhere(servers, lambda server: server._read(_counted))
    return Status(
        layout.epoch,
        layout.before is not None,
        tuple(
            ServerStatus(name, layout.addresses.get(name, ""), *numbers)
            for name, numbers in sorted(found.items())
        ),
    )


def _decide(servers: Servers, layout: Layout, changed: Layout) -> None:
    """Make this the next layout. Raises ``Refused`` where somebody else was faster."""
    _require_told(servers, layout)
    if not servers.decide(changed, layout.keeper, since=layout.epoch):
        raise Refused("somebody else is changing the servers of this store: try again")


def _require_rest(layout: Layout) -> None:
    if layout.before is not None:
        raise Refused(
            "the servers of this store are being changed: bring that to its end first, with "
            "sessionproof shards finish"
        )


def _require_told(servers: Servers, layout: Layout) -> None:
    """Let every server have heard of the layout; raises the contract's errors where one has not.

    One that has not does not know what is to leave it, and would keep it.
    """
    for name in layout.all:
        servers.tell_one(layout, name)


def _moved_from(servers: Servers, layout: Layout, name: str, told: Told) -> int:
    """Move all that does not belong to this server; how many sessions."""
    number = 0
    for session_id in _misplaced(servers, layout, name):
        if moved(servers, layout, name, key_of(session_id), session_id):
            number += 1
            told(number)
    return number


def _misplaced(servers: Servers, layout: Layout, name: str) -> Iterator[str]:
    store = servers.at(name, layout)
    last = 0
    while found := store._read(partial(fetch, sql=_MISPLACED, values=(last, _SOME))):
        yield from (session_id for _, session_id in found)
        last = found[-1][0]
    while rows := store._read(partial(fetch, sql=_MISPLACED_SNAPSHOTS, values=(_SOME,))):
        yield from (session_id for (session_id,) in rows)


def _left_on(servers: Servers, layout: Layout, name: str) -> bool:
    return next(_misplaced(servers, layout, name), None) is not None


def _counted(db: Connection) -> tuple[int, int, int]:
    sessions, messages, to_move = fetch(db, _COUNTED, ())[0]
    return sessions, int(messages), to_move
