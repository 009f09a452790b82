"""Where a store keeps its data: a private directory, and for servers an address beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Location:
    """An existing, private directory; everything that the store writes lies below it.

    Opening the same location again gives a handle to the same data. ``url`` and ``namespace``
    are set for servers only: the namespace keeps two locations on one server apart.
    A location can be passed wherever a path can.
    """

    root: Path
    url: str | None = None
    namespace: str | None = None

    def path(self, name: str) -> Path:
        """The path of a file of this name in the location; the name must be a plain one."""
        if not name or name in (".", "..") or Path(name).name != name or "\0" in name:
            raise ValueError(f"{name!r} is no plain file name; a store stays in its location")
        return self.root / name

    def __fspath__(self) -> str:
        return os.fspath(self.root)


def location_to_json(location: Location) -> dict[str, str | None]:
    """The location for another process, which may have another working directory."""
    return {
        "root": os.fspath(location.root.absolute()),
        "url": location.url,
        "namespace": location.namespace,
    }


def location_from_json(given: dict[str, Any]) -> Location:
    """The inverse; whatever else is given is passed over."""
    return Location(Path(given["root"]), given["url"], given["namespace"])
