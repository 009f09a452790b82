r"""Values as cells of CSV, which knows texts alone.

NULL is ``\N``, so that it stays apart from an empty text. A text that begins with a backslash, or
with what a spreadsheet would run as a formula, or that a file of UTF-8 cannot hold as it is, is a
backslash with the text as JSON; all others are as they are.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NULL = "\\N"

MOST = 2**63 - 1
"""The largest integer that databases keep."""

_AT_FIRST = frozenset("\\=+-@\t\r\n＝＋－＠")
_INTEGER = re.compile(r"-?[0-9]{1,19}")

_changing = threading.Lock()
_limits: list[int] = []
"""The limit of cells as it was, once for each that reads at this moment."""


def to_cell(value: str | int | None) -> str:
    """The cell of a value."""
    if value is None:
        return NULL
    if isinstance(value, int):
        return str(value)
    if value[:1] in _AT_FIRST or "\0" in value or "\r" in value or not _is_utf8(value):
        return f"\\{json.dumps(value)}"
    return value


def from_cell(cell: str) -> str | None:
    """The text of a cell, or None; raises ``ValueError``."""
    if cell == NULL:
        return None
    if not cell.startswith("\\"):
        return cell
    value = json.loads(cell[1:])
    if not isinstance(value, str):
        raise ValueError("a backslash is not followed by N or a text of JSON")
    return value


def integer_from_cell(cell: str) -> int | None:
    """The integer of a cell, or None; raises ``ValueError``."""
    if cell == NULL:
        return None
    if not _INTEGER.fullmatch(cell) or abs(int(cell)) > MOST:
        raise ValueError(f"{cell[:40]!r} is no integer")
    return int(cell)


@contextmanager
def long_cells() -> Iterator[None]:
    """Within, cells may have any length; the limit is one of the whole process, for all threads."""
    with _changing:
        _limits.append(_limits[0] if _limits else csv.field_size_limit())
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        with _changing:
            before = _limits.pop()
            if not _limits:  # nobody else reads
                csv.field_size_limit(before)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
