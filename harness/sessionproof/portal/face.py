"""The portal as a program uses it: one object, its parts by name."""

from __future__ import annotations

import os
from types import TracebackType

from argon2 import PasswordHasher

from sessionproof.contract.clock import Clock, SystemClock
from sessionproof.portal.auth import Auth, Limits
from sessionproof.portal.conversations import Conversations
from sessionproof.portal.database import Database
from sessionproof.portal.engine import PoolSize, address_of
from sessionproof.portal.exchange import script, tables
from sessionproof.portal.messages import Messages
from sessionproof.portal.passwords import Passwords
from sessionproof.portal.queries import Queries
from sessionproof.portal.upkeep import Upkeep
from sessionproof.portal.users import Users


class Portal:
    """A chat portal on SQLite or PostgreSQL.

    ``url`` is ``sqlite:///PATH`` or ``postgresql://USER@HOST:PORT/DATABASE``; without one it is
    what ``DATABASE_URL`` holds. On a server its tables lie in ``schema``, ``portal`` if nothing is
    said. The tables are made, or upgraded, when it is opened.

    Any number of threads may share a portal, and any number of processes may open the same
    database; a forked child opens it anew. Errors are those of ``sessionproof.contract.errors``,
    in one line: ``Refused`` and its kinds are definite, ``Indefinite`` is not.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        schema: str | None = None,
        clock: Clock | None = None,
        pool: PoolSize | None = None,
        limits: Limits | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """``limits`` are those of new auth sessions; ``hasher`` says what a password costs."""
        self.clock = clock or SystemClock()
        self.database = Database(address_of(url, schema), pool)
        passwords = Passwords(hasher)
        self.users = Users(self.database, self.clock, passwords)
        self.auth = Auth(self.database, self.clock, passwords, limits or Limits())
        self.conversations = Conversations(self.database, self.clock)
        self.messages = Messages(self.database, self.clock)
        self.queries = Queries(self.database, self.clock)
        self.upkeep = Upkeep(self.database, self.clock)

    def __enter__(self) -> Portal:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Portal({self.database.where!r})"

    def close(self) -> None:
        """Give every connection back; a second time does nothing."""
        self.database.close()

    def export_csv(self, folder: os.PathLike[str] | str) -> dict[str, int]:
        """See ``exchange.tables.export_csv``."""
        return tables.export_csv(self.database, folder)

    def import_csv(self, folder: os.PathLike[str] | str) -> dict[str, int]:
        """See ``exchange.tables.import_csv``."""
        return tables.import_csv(self.database, folder)

    def dump_sql(self, path: os.PathLike[str] | str) -> dict[str, int]:
        """See ``exchange.script.dump_sql``."""
        return script.dump_sql(self.database, path)

    def load_sql(self, path: os.PathLike[str] | str) -> dict[str, int]:
        """See ``exchange.script.load_sql``."""
        return script.load_sql(self.database, path)
