"""What is about all servers at once: lists, sweeps, models, health, verify, upkeep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sessionproof.contract.errors import StoreError
from sessionproof.contract.health import Health, HealthCheck
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.upkeep import Verified
from sessionproof.reference.arguments import short
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.layout import Layout, read
from sessionproof.reference.postgres.shards.routing import everywhere, on_home
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.statements import fetch, key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_SOME = 10
_ELSEWHERE = (
    "SELECT s.session_id FROM {table} AS s, layout AS l "
    "WHERE home_of(text_key(s.session_id), l.servers) <> l.own "
    "AND coalesce(home_of(text_key(s.session_id), l.before) <> l.own, true) LIMIT %s"
)
_TO_MOVE = (
    "SELECT s.session_id FROM sessions AS s, layout AS l "
    "WHERE home_of(text_key(s.session_id), l.servers) <> l.own"
)
_THERE = "SELECT session_id FROM sessions WHERE text_key(session_id) = %s"


def listed(servers: Servers) -> list[str]:
    """The ids of all sessions."""
    answers = everywhere(servers, lambda server: server.list())
    return [*dict.fromkeys(name for names in answers.values() for name in names)]


def swept(servers: Servers) -> Swept:
    """One sweep on each server; what any of them told is told, also where it was done anew."""
    told: list[Swept] = []

    def sweep(server: PostgresStore) -> None:
        told.append(server.sweep())

    everywhere(servers, sweep)
    return Swept(
        warned=tuple(name for one in told for name in one.warned),
        expired=tuple(name for one in told for name in one.expired),
    )


def healthy(servers: Servers) -> Health:
    """The checks of all servers, each with its server's name before it, and one of the layout."""
    layout = servers.learn()
    found = at_once({name: partial(_health, servers, layout, name) for name in layout.all})
    changing = layout.before is not None
    text = (
        "sessions are being moved: sessionproof shards finish brings that to its end"
        if changing
        else f"{len(layout.servers)} servers, nothing is being moved"
    )
    own = HealthCheck("layout", "warning" if changing else "ok", text)
    return Health(
        (own, *(HealthCheck(f"{name}: {one.name}", one.severity, one.text)
                for name in layout.all for one in found[name].checks))
    )  # fmt: skip


def verified(servers: Servers, session_id: str | None) -> Verified:
    """What each server finds, and whether each session is on its server and on no other."""
    if session_id is not None:
        return Verified(
            on_home(
                servers, session_id, lambda server: server.verify(session_id).problems, asks=True
            )
        )
    layout = servers.learn()
    answers = everywhere(servers, lambda server: (server.verify(), server._read(_misplaced)))
    problems = [
        f"{name}: {problem}"
        for name, (found, elsewhere) in answers.items()
        for problem in (*found.problems, *elsewhere)
    ]
    return Verified((*problems, *_layouts(servers, layout), *_twice(servers, layout)))


def maintained(servers: Servers) -> list[str]:
    """What was done, on which server."""
    answers = everywhere(servers, lambda server: server.maintain())
    return [f"{name}: {one}" for name, done in answers.items() for one in done]


def _health(servers: Servers, layout: Layout, name: str) -> Health:
    try:
        return servers.at(name, layout).health()
    except StoreError as error:  # it was never reached
        return Health((HealthCheck("server", "critical", str(error)),))


def _misplaced(db: Connection) -> list[str]:
    return [
        f"{what} {short(session_id)} belongs to another server"
        for table, what in (("sessions", "session"), ("snapshots", "a snapshot of session"))
        for (session_id,) in fetch(db, _ELSEWHERE.format(table=table), (_SOME,))
    ]


def _layouts(servers: Servers, layout: Layout) -> list[str]:
    """Servers whose layout is not the one that all should have."""
    known = {name: servers.at(name, layout)._read(read) for name in layout.all}
    return [
        f"{name}: it has another layout than the other servers"
        for name, one in known.items()
        if one != (name, layout) and servers.learn() == layout
    ]


def _twice(servers: Servers, layout: Layout) -> list[str]:
    """Sessions that are where they go to and, after that, still where they were.

    In one layout they go one way; what was found while it became another one says nothing.
    """
    if layout.before is None:
        return []
    problems = []
    for name in layout.before:
        was = servers.at(name, layout)
        for (session_id,) in was._read(partial(fetch, sql=_TO_MOVE, values=())):
            key = key_of(session_id)
            there = partial(fetch, sql=_THERE, values=(key,))
            if servers.at(layout.home(key), layout)._read(there) and was._read(there):
                problems.append(f"session {short(session_id)} is on two servers")
    return problems if problems and servers.learn() == layout else []
