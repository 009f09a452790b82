"""A PostgreSQL server of our own, on a socket in a folder of its own, for the time of a run.

What it promises is left on: fsync and full pages. It listens to nothing but its socket, which
only we can reach. It ends with the process that started it, also when that is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import quote

from sessionproof.contract.clock import monotonic_s
from sessionproof.faults.servers.binaries import Account, account, find_binaries, missing
from sessionproof.faults.servers.processes import end_all_in, forget_segment
from sessionproof.faults.servers.watching import Watcher

if TYPE_CHECKING:
    from psycopg import Connection

SUPERUSER = "sessionproof"
_PORT = 5432  # of the socket's name alone
_PATH_BYTES_MOST = 107  # of a socket
_READY_S = 120.0  # recovery after a kill takes its time
_STOP_S = 30.0
_LOOK_S = 0.02

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "dynamic_shared_memory_type": "mmap",  # in the folder, so nothing is left after a kill
    "max_wal_size": "256MB",  # the folder may be in memory
}


class ServerFailed(Exception):
    """A private server cannot be started or stopped; the text is one line."""


class PrivateServer:
    """A server that runs. ``url`` names it; its data and its log lie below ``folder``."""

    def __init__(self, folder: Path, programs: Path, settings: Mapping[str, str]) -> None:
        """Make and start it in an existing, empty folder; ``start`` is the way to call this."""
        self.folder = folder
        self.data = folder / "data"
        self._programs = programs
        self._settings = {**_SETTINGS, **settings}
        self._account = account()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Watcher | None = None
        if self._account is not None:
            os.chown(folder, self._account.user, self._account.group)
        self._make()
        self._begin()

    @classmethod
    def start(
        cls,
        parent: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        max_connections: int = 300,
    ) -> PrivateServer:
        """A server in a new folder below ``parent``, else below the system's temporary one.

        ``settings`` are PostgreSQL's own, by name. Use it in a ``with`` block. Raises ServerFailed.
        """
        programs = find_binaries()
        if programs is None:
            raise ServerFailed(missing())
        _require_driver()
        folder = Path(tempfile.mkdtemp(prefix="sessionproof-pg-", dir=parent)).resolve()
        try:
            _require_short(folder)
            chosen = {"max_connections": str(max_connections), **(settings or {})}
            return cls(folder, programs, chosen)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def url(self) -> str:
        """The address of its database ``postgres``, with every right; there is no password."""
        return self.url_through(self.folder)

    def url_through(self, folder: Path) -> str:
        """The address of the same database through a socket of the same name in this folder."""
        host = quote(str(folder), safe="/")
        return f"postgresql:///postgres?host={host}&port={_PORT}&user={SUPERUSER}"

    @property
    def socket(self) -> Path:
        """The socket that it listens to."""
        return self.folder / f".s.PGSQL.{_PORT}"

    @property
    def pid(self) -> int | None:
        """The id of its first process; None while it is stopped."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process is not None else None

    def __enter__(self) -> PrivateServer:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it and remove its folder; a second time does nothing."""
        try:
            self.stop()
        finally:
            forget_segment(self.data)
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop it in order: connections are cut, what is committed is written."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        self._unwatch()

    def kill(self) -> None:
        """End all its processes at once: nothing is flushed, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        end_all_in(self.data)
        self._unwatch()

    def restart(self) -> None:
        """Start it again, after a kill with all that recovery has to do; answers when it is ready.

        A server that still runs is stopped in order before.
        """
        self.stop()
        self._begin()

    def backends(self) -> list[int]:
        """The ids of the processes that serve a connection now, but for our own."""
        rows = self._asked(
            "SELECT pid FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
        )
        return [row[0] for row in rows]

    def terminate_backends(self) -> int:
        """Cut every connection but our own, as an administrator would; answers how many."""
        rows = self._asked(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return sum(row[0] for row in rows)

    def _make(self) -> None:
        """Make its database cluster."""
        with subprocess.Popen(
            [self._programs / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust",
             "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self.folder, env=_environment(), **_as(self._account),
        ) as making:  # fmt: skip
            watcher = Watcher(making.pid, self.folder)
            try:
                said, _ = making.communicate()
            finally:
                watcher.dismiss()
        if making.returncode != 0:
            last = _last_line(said.decode("utf-8", "replace"))
            raise ServerFailed(f"no PostgreSQL server can be made in {self.folder}: {last}")

    def _begin(self) -> None:
        """Start it, watch over it, and wait until it takes connections."""
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, "-k", self.folder, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=_environment(), start_new_session=True, **_as(self._account),
            )  # fmt: skip
        try:
            self._watcher = Watcher(self._process.pid, self.folder)
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        until = monotonic_s() + _READY_S
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                over = monotonic_s() > until
                if over or process.poll() is not None:
                    how = "was not ready in time" if over else "did not start"
                    raise ServerFailed(f"the PostgreSQL server {how}: {self._said()}") from None
                time.sleep(_LOOK_S)
            else:
                return

    def _asked(self, question: LiteralString) -> list[tuple[Any, ...]]:
        """The answer's rows. A server that recovers from the end of a backend is waited for."""
        import psycopg

        until = monotonic_s() + _READY_S
        while True:
            try:
                with self._connect() as connection:
                    return connection.execute(question).fetchall()
            except psycopg.OperationalError:
                if self.pid is None or monotonic_s() > until:
                    raise
                time.sleep(_LOOK_S)

    def _connect(self) -> Connection[Any]:
        import psycopg

        return psycopg.connect(self.url, autocommit=True, connect_timeout=10)

    def _said(self) -> str:
        return _last_line((self.folder / "log").read_text("utf-8", "replace"))

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.dismiss()
            self._watcher = None


def _require_driver() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise ServerFailed(
            "PostgreSQL needs the package psycopg: pip install 'sessionproof[postgres]'"
        ) from None


def _require_short(folder: Path) -> None:
    if len(os.fsencode(folder / f".s.PGSQL.{_PORT}")) > _PATH_BYTES_MOST:
        raise ServerFailed(
            f"the path {folder.parent} is too long for a server's socket: name a shorter folder"
        )


def _environment() -> dict[str, str]:
    """Nothing of our own settings bends the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _as(who: Account | None) -> dict[str, Any]:
    """The arguments by which a process runs as this account."""
    return {} if who is None else {"user": who.user, "group": who.group, "extra_groups": []}


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
