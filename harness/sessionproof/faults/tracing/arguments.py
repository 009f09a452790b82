"""What stands in the arguments of a traced call: descriptors with their paths, texts, offsets."""

from __future__ import annotations

import os
import re

from sessionproof.faults.tracing.calls import Call

DESCRIPTOR = re.compile(r"(-?\w+)<([^>]*)>")
"""A descriptor, or AT_FDCWD, and the escaped path to which it leads."""

TEXT = re.compile(r'"([^"]*)"')
"""A text, escaped."""

_BASE = re.compile(r'iov_base="([^"]*)"')
_AFTER_VECTOR = re.compile(r"\], \d+, (-?\d+)(?:, (.*))?$")
_VECTORS = ("writev", "pwritev", "pwritev2")


def plain(text: str) -> bytes:
    """The bytes of a text of hexadecimal escapes."""
    return bytes.fromhex(text.replace("\\x", ""))


def escaped(text: str) -> str:
    """A name as it stands in a trace."""
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(text))


def sent(call: Call) -> bytes:
    """The bytes that a write was given, as far as the trace shows them."""
    pattern = _BASE if call.name in _VECTORS else TEXT
    return b"".join(map(plain, pattern.findall(call.arguments)))


def explicit_offset(call: Call) -> int | None:
    """Where a write was told to go; None where its open file says it."""
    if call.name == "pwrite64":
        return int(call.arguments.rpartition(", ")[2], 0)
    if call.name in ("pwritev", "pwritev2"):
        found = _AFTER_VECTOR.search(call.arguments)
        offset = int(found[1]) if found else -1
        return None if offset < 0 else offset
    return None
