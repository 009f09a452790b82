"""The reference store spread over several PostgreSQL servers; ``docs/sharding.md`` has the whole.

What is about one session goes to its server alone. What is about all goes to all of them at once.
"""

from __future__ import annotations

import builtins
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial, wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar, cast

import sessionproof
from sessionproof.contract.clock import Clock
from sessionproof.contract.health import Health
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.contract.upkeep import Verified
from sessionproof.reference.claimed import Durability, claimed_by_handle
from sessionproof.reference.codec import checked_text
from sessionproof.reference.postgres import lifetime, statements
from sessionproof.reference.postgres.searching import Order
from sessionproof.reference.postgres.shards import finding, moments, moving, together
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.claimed import CLAIMS
from sessionproof.reference.postgres.shards.routing import everywhere, on_home
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.store import PostgresStore
from sessionproof.reference.timeouts import Timeouts

P = ParamSpec("P")
T = TypeVar("T")


def _asked(
    method: Callable[Concatenate[PostgresStore, str, P], T],
) -> Callable[Concatenate[ShardedStore, str, P], T]:
    """The method, carried out by the server of its session; it answers nothing for an unknown."""
    return _routed(method, asks=True)


def _told(
    method: Callable[Concatenate[PostgresStore, str, P], T],
) -> Callable[Concatenate[ShardedStore, str, P], T]:
    """The method, carried out by the server of its session; it makes an unknown, or refuses it."""
    return _routed(method, asks=False)


def _routed(
    method: Callable[Concatenate[PostgresStore, str, P], T], *, asks: bool
) -> Callable[Concatenate[ShardedStore, str, P], T]:
    def call(store: ShardedStore, /, session_id: str, *given: P.args, **named: P.kwargs) -> T:
        return on_home(
            store._servers,
            session_id,
            lambda server: method(server, session_id, *given, **named),
            asks=asks,
        )

    return cast("Callable[Concatenate[ShardedStore, str, P], T]", wraps(method)(call))


class ShardedStore:
    """Chat sessions on one or more PostgreSQL servers, in a schema of the same name on each.

    ``urls`` are the addresses of the servers; those that were added since are found by themselves.
    All else is as with ``PostgresStore``, which serves each of them. There is no ``transact`` over
    several sessions, and no backup of all servers at one moment.
    """

    claims = CLAIMS
    version = sessionproof.__version__

    def __init__(
        self,
        location: Location | os.PathLike[str] | str | None = None,
        *,
        urls: Sequence[str],
        schema: str | None = None,
        preset: str = "web",
        durability: Durability = "power",
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        snapshots_before: Collection[str] = (),
    ) -> None:
        if not urls:
            raise ValueError("urls must name at least one server")

        def opened(url: str) -> PostgresStore:
            return PostgresStore(
                location,
                url=url,
                schema=schema,
                preset=preset,
                durability=durability,
                clock=clock,
                timeouts=timeouts,
                snapshots_before=snapshots_before,
            )

        with ExitStack() as failed:

            def closed_at_failure(url: str) -> PostgresStore:
                store = opened(url)
                failed.callback(store.close)
                return store

            stores = at_once({url: partial(closed_at_failure, url) for url in urls})
            self._servers = Servers([*stores.values()], opened)
            failed.pop_all()
        self._opened = opened
        self.claims = claimed_by_handle(self.claims, durability, timeouts)

    def __enter__(self) -> ShardedStore:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection to every server; a second time does nothing."""
        self._servers.close()

    @property
    def ended(self) -> str | None:
        """Why the handle takes no operations any more; None while it does."""
        return self._servers.ended

    # Messages

    append = _told(PostgresStore.append)
    read = _asked(PostgresStore.read)
    read_last = _asked(PostgresStore.read_last)
    page = _asked(PostgresStore.page)
    count = _asked(PostgresStore.count)
    pop_last = _asked(PostgresStore.pop_last)
    delete_message = _told(PostgresStore.delete_message)
    edit_message = _told(PostgresStore.edit_message)

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all; as on one server."""
        if not messages:  # which makes no session
            self.clear(session_id)
            return
        on_home(
            self._servers,
            session_id,
            lambda server: server.replace(session_id, messages),
            asks=False,
        )

    def clear(self, session_id: str) -> None:
        """Remove all messages; numbers go on, state stays. No error for an unknown session."""
        name = checked_text(session_id, "session_id")
        on_home(
            self._servers,
            name,
            lambda server: server._write(lambda db: statements.clear(db, name)),
            asks=True,
        )

    # Sessions

    get = _asked(PostgresStore.get)
    update = _told(PostgresStore.update)
    _create = _told(PostgresStore.create)

    def create(
        self,
        session_id: str | None = None,
        *,
        messages: Sequence[Message] = (),
        owner: str | None = None,
        title: str | None = None,
        llm_model: str | None = None,
        metadata: Mapping[str, Json] | None = None,
    ) -> str:
        """Make a session with its first messages; as on one server."""
        return self._create(
            secrets.token_hex(16) if session_id is None else session_id,
            messages=messages,
            owner=owner,
            title=title,
            llm_model=llm_model,
            metadata=metadata,
        )

    def list(self) -> builtins.list[str]:
        """The ids of all sessions, on all servers."""
        return together.listed(self._servers)

    def delete(self, session_id: str) -> None:
        """Remove the session with all that belongs to it; as on one server."""
        on_home(
            self._servers,
            session_id,
            lambda server: lifetime.deleted(server, session_id),
            asks=True,
        )

    # State, and the models that sessions name

    get_state = _asked(PostgresStore.get_state)
    set_state = _told(PostgresStore.set_state)
    append_with_state = _told(PostgresStore.append_with_state)
    set_llm_model = _told(PostgresStore.set_llm_model)

    def add_llm_model(self, name: str) -> None:
        """Make an LLM's model known on all servers; one that is known stays as it is."""
        everywhere(self._servers, lambda server: server.add_llm_model(name))

    def delete_llm_model(self, name: str) -> None:
        """Forget a model, known or not; raises ``Refused`` while sessions on any server name it."""
        everywhere(self._servers, lambda server: server.delete_llm_model(name))

    # How a session ends

    set_limits = _told(PostgresStore.set_limits)
    touch = _told(PostgresStore.touch)
    set_status = _told(PostgresStore.set_status)

    def sweep(self) -> Swept:
        """Warn of the sessions that will soon expire, and expire those that are due, everywhere."""
        return together.swept(self._servers)

    # How it was, and where words are

    snapshot = _told(PostgresStore.snapshot)

    def snapshots(self, session_id: str | None = None) -> builtins.list[SnapshotInfo]:
        """The snapshots of a session, also of one that is gone, or all; newest first."""
        return moments.listed(self._servers, session_id)

    def restore_snapshot(
        self, snapshot_id: str, *, session_id: str | None = None, replace: bool = False
    ) -> str:
        """Make the session as it was, under its own id or another one; as on one server."""
        return moments.restored(self._servers, snapshot_id, session_id=session_id, replace=replace)

    def remove_snapshot(self, snapshot_id: str) -> None:
        """Remove a snapshot for good; raises ``NotFound``."""
        moments.removed(self._servers, snapshot_id)

    def search(
        self,
        query: str,
        *,
        limit: int = 100,
        session_id: str | None = None,
        owner: str | None = None,
        llm_model: str | None = None,
        role: str | None = None,
        after_us: int | None = None,
        before_us: int | None = None,
        order: Order = "newest",
    ) -> builtins.list[Hit]:
        """Messages by their words, on all servers, as on one; newest by the time of their append.

        The best are those of the best of each server.
        """
        return finding.searched(
            self._servers,
            query,
            limit=limit,
            session_id=session_id,
            owner=owner,
            llm_model=llm_model,
            role=role,
            after_us=after_us,
            before_us=before_us,
            order=order,
        )

    def search_sessions(
        self, query: str, *, limit: int = 100, owner: str | None = None
    ) -> builtins.list[SessionInfo]:
        """Sessions whose title has all words of a user's text, those last active first."""
        return finding.searched_sessions(self._servers, query, limit=limit, owner=owner)

    # The store as a whole

    def health(self) -> Health:
        """The checks of every server, and one of how sessions are spread over them."""
        return together.healthy(self._servers)

    def verify(self, session_id: str | None = None) -> Verified:
        """Check all data, or one session's; also that each is on its server, and on one only."""
        return together.verified(self._servers, session_id)

    def maintain(self) -> builtins.list[str]:
        """Do what is due on each server; answers what was done where."""
        return together.maintained(self._servers)

    # Its servers

    def add_server(self, url: str, *, told: moving.Told = moving.silent) -> int:
        """Spread the store over one more server, an empty one; how many sessions were moved.

        Others use the store meanwhile. After a crash, the same call goes on where it was, as does
        ``finish_change``. ``told`` hears how many were moved, from several threads.
        """
        return moving.add_server(self._servers, self._opened(url), told)

    def remove_server(self, server: str, *, told: moving.Told = moving.silent) -> int:
        """Move all that is on a server, told by name or address, to the others; how many."""
        return moving.remove_server(self._servers, server, told)

    def finish_change(self, *, told: moving.Told = moving.silent) -> int:
        """Bring a change of the servers that is under way to its end; how many were moved."""
        return moving.finish(self._servers, told)

    def servers(self) -> moving.Status:
        """The servers, and what lies on each."""
        return moving.status(self._servers)
