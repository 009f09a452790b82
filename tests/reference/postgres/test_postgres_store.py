"""What the store on PostgreSQL does otherwise than the one on SQLite, or must do all the same."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sessionproof import Location, Message, NotRepresentable, Refused
from sessionproof.contract.lookup import StoreNotFound, spec_of
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres import AsyncPostgresStore, async_store_at
from sessionproof.reference.postgres.address import schema_of
from sessionproof.reference.postgres.store import PostgresStore


@pytest.fixture
def drops(server: PrivateServer) -> Iterator[Callable[[str], None]]:
    """Names schemas that are dropped at the end."""
    names: list[str] = []
    yield names.append
    with psycopg.connect(server.url, autocommit=True) as db:
        for name in names:
            db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "b\udfff"], ids=ascii)
def test_texts_that_the_server_does_not_take_are_told(store: PostgresStore, text: str) -> None:
    """NUL and lone surrogates are not representable, wherever they stand; nothing is stored."""
    calls: list[Callable[[], object]] = [
        lambda: store.append("a", [Message("user", text)]),
        lambda: store.append("a", [Message("user", "x"), Message("user", text)]),
        lambda: store.append("a", [Message("user", "x", id=text)]),
        lambda: store.append(text, [Message("user", "x")]),
        lambda: store.create("a", title=text),
        lambda: store.create("a", messages=[Message("user", text)]),
        lambda: store.set_state("a", text, 1),
        lambda: store.set_llm_model("a", text),
        lambda: store.add_llm_model(text),
    ]
    for call in calls:
        with pytest.raises(Refused) as raised:
            call()
        assert isinstance(raised.value, NotRepresentable) or "NotFound" in repr(raised.value)
    assert store.list() == []
    store.append("a", [Message("user", "x")])
    assert store.count("a") == 1


def test_json_comes_back_as_it_was(store: PostgresStore) -> None:
    """Numbers keep their form, keys their order, and texts in it may hold what JSON can escape."""
    value = {"b": 1.0, "a": [1e300, -0.0, 10**30, 0.1], "text": "a\0", "": None}
    store.append("a", [Message("tool", value, metadata={"z": 1, "a": "\0"})])
    store.set_state("a", "k", value)
    found = store.read("a")[0]
    assert repr(found.content) == repr(value)
    assert list(found.metadata or {}) == ["z", "a"]
    assert repr(store.get_state("a", "k")) == repr(value)


def test_ids_may_be_long(store: PostgresStore) -> None:
    """An id that no index could hold is an id as any other, and not the one that it begins like."""
    long = "x" * 300_000
    store.append(long, [Message("user", "x", id=long)])
    store.append(f"{long}y", [Message("user", "y", id=f"{long}y")])
    store.set_state(long, long, 1)
    assert [one.content for one in store.read(long)] == ["x"]
    store.delete_message(long, long)
    assert (store.count(long), store.count(f"{long}y")) == (0, 1)
    assert store.get_state(long, long) == 1


def test_a_location_is_a_schema(
    server: PrivateServer, tmp_path: Path, drops: Callable[[str], None]
) -> None:
    """The same folder is the same data, another folder is other data, and nothing is in either."""
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
        drops(schema_of(place))
        with PostgresStore(place, url=server.url, preset="cli") as store:
            store.append("a", [Message("user", place.name)])
    for place in places:
        with PostgresStore(Location(place), url=server.url, preset="cli") as store:
            assert [one.content for one in store.read("a")] == [place.name]
        assert list(place.iterdir()) == []


def test_the_settings_of_the_role_do_not_matter(
    server: PrivateServer, drops: Callable[[str], None]
) -> None:
    """Whatever search path, isolation or format a role has set, the store has its own."""
    schema = "test_settings"
    drops(schema)
    options = (
        "-c%20search_path%3Dpg_catalog%20-c%20default_transaction_isolation%3Dserializable"
        "%20-c%20datestyle%3DGerman%20-c%20bytea_output%3Descape%20-c%20synchronous_commit%3Doff"
        "%20-c%20client_encoding%3DLATIN1%20-c%20extra_float_digits%3D0"
    )
    with PostgresStore(url=f"{server.url}&options={options}", schema=schema) as store:
        store.append("a", [Message("user", "€", tokens=3), Message("user", {"x": 0.1})])
        assert [one.content for one in store.read("a")] == ["€", {"x": 0.1}]
        shown = store._read(
            lambda db: db.execute(
                "SELECT current_setting('synchronous_commit'), "
                "current_setting('transaction_isolation'), current_schema"
            ).fetchone()
        )
    assert shown == ("on", "read committed", schema)


def test_durability_is_that_of_the_commit(opened: Callable[..., PostgresStore]) -> None:
    """With ``process`` the server acknowledges before it wrote, and the claim says so."""
    seen = {}
    for durability in ("power", "process"):
        store = opened(durability=durability)
        seen[durability] = store._read(
            lambda db: db.execute("SELECT current_setting('synchronous_commit')").fetchone()[0]
        )
        assert store.claims.durability == durability
    assert seen == {"power": "on", "process": "off"}
    with pytest.raises(ValueError, match="must be one of power, process"):
        opened(durability="power-strict")


def test_a_closed_store_refuses(store: PostgresStore) -> None:
    """Closing twice does no harm, and every call says that it is closed."""
    store.append("a", [Message("user", "x")])
    store.close()
    store.close()
    for call in (lambda: store.append("a", [Message("user", "y")]), lambda: store.read("a")):
        with pytest.raises(Refused, match="closed"):
            call()


def test_a_forked_child_refuses_and_harms_nobody(store: PostgresStore) -> None:
    """The child is told to open a handle of its own; the parent's connections go on."""
    store.append("a", [Message("user", "before")])
    child = os.fork()
    if not child:
        code = 1
        try:
            store.append("a", [Message("user", "of the child")])
        except Refused as error:
            code = 0 if "fork" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.append("a", [Message("user", "after")])
    assert [one.content for one in store.read("a")] == ["before", "after"]


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Where nothing listens, opening says so, and names the place."""
    with pytest.raises(Refused) as raised:
        PostgresStore(tmp_path, url=f"postgresql://me@/nothing?host={tmp_path}")
    text = str(raised.value)
    assert "\n" not in text
    assert str(tmp_path) in text


def test_a_store_behind_async_def(server: PrivateServer, drops: Callable[[str], None]) -> None:
    """Tasks share one handle; what they append is there once, and closing twice does no harm."""
    drops("test_async")

    async def use() -> None:
        async with AsyncPostgresStore(url=server.url, schema="test_async") as store:
            said = (store.append("a", [Message("user", f"{n}")]) for n in range(40))
            receipts = await asyncio.gather(*said)
            assert sorted(one.seqs[0] for one in receipts) == list(range(1, 41))
            assert len(await store.read("a")) == 40
        await store.close()
        with pytest.raises(Refused, match="closed"):
            await store.read("a")

    asyncio.run(use())


def test_the_factory_of_the_store_behind_async_def(
    server: PrivateServer, tmp_path: Path, drops: Callable[[str], None]
) -> None:
    """A user's module needs one line; the factory says what it claims, and where else it opens."""
    drops(schema_of(tmp_path))
    spec = spec_of("chat:store", async_store_at(server.url))
    assert spec.claims == AsyncPostgresStore.claims
    assert spec.takes_clock
    assert spec.for_server is not None

    async def use() -> int:
        store: Any = spec.for_server(server.url)(Location(tmp_path))  # type: ignore[misc]
        async with store:
            await store.append("a", [Message("user", "x")])
            return await store.count("a")

    assert asyncio.run(use()) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://a@one/x,postgresql://a@two/x", "name one server"),
        ("postgresql://a@one/x?colour=red", "no address of a server"),
    ],
)
def test_what_names_no_one_server_is_refused(url: str, said: str) -> None:
    """The factory checks the address before anything is opened."""
    with pytest.raises(StoreNotFound, match=said):
        async_store_at(url)
