"""Crash models a second time, as plainly as they can be said: the judge of the quick ones.

Files are bytearrays, every state is made from the beginning, and nothing is shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.states import State

Files = tuple[tuple[str, ...], tuple[tuple[str, bytes, str], ...]]
"""Folders; files with their bytes, and the first name of one that has several."""

_NAMES = (Kind.MADE, Kind.MADE_FOLDER, Kind.RENAMED, Kind.LINKED, Kind.REMOVED)


def files_after(changes: Changes, state: State) -> Files:
    """What is below the location in this state."""
    data: dict[int, bytearray] = {}
    entries: dict[tuple[int, str], int] = {}
    folders = {0: ""}
    for place in range(state.point):
        row = changes.rows[place]
        kind, file = row["kind"], int(row["file"])
        if kind == Kind.MADE_FOLDER:
            folders[file] = ""
        if place in state.lost:
            continue
        if kind == Kind.WRITTEN:
            _write(data.setdefault(file, bytearray()), changes, place, state)
        elif kind == Kind.SIZED:
            held = data.setdefault(file, bytearray())
            size = int(row["offset"])
            del held[size:]
            held.extend(bytes(size - len(held)))
        elif kind in _NAMES:
            for entry, number in _entries(changes, place):
                entries.pop(entry, None)
                if number is not None:
                    entries[entry] = number
    paths = [""]
    found: dict[str, int] = {}
    numbers = {"": 0}
    for parent in paths:
        for (folder, name), number in entries.items():
            if folder == numbers[parent]:
                path = f"{parent}/{name}".lstrip("/")
                if number in folders:
                    numbers[path] = number
                    paths.append(path)
                else:
                    found[path] = number
    first: dict[int, str] = {}
    for path in sorted(found):
        first.setdefault(found[path], path)
    shown = ((path, bytes(data.get(number, b"")), first[number]) for path, number in found.items())
    return tuple(sorted(paths[1:])), tuple(sorted(shown))


def losable(changes: Changes, point: int, model: str) -> Iterator[frozenset[int]]:
    """Every set of whole changes that a loss of power at this point may take."""
    kinds = [Kind(kind) for kind in changes.rows["kind"][:point].tolist()]
    names = [place for place in range(point) if kinds[place] in _NAMES]
    data = [place for place in range(point) if kinds[place] in {Kind.WRITTEN, Kind.SIZED}]
    if model == "power-strict":
        loose = [place for place in data if not _data_synced(changes, place, point)]
        loose += [place for place in names if not _name_synced(changes, place, point)]
        yield from map(frozenset, chain.from_iterable(
            combinations(loose, count) for count in range(len(loose) + 1)
        ))  # fmt: skip
        return
    safe = 0
    for place in names:
        after = changes.rows[place + 1 : point]
        about = {int(changes.rows[place]["file"]), *_folders(changes, place)}
        if any(
            row["kind"] == Kind.SYNCED_ALL or (row["kind"] == Kind.SYNCED and row["file"] in about)
            for row in after
        ):
            safe = names.index(place) + 1
    files = sorted({int(changes.rows[place]["file"]) for place in data})
    each = [[place for place in data if changes.rows[place]["file"] == file] for file in files]
    for named in range(safe, len(names) + 1):
        least = []
        for file, places in zip(files, each, strict=True):
            moved = [
                place
                for place in names[:named]
                if kinds[place] == Kind.RENAMED and changes.rows[place]["file"] == file
            ]
            least.append(
                sum(
                    _data_synced(changes, place, point) or any(place < one for one in moved)
                    for place in places
                )
            )
        for kept in product(
            *(range(low, len(places) + 1) for low, places in zip(least, each, strict=True))
        ):
            gone = [
                place for count, places in zip(kept, each, strict=True) for place in places[count:]
            ]
            yield frozenset([*names[named:], *gone])


def _data_synced(changes: Changes, place: int, point: int) -> bool:
    file = changes.rows[place]["file"]
    return any(
        row["kind"] == Kind.SYNCED_ALL or (row["kind"] == Kind.SYNCED and row["file"] == file)
        for row in changes.rows[place + 1 : point]
    )


def _name_synced(changes: Changes, place: int, point: int) -> bool:
    after = changes.rows[place + 1 : point]
    if (after["kind"] == Kind.SYNCED_ALL).any():
        return True
    synced = {int(row["file"]) for row in after if row["kind"] == Kind.SYNCED}
    return _folders(changes, place) <= synced


def _folders(changes: Changes, place: int) -> set[int]:
    return {folder for (folder, _), _ in _entries(changes, place)}


def _entries(changes: Changes, place: int) -> list[tuple[tuple[int, str], int | None]]:
    row = changes.rows[place]
    target = (int(row["folder"]), changes.name(place).rpartition("/")[2])
    file = int(row["file"])
    if row["kind"] == Kind.REMOVED:
        return [(target, None)]
    if row["kind"] != Kind.RENAMED:
        return [(target, file)]
    source = changes.names[row["source"]]
    parent, _, last = source.rpartition("/")
    folder = 0
    for before in range(place):  # folders are never renamed here: the name stays the number's
        if changes.rows[before]["kind"] == Kind.MADE_FOLDER and changes.name(before) == parent:
            folder = int(changes.rows[before]["file"])
    return [((folder, last), None), (target, file)]


def _write(held: bytearray, changes: Changes, place: int, state: State) -> None:
    offset, data = int(changes.rows[place]["offset"]), bytes(changes.written(place))
    if state.cut is not None and state.cut[0] == place:
        data = data[: state.cut[1]]
    if not data:
        return
    held.extend(bytes(max(0, offset + len(data) - len(held))))
    for at, byte in enumerate(data, start=offset):
        if state.sectors is not None and state.sectors[0] == place:
            sector = at // 512 - offset // 512
            if sector not in state.sectors[1]:
                continue
        held[at] = byte
