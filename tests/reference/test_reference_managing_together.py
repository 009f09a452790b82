"""Managers together: threads, instances, processes, kills, and clean-ups beside accesses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessionproof import Expired, Message, NotFound
from sessionproof.contract.clock import SystemClock, VirtualClock
from sessionproof.contract.managing import ManagedSession
from sessionproof.reference.managing import SessionManager

MINUTE = 60_000_000
MILLISECOND = 1_000
TIMEOUT = 3 * MILLISECOND


def test_another_instance_knows_all(tmp_path: Path, clock: VirtualClock):
    """Facts and times are the same, and so is the end."""
    with SessionManager(tmp_path, clock=clock) as manager:
        manager.create_session("hi", session_id="s", chat_id="c")
        manager.update_session("s", {"parent_id": "p", "metadata": {"a": 1}})
        before = manager.get_all_sessions()
    clock.move(30 * MINUTE - 1)
    with SessionManager(tmp_path, clock=clock) as manager:
        assert manager.get_all_sessions() == manager.get_active_sessions() == before
        clock.move(MINUTE + 1)
        assert manager.get_session("s") is None
        assert manager.cleanup() == 1
    with SessionManager(tmp_path, clock=clock) as manager:
        assert manager.get_session_count() == 0


def test_instances_see_each_other_at_once(tmp_path: Path, clock: VirtualClock):
    """What one has done the other answers, whoever wrote last."""
    with SessionManager(tmp_path, clock=clock) as one, SessionManager(tmp_path, clock=clock) as two:
        one.create_session(session_id="s")
        assert two.update_parent_id("s", "p")
        assert one.get_parent_id("s") == "p"
        assert two.set_chat_id("s", "c")
        assert one.update_session("s", {"metadata": {"a": 1}})
        seen = two.get_session("s")
        assert (seen.parent_id, seen.chat_id, seen.metadata) == ("p", "c", {"a": 1})
        assert two.delete_session("s")
        assert one.get_session("s") is None


@pytest.mark.parametrize("instances", [1, 2])
def test_updates_of_different_facts_never_lose_each_other(tmp_path: Path, instances: int):
    """Each sets what it names, however many do at once."""
    managers = [SessionManager(tmp_path, durability="process") for _ in range(instances)]
    managers[0].create_session(session_id="s")

    def update(number: int) -> None:
        manager = managers[number % instances]
        fact = ("first_user_message", "chat_id", "parent_id", "metadata")[number]
        for turn in range(40):
            text = f"{fact} {turn}"
            assert manager.update_session("s", {fact: {"a": text} if number == 3 else text})
            seen = manager.get_session("s")
            assert getattr(seen, fact) == ({"a": text} if number == 3 else text)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(update, range(4)))
    for manager in managers:
        assert manager.get_parent_id("s") == "parent_id 39"
        manager.shutdown()


def test_one_of_many_makes_a_shared_session(tmp_path: Path):
    """All get the same one, which is counted once."""
    managers = [
        SessionManager(tmp_path, share_by_first_message=True, durability="process")
        for _ in range(2)
    ]
    start = threading.Barrier(8)

    def create(number: int) -> ManagedSession:
        start.wait(30)
        return managers[number % 2].create_session("hi")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert len({one.session_id for one in made}) == 1
    assert sum(one.get_metrics()["created"] for one in managers) == 1
    assert managers[0].get_session_count() == 1
    for manager in managers:
        manager.shutdown()


def test_a_clean_up_beside_accesses_never_ends_a_session_in_use(tmp_path: Path):
    """When it is gone, its limit has run out since the last access that was acknowledged.

    Its messages are there as long as it is, and each session is removed by one clean-up alone.
    """
    clock = SystemClock()
    options = {"timeout_us": TIMEOUT, "access_step_us": TIMEOUT // 3, "durability": "process"}
    manager = SessionManager(tmp_path, cleanup_interval_us=None, **options)
    cleaners = [SessionManager(tmp_path, cleanup_interval_us=1, **options) for _ in range(2)]
    pause = threading.Event()

    def use(number: int) -> int:
        ended = 0
        for life in range(12):
            name = f"s{number}.{life}"
            last_us = clock.now_us()
            manager.create_session(session_id=name)
            sent = []
            for turn in range(60):
                pause.wait(0.0005 * ((number + life + turn) % 13))  # up to half as long again
                asked_us = clock.now_us()
                try:
                    if turn % 3:
                        alive = manager.get_session(name) is not None
                    else:
                        alive = bool(manager.append(name, [Message("user", str(turn))]))
                except (NotFound, Expired):
                    alive = False
                if not alive:
                    assert clock.now_us() - last_us >= TIMEOUT, "it ended too early"
                    ended += 1
                    break
                last_us = asked_us
                sent += [str(turn)] * (not turn % 3)
                seen = [one.content for one in manager.store.read(name)]
                in_time = clock.now_us() - last_us < TIMEOUT
                assert not in_time or seen == sent
        return ended

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(use, range(3))) == [12, 12, 12]
    manager.cleanup()  # of the last ones, all of which are over
    for one in cleaners:
        one.stop_cleanup()
    expired = [one.get_metrics()["expired"] for one in (*cleaners, manager)]
    assert (sum(expired), manager.get_session_count()) == (36, 0)
    for one in (*cleaners, manager):
        one.shutdown()


_ACCESSES = """
import sys
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference.managing import SessionManager
clock = VirtualClock(int(sys.argv[2]))
with SessionManager(sys.argv[1], clock=clock, cleanup_interval_us=None) as manager:
    print(manager.get_session("s").last_accessed_us, manager.cleanup())
"""


def test_accesses_of_another_process_count(tmp_path: Path, clock: VirtualClock, run_apart):
    """Written or not, they let the session live for the whole timeout."""
    with SessionManager(tmp_path, clock=clock, cleanup_interval_us=None) as manager:
        made_us = manager.create_session(session_id="s").last_accessed_us
        clock.move(MINUTE - 1)
        assert run_apart(_ACCESSES, str(clock.now_us())) == f"{made_us} 0\n"
        clock.move(30 * MINUTE - 1)
        assert manager.get_active_sessions() != []
        assert run_apart(_ACCESSES, str(clock.now_us())) == f"{clock.now_us()} 0\n"
        clock.move(30 * MINUTE)
        assert manager.cleanup() == 0
        clock.move(MINUTE)
        assert manager.cleanup() == 1


_WORKS = """
import json, sys
from dataclasses import asdict
from sessionproof.reference.managing import SessionManager
manager = SessionManager(sys.argv[1], cleanup_interval_us=1000, durability="process")
while True:
    made = manager.create_session("hi")
    assert manager.update_parent_id(made.session_id, "p")
    if int(made.session_id, 16) % 3 == 0:
        assert manager.delete_session(made.session_id)
        print(json.dumps([made.session_id, None]), flush=True)
    else:
        seen = manager.get_session(made.session_id)
        print(json.dumps([made.session_id, asdict(seen)]), flush=True)
"""


def test_a_killed_process_leaves_what_it_acknowledged(tmp_path: Path):
    """Each session is as it was told, none that was deleted is back, and the file is in order."""
    with subprocess.Popen(
        [sys.executable, "-c", _WORKS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as worker:
        told = dict(json.loads(worker.stdout.readline()) for _ in range(150))
        worker.send_signal(signal.SIGKILL)
        for line in worker.stdout:
            if line.endswith("\n"):
                told.update([json.loads(line)])
    with SessionManager(tmp_path, cleanup_interval_us=None) as manager:
        there = {one.session_id: one for one in manager.get_all_sessions()}
        for name, session in told.items():
            assert there.pop(name, None) == (session and ManagedSession(**session))
        assert len(there) <= 1, "more than what was under way"
        assert manager.store.verify().ok
        assert manager.get_session(manager.create_session().session_id) is not None
