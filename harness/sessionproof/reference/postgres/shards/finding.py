"""Searches over all servers: each is asked, and what they found is put in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionproof.contract.message import SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.reference.arguments import whole
from sessionproof.reference.codec import split_id
from sessionproof.reference.finding.index import texts_in
from sessionproof.reference.finding.queries import terms_of
from sessionproof.reference.finding.words import words
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.searching import best, search, search_sessions
from sessionproof.reference.postgres.shards.routing import everywhere, on_home
from sessionproof.reference.postgres.shards.servers import Servers
from sessionproof.reference.postgres.statements import fetch, key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_TIMES = (
    "SELECT w.place, m.appended_at_us "
    "FROM unnest(%s::bytea[], %s::bytea[], %s::text[], %s::bigint[]) WITH ORDINALITY "
    "AS w (session, message, tag, seq, place) "
    "JOIN sessions AS s ON text_key(s.session_id) = w.session "
    "JOIN messages AS m ON m.sid = s.id AND (text_key(m.message_id) = w.message "
    "OR m.message_id IS NULL AND m.seq = w.seq AND s.tag = w.tag)"
)


def searched(servers: Servers, query: str, *, limit: int, **named: Any) -> list[Hit]:
    """The newest that all servers have, by the time of their append, or the best."""
    ranked = named.get("order") == "best"
    session_id = named.get("session_id")

    def ask(server: PostgresStore) -> list[tuple[int, Hit]]:
        hits = search(server, query, limit=limit, **named)
        if ranked or session_id is not None:
            return [(0, hit) for hit in hits]
        return server._read(partial(_with_times, hits))

    if session_id is not None:
        return [hit for _, hit in on_home(servers, session_id, ask, asks=True)]
    answers = everywhere(servers, ask).values()
    found = {(hit.session_id, hit.message.id): (at, hit) for one in answers for at, hit in one}
    if ranked:
        return _best(query, [hit for _, hit in found.values()])[:limit]
    return [hit for _, hit in sorted(found.values(), key=lambda one: -one[0])][:limit]


def searched_sessions(
    servers: Servers, query: str, *, limit: int, owner: str | None
) -> list[SessionInfo]:
    """Sessions by their titles, those last active first."""
    ask: Callable[[PostgresStore], list[SessionInfo]] = partial(
        search_sessions, query=query, limit=limit, owner=owner
    )
    answers = everywhere(servers, ask).values()
    found = {one.session_id: one for answer in answers for one in answer}
    newest = sorted(found.values(), key=lambda one: -(one.last_activity_us or 0))
    return newest[: whole(limit, "limit", least=0)]


def _with_times(hits: Sequence[Hit], db: Connection) -> list[tuple[int, Hit]]:
    """Each with the time of its append; one that is gone by now counts as the oldest."""
    if not hits:
        return []
    ids = [hit.message.id or "" for hit in hits]
    tags, seqs = zip(*map(split_id, ids), strict=True)
    sessions = [key_of(hit.session_id) for hit in hits]
    given = (sessions, [key_of(one) for one in ids], list(tags), list(seqs))
    times = dict(fetch(db, _TIMES, given))
    return [(times.get(place, 0), hit) for place, hit in enumerate(hits, 1)]


def _best(query: str, hits: Sequence[Hit]) -> list[Hit]:
    rows = [(0, words(_text(hit)), hit) for hit in hits]
    return [row[2] for row in best(rows, terms_of(query))]


def _text(hit: Hit) -> str:
    content = hit.message.content
    if isinstance(content, str):
        return content
    return texts_in(hit.message.arguments if content is None else content)
