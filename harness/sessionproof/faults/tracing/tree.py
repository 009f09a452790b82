"""The files below a location as they must be after the changes so far; each change is noted.

It holds what every file contains, so that copies within the kernel can be told as writes, and so
that the end can be compared with the real files.
"""

from __future__ import annotations

import os
from pathlib import Path

from sessionproof.faults.changes import ROOT, Kind
from sessionproof.faults.crashes.images import Image
from sessionproof.faults.tracing.rows import Rows

_SHARED_INDEX = "-shm"  # SQLite's index of a write-ahead log: in memory, and built anew
_BYTES = 1024 * 1024


def passed_over(name: str) -> bool:
    """Whether the file is none that counts."""
    return name.endswith(_SHARED_INDEX)


class Tree:
    """Names below the location, as ``a/b``; the location itself is the empty name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers: dict[str, int] = {"": ROOT}
        self._names: dict[int, list[str]] = {ROOT: [""]}
        self._contents: dict[int, bytearray] = {}
        self._next = ROOT + 1

    def begin(self, there: Image) -> None:
        """What lies there before the first call, all of it on the disk."""
        for name in there.folders:
            self.make(name, 0, folder=True)
        for name, content in there.files.items():
            if passed_over(name):
                continue
            if (first := there.same_as.get(name)) is not None:
                self.link(first, name, 0)
            else:
                self.write(self.make(name, 0), 0, bytes(content), 0)
        if there.folders or there.files:
            self.sync_all(0)

    def number(self, name: str) -> int | None:
        """The number of the file or folder of this name."""
        return self._numbers.get(name)

    def size(self, file: int) -> int:
        """How long the file is; 0 for folders."""
        return len(self._contents.get(file, b""))

    def content(self, file: int, offset: int, length: int) -> bytes:
        """Bytes of the file."""
        return bytes(self._contents.get(file, b"")[offset : offset + length])

    def make(self, name: str, client: int, *, folder: bool = False) -> int:
        """A new file or folder; answers its number."""
        number = self._next
        self._next += 1
        self._bind(name, number)
        if not folder:
            self._contents[number] = bytearray()
        kind = Kind.MADE_FOLDER if folder else Kind.MADE
        self._rows.add(kind, number, client, name=name, folder=self._above(name))
        return number

    def write(self, file: int, offset: int, data: bytes, client: int) -> None:
        """Bytes at an offset; a gap before them is filled with zeros."""
        content = self._contents.get(file)
        if content is None or not data:
            return
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
        self._rows.add(Kind.WRITTEN, file, client, name=self._name(file), offset=offset, data=data)

    def resize(self, file: int, size: int, client: int) -> None:
        """Cut the file, or let it grow with zeros."""
        content = self._contents.get(file)
        if content is None or len(content) == size:
            return
        if size < len(content):
            del content[size:]
        else:
            content.extend(bytes(size - len(content)))
        self._rows.add(Kind.SIZED, file, client, name=self._name(file), offset=size)

    def rename(self, source: str, name: str, client: int) -> None:
        """A file or folder gets another name; what had that name is gone."""
        number = self._numbers.get(source)
        if number is None or number == self._numbers.get(name):
            return  # two names of one file: rename does nothing
        if name in self._numbers:
            self._unbind(name)
        moved = [one for one in self._numbers if one == source or one.startswith(source + "/")]
        for one in moved:
            self._bind(name + one[len(source) :], self._unbind(one))
        self._rows.add(
            Kind.RENAMED, number, client, name=name, source=source, folder=self._above(name)
        )

    def link(self, source: str, name: str, client: int) -> None:
        """A further name of a file."""
        number = self._numbers.get(source)
        if number is not None:
            self._bind(name, number)
            self._rows.add(
                Kind.LINKED, number, client, name=name, source=source, folder=self._above(name)
            )

    def remove(self, name: str, client: int) -> None:
        """Take a name away, that of a file or of an empty folder."""
        number = self._numbers.get(name)
        if number is not None:
            kind = Kind.REMOVED if number in self._contents else Kind.REMOVED_FOLDER
            self._unbind(name)
            self._rows.add(kind, number, client, name=name, folder=self._above(name))

    def sync(self, file: int, client: int) -> None:
        """The file, or the names in the folder, are on the disk."""
        self._rows.add(Kind.SYNCED, file, client, name=self._name(file))

    def sync_all(self, client: int) -> None:
        """Everything is on the disk."""
        self._rows.add(Kind.SYNCED_ALL, -1, client)

    def difference(self, root: Path) -> str:
        """How the real files differ from these, in words; empty when they are the same."""
        real: dict[str, bool] = {}
        for folder, folders, files in os.walk(root):
            below = Path(folder).relative_to(root)
            for one in folders:
                real[(below / one).as_posix()] = True
            for one in files:
                name = (below / one).as_posix()
                if (Path(folder) / one).is_file() and not passed_over(name):
                    real[name] = False
        ours = {name for name in self._numbers if name}
        for name in sorted(ours ^ real.keys()):
            return (
                f"{name} is there and no traced call made it"
                if name in real
                else (f"{name} is gone and no traced call removed it")
            )
        for name in sorted(name for name, folder in real.items() if not folder):
            if not self._same(root / name, self._numbers[name]):
                return f"{name} does not hold what the traced calls wrote"
        return ""

    def _same(self, path: Path, file: int) -> bool:
        content = memoryview(self._contents.get(file, bytearray()))
        at = 0
        with path.open("rb") as real:
            while part := real.read(_BYTES):
                if content[at : at + len(part)] != part:
                    return False
                at += len(part)
        return at == len(content)

    def _name(self, file: int) -> str | None:
        names = self._names.get(file)
        return names[0] if names and names[0] else None

    def _above(self, name: str) -> int:
        return self._numbers.get(name.rpartition("/")[0], ROOT)

    def _bind(self, name: str, number: int) -> None:
        self._numbers[name] = number
        self._names.setdefault(number, []).append(name)

    def _unbind(self, name: str) -> int:
        number = self._numbers.pop(name)
        self._names[number].remove(name)
        return number
