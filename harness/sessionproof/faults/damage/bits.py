"""Single bits that flip: in a page's structure, in a file's punctuation, in a message's text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.damage.done import Damage, Done, Subject
from sessionproof.faults.damage.pages import (
    Kind,
    header_bytes,
    page_size,
    pages_of,
    structure_of,
)

BLOCK = 512
"""Bytes that files other than databases are counted in."""

_PUNCTUATION = b'{}[]":'
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def flipped(subject: Subject, at: int, bit: int, use: str, size: int) -> Done:
    """Flip one bit of the file."""
    with subject.path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))
    page = at // size + 1
    block = "block" if size == BLOCK else "page"
    words = f"bit {bit} of byte {at % size:,} of {block} {page:,} flipped"
    return Done(file=subject.file, page=page, use=use, words=words)


def _in_header(subject: Subject, generator: Random) -> Done | None:
    size = page_size(subject.path.read_bytes())
    at = generator.choice(header_bytes())
    return flipped(subject, at, generator.randrange(8), "header and schema", size)


def _in_pages(*kinds: Kind) -> Callable[[Subject, Random], Done | None]:
    """Flip a bit of the structure of a page of these kinds."""

    def apply(subject: Subject, generator: Random) -> Done | None:
        data = subject.path.read_bytes()
        pages = [page for page in pages_of(data) if page.kind in kinds]
        if not pages:
            return None
        page = generator.choice(pages)
        at = generator.choice(structure_of(data, page))
        return flipped(subject, at, generator.randrange(8), page.use, page_size(data))

    return apply


def _in_punctuation(subject: Subject, generator: Random) -> Done | None:
    """Flip a bit of a bracket, a quotation mark or a colon: what holds JSON together."""
    data = subject.path.read_bytes()
    places = [
        at for at, byte in enumerate(data) if byte in _PUNCTUATION and data[at - 1 : at] != b"\\"
    ]
    if not places or not is_text(data):
        return None
    return flipped(subject, generator.choice(places), generator.randrange(7), "text", BLOCK)


def _in_message(subject: Subject, generator: Random) -> Done | None:
    """Flip a bit of a message's text so that one letter or digit becomes another.

    Where no text of a message is found in the file, any bit of it flips.
    """
    data = subject.path.read_bytes()
    places = [
        (at, bit)
        for start, length in _occurrences(data, subject.tokens)
        for at in range(start, start + length)
        for bit in range(6)
        if data[at] ^ (1 << bit) in _LETTERS
    ]
    size = BLOCK
    use = "text of a message"
    if data.startswith(b"SQLite format 3\0"):
        size = page_size(data)
    if places:
        at, bit = generator.choice(places)
        return flipped(subject, at, bit, use, size)
    if not data:
        return None
    return flipped(subject, generator.randrange(len(data)), generator.randrange(8), "file", size)


def _occurrences(data: bytes, tokens: Sequence[bytes]) -> list[tuple[int, int]]:
    """The first place of each token in the data, and its length."""
    found = ((data.find(token), len(token)) for token in tokens)
    return [(at, length) for at, length in found if at >= 0]


def is_text(data: bytes) -> bool:
    """Whether it is UTF-8 without control characters: JSON, lines, and the like."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not any(byte < 9 for byte in data)


BITS = (
    Damage(name="bit in the header", needs="database", apply=_in_header),
    Damage(name="bit in an interior page", needs="database", apply=_in_pages("interior")),
    Damage(name="bit in a leaf page", needs="database", apply=_in_pages("leaf", "schema")),
    Damage(name="bit in an index page", needs="database", apply=_in_pages("index")),
    Damage(name="bit in an overflow page", needs="database", apply=_in_pages("overflow")),
    Damage(name="bit in a free page", needs="database", apply=_in_pages("free")),
    Damage(name="bit in the punctuation", needs="blocks", apply=_in_punctuation),
)
BIT_IN_TEXT = Damage(name="bit in a text", needs="text", apply=_in_message)
