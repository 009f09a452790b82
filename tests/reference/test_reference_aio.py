"""The asynchronous store: the same operations, two pools of threads, any number of tasks."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from pathlib import Path

import pytest

from sessionproof import Conflict, Message, Refused
from sessionproof.contract.store import capabilities_of, shape_problems
from sessionproof.reference import AsyncReferenceStore, ReferenceStore


def say(text: str) -> list[Message]:
    return [Message("user", text)]


def test_has_every_method_of_the_store():
    """Each public method is there as ``async def`` with the same parameters."""
    for name, method in inspect.getmembers(ReferenceStore, inspect.isfunction):
        if not name.startswith("_"):
            other = getattr(AsyncReferenceStore, name)
            assert inspect.iscoroutinefunction(other), name
            without_self = str(inspect.signature(method)).replace("(self, ", "(", 1)
            assert str(inspect.signature(other)).replace("(self, ", "(", 1) == without_self, name


def test_does_all_that_the_store_does(tmp_path: Path):
    """Every operation answers as the synchronous one does."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, preset="cli", durability="process") as store:
            assert shape_problems(store) == []
            assert capabilities_of(store) == capabilities_of(store._store)
            assert store.claims.durability == "process"
            assert await store.create("s", messages=say("a"), title="t") == "s"
            receipt = await store.append("s", say("b"))
            assert receipt.seqs == (2,)
            assert [message.content for message in await store.read("s")] == ["a", "b"]
            assert [message.content for message in await store.read_last("s", 1)] == ["b"]
            page = await store.page("s", limit=1)
            rest = await store.page("s", cursor=page.next, limit=1)
            assert [message.content for message in rest.messages] == ["b"]
            assert await store.count("s") == 2
            await store.edit_message("s", receipt.ids[0], Message("user", "c"))
            assert (await store.pop_last("s")).content == "c"
            await store.delete_message("s", (await store.read("s"))[0].id)
            await store.replace("s", say("d"))
            await store.clear("s")
            await store.update("s", title="u")
            assert (await store.get("s")).title == "u"
            await store.add_llm_model("m")
            await store.set_llm_model("s", "m")
            with pytest.raises(Refused):
                await store.delete_llm_model("m")
            assert (await store.get("s")).llm_model == "m"
            await store.set_state("s", "k", [1])
            assert await store.get_state("s", "k") == [1]
            assert (await store.append_with_state("t", say("x"), {"k": 2})).seqs == (1,)
            assert (await store.count("t"), await store.get_state("t", "k")) == (1, 2)
            await store.delete("t")
            assert (await store.tables()).messages == "messages"
            with pytest.raises(Conflict):
                await store.create("s")
            assert await store.list() == ["s"]
            await store.delete("s")

    asyncio.run(main())


def test_tasks_share_a_handle(tmp_path: Path):
    """Many tasks append and read at once: nothing is lost, and few threads are used."""

    async def main() -> None:
        before = threading.active_count()
        store = AsyncReferenceStore(tmp_path, durability="process")

        async def client(name: int) -> None:
            for number in range(5):
                await store.append("s", say(f"{name}.{number}"))
                mine = [
                    m.content for m in await store.read("s") if m.content.startswith(f"{name}.")
                ]
                assert mine == [f"{name}.{earlier}" for earlier in range(number + 1)]

        await asyncio.gather(*(client(name) for name in range(40)))
        assert await store.count("s") == 200
        assert threading.active_count() - before <= 1 + 5
        await store.close()
        await store.close()
        assert threading.active_count() == before
        for call in (store.read("s"), store.append("s", say("x"))):
            with pytest.raises(Refused, match="closed"):
                await call

    asyncio.run(main())


def test_works_from_several_event_loops(tmp_path: Path):
    """A handle made in one loop can be used in the next, and in two at once."""
    store = AsyncReferenceStore(tmp_path, durability="process")
    asyncio.run(store.append("s", say("a")))

    async def some(name: str) -> None:
        for number in range(20):
            await store.append("s", say(f"{name}{number}"))

    thread = threading.Thread(target=lambda: asyncio.run(some("x")))
    thread.start()
    asyncio.run(some("y"))
    thread.join()
    assert asyncio.run(store.count("s")) == 41
    asyncio.run(store.close())


def test_a_cancelled_append_is_whole_or_not_there(tmp_path: Path):
    """Cancelling tasks leaves whole batches, and the store goes on."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            tasks = [
                asyncio.ensure_future(store.append("s", say(str(number)) * 3))
                for number in range(30)
            ]
            await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await store.append("s", say("last"))
            texts = [message.content for message in await store.read("s")]
            assert all(texts.count(text) == 3 for text in texts[:-1])
            assert texts[-1] == "last"

    asyncio.run(main())


def test_closing_among_tasks(tmp_path: Path):
    """Tasks under way when the store is closed end well or are refused."""

    async def main() -> None:
        store = AsyncReferenceStore(tmp_path, durability="process")
        await store.append("s", say("a"))
        calls = [store.append("s", say("b")) for _ in range(20)]
        calls += [store.read("s") for _ in range(20)]
        results = await asyncio.gather(*calls, store.close(), return_exceptions=True)
        for result in results:
            assert not isinstance(result, BaseException) or "closed" in str(result)

    asyncio.run(main())


FORK = """
import asyncio, os, sys
from sessionproof import Message, Refused
from sessionproof.reference import AsyncReferenceStore

store = AsyncReferenceStore(sys.argv[1], durability="process")
asyncio.run(store.append("s", [Message("user", "parent")]))
child = os.fork()
if child == 0:
    try:
        asyncio.run(store.read("s"))
    except Refused as error:
        asyncio.run(store.close())
        os._exit(0 if "forked" in str(error) else 4)
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
asyncio.run(store.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_handle_is_refused(run_apart):
    """A child is refused at once, where waiting for the parent's threads would never end."""
    run_apart(FORK)
