"""What holds a store's process: limits, its own surroundings, and an end for all that it starts."""

import builtins
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionproof.engine import limits, surroundings
from sessionproof.engine.limits import Limits, Room, hold, limits_of

MIB = 1024 * 1024


def python(code, *words):
    """What a process of this interpreter prints."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return (ended.stdout + ended.stderr).strip()


HELD = """
import sys
from sessionproof.engine.limits import Limits, hold
hold(Limits(memory=256 << 20, file=1 << 20))
try:
    if sys.argv[1:]:
        open(sys.argv[1], "wb").write(b"x" * (2 << 20))
    else:
        bytearray(512 << 20)
except (MemoryError, OSError) as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory has no limit")
def test_a_process_has_so_much_memory():
    """Whoever takes more than its limit gets an error of Python's, and lives on."""
    assert python(HELD) == "MemoryError"


def test_a_file_has_an_end(tmp_path):
    """A file beyond its limit is refused with an error, and not made."""
    assert "File too large" in python(HELD, tmp_path / "x")
    assert (tmp_path / "x").stat().st_size <= MIB


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_a_limit_is_never_raised():
    """What holds already, and is lower, stays; a process that has ended is no error."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    hold(Limits(memory=300 * MIB), child.pid)
    hold(Limits(memory=900 * MIB), child.pid)
    told = Path(f"/proc/{child.pid}/limits").read_text("ascii")
    child.communicate(b"\n")
    hold(Limits(memory=300 * MIB), child.pid)
    (line,) = [one for one in told.splitlines() if one.startswith("Max data size")]
    assert line.split()[3:5] == [str(300 * MIB)] * 2


def test_the_limits_of_a_run(tmp_path, monkeypatch):
    """By itself an eighth of the memory, but never so little that our own tests fail; as said."""
    monkeypatch.setattr(limits, "_memory", lambda: 64 << 30)
    assert limits_of(tmp_path).memory == 8 << 30
    monkeypatch.setattr(limits, "_memory", lambda: 1 << 30)
    assert limits_of(tmp_path).memory == 2 << 30
    assert limits_of(tmp_path, 0).memory == 0
    assert limits_of(tmp_path, 5 * MIB).memory == 5 * MIB
    assert limits_of(tmp_path).file > 0


def test_a_run_leaves_room_to_others(tmp_path, monkeypatch):
    """Half of what was free may be written; in memory, half of the memory where that is less."""
    free = [1000 * MIB]
    monkeypatch.setattr(limits, "_free", lambda directory: free[0])
    monkeypatch.setattr(limits, "_memory", lambda: 100 * MIB)
    monkeypatch.setattr(limits, "_IN_MEMORY", tmp_path / "memory")
    room, within = Room(tmp_path), Room(tmp_path / "memory" / "x")
    for left, used_up, used_up_within in [
        (990, False, False),
        (940, False, True),
        (490, True, True),
    ]:
        free[0] = left * MIB
        assert (room.is_used_up(), within.is_used_up()) == (used_up, used_up_within)


def test_surroundings_are_put_back(tmp_path):
    """All that a call left otherwise is as before, and named; what was not touched is not."""
    before = surroundings.surroundings()
    assert surroundings.put_back(before) == []
    folder, printing, zone = Path.cwd(), print, time.tzname
    os.chdir(tmp_path)
    mask = os.umask(0o777)
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()
    gc.disable()
    builtins.print = sorted
    changed = surroundings.put_back(before)
    assert changed == [
        "builtin functions", "the working folder", "the umask", "the time zone",
        "garbage collection",
    ]  # fmt: skip
    assert (Path.cwd(), print, time.tzname) == (folder, printing, zone)
    assert os.umask(mask) == mask
    assert gc.isenabled()
    assert surroundings.put_back(before) == []


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    """A store may remove the folder that it works in: the one before is put back."""
    before = surroundings.surroundings()
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert surroundings.put_back(before) == ["the working folder"]
    assert Path.cwd() == Path(before["the working folder"])


DAEMON = """
import subprocess, sys
from sessionproof.engine.children import nothing_left

inner = '''
import subprocess
daemon = subprocess.Popen(["sleep", "60"], start_new_session=True, stdout=subprocess.DEVNULL)
print(daemon.pid)
'''
ours = subprocess.Popen(["sleep", "60"])
with nothing_left():
    made = subprocess.run([sys.executable, "-c", inner], stdout=subprocess.PIPE, text=True).stdout
print(made.strip(), ours.poll())
ours.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody hears of orphans")
def test_a_daemon_ends_with_the_run():
    """What left every group and session is ended; children of before are left alone."""
    process, ours = python(DAEMON).split()
    assert ours == "None"
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
