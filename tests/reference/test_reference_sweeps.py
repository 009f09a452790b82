"""Sweeps: who is warned, who has ended, and that each is told once."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Expired, Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.lifetime import Swept
from sessionproof.reference import AsyncReferenceStore, ReferenceStore, Timeouts, lifetime

MINUTE = 60_000_000
NOTHING = Swept()


def say(text: str = "x") -> list[Message]:
    return [Message("user", text)]


def status(store: ReferenceStore, session_id: str = "s") -> str | None:
    info = store.get(session_id)
    assert info is not None
    return info.status


@pytest.fixture
def limited(store: ReferenceStore) -> ReferenceStore:
    """A session ``s`` with an idle limit of ten minutes, of which it is warned after five."""
    store.append("s", say())
    store.set_limits("s", idle_us=10 * MINUTE)
    return store


def test_a_warning_comes_once_and_again_after_activity(limited: ReferenceStore, clock):
    """Five minutes before the end; whoever is active again is warned anew."""
    clock.move(5 * MINUTE - 1)
    assert limited.sweep() == NOTHING
    clock.move(1)
    assert limited.sweep() == Swept(warned=("s",))
    assert status(limited) == "idle"
    clock.move(4 * MINUTE)
    assert limited.sweep() == NOTHING
    limited.append("s", say())
    assert status(limited) == "active"
    clock.move(5 * MINUTE)
    assert limited.sweep() == Swept(warned=("s",))
    clock.move(5 * MINUTE)
    assert limited.sweep() == Swept(expired=("s",))
    assert limited.sweep() == NOTHING


def test_a_warning_that_nobody_swept_is_not_told_after_the_end(limited: ReferenceStore, clock):
    """The first sweep after the deadline tells the end alone."""
    clock.move(10 * MINUTE)
    assert limited.sweep() == Swept(expired=("s",))


@pytest.mark.parametrize(
    ("warn", "limits", "before"),
    [
        (MINUTE, {"idle_us": 10 * MINUTE}, MINUTE),
        (MINUTE, {"hard_us": 10 * MINUTE}, MINUTE),
        (MINUTE, {"idle_us": 60 * MINUTE, "hard_us": 10 * MINUTE}, MINUTE),
        (8 * MINUTE, {"idle_us": 10 * MINUTE}, 5 * MINUTE),
        (0, {"idle_us": 10 * MINUTE}, 0),
        (None, {"idle_us": 10 * MINUTE}, 0),
    ],
)
def test_when_a_warning_comes(tmp_path: Path, clock, warn, limits, before):
    """So long before the deadline, never in the first half of a limit; or never."""
    timeouts = Timeouts(idle_us=None, hard_us=None, warn_us=warn)
    with ReferenceStore(tmp_path, durability="process", clock=clock, timeouts=timeouts) as store:
        store.append("s", say())
        store.set_limits("s", **limits)
        clock.move(10 * MINUTE - before - 1)
        assert store.sweep() == NOTHING
        clock.move(1)
        assert store.sweep() == (Swept(warned=("s",)) if before else Swept(expired=("s",)))


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_shortest_limits_have_a_warning(store: ReferenceStore, clock: VirtualClock, limit):
    """A microsecond before the end there is time for it."""
    store.append("s", say())
    store.set_limits("s", idle_us=limit)
    clock.move(limit - 1)
    assert store.sweep() == Swept(warned=("s",))
    clock.move(1)
    assert store.sweep() == Swept(expired=("s",))


@pytest.mark.parametrize("warn", [None, 0])
def test_a_store_that_never_warns_says_so(tmp_path: Path, warn: int | None):
    """The claim of the handle is what the handle does."""
    with ReferenceStore(tmp_path, timeouts=Timeouts(warn_us=warn)) as store:
        assert not store.claims.warns
    assert ReferenceStore.claims.warns


def test_a_sweep_works_in_batches(store: ReferenceStore, clock: VirtualClock, monkeypatch):
    """All that is due is told, however many; other writers come in between."""
    monkeypatch.setattr(lifetime, "BATCH", 7)
    names = {f"s{number}" for number in range(23)}
    for name in names:
        store.create(name)
        store.set_limits(name, idle_us=2 if name in ("s3", "s4") else 1)
    clock.move(1)
    swept = store.sweep()
    assert ({*swept.expired}, {*swept.warned}) == (names - {"s3", "s4"}, {"s3", "s4"})
    assert len(swept.expired) == 21
    assert store.sweep() == NOTHING


def test_what_a_refused_batch_leaves_is_told_later(store: ReferenceStore, clock, monkeypatch):
    """Sessions that were told are not lost with those that were not."""
    monkeypatch.setattr(lifetime, "BATCH", 2)
    for number in range(5):
        store.create(f"s{number}")
        store.set_limits(f"s{number}", idle_us=1)
    clock.move(1)
    real, calls = store._write, [0]

    def write(work):
        calls[0] += 1
        if calls[0] == 2:
            raise Refused("locked")
        return real(work)

    monkeypatch.setattr(store, "_write", write)
    first = store.sweep()
    calls[0] = 1
    with pytest.raises(Refused):
        store.sweep()
    second = store.sweep()
    assert (len(first.expired), len(second.expired)) == (2, 3)
    assert {*first.expired, *second.expired} == {f"s{number}" for number in range(5)}


def test_a_sweep_with_nothing_to_do_does_not_write(limited: ReferenceStore):
    """It goes on while another connection holds the lock."""
    path = limited.tables().path
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert limited.sweep() == NOTHING
        other.execute("ROLLBACK")


def test_two_sweepers_tell_each_session_once(tmp_path: Path, clock: VirtualClock, monkeypatch):
    """Threads with handles of their own share what is due, and nobody is told twice."""
    monkeypatch.setattr(lifetime, "BATCH", 3)
    names = [f"s{number}" for number in range(60)]
    with (
        ReferenceStore(tmp_path, durability="process", clock=clock) as one,
        ReferenceStore(tmp_path, durability="process", clock=clock) as other,
    ):
        for name in names:
            one.create(name)
            one.set_limits(name, idle_us=1)
        clock.move(1)
        with ThreadPoolExecutor(4) as threads:
            sweeps = [threads.submit(store.sweep) for store in (one, other, one, other)]
            told = [name for sweep in sweeps for name in sweep.result().expired]
        assert sorted(told) == sorted(names)


def test_processes_tell_each_session_once(tmp_path: Path, run_apart):
    """Two processes that sweep at once share what is due."""
    names = [f"s{number}" for number in range(200)]
    clock = VirtualClock()
    with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
        for name in names:
            store.create(name)
            store.set_limits(name, idle_us=1)
    script = (
        "import sys; from sessionproof.reference import ReferenceStore, lifetime\n"
        "lifetime.BATCH = 5\n"
        "with ReferenceStore(sys.argv[1], durability='process') as store:\n"
        "    print(*store.sweep().expired, sep='\\n')\n"
    )
    with ThreadPoolExecutor(2) as threads:
        outputs = [one.result() for one in [threads.submit(run_apart, script) for _ in range(2)]]
    assert sorted("".join(outputs).split()) == sorted(names)


def test_ids_of_any_text_are_told(store: ReferenceStore, clock: VirtualClock):
    """Also those that UTF-8 cannot express."""
    for name in ("\ud83d", "", "a\x00b"):
        store.create(name)
        store.set_limits(name, idle_us=2)
    clock.move(1)
    assert {*store.sweep().warned} == {"\ud83d", "", "a\x00b"}


def test_tasks_sweep_as_well(tmp_path: Path, clock: VirtualClock):
    """Behind ``async def`` it is the same store."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process", clock=clock) as store:
            await store.append("s", say())
            await store.set_limits("s", idle_us=10 * MINUTE)
            clock.move(5 * MINUTE)
            swept = await asyncio.gather(*(store.sweep() for _ in range(4)))
            assert [one for one in swept if one != NOTHING] == [Swept(warned=("s",))]
            await store.touch("s")
            clock.move(10 * MINUTE)
            with pytest.raises(Expired):
                await store.append("s", say())
            assert await store.sweep() == Swept(expired=("s",))
            await store.set_status("s", "active")
            assert (await store.get("s")).status == "active"

    asyncio.run(main())
