"""The index of words, brought up to what is stored: by a search that finds it behind, or by upkeep.

Whoever catches up locks the row of the rule, so others that search wait, and then see what it did.
Writers wait for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sessionproof.reference.finding.index import text_of
from sessionproof.reference.finding.words import FOLDING, words
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.postgres.statements import change, fetch

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

Entry: TypeAlias = "tuple[int, str]"
"""A row of the index: number, words with tags before them."""

MOST = 500
"""Messages that are looked at in one transaction."""

BEHIND = (
    "(EXISTS (SELECT FROM search_again) "
    f"OR NOT EXISTS (SELECT FROM search_rule WHERE folding = {FOLDING}))"
)
"""SQL: whether something is stored that the index has not."""

ALL = 2**63 - 1

ALONE = "LOCK TABLE search_rule IN EXCLUSIVE MODE"
"""Waits for all who catch up, and lets nobody begin, without settling which moment is seen."""

_MOST_BYTES = 2_000_000
_WORD_BYTES = 2_000  # PostgreSQL takes 2,046
_WORDS_BYTES = 900_000  # different ones; it takes 1 MiB
_SHORT = 200  # letters: a text of so few is within all bounds

_RULE = "SELECT folding FROM search_rule FOR UPDATE"
_SET_RULE = (
    f"INSERT INTO search_rule VALUES (1, {FOLDING}) "
    "ON CONFLICT (one) DO UPDATE SET folding = excluded.folding"
)
_LIST_ALL = (
    "INSERT INTO search_again SELECT id FROM messages "
    "UNION ALL SELECT -id FROM sessions WHERE title IS NOT NULL "
    "UNION ALL SELECT number FROM search_index"
)
# What is listed may be gone, and have been newer than all that is there.
_NEWEST = (
    "SELECT greatest((SELECT max(id) FROM messages), (SELECT max(number) FROM search_again), 0)"
)
_LISTED = "SELECT ctid, number FROM search_again WHERE number <= %s LIMIT %s"
_TAKE_OFF = "DELETE FROM search_again WHERE ctid = ANY(%s::tid[])"
_SIZES = (
    "SELECT id, coalesce(octet_length(coalesce(content, content_json, arguments)), 0) "
    "FROM messages WHERE id = ANY(%s)"
)
_MESSAGES = (
    "SELECT id, sid, role, content, content_json, "
    "CASE WHEN content IS NULL AND content_json IS NULL THEN arguments END FROM messages"
)
_TITLES = "SELECT -id, title FROM sessions WHERE title IS NOT NULL"
_PUT = "INSERT INTO search_index SELECT * FROM unnest(%s::bigint[], %s::text[])"
_REMOVE = "DELETE FROM search_index WHERE number = ANY(%s)"


def catch_up(store: PostgresStore) -> int:
    """Bring the index up to what is stored now.

    Answers how many messages and titles were looked at: in transactions of a few hundred. Who
    writes faster than we look does not keep us for ever.
    """
    ((newest,),) = store._read(lambda db: fetch(db, _NEWEST, ()))
    looked_at, more = 0, True
    while more:
        number, more = store._write(lambda db: look(db, newest))
        looked_at += number
    return looked_at


def look(db: Connection, upto: int) -> tuple[int, bool]:
    """Look at the next of what is listed up to a number, in one transaction.

    Answers how many were looked at, and whether there may be more.
    """
    with transaction(db):
        return look_within(db, upto)


def look_within(db: Connection, upto: int) -> tuple[int, bool]:
    """The same within the transaction under way."""
    if fetch(db, _RULE, ()) != [(FOLDING,)]:
        _begin_anew(db)
    listed = fetch(db, _LISTED, (upto, MOST))
    some = listed[: _as_many_as_fit(db, [number for _, number in listed])]
    change(db, _TAKE_OFF, ([place for place, _ in some],))
    numbers = {number for _, number in some}
    found = list(entries(db, numbers))
    # Not put over what is there: where others took that out since our moment, this is told by it.
    change(db, _REMOVE, (list(numbers),))
    if found:
        change(db, _PUT, [list(column) for column in zip(*found, strict=True)])
    return len(some), len(some) < len(listed) or len(listed) == MOST


def entries(db: Connection, numbers: set[int]) -> Iterator[Entry]:
    """What the index should have of these messages and titles; nothing of those that are gone."""
    messages = [number for number in numbers if number > 0]
    titles = [-number for number in numbers if number < 0]
    if messages:
        rows = fetch(db, f"{_MESSAGES} WHERE id = ANY(%s) ORDER BY id", (messages,))
        yield from map(_of_message, rows)
    if titles:
        yield from map(_of_title, fetch(db, f"{_TITLES} AND id = ANY(%s)", (titles,)))


def all_entries(db: Connection) -> Iterator[Entry]:
    """What the index should have of everything, by rising numbers, without keeping it at once."""
    for sql, entry in (
        (f"{_TITLES} ORDER BY id DESC", _of_title), (f"{_MESSAGES} ORDER BY id", _of_message)
    ):  # fmt: skip
        with db.cursor("sessionproof_stored") as cursor:
            cursor.itersize = 1_000
            yield from map(entry, cursor.execute(sql))


def bounded(text: str) -> str:
    """Words as PostgreSQL takes them: those too long cut, and no more than it has room for.

    What is cut off is not found: words after different ones of 900,000 bytes in all.
    """
    if len(text) <= _SHORT:
        return text
    kept: list[str] = []
    sizes: dict[str, int] = {}
    room = _WORDS_BYTES
    for word in text.split(" "):
        cut = word if len(word) <= _SHORT else _cut(word)
        if cut not in sizes:
            sizes[cut] = len(cut.encode())
            room -= sizes[cut]
        if room < 0:
            break
        kept.append(cut)
    return " ".join(kept)


def _cut(word: str) -> str:
    return word.encode()[:_WORD_BYTES].decode(errors="ignore")


def _begin_anew(db: Connection) -> None:
    """List everything; what is in the index stays until it is looked at."""
    change(db, "DELETE FROM search_again", ())
    change(db, _LIST_ALL, ())
    change(db, _SET_RULE, ())


def _as_many_as_fit(db: Connection, numbers: Sequence[int]) -> int:
    """How many of the first are looked at in one transaction: at least one."""
    sizes = dict(fetch(db, _SIZES, (numbers,)))
    room = _MOST_BYTES
    for place, number in enumerate(numbers):
        room -= sizes.get(number, 0)
        if room < 0:
            return max(place, 1)
    return len(numbers)


def _of_message(row: tuple[Any, ...]) -> Entry:
    number, sid, role, *texts = row
    tags = f"=s{sid}" if role is None else f"=s{sid} =r{role}"
    return number, f"{tags} {bounded(words(text_of(*texts)))}".rstrip(" ")


def _of_title(row: tuple[Any, ...]) -> Entry:
    number, title = row
    return number, f"=t {bounded(words(title))}".rstrip(" ")
