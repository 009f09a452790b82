"""Folders with files as values: what a crash left, to be written out or told apart from others.

Images share their pages: an image of a database of 300 kB that differs in one page from another
costs that page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sessionproof.faults.changes import Changes
from sessionproof.faults.crashes.layers import (
    PAGE,
    ZEROS,
    Layers,
    Torn,
    file_mark,
    folder_mark,
    page_mark,
)
from sessionproof.faults.crashes.names import Names
from sessionproof.faults.crashes.places import bits
from sessionproof.faults.crashes.states import State


@dataclass(frozen=True)
class Content:
    """The bytes of a file: ``pages`` of 4,096 bytes by number; one that is missing is zeros."""

    size: int
    pages: Mapping[int, bytes]

    def __bytes__(self) -> bytes:
        return b"".join(self._filled())[: self.size]

    def _filled(self) -> Iterator[bytes]:
        for page in range(-(-self.size // PAGE)):
            yield self.pages.get(page, ZEROS)

    @cached_property
    def mark(self) -> int:
        """A number that tells these bytes from others, beside their number."""
        total = 0
        for page, content in self.pages.items():
            total ^= page_mark(page, content)
        return total

    def write(self, path: Path) -> None:
        """Make the file; its holes stay holes."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for begin, run in _runs(self.pages, self.size):
                os.pwrite(file, run, begin)
            os.ftruncate(file, self.size)
        finally:
            os.close(file)


@dataclass(frozen=True)
class Image:
    """Everything below a location: paths of folders, and files by their paths.

    ``same_as`` names files that are another file's further name, and that file's first name.
    """

    folders: tuple[str, ...] = ()
    files: Mapping[str, Content] = field(default_factory=dict)
    same_as: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that are equal for equal images, and differ for others."""
        total = 0
        for folder in self.folders:
            total ^= folder_mark(folder)
        for path, content in self.files.items():
            total ^= file_mark(path, content.size, content.mark, self.same_as.get(path, ""))
        return total.to_bytes(16, "little")

    def write(self, folder: Path) -> None:
        """Write all of it below an existing, empty folder.

        Raises OSError when that is not possible.
        """
        for path in self.folders:
            (folder / path).mkdir(mode=0o700)
        for path, content in self.files.items():
            first = self.same_as.get(path)
            if first is None:
                content.write(folder / path)
        for path, first in self.same_as.items():
            (folder / path).hardlink_to(folder / first)


class Images:
    """The images of one recording. To be kept while its states are written: pages are shared."""

    def __init__(self, changes: Changes) -> None:
        self._layers = Layers(changes)
        self._names = Names(changes)
        self._pages: dict[tuple[int, tuple[int, ...]], bytes] = {}

    def image(self, state: State) -> Image:
        """What the files are in this state."""
        lost = bits(state.lost)
        torn = self._layers.torn(state.cut, state.sectors)
        tree = self._names.tree(state.point, lost)
        contents: dict[int, Content] = {}
        files = {}
        for path, number, _ in tree.files:
            content = contents.get(number)
            if content is None:
                content = contents[number] = self._content(number, state.point, lost, torn)
            files[path] = content
        return Image(tree.folders, files, {path: first for path, _, first in tree.files if first})

    def _content(self, file: int, point: int, lost: int, torn: Torn | None) -> Content:
        layers = self._layers
        pages = {}
        for page in layers.pages_of(file):
            chain = layers.chain(file, page, point, lost, torn)
            if not chain:
                continue
            if torn and torn.place in chain:
                pages[page] = layers.content(page, chain, torn)
                continue
            known = self._pages.get((page, chain))
            if known is None:
                known = self._pages[page, chain] = layers.content(page, chain)
            pages[page] = known
        size = layers.size(file, point, lost, torn)
        return Content(size, {page: one for page, one in pages.items() if page * PAGE < size})


def image_of(changes: Changes, state: State) -> Image:
    """What the files are in this state. For many states of one recording, keep an ``Images``."""
    return Images(changes).image(state)


def image_in(folder: Path) -> Image:
    """What lies below a folder now; links to elsewhere are left out."""
    folders, files = [], {}
    first: dict[tuple[int, int], str] = {}
    same_as = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            continue
        if path.is_dir():
            folders.append(name)
        elif path.is_file():
            files[name] = content_of(path.read_bytes())
            facts = path.stat()
            key = (facts.st_dev, facts.st_ino)
            if key in first:
                same_as[name] = first[key]
            else:
                first[key] = name
    return Image(tuple(folders), files, same_as)


def content_of(data: bytes) -> Content:
    """These bytes as pages."""
    pages = {
        page: data[page * PAGE : (page + 1) * PAGE].ljust(PAGE, b"\0")
        for page in range(-(-len(data) // PAGE))
    }
    return Content(len(data), {page: one for page, one in pages.items() if one != ZEROS})


def _runs(pages: Mapping[int, bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Pages that lie side by side, joined, each with where it begins; nothing past ``size``."""
    run: list[bytes] = []
    begin = 0
    for page in sorted(pages):
        if run and page * PAGE != begin + len(run) * PAGE:
            yield begin, b"".join(run)
            run = []
        if not run:
            begin = page * PAGE
        run.append(pages[page])
    if run:
        yield begin, b"".join(run)[: size - begin]
