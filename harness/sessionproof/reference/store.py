"""The reference store: every operation of the contract, each a statement or one transaction."""

from __future__ import annotations

import builtins
import os
import secrets
import sqlite3
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import sessionproof
from sessionproof.contract.clock import Clock, SystemClock, monotonic_ns
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import (
    Json,
    Message,
    Page,
    Receipt,
    SessionInfo,
)
from sessionproof.contract.store import SqliteTables
from sessionproof.reference import (
    exchanging,
    health,
    lifetime,
    listings,
    llm_models,
    maintenance,
    opening,
    searching,
    snapshots,
    state,
    statements,
    steps,
    transacting,
    upkeep,
)
from sessionproof.reference.arguments import (
    SAME,
    Same,
    facts,
    no_message,
    no_session,
    whole,
)
from sessionproof.reference.claimed import CLAIMS, TABLES, Durability, claimed_by_handle
from sessionproof.reference.codec import (
    checked_text,
    encode,
    encode_all,
    split_id,
)
from sessionproof.reference.connections import Readers, connect, patiently
from sessionproof.reference.decoding import decode_all, decode_info, decode_names
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.grouping import Outcome, Writer
from sessionproof.reference.presets import preset_named
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.vitals.pace import SLOW_NS, Pace

T = TypeVar("T")


_SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}

_open_stores: weakref.WeakSet[ReferenceStore] = weakref.WeakSet()


class ReferenceStore:
    """Chat sessions in the file ``sessions.db`` of a directory.

    Any number of threads may share a handle, and any number of processes may open the location.
    Errors are the contract's; ``docs/reference.md`` lists them, and the presets. ``durability`` is
    what survives: a crash of the process, or a power loss as well. With ``check_digests`` a message
    that is not what was written is refused when it is read. ``docs/lifecycle.md`` has ``timeouts``
    and ``snapshots_before``.
    """

    claims = CLAIMS
    version = sessionproof.__version__

    def __init__(
        self,
        location: Location | os.PathLike[str] | str,
        *,
        preset: str = "web",
        durability: Durability = "power",
        clock: Clock | None = None,
        check_digests: bool = False,
        timeouts: Timeouts | None = None,
        snapshots_before: Collection[str] = (),
    ) -> None:
        if durability not in _SYNCHRONOUS:
            raise ValueError(f"durability must be one of power, process; got {durability!r}")
        readers = preset_named(preset)
        self.claims = claimed_by_handle(self.claims, durability, timeouts)
        self._clock = clock or SystemClock()
        self._pace = Pace(self._clock)
        self._took = self._pace.took_ns.append
        self._timeouts = timeouts
        self._snapshots_before = lifetime.checked_kinds(snapshots_before)
        self._fetch = statements.fetch_verified if check_digests else statements.fetch
        self._path = opening.prepare(Path(location).absolute(), steps.shipped(), patiently)
        connected = partial(connect, self._path, synchronous=_SYNCHRONOUS[durability])
        try:
            self._writer = Writer(lambda: patiently(partial(connected, writes=True)))
            try:
                self._writer.run(partial(opening.check, path=self._path, steps=steps.shipped()))
            except BaseException:
                self._writer.close()
                raise
        except ERRORS as error:
            raise as_store_error(error, path=self._path, writes=False) from error
        self._readers = Readers(partial(connected, writes=False), readers)
        _open_stores.add(self)

    def __enter__(self) -> ReferenceStore:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, after the operations under way; a second time does nothing."""
        self._writer.close()
        self._readers.close()

    @property
    def ended(self) -> str | None:
        """Why the handle takes no operations any more; None while it does."""
        return self._writer.ended

    # Messages

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages to the end of a session, all or none; an unknown session is created.

        An empty batch does nothing. Raises ``Refused`` for messages that are not well formed,
        ``Expired`` for a session that is paused, archived or expired, ``Conflict`` for an id
        that a message of the session has.
        """
        key = checked_text(session_id, "session_id")
        rows = encode_all(messages)
        if not rows:
            return Receipt((), ())
        return self._write(
            lambda db: statements.append(db, key, rows, self._clock.now_us(), self._timeouts)
        )

    def read(self, session_id: str) -> builtins.list[Message]:
        """All messages, oldest first; empty for an unknown session."""
        return self._messages(statements.READ_ALL, (checked_text(session_id, "session_id"),))

    def read_last(self, session_id: str, n: int) -> builtins.list[Message]:
        """The newest ``n`` messages, oldest first; empty for an unknown session."""
        key = checked_text(session_id, "session_id")
        messages = self._messages(statements.READ_LAST, (key, whole(n, "n", least=0)))
        messages.reverse()
        return messages

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """At most ``limit`` messages after the cursor, oldest first; None starts at the oldest.

        A cursor stays good while messages come and go. Raises ``Refused`` for a cursor of a
        session that was deleted since.
        """
        key = checked_text(session_id, "session_id")
        whole(limit, "limit", least=1)
        tag, after = split_id(cursor) if type(cursor) is str else (None, 0)
        if cursor is not None and tag is None:
            raise Refused(f"page takes the cursor of an earlier page of it, not {cursor!r}")
        rows = self._read(lambda db: self._fetch(db, statements.READ_PAGE, (key, after, limit + 1)))
        if rows and tag not in (None, rows[0][-2]):
            raise Refused(f"the session of the cursor {cursor!r} was deleted: start again")
        messages = decode_all([row[:-2] for row in rows[:limit]], self._path)
        more = len(rows) > limit
        return Page(messages, "{}.{}".format(*rows[limit - 1][-2:]) if more else None)

    def count(self, session_id: str) -> int:
        """How many messages the session has; 0 for an unknown one."""
        key = checked_text(session_id, "session_id")
        found = self._read(lambda db: statements.fetch(db, statements.COUNT, (key,)))
        return int(found[0][0]) if found else 0

    def pop_last(self, session_id: str) -> Message | None:
        """Remove the newest message and answer it; None when there is none."""
        key = checked_text(session_id, "session_id")
        rows = self._write(lambda db: statements.pop_last(db, key, look=self._fetch))
        return decode_all(rows, self._path)[0] if rows else None

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove one message; its number is not given again. Raises ``NotFound``."""
        key = checked_text(session_id, "session_id")
        name = checked_text(message_id, "message_id")
        if not self._write(lambda db: statements.delete_message(db, key, name)):
            raise no_message(session_id, message_id)

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Put ``message`` in the place of one; it keeps its number, and its id unless given anew.

        Raises ``NotFound``, ``Refused`` for a message that is not well formed, ``Conflict`` for
        an id that another message of the session has.
        """
        key = checked_text(session_id, "session_id")
        name = checked_text(message_id, "message_id")
        row = encode(message)
        if not self._write(lambda db: statements.edit_message(db, key, name, row)):
            raise no_message(session_id, message_id)

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all, all or nothing; raises as ``append`` does.

        The new messages get new numbers.
        """
        key = checked_text(session_id, "session_id")
        rows = encode_all(messages)
        self._write(
            lambda db: statements.replace(db, key, rows, self._clock.now_us(), self._timeouts)
        )

    def clear(self, session_id: str) -> None:
        """Remove all messages; numbers go on, state stays. No error for an unknown session."""
        key = checked_text(session_id, "session_id")
        self._write(lambda db: statements.change(db, statements.CLEAR, (key,)))

    # Sessions

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
        """Make a session with its first messages, all or nothing; answers its id.

        Without an id it gets a random one. To name an ``llm_model`` makes it known. Raises
        ``Conflict`` when the id is taken, and as ``append`` does.
        """
        name: str = secrets.token_hex(16) if session_id is None else session_id
        key = checked_text(name, "session_id")
        rows = encode_all(messages)
        known = facts({"owner": owner, "title": title, "llm_model": llm_model}, metadata)
        self._write(
            lambda db: statements.create(db, key, known, rows, self._clock.now_us(), self._timeouts)
        )
        return name

    def get(self, session_id: str) -> SessionInfo | None:
        """The session's facts and counters; None when it is unknown."""
        key = checked_text(session_id, "session_id")
        found = self._read(
            lambda db: statements.fetch(db, statements.GET, (self._clock.now_us(), key))
        )
        return decode_info(session_id, found[0], self._path) if found else None

    def update(
        self,
        session_id: str,
        *,
        owner: str | Same | None = SAME,
        title: str | Same | None = SAME,
        llm_model: str | Same | None = SAME,
        metadata: Mapping[str, Json] | Same | None = SAME,
    ) -> None:
        """Set facts of a session; those not given stay. Raises ``NotFound``.

        ``metadata`` is set as a whole; to name an ``llm_model`` makes it known. This is no
        activity.
        """
        key = checked_text(session_id, "session_id")
        given = {"owner": owner, "title": title, "llm_model": llm_model}
        texts = {name: value for name, value in given.items() if value is not SAME}
        changed = facts(texts, metadata)
        if not self._write(lambda db: statements.update(db, key, changed)):
            raise no_session(session_id)

    def list(self) -> builtins.list[str]:
        """The ids of all sessions."""
        rows = self._read(lambda db: statements.fetch(db, statements.LIST, ()))
        return decode_names(rows, self._path)

    delete = lifetime.delete

    # State, and the models that sessions name

    get_state = state.get_state
    set_state = state.set_state
    append_with_state = state.append_with_state
    transact = transacting.transact
    add_llm_model = llm_models.add_llm_model
    set_llm_model = llm_models.set_llm_model
    delete_llm_model = llm_models.delete_llm_model

    def tables(self) -> SqliteTables:
        """The file and the names of its tables."""
        return replace(TABLES, path=str(self._path))

    # How a session ends, and how it was

    set_limits = lifetime.set_limits
    touch = lifetime.touch
    set_status = lifetime.set_status
    sweep = lifetime.sweep
    snapshot = snapshots.snapshot
    restore_snapshot = snapshots.restore_snapshot
    read_snapshot = snapshots.read_snapshot
    compare_snapshots = snapshots.compare_snapshots
    remove_snapshot = snapshots.remove_snapshot
    snapshots = snapshots.snapshots
    search = searching.search
    search_sessions = searching.search_sessions

    # Many sessions

    recent_sessions = listings.recent_sessions
    largest_sessions = listings.largest_sessions
    session_statistics = listings.session_statistics
    sessions_at_timeout = listings.sessions_at_timeout
    token_use = listings.token_use
    slow_responses = listings.slow_responses
    export_sessions = exchanging.export_sessions
    import_sessions = exchanging.import_sessions

    # The store as a whole

    health = health.health
    maintain = maintenance.maintain

    verify = upkeep.verify
    backup = upkeep.backup
    restore = staticmethod(upkeep.restore)
    recover = staticmethod(upkeep.recover)
    repair = staticmethod(upkeep.repair)
    migrate = staticmethod(upkeep.migrate)
    rollback = staticmethod(upkeep.rollback)

    def _messages(self, sql: str, values: tuple[Any, ...]) -> builtins.list[Message]:
        rows = self._read(lambda db: self._fetch(db, sql, values))
        return decode_all(rows, self._path)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        begun_ns = monotonic_ns()
        try:
            return self._readers.run(work)
        except ERRORS as error:
            raise as_store_error(error, path=self._path, writes=False) from error
        finally:
            took_ns = monotonic_ns() - begun_ns
            (self._took if took_ns < SLOW_NS else self._pace.slowly)(took_ns)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        begun_ns = monotonic_ns()
        try:
            return self._writer.run(work)
        except ERRORS as error:
            raise as_store_error(error, path=self._path, writes=True) from error
        finally:
            took_ns = monotonic_ns() - begun_ns
            (self._took if took_ns < SLOW_NS else self._pace.slowly)(took_ns)

    def _together(self, calls: Sequence[Callable[[], Any]]) -> builtins.list[Outcome]:
        """What came of calls of this handle's own methods, which are committed together."""
        outcomes = self._writer.together(calls)
        for place, (_, error) in enumerate(outcomes):
            if isinstance(error, sqlite3.Error):
                told = as_store_error(error, path=self._path, writes=True)
                told.__cause__ = error
                outcomes[place] = Outcome(error=told)
        return outcomes

    def _forget(self) -> None:
        self._writer.forget()
        self._readers.forget()


def _forget_in_child() -> None:
    for store in list(_open_stores):
        store._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
