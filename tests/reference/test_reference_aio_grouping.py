"""Tasks whose writes wait together are committed together."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Conflict, Expired, Indefinite, Message, NotFound, Refused
from sessionproof.reference import AsyncReferenceStore, aio, connections


def say(text: str, **fields: Any) -> list[Message]:
    return [Message("user", text, tokens=1, **fields)]


async def contents(store: AsyncReferenceStore, session_id: str) -> list[Any]:
    return [message.content for message in await store.read(session_id)]


async def together(
    store: AsyncReferenceStore, *calls: Callable[[], Awaitable[Any]]
) -> tuple[list[Any], int]:
    """The results or errors of calls that wait while the thread that writes is held; commits."""
    commits: list[str] = []

    def count(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert leave.wait(30)
        store._store._writer._connection.set_trace_callback(count)

    holder = asyncio.ensure_future(store._write(hold, alone=True))
    await asyncio.to_thread(held.wait, 30)
    tasks = []
    for call in calls:
        tasks.append(asyncio.ensure_future(call()))
        await asyncio.sleep(0)
    leave.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await holder
    if not store._store.ended:
        store._store._writer._connection.set_trace_callback(None)
    return results, len(commits)


def test_tasks_share_a_commit(tmp_path: Path):
    """Writes that wait together are one transaction in their order; what they answer is theirs."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            results, commits = await together(
                store,
                lambda: store.append("s", say("a")),
                lambda: store.create("t", messages=say("b") * 60),
                lambda: store.append("s", say("c")),
                lambda: store.pop_last("s"),
                lambda: store.set_state("s", "k", 1),
                lambda: store.append("s", say("d")),
            )
            assert commits == 1
            assert results[0].seqs == (1,)
            assert results[1] == "t"
            assert (results[2].seqs, results[3].content, results[5].seqs) == ((2,), "c", (3,))
            assert await contents(store, "s") == ["a", "d"]
            assert await store.count("t") == 60

    asyncio.run(main())


def test_a_task_that_is_refused_is_refused_alone(tmp_path: Path):
    """Each refused task gets its error, and its neighbours share their commit."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            await store.append("s", say("first", id="taken"))
            await store.append("old", say("kept"))
            with closing(sqlite3.connect(tmp_path / "sessions.db")) as foreign, foreign:
                foreign.execute("UPDATE sessions SET status = 'paused' WHERE session_id = 'old'")
            results, commits = await together(
                store,
                lambda: store.append("s", say("a")),
                lambda: store.append("s", [*say("x"), *say("y", id="taken")]),
                lambda: store.append("old", say("x")),
                lambda: store.delete_message("s", "nobody"),
                lambda: store.append("s", [Message("robot", "x")]),
                lambda: store.create("s", messages=say("x")),
                lambda: store.append("s", say("b")),
            )
            assert commits == 1
            assert [type(result) for result in results[1:6]] == [
                Conflict, Expired, NotFound, Refused, Conflict,
            ]  # fmt: skip
            assert (results[0].seqs, results[6].seqs) == ((2,), (3,))
            assert await contents(store, "s") == ["first", "a", "b"]
            assert await contents(store, "old") == ["kept"]

    asyncio.run(main())


def test_a_broken_group_is_done_one_by_one(tmp_path: Path):
    """A stranger's RAISE(ROLLBACK) concerns the task that met it, and no other."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            await store.append("s", say("first"))
            with closing(sqlite3.connect(tmp_path / "sessions.db")) as foreign:
                foreign.executescript(
                    "CREATE TRIGGER stranger BEFORE INSERT ON messages "
                    "WHEN NEW.content = 'poison' BEGIN SELECT RAISE(ROLLBACK, 'poison'); END;"
                )
            results, _ = await together(
                store,
                lambda: store.append("s", say("a")),
                lambda: store.append("s", say("poison")),
                lambda: store.append("s", say("b")),
            )
            assert isinstance(results[1], Refused)
            assert (results[0].seqs, results[2].seqs) == ((2,), (3,))
            assert await contents(store, "s") == ["first", "a", "b"]

    asyncio.run(main())


def test_a_lock_that_stays_refuses_the_group(tmp_path: Path, monkeypatch):
    """Behind a lasting lock all tasks of a group are refused, in the contract's words."""
    monkeypatch.setattr(connections, "WAIT_S", 0.05)

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            await store.append("s", say("first"))
            with closing(sqlite3.connect(tmp_path / "sessions.db")) as foreign:
                foreign.execute("BEGIN IMMEDIATE")
                results, _ = await together(
                    store, *[lambda n=n: store.append("s", say(str(n))) for n in range(3)]
                )
                foreign.execute("ROLLBACK")
            assert [type(result) for result in results] == [Refused] * 3
            assert len({id(result) for result in results}) == 3
            assert await contents(store, "s") == ["first"]

    asyncio.run(main())


def test_closing_comes_after_those_who_wait(tmp_path: Path):
    """What waited before close is carried out; what comes behind it is refused."""

    async def main() -> None:
        store = AsyncReferenceStore(tmp_path, durability="process")
        results, _ = await together(
            store,
            lambda: store.append("s", say("a")),
            lambda: store.append("s", say("b")),
            store.close,
            lambda: store.append("s", say("c")),
        )
        assert (results[0].seqs, results[1].seqs, results[2]) == ((1,), (2,), None)
        assert (type(results[3]), str(results[3])) == (Refused, connections.CLOSED)

    asyncio.run(main())


def test_cancelled_tasks_leave_the_group(tmp_path: Path):
    """A task that is cancelled while it waits is not carried out, and others are."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            gone: list[asyncio.Future[Any]] = []

            async def cancelled() -> None:
                gone.append(asyncio.ensure_future(store.append("s", say("gone"))))
                await asyncio.sleep(0)
                gone[0].cancel()

            results, _ = await together(
                store, lambda: store.append("s", say("a")), cancelled,
                lambda: store.append("s", say("b")),
            )  # fmt: skip
            assert (results[0].seqs, results[2].seqs) == ((1,), (2,))
            assert gone[0].cancelled()
            assert await contents(store, "s") == ["a", "b"]

    asyncio.run(main())


def test_a_loop_that_ended_hurts_no_other(tmp_path: Path):
    """When an event loop is gone before its answer comes, tasks of other loops get theirs."""
    store = AsyncReferenceStore(tmp_path, durability="process")
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert leave.wait(30)

    gone = asyncio.new_event_loop()
    waiting = gone.create_task(store._write(hold, alone=True))
    waiting_too = gone.create_task(store.append("s", say("a")))
    gone.run_until_complete(asyncio.sleep(0))
    assert held.wait(30)
    gone.call_soon(gone.stop)
    gone.run_forever()
    gone.close()

    async def main() -> None:
        own = asyncio.ensure_future(store.append("s", say("b")))
        await asyncio.sleep(0)
        leave.set()
        assert (await own).seqs == (2,)
        assert await contents(store, "s") == ["a", "b"]
        await store.close()

    asyncio.run(main())
    for task in (waiting, waiting_too):
        task._log_destroy_pending = False
    del waiting, waiting_too, task
    gc.collect()


def test_a_thread_that_is_stopped_tells_its_tasks(tmp_path: Path, monkeypatch):
    """When the thread that writes meets what nobody expects, tasks learn that all is open."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            with monkeypatch.context() as patched:
                patched.setattr(store._store, "_together", lambda _: 1 // 0)
                with pytest.raises(Indefinite, match="stopped"):
                    await store.append("s", say("a"))
            assert (await store.append("s", say("b"))).seqs == (1,)

    asyncio.run(main())


def test_a_group_of_tasks_is_bounded(tmp_path: Path, monkeypatch):
    """More writes than a group holds are several groups, in order."""
    monkeypatch.setattr(aio, "MOST", 4)

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            results, commits = await together(
                store, *[lambda n=n: store.append("s", say(str(n))) for n in range(10)]
            )
            assert [result.seqs for result in results] == [(n + 1,) for n in range(10)]
            assert commits == 3

    asyncio.run(main())


def test_closing_twice_at_the_same_time_is_no_error(tmp_path: Path, monkeypatch):
    """A task that comes to close a store while another closes it closes it all the same."""

    async def main() -> None:
        store = AsyncReferenceStore(tmp_path, durability="process")
        write = store._write

        async def overtaken(call: Callable[[], Any], *, alone: bool = False) -> Any:
            store._store.close()  # another task was faster
            return await write(call, alone=alone)

        monkeypatch.setattr(store, "_write", overtaken)
        await store.close()
        assert store._store.ended == connections.CLOSED

    asyncio.run(main())
