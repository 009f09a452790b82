"""Where sessions belong, how servers become one store, and what a change of them does."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.reference.postgres.shards.layout import Layout, first_layout, home_of
from sessionproof.reference.postgres.statements import key_of
from sessionproof.reference.postgres.store import PostgresStore

Spread = Callable[..., ShardedStore]

_KEYS = [hashlib.sha256(str(number).encode()).digest() for number in range(4000)]


def test_home_sql(server: PrivateServer, store: PostgresStore) -> None:
    """SQL and Python name the same home for every session, so what is made fits what is asked."""
    names = ["s1", "s2", "s3", "s9", "ä"]
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"SET search_path = {store.schema}")
        rows = db.execute(
            "SELECT key, home_of(key, %s) FROM unnest(%s::bytea[]) AS t (key)",
            (json.dumps(names), _KEYS[:500]),
        ).fetchall()
    assert len(rows) == 500
    assert all(home == home_of(key, names) for key, home in rows)


def test_share() -> None:
    """Each server has its share, and a further one takes a share from each and moves no other."""
    layout = first_layout(["postgresql://a/x", "postgresql://b/x", "postgresql://c/x"])
    name, more = layout.with_server("postgresql://d/x")
    before, after = [layout.home(key) for key in _KEYS], [more.home(key) for key in _KEYS]
    assert all(900 < count < 1800 for count in Counter(before).values())
    assert {now for was, now in zip(before, after, strict=True) if was != now} == {name}
    assert 800 < after.count(name) < 1200
    assert {*before} == {was for was, now in zip(before, after, strict=True) if was != now}


def test_names_are_new() -> None:
    """A server never gets a name that another one had, so nobody takes the one for the other."""
    layout = first_layout([f"postgresql://host{number}/x" for number in range(3)])
    seen = {*layout.servers}
    for _ in range(20):
        name, layout = layout.with_server("postgresql://new/x")
        assert name not in seen
        seen.add(name)
        layout = layout.settled().without_server(name).settled()


def test_waves() -> None:
    """All are asked in the order in which sessions move, so none slips through."""
    addresses = {name: f"postgresql://{name}/x" for name in ("a", "b", "c")}
    assert Layout(3, "x", addresses, ("a", "b", "c")).waves == (("a", "b", "c"),)
    assert Layout(4, "x", addresses, ("a", "b", "c"), ("a", "b")).waves == (("a", "b"), ("c",))
    assert Layout(4, "x", addresses, ("a", "c"), ("a", "b", "c")).waves == (("b",), ("a", "c"))


def test_address_may_change(spread: Spread, databases: list[str]) -> None:
    """A server is told by its name, so it may be reached under another address."""
    first = spread()
    first.append("a", [Message("user", "hello")])
    others = [f"{url}&application_name=other" for url in databases[:3]]
    assert [one.content for one in spread(others).read("a")] == ["hello"]


def test_some_addresses_do(spread: Spread, databases: list[str]) -> None:
    """Who names one server finds the others, as each knows them all."""
    first = spread()
    for number in range(20):
        first.append(f"s{number}", [Message("user", "hello")])
    assert sorted(spread(databases[1:2]).list()) == sorted(first.list())


def test_other_stores(spread: Spread, databases: list[str], schema: str) -> None:
    """Servers of two stores, and those that hold something, are refused before anything is done."""
    spread(databases[:2])
    spread(databases[2:4])
    with pytest.raises(Refused, match="different stores"):
        spread(databases[:3])
    with pytest.raises(Refused, match="sessionproof shards add"):
        spread([databases[0], databases[4]])
    with PostgresStore(url=databases[4], schema=schema) as alone:
        alone.append("mine", [Message("user", "hello")])
    with pytest.raises(Refused, match="holds sessions already"):
        spread(databases[:2]).add_server(databases[4])


def test_grows_from_one(spread: Spread, databases: list[str], schema: str) -> None:
    """A store that was on one server is spread over more, and keeps all that it had."""
    with PostgresStore(url=databases[0], schema=schema) as alone:
        for number in range(40):
            alone.append(f"s{number}", [Message("user", f"text {number}")])
    store = spread(databases[:1])
    moved = store.add_server(databases[1])
    assert 0 < moved < 40
    assert [one.sessions for one in store.servers().servers] == [40 - moved, moved]
    assert all(store.read(f"s{number}")[0].content == f"text {number}" for number in range(40))
    assert store.verify().ok


def test_nothing_is_made_elsewhere(spread: Spread, databases: list[str], schema: str) -> None:
    """A server refuses a session that belongs to another one, whoever writes it."""
    store = spread()
    layout = store._servers.layout
    home = layout.home(key_of("mine"))
    elsewhere = next(name for name in layout.servers if name != home)
    with (
        PostgresStore(url=layout.addresses[elsewhere], schema=schema) as plain,
        pytest.raises(Refused, match="belongs to another server"),
    ):
        plain.append("mine", [Message("user", "hello")])
    assert store.list() == []


def test_verify_finds_strays(spread: Spread, schema: str) -> None:
    """A session on a server where it does not belong is found, however it came there."""
    store = spread()
    store.append("mine", [Message("user", "hello")])
    layout = store._servers.layout
    elsewhere = next(name for name in layout.servers if name != layout.home(key_of("mine")))
    with psycopg.connect(layout.addresses[elsewhere], autocommit=True) as db:
        db.execute(f"SET search_path = {schema}")
        db.execute("ALTER TABLE sessions DISABLE TRIGGER sessions_before_insert_home")
        db.execute(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us) "
            "VALUES ('mine', 1, 1)"
        )
        db.execute("ALTER TABLE sessions ENABLE TRIGGER sessions_before_insert_home")
    assert any("belongs to another server" in one for one in store.verify().problems)


def test_models_everywhere(spread: Spread) -> None:
    """A model that a session on any server names is not forgotten on any."""
    store = spread()
    for number in range(12):
        store.create(f"s{number}", llm_model="model" if number == 7 else None)
    store.add_llm_model("model")
    with pytest.raises(Refused, match="sessions name this model"):
        store.delete_llm_model("model")
    store.set_llm_model("s7", None)
    store.delete_llm_model("model")


def test_staged_columns(server: PrivateServer, store: PostgresStore) -> None:
    """What arrives has room for every column that there is, so none is lost on the way."""
    own = {"id", "sid", "llm_model_id"}
    added = {"session_key", "llm_model", "place"}
    with psycopg.connect(server.url, autocommit=True) as db:
        rows = db.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = %s", (store.schema,),
        ).fetchall()  # fmt: skip
    for table in ("sessions", "messages", "state", "snapshots"):
        there = {column for name, column in rows if name == table}
        staged = {column for name, column in rows if name == f"arriving_{table}"}
        assert there - own == staged - added, table


def test_slower_of_two(
    spread: Spread, databases: list[str], schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two who add a server each at once the slower is refused, and takes nobody for his own."""
    faster, slower = spread(), spread()
    decide = slower._servers.decide

    def later(layout: Layout, keeper: str, *, since: int) -> bool:
        faster.add_server(databases[3])
        return decide(layout, keeper, since=since)

    monkeypatch.setattr(slower._servers, "decide", later)
    with pytest.raises(Refused, match="somebody else"):
        slower.add_server(databases[4])
    for number in range(20):
        slower.append(f"s{number}", [Message("user", "hello")])
    assert len(faster.list()) == len(slower.list()) == 20
    with psycopg.connect(databases[4], autocommit=True) as db:
        assert db.execute(f"SELECT * FROM {schema}.layout").fetchall() == []


def test_server_that_was_not_told(
    spread: Spread, databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change does not end before every server has heard of it, so nothing stays behind."""
    store = spread()
    names = [f"s{number}" for number in range(40)]
    for name in names:
        store.append(name, [Message("user", "hello")])
    write = store._servers._write

    def deaf(layout: Layout, name: str, **wanted: Any) -> bool:
        if name == "s2":
            raise Refused("another connection holds a lock")
        return write(layout, name, **wanted)

    with monkeypatch.context() as patched:
        patched.setattr(store._servers, "_write", deaf)
        with pytest.raises(Refused, match="holds a lock"):
            store.add_server(databases[3])
    assert store.servers().changing
    store.finish_change()
    assert all(spread().read(name) for name in names)
    assert store.verify().problems == ()


def test_told_by_address(spread: Spread) -> None:
    """A server is told by its address, too, whose password is never shown."""
    store = spread()
    address = store._servers.layout.addresses["s3"]
    with pytest.raises(Refused) as refused:
        store.remove_server("postgresql://me:secret@nowhere/x")
    assert "secret" not in str(refused.value)
    store.remove_server(f"{address}&password=secret")
    assert [one.name for one in store.servers().servers] == ["s1", "s2"]
