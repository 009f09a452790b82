"""Moves that stop between two steps, and stores whose moves are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.reference.postgres.store import PostgresStore


class Stopped(BaseException):
    """What moves ends here, as a process that is killed: nobody handles it."""


class Stops:
    """Lets the writes to a server through, up to one, before or after which it does something."""

    def __init__(self, store: PostgresStore, number: int, *, after: bool, act: Callable[[], None]):
        self._store, self._write_to, self._left = store, store._write, number
        self._after, self._act = after, act
        store._write = self._counted  # type: ignore[method-assign]

    def _counted(self, work: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._act()
        answer = self._write_to(work)
        if self._left == 0 and self._after:
            self._act()
        return answer

    def over(self) -> None:
        """Let all writes through from now on."""
        self._store._write = self._write_to  # type: ignore[method-assign]


def stop() -> None:
    """Be killed."""
    raise Stopped


def target_of(store: ShardedStore) -> PostgresStore:
    """The server that is being added."""
    layout = store._servers.layout
    assert layout.before is not None
    (name,) = {*layout.servers} - {*layout.before}
    return store._servers.at(name, layout)
