"""The pages of a damaged file, with those that its log has committed."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.reference.salvage.records import KINDS, Page, listed

MAGIC = b"SQLite format 3\0"
USUAL_SIZE = 4096

_SIZES = (USUAL_SIZE, 1024, 2048, 8192, 16_384, 32_768, 65_536, 512)
_SAMPLED = 16
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LOG_MAGIC = (0x377F0682, 0x377F0683)  # the last bit: checksums of big-endian words
_LOG_FORMAT = 3_007_000

Frames = Mapping[int, bytes]
"""Pages by number, each as the log has it last."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a write-ahead log has committed: the pages, and how many the database then has."""

    frames: Frames
    pages: int
    page_size: int


@dataclass(frozen=True)
class Image:
    """A database as it is read: the bytes of the file, and in their place the pages of its log."""

    data: mmap.mmap | bytes
    size: int
    usable: int
    log: Log | None = None

    @property
    def count(self) -> int:
        """How many pages there are, the last one maybe cut."""
        in_file = -(-len(self.data) // self.size)
        return max(in_file, self.log.pages) if self.log else in_file

    def page(self, number: int) -> Page:
        """The page of this number, from 1; beyond what the file has it is all zeros."""
        framed = self.log.frames.get(number) if self.log else None
        if framed is not None:
            return Page(number, framed, len(framed), self.usable)
        at = (number - 1) * self.size
        data = self.data[at : at + self.size] if 0 < number <= self.count else b""
        return Page(number, data.ljust(self.size, b"\0"), len(data), self.usable)

    def chain(self, first: int, length: int, seen: set[int] | None = None) -> bytes | None:
        """So many bytes of an overflow chain; None when it leads out of the file.

        What its last page points to does not matter: the length says that it is the last.
        ``seen`` takes the numbers of its pages.
        """
        parts: list[bytes] = []
        numbers: list[int] = []
        number, room = first, self.usable - 4
        if length > self.count * room:
            return None
        while length > 0:
            page = self.page(number)
            if not 1 < number <= self.count or page.valid < min(self.usable, 4 + length):
                return None
            numbers.append(number)
            parts.append(page.data[4 : 4 + min(length, room)])
            length -= room
            number = int.from_bytes(page.data[:4], "big")
        if seen is not None:
            seen.update(numbers)
        return b"".join(parts)

    def alone(self) -> Image:
        """The same without the log."""
        return replace(self, log=None)


@contextmanager
def opened(file: Path) -> Iterator[Image]:
    """The image of a file and its log, which are only read. Raises ``OSError``."""
    with file.open("rb") as main:
        if file.stat().st_size == 0:
            yield Image(b"", USUAL_SIZE, USUAL_SIZE)
            return
        with mmap.mmap(main.fileno(), 0, access=mmap.ACCESS_READ) as data:
            log = committed(file.with_name(f"{file.name}-wal"))
            size, usable = _layout(data, log)
            fits = log is not None and log.page_size == size
            yield Image(data, size, usable, log if fits else None)


def committed(path: Path) -> Log | None:
    """What a log has committed, up to the first frame that is not as it was written."""
    log = b""
    with suppress(FileNotFoundError):
        log = path.read_bytes()
    if len(log) < _LOG_HEADER:
        return None
    magic, form, size, _, *salt, one, other = struct.unpack(">8I", log[:_LOG_HEADER])
    words = ">" if magic & 1 else "<"
    sums = _checksum(log[: _LOG_HEADER - 8], (0, 0), words)
    if magic not in _LOG_MAGIC or form != _LOG_FORMAT or sums != (one, other):
        return None
    frames: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    pages = 0
    for at in range(_LOG_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        number, after, *salted, one, other = struct.unpack(">6I", log[at : at + _FRAME_HEADER])
        data = log[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        sums = _checksum(data, _checksum(log[at : at + 8], sums, words), words)
        if salted != salt or sums != (one, other):
            break
        pending[number] = data
        if after:
            frames |= pending
            pending, pages = {}, after
    return Log({n: data for n, data in frames.items() if n <= pages}, pages, size)


def _checksum(data: bytes, sums: tuple[int, int], words: str) -> tuple[int, int]:
    first, second = sums
    for one, other in struct.iter_unpack(f"{words}2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _layout(data: mmap.mmap, log: Log | None) -> tuple[int, int]:
    """Bytes of a page, and how many of them are used: by the header, unless pages belie it."""
    tried: list[tuple[int, int]] = []
    if data[:16] == MAGIC:
        size = int.from_bytes(data[16:18], "big")
        size = 65_536 if size == 1 else size
        if size in _SIZES and size - data[20] >= 480:
            tried.append((size, size - data[20]))
    if log is not None:
        tried.append((log.page_size, log.page_size))
    tried += [(size, size) for size in _SIZES]
    best, most = (USUAL_SIZE, USUAL_SIZE), 0
    for place, (size, usable) in enumerate(tried):
        sound, looked = _sound(Image(data, size, usable))
        if place == 0 and sound and sound * 2 >= looked:
            return size, usable
        if sound > most:
            best, most = (size, usable), sound
    return best


def _sound(image: Image) -> tuple[int, int]:
    """How many of some pages are b-trees in order, and how many look like b-trees at all."""
    sound = looked = 0
    step = max(1, image.count // _SAMPLED)
    for number in range(1, image.count + 1, step):
        page = image.page(number)
        if page.kind in KINDS and page.listed:
            looked += 1
            sound += listed(page, image.chain).sound
    return sound, looked
