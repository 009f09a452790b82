"""The clean-up in the background, and the end of a session manager."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Indefinite, Refused
from sessionproof.contract.clock import VirtualClock, monotonic_s
from sessionproof.contract.managing import CALLS, call_manager
from sessionproof.reference.managing import SessionManager
from sessionproof.reference.managing.background import Background

MILLISECOND = 1_000
HOUR = 3_600_000_000
WAIT_S = 30.0
"""Far longer than anything here takes: what comes later never comes."""


def until(true: Callable[[], bool]) -> None:
    """Wait for it; AssertionError when it never comes."""
    ends = monotonic_s() + WAIT_S
    pause = threading.Event()
    while not true():
        assert monotonic_s() < ends, "it never came"
        pause.wait(0.002)


def threads() -> list[threading.Thread]:
    """The threads that clean up."""
    return [one for one in threading.enumerate() if one.name == "session-cleanup"]


def test_it_cleans_up_from_the_beginning_on(tmp_path: Path, clock: VirtualClock):
    """What is over goes without being asked for."""
    with SessionManager(tmp_path, clock=clock, cleanup_interval_us=MILLISECOND) as manager:
        manager.create_session(session_id="s")
        until(lambda: manager.get_metrics()["cleanups"] >= 2)
        assert manager.get_session_count() == 1
        clock.move(HOUR)
        until(lambda: manager.get_session_count() == 0)
        until(lambda: manager.get_metrics()["expired"] == 1)


def test_what_is_refused_midway_leaves_what_was_done(tmp_path: Path, clock: VirtualClock):
    """Each session that is gone is told once; only where nothing was done it is a refusal."""
    with SessionManager(tmp_path, clock=clock, cleanup_interval_us=None) as manager:
        for _ in range(250):
            manager.create_session()
        clock.move(HOUR)
        path = manager.store.tables().path
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute(
                "CREATE TRIGGER stays BEFORE DELETE ON sessions WHEN OLD.id = 150 "
                "BEGIN SELECT RAISE(ABORT, 'it stays'); END"
            )
            assert len(manager.clean_up()) == 100
            with pytest.raises(Refused):
                manager.clean_up()
            with pytest.raises(Refused):
                manager.clear_all()
            foreign.execute("DELETE FROM sessions WHERE id < 150")
            for _ in range(60):
                manager.create_session()
            assert manager.get_session_count() == 161
            foreign.execute("DROP TRIGGER stays")
            foreign.execute(
                "CREATE TRIGGER stays BEFORE DELETE ON sessions WHEN OLD.id = 300 "
                "BEGIN SELECT RAISE(ABORT, 'it stays'); END"
            )
            with pytest.raises(Indefinite, match="100 sessions are removed"):
                manager.clear_all()
            foreign.execute("DROP TRIGGER stays")
        assert manager.get_session_count() == 61
        assert manager.clear_all() == 61
        counted = manager.get_metrics()
        assert (counted["expired"], counted["deleted"]) == (100, 161)


def test_started_twice_there_is_one(tmp_path: Path):
    """The later interval counts; stopped, there is none; stopped again, nothing happens."""
    with SessionManager(tmp_path, cleanup_interval_us=None) as manager:
        assert threads() == []
        manager.stop_cleanup()
        manager.start_cleanup()
        manager.start_cleanup(MILLISECOND)
        assert len(threads()) == 1
        until(lambda: manager.get_metrics()["cleanups"] >= 1)
        manager.stop_cleanup()
        assert threads() == []
        manager.stop_cleanup()
        manager.start_cleanup(2**62)
        assert len(threads()) == 1
    assert threads() == []


def test_an_error_is_told_and_ends_nothing(tmp_path: Path, monkeypatch):
    """The next clean-up may succeed, and takes the error away."""
    with SessionManager(tmp_path, cleanup_interval_us=None) as manager:
        broken = threading.Event()
        broken.set()
        clean_up = manager._background._work

        def fails() -> object:
            if broken.is_set():
                raise Refused("the disk\nis full")
            return clean_up()

        monkeypatch.setattr(manager._background, "_work", fails)
        manager.start_cleanup(MILLISECOND)
        until(lambda: manager.get_metrics()["cleanup_error"] is not None)
        assert manager.get_metrics()["cleanup_error"] == "Refused: the disk\\nis full"
        broken.clear()
        until(lambda: manager.get_metrics()["cleanup_error"] is None)
        assert manager.get_metrics()["cleanups"] >= 1


def test_stopping_waits_for_what_is_under_way():
    """When it returns, the work has come to its end, and is not begun again."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(WAIT_S)
        ended.set()

    background = Background(work)
    background.start(1)
    assert begun.wait(WAIT_S)
    stopper = threading.Thread(target=background.stop)
    stopper.start()
    assert not ended.is_set()
    may_end.set()
    stopper.join(WAIT_S)
    assert ended.is_set()
    assert threads() == []


def test_a_signal_that_closes_it_while_it_is_closed(run_apart):
    """The second call comes in the middle of the first, in its thread, and both return."""
    script = """
import signal, threading
from sessionproof.reference.managing.background import Background
begun, may_end, main = threading.Event(), threading.Event(), threading.main_thread().ident
def work():
    begun.set()
    while not background._closed:
        may_end.wait(0.001)
    signal.pthread_kill(main, signal.SIGTERM)
    may_end.wait()
def again(*_):
    may_end.set()
    background.close()
    print("closed")
signal.signal(signal.SIGTERM, again)
background = Background(work)
background.start(1)
begun.wait()
background.close()
print("closed")
"""
    assert run_apart(script) == "closed\nclosed\n"


def test_a_signal_that_ends_the_program_shuts_down(tmp_path: Path, run_apart):
    """As the page has it: a handler that raises, and the manager as a context."""
    script = """
import os, signal, sys, threading
from sessionproof.reference.managing import SessionManager
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with SessionManager(sys.argv[1], cleanup_interval_us=1000) as manager:
    manager.create_session(session_id="s")
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()
"""
    assert run_apart(script) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["sessions.db"]


def test_closed_it_is_not_started_again():
    """Whoever was about to start it as it was closed starts nothing."""
    background = Background(lambda: None)
    background.close()
    background.start(1)
    assert threads() == []


@pytest.mark.parametrize("call", sorted(CALLS.keys() - {"shutdown"}))
def test_after_shutdown_every_call_is_refused(tmp_path: Path, call: str):
    """In one line that says what to do; shutting down again does nothing."""
    manager = SessionManager(tmp_path)
    manager.create_session(session_id="s")
    manager.shutdown()
    manager.shutdown()
    given = {"message": "x", "session_id": "s", "parent_id": "p", "chat_id": "c", "changes": {}}
    arguments = {name: given[name] for name in CALLS[call].parameters if name in given}
    with pytest.raises(Refused) as caught:
        call_manager(manager, call, arguments)
    assert str(caught.value) == "the session manager is shut down: open a new one"
    with SessionManager(tmp_path) as again:
        assert again.get_session_count() == 1


def test_shutdown_gives_everything_back(tmp_path: Path):
    """No thread is left, and the log is empty: the file is whole by itself."""
    manager = SessionManager(tmp_path, cleanup_interval_us=MILLISECOND)
    manager.create_session(session_id="s")
    manager.shutdown()
    assert threads() == []
    assert [path.name for path in tmp_path.iterdir()] == ["sessions.db"]


def test_where_no_thread_can_be_started_nothing_stays_open(tmp_path: Path, monkeypatch):
    """The store that was opened is closed again."""

    def fails(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)
    with pytest.raises(RuntimeError, match="new thread"):
        SessionManager(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sessions.db"]


def test_the_clean_up_keeps_no_process_alive(run_apart):
    """A program that forgets to shut down ends all the same."""
    script = """
import sys
from sessionproof.reference.managing import SessionManager
manager = SessionManager(sys.argv[1], cleanup_interval_us=1000)
manager.create_session(session_id="s")
print(manager.get_session_count())
"""
    assert run_apart(script) == "1\n"


def test_a_forked_child_is_refused_and_harms_nothing(run_apart):
    """It cannot use its parent's manager, and may shut it down; the parent goes on."""
    script = """
import os, sys, warnings
from sessionproof import Indefinite, Refused
from sessionproof.reference.managing import SessionManager
warnings.simplefilter("ignore")
manager = SessionManager(sys.argv[1], cleanup_interval_us=1000)
manager.create_session(session_id="s")
child = os.fork()
if not child:
    for call in (manager.get_metrics, manager.cleanup, manager.start_cleanup, manager.stop_cleanup):
        try:
            call()
        except Refused as error:
            assert "forked" in str(error), error
        else:
            os._exit(1)
    manager.shutdown()
    with SessionManager(sys.argv[1]) as own:
        os._exit(0 if own.get_session("s") else 2)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), manager.get_session_count())
manager.shutdown()
"""
    assert run_apart(script) == "0 1\n"
