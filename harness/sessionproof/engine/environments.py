"""A virtual environment for each store: this very sessionproof, the store's extra, nothing else.

uv makes them where it is installed, as it is quicker, else ``venv`` and pip. Where packages come
from is what these tools are configured to; no address of it is told to anybody.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.extras import OURS
from sessionproof.engine.children import run_and_read
from sessionproof.engine.packing import packed
from sessionproof.engine.plan import BadUsage

_MARK = "sessionproof.json"  # in an environment that is whole: what was put into it
_INSTALL_S = 900.0
_GRACE_S = 5.0
_SHOWN = 300
_ADDRESS = re.compile(r"[a-z+]+://[^\s'\"<>)\],;]+")
_HOST = re.compile(r"://(?:[^\s/@]*@)?([\w.-]+)|\bhost=['\"]([\w.-]+)['\"]")


class NotInstalled(Exception):
    """A store's packages cannot be installed; the text is one line, without an address."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment: its folder and its interpreter."""

    folder: Path
    python: Path

    @property
    def packages(self) -> list[Path]:
        """The folders that hold what is installed."""
        return sorted(self.folder.glob("lib/python*/site-packages"))


class Environments:
    """Environments below one folder, each made when it is first asked for.

    Stores that need the same extras share one. What an earlier command left whole is used again,
    with the packages that it has.
    """

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        """Pack the sessionproof that is running; raises BadUsage where that cannot be."""
        require_installer()
        self._folder, self._stop = folder, stop
        (folder / "wheel").mkdir(parents=True, exist_ok=True)
        self._wheel = packed(folder / "wheel")
        self._digest = hashlib.sha256(self._wheel.read_bytes()).hexdigest()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def ready(
        self, extras: Sequence[str], *, name: str = "", also: Sequence[str] = ()
    ) -> Environment:
        """The environment with these extras of sessionproof; raises NotInstalled.

        ``name`` is that of its folder, made of the extras unless it is given. ``also`` are
        requirements beside them.
        """
        name = name or "-and-".join(extras) or "plain"
        with self._guard:
            lock = self._locks[name]
        with lock:
            folder = self._folder / name
            made = Environment(folder=folder, python=folder / "bin" / "python")
            content = {"sessionproof": self._digest, "extras": list(extras), "also": list(also)}
            if _content(folder) != content:
                self._make(made, extras, also)
                (folder / _MARK).write_text(json.dumps(content), "utf-8")
            return made

    def install(self, made: Environment, *what: str) -> None:
        """Have pip or uv install with these words into the environment; raises NotInstalled."""
        self._do(_installing(made, *what))

    def _make(self, made: Environment, extras: Sequence[str], also: Sequence[str]) -> None:
        """Install into the environment, which is made where it is missing."""
        (made.folder / _MARK).unlink(missing_ok=True)
        if made.python.exists():
            self.install(made, "--force-reinstall", "--no-deps", os.fspath(self._wheel))
        else:
            if _is_of_others(made.folder):
                raise NotInstalled(
                    f"{made.folder.name} of --environments is no virtual environment: "
                    "move it away, or name another folder"
                )
            self._do(_making(made.folder))
        wanted = f"[{','.join(extras)}]" if extras else ""
        self.install(made, f"{OURS}{wanted} @ {self._wheel.resolve().as_uri()}", *also)

    def _do(self, command: Sequence[str]) -> None:
        ended, printed = run_and_read(
            command,
            environment=_environment(),
            folder=self._folder,
            until_s=monotonic_s() + _INSTALL_S,
            stop=self._stop,
            grace_s=_GRACE_S,
            most_bytes=None,  # any line may name a host that is not to be shown
        )
        if ended.why:
            raise NotInstalled(f"installing it was ended: {ended.why}")
        if ended.code:
            raise NotInstalled(told(printed, os.environ))


def require_installer() -> None:
    """Raise BadUsage where there is neither uv nor pip."""
    if _uv() is None and importlib.util.find_spec("pip") is None:
        raise BadUsage("--isolated needs uv or pip, and there is neither: python -m ensurepip")


def told(printed: str, environment: Mapping[str, str]) -> str:
    """The line that says most of what an installer printed, without addresses and their hosts.

    ``environment`` may hold addresses of registries, whose hosts are not shown either.
    """
    lines = [line for line in printed.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if line.lower().startswith("error:")]
    line = " ".join((errors or lines)[-1].split())
    given = [value for name, value in environment.items() if name.startswith(("PIP_", "UV_"))]
    hosts = {one or other for one, other in _HOST.findall("\n".join([printed, *given]))}
    line = _ADDRESS.sub("(address)", line)
    for host in sorted(hosts - {""}, key=len, reverse=True):
        line = line.replace(host, "(host)")
    return line[:_SHOWN]


def _content(folder: Path) -> object:
    """What a whole environment says of itself; None for any other."""
    try:
        return json.loads((folder / _MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _is_of_others(folder: Path) -> bool:
    """Whether something lies there that is no environment."""
    return folder.exists() and not (folder / "pyvenv.cfg").is_file()


def _uv() -> str | None:
    """Where uv is: on the path, or beside the interpreter, where pip puts it."""
    return shutil.which("uv") or shutil.which("uv", path=os.fspath(Path(sys.executable).parent))


def _making(folder: Path) -> list[str]:
    """The command that makes an empty environment; pip installs into it from outside."""
    if uv := _uv():
        return [
            uv,
            "venv",
            "--quiet",
            "--allow-existing",
            "--python",
            sys.executable,
            os.fspath(folder),
        ]
    return [sys.executable, "-m", "venv", "--without-pip", os.fspath(folder)]


def _installing(made: Environment, *what: str) -> list[str]:
    """The command that installs into an environment."""
    python = os.fspath(made.python)
    if uv := _uv():
        return [uv, "pip", "install", "--quiet", "--python", python, *what]
    quietly = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-conflicts"]
    # Byte code is left to the first import: of most that is installed nothing is ever imported.
    return [
        sys.executable, "-m", "pip", "--python", python, "install", *quietly, "--no-compile", *what
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """Our variables without those that would show our own packages to another interpreter."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours}
