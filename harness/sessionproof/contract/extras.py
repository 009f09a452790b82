"""What an extra of sessionproof needs, and what of it is installed.

All of it comes from metadata: nothing is imported, as some libraries take seconds.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

OURS = "sessionproof"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


def requirements_of(extra: str) -> tuple[str, ...]:
    """The names of the distributions that an extra needs, none for one that is not known.

    They are in the order of the alphabet, as metadata keeps no other.
    """
    try:
        lines = importlib.metadata.requires(OURS) or []
    except importlib.metadata.PackageNotFoundError:  # it lies on the path and is not installed
        return ()
    found = (_NAME.match(line) for line in lines if extra in _EXTRA.findall(line))
    return tuple(dict.fromkeys(name[0] for name in found if name is not None))


def versions(names: Iterable[str], path: Sequence[Path] | None = None) -> dict[str, str | None]:
    """The installed version of each distribution, None for one that is not there.

    ``path`` are folders of another environment, where it is not this one that is meant.
    """
    return {name: _version(name, path) for name in names}


def _version(name: str, path: Sequence[Path] | None) -> str | None:
    folders = sys.path if path is None else [str(folder) for folder in path]
    found = importlib.metadata.distributions(name=name, path=folders)
    return next((one.version for one in found), None)
