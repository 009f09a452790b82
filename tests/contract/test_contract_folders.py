"""Private folders: removed at the end, and by the next one where their holder was killed."""

import os
import subprocess
import sys

import pytest

from sessionproof.contract import folders, machine
from sessionproof.contract.folders import folder_in_memory, private_folder
from sessionproof.contract.machine import lock, unlock, usable_cores

KILLED = """
import os, sys
from pathlib import Path
from sessionproof.contract.folders import private_folder

with private_folder(Path(sys.argv[1])) as folder:
    (folder / "data").write_text("x")
    print(folder, flush=True)
    os.kill(os.getpid(), 9)
"""


def left_by_a_killed(parent):
    """The folder that a process had when it was killed."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(parent)], stdout=subprocess.PIPE, encoding="utf-8",
        check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == -9
    return parent / ended.stdout.strip()


def test_a_private_folder_is_there_as_long_as_it_is_used(tmp_path):
    """A folder lies where it is wanted, for its owner alone, and goes with what is in it."""
    with private_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "below").mkdir(0o500)
    assert not folder.exists()


def test_what_a_killed_process_left_goes_with_the_next_folder(tmp_path):
    """Memory that a killed run took is given back by the next run, and living ones keep theirs."""
    with private_folder(tmp_path) as living:
        left = left_by_a_killed(tmp_path)
        assert (left / "data").exists()
        with private_folder(tmp_path):
            assert not left.exists()
            assert living.is_dir()
        assert living.is_dir()


def test_what_nobody_ever_held_stays(tmp_path):
    """What only has such a name is not ours to remove, and a link is not followed."""
    other = tmp_path / "other"
    left_by_a_killed(tmp_path).rename(other)
    (tmp_path / "sessionproof-mine").mkdir()
    (tmp_path / "sessionproof-file").write_text("x")
    (tmp_path / "sessionproof-link").symlink_to(other)
    with private_folder(tmp_path):
        pass
    names = {"other", "sessionproof-mine", "sessionproof-file", "sessionproof-link"}
    assert {one.name for one in tmp_path.iterdir()} == names
    assert (other / "data").exists()


def test_without_locks_nothing_is_held_and_nothing_removed(tmp_path, monkeypatch):
    """Where the system has no locks, a living run cannot be told from a dead one: all stay."""
    left = left_by_a_killed(tmp_path)
    monkeypatch.setattr(folders, "HAS_LOCKS", False)
    with private_folder(tmp_path) as folder:
        assert not any(folder.iterdir())
        assert left.exists()
    assert not folder.exists()


def test_a_file_system_that_refuses_locks_still_has_folders(tmp_path, monkeypatch):
    """Some network file systems have no locks: the folder is there, and only is not held."""

    def refused(_descriptor):
        raise OSError(95, "not supported")

    monkeypatch.setattr(folders, "lock", refused)
    with private_folder(tmp_path) as folder:
        assert not any(folder.iterdir())


def test_memory_is_taken_where_there_is_room():
    """A folder in memory is answered only where it has as much room as is wanted."""
    assert folder_in_memory(1 << 60) is None
    assert folder_in_memory(0) in {None, folders._MEMORY}


def test_one_process_has_a_lock_at_a_time(tmp_path):
    """A lock that another has open is refused until it is let go, or its file is closed."""
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    assert lock(first)
    assert not lock(second)
    unlock(first)
    assert lock(second)
    os.close(second)
    assert lock(first, wait=True)
    os.close(first)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock(first)


def test_where_there_are_no_locks_nobody_is_kept_out(tmp_path, monkeypatch):
    """As on Windows: a lock is always had, and to let it go is nothing."""
    monkeypatch.setattr(machine, "fcntl", None)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    assert lock(descriptor)
    assert lock(descriptor, wait=True)
    unlock(descriptor)
    os.close(descriptor)


def test_there_is_a_core(monkeypatch):
    """Whatever the system says, a process may use some core."""
    assert usable_cores()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == {0}
