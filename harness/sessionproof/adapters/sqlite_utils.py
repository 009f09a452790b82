"""sqlite-utils: a row for each message, in a table that it makes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    from sqlite_utils import Database
except ImportError as error:
    raise MissingExtra("sqlite-utils", "sqlite-utils", "sqlite-utils") from error

from sessionproof.adapters.sqlite_utils_messages import COLUMNS, KEPT, decode, encode

DOCUMENTS = "https://sqlite-utils.datasette.io/en/stable/python-api.html"
SAVING = f"{DOCUMENTS}#transactions-and-saving-your-changes"
PROCESSES = "https://www.sqlite.org/faq.html#q5"


class Store:
    """One connection, and one table with an index on the session."""

    version = importlib.metadata.version("sqlite-utils")
    claims = Claims(
        keeps=KEPT,
        roles={"user", "assistant", "system", "developer", "tool"},
        kinds={"text", "tool_call", "tool_result"},
        handles="processes",
        durability="process",
        sources={
            "keeps": DOCUMENTS, "roles": DOCUMENTS, "kinds": DOCUMENTS,
            "durability": SAVING, "handles": PROCESSES,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._db = Database(self._path)
        self._table = self._db.table("messages")
        self._table.create(COLUMNS, pk="id", if_not_exists=True)
        self._table.create_index(["session"], if_not_exists=True)

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``insert_all``: a transaction for each hundred rows."""
        self._table.insert_all([{"session": session_id, **encode(message)} for message in messages])

    def read(self, session_id: str) -> list[Message]:
        """``rows_where``; an unknown session is empty."""
        found = self._table.rows_where("session = ?", [session_id], order_by="id")
        return [decode(row) for row in found]

    def read_last(self, session_id: str, n: int) -> list[Message]:
        """``rows_where`` with a limit, the newest first, turned round."""
        found = self._table.rows_where("session = ?", [session_id], order_by="id desc", limit=n)
        return [decode(row) for row in found][::-1]

    def count(self, session_id: str) -> int:
        """``count_where``."""
        return int(self._table.count_where("session = ?", [session_id]))

    def list(self) -> list[str]:
        """``rows_where`` of the distinct sessions."""
        return [row["session"] for row in self._table.rows_where(select="distinct session")]

    def delete(self, session_id: str) -> None:
        """``delete_where``."""
        self._table.delete_where("session = ?", [session_id])

    def tables(self) -> SqliteTables:
        """The one table: sessions have no rows of their own."""
        return SqliteTables(str(self._path), "messages", "session")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
