"""What is done to a portal as it grows old: archive, hide, purge by age; and how large it is.

An age is counted from what a conversation was last used for. A conversation without a message, or
one that was never opened, has no such time: then it is as old as itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    case,
    cast,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.orm import Session

from sessionproof.contract.clock import Clock
from sessionproof.portal.conversations import risen
from sessionproof.portal.database import Database, changed
from sessionproof.portal.models import AuthSession, Base, Conversation
from sessionproof.portal.values import whole

DAY_US = 86_400_000_000
"""A day in microseconds."""

_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was removed for good."""

    conversations: int
    messages: int


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table's rows, and the bytes of its pages with those of its indexes.

    ``bytes`` is None where the database cannot tell: a SQLite that was built without ``dbstat``.
    """

    table: str
    rows: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a portal is: its tables, and all of the file or of the server's database.

    ``free_bytes`` of a file hold nothing and will be used again; None on a server.
    """

    tables: tuple[TableSize, ...]
    bytes: int
    free_bytes: int | None


class Upkeep:
    """Chores by age, each one transaction. Others may work meanwhile; what they touch is spared."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def archive(self, older_than_us: int) -> int:
        """Archive active conversations without a message for so long; answers how many."""
        now_us = self._clock.now_us()
        old = select(Conversation.id).where(
            Conversation.status == "active", _last_message() < now_us - _age(older_than_us)
        )
        return self._change(old, now_us, {"status": "archived"})

    def hide(self, older_than_us: int) -> int:
        """Hide conversations that for so long nobody opened or wrote in; answers how many."""
        now_us = self._clock.now_us()
        old = select(Conversation.id).where(
            Conversation.hidden_at_us.is_(None), _last_use() < now_us - _age(older_than_us)
        )
        return self._change(old, now_us, {"hidden_at_us": now_us})

    def purge(self, older_than_us: int) -> Purged:
        """Remove archived conversations without a message for so long, with their messages."""
        old = select(Conversation.id, Conversation.message_count).where(
            Conversation.status == "archived",
            _last_message() < self._clock.now_us() - _age(older_than_us),
        )

        def work(session: Session) -> Purged:
            found = session.execute(_locked(old)).all()
            for part in _parts([one.id for one in found]):
                session.execute(delete(Conversation).where(Conversation.id.in_(part)))
            return Purged(len(found), sum(one.message_count for one in found))

        return self._database.write(work)

    def purge_auth_sessions(self, older_than_us: int) -> int:
        """Remove auth sessions that have been over for so long; answers how many."""
        over = func.coalesce(AuthSession.ended_at_us, AuthSession.expires_at_us)
        gone = delete(AuthSession).where(over < self._clock.now_us() - _age(older_than_us))
        return self._database.write(lambda session: changed(session, gone))

    def sizes(self) -> Sizes:
        """How large the tables and the whole are, at one moment."""
        return self._database.moment(_SIZES[self._database.dialect])

    def _change(self, old: Any, now_us: int, values: dict[str, object]) -> int:
        change = update(Conversation).values(updated_at_us=risen(now_us), **values)

        def work(session: Session) -> int:
            found = [*session.scalars(_locked(old))]
            for part in _parts(found):
                changed(session, change.where(Conversation.id.in_(part)))
            return len(found)

        return self._database.write(work)


def _last_message() -> ColumnElement[int]:
    return func.coalesce(Conversation.last_message_at_us, Conversation.created_at_us)


def _last_use() -> ColumnElement[int]:
    opened, wrote = func.coalesce(Conversation.last_opened_us, _last_message()), _last_message()
    return case((opened > wrote, opened), else_=wrote)


def _locked(query: Any) -> Any:
    """The query, whose rows nobody else changes until the end; one by one in the order of ids.

    On a server a row that is being changed is looked at again when it is free. On SQLite there is
    one writer.
    """
    return query.order_by(Conversation.id).with_for_update()


def _parts(ids: list[str], most: int = 500) -> list[list[str]]:
    return [ids[at : at + most] for at in range(0, len(ids), most)]


def _age(value: object) -> int:
    return min(whole(value, "an age in microseconds"), _MOST)


def _rows(session: Session, table: Table) -> int:
    return int(session.execute(select(func.count()).select_from(table)).scalar_one())


def _sqlite_sizes(session: Session) -> Sizes:
    def pragma(name: str) -> int:
        return int(session.execute(text(f"PRAGMA {name}")).scalar_one())

    known = session.execute(text("PRAGMA module_list")).scalars().all()
    told = "dbstat" in known
    tables = (
        TableSize(one.name, _rows(session, one), _pages(session, one.name) if told else None)
        for one in _tables()
    )
    page = pragma("page_size")
    return Sizes(tuple(tables), pragma("page_count") * page, pragma("freelist_count") * page)


def _pages(session: Session, table: str) -> int:
    """Bytes of a table's pages and those of its indexes."""
    found = session.execute(
        text(
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN "
            "(SELECT name FROM sqlite_master WHERE tbl_name = :table)"
        ),
        {"table": table},
    )
    return int(found.scalar_one())


def _server_sizes(session: Session) -> Sizes:
    def size(table: Table) -> int:
        total = select(func.pg_total_relation_size(cast(table.name, REGCLASS)))
        return int(session.execute(total).scalar_one())

    tables = (TableSize(one.name, _rows(session, one), size(one)) for one in _tables())
    whole = session.execute(select(func.pg_database_size(func.current_database())))
    return Sizes(tuple(tables), whole.scalar_one(), None)


def _tables() -> list[Table]:
    return [*Base.metadata.sorted_tables]


_SIZES: dict[str, Callable[[Session], Sizes]] = {
    "sqlite": _sqlite_sizes,
    "postgresql": _server_sizes,
}
