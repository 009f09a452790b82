"""What statements read of the tables: the rows that they need, by their index, and no more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from sessionproof import Message, Refused
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.statements import key_of, split_id
from sessionproof.reference.postgres.store import PostgresStore

_SESSIONS, _MESSAGES = 400, 1_200
_ROWS_MOST = 40
_SETTLED = 12  # calls, until the driver has prepared a statement, and the server has one plan
_READ = (
    "SELECT relname, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables "
    "WHERE schemaname = current_schema AND relname IN ('sessions', 'messages', 'state')"
)

Calls = Callable[[PostgresStore, int], object]

CALLS: dict[str, Calls] = {
    "append": lambda store, _: store.append("long", [Message("user", "x", tokens=1)]),
    "batch": lambda store, _: store.append("long", [Message("user", "x")] * 3),
    "pop_last": lambda store, _: store.pop_last("long"),
    "delete_message by an own id": lambda store, n: store.delete_message("long", f"id-{n}"),
    "delete_message by its number": lambda store, n: store.delete_message(
        "long", named(store, 800 + n)
    ),
    "edit_message": lambda store, n: store.edit_message(
        "long", f"id-{600 + n}", Message("user", "y", tokens=n)
    ),
    "read_last": lambda store, _: store.read_last("long", 5),
    "page": lambda store, n: store.page("long", cursor=named(store, 500 + n), limit=5),
    "count": lambda store, _: store.count("long"),
    "get": lambda store, _: store.get("long"),
    "create": lambda store, n: store.create(f"new-{n}"),
    "update": lambda store, n: store.update("long", title=f"{n}", llm_model=f"m{n}"),
    "delete": lambda store, n: store.delete(f"s{n}"),
    "clear": lambda store, n: store.clear(f"s{100 + n}"),
    "replace": lambda store, n: store.replace(f"s{200 + n}", [Message("user", "y")]),
    "set_state": lambda store, n: store.set_state("long", f"k{n}", n),
    "get_state": lambda store, n: store.get_state("long", f"k{n}"),
    "touch": lambda store, _: store.touch("long"),
    "set_limits": lambda store, n: store.set_limits(f"s{300 + n}", idle_us=10**15),
    "set_status": lambda store, n: store.set_status("long", "paused" if n % 2 else "active"),
    "sweep": lambda store, _: store.sweep(),
}


def named(store: PostgresStore, number: int) -> str:
    """The id that a message of this number has."""
    first = store.read_last("long", 1)[0].id
    return f"{str(first).partition('.')[0]}.{number}"


@pytest.fixture(scope="module")
def grown(server: Any) -> Any:
    """Many short sessions and a long one, in tables of which the server has no statistics.

    Triggers have their plans from when the tables were small.
    """
    with PostgresStore(url=server.url, schema="test_grown", preset="cli") as store:
        store._write(lambda db: db.execute("ALTER TABLE messages SET (autovacuum_enabled = off)"))
        store._write(lambda db: db.execute("ALTER TABLE sessions SET (autovacuum_enabled = off)"))
        store.append("first", [Message("user", "x")] * 300)
        store.clear("first")
        for number in range(_SESSIONS):
            store.append(f"s{number}", [Message("user", "x", tokens=1)])
        own = (None if n >= 700 else f"id-{n}" for n in count())
        for _ in range(_MESSAGES // 100):
            store.append("long", [Message("user", "x", id=next(own)) for _ in range(100)])
        yield store


def rows_read(db: Connection) -> dict[str, int]:
    """How many rows were read of each table until now."""
    db.execute("SELECT pg_stat_force_next_flush()")
    return {name: scanned + fetched for name, scanned, fetched in db.execute(_READ).fetchall()}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_reads_few_rows_whatever_is_stored(grown: PostgresStore, call: Calls) -> None:
    """Neither a long session nor many sessions are read for a call that needs one row."""
    numbers = count(1)
    for _ in range(_SETTLED):
        call(grown, next(numbers))
    before = grown._read(rows_read)
    call(grown, next(numbers))
    after = grown._read(rows_read)
    assert all(after[name] - before[name] <= _ROWS_MOST for name in after), (before, after)


def test_the_key_is_that_of_the_server(store: PostgresStore) -> None:
    """Texts are found by the digest that SQL has for them, however long they are."""
    for text in ("", "a", "ü\n", "x" * 100_000, "\U0001f600"):
        assert store._read(
            lambda db, text=text: db.execute("SELECT text_key(%s)", (text,)).fetchone()
        ) == (key_of(text),)


@pytest.mark.parametrize(
    "name", ["", "x", "0123456789abcde.1", "0123456789abcdef.0", "0123456789abcdef.01",
             "0123456789ABCDEF.1", "0123456789abcdef.1 ", "0123456789abcdef." + "9" * 19],
)  # fmt: skip
def test_what_is_no_id_of_ours_is_none(store: PostgresStore, name: str) -> None:
    """Only ids of the form tag.number are taken apart; others are ids like any."""
    assert split_id(name) == (None, None)
    store.append("a", [Message("user", "x", id=name or "empty")])
    with pytest.raises(Refused):
        store.page("a", cursor=name)


def test_ids_of_another_life_name_nothing(store: PostgresStore) -> None:
    """A session that is made anew has other ids, so an old one does not meet a new message."""
    old = store.append("a", [Message("user", "x")]).ids[0]
    cursor = store.page("a", limit=1).next or old
    store.delete("a")
    store.append("a", [Message("user", "y"), Message("user", "z")])
    with pytest.raises(Refused, match="has no message"):
        store.delete_message("a", old)
    with pytest.raises(Refused, match="was deleted"):
        store.page("a", cursor=cursor)
    assert [one.content for one in store.read("a")] == ["y", "z"]
