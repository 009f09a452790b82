"""Where PostgreSQL's programs lie, and as whom they run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sessionproof.reference.postgres.programs import folders

_NEEDED = ("initdb", "postgres")
_ACCOUNTS = ("postgres", "nobody")


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's server programs: of PATH, else the newest; None without any."""
    return next((one for one in folders("initdb") if _has_all(one)), None)


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
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # not on Windows, where there is no root either

    for name in _ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    return Account(65534, 65534)  # nobody, in the kernel's words


def _has_all(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in _NEEDED)
