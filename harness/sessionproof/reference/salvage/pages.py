"""What the file says of its pages: which tree each belongs to, and which are free.

Three witnesses are heard: the trees themselves, the list of free pages, and the pointer map that
files with ``auto_vacuum`` have. Damage to one of them leaves the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from sessionproof.reference import steps as schema
from sessionproof.reference.salvage.image import Image
from sessionproof.reference.salvage.records import (
    INTERIOR_INDEX,
    INTERIOR_TABLE,
    LEAF_TABLE,
    Page,
    Record,
    listed,
)

SCHEMA = "sqlite_schema"

_FREE_LIST, _AUTO_VACUUM = 32, 52  # where the header of the file has them
_ROOT, _FREE, _OVERFLOW, _MORE, _CHILD = range(1, 6)
_SCHEMA_TYPES = ("table", "index", "trigger", "view")
_SCHEMA_COLUMNS = 5


@dataclass(frozen=True)
class Pages:
    """Which pages hold data, and of which tree.

    ``live`` are surely in use, ``doubtful`` may be; none of both holds the file's own records.
    ``owner`` names the table or index of a page, where that is known. ``beyond`` are pages to which
    a tree leads, by its name, and which the file does not have.
    """

    live: frozenset[int]
    doubtful: frozenset[int]
    owner: Mapping[int, str]
    beyond: Mapping[str, list[int]]


def pages_of(image: Image) -> Pages:
    """What is known of each page of the image."""
    map_of = _pointer_map(image)
    free, complete = _free_list(image)
    roots = _roots(image)
    owner = {1: SCHEMA}
    beyond: dict[str, list[int]] = {}
    for root, name in [(1, SCHEMA), *roots.items()]:
        for number in _tree(image, root):
            if 1 <= number <= image.count:
                owner.setdefault(number, name)
            else:
                beyond.setdefault(name, []).append(number)
    reached = frozenset(owner)
    live, doubtful = set[int](), set[int]()
    for number in range(1, image.count + 1):
        kind, _ = map_of.get(number, (0, 0))
        if kind in (_OVERFLOW, _MORE) and number not in reached:
            continue
        for_free = (kind == _FREE) + (number in free)
        for_live = (
            (kind in (_ROOT, _CHILD))
            + (number in reached)
            + (complete and number not in free and number not in map_of.own)
        )
        if for_live > for_free:
            live.add(number)
        elif for_live == for_free and number not in map_of.own:
            doubtful.add(number)
        if number not in owner and (name := _by_map(map_of, number, {**roots, 1: SCHEMA})):
            owner[number] = name
    return Pages(frozenset(live), frozenset(doubtful), owner, beyond)


class _Map(dict[int, tuple[int, int]]):
    """Kind and parent by page; ``own`` are the pages of the map itself."""

    own: frozenset[int] = frozenset()


def _pointer_map(image: Image) -> _Map:
    """The pointer map; empty for a file that has none."""
    found = _Map()
    entries = image.usable // 5
    places = range(2, image.count + 1, entries + 1)
    declared = image.page(1).data[_AUTO_VACUUM : _AUTO_VACUUM + 4] != b"\0\0\0\0"
    first = list(_entries(image.page(2), min(entries, image.count - 2)))
    if not first or not (declared or all(_plausible(kind, parent) for kind, parent in first[:8])):
        return found
    for place in places:
        for offset, (kind, parent) in enumerate(_entries(image.page(place), entries)):
            if _plausible(kind, parent) and parent <= image.count:
                found[place + 1 + offset] = (kind, parent)
    found.own = frozenset(places)
    return found


def _entries(page: Page, count: int) -> Iterator[tuple[int, int]]:
    for at in range(0, max(0, count) * 5, 5):
        yield page.data[at], int.from_bytes(page.data[at + 1 : at + 5], "big")


def _plausible(kind: int, parent: int) -> bool:
    return _ROOT <= kind <= _CHILD and (parent == 0) == (kind in (_ROOT, _FREE))


def _free_list(image: Image) -> tuple[frozenset[int], bool]:
    """The pages of the list of free pages, and whether it is complete."""
    head = image.page(1).data
    trunk, total = _number(head, _FREE_LIST), _number(head, _FREE_LIST + 4)
    free = set[int]()
    while trunk:
        if not 1 < trunk <= image.count or trunk in free:
            return frozenset(free), False
        free.add(trunk)
        data = image.page(trunk).data
        leaves = _number(data, 4)
        if leaves > image.usable // 4 - 2:
            return frozenset(free), False
        free.update(_number(data, 8 + 4 * place) for place in range(leaves))
        trunk = _number(data, 0)
    return frozenset(free), len(free) == total and head[:6] == b"SQLite"


def _tree(image: Image, root: int) -> Iterator[int]:
    """The pages to which a tree leads, its root first; also those that the file does not have."""
    waiting, seen = [root], set[int]()
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        yield number
        if not 1 <= number <= image.count:
            continue
        page = image.page(number)
        if page.kind in (INTERIOR_INDEX, INTERIOR_TABLE):
            waiting.append(page.right)
            waiting += [cell.child for cell in listed(page, image.chain).cells]


def _by_map(map_of: Mapping[int, tuple[int, int]], number: int, roots: Mapping[int, str]) -> str:
    """The tree to which the parents of a page lead; empty when they lead nowhere."""
    for _ in range(20):  # no tree is as high
        if number in roots:
            return roots[number]
        kind, parent = map_of.get(number, (0, 0))
        if kind != _CHILD:
            return ""
        number = parent
    return ""


def _roots(image: Image) -> dict[int, str]:
    """The tables and indexes by their root pages: as the schema says, else as it begins."""
    in_file = (number for number in _tree(image, 1) if 1 <= number <= image.count)
    for numbers in (in_file, range(1, image.count + 1)):
        roots = dict(_described(image, numbers))
        if "messages" in roots.values():
            return roots
    return dict(_usual())


def _described(image: Image, numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
    for number in numbers:
        page = image.page(number)
        if page.kind != LEAF_TABLE:
            continue
        page_lists = listed(page, image.chain)
        for cell in page_lists.cells:
            doubtful = cell.begin in page_lists.doubtful
            if not doubtful and cell.record and is_schema(cell.record):
                _, name, _, root, _ = cell.record
                if isinstance(root, int) and 1 < root <= image.count:
                    yield root, str(name)


def is_schema(record: Record) -> bool:
    """Whether this is a row of the schema's own table."""
    return len(record) == _SCHEMA_COLUMNS and record[0] in _SCHEMA_TYPES


@cache
def _usual() -> tuple[tuple[int, str], ...]:
    """The root pages of a new file."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh.execute("PRAGMA auto_vacuum = INCREMENTAL")
        schema.upgrade(fresh, schema.shipped())
        rows = fresh.execute("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0")
        return tuple((int(root), str(name)) for root, name in rows)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
