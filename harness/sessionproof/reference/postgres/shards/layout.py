"""Which servers a store is spread over, and which of them a session belongs to.

Every server has the whole layout in a row of its own. Its ``epoch`` rises with every change; a
handle that knows an older one is told so by the server that it asks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sessionproof.contract.addresses import shown
from sessionproof.contract.errors import Refused
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.postgres.statements import change, fetch

_READ = "SELECT epoch, own, store, addresses, servers, before FROM layout"
_EPOCH = "SELECT epoch FROM layout"
TOGETHER = "SELECT pg_advisory_xact_lock_shared('layout'::regclass::oid::bigint)"
"""Within a transaction: the layout of the server stays what it is; many hold this at once."""

_ALONE = "SELECT pg_advisory_xact_lock('layout'::regclass::oid::bigint)"
_PUT = (
    "INSERT INTO layout (one, epoch, own, store, addresses, servers, before) "
    "VALUES (1, %s, %s, %s, %s, %s, %s) ON CONFLICT (one) DO UPDATE SET "
    "epoch = excluded.epoch, own = excluded.own, store = excluded.store, "
    "addresses = excluded.addresses, servers = excluded.servers, before = excluded.before"
)
_FORGET = (
    "DELETE FROM arrivals", "DELETE FROM departures", "DELETE FROM arriving_sessions",
    "DELETE FROM arriving_messages", "DELETE FROM arriving_state", "DELETE FROM arriving_snapshots",
)  # fmt: skip
_HOLDS = "SELECT EXISTS (SELECT FROM sessions) OR EXISTS (SELECT FROM snapshots)"


@dataclass(frozen=True, slots=True)
class Layout:
    """The servers by name, those before a change that is under way, and the addresses of all.

    ``store`` is the same on all servers of one store, and on no other.
    """

    epoch: int
    store: str
    addresses: Mapping[str, str]
    servers: tuple[str, ...]
    before: tuple[str, ...] | None = None

    @property
    def keeper(self) -> str:
        """Where a change is decided: all others follow what this server has."""
        return (self.before or self.servers)[0]

    @property
    def all(self) -> tuple[str, ...]:
        """The servers of now and of before, each once, the keeper first."""
        return tuple(dict.fromkeys((*(self.before or ()), *self.servers)))

    @property
    def waves(self) -> tuple[tuple[str, ...], ...]:
        """All servers in the order in which none of their sessions is missed: they move one way."""
        if self.before is None:
            return (self.servers,)
        new = tuple(name for name in self.servers if name not in self.before)
        if new:
            return (self.before, new)
        return (tuple(name for name in self.before if name not in self.servers), self.servers)

    def home(self, key: bytes) -> str:
        """The server that the session of this key belongs to."""
        return home_of(key, self.servers)

    def source(self, key: bytes) -> str | None:
        """The server that it may still have to leave; None where it stays."""
        if self.before is None:
            return None
        was = home_of(key, self.before)
        return None if was == self.home(key) else was

    def with_server(self, url: str) -> tuple[str, Layout]:
        """The name of one more server, which no server ever had, and the layout with it."""
        name = f"s{self.epoch + 1}"
        changed = replace(
            self,
            epoch=self.epoch + 1,
            addresses={**self.addresses, name: shown(url)},
            servers=(*self.servers, name),
            before=self.servers,
        )
        return name, changed

    def without_server(self, name: str) -> Layout:
        """The layout in which this server has nothing."""
        rest = tuple(one for one in self.servers if one != name)
        return replace(self, epoch=self.epoch + 1, servers=rest, before=self.servers)

    def settled(self) -> Layout:
        """The layout after its change."""
        addresses = {name: self.addresses[name] for name in self.servers}
        return replace(self, epoch=self.epoch + 1, addresses=addresses, before=None)


def first_layout(urls: Sequence[str]) -> Layout:
    """The layout of new servers.

    The epoch begins at their number, so the number of a later one is not among theirs.
    """
    names = tuple(f"s{number}" for number, _ in enumerate(urls, 1))
    addresses = {name: shown(url) for name, url in zip(names, urls, strict=True)}
    return Layout(len(names), secrets.token_hex(8), addresses, names)


def home_of(key: bytes, servers: Sequence[str]) -> str:
    """The server of the highest score, as ``home_of`` in SQL."""
    return max(servers, key=lambda name: hashlib.sha256(name.encode() + key).digest())


def read(db: Connection) -> tuple[str, Layout] | None:
    """The server's own name and the layout that it has; None where it has none."""
    found = fetch(db, _READ, ())
    if not found:
        return None
    epoch, own, store, addresses, servers, before = found[0]
    was = None if before is None else tuple(json.loads(before))
    return own, Layout(epoch, store, json.loads(addresses), tuple(json.loads(servers)), was)


def epoch_of(db: Connection) -> int:
    """The epoch that the server has; 0 where it has no layout."""
    found = fetch(db, _EPOCH, ())
    return int(found[0][0]) if found else 0


def write(db: Connection, own: str, layout: Layout, *, wanted: Callable[[int], bool]) -> bool:
    """Write the layout down where the epoch that is there is ``wanted``; whether it was.

    What was noted of an earlier change is forgotten.
    """
    with transaction(db):
        change(db, "SET LOCAL synchronous_commit = on", ())
        fetch(db, _ALONE, ())
        if not wanted(epoch_of(db)):
            return False
        change(db, _PUT, (layout.epoch, own, *_texts(layout)))
        for sql in _FORGET:
            change(db, sql, ())
    return True


def require_empty(db: Connection, where: str) -> None:
    """Raise ``Refused`` where the server already holds sessions of this store."""
    if fetch(db, _HOLDS, ())[0][0]:
        raise Refused(
            f"{where} holds sessions already: open that server alone, then add empty ones to it"
        )


def _texts(layout: Layout) -> tuple[Any, ...]:
    before = None if layout.before is None else json.dumps(layout.before)
    return layout.store, json.dumps(dict(layout.addresses)), json.dumps(layout.servers), before
