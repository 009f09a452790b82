"""Files that a script carries with it, compressed, and writes into its location."""

from __future__ import annotations

import base64
import lzma
from collections.abc import Collection, Iterator, Mapping

from sessionproof.scripts.expressions import expression

_WIDTH = 92


def carried(folders: Collection[str], files: Mapping[str, bytes], why: str) -> Iterator[str]:
    """The lines that write these below the location; paths are relative, ``why`` is a remark."""
    yield f"files = {{  # {why}, compressed"
    for name, data in sorted(files.items()):
        yield from _packed(name, data)
    yield "}"
    for name in sorted(folders):
        yield f"location.root.joinpath({expression(name)}).mkdir(parents=True, exist_ok=True)"
    yield "for name, data in files.items():"
    yield "    content = lzma.decompress(base64.b85decode(data)) if data else b''"
    yield "    location.root.joinpath(name).write_bytes(content)"


def _packed(name: str, data: bytes) -> Iterator[str]:
    packed = base64.b85encode(lzma.compress(data, preset=9)).decode() if data else ""
    yield f"    {expression(name)}: ("
    for at in range(0, len(packed) or 1, _WIDTH):
        yield f"        {packed[at : at + _WIDTH]!r}"
    yield "    ),"
