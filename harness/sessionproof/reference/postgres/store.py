"""The reference store on PostgreSQL: every operation a statement or one transaction."""

from __future__ import annotations

import builtins
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import psycopg

import sessionproof
from sessionproof.contract.clock import Clock, SystemClock, monotonic_ns
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.reference.arguments import (
    SAME,
    Same,
    facts,
    no_message,
    no_session,
    pairs_of,
    whole,
)
from sessionproof.reference.claimed import Durability, claimed_by_handle
from sessionproof.reference.codec import checked_json, checked_text, encode, encode_all, split_id
from sessionproof.reference.decoding import decode_all, decode_info, decode_state
from sessionproof.reference.lifetime import checked_kinds
from sessionproof.reference.postgres import (
    address,
    dumps,
    health,
    lifetime,
    maintenance,
    moments,
    restoring,
    searching,
    statements,
    steps,
    transacting,
    verifying,
)
from sessionproof.reference.postgres.claimed import CLAIMS
from sessionproof.reference.postgres.failures import as_store_error
from sessionproof.reference.postgres.pool import Connection, Pool, connect
from sessionproof.reference.presets import preset_named
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.vitals.pace import SLOW_NS, Pace

T = TypeVar("T")

_SYNCHRONOUS = {"power": True, "process": False}


class PostgresStore:
    """Chat sessions in one schema of a PostgreSQL database.

    Any number of threads may share a handle, and any number of processes may open the schema. The
    schema is made when it is not there; ``schema`` names it, else the location does. ``durability``
    is what survives: with ``process`` the server acknowledges before it has written, and what it
    acknowledged last is lost when the server itself is killed. Errors are the contract's.
    """

    claims = CLAIMS
    version = sessionproof.__version__

    def __init__(
        self,
        location: Location | os.PathLike[str] | str | None = None,
        *,
        url: str,
        schema: str | None = None,
        preset: str = "web",
        durability: Durability = "power",
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        snapshots_before: Collection[str] = (),
    ) -> None:
        if durability not in _SYNCHRONOUS:
            raise ValueError(f"durability must be one of power, process; got {durability!r}")
        pooled = preset_named(preset)
        self.claims = claimed_by_handle(self.claims, durability, timeouts)
        self.url, self.schema = url, address.schema_named(schema) or address.schema_of(location)
        self.where = f"{address.shown(url)} (schema {self.schema})"
        self._clock = clock or SystemClock()
        self._pace = Pace(self._clock)
        self._took = self._pace.took_ns.append
        self._timeouts = timeouts
        self._snapshots_before = checked_kinds(snapshots_before)
        self._synchronous = _SYNCHRONOUS[durability]
        try:
            with connect(url, self.schema, synchronous=self._synchronous) as db:
                steps.prepare(db, self.schema, steps.shipped())
        except psycopg.Error as error:
            raise as_store_error(error, where=self.where, writes=False) from error
        self._pool = Pool(url, self.schema, pooled, synchronous=self._synchronous, where=self.where)

    def __enter__(self) -> PostgresStore:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; a second time does nothing."""
        self._pool.close()

    @property
    def ended(self) -> str | None:
        """Why the handle takes no operations any more; None while it does."""
        return self._pool.ended

    # Messages

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages to the end of a session, all or none; an unknown session is created.

        An empty batch does nothing. Raises ``Refused`` for messages that are not well formed,
        ``NotRepresentable`` for texts with U+0000 or lone surrogates, ``Expired`` for a session
        that is paused, archived or expired, ``Conflict`` for an id that a message of it has.
        """
        name = checked_text(session_id, "session_id")
        rows = encode_all(messages)
        if not rows:
            return Receipt((), ())
        return self._write(
            lambda db: statements.append(db, name, rows, self._clock.now_us(), self._timeouts)
        )

    def read(self, session_id: str) -> builtins.list[Message]:
        """All messages, oldest first; empty for an unknown session."""
        return self._messages(statements.READ_ALL, session_id)

    def read_last(self, session_id: str, n: int) -> builtins.list[Message]:
        """The newest ``n`` messages, oldest first; empty for an unknown session."""
        messages = self._messages(statements.READ_LAST, session_id, whole(n, "n", least=0))
        messages.reverse()
        return messages

    def page(self, session_id: str, *, cursor: str | int | None = None, limit: int = 50) -> Page:
        """At most ``limit`` messages after the cursor, oldest first; None starts at the oldest.

        A cursor stays good while messages come and go. Raises ``Refused`` for a cursor of a
        session that was deleted since.
        """
        name = checked_text(session_id, "session_id")
        whole(limit, "limit", least=1)
        tag, after = split_id(cursor) if type(cursor) is str else (None, 0)
        if cursor is not None and tag is None:
            raise Refused(f"page takes the cursor of an earlier page of it, not {cursor!r}")
        rows = self._found(statements.READ_PAGE, name, after, limit + 1)
        if rows and tag not in (None, rows[0][-2]):
            raise Refused(f"the session of the cursor {cursor!r} was deleted: start again")
        messages = decode_all([row[:-2] for row in rows[:limit]], self.where)
        more = len(rows) > limit
        return Page(messages, "{}.{}".format(*rows[limit - 1][-2:]) if more else None)

    def count(self, session_id: str) -> int:
        """How many messages the session has; 0 for an unknown one."""
        found = self._found(statements.COUNT, session_id)
        return int(found[0][0]) if found else 0

    def pop_last(self, session_id: str) -> Message | None:
        """Remove the newest message and answer it; None when there is none."""
        name = checked_text(session_id, "session_id")
        rows = self._write(lambda db: statements.pop_last(db, name))
        return decode_all(rows, self.where)[0] if rows else None

    def delete_message(self, session_id: str, message_id: str) -> None:
        """Remove one message; its number is not given again. Raises ``NotFound``."""
        name = checked_text(session_id, "session_id")
        its = checked_text(message_id, "message_id")
        if not self._write(lambda db: statements.delete_message(db, name, its)):
            raise no_message(session_id, message_id)

    def edit_message(self, session_id: str, message_id: str, message: Message) -> None:
        """Put ``message`` in the place of one; it keeps its number, and its id unless given anew.

        Raises ``NotFound``, ``Refused`` for a message that is not well formed, ``Conflict`` for
        an id that another message of the session has.
        """
        name = checked_text(session_id, "session_id")
        its = checked_text(message_id, "message_id")
        row = encode(message)
        if not self._write(lambda db: statements.edit_message(db, name, its, row)):
            raise no_message(session_id, message_id)

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all, all or nothing; raises as ``append`` does.

        The new messages get new numbers.
        """
        name = checked_text(session_id, "session_id")
        rows = encode_all(messages)
        self._write(
            lambda db: statements.replace(db, name, rows, self._clock.now_us(), self._timeouts)
        )

    def clear(self, session_id: str) -> None:
        """Remove all messages; numbers go on, state stays. No error for an unknown session."""
        name = checked_text(session_id, "session_id")
        self._write(lambda db: statements.clear(db, name))

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
        given: str = secrets.token_hex(16) if session_id is None else session_id
        name = checked_text(given, "session_id")
        rows = encode_all(messages)
        known = facts({"owner": owner, "title": title, "llm_model": llm_model}, metadata)
        self._write(
            lambda db: statements.create(
                db, name, known, rows, self._clock.now_us(), self._timeouts
            )
        )
        return given

    def get(self, session_id: str) -> SessionInfo | None:
        """The session's facts and counters; None when it is unknown."""
        key = statements.key_of(checked_text(session_id, "session_id"))
        found = self._read(
            lambda db: statements.fetch(db, statements.GET, (self._clock.now_us(), key))
        )
        return decode_info(session_id, found[0], self.where) if found else None

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
        name = checked_text(session_id, "session_id")
        given = {"owner": owner, "title": title, "llm_model": llm_model}
        texts = {name: value for name, value in given.items() if value is not SAME}
        changed = facts(texts, metadata)
        if not self._write(lambda db: statements.update(db, name, changed)):
            raise no_session(session_id)

    def list(self) -> builtins.list[str]:
        """The ids of all sessions."""
        return [
            name for (name,) in self._read(lambda db: statements.fetch(db, statements.LIST, ()))
        ]

    delete = lifetime.delete

    # State, and the models that sessions name

    def get_state(self, session_id: str, key: str) -> Json:
        """The value of the key; None when it was never set, and for an unknown session."""
        its = statements.key_of(checked_text(key, "key"))
        found = self._found(statements.GET_STATE, session_id, its)
        return decode_state(found[0][0], self.where) if found else None

    def set_state(self, session_id: str, key: str, value: Json) -> None:
        """Set one key, others stay; an unknown session is created. This is no activity."""
        name = checked_text(session_id, "session_id")
        pair = (checked_text(key, "key"), checked_json(value, "value"))
        self._write(
            lambda db: statements.set_state(db, name, [pair], self._clock.now_us(), self._timeouts)
        )

    def append_with_state(
        self, session_id: str, messages: Sequence[Message], state: Mapping[str, Json]
    ) -> Receipt:
        """Add messages and set keys in one transaction; raises as ``append`` and ``set_state``.

        Without messages and keys it does nothing.
        """
        name = checked_text(session_id, "session_id")
        rows, pairs = encode_all(messages), pairs_of(state)
        if not rows and not pairs:
            return Receipt((), ())
        return self._write(
            lambda db: statements.append_with_state(
                db, name, rows, pairs, self._clock.now_us(), self._timeouts
            )
        )

    transact = transacting.transact

    def add_llm_model(self, name: str) -> None:
        """Make an LLM's model known; one that is known stays as it is."""
        model = checked_text(name, "name")
        self._write(lambda db: statements.change(db, statements.ADD_LLM_MODEL, (model,)))

    def set_llm_model(self, session_id: str, name: str | None) -> None:
        """Let the session name this model, which makes it known, or none. Raises ``NotFound``."""
        self.update(session_id, llm_model=name)

    def delete_llm_model(self, name: str) -> None:
        """Forget a model, known or not; raises ``Refused`` while sessions name it."""
        model = checked_text(name, "name")
        self._write(
            lambda db: statements.change(
                db, statements.DELETE_LLM_MODEL, (statements.key_of(model),)
            )
        )

    # How a session ends, how it was, where words are; the store as a whole

    set_limits = lifetime.set_limits
    touch = lifetime.touch
    set_status = lifetime.set_status
    sweep = lifetime.sweep
    snapshot = moments.snapshot
    restore_snapshot = moments.restore_snapshot
    read_snapshot = moments.read_snapshot
    compare_snapshots = moments.compare_snapshots
    remove_snapshot = moments.remove_snapshot
    snapshots = moments.snapshots
    search = searching.search
    search_sessions = searching.search_sessions
    health = health.health
    maintain = maintenance.maintain
    verify = verifying.verify
    backup = dumps.backup
    restore = restoring.restore

    def _messages(self, sql: str, session_id: str, *values: int) -> builtins.list[Message]:
        return decode_all(self._found(sql, session_id, *values), self.where)

    def _found(self, sql: str, session_id: str, *values: Any) -> builtins.list[tuple[Any, ...]]:
        key = statements.key_of(checked_text(session_id, "session_id"))
        return self._read(lambda db: statements.fetch(db, sql, (key, *values)))

    def _read(self, work: Callable[[Connection], T]) -> T:
        begun_ns = monotonic_ns()
        try:
            return self._pool.read(work)
        finally:
            took_ns = monotonic_ns() - begun_ns
            (self._took if took_ns < SLOW_NS else self._pace.slowly)(took_ns)

    def _write(self, work: Callable[[Connection], T]) -> T:
        begun_ns = monotonic_ns()
        try:
            return self._pool.write(work)
        finally:
            took_ns = monotonic_ns() - begun_ns
            (self._took if took_ns < SLOW_NS else self._pace.slowly)(took_ns)
