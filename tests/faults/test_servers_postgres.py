"""Private PostgreSQL servers: they keep what they promise, and leave nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof.engine.machine import fast_folder
from sessionproof.faults.servers import postgres
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.faults.servers.postgres import PrivateServer, ServerFailed
from sessionproof.faults.servers.processes import processes_in, segment_of
from sessionproof.reference.postgres import programs

psycopg = pytest.importorskip("psycopg")
here = pytest.mark.skipif(find_binaries() is None, reason=missing())
WAIT_S = 60

OWNER = """
import sys
from pathlib import Path
from sessionproof.faults.servers.postgres import PrivateServer
with PrivateServer.start(Path(sys.argv[1]) if sys.argv[1] else None) as server:
    print(server.pid, server.folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server():
    """A server for the tests that leave it running."""
    with PrivateServer.start(fast_folder()) as started:
        yield started


def connected(server):
    return closing(psycopg.connect(server.url, autocommit=True))


def shown(server, name):
    with connected(server) as connection:
        return connection.execute(f"SHOW {name}").fetchone()[0]


def segments():
    """The ids of all shared segments of the machine."""
    lines = Path("/proc/sysvipc/shm").read_text("ascii").splitlines()[1:]
    return {int(line.split()[1]) for line in lines}


def soon(condition):
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@here
def test_it_keeps_what_a_server_promises(server):
    """Nothing that durability needs is switched off, and texts are UTF-8."""
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert shown(server, name) == "on"
    assert shown(server, "server_encoding") == "UTF8"
    assert shown(server, "max_connections") == "300"


@here
def test_only_its_owner_reaches_it(server):
    """It listens to no network, and its socket and data are private."""
    assert shown(server, "listen_addresses") == ""
    assert server.socket.stat().st_mode & 0o077 == 0
    assert server.folder.stat().st_mode & 0o077 == 0
    with Path(f"/proc/{server.pid}/status").open() as status:
        user = next(line for line in status if line.startswith("Uid:")).split()[1]
    assert user != "0"


@here
def test_ctrl_c_is_not_for_it(server):
    """It is in a session of its own, so a terminal's signals go to whoever started it."""
    assert os.getsid(server.pid) == server.pid != os.getsid(0)


@here
def test_settings_are_its_own(monkeypatch):
    """Settings that are named are in force, and none of our environment's."""
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGOPTIONS", "")
    chosen = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
    with PrivateServer.start(fast_folder(), settings=chosen, max_connections=20) as server:
        assert shown(server, "synchronous_commit") == "off"
        assert shown(server, "wal_writer_delay") == "10s"
        assert shown(server, "max_connections") == "20"


@here
def test_what_was_committed_survives_a_kill():
    """A kill ends every process, and what was committed is there again after the restart."""
    with PrivateServer.start(fast_folder()) as server:
        with connected(server) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (7)")
            assert server.backends() == [connection.info.backend_pid]
            server.kill()
            assert server.pid is None
            assert processes_in(server.data) == []
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        server.restart()
        with connected(server) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
            assert "was not properly shut down" in (server.folder / "log").read_text("utf-8")


@here
def test_connections_are_cut(server):
    """Every connection but the one that cuts is ended, and the server goes on."""
    soon(lambda: not server.backends())  # those of closed connections end by themselves
    with connected(server) as one, connected(server) as other:
        pids = {one.info.backend_pid, other.info.backend_pid}
        soon(lambda: set(server.backends()) == pids)
        assert server.terminate_backends() in (2, 3)  # the one that asked before may still end
        for connection in (one, other):
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")
    with connected(server) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


@here
def test_a_server_that_recovers_is_asked_again(server):
    """The end of one backend makes the server end all of them; who asks meanwhile has an answer."""
    for _ in range(5):
        with connected(server) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            assert server.backends() in ([], [victim.info.backend_pid])
            assert server.terminate_backends() in (0, 1)


@here
@pytest.mark.parametrize("end", ["stop", "kill", "close"])
def test_it_leaves_nothing_behind(end):
    """However it ended: no process, no folder, no shared memory."""
    with PrivateServer.start(fast_folder()) as server:
        folder, data, segment = server.folder, server.data, segment_of(server.data)
        assert segment in segments()
        getattr(server, end)()
        assert processes_in(data) == []
    assert not folder.exists()
    assert segment not in segments()
    server.close()  # does nothing


@here
@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_owner(signal_):
    """A server whose owner was killed stops by itself, and its folder goes."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(fast_folder() or "")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    with owner:
        pid, folder = owner.stdout.readline().split()
        assert int(pid) in processes_in(Path(folder) / "data")
        owner.send_signal(signal_)
        owner.wait(WAIT_S)
        soon(lambda: not processes_in(Path(folder) / "data"))
        soon(lambda: not Path(folder).exists())


@here
def test_a_cluster_that_is_being_made_goes_with_its_owner():
    """An owner that is killed before its server has started leaves no folder either."""
    parent = Path(tempfile.mkdtemp(prefix="owner-", dir=fast_folder()))
    parent.chmod(0o755)  # the server's account passes through
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        with owner:
            soon(lambda: list(parent.glob("*/data")))  # initdb has begun
            owner.kill()
            owner.wait(WAIT_S)
        soon(lambda: not list(parent.iterdir()))
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@here
def test_a_server_that_does_not_start_says_why():
    """A setting that PostgreSQL refuses is told in one line, and no folder is left."""
    with tempfile.TemporaryDirectory(dir=fast_folder()) as parent:
        Path(parent).chmod(0o755)  # its account goes through
        with pytest.raises(ServerFailed, match="nosuchsetting") as told:
            PrivateServer.start(Path(parent), settings={"nosuchsetting": "1"})
        assert not list(Path(parent).iterdir())
    assert "\n" not in str(told.value)


@here
def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path):
    """The system's limit is told before a server fails with it."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(ServerFailed, match="too long for a server's socket: name a shorter"):
        PrivateServer.start(long)
    assert not list(long.iterdir())


def test_what_to_install_is_told(monkeypatch):
    """Where there is no server, one line says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "_PACKAGED", ())
    assert find_binaries() is None
    with pytest.raises(ServerFailed, match=r"install one \(Debian: apt install postgresql\)"):
        PrivateServer.start()


def test_the_newest_server_is_taken(monkeypatch, tmp_path):
    """Among versions that are installed beside each other the newest counts, by number."""
    for version in ("9.6", "15", "8"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (folder / name).touch(0o755)
    (tmp_path / "16" / "bin").mkdir(parents=True)  # its programs are not there
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "_PACKAGED", (f"{tmp_path}/*/bin",))
    assert find_binaries() == tmp_path / "15" / "bin"


def test_the_driver_is_asked_for(monkeypatch):
    """Without psycopg a server is not even made: one line says which extra is missing."""
    monkeypatch.setattr(postgres, "find_binaries", lambda: Path("/"))
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ServerFailed, match=r"pip install 'sessionproof\[postgres\]'"):
        PrivateServer.start()
