"""Search over messages and titles, as ``docs/search.md`` says: methods of ``PostgresStore``.

A search reads at once, and in the same statement asks whether the index was behind. If it was, it
catches up and reads again; if others have written meanwhile, it does both in one transaction. So
what it answers is what was stored at one moment.

The newest messages are looked at one by one, which finds frequent words where the index would have
to sort all that have them; the index finds rare ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sessionproof.contract.errors import Conflict, Refused
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.reference.arguments import short, whole
from sessionproof.reference.codec import READ, ROLES, checked_text
from sessionproof.reference.decoding import decode_all
from sessionproof.reference.finding.index import texts_in
from sessionproof.reference.finding.queries import Term, terms_of
from sessionproof.reference.finding.snippets import snippet
from sessionproof.reference.postgres import index
from sessionproof.reference.postgres.index import BEHIND, bounded
from sessionproof.reference.postgres.pool import Connection, one_moment, transaction
from sessionproof.reference.postgres.statements import fetch, key_of

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

Order = Literal["newest", "best"]
_Row: TypeAlias = tuple[Any, ...]
_Read: TypeAlias = tuple[bool, list[_Row]]
"""Whether the index was behind, and what was found."""

RANKED = 2_000
"""Of how many of the newest messages that were found the best are looked for."""

_SAMPLE = 500  # newest messages that are looked at before the index is asked
_WALKED_MOST = 5_000  # a longer answer is always the index's
_SIDS_MOST = 500  # more sessions than that are looked up, message by message
_WORDS_MOST = 32  # that the index is asked for; the text is looked at for all
_BM25_REPEAT, _BM25_LENGTH = 1.2, 0.75

_TIME = "coalesce(m.created_at_us, m.appended_at_us)"
_OF_SESSIONS = {
    "session_id": "text_key(s.session_id) = %s",
    "owner": "text_key(s.owner) = %s",
    "llm_model": "s.llm_model_id = (SELECT id FROM llm_models WHERE text_key(name) = %s)",
}
_NEWEST = "(SELECT number, words FROM search_index WHERE number > 0 ORDER BY number DESC LIMIT %s)"
# With OFFSET the planner leaves it apart, with + 0 it has no use for the numbers: it would go
# through all of them.
_INDEXED = (
    "(SELECT number, words FROM search_index "
    "WHERE lexemes(words) @@ %s::tsquery AND number + 0 {sign} 0 OFFSET 0)"
)
_LIKE_ALL = "' ' || i.words || ' ' LIKE ALL (%s::text[])"
_FOUND = (
    f"SELECT b.behind, f.* FROM (SELECT {BEHIND} AS behind) AS b LEFT JOIN ("
    f"SELECT h.number, h.words, s.session_id, {READ} FROM ("
    f"SELECT i.number, {{words}} AS words FROM {{of}} AS i {{joined}}WHERE {_LIKE_ALL}{{more}} "
    "ORDER BY i.number DESC LIMIT %s"
    ") AS h JOIN messages AS m ON m.id = h.number JOIN sessions AS s ON s.id = m.sid"
    ") AS f ON true ORDER BY f.number DESC"
)
_JOINED = "JOIN messages AS m ON m.id = i.number JOIN sessions AS s ON s.id = m.sid "
_TITLES = (
    f"SELECT b.behind, f.session_id FROM (SELECT {BEHIND} AS behind) AS b LEFT JOIN ("
    f"SELECT s.session_id, s.last_activity_us, s.id FROM {_INDEXED.format(sign='<')} AS i "
    f"JOIN sessions AS s ON s.id = -i.number WHERE {_LIKE_ALL}{{more}} "
    "ORDER BY s.last_activity_us DESC, s.id DESC LIMIT %s"
    ") AS f ON true ORDER BY f.last_activity_us DESC, f.id DESC"
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A search: terms and tags, the sessions' own conditions, those of messages, how many."""

    terms: tuple[Term, ...]
    tags: tuple[str, ...]
    of_sessions: Mapping[str, bytes]
    times: Mapping[str, int]
    most: int
    ranked: bool

    def conditions(self) -> tuple[str, list[Any]]:
        """SQL and values for what else a message must be."""
        sql = [_OF_SESSIONS[name] for name in self.of_sessions] + list(self.times)
        values = [*self.of_sessions.values(), *self.times.values()]
        return "".join(f" AND {one}" for one in sql), values


def search(
    store: PostgresStore,
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
    terms = terms_of(checked_text(query, "query"))
    whole(limit, "limit", least=0)
    if order not in ("newest", "best"):
        raise Refused(f"order must be newest or best, not {short(str(order))}")
    if role is not None and role not in ROLES:
        raise Refused(f"role must be one of {', '.join(sorted(ROLES))}, not {short(str(role))}")
    named = (("session_id", session_id), ("owner", owner), ("llm_model", llm_model))
    of_sessions = {
        name: key_of(checked_text(value, name)) for name, value in named if value is not None
    }
    times = {
        f"{_TIME} {sign} %s": whole(value, name, least=-(2**63))
        for sign, name, value in ((">=", "after_us", after_us), ("<", "before_us", before_us))
        if value is not None
    }
    if not terms or not limit:
        return []
    ranked = order == "best"
    tags = () if role is None else (f"=r{role}",)
    most = RANKED if ranked else limit
    wanted = _Wanted(terms, tags, of_sessions, times, most, ranked)
    rows = _read(store, lambda db: _found(db, wanted), several=bool(of_sessions))
    if ranked:
        rows = best(rows, terms)[:limit]
    messages = decode_all([row[3:] for row in rows], store.where)
    return [
        Hit(row[2], message, _snippet(message, terms))
        for row, message in zip(rows, messages, strict=True)
    ]


def search_sessions(
    store: PostgresStore, query: str, *, limit: int = 100, owner: str | None = None
) -> list[SessionInfo]:
    """Sessions whose title has all words of a user's text, those last active first."""
    terms = terms_of(checked_text(query, "query"))
    whole(limit, "limit", least=0)
    owners = [] if owner is None else [key_of(checked_text(owner, "owner"))]
    if not terms or not limit:
        return []
    sql = _TITLES.format(more=" AND text_key(s.owner) = %s" if owners else "")
    given = (_query(terms, "'=t'"), _patterns(terms), *owners, limit)
    rows = _read(store, lambda db: _flagged(db, sql, given), several=False)
    found = [store.get(name) for (name,) in rows]
    return [one for one in found if one is not None]


def _read(
    store: PostgresStore, look: Callable[[Connection], _Read], *, several: bool
) -> list[_Row]:
    """The rows that ``look`` answers once nothing is stored that the index has not.

    Where that takes ``several`` statements, they see one moment.
    """

    def seen(db: Connection) -> _Read:
        with one_moment(db) if several else nullcontext():
            return look(db)

    behind, rows = store._read(seen)
    if behind:
        index.catch_up(store)
        behind, rows = store._read(seen)
    if behind:  # somebody goes on writing
        with suppress(Conflict):
            rows = store._write(lambda db: _at_one_moment(db, look))
    return rows


def _at_one_moment(db: Connection, look: Callable[[Connection], _Read]) -> list[_Row]:
    """Look at what the index has not, and read, as if nobody else were there.

    What was written since may not be left out: it may be what was there before, restored. Nobody
    else catches up meanwhile, and the moment is one after they have.
    """
    with transaction(db):
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.execute(index.ALONE)
        while index.look_within(db, index.ALL)[1]:
            pass
        return look(db)[1]


def _found(db: Connection, wanted: _Wanted) -> _Read:
    """The newest that are wanted: number, words, session, message."""
    sids = _sids(db, wanted.of_sessions) if wanted.of_sessions else None
    if sids == []:
        return False, []
    query = [_query(wanted.terms, *(f"'{tag}'" for tag in wanted.tags))]
    few = sids is not None and len(sids) <= _SIDS_MOST
    if few and sids is not None:
        query.append(" | ".join(f"'=s{sid}'" for sid in sids))
        wanted = replace(wanted, of_sessions={})
    if wanted.most <= _WALKED_MOST and not few:
        answer = _looked_up(db, wanted, _NEWEST, _SAMPLE)
        behind, rows = answer
        if behind or len(rows) >= wanted.most:
            return answer
        # Twice as many as should do, if those before are like these.
        window = 2 * _SAMPLE * wanted.most // max(len(rows), 1)
        if window <= _WALKED_MOST * 4:
            answer = _looked_up(db, wanted, _NEWEST, window)
            if answer[0] or len(answer[1]) >= wanted.most:
                return answer
    which = " & ".join(f"({one})" for one in query)
    return _looked_up(db, wanted, _INDEXED.format(sign=">"), which)


def _looked_up(db: Connection, wanted: _Wanted, of: str, which: int | str) -> _Read:
    more, values = wanted.conditions()
    patterns = [*(f"% {tag} %" for tag in wanted.tags), *_patterns(wanted.terms)]
    sql = _FOUND.format(
        words="i.words" if wanted.ranked else "NULL::text",
        of=of, joined=_JOINED if more else "", more=more,
    )  # fmt: skip
    return _flagged(db, sql, (which, patterns, *values, wanted.most))


def _flagged(db: Connection, sql: str, values: Sequence[Any]) -> _Read:
    """Whether the index was behind, and the rows; planned anew, as words differ by their number."""
    rows = db.execute(sql.encode(), values, prepare=False).fetchall()
    return rows[0][0], [row[1:] for row in rows if row[1] is not None]


def _sids(db: Connection, of_sessions: Mapping[str, bytes]) -> list[int]:
    """The sessions that are meant, no more of them than one more than can be named."""
    conditions = " AND ".join(_OF_SESSIONS[name] for name in of_sessions)
    sql = f"SELECT s.id FROM sessions AS s WHERE {conditions} LIMIT %s"
    return [sid for (sid,) in fetch(db, sql, (*of_sessions.values(), _SIDS_MOST + 1))]


def _query(terms: Sequence[Term], *tags: str) -> str:
    """A text of the type tsquery, by which the index finds at least what is wanted.

    Words have no quote and no backslash.
    """
    parts = dict.fromkeys(tags)
    for one in terms:
        *before, last = bounded(one.words).split(" ")
        parts |= dict.fromkeys(f"'{word}'" for word in before)
        parts[f"'{last}'{':*' if one.open_end else ''}"] = None
    return " & ".join(islice(parts, _WORDS_MOST))


def _patterns(terms: Sequence[Term]) -> list[str]:
    """What the words of a message are like; they have no sign that LIKE knows."""
    return [f"% {bounded(one.words)}{'' if one.open_end else ' '}%" for one in terms]


def best(rows: Sequence[_Row], terms: Sequence[Term]) -> list[_Row]:
    """The rows by BM25, the best first. All have all terms, so each term counts alike."""
    texts = [f" {str(row[1]).replace(' ', '  ')} " for row in rows]  # so that none overlap
    wanted = [f" {one.words.replace(' ', '  ')}{'' if one.open_end else ' '}" for one in terms]
    average = max(1.0, fmean(map(len, texts)) if texts else 1.0)

    def score(text: str) -> float:
        length = 1 - _BM25_LENGTH + _BM25_LENGTH * len(text) / average
        counts = (text.count(one) for one in wanted)
        return sum(count / (count + _BM25_REPEAT * length) for count in counts)

    scored = sorted(zip(map(score, texts), rows, strict=True), key=lambda one: -one[0])
    return [row for _, row in scored]


def _snippet(message: Message, terms: Sequence[Term]) -> str:
    content = message.content
    if type(content) is not str:
        content = texts_in(message.arguments if content is None else content)
    return snippet(content, terms)
