"""The servers of one store, and the layout that a handle knows of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.founding import founded
from sessionproof.reference.postgres.shards.layout import Layout, epoch_of, read, write

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

Open: TypeAlias = "Callable[[str], PostgresStore]"
"""Opens the store on the server of this address."""


class Servers:
    """The servers by name, the layout, and what is known to be settled in it.

    ``opened`` opens further ones, at the addresses of the layout. Any number of threads may share
    it; what is read here needs no lock.
    """

    def __init__(self, stores: Sequence[PostgresStore], opened: Open) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._closed = False
        self._by_name, self.layout = founded(stores)
        self._settled = (self.layout, set[bytes]())

    def at(self, name: str, layout: Layout) -> PostgresStore:
        """The server of this name in the layout; raises ``Refused`` where it does not answer."""
        store = self._by_name.get(name)
        return store or self.add(name, self._opened(layout.addresses[name]))

    def add(self, name: str, store: PostgresStore) -> PostgresStore:
        """Know one more server; another thread may have been faster, then that is answered."""
        with self._lock:
            kept = None if self._closed else self._by_name.setdefault(name, store)
        if kept is not store:
            store.close()
        if kept is None:
            raise Refused("the store is closed")
        return kept

    def close(self) -> None:
        """Close all of them; a second time does nothing."""
        with self._lock:
            self._closed = True
            stores = list(self._by_name.values())
        for store in stores:
            store.close()

    @property
    def ended(self) -> str | None:
        """Why they take no operations any more; None while they do."""
        return next(iter(self._by_name.values())).ended

    def is_settled(self, layout: Layout, key: bytes) -> bool:
        """Whether this handle has seen that nothing of the key is left to move in the layout."""
        known, keys = self._settled
        return known is layout and key in keys

    def note_settled(self, layout: Layout, key: bytes) -> None:
        """Remember it, until the layout is learned anew."""
        known, keys = self._settled
        if known is layout:
            keys.add(key)

    def has_other(self, name: str, layout: Layout) -> bool:
        """Whether the server knows another layout than this one."""
        return self.at(name, layout)._read(epoch_of) != layout.epoch

    def learn(self) -> Layout:
        """Ask all servers for the newest layout, and tell it to those who have not heard of it.

        One that does not answer is told later: nothing is moved from it or to it before.
        """
        if self.ended:
            raise Refused(self.ended)
        known = self.layout
        found = at_once({name: partial(self._known, name, known) for name in known.all})
        newest = max((known, *found.values()), key=lambda one: one.epoch)
        up_to_date = [name for name, one in found.items() if one.epoch == newest.epoch]
        self.tell(newest, [name for name in newest.all if name not in up_to_date])
        with self._lock:
            if newest.epoch >= self.layout.epoch:
                self.layout = newest
                self._settled = (newest, set())
            return self.layout

    def tell(self, layout: Layout, names: Sequence[str]) -> None:
        """Write the layout down on those of the servers that answer and know an older one."""
        for name in names:
            with suppress(StoreError):
                self.tell_one(layout, name)

    def tell_one(self, layout: Layout, name: str) -> None:
        """Write the layout down on this server where it knows an older one."""
        if self.at(name, layout)._read(epoch_of) < layout.epoch:
            self._write(layout, name, wanted=lambda epoch: epoch < layout.epoch)

    def decide(self, layout: Layout, keeper: str, *, since: int) -> bool:
        """Make this the next layout, unless somebody else has changed it; whether it is."""
        return self._write(layout, keeper, wanted=lambda epoch: epoch == since)

    def _known(self, name: str, layout: Layout) -> Layout:
        """The layout that the server has; a very old one where it does not answer."""
        with suppress(StoreError):
            answer = self.at(name, layout)._read(read)
            if answer is not None:
                return answer[1]
        return replace(layout, epoch=0)

    def _write(self, layout: Layout, name: str, *, wanted: Callable[[int], bool]) -> bool:
        store = self.at(name, layout)
        return store._write(lambda db: write(db, name, layout, wanted=wanted))
