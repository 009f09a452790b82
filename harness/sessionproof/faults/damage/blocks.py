"""Pages of a database, or blocks of another file, that are zeroed, swapped or doubled; sizes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.damage.bits import BLOCK, is_text
from sessionproof.faults.damage.done import Damage, Done, Needs, Subject
from sessionproof.faults.damage.pages import MAGIC, page_size, pages_of

Put = Callable[[bytearray, int, int, int], str]
"""Changes the data at the offset of a block, with another block, of so many bytes; says what."""


def _at_blocks(put: Put, *, others: bool) -> Callable[[Subject, Random], Done | None]:
    """Do this to a block in use; ``others`` says that it takes a second block."""

    def apply(subject: Subject, generator: Random) -> Done | None:
        data = bytearray(subject.path.read_bytes())
        used = _used(bytes(data))
        if len(used) < 1 + others:
            return None
        size = _size(bytes(data))
        block = "page" if data.startswith(MAGIC) else "block"
        first = generator.choice(sorted(used))
        rest = [one for one in sorted(used) if one != first and _differ(data, one, first, size)]
        if others and not rest:
            return None
        second = generator.choice(rest) if others else first
        words = put(data, (first - 1) * size, (second - 1) * size, size)
        subject.path.write_bytes(data)
        said = words.format(first=f"{block} {first:,}", second=f"{block} {second:,}")
        return Done(file=subject.file, page=first, use=used[first], words=said)

    return apply


def _used(data: bytes) -> dict[int, str]:
    """The numbers of the blocks that hold something, and what."""
    if data.startswith(MAGIC):
        return {
            page.number: page.use for page in pages_of(data) if page.kind not in ("free", "unknown")
        }
    use = "text" if is_text(data) else "file"
    return dict.fromkeys(range(1, len(data) // BLOCK + 1), use)


def _size(data: bytes) -> int:
    return page_size(data) if data.startswith(MAGIC) else BLOCK


def _differ(data: bytearray, one: int, other: int, size: int) -> bool:
    return data[(one - 1) * size : one * size] != data[(other - 1) * size : other * size]


def _zero(data: bytearray, at: int, _other: int, size: int) -> str:
    data[at : at + size] = bytes(size)
    return "{first} zeroed"


def _swap(data: bytearray, at: int, other: int, size: int) -> str:
    data[at : at + size], data[other : other + size] = (
        data[other : other + size],
        data[at : at + size],
    )
    return "{first} and {second} swapped"


def _double(data: bytearray, at: int, other: int, size: int) -> str:
    data[at : at + size] = data[other : other + size]
    return "{second} written over {first}"


def _from_older(subject: Subject, generator: Random) -> Done | None:
    """A page as it was some messages ago: the disk took the newer one, and never wrote it."""
    older = subject.older / subject.file if subject.older else None
    if older is None or not older.is_file():
        return None
    data, before = bytearray(subject.path.read_bytes()), older.read_bytes()
    size = _size(bytes(data))
    used = {
        number: use
        for number, use in _used(bytes(data)).items()
        if number > 1 and any(before[(number - 1) * size : number * size])
        if data[(number - 1) * size : number * size] != before[(number - 1) * size : number * size]
    }
    if not used or _size(before) != size:
        return None
    page = generator.choice(sorted(used))
    at = (page - 1) * size
    data[at : at + size] = before[at : at + size]
    subject.path.write_bytes(data)
    words = f"page {page:,} put back as it was in an older copy"
    return Done(file=subject.file, page=page, use=used[page], words=words)


def _cut(words: str, left: Callable[[int], int]) -> Callable[[Subject, Random], Done | None]:
    def apply(subject: Subject, _generator: Random) -> Done | None:
        data = subject.path.read_bytes()
        keep = left(len(data))
        if not 0 <= keep < len(data):
            return None
        size = _size(data)
        subject.path.write_bytes(data[:keep])
        page = min(keep // size + 1, max(1, -(-len(data) // size)))
        said = f"cut {words}: {keep:,} of {len(data):,} bytes"
        return Done(file=subject.file, page=page, use=_use_at(data, page), words=said)

    return apply


def _use_at(data: bytes, number: int) -> str:
    if not data.startswith(MAGIC):
        return "text" if is_text(data) else "file"
    pages = pages_of(data)
    return pages[min(number, len(pages)) - 1].use


def _half(length: int) -> int:
    return length // 2


def _last_byte(length: int) -> int:
    return length - 1


def _grown(subject: Subject, _generator: Random) -> Done | None:
    """Append a block of zeros, as a crash of some file systems does."""
    data = subject.path.read_bytes()
    if not data:
        return None
    size = _size(data)
    subject.path.write_bytes(data + bytes(size))
    page = max(1, -(-len(data) // size))
    said = f"grown by {size:,} zeros"
    return Done(file=subject.file, page=page, use=_use_at(data, page), words=said)


def _for_both(name: str, apply: Callable[[Subject, Random], Done | None]) -> tuple[Damage, ...]:
    needs: tuple[tuple[str, Needs], ...] = (("page", "database"), ("block", "blocks"))
    return tuple(
        Damage(name=name.format(block=word), needs=need, apply=apply) for word, need in needs
    )


BLOCKS = (
    *_for_both("{block} zeroed", _at_blocks(_zero, others=False)),
    *_for_both("{block}s swapped", _at_blocks(_swap, others=True)),
    *_for_both("{block} doubled", _at_blocks(_double, others=True)),
    Damage(name="older page", needs="database", apply=_from_older),
    Damage(name="cut at half", needs="any", apply=_cut("at half", _half)),
    Damage(name="cut by a byte", needs="any", apply=_cut("by a byte", _last_byte)),
    Damage(name="grown by zeros", needs="any", apply=_grown),
)
