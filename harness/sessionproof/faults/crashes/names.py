"""What the files are called at a point of a recording, when some changes of names were lost."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

from sessionproof.faults.changes import ROOT, Changes, Kind
from sessionproof.faults.crashes.places import bits

NAMING = frozenset(
    {
        Kind.MADE, Kind.MADE_FOLDER, Kind.RENAMED, Kind.LINKED, Kind.REMOVED, Kind.REMOVED_FOLDER,
    }
)  # fmt: skip
_FOLDERS = frozenset({Kind.MADE_FOLDER, Kind.REMOVED_FOLDER})

Entry = tuple[int, str]
"""A name in a folder: the folder's number, and the last part of the path."""


@dataclass(frozen=True, slots=True)
class Naming:
    """One change of names: what each entry stands for from then on, None for nothing."""

    place: int
    file: int
    entries: tuple[tuple[Entry, int | None], ...]

    @property
    def folders(self) -> frozenset[int]:
        """The folders whose names change: two when a file is moved from one to another."""
        return frozenset(folder for (folder, _), _ in self.entries)


@dataclass(frozen=True, slots=True)
class Tree:
    """Names that can be reached, sorted: paths of folders, and of files.

    A file comes with its number, and with its first name where this is a further one.
    """

    folders: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]


class Names:
    """The names of a recording, at any of its points."""

    def __init__(self, changes: Changes) -> None:
        self.all = _namings(changes)
        self._places = [naming.place for naming in self.all]
        self._bits = bits(self._places)
        self._is_folder = {ROOT} | _numbers(changes, _FOLDERS)
        self._trees: dict[tuple[int, int], Tree] = {}

    def tree(self, point: int, lost: int) -> Tree:
        """The names after the first ``point`` changes without those that were ``lost``."""
        count = bisect_left(self._places, point)
        key = (count, self._bits & lost)
        tree = self._trees.get(key)
        if tree is None:
            tree = self._trees[key] = self._walk(count, key[1])
        return tree

    def _walk(self, count: int, lost: int) -> Tree:
        inside: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for naming in self.all[:count]:
            if lost >> naming.place & 1:
                continue
            for (folder, name), number in naming.entries:
                if number is None:
                    inside[folder].pop(name, None)
                else:
                    inside[folder][name] = number
        folders: list[str] = []
        files: list[tuple[str, int]] = []
        waiting = [("", ROOT)]
        seen = {ROOT}  # names that were lost in between may leave a folder with two of them
        while waiting:
            path, folder = waiting.pop()
            for name, number in sorted(inside[folder].items()):
                if number not in self._is_folder:
                    files.append((path + name, number))
                elif number not in seen:
                    seen.add(number)
                    folders.append(path + name)
                    waiting.append((f"{path}{name}/", number))
        first: dict[int, str] = {}
        for path, number in sorted(files):
            first.setdefault(number, path)
        named = ((path, number, first[number]) for path, number in sorted(files))
        return Tree(
            tuple(sorted(folders)),
            tuple((path, number, "" if one == path else one) for path, number, one in named),
        )


def _numbers(changes: Changes, kinds: frozenset[Kind]) -> set[int]:
    rows = zip(changes.rows["kind"].tolist(), changes.rows["file"].tolist(), strict=True)
    return {file for kind, file in rows if kind in kinds}


def _namings(changes: Changes) -> list[Naming]:
    """Every change of names with its entries; a path's folder is found by following its parts."""
    inside: defaultdict[int, dict[str, int]] = defaultdict(dict)

    def entry(path: str) -> Entry:
        *parents, last = path.split("/")
        folder = ROOT
        for parent in parents:
            folder = inside[folder][parent]
        return folder, last

    namings = []
    for place, kind in enumerate(changes.rows["kind"].tolist()):
        if kind not in NAMING:
            continue
        row = changes.rows[place]
        number, folder = int(row["file"]), int(row["folder"])
        target = (folder, changes.name(place).rpartition("/")[2])
        if kind in {Kind.REMOVED, Kind.REMOVED_FOLDER}:
            entries: tuple[tuple[Entry, int | None], ...] = ((target, None),)
        elif kind == Kind.RENAMED:
            entries = ((entry(changes.names[row["source"]]), None), (target, number))
        else:
            entries = ((target, number),)
        namings.append(Naming(place, number, entries))
        for (where, name), held in entries:
            if held is None:
                inside[where].pop(name, None)
            else:
                inside[where][name] = held
    return namings
