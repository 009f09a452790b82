"""The reference on PostgreSQL beside raw statements: what each call does, ready to be measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from psycopg_pool import ConnectionPool

from sessionproof import Message
from sessionproof.contract.clock import SystemClock, monotonic_ns
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.claimed import Durability
from sessionproof.reference.codec import encode_all
from sessionproof.reference.postgres import statements
from sessionproof.reference.postgres.pool import Connection, connect, set_up
from sessionproof.reference.postgres.store import PostgresStore

Calls = Mapping[str, Callable[[], Any]]
"""The public call as ``store``, and raw ones, by name."""

TEXT = "x" * 500
now_us = SystemClock().now_us
_TICKS = os.sysconf("SC_CLK_TCK")

_BARE = """
CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL UNIQUE,
    next_seq bigint NOT NULL DEFAULT 1,
    message_count bigint NOT NULL DEFAULT 0,
    total_tokens bigint NOT NULL DEFAULT 0,
    last_activity_us bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE TABLE messages (
    sid bigint NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    role text, content text, tokens bigint, created_at_us bigint,
    PRIMARY KEY (sid, seq)
);
"""
_COUNTED = (
    "WITH u AS (UPDATE sessions SET next_seq = next_seq + %s, message_count = message_count + %s, "
    "total_tokens = total_tokens + %s, last_activity_us = %s WHERE session_id = %s "
    "RETURNING id, next_seq) INSERT INTO messages (sid, seq, role, content, tokens, created_at_us) "
)
BARE_ONE = _COUNTED + "SELECT id, next_seq - 1, %s, %s, %s, %s FROM u RETURNING seq"
BARE_SOME = _COUNTED + (
    "SELECT id, next_seq - %s + place - 1, v.role, v.content, v.tokens, v.at FROM u, "
    "unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) WITH ORDINALITY "
    "AS v (role, content, tokens, at, place) ORDER BY place RETURNING seq"
)


def messages(number: int) -> list[Message]:
    """So many of 500 bytes."""
    return [Message("user", TEXT, tokens=3)] * number


@contextmanager
def pool(
    url: str, schema: str, *, synchronous: bool, most: int = 2
) -> Iterator[ConnectionPool[Connection]]:
    """The pool of psycopg, its connections set up as the store's are."""

    def configure(db: Connection) -> None:
        set_up(db, schema, synchronous=synchronous)

    with ConnectionPool[Connection](
        url, min_size=most, max_size=most, kwargs={"autocommit": True}, configure=configure
    ) as made:
        made.wait()
        yield made


def bare_schema(url: str, schema: str, sessions: Iterable[str]) -> None:
    """Sessions with counters and their messages, and nothing that guards them."""
    with connect(url, schema, synchronous=False) as db:
        db.execute(f'CREATE SCHEMA "{schema}"')
        db.execute(_BARE)
        for name in sessions:
            db.execute("INSERT INTO sessions (session_id) VALUES (%s)", (name,))


def bare_values(name: str, number: int) -> tuple[str, tuple[Any, ...]]:
    """The statement that appends so many messages to a session of the bare schema."""
    now = now_us()
    counted = (number, number, 3 * number, now, name)
    if number == 1:
        return BARE_ONE, (*counted, "user", TEXT, 3, now)
    columns = (["user"] * number, [TEXT] * number, [3] * number, [now] * number)
    return BARE_SOME, (*counted, number, *columns)


@contextmanager
def appends(url: str, durability: Durability, number: int) -> Iterator[Calls]:
    """The public append of so many messages, its statement alone, and the bare one."""
    name, synchronous = f"a{number}_{durability}", durability == "power"
    batch = messages(number)
    rows, key = encode_all(batch), statements.key_of("raw")
    with ExitStack() as stack:
        store = stack.enter_context(PostgresStore(url=url, schema=name, durability=durability))
        for session in ("public", "raw"):
            store.append(session, batch)
        bare_schema(url, f"{name}_bare", ["raw"])
        same = stack.enter_context(pool(url, name, synchronous=synchronous))
        bare = stack.enter_context(pool(url, f"{name}_bare", synchronous=synchronous))

        def raw() -> None:
            with same.connection() as db:
                statements.insert(db, key, rows, now_us())

        def least() -> None:
            with bare.connection() as db:
                db.execute(*bare_values("raw", number)).fetchall()

        yield {"store": lambda: store.append("public", batch), "same": raw, "bare": least}


@contextmanager
def reads(url: str, sizes: Iterable[int]) -> Iterator[dict[str, Calls]]:
    """Each read of a session beside its own statement, and searches of stores of these sizes."""
    with ExitStack() as stack:
        arms: dict[str, Calls] = {}
        for size in sizes:
            schema = f"r{size}"
            store = stack.enter_context(PostgresStore(url=url, schema=schema))
            filled(store, size)
            raw = stack.enter_context(pool(url, schema, synchronous=False))
            if not arms:
                arms |= reads_of(store, raw)
            arms[f"search, newest 100 of {size:,}"] = search_of(store, raw)
        yield arms


def filled(store: PostgresStore, size: int) -> None:
    """Append so many messages in sessions of a thousand; every tenth has the word that is sought.

    The server is told how many there are, as it would find out by itself in time.
    """
    batch = [
        Message("user", f"{TEXT} {'sought' if place % 10 == 0 else 'other'}", tokens=3)
        for place in range(500)
    ]
    for start in range(0, size, 500):
        store.append(f"s{start // 1_000}", batch)
    store.search("sought")
    with connect(store.url, store.schema, synchronous=False) as db:
        db.execute("VACUUM (ANALYZE)")


def reads_of(store: PostgresStore, raw: ConnectionPool[Connection]) -> dict[str, Calls]:
    """``get``, the last fifty, and a page of fifty, of a session with a thousand messages."""
    key = statements.key_of("s0")

    def arm(call: Callable[[], Any], sql: str, *values: Any) -> Calls:
        def fetch() -> None:
            with raw.connection() as db:
                statements.fetch(db, sql, values)

        return {"store": call, "same": fetch}

    first = store.page("s0", limit=50)
    return {
        "get": arm(lambda: store.get("s0"), statements.GET, now_us(), key),
        "read_last(50)": arm(lambda: store.read_last("s0", 50), statements.READ_LAST, key, 50),
        "page of 50": arm(
            lambda: store.page("s0", cursor=first.next, limit=50), statements.READ_PAGE, key, 50, 51
        ),
    }


def search_of(store: PostgresStore, raw: ConnectionPool[Connection]) -> Calls:
    """The newest hundred of a word that is frequent, beside the least statement that finds them."""
    sql = (
        "SELECT m.id, m.role, m.content, s.session_id FROM (SELECT number FROM search_index "
        "WHERE number > 0 AND words LIKE '%sought%' ORDER BY number DESC LIMIT 100) AS i "
        "JOIN messages AS m ON m.id = i.number JOIN sessions AS s ON s.id = m.sid"
    )

    def fetch() -> None:
        with raw.connection() as db:
            if len(db.execute(sql).fetchall()) != 100:
                raise AssertionError("the raw statement did not find a hundred")

    return {"store": lambda: store.search("sought", limit=100), "same": fetch}


def updates_in_place(url: str, schema: str) -> tuple[int, int, int]:
    """Updates of sessions, those of them in place (HOT), and the table's size in bytes."""
    with connect(url, schema, synchronous=False) as db:
        db.execute("SELECT pg_stat_force_next_flush()")
        found = db.execute(
            "SELECT n_tup_upd, n_tup_hot_upd, pg_relation_size(relid) "
            "FROM pg_stat_user_tables WHERE schemaname = %s AND relname = 'sessions'",
            (schema,),
        ).fetchone()
    assert found is not None
    return found


def cpu_s(server: PrivateServer) -> float:
    """Seconds of processor that all processes of the server have had so far."""
    assert server.pid is not None
    spent = _ticks(server.pid, children=True)
    for one in Path("/proc").iterdir():
        if one.name.isdecimal() and _parent(int(one.name)) == server.pid:
            spent += _ticks(int(one.name), children=False)
    return spent / _TICKS


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended, and counts as its parent's
        return []


def _parent(pid: int) -> int:
    found = _stat(pid)
    return int(found[1]) if found else 0


def _ticks(pid: int, *, children: bool) -> int:
    found = _stat(pid)
    return sum(map(int, found[11 : 15 if children else 13]))


def milliseconds(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6
