"""Changes as they are found: rows in memory, their bytes in a file."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from sessionproof.faults.changes import CHANGE, Changes, Kind

_ROW = struct.Struct("<qqqiiiihB")


class Rows:
    """Takes changes one by one; to be used in a ``with`` block."""

    def __init__(self, data: Path) -> None:
        """``data`` is the file that gets the bytes of all writes."""
        if _ROW.size != CHANGE.itemsize:
            raise AssertionError("a row is packed as contract says")
        self._path = data
        self._data: IO[bytes] = data.open("wb")
        self._rows = bytearray()
        self._names: dict[str, int] = {}
        self._written = 0
        self.count = 0

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._data.close()

    def add(
        self,
        kind: Kind,
        file: int,
        client: int,
        *,
        name: str | None = None,
        source: str | None = None,
        folder: int = -1,
        offset: int = 0,
        data: bytes = b"",
    ) -> None:
        """Add one change; the fields are those of ``CHANGE``, names as texts."""
        places = (self._place(name), self._place(source))
        row = (offset, self._written, len(data), file, folder, *places, client, kind)
        self._rows += _ROW.pack(*row)
        self.count += 1
        if data:
            self._data.write(data)
            self._written += len(data)

    def changes(self) -> Changes:
        """All that was added; nothing can be added afterwards."""
        self._data.close()
        rows = np.frombuffer(self._rows, dtype=CHANGE)
        return Changes(rows, tuple(self._names), bytes_of(self._path))

    def _place(self, name: str | None) -> int:
        return -1 if name is None else self._names.setdefault(name, len(self._names))


def bytes_of(path: Path) -> memoryview:
    """The bytes of a file, not read before they are looked at."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
