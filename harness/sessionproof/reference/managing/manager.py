"""``SessionManager``: the eighteen calls of ``contract.managing`` over the reference store."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.contract.location import Location
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json, Message, Receipt
from sessionproof.reference.arguments import whole
from sessionproof.reference.claimed import Durability
from sessionproof.reference.codec import checked_text
from sessionproof.reference.decoding import readable
from sessionproof.reference.managing import kept
from sessionproof.reference.managing.appending import append
from sessionproof.reference.managing.background import Background
from sessionproof.reference.managing.facts import (
    Row,
    checked_facts,
    checked_id,
    digest_of_message,
    is_quiet,
    session_of,
)
from sessionproof.reference.managing.settings import CLEANUP_US, TIMEOUT_US, Digest, Settings
from sessionproof.reference.statements import fetch
from sessionproof.reference.store import ReferenceStore

T = TypeVar("T")

SHUT_DOWN = "the session manager is shut down: open a new one"

_KEPT = "what is kept of the session"


class SessionManager:
    """Sessions in a directory that are over when nobody accesses them for ``timeout_us``.

    Any number of threads may share one, and any number of processes may open the directory. Times
    are microseconds. An access is written at most once per ``access_step_us`` (None: a thirtieth of
    the timeout), so a session lives up to that much longer, and never shorter. A clean-up removes
    what is over every ``cleanup_interval_us``, from the beginning on; None: not before
    ``start_cleanup``. With ``share_by_first_message`` the id of a session is the digest of its
    first message, so that whoever begins with the same words is in the same session.

    ``append`` adds messages; ``store`` is the ``ReferenceStore`` beneath, to read them. An open one
    may be given in the place of a directory, with its own clock and durability; ``shutdown`` leaves
    it open. Raises ValueError for options that cannot be, ``Refused`` as the store does.
    """

    def __init__(
        self,
        directory: ReferenceStore | Location | os.PathLike[str] | str,
        *,
        timeout_us: int = TIMEOUT_US,
        cleanup_interval_us: int | None = CLEANUP_US,
        access_step_us: int | None = None,
        clock: Clock | None = None,
        digest: Digest = "md5",
        share_by_first_message: bool = False,
        durability: Durability = "power",
        preset: str = "web",
    ) -> None:
        self.settings = Settings(
            timeout_us=timeout_us,
            access_step_us=access_step_us,
            cleanup_interval_us=cleanup_interval_us,
            digest=digest,
            share_by_first_message=share_by_first_message,
        )
        self._limits = self.settings.limits()
        self._owns = not isinstance(directory, ReferenceStore)
        self.store = (
            directory
            if isinstance(directory, ReferenceStore)
            else ReferenceStore(
                directory,
                preset=preset,
                durability=durability,
                clock=clock,
                timeouts=self._limits,
            )
        )
        self._ended: str | None = None
        self._counting = threading.Lock()
        self._counted: Counter[str] = Counter()
        self._background = Background(self.cleanup)
        if cleanup_interval_us is not None:
            try:
                self.start_cleanup(cleanup_interval_us)
            except BaseException:
                self.shutdown()
                raise

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    # One session

    def generate_session_id(self, message: str) -> str:
        """The digest of a message in hexadecimal. Equal messages have equal ones: see the class."""
        self._check()
        return digest_of_message(message, self.settings.digest)

    def create_session(
        self,
        first_user_message: str | None = None,
        *,
        session_id: str | None = None,
        chat_id: str | None = None,
    ) -> ManagedSession:
        """Make a session with a random id, or with this one.

        Raises ``Conflict`` where the id is that of a session that is not over. Where sessions are
        shared by their first message, this may answer one that is there, whose facts stay.
        """
        self._check()
        checked_text(first_user_message, "first_user_message", optional=True)
        name = checked_id(session_id, "session_id", optional=True)
        checked_id(chat_id, "chat_id", optional=True)
        shared = (
            self.settings.share_by_first_message and name is None and first_user_message is not None
        )
        if shared:
            name = digest_of_message(first_user_message, self.settings.digest)
        now_us = self._now_us()
        made = ManagedSession(
            session_id=secrets.token_hex(16) if name is None else name,
            created_at_us=now_us,
            last_accessed_us=now_us,
            expires_at_us=now_us + self.settings.timeout_us,
            first_user_message=first_user_message,
            chat_id=chat_id,
        )
        found, made_room = self._write(
            lambda db: kept.make(db, made, self._limits, shared=shared, random=name is None)
        )
        if found is not None:
            return self._told(found)
        self._count(created=1, expired=int(made_room))
        return made

    def get_session(self, session_id: str) -> ManagedSession | None:
        """The session, whose life begins anew; None when it is unknown or over."""
        key = self._key(session_id)
        row = self._accessed(key)
        return None if row is None else self._told(row)

    def update_session(self, session_id: str, changes: Mapping[str, Json]) -> bool:
        """Set some facts, all or none, which is an access; None takes one away.

        False when the session is unknown or over. ``metadata`` is set as a whole.
        """
        key = self._key(session_id)
        facts = checked_facts(changes)
        now_us = self._now_us()
        return readable(
            lambda: self._write(lambda db: kept.change(db, key, facts, now_us)),
            self.store._path,
            _KEPT,
        )

    def update_parent_id(self, session_id: str, parent_id: str | None) -> bool:
        """Set the message to which the next one is an answer; False as in ``update_session``."""
        return self.update_session(session_id, {"parent_id": parent_id})

    def set_chat_id(self, session_id: str, chat_id: str | None) -> bool:
        """Set the chat at the provider; False as in ``update_session``."""
        return self.update_session(session_id, {"chat_id": chat_id})

    def delete_session(self, session_id: str) -> bool:
        """Remove the session and its messages, also when it is over; False when it is unknown."""
        key = self._key(session_id)
        removed = self._write(lambda db: kept.delete(db, key))
        self._count(deleted=int(removed))
        return removed

    def is_new_session(self, session_id: str) -> bool:
        """Whether the session has no parent id, or is unknown, or over. No access."""
        return self.get_parent_id(session_id) is None

    def get_parent_id(self, session_id: str) -> str | None:
        """Its parent id; None without one, and for a session that is unknown or over. No access."""
        key = self._key(session_id)
        now_us = self._now_us()
        row = self._read(lambda db: kept.find(db, key, now_us))
        return None if row is None or row.is_over else self._told(row).parent_id

    def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """Add messages to a session, all or none, which is an access.

        Raises ``NotFound`` for an unknown session, ``Expired`` for one that is over, and what
        ``ReferenceStore.append`` does. That one would make an unknown session.
        """
        self._check()
        return append(self.store, session_id, messages)

    # All sessions

    def get_active_sessions(self) -> list[ManagedSession]:
        """All sessions that are not over, in any order. No access."""
        return self._every(active=True)

    def get_all_sessions(self) -> list[ManagedSession]:
        """All that are stored, in any order. No access."""
        return self._every(active=False)

    def get_session_count(self) -> int:
        """How many sessions are stored, those that are over and not cleaned up among them."""
        self._check()
        return self._read(kept.count)

    def clear_all(self) -> int:
        """Remove all sessions that there are now; answers how many there were.

        In batches, so that others can write in between; what they make stays. Raises ``Indefinite``
        when one is refused after others were done.
        """
        self._check()
        last = self._read(lambda db: fetch(db, kept.LAST, ())[0][0])
        number, upto = 0, -1
        while last is not None and upto < last:
            try:
                rows = self._write(lambda db: kept.clear(db, last))
            except Refused as error:
                if not number:
                    raise
                raise Indefinite(
                    f"{number} sessions are removed, and not the others: {error}"
                ) from error
            number += len(rows)
            self._count(deleted=len(rows))
            upto = rows[-1] if rows else last
        return number

    def get_metrics(self) -> Mapping[str, Json]:
        """What this manager counted since it was opened, and how many sessions there are now.

        ``cleanups`` that came to their end, and ``cleanup_error``: why the last one in the
        background did not, or None.
        """
        self._check()
        now_us = self._now_us()
        total, active = self._read(lambda db: kept.counts(db, now_us))
        with self._counting:
            counted = {
                name: self._counted[name] for name in ("created", "deleted", "expired", "cleanups")
            }
        return {
            **counted,
            "active": active,
            "total": total,
            "cleanup_error": self._background.error,
        }

    # The clean-up, and the end

    def cleanup(self) -> int:
        """Remove every session that is over; answers how many there were."""
        return len(self.clean_up())

    def clean_up(self) -> list[str]:
        """The same; answers their ids. In batches, so that others can write in between.

        One that is refused after others were done is left to the next clean-up.
        """
        self._check()
        now_us = self._now_us()
        removed: list[str] = []
        more = bool(self._read(lambda db: fetch(db, kept.OVER, (now_us,))))  # mostly, for free
        while more:
            try:
                some = self._write(lambda db: kept.clean_up(db, now_us))
            except Refused:
                if not removed:
                    raise
                return removed
            self._count(expired=len(some))
            removed += some
            more = len(some) == kept.BATCH
        self._count(cleanups=1)
        return removed

    def start_cleanup(self, interval_us: int | None = None) -> None:
        """Clean up in the background at this interval from now on; None is ten minutes."""
        self._check()
        given = CLEANUP_US if interval_us is None else interval_us
        self._background.start(whole(given, "interval_us", least=1))

    def stop_cleanup(self) -> None:
        """End that, and wait for a clean-up that is under way; nothing when there is none."""
        self._check()
        self._background.stop()

    def shutdown(self) -> None:
        """End the clean-up, and close the store if it is the manager's own; again, nothing."""
        self._ended = SHUT_DOWN
        self._background.close()
        if self._owns:
            self.store.close()

    # Behind them

    def _accessed(self, key: str) -> Row | None:
        """The session after an access that was written if it had to be; None when it is over."""
        now_us = self._now_us()
        row = self._read(lambda db: kept.find(db, key, now_us))
        if row is None or row.is_over:
            return None
        if is_quiet(row, now_us, self.settings):
            return row
        return self._write(lambda db: kept.touch(db, key, now_us))

    def _every(self, *, active: bool) -> list[ManagedSession]:
        self._check()
        now_us = self._now_us()
        rows = self._read(lambda db: kept.every(db, now_us, active=active))
        return [self._told(row) for row in rows]

    def _told(self, row: Row) -> ManagedSession:
        return readable(lambda: session_of(row, self.settings), self.store._path, _KEPT)

    def _key(self, session_id: str) -> str:
        self._check()
        key: str = checked_id(session_id, "session_id")
        return key

    def _check(self) -> None:
        if self._ended:
            raise Refused(self._ended)
        if self.store.ended:  # also in a forked child, whose locks may be held for ever
            raise Refused(self.store.ended)

    def _count(self, **more: int) -> None:
        with self._counting:
            self._counted.update(more)

    def _now_us(self) -> int:
        return self.store._clock.now_us()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self.store._read(work)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self.store._write(work)
