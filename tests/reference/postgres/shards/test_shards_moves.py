"""Sessions on their way: stopped at every step, used meanwhile, and by who knows of no change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import psycopg
import pytest
from moves import Stopped, Stops, stop, target_of

from sessionproof.contract.errors import Conflict, NotFound, Refused, StoreError
from sessionproof.contract.message import Message
from sessionproof.reference.postgres.pool import Connection, transaction
from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.reference.postgres.shards import (
    copying,
    moments,
    moving,
    routing,
    settling,
    together,
)
from sessionproof.reference.postgres.shards.layout import home_of
from sessionproof.reference.postgres.statements import change, key_of

Spread = Callable[..., ShardedStore]

_STEPS = [(number, after) for number in (1, 2, 3) for after in (False, True)]
_NAMES = ["before", "announced", "locked", "copied", "left", "arrived"]
_NEW = "s4"  # as the fourth of the servers is called


def ids() -> Iterator[str]:
    """Ids of sessions that a fourth server takes over."""
    names = ("s1", "s2", "s3", _NEW)
    return (one for one in map("k{}".format, count()) if home_of(key_of(one), names) == _NEW)


def say(text: str) -> list[Message]:
    return [Message("user", text)]


def texts(store: ShardedStore, session_id: str) -> list[Any]:
    return [one.content for one in store.read(session_id)]


@pytest.fixture
def begun(
    spread: Spread, databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[ShardedStore], ShardedStore]:
    """Adds a fourth server, and moves nothing; answers another handle, which knows of it."""

    def begin(store: ShardedStore) -> ShardedStore:
        with monkeypatch.context() as patched:
            patched.setattr(moving, "finish", lambda _servers, _told: 0)
            spread().add_server(databases[3])
        assert store._servers.layout.before is None  # and it is to find out by itself
        mover = spread([f"{url}&application_name=mover" for url in databases[:3]])
        mover._servers.learn()
        return mover

    return begin


def moved_up_to(mover: ShardedStore, session_id: str, number: int, *, after: bool) -> None:
    """Move the session as far as to this write on the server where it goes."""
    stops = Stops(target_of(mover), number, after=after, act=stop)
    with suppress(Stopped):
        move(mover, session_id)
    stops.over()


def move(mover: ShardedStore, session_id: str) -> bool:
    layout, key = mover._servers.layout, key_of(session_id)
    source = layout.source(key)
    assert source is not None
    return routing.moved(mover._servers, layout, source, key, session_id)


def used(stale: ShardedStore, mover: ShardedStore, who: str, step: tuple[int, bool]) -> None:
    """Move three sessions to a step, use one, delete one, let one lie; all must be as it was left.

    Raises AssertionError where anything was lost, is there twice, or came back.
    """
    its = ids()
    kept, gone, still = next(its), next(its), next(its)
    for one in (kept, gone, still):
        moved_up_to(mover, one, step[0], after=step[1])
    store = {"stale": stale, "mover": mover}[who]
    assert texts(store, kept) == ["0", "2"]
    assert store.append(kept, say("3")).seqs == (4,)
    assert store.get_state(kept, "key") == {"a": [1]}
    store.set_state(kept, "key", 2)
    store.delete(gone)
    assert sorted(store.list()) == sorted([kept, still])
    assert [hit.message.content for hit in store.search("3")] == ["3"]
    mover.finish_change()
    for handle in (stale, mover):
        assert texts(handle, kept) == ["0", "2", "3"]
        assert handle.get_state(kept, "key") == 2
        assert texts(handle, still) == ["0", "2"]
        assert handle.get(gone) is None
        assert sorted(handle.list()) == sorted([kept, still])
        assert len(handle.snapshots(still)) == len(handle.snapshots(gone)) == 1
    assert mover.verify().problems == ()
    assert stale.append(gone, say("new")).seqs == (1,)


def filled(store: ShardedStore) -> ShardedStore:
    """Three sessions with a gap in their numbers, state, a title, a model and a snapshot."""
    its = ids()
    for one in (next(its) for _ in range(3)):
        store.create(one, title="a title", llm_model="model", messages=say("0"))
        second = store.append(one, say("1"))
        store.append(one, say("2"))
        store.delete_message(one, second.ids[0])
        store.set_state(one, "key", {"a": [1]})
        store.snapshot(one)
    return store


@pytest.mark.parametrize("who", ["stale", "mover"])
@pytest.mark.parametrize("step", _STEPS, ids=_NAMES)
def test_stopped(
    spread: Spread, begun: Callable[..., ShardedStore], who: str, step: tuple[int, bool]
) -> None:
    """A move that ends between any two steps loses nothing, and anybody goes on with it."""
    stale = filled(spread())
    used(stale, begun(stale), who, step)


def test_all_that_a_session_has(spread: Spread, databases: list[str]) -> None:
    """A move changes nothing of a session: receipts, numbers, ids and cursors stay good."""
    store = spread(snapshots_before={"expiry"})
    name = next(ids())
    store.create(name, title="t", owner="o", llm_model="m", metadata={"k": [1, "ä"]})
    given = store.append(name, [
        Message("user", "one", tokens=3, duration_us=5, id="own"),
        Message("assistant", {"x": [1.5, None]}, metadata={"y": 1}),
        Message("tool", "three", kind="tool_result", call_id="c", name="n"),
        Message("user", "four"), Message("user", "five"),
    ])  # fmt: skip
    store.delete_message(name, given.ids[2])
    store.edit_message(name, given.ids[1], Message("user", "two", id=given.ids[2]))
    store.set_limits(name, idle_us=10**9)
    store.set_status(name, "paused")
    cursor = store.page(name, limit=2).next
    snapshot = store.snapshot(name)
    before = (store.read(name), store.get(name), store.snapshots(name))
    assert store.add_server(databases[3]) == 1
    assert (store.read(name), store.get(name), store.snapshots(name)) == before
    assert [one.content for one in store.page(name, cursor=cursor).messages] == ["four", "five"]
    store.set_status(name, "active")
    assert store.append(name, say("six")).seqs == (6,)
    store.delete_message(name, given.ids[4])
    store.delete(name)
    assert store.restore_snapshot(snapshot) == name
    assert store.read(name) == before[0]
    assert store.remove_server(_NEW) == 1
    assert (store.read(name), store.verify().problems) == (before[0], ())


def test_many_gaps(spread: Spread, databases: list[str]) -> None:
    """Numbers stay as they are however many of them are missing."""
    store = spread()
    name = next(ids())
    given = store.append(name, [Message("user", str(number)) for number in range(200)])
    for one in given.ids[::3]:
        store.delete_message(name, one)
    before = store.read(name)
    store.add_server(databases[3])
    assert store.read(name) == before
    assert store.append(name, say("next")).seqs == (201,)
    assert store.verify().ok


def test_nothing_to_ask_for(spread: Spread, begun: Callable[..., ShardedStore]) -> None:
    """Who knows of no change is told the truth of sessions that are not there, and makes them."""
    stale = spread()
    mover = begun(stale)
    its = ids()
    assert stale.read(next(its)) == []
    with pytest.raises(NotFound):
        stale.touch(next(its))
    another = spread()
    made = next(its)
    assert another.create(made) == made
    with pytest.raises(Conflict):
        stale.create(made)
    mover.finish_change()
    assert spread().list() == [made]


@pytest.mark.parametrize("step", _STEPS[:4], ids=_NAMES[:4])
def test_who_was_away(
    spread: Spread, begun: Callable[..., ShardedStore], databases: list[str],
    step: tuple[int, bool],
) -> None:  # fmt: skip
    """A mover that lost its lock and wakes up late does not spoil what was done meanwhile."""
    stale = filled(spread())
    mover = begun(stale)
    name = next(ids())

    def away() -> None:
        for url in databases[:3]:
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'mover' AND datname = current_database()"
                )
        stale.append(name, say("meanwhile"))

    stops = Stops(target_of(mover), step[0], after=step[1], act=away)
    with suppress(StoreError):
        move(mover, name)
    stops.over()
    spread().finish_change()
    assert texts(stale, name) == texts(spread(), name) == ["0", "2", "meanwhile"]
    assert stale.verify().ok


def beside(stale: ShardedStore, mover: ShardedStore, databases: list[str], schema: str) -> None:
    """Append where the session was when its copy is done, and it has not left.

    Raises AssertionError where that message is lost.
    """
    name = next(ids())
    receipts: list[Any] = []
    appends = threading.Thread(target=lambda: receipts.append(stale.append(name, say("beside"))))

    def meanwhile() -> None:
        appends.start()
        while appends.is_alive() and not _is_waiting(databases, schema):
            time.sleep(0.01)

    Stops(target_of(mover), 2, after=True, act=meanwhile)
    move(mover, name)
    appends.join()
    assert [one.seqs for one in receipts] == [(4,)]
    assert texts(stale, name) == texts(mover, name) == ["0", "2", "beside"]


def _is_waiting(databases: list[str], schema: str) -> bool:
    for url in databases:
        with psycopg.connect(url, autocommit=True) as db:
            rows = db.execute(
                "SELECT 1 FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database "
                "WHERE NOT l.granted AND d.datname = current_database() UNION ALL "
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"
            ).fetchall()
        if rows:
            return True
    return False


def test_append_beside(
    spread: Spread, begun: Callable[..., ShardedStore], databases: list[str], schema: str
) -> None:
    """What is appended between the copy and the leaving is not lost: it waits, and follows."""
    stale = filled(spread())
    beside(stale, begun(stale), databases, schema)


def test_mutant_without_lock(
    spread: Spread, begun: Callable[..., ShardedStore], databases: list[str], schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A mover that copies without a lock loses messages, and is caught."""
    monkeypatch.setattr(settling, "_LOCKED", "SELECT 1 WHERE %s::bytea IS NOT NULL")
    stale = filled(spread())
    with pytest.raises(AssertionError):
        beside(stale, begun(stale), databases, schema)


def test_mutant_deletes_first(
    spread: Spread, begun: Callable[..., ShardedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mover that deletes before the copy is committed loses sessions, and is caught."""

    def leave(db: Connection, target: Any, key: bytes, session_id: str, _layout: Any) -> str:
        with transaction(db):
            kept = _kept(db, key)
            for sql in settling._DELETED:
                change(db, sql, (key,))
            change(db, settling._LEFT, (key, session_id, "token"))
        target._write(lambda to: settling._announce(to, key, session_id, "token"))
        target._write(lambda to: _put(to, key, kept))
        return "token"

    monkeypatch.setattr(settling, "_leave", leave)
    stale = filled(spread())
    with pytest.raises(AssertionError):
        used(stale, begun(stale), "stale", (2, False))


def _kept(db: Connection, key: bytes) -> list[bytes]:
    blocks = []
    for part in copying.PARTS:
        sql = f"COPY ({part.found}) TO STDOUT".encode()
        with db.cursor() as cursor, cursor.copy(sql, [key.hex()] * 2) as rows:
            blocks.append(b"".join(bytes(block) for block in rows))
    return blocks


def _put(to: Connection, key: bytes, kept: list[bytes]) -> None:
    with transaction(to):
        for part, block in zip(copying.PARTS, kept, strict=True):
            into = f"COPY {part.table} ({part.columns}) FROM STDIN".encode()
            with to.cursor() as cursor, cursor.copy(into) as copies:
                copies.write(block)
        change(to, settling._STAGED, (key,))


def test_mutant_without_fence(
    spread: Spread, begun: Callable[..., ShardedStore], databases: list[str], schema: str
) -> None:
    """Without the schema's fence a stale handle makes a session twice, and that is caught."""
    stale = filled(spread())
    mover = begun(stale)
    for url in databases[:4]:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(f"DROP TRIGGER sessions_before_insert_home ON {schema}.sessions")
    name = next(ids())
    move(mover, name)
    stale.append(name, say("late"))
    with pytest.raises((AssertionError, Conflict)):
        assert texts(mover, name) == ["0", "2", "late"]


def test_snapshot_removed_beside(
    spread: Spread, begun: Callable[..., ShardedStore], databases: list[str], schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A snapshot that is removed while its session is copied stays removed."""
    stale = filled(spread())
    name = next(ids())
    (snapshot,) = stale.snapshots(name)
    mover = begun(stale)
    monkeypatch.setattr(moments, "_whose", lambda _servers, _id: name)  # asked before the change
    removes = threading.Thread(target=lambda: stale.remove_snapshot(snapshot.snapshot_id))

    def meanwhile() -> None:
        removes.start()
        while removes.is_alive() and not _is_waiting(databases, schema):
            time.sleep(0.01)

    Stops(target_of(mover), 2, after=True, act=meanwhile)
    move(mover, name)
    removes.join()
    assert stale.snapshots(name) == mover.snapshots(name) == []


@pytest.mark.parametrize("who", ["stale", "mover"])
def test_model_on_the_way(spread: Spread, begun: Callable[..., ShardedStore], who: str) -> None:
    """A model is not forgotten while a session that names it has left and not arrived."""
    stale = filled(spread())
    mover = begun(stale)
    for name, _ in zip(ids(), range(3), strict=False):
        moved_up_to(mover, name, 3, after=False)
    with pytest.raises(Refused, match="sessions name this model"):
        {"stale": stale, "mover": mover}[who].delete_llm_model("model")


def test_verify_beside(spread: Spread, begun: Callable[..., ShardedStore]) -> None:
    """A session that arrives while all are verified is no session on two servers."""
    stale = filled(spread())
    mover, another = begun(stale), spread()
    another._servers.learn()
    target = target_of(mover)
    read = target._read

    def late(work: Any) -> Any:
        target._read = read  # type: ignore[method-assign]
        assert another.finish_change() == 3
        return read(work)

    target._read = late  # type: ignore[method-assign]
    assert together._twice(mover._servers, mover._servers.layout) == []
    assert target._read == read


def test_verify_one_that_moved(spread: Spread, databases: list[str], schema: str) -> None:
    """One session is verified where it is, also by who knows of no change."""
    stale = filled(spread())
    name = next(ids())
    spread().add_server(databases[3])
    with psycopg.connect(databases[3], autocommit=True) as db:
        db.execute(f"UPDATE {schema}.sessions SET total_tokens = 7 WHERE session_id = %s", [name])
    assert not stale.verify(name).ok
