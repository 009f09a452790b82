"""Where PostgreSQL's programs lie, and as whom they run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NEEDED = ("initdb", "postgres")
_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")  # Debian, Red Hat
_ACCOUNTS = ("postgres", "nobody")


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's server programs: of PATH, else the newest; None without any."""
    return next((one for one in _places() if _has_all(one)), None)


def missing() -> str:
    """One line that says what to install where there is no server."""
    return (
        "no PostgreSQL server is installed here: install one (Debian: apt install postgresql), "
        "or put the folder of its initdb on PATH"
    )


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group by number that a server runs as."""

    user: int
    group: int


def account() -> Account | None:
    """Whom a server runs as where we are root, which it refuses to be; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    return Account(65534, 65534)  # nobody, in the kernel's words


def _has_all(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _NEEDED)


def _places() -> Iterator[Path]:
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    if config := shutil.which("pg_config"):
        asked = subprocess.run(
            [config, "--bindir"], capture_output=True, encoding="utf-8", check=False
        )
        if asked.returncode == 0:
            yield Path(asked.stdout.strip())
    for pattern in _PACKAGED:
        folders = Path("/").glob(pattern.removeprefix("/"))
        yield from sorted(folders, key=_version, reverse=True)


def _version(folder: Path) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", folder.parent.name)
    return float(numbers[-1]) if numbers else 0.0
