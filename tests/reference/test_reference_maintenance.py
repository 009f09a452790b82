"""Upkeep: what is due is done once, by one at a time, written down, and what fails is told."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock, monotonic_s
from sessionproof.reference import AsyncReferenceStore, ReferenceStore, maintenance
from sessionproof.reference.chores import runs, tasks
from sessionproof.reference.chores.alone import alone
from sessionproof.reference.chores.plan import DAY_S, HOUR_S, Plan, is_due
from sessionproof.reference.chores.runs import Run, last_good_runs, last_runs, store_run
from sessionproof.reference.drill import drilled
from sessionproof.reference.maintenance import Maintenance, due_runs

S_US = 1_000_000
WITHOUT_BACKUPS = ["sweep", "search", "optimize", "vacuum", "verify", "checkpoint", "health"]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; a generous limit ends a test that would hang."""
    ends = monotonic_s() + 60
    pause = threading.Event()
    while not condition():
        assert monotonic_s() < ends
        pause.wait(0.01)


def test_what_is_due_is_done_once(store, clock):
    """All of it at first, nothing again, then each at its interval."""
    store.append("s", [Message("user", "x")])
    assert store.maintain() == WITHOUT_BACKUPS
    assert store.maintain() == []
    clock.move(70 * S_US)
    assert store.maintain() == ["sweep", "search"]
    clock.move(int(1.1 * HOUR_S) * S_US)
    assert store.maintain() == ["sweep", "search", "checkpoint", "health"]
    clock.move(int(1.1 * DAY_S) * S_US)
    assert store.maintain() == [one for one in WITHOUT_BACKUPS if one != "vacuum"]
    clock.move(int(33 * DAY_S) * S_US)
    assert store.maintain() == WITHOUT_BACKUPS


def test_backups_are_made_tried_and_kept(store, clock, tmp_path):
    """With a folder: a backup a day, so many stay, and a drill a week."""
    folder = tmp_path / "backups"
    folder.mkdir()
    plan = Plan(backups=folder, keep=2)
    store.append("s", [Message("user", "x")])
    done = []
    for _ in range(9):
        done += store.maintain(plan=plan)
        clock.move(int(1.1 * DAY_S) * S_US)
    assert (done.count("backup"), done.count("drill")) == (9, 2)
    assert len([*folder.iterdir()]) == 2


def test_never_is_never_and_another_interval_is_kept(store, clock):
    """None leaves a task out; an interval of one's own is used."""
    nothing = {f"{name}_s": None for name in WITHOUT_BACKUPS}
    assert store.maintain(plan=Plan(**nothing)) == []
    plan = Plan(**{**nothing, "sweep_s": 10.0})
    assert store.maintain(plan=plan) == ["sweep"]
    clock.move(9 * S_US)
    assert store.maintain(plan=plan) == []
    clock.move(2 * S_US)
    assert store.maintain(plan=plan) == ["sweep"]


def test_a_clock_that_steps_back_stops_nothing():
    """A run in the future was written by a clock that was set back: it does not count."""
    file = Path("sessions.db")
    future = {"sweep": Run("sweep", 10**12, 10**12, False, "")}
    assert is_due("sweep", Plan(), 10**9, future, future, file)
    assert not is_due("sweep", Plan(), 10**12 + 1, future, future, file)


def test_jitter_is_small_and_differs_between_stores():
    """Within a twentieth of the interval, the same for one store, another for another."""
    run = {"backup": Run("backup", 0, 0, False, "")}
    plan = Plan(backups=".")

    def first_due(file):
        for second in range(int(0.9 * DAY_S), int(1.1 * DAY_S), 60):
            if is_due("backup", plan, second * S_US, run, run, Path(file)):
                return second
        raise AssertionError("never due")

    found = [first_due(f"/a{number}/sessions.db") for number in range(20)]
    assert all(0.94 * DAY_S < one < 1.06 * DAY_S for one in found)
    assert len(set(found)) > 10
    assert found[0] == first_due("/a0/sessions.db")


def test_what_fails_is_raised_stored_and_tried_again_soon(tmp_path):
    """The rest is done nevertheless; ten minutes later it is tried again, and then it is quiet."""
    clock = VirtualClock()
    folder = tmp_path / "gone"
    plan = Plan(backups=folder)
    with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
        with pytest.raises(Refused, match=r"backup: .*gone is no folder.* and 1 more"):
            store.maintain(plan=plan)
        done = store._read(last_runs)
        assert [one.failed for one in done.values()].count(True) == 2
        assert set(done) == {*WITHOUT_BACKUPS, "backup", "drill"}
        upkeep = next(one for one in store.health().checks if one.name == "upkeep")
        assert upkeep.severity == "warning"
        assert "backup" in upkeep.text
        folder.mkdir()
        assert store.maintain(plan=plan) == []
        clock.move(11 * 60 * S_US)
        assert store.maintain(plan=plan) == ["sweep", "search", "backup", "drill"]
        told = {one.name: one.severity for one in store.health().checks}
        assert told["upkeep"] == "ok"


def test_one_that_is_at_it_is_enough(store, tmp_path):
    """Within this process and from another, who comes second does nothing and says so."""
    with alone(tmp_path) as mine:
        assert mine
        assert store.maintain() == []
        script = (
            "import sys; from sessionproof.reference import ReferenceStore\n"
            "with ReferenceStore(sys.argv[1]) as store: print(store.maintain())"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            check=False, capture_output=True, encoding="utf-8", timeout=60,
        )  # fmt: skip
        assert (ended.stdout, ended.stderr) == ("[]\n", "")
    assert store.maintain() == WITHOUT_BACKUPS
    assert sorted(one.name for one in tmp_path.iterdir() if "sessions" not in one.name) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    """A child that was forked meanwhile has the lock's file, too, and lives on."""
    with alone(tmp_path):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # until the parent is done
            os._exit(0)
        os.close(read)
    try:
        with alone(tmp_path) as mine:
            assert mine
    finally:
        os.close(write)
        os.waitpid(child, 0)


def test_only_backups_of_the_store_are_tried(tmp_path):
    """Another store's backups in the same folder are not this one's concern."""
    for name in ("a", "b", "backups"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        with ReferenceStore(tmp_path / name, durability="process") as store:
            store.append("s", [Message("user", name)])
            made = Path(store.backup(tmp_path / "backups"))
            path = Path(store.tables().path)
    (one,) = drilled(tmp_path / "backups", of=path)
    assert one.backup == made
    assert len(drilled(tmp_path / "backups")) == 2


def test_many_threads_do_each_task_once(tmp_path):
    """Eight threads with a handle each: every task runs once in all."""
    begun = threading.Barrier(8, timeout=60)
    done: list[str] = []
    clock = VirtualClock()

    def work():
        with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
            begun.wait()
            done.extend(store.maintain())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(WITHOUT_BACKUPS)


def test_runs_are_bounded(store, monkeypatch):
    """Of each task the newest are kept."""
    monkeypatch.setattr(runs, "_KEPT", 3)
    for number in range(6):
        for task in ("sweep", "verify"):
            run = Run(task, number, number, number == 5 and task == "sweep", "")
            store._write(lambda db, run=run: store_run(db, run))
    rows = store._read(
        lambda db: db.execute("SELECT task, started_at_us FROM maintenance_runs").fetchall()
    )
    assert sorted(rows) == [(task, at) for task in ("sweep", "verify") for at in (3, 4, 5)]
    last, good = store._read(lambda db: (last_runs(db), last_good_runs(db)))
    assert (last["sweep"].failed, good["sweep"].started_at_us) == (True, 4)


def test_a_time_that_is_no_date_is_shown_as_it_is():
    """A clock may be anywhere."""
    assert runs.at(0) == "1970-01-01 00:00:00 UTC"
    assert runs.at(2**62) == f"{2**62} µs"


def test_vacuum_gives_pages_back_in_steps(store, monkeypatch):
    """After a large deletion the file is smaller; writers come between the steps."""
    monkeypatch.setattr(tasks, "_VACUUM_PAGES", 50)
    path = Path(store.tables().path)
    store.append("s", [Message("user", "x" * 3_000)] * 600)
    store.delete("s")
    free, pages = store._read(tasks._free)
    assert free > 500
    writes = []
    write = store._write
    monkeypatch.setattr(store, "_write", lambda work: (writes.append(1), write(work))[1])
    assert tasks.vacuum(store, Plan()).text == f"{free} pages given back"
    assert len(writes) == -(-free // 50)
    assert store._read(tasks._free) == (0, pages - free)
    assert tasks.vacuum(store, Plan()).text == "0 pages given back"
    store._write(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert path.stat().st_size == (pages - free) * 4096
    assert store.verify().ok


def test_few_free_pages_stay_for_what_comes(store):
    """Less than a tenth of the file is not worth the work."""
    store.append("s", [Message("user", "x" * 3_000)] * 100)
    store.append("t", [Message("user", "x" * 3_000)])
    store.delete("t")
    assert tasks.vacuum(store, Plan()).text == "0 pages given back"


def test_the_log_is_emptied_unless_a_reader_needs_it(store):
    """Nobody is waited for: with a reader in an old state it says what stays."""
    store.append("s", [Message("user", "x" * 3_000)] * 100)
    log = Path(f"{store.tables().path}-wal")
    reader = sqlite3.connect(store.tables().path, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchall()
        store.append("s", [Message("user", "y")])
        assert "in use" in tasks.checkpoint(store, Plan()).text
        reader.execute("COMMIT")
    finally:
        reader.close()
    assert tasks.checkpoint(store, Plan()).text == "the log is empty"
    assert log.stat().st_size == 0


def test_statistics_leave_the_plans_as_they_are(store):
    """With one large session and many small ones, hot statements find their rows by an index."""
    store.append("large", [Message("user", "x")] * 3_000)
    for number in range(300):
        store.create(f"s{number}", owner="one", messages=[Message("user", "x")])
    store._write(lambda db: db.execute("ANALYZE").fetchall())
    store.maintain()
    told = {one.name: one for one in store.health().checks}
    assert told["plans"].severity == "ok", told["plans"].text
    assert store.verify().ok


def test_statistics_do_not_disturb_recovery(tmp_path):
    """All messages are saved of a file that upkeep was done for."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with ReferenceStore(tmp_path / "a", durability="process") as store:
        store.append("s", [Message("user", f"{number}") for number in range(200)])
        store.maintain()
        store.maintain(plan=Plan(health_s=0.0))
    recovered = ReferenceStore.recover(tmp_path / "a", tmp_path / "b")
    assert (recovered.sessions, recovered.messages, recovered.lost) == (1, 200, ())


def test_the_thread_does_it_and_ends(tmp_path, caplog):
    """It begins at once, logs what fails, and has ended when the block is left."""
    caplog.set_level(logging.WARNING, "sessionproof.maintenance")
    plan = Plan(backups=tmp_path / "none")
    with ReferenceStore(tmp_path, durability="process") as store:
        with Maintenance(store, plan=plan) as upkeep:
            until(lambda: "health" in store._read(last_runs))
            until(lambda: "is no folder" in caplog.text)
        assert not upkeep._thread.is_alive()
        upkeep.stop()
    assert caplog.text.count("drill") == 1


def test_the_thread_ends_with_its_store(tmp_path):
    """A store that is closed first ends the thread, and nothing is raised in it."""
    store = ReferenceStore(tmp_path, durability="process")
    with Maintenance(store) as upkeep:
        until(lambda: "health" in store._read(last_runs))
        store.close()
        upkeep._ending.set()
    assert not upkeep._thread.is_alive()


def test_the_thread_ends_between_two_tasks(tmp_path, monkeypatch):
    """The task under way is done, the next one is not begun."""
    begun, go_on = threading.Event(), threading.Event()

    def sweep(_store, _plan):
        begun.set()
        assert go_on.wait(60)
        return tasks.Done("slow")

    monkeypatch.setattr(tasks, "TASKS", {**tasks.TASKS, "sweep": sweep})
    with ReferenceStore(tmp_path, durability="process") as store:
        with Maintenance(store) as upkeep:
            assert begun.wait(60)
            upkeep._ending.set()
            go_on.set()
        assert set(store._read(last_runs)) == {"sweep"}


def test_the_async_store_has_both(tmp_path):
    """Its method is awaited; the thread takes it as it is."""

    async def main():
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            await store.append("s", [Message("user", "x")])
            assert await store.maintain() == WITHOUT_BACKUPS
            with Maintenance(store):
                await store.append("s", [Message("user", "y")])
            return await store.count("s")

    assert asyncio.run(main()) == 2


def test_all_of_it_can_be_done_now(store):
    """Due or not."""
    store.maintain()
    told = list[str]()
    for done, run in enumerate(due_runs(store, Plan(), all_now=True, told=told.append), 1):
        assert (run.task, told) == (WITHOUT_BACKUPS[done - 1], WITHOUT_BACKUPS[:done])
    assert told == WITHOUT_BACKUPS


def test_a_closed_store_is_refused(store):
    """One line, as for every operation."""
    store.close()
    with pytest.raises(Refused, match="closed"):
        store.maintain()


def test_the_plans_folder_is_needed_for_backups(store):
    """A task that is asked for by itself says what is missing."""
    with pytest.raises(Refused, match="no folder"):
        tasks.backup(store, Plan())
    assert maintenance.DEFAULT.interval_s("backup") is None


def test_a_directory_that_cannot_be_opened_is_told_in_a_line(store, monkeypatch):
    """As when the process has no descriptors left: the thread goes on, and tries it again."""

    def full(*_given: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        with pytest.raises(Refused, match="Too many open files"):
            store.maintain()
    assert store.maintain() == WITHOUT_BACKUPS


def test_an_error_that_nobody_foresaw_does_not_stop_the_rest(store, monkeypatch, caplog):
    """It is written down by its name alone, as it may quote anything, and logged whole."""

    def broken(_store: ReferenceStore, _plan: Plan) -> tasks.Done:
        raise ValueError("secret")

    monkeypatch.setattr(tasks, "TASKS", {**tasks.TASKS, "search": broken})
    done = list(due_runs(store, Plan()))
    assert [run.task for run in done if run.failed] == ["search"]
    assert len(done) == len(WITHOUT_BACKUPS)
    assert "ValueError" in done[1].text
    assert "secret" not in done[1].text
    assert "secret" in caplog.text
