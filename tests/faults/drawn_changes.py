"""A disk that writes down what is done to it, and random things done to it."""

from __future__ import annotations

import random

import numpy as np

from sessionproof.faults.changes import CHANGE, ROOT, Changes, Kind


class Disk:
    """Files by path; each call is one change, numbered as a recorder numbers files."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {"": ROOT}
        self.folders: set[str] = {""}
        self._rows: list[tuple[int, ...]] = []
        self._names: list[str] = []
        self._data = bytearray()
        self._last = ROOT

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def files(self) -> list[str]:
        return sorted(set(self.numbers) - self.folders)

    def make(self, path: str) -> None:
        self._last += 1
        self._add(Kind.MADE, self._last, self._inside(path), path)
        self.numbers[path] = self._last

    def make_folder(self, path: str) -> None:
        self._last += 1
        self._add(Kind.MADE_FOLDER, self._last, self._inside(path), path)
        self.numbers[path] = self._last
        self.folders.add(path)

    def write(self, path: str, offset: int, data: bytes) -> None:
        self._add(Kind.WRITTEN, self.numbers[path], -1, path, offset=offset, data=data)

    def size(self, path: str, size: int) -> None:
        self._add(Kind.SIZED, self.numbers[path], -1, path, offset=size)

    def rename(self, source: str, path: str) -> None:
        self._add(Kind.RENAMED, self.numbers[source], self._inside(path), path, source)
        self.numbers[path] = self.numbers.pop(source)

    def link(self, source: str, path: str) -> None:
        self._add(Kind.LINKED, self.numbers[source], self._inside(path), path, source)
        self.numbers[path] = self.numbers[source]

    def remove(self, path: str) -> None:
        self._add(Kind.REMOVED, self.numbers.pop(path), self._inside(path), path)

    def sync(self, path: str = "") -> None:
        self._add(Kind.SYNCED, self.numbers[path], -1, path)

    def sync_all(self) -> None:
        self._add(Kind.SYNCED_ALL, -1, -1)

    def answer(self) -> None:
        self._add(Kind.ANSWERED, -1, -1)

    def changes(self) -> Changes:
        rows = np.array(self._rows, dtype=CHANGE)
        return Changes(rows, tuple(self._names), memoryview(bytes(self._data)))

    def _inside(self, path: str) -> int:
        return self.numbers[path.rpartition("/")[0]]

    def _add(
        self,
        kind: Kind,
        file: int,
        folder: int,
        name: str = "",
        source: str = "",
        *,
        offset: int = 0,
        data: bytes = b"",
    ) -> None:
        names = (self._name(name), self._name(source))
        where = (offset, len(self._data), len(data), file, folder)
        self._rows.append((*where, *names, 0, int(kind)))
        self._data += data

    def _name(self, path: str) -> int:
        if not path:
            return -1
        if path not in self._names:
            self._names.append(path)
        return self._names.index(path)


def drawn(seed: int, *, length: int) -> Changes:
    """Random changes of a few files in up to two folders, with syncs and answers among them."""
    chance = random.Random(seed)
    disk = Disk()
    if chance.random() < 0.5:
        disk.make_folder("f")
    paths = ["a", "b", "c", *(["f/a", "f/b"] if "f" in disk.folders else [])]
    while len(disk) < length:
        _one_change(disk, chance, paths)
    return disk.changes()


def _one_change(disk: Disk, chance: random.Random, paths: list[str]) -> None:
    path = chance.choice(paths)
    if path not in disk.numbers:
        disk.make(path)
        return
    free = [name for name in paths if name not in disk.numbers]
    match chance.randrange(12):
        case 0:
            disk.size(path, chance.choice((0, 100, 4096, 5000, 9000)))
        case 1:
            target = chance.choice(paths)
            if disk.numbers.get(target) != disk.numbers[path]:
                disk.rename(path, target)
        case 2 if free:
            disk.link(path, chance.choice(free))
        case 3:
            disk.remove(path)
        case 4:
            disk.sync(path)
        case 5:
            disk.sync(chance.choice(sorted(disk.folders)))
        case 6 if chance.random() < 0.3:
            disk.sync_all()
        case 7 | 8:
            disk.answer()
        case _:
            data = chance.randbytes(chance.choice((1, 30, 600, 4096, 5000)))
            disk.write(path, chance.choice((0, 24, 512, 4096, 4120, 8192)), data)
