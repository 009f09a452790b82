"""Search over messages and titles, as ``docs/search.md`` says: methods of ``ReferenceStore``."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.reference import statements
from sessionproof.reference.arguments import short, whole
from sessionproof.reference.codec import READ, ROLES, checked_text, from_value
from sessionproof.reference.decoding import decode_all, decode_names
from sessionproof.reference.digest import TEXT, first_changed
from sessionproof.reference.finding import index
from sessionproof.reference.finding.queries import Term, expression, terms_of
from sessionproof.reference.finding.snippets import snippet

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

Order = Literal["newest", "best"]

RANKED = 2_000
"""Of how many of the newest messages that were found the best are looked for."""

_SIDS_MOST = 500  # more sessions than that are looked up, message by message
_FOUND = (
    f"SELECT {READ}, s.session_id%s FROM (%s) AS h "
    "JOIN messages AS m ON m.id = h.id JOIN sessions AS s ON s.id = m.sid ORDER BY %s LIMIT ?"
)
_MATCHED = "FROM search_index AS i %sWHERE i.search_index MATCH ? AND i.rowid > 0%s"
_JOINED = "CROSS JOIN messages AS m ON m.id = i.rowid CROSS JOIN sessions AS s ON s.id = m.sid "
_TIME = "coalesce(m.created_at_us, m.appended_at_us)"
_TITLES = (
    "SELECT s.session_id FROM search_index AS i CROSS JOIN sessions AS s ON s.id = -i.rowid "
    "WHERE i.search_index MATCH ? AND i.rowid < 0%s ORDER BY s.last_activity_us DESC, s.id DESC "
    "LIMIT ?"
)


def search(
    store: ReferenceStore,
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
) -> list[Hit]:
    """Messages that have all words of a user's text, ``"phrases"`` and ``beginnings*`` included.

    Case and accents do not count. Newest first, or the best of the newest 2,000 that were found.
    Of one session, of one owner's, of sessions that name this model, of one role; said at
    ``after_us`` or later, and earlier than ``before_us``. What was acknowledged before is found.
    """
    terms = _terms(query)
    whole(limit, "limit", least=0)
    if order not in ("newest", "best"):
        raise Refused(f"order must be newest or best, not {short(str(order))}")
    if role is not None and role not in ROLES:
        raise Refused(f"role must be one of {', '.join(sorted(ROLES))}, not {short(str(role))}")
    of_sessions = {
        name: checked_text(value, name)
        for name, value in (("session_id", session_id), ("owner", owner), ("llm_model", llm_model))
        if value is not None
    }
    times = {
        f"{_TIME} {sign} ?": whole(value, name, least=-(2**63))
        for sign, name, value in ((">=", "after_us", after_us), ("<", "before_us", before_us))
        if value is not None
    }
    if not terms or not limit:
        return []
    catch_up(store)

    def look(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
        sids = _sids(db, of_sessions) if of_sessions else None
        if sids == []:
            return []
        narrow = sids is not None and len(sids) <= _SIDS_MOST
        match = expression(terms, sids=sids if narrow else None, role=role)
        conditions = {f"s.{name} = ?": value for name, value in of_sessions.items()} | times
        return _found(db, match, conditions, limit=limit, order=order, summed=summed)

    summed = store._fetch is statements.fetch_verified
    return _hits(store, store._read(look), terms)


def search_sessions(
    store: ReferenceStore, query: str, *, limit: int = 100, owner: str | None = None
) -> list[SessionInfo]:
    """Sessions whose title has all words of a user's text, those last active first."""
    terms = _terms(query)
    whole(limit, "limit", least=0)
    if not terms or not limit:
        return []
    catch_up(store)
    condition, values = ("", []) if owner is None else (" AND s.owner = ?", [owner])
    given = [expression(terms), *(checked_text(one, "owner") for one in values), limit]
    rows = store._read(lambda db: statements.fetch(db, _TITLES % condition, given))
    found = map(store.get, decode_names(rows, store._path))
    return [one for one in found if one is not None]


def catch_up(store: ReferenceStore) -> int:
    """Bring the index up to what is stored now; how many messages and titles were looked at.

    In transactions of a few hundred, between which others write.
    """
    looked_at = 0
    if store._read(index.is_behind):
        # Who writes faster than we look does not keep us for ever.
        newest = store._read(lambda db: db.execute("SELECT max(id) FROM messages").fetchone()[0])
        done = False
        while not done:
            number, done = store._write(lambda db: index.catch_up(db, newest or 0))
            looked_at += number
    return looked_at


def _terms(query: str) -> tuple[Term, ...]:
    return terms_of(checked_text(query, "query"))


def _sids(db: sqlite3.Connection, named: dict[str, str]) -> list[int]:
    """The sessions that are meant, no more of them than one more than can be named."""
    conditions = " AND ".join(f"{name} = ?" for name in named)
    sql = f"SELECT id FROM sessions WHERE {conditions} LIMIT ?"
    return [sid for (sid,) in statements.fetch(db, sql, (*named.values(), _SIDS_MOST + 1))]


def _found(
    db: sqlite3.Connection,
    match: str,
    conditions: dict[str, Any],
    *,
    limit: int,
    order: Order,
    summed: bool,
) -> list[tuple[Any, ...]]:
    """Rows of what was found: message and session. With ``summed``, those as they were written."""
    ranked = order == "best"
    inner = _MATCHED % (
        _JOINED if conditions else "",
        "".join(f" AND {condition}" for condition in conditions),
    )
    score = ", bm25(search_index, 1.0, 0.0) AS score" if ranked else ""
    newest = f"SELECT i.rowid AS id{score} {inner} ORDER BY i.rowid DESC LIMIT ?"
    more = f", m.seq, {TEXT}, m.digest" if summed else ""
    sql = _FOUND % (more, newest, "h.score, h.id DESC" if ranked else "h.id DESC")
    most = RANKED if ranked else limit
    rows = statements.fetch(db, sql, (match, *conditions.values(), most, limit))
    if not summed:
        return rows
    changed = first_changed([row[-2:] for row in rows])
    if changed is not None:
        name, seq = rows[changed][-4:-2]
        raise Refused(
            f"message {seq} of session {short(from_value(name))} is not what was written: the disk "
            "or a program damaged it; restore a backup, or open the store without check_digests"
        )
    return [row[:-3] for row in rows]


def _hits(
    store: ReferenceStore, rows: Sequence[tuple[Any, ...]], terms: Sequence[Term]
) -> list[Hit]:
    messages = decode_all([row[:-1] for row in rows], store._path)
    names = decode_names([row[-1:] for row in rows], store._path)
    return [
        Hit(name, message, _snippet(message, terms))
        for name, message in zip(names, messages, strict=True)
    ]


def _snippet(message: Message, terms: Sequence[Term]) -> str:
    content = message.content
    if type(content) is not str:
        content = index.texts_in(message.arguments if content is None else content)
    return snippet(content, terms)
