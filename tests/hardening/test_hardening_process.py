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


RESERVED = """
import threading
from sessionproof.contract.machine import begin
from sessionproof.engine.limits import Limits, hold
hold(Limits(memory=256 << 20))
kept = []
def eat():
    for size in (16 << 20, 1 << 20):
        try:
            while True:
                kept.append(b"x" * size)
        except MemoryError:
            pass
def said():
    done = threading.Event()
    begin(threading.Thread(target=done.set))
    done.wait(10)
    return done.is_set()
eat()
try:
    threading.Thread(target=print).start()
except RuntimeError as error:
    print(error)
print(said())
eat()
try:
    print(said())
except MemoryError as error:
    print("no more")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory has no limit")
def test_memory_is_kept_back_from_a_store():
    """Where a store has taken all there is, a thread of ours starts once more, and then none."""
    assert python(RESERVED).splitlines() == ["can't start new thread", "True", "no more"]


TOUCHED = """
import resource, threading
from sessionproof.contract.machine import begin
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    begin(threading.Thread(target=len, args=("",)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere pages are counted otherwise")
def test_a_look_whether_memory_is_there_writes_none():
    """Each store that is opened begins a thread: 32 MiB of pages each time would be most of it."""
    assert int(python(TOUCHED)) < 1000  # one look alone would be 8192


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
    assert line.split()[3:5] == [str(300 * MIB), str(556 * MIB)]  # the rest is kept back


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
    with surroundings.Kept() as changed:
        pass
    assert changed == []
    folder, printing, zone = Path.cwd(), print, time.tzname
    mask = os.umask(0o022)
    with surroundings.Kept() as changed:
        os.chdir(tmp_path)
        os.umask(0o777)
        os.environ["TZ"] = "Pacific/Kiritimati"
        time.tzset()
        gc.disable()
        builtins.print = builtins.next = sorted
    assert changed == [
        "builtin functions", "the working folder", "the umask", "the time zone",
        "garbage collection",
    ]  # fmt: skip
    assert (Path.cwd(), print, time.tzname) == (folder, printing, zone)
    assert os.umask(mask) == 0o022
    assert gc.isenabled()


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    """A store may remove the folder that it works in: the one before is put back."""
    gone, folder = tmp_path / "gone", Path.cwd()
    gone.mkdir()
    with surroundings.Kept() as changed:
        os.chdir(gone)
        gone.rmdir()
    assert changed == ["the working folder"]
    assert Path.cwd() == folder


CLOSES = """
import os, sys
from sessionproof.engine import surroundings

folder, least = sys.argv[1], int(sys.argv[2])
said = os.dup(1)
os.dup2(said, 200)
files = len(os.listdir("/dev/fd"))
with surroundings.Kept() as changed:
    os.closerange(least, 100)
    if least:  # the store opens others, which may get the numbers of the copies
        others = [open(f"{folder}/{n}", "w") for n in range(9)]
print(changed, flush=True)
os.write(200, b"least %d\\n" % least)
if least > 2:
    assert all(os.fstat(one.fileno()) for one in others)
else:
    assert len(os.listdir("/dev/fd")) <= files
"""


@pytest.mark.parametrize(
    ("least", "said"),
    [
        (0, "least 0"),  # the copies are closed, too: what is printed is lost, and nothing fails
        (3, "[]\nleast 3"),
    ],
)
def test_streams_that_are_closed_are_put_back(tmp_path, least, said):
    """A process goes on printing, or fails at least at nothing; files of the store stay open."""
    assert python(CLOSES, tmp_path, least) == said


def test_a_stream_that_is_another_file_is_put_back(tmp_path):
    """What is printed afterwards goes where it went before."""
    program = """
import os, sys
from sessionproof.engine import surroundings
with surroundings.Kept() as changed:
    os.dup2(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), 1)
    os.close(2)
    print("of the store", flush=True)
print(changed)
"""
    assert python(program, tmp_path / "log") == "['the standard streams']"
    assert (tmp_path / "log").read_text("utf-8") == "of the store\n"


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
