"""System calls that are made to fail, and healed."""

import ctypes
import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.faults.failing import injection, listening, syscalls
from sessionproof.faults.failing.injection import CannotInject, Injector, Setting, why_not
from sessionproof.faults.failing.listening import FAILURES_MOST, Rule
from sessionproof.faults.failing.syscalls import Sort, numbers
from sessionproof.faults.failing.unsynced import PAGE, Unsynced
from sessionproof.host.client import ProcessEnded, Unexpected, python_store_command

HERE = Path(__file__).parent
ONE = [Message("user", "x")]
KILLED = """
import os, sys, time
from pathlib import Path
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.faults.failing.injection import Injector

with Injector(find_store("writing_stores:Plain")) as injector:
    store = injector.spec.open(Location(Path(sys.argv[1])))
    copy = os.fork()
    if copy == 0:  # it has all that is open, and outlives its parent
        os.close(1)
        time.sleep(120)
        os._exit(0)
    forks = Path(f"/proc/{store.pid}/stat").read_text().rpartition(")")[2].split()[1]
    print(copy, store.pid, forks, flush=True)
    os.kill(os.getpid(), 9)
"""
can = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture
def importable(monkeypatch):
    """The stores of ``writing_stores`` are found by name, also in other processes."""
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture
def opened(tmp_path, importable):
    """Open a store by its name: an injector, and the store."""
    open_now = []

    def opened(name="writing_stores:Plain", *, command=False, setting=None):
        name = f"cmd:{shlex.join(python_store_command(name))}" if command else name
        injector = Injector(find_store(name))
        open_now.append(injector)
        if setting is not None:
            injector.setting = setting
        store = injector.spec.open(Location(tmp_path))
        open_now.append(store)
        return injector, store

    yield opened
    for one in reversed(open_now):
        if isinstance(one, Injector):
            one.__exit__(None, None, None)
        else:
            one.kill()


def rule(*sorts, nth=1, error=errno.EIO, stays=False):
    """A rule for these sorts."""
    return Rule(sorts=frozenset(sorts), nth=nth, error=error, stays=stays)


@can
@pytest.mark.parametrize(
    ("name", "command"), [("Plain", False), ("FromAThread", False), ("Plain", True)]
)
def test_a_call_fails_once_and_is_healed(opened, tmp_path, name, command):
    """In the store's own thread, in another one, and in the process of a command."""
    injector, store = opened(f"writing_stores:{name}", command=command)
    injector.watch(tmp_path, rule(Sort.WRITE))
    with pytest.raises(Unexpected, match="Input/output error"):
        store.append("s", ONE)
    store.append("s", ONE)
    met = injector.met()
    assert [call.failed for call in met.calls if call.sort is Sort.WRITE] == [True, False]
    assert [one.content for one in store.read("s")] == ["x"]
    store.close()


@can
def test_a_program_that_the_store_starts_is_listened_to(opened, tmp_path):
    """The filter is inherited by whatever is started."""
    injector, store = opened("writing_stores:FromAChild")
    injector.watch(tmp_path, rule(Sort.WRITE))
    with pytest.raises(Unexpected, match="could not write"):
        store.append("s", ONE)
    assert len(injector.met().failed) == 1
    assert not store.read("s")


@can
def test_a_full_disk_stays_full_until_it_is_healed(opened, tmp_path):
    """From the chosen call on each call of these sorts fails; others are made."""
    injector, store = opened()
    injector.watch(tmp_path, rule(Sort.WRITE, nth=2, error=errno.ENOSPC, stays=True))
    store.append("s", ONE)
    for _ in range(2):
        with pytest.raises(Unexpected, match="No space left"):
            store.append("s", ONE)
    injector.heal()
    store.append("s", ONE)
    met = injector.met()
    assert [call.sort for call in met.failed] == [Sort.WRITE] * 2
    assert len(store.read("s")) == 2


@can
def test_a_full_disk_does_not_stay_full_for_ever(opened, tmp_path):
    """A store that tries again until it succeeds does so, long before its deadline."""
    injector, store = opened("writing_stores:Stubborn")
    injector.watch(tmp_path, rule(Sort.WRITE, stays=True))
    store.append("s", ONE)
    assert len(injector.met().failed) == FAILURES_MOST
    assert len(store.read("s")) == 1


@can
def test_all_sorts_of_calls_are_seen_with_their_files(opened, tmp_path):
    """Relative names, names by folders, lists of buffers: each is known by its path."""
    injector, store = opened("writing_stores:InManyWays")
    injector.watch(tmp_path)
    store.append("s", ONE)
    seen = [
        (call.name.removesuffix("at2").removesuffix("at"), call.sort, call.path)
        for call in injector.met().calls
    ]
    assert seen == [
        ("mkdir", "make", "deep"),
        ("open", "make", "deep/new"),
        ("writev", "write", "deep/new"),
        ("pwrite64", "write", "deep/new"),
        ("open", "make", "lines"),
        ("copy_file_range", "write", "lines"),
        ("ftruncate", "size", "deep/new"),
        ("fdatasync", "sync", "deep/new"),
        ("rename", "rename", "deep/new"),
        ("link", "make", "newer"),
        ("symlink", "make", "current"),
        ("unlink", "remove", "newer"),
        ("rmdir", "remove", "deep"),
    ]


@can
def test_pages_of_a_failed_sync_are_known(opened, tmp_path):
    """The file is named by its inode, the offset of an appending descriptor is its size."""
    injector, store = opened()
    store.append("s", [Message("user", "a" * 5000)])
    injector.watch(tmp_path, rule(Sort.SYNC))
    with pytest.raises(Unexpected):
        store.append("s", ONE)
    about = (tmp_path / "lines").stat()
    assert injector.met().unsynced.lost == {(about.st_dev, about.st_ino): {1}}


@can
def test_files_elsewhere_are_not_touched_by_a_rule(opened, tmp_path):
    """Calls about other folders are made, and new names there are noted."""
    injector, store = opened()
    (tmp_path / "watched").mkdir()
    injector.watch(tmp_path / "watched", rule(*Sort, stays=True))
    store.append("s", ONE)
    met = injector.met()
    assert not met.calls
    assert tmp_path / "lines" in met.elsewhere


@can
def test_a_process_that_dies_of_an_error_is_told(opened, tmp_path):
    """With its exit code, as that of any hosted store."""
    injector, store = opened("writing_stores:Dies")
    injector.watch(tmp_path, rule(Sort.SYNC))
    with pytest.raises(ProcessEnded, match="exit code 3"):
        store.append("s", ONE)
    assert store.ended == "exit code 3"


@can
@pytest.mark.parametrize("command", [False, True])
def test_processes_are_started_as_they_are_asked_for(opened, tmp_path, command):
    """In another folder, with another home, and bound by permissions, also for root."""
    setting = Setting(folder=tmp_path, environment={"HOME": "/nowhere"}, rights=False)
    _, store = opened("writing_stores:Printing", command=command, setting=setting)
    store.append("s", ONE)
    store.close()
    told = store.stderr_tail()
    assert f"{tmp_path} /nowhere" in told
    effective = int(told.partition("CapEff:")[2].removeprefix("\\t").split()[0], 16)
    assert not effective & 0b110


@can
def test_no_process_is_left(importable, tmp_path):
    """Whoever forks takes its children along, however they were left."""
    with Injector(find_store("writing_stores:Plain")) as injector:
        store = injector.spec.open(Location(tmp_path))
    with pytest.raises(Refused, match="SIGKILL"):
        store.read("s")
    with pytest.raises(ProcessLookupError):
        os.kill(store.pid, 0)


def runs(pid):
    """Whether the process is there and has not ended."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@can
def test_no_process_outlives_a_harness_that_was_killed(tmp_path):
    """Also where a copy of the harness lives on, with all that it had open."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path], cwd=HERE, stdout=subprocess.PIPE, check=False,
        timeout=60,
    )  # fmt: skip
    copy, *started = map(int, ended.stdout.split())
    until = monotonic_s() + 60
    try:
        while any(map(runs, started)) and monotonic_s() < until:
            time.sleep(0.05)
        assert runs(copy)
        assert not any(map(runs, started))
    finally:
        os.kill(copy, signal.SIGKILL)


def test_where_calls_are_not_known_the_reason_is_told(monkeypatch):
    """In one line, with the remedy."""
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "z80")
    why_not.cache_clear()
    try:
        with pytest.raises(CannotInject, match="use x86_64 or aarch64"):
            injection._started([])
    finally:
        why_not.cache_clear()


def forker(store):
    """The process that forked it."""
    return int(Path(f"/proc/{store.pid}/stat").read_text().rpartition(")")[2].split()[1])


@can
def test_a_store_is_imported_once_for_many_injectors(importable, tmp_path, monkeypatch):
    """The process that imports is kept while it would start the same, and nothing is left in it.

    The next injector has no rule and none of the notes of the last.
    """
    spec = find_store("writing_stores:Plain")
    parents = []
    for change in (None, None, lambda: monkeypatch.setenv("ELSEWHERE", "1"), None):
        if change:
            change()
        with Injector(spec) as injector:
            assert not injector.met().calls
            store = injector.spec.open(Location(tmp_path))
            store.append("s", ONE)
            parents.append(forker(store))
            injector.watch(tmp_path, rule(Sort.WRITE, stays=True))
            store.close()
    first, second, third, fourth = parents
    assert first == second
    assert second != third == fourth
    assert not runs(first)


@can
def test_a_process_with_something_left_is_not_kept(importable, tmp_path):
    """A host that was not closed, and a process that ended: the next injector has another."""
    spec = find_store("writing_stores:Plain")
    with Injector(spec) as injector:
        left = injector.spec.open(Location(tmp_path))
        first = forker(left)
    left.kill()
    with Injector(spec) as injector:
        store = injector.spec.open(Location(tmp_path))
        second = forker(store)
        assert second != first
        store.close()
    os.kill(second, signal.SIGKILL)
    while runs(second):
        time.sleep(0.01)
    with Injector(spec) as injector:
        store = injector.spec.open(Location(tmp_path))
        assert forker(store) != second
        store.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs /proc")  # noqa: PTH110
def test_the_memory_of_who_was_killed_meanwhile_has_no_path(monkeypatch):
    """The kernel then answers no bytes and no error: the listener must not ask for ever."""
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(ProcessLookupError):
        listening._text(os.getpid(), 4096)


@pytest.mark.skipif(not numbers(), reason="needs calls that are known")
@pytest.mark.parametrize("name", ["sendfile", "copy_file_range", "splice"])
@pytest.mark.parametrize(("offset", "pages"), [(None, {0, 1}), (PAGE, {1, 2})])
def test_what_is_sent_from_file_to_file_is_as_long_as_its_source(tmp_path, name, offset, pages):
    """Offsets are addresses, and the length is often more than there is."""
    (tmp_path / "from").write_bytes(b"x" * (PAGE + 1))
    unsynced = Unsynced()
    (call,) = [call for call in numbers().values() if call.name == name]
    place = ctypes.c_uint64(offset or 0)
    address = 0 if offset is None else ctypes.addressof(place)
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("wb") as target:
        if name == "sendfile":  # it writes where the file stands
            target.seek(offset or 0)
            given = (target.fileno(), source.fileno(), 0x7FFE_0000_0000, 1 << 23, 0, 0)
        else:
            given = (source.fileno(), 0, target.fileno(), address, 1 << 23, 0)
        listening._note(unsynced, os.getpid(), call, given, failed=False)
    assert [*unsynced.written.values()] == [pages]


@pytest.mark.skipif(not numbers(), reason="needs calls that are known")
def test_what_comes_from_a_pipe_is_as_long_as_was_asked_for(tmp_path):
    """A pipe has no size."""
    unsynced = Unsynced()
    (call,) = [call for call in numbers().values() if call.name == "splice"]
    source, end = os.pipe()
    with (tmp_path / "to").open("wb") as target:
        given = (source, 0, target.fileno(), 0, PAGE + 1, 0)
        listening._note(unsynced, os.getpid(), call, given, failed=False)
    os.close(source)
    os.close(end)
    assert [*unsynced.written.values()] == [{0, 1}]


@pytest.mark.skipif(not numbers(), reason="needs calls that are known")
def test_arguments_without_sense_do_not_end_the_listener(tmp_path):
    """Addresses and lengths that there cannot be: the kernel refuses the call itself."""
    listener = listening.Listener()
    calls = {call.name: call for call in numbers().values()}
    most = (1 << 64) - 1
    try:
        with (tmp_path / "a").open("wb") as file:
            listener.watch(tmp_path)
            for name in ("writev", "pwritev", "openat"):
                given = (file.fileno(), most, most, 0, 0, 0)
                assert listener._decided(os.getpid(), calls[name], given) == 0
            assert listener.met().blind == 1
    finally:
        listener.close()
