"""Transactions on PostgreSQL: of several sessions, beside others that lock, and tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from sessionproof import Conflict, Expired, Message, Receipt, Refused, Step
from sessionproof.contract.clock import monotonic_s
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres import pool
from sessionproof.reference.postgres.statements import key_of
from sessionproof.reference.postgres.store import PostgresStore

_PATIENCE_S = 60.0


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message("user", text) for text in texts)


def texts(messages: Any) -> list[str]:
    return [message.content for message in messages]


@pytest.fixture
def outsider(server: PrivateServer, store: PostgresStore) -> Iterator[psycopg.Connection]:
    """Another program, within a transaction of its own."""
    with psycopg.connect(server.url) as connection:
        connection.execute(f"SET search_path = {store.schema}")
        yield connection
        connection.rollback()


def take(outsider: psycopg.Connection, name: str) -> None:
    """Lock the session's row."""
    outsider.execute("SELECT 1 FROM sessions WHERE session_id = %s FOR UPDATE", (name,))


def until_it_waits(server: PrivateServer, schema: str) -> None:
    """Until a connection of the store waits for a lock."""
    until_s = monotonic_s() + _PATIENCE_S
    waits = (
        "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) "
        "WHERE NOT l.granted AND a.query LIKE '%%text_key%%'"
    )
    with psycopg.connect(server.url, autocommit=True) as db:
        while not db.execute(waits).fetchone()[0]:
            assert monotonic_s() < until_s, f"nobody waits for a lock in {schema}"


def test_answers_stand_in_the_places_of_the_steps(store: PostgresStore) -> None:
    """Each append answers a receipt, each read what is there at that place."""
    store.append("a", said("old"))
    before, first, both, other, again = store.transact(
        [Step("a"), Step("a", said("x", "y")), Step("a"), Step("b", said("z")), Step("b")]
    )
    assert (texts(before), texts(both), texts(again)) == (["old"], ["old", "x", "y"], ["z"])
    assert (first.seqs, other.seqs) == ((2, 3), (1,))
    assert first.ids == tuple(message.id for message in store.read("a")[1:])
    assert store.transact([]) == []
    assert store.transact([Step("c", ()), Step("c")]) == [Receipt((), ()), []]
    assert store.verify().problems == ()


def test_a_step_that_is_refused_undoes_all(store: PostgresStore) -> None:
    """Nothing is left of the steps before it, and nothing comes of those after it."""
    store.append("a", said("kept"))
    taken = Message("user", "x", id="one")
    with pytest.raises(Conflict):
        store.transact([Step("a", (taken,)), Step("b", said("y")), Step("a", (taken,))])
    store.append("ended", said("z"))
    store.set_status("ended", "archived")
    with pytest.raises(Expired):
        store.transact([Step("a", said("x")), Step("new", said("y")), Step("ended", said("z"))])
    assert texts(store.read("a")) == ["kept"]
    assert sorted(store.list()) == ["a", "ended"]
    assert store.verify().problems == ()


@pytest.mark.parametrize("steps", [[("a", None)], [Step(7)], [Step("a", ("x",))], [Step("a", [7])]])
def test_what_is_no_step_is_refused(store: PostgresStore, steps: Any) -> None:
    """One sentence says what is wrong, and nothing is stored."""
    with pytest.raises(Refused):
        store.transact([Step("a", said("x")), *steps])
    assert store.list() == []


def test_readers_see_one_moment(opened: Callable[..., PostgresStore]) -> None:
    """Two sessions that grow together are of one length in every transaction that only reads."""
    store, ended = opened(), threading.Event()

    def write() -> None:
        for number in range(40):
            store.transact([Step("a", said(f"{number}")), Step("b", said(f"{number}"))])
        ended.set()

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        while not ended.is_set() and not writing.done():
            one, other = store.transact([Step("a"), Step("b")])
            assert texts(one) == texts(other)
        writing.result()


def test_opposite_orders_do_not_wait_in_a_circle(opened: Callable[..., PostgresStore]) -> None:
    """Transactions over the same sessions in any order all take effect, those that make them, too.

    Every session has every message once, and where two had the same neighbours, in one order.
    """
    names = ["a", "b", "c"]

    def work(number: int) -> None:
        store = opened()
        for turn in range(10):
            order = names if (number + turn) % 2 else names[::-1]
            store.transact([Step(name, said(f"{number}.{turn}")) for name in order])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    store = opened()
    found = [texts(store.read(name)) for name in names]
    assert found[0] == found[1] == found[2]
    assert sorted(found[0]) == sorted(f"{n}.{turn}" for n in range(4) for turn in range(10))
    assert store.verify().problems == ()


def test_a_deadlock_with_an_outsider_ends(
    server: PrivateServer, store: PostgresStore, outsider: psycopg.Connection
) -> None:
    """The store holds one session and wants the other, the outsider the other way round.

    The server ends one of both; the store's transaction takes effect once, whichever it was.
    """
    for name in ("a", "b"):
        store.append(name, said("old"))
    first, second = sorted(("a", "b"), key=key_of)
    take(outsider, second)
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(store.transact, [Step(one, said("new")) for one in "ab"])
        until_it_waits(server, store.schema)
        try:
            take(outsider, first)
        except psycopg.errors.DeadlockDetected:
            outsider.rollback()
        else:
            outsider.commit()
        writing.result(_PATIENCE_S)
    assert [texts(store.read(one)) for one in "ab"] == [["old", "new"]] * 2


def fail_first(outsider: psycopg.Connection, times: int, code: str) -> None:
    """Have the first appends fail with this code; a sequence counts, which nothing undoes."""
    outsider.execute("CREATE SEQUENCE tries")
    outsider.execute(
        f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF nextval('tries') <= {times} THEN
                RAISE EXCEPTION 'somebody was faster' USING ERRCODE = '{code}';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    outsider.execute(
        "CREATE TRIGGER fails BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    outsider.commit()


@pytest.mark.parametrize("code", ["40P01", "40001"])
def test_what_lost_a_race_is_tried_again(
    store: PostgresStore, outsider: psycopg.Connection, code: str
) -> None:
    """A deadlock and a failure of serialization undo a transaction, which is then done once."""
    store.append("a", said("old"))
    fail_first(outsider, 3, code)
    assert store.append("a", said("one")).seqs == (2,)
    assert outsider.execute("SELECT last_value FROM tries").fetchone() == (4,)
    outsider.rollback()
    store.append_with_state("new", said("two"), {"k": 1})
    assert (texts(store.read("a")), texts(store.read("new"))) == (["old", "one"], ["two"])


def test_who_loses_every_race_is_told_of_a_conflict(
    store: PostgresStore, outsider: psycopg.Connection
) -> None:
    """The tries have a bound; nothing is stored, and whoever called may try again later."""
    store.append("a", said("old"))
    fail_first(outsider, pool.TRIES, "40001")
    with pytest.raises(Conflict, match="nothing was stored"):
        store.append("a", said("one"))
    assert outsider.execute("SELECT last_value FROM tries").fetchone() == (pool.TRIES,)
    outsider.rollback()
    assert texts(store.read("a")) == ["old"]
    store.append("a", said("two"))
    assert texts(store.read("a")) == ["old", "two"]


WRITES: dict[str, Callable[[PostgresStore], object]] = {
    "append": lambda store: store.append("a", said("new")),
    "batch": lambda store: store.append("a", said("new", "newer")),
    "replace": lambda store: store.replace("a", said("new")),
    "pop_last": lambda store: store.pop_last("a"),
    "clear": lambda store: store.clear("a"),
    "delete": lambda store: store.delete("a"),
    "edit": lambda store: store.edit_message("a", "own", Message("user", "new")),
    "state": lambda store: store.append_with_state("a", said("new"), {"k": 2}),
    "transact": lambda store: store.transact([Step("b", said("new")), Step("a", said("new"))]),
    "touch": lambda store: store.touch("a"),
    "set_limits": lambda store: store.set_limits("a", idle_us=5),
    "set_status": lambda store: store.set_status("a", "paused"),
    "update": lambda store: store.update("a", title="new"),
}


def test_a_lock_that_is_held_for_long_is_refused(
    opened: Callable[..., PostgresStore],
    server: PrivateServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each write ends, says that another holds a lock, and has stored nothing; reads go on."""
    monkeypatch.setattr(pool, "LOCK_MS", 60)
    store = opened()
    store.append("a", [Message("user", "old", id="own")])
    store.set_state("a", "k", 1)
    before = store.get("a")
    with psycopg.connect(server.url) as other:
        other.execute(f"SET search_path = {store.schema}")
        take(other, "a")
        for write in WRITES.values():
            with pytest.raises(Refused, match="another connection holds a lock"):
                write(store)
            assert texts(store.read("a")) == ["old"]
        other.rollback()
    assert (store.get("a"), store.get_state("a", "k"), store.list()) == (before, 1, ["a"])
    assert store.verify().problems == ()
    store.append("a", said("new"))
    assert texts(store.read("a")) == ["old", "new"]
