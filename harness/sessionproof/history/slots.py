"""The rows of a journal as they lie in its file, and what a file of them says.

A process may be killed between any two of its instructions. So a row counts from the moment its
id is there, and as answered from the moment its type is: of what one call writes, each is the last.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import NEVER, NONE, ROW, F, History, Lists, Type, no_lists
from sessionproof.history.format import HistoryError, reading
from sessionproof.history.npz import written_lists
from sessionproof.history.parts import taken

SUFFIX = ".journal"
ERRORS = ".errors"
LISTS = ".lists"
VERSION = 1
_MAGIC = b"sessionproof journal"

SLOT = np.dtype(
    [
        ("inv", "<i8"),
        ("client", "<u4"),
        ("session", "<u4"),
        ("n", "<i4"),
        ("f", "u1"),
        ("phase", "u1"),
        ("", "V2"),
        ("id", "<u8"),
        ("ret", "<i8"),
        ("value", "<i8"),
        ("length", "<i4"),
        ("error", "<u2"),
        ("type", "u1"),
        ("", "V1"),
        ("digest", "<u8"),
        ("last", "<u8"),
    ]
)
"""``ROW`` in the order of writing: what is known before the call, after it, and per chunk."""

SIZE = SLOT.itemsize
BEGIN = struct.Struct("<qIIiBB2xQ")
CLOCK = struct.Struct("<q")
END = struct.Struct("<qqiHB")
END_AT = int(SLOT.fields["ret"][1]) if SLOT.fields else 0
HEADER = struct.pack(f"<{SIZE - 8}sII", _MAGIC, VERSION, SIZE)
"""It takes the place of one row, so that a row's place is its number times ``SIZE``."""


def recovered(path: Path) -> History:
    """What the journal of a client says, whether it was closed or its process was killed.

    Operations without an answer are INFO with ``ret`` NEVER. Raises HistoryError.
    """
    with reading(path):
        data = path.read_bytes()
        if not any(data):  # it was killed before its first operation
            return History(np.zeros(0, ROW))
        _check_header(data, path)
        slots = np.frombuffer(data, SLOT)[1:]
        there = slots["id"] != 0
        if (np.diff(there.astype(np.int8)) > 0).any():
            raise HistoryError(f"{path} is damaged: an operation is missing between others")
        history = History(
            rows=_rows(slots),
            lists=no_lists(),
            errors=errors_of(path.with_suffix(ERRORS)),
        )
        lists, odd = _answers(path, answered=slots["type"] == Type.OK)
        return taken(History(history.rows, lists, (), history.errors, odd), there)


def errors_of(path: Path) -> tuple[str, ...]:
    """The texts of errors by number; a last line that was cut short is not one of them."""
    if not path.exists():
        return ("",)
    lines = path.read_bytes().split(b"\n")[:-1]
    return ("", *(str(json.loads(line)) for line in lines))


def lists_file(path: Path, number: int) -> Path:
    """The file with the answers of one settling, beside the journal."""
    return path.with_name(f"{path.stem}.{number:06d}{LISTS}")


def parts_of(path: Path) -> list[Path]:
    """All files of the journal but itself."""
    lists = path.parent.glob(f"{path.stem}.*{LISTS}")
    return [path.with_suffix(ERRORS), *sorted(lists)]


def _check_header(data: bytes, path: Path) -> None:
    magic, version, size = struct.unpack_from(f"<{SIZE - 8}sII", data)
    if magic.rstrip(b"\0") != _MAGIC:
        raise HistoryError(f"{path} is no journal of a history")
    if version > VERSION:
        raise HistoryError(f"{path} was written by a newer sessionproof: update this one")
    if size != SIZE or len(data) % SIZE:
        raise HistoryError(f"{path} is damaged: it was cut short")


def _rows(slots: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    rows = np.zeros(len(slots), ROW)
    for name in ROW.names or ():
        rows[name] = slots[name]
    # A row without a type may be half written: only that it was sent, and its error, is known.
    unknown = rows["type"] == Type.INFO
    nothing = {"ret": NEVER, "value": NONE, "length": 0, "digest": 0, "last": 0}
    for name, value in nothing.items():
        rows[name][unknown] = value
    return rows


def _answers(
    path: Path, *, answered: npt.NDArray[np.bool_]
) -> tuple[Lists, tuple[tuple[int, str], ...]]:
    """The answers that were kept of reads that count as answered."""
    rows: list[npt.NDArray[np.int64]] = []
    ids: list[npt.NDArray[np.uint64]] = []
    lengths: list[npt.NDArray[np.int64]] = []
    odd: list[tuple[int, str]] = []
    for part in parts_of(path)[1:]:
        lists, texts = written_lists(part)
        rows.append(lists.row)
        ids.append(lists.ids)
        lengths.append(np.diff(lists.start))
        odd += texts
    if not rows:
        return no_lists(), ()
    row, length = np.concatenate(rows), np.concatenate(lengths)
    kept = answered[row]
    start = np.concatenate([[0], np.cumsum(length[kept])]).astype(np.int64)
    lists = Lists(row[kept], start, np.concatenate(ids)[np.repeat(kept, length)])
    return lists, tuple((at, text) for at, text in odd if answered[at])


WHOLE = (F.READ, F.PAGES)
"""The reads that answer a session from its first message on."""
