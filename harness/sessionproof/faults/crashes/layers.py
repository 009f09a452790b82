"""What the pages of files are made of: for each page, the changes that lie on it.

The bytes of a page depend on few changes: on the last that covers it whole, and on those after it.
So a page is known by the places of these changes, its *chain*, and is made only once however many
states share it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sessionproof.faults.changes import Changes, Kind

PAGE = 4096
SECTOR = 512
ZEROS = bytes(PAGE)

Chain = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Torn:
    """A write that survived in part: the byte ranges of its file that did, and its end as seen."""

    place: int
    ranges: tuple[tuple[int, int], ...]
    end: int


class Layers:
    """All files of a recording, page by page."""

    def __init__(self, changes: Changes) -> None:
        self._data = changes.data
        self._writes: dict[int, tuple[int, int, int]] = {}  # place: first byte, end, place of data
        self._sizes: dict[int, int] = {}
        self._on: defaultdict[int, dict[int, list[int]]] = defaultdict(dict)
        self.pages: dict[int, Sequence[int]] = {}
        self.file: dict[int, int] = {}
        # Of each file: places, where the bytes end then, and whether this is the size itself.
        self._ends: defaultdict[int, list[tuple[int, int, bool]]] = defaultdict(list)
        self._marks: dict[tuple[int, Chain], int] = {}
        columns = (changes.rows[name].tolist() for name in ("kind", "file", "offset", "start"))
        lengths = changes.rows["length"].tolist()
        for place, (kind, file, offset, start) in enumerate(zip(*columns, strict=True)):
            if kind == Kind.WRITTEN:
                end = offset + lengths[place]
                self._ends[file].append((place, end, False))
                self._writes[place] = (offset, end, start)
                touched: Sequence[int] = range(offset // PAGE, -(-end // PAGE))
            elif kind == Kind.SIZED:
                self._ends[file].append((place, offset, True))
                self._sizes[place] = offset
                touched = [page for page in self._on[file] if (page + 1) * PAGE > offset]
            else:
                continue
            self.file[place] = file
            self.pages[place] = touched
            for page in touched:
                self._on[file].setdefault(page, []).append(place)

    def span(self, place: int) -> tuple[int, int]:
        """Where the write at this place begins and ends in its file; (0, 0) for other changes."""
        first, end, _ = self._writes.get(place, (0, 0, 0))
        return first, end

    def torn(
        self, cut: tuple[int, int] | None, sectors: tuple[int, tuple[int, ...]] | None
    ) -> Torn | None:
        """The write that survived in part, as a state says it.

        Cut after so many bytes, the file ends there. Of the sectors, counted from that in which
        the write begins, the file is as long as with all of them.
        """
        if cut is not None:
            place, kept = cut
            first, _ = self.span(place)
            return Torn(place, ((first, first + kept),), first + kept if kept else 0)
        if sectors is not None:
            place, some = sectors
            first, end = self.span(place)
            base = first // SECTOR
            ranges = [
                (max(first, (base + one) * SECTOR), min(end, (base + one + 1) * SECTOR))
                for one in sorted(some)
            ]
            return Torn(place, tuple((low, high) for low, high in ranges if low < high), end)
        return None

    def chain(self, file: int, page: int, point: int, lost: int, torn: Torn | None = None) -> Chain:
        """The changes that make up a page before ``point``, newest first, without the ``lost``."""
        places = self._on[file].get(page)
        if places is None:
            return ()
        chain = []
        partly = torn.place if torn else -1
        for at in range(bisect_left(places, point) - 1, -1, -1):
            place = places[at]
            if lost >> place & 1:
                continue
            chain.append(place)
            if place != partly and self._covers(place, page):
                break
        return tuple(chain)

    def content(self, page: int, chain: Chain, torn: Torn | None = None) -> bytes:
        """The 4,096 bytes of a page, zeros where nothing was written."""
        if not chain:
            return ZEROS
        begin = page * PAGE
        if len(chain) == 1 and self._covers(chain[0], page) and not (torn and torn.place in chain):
            if chain[0] in self._sizes:
                return ZEROS
            first, _, start = self._writes[chain[0]]
            return bytes(self._data[start + begin - first : start + begin - first + PAGE])
        made = bytearray(PAGE)
        for place in reversed(chain):
            if place in self._sizes:
                keep = max(self._sizes[place] - begin, 0)
                made[keep:] = ZEROS[keep:]
                continue
            first, end, start = self._writes[place]
            ranges = torn.ranges if torn and torn.place == place else ((first, end),)
            for range_first, range_end in ranges:
                low, high = max(range_first, begin), min(range_end, begin + PAGE)
                if low < high:
                    source = self._data[start + low - first : start + high - first]
                    made[low - begin : high - begin] = source
        return bytes(made)

    def mark(self, page: int, chain: Chain, torn: Torn | None = None) -> int:
        """What tells a page from others: equal for equal bytes at one place, 0 for zeros."""
        if torn and torn.place in chain:
            return page_mark(page, self.content(page, chain, torn))
        mark = self._marks.get((page, chain))
        if mark is None:
            mark = self._marks[page, chain] = page_mark(page, self.content(page, chain))
        return mark

    def size(self, file: int, point: int, lost: int, torn: Torn | None = None) -> int:
        """How long the file is."""
        size = 0
        for place, end, is_size in self._ends[file]:
            if place >= point:
                break
            if lost >> place & 1:
                continue
            seen = torn.end if torn and torn.place == place else end
            if is_size or seen > size:
                size = seen
        return size

    def decides_size(self, place: int, size: int) -> bool:
        """Whether a file of this size may be of another without this change, or with it."""
        return place in self._sizes or self._writes[place][1] >= size

    def pages_of(self, file: int) -> Iterable[int]:
        """The pages of the file that were ever written."""
        return self._on[file].keys()

    def _covers(self, place: int, page: int) -> bool:
        if place in self._sizes:
            return self._sizes[place] <= page * PAGE
        first, end, _ = self._writes[place]
        return first <= page * PAGE and end >= (page + 1) * PAGE


def page_mark(page: int, content: bytes) -> int:
    """A number for these bytes at this page; 0 for zeros, so that holes and zeros are alike."""
    if content == ZEROS:
        return 0
    digest = hashlib.blake2b(content, digest_size=16, salt=page.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


@lru_cache(maxsize=16_384)
def file_mark(path: str, size: int, mark: int, same_as: str) -> int:
    """A number for a file under its path; ``same_as`` is the first name of a file with several."""
    head = b"%d %d %d " % (size, mark, len(path))
    text = head + f"{path}\0{same_as}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")


@lru_cache(maxsize=1_024)
def folder_mark(path: str) -> int:
    """A number for a folder under its path."""
    text = path.encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(text, digest_size=16, person=b"folder").digest()
    return int.from_bytes(digest, "little")
