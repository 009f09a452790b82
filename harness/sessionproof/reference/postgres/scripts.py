"""What is in a dump: the number of its steps, and its tables with their rows, one after the other.

pg_restore tells it as a script of SQL. None of its SQL is ever run: what is taken of it are rows,
and they go where we say. A dump ends with a digest of its own, which pg_restore does not read: with
other bytes than were written it may go on for ever, or tell other rows.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sessionproof.contract.errors import Refused
from sessionproof.reference.postgres import programs
from sessionproof.reference.postgres.place import Rows
from sessionproof.reference.postgres.steps import MARK

_NAME = rb'(?:"(?:[^"]|"")+"|[^\s".(]+)'
_COPY = re.compile(rb"COPY " + _NAME + rb"\.(" + _NAME + rb") \(([^()]*)\) FROM stdin;\n")
_COMMENT = re.compile(
    rb"COMMENT ON SCHEMA " + _NAME + rb" IS '" + MARK.encode() + rb"(\d{1,9})';\n"
)
_END = b"\\.\n"
_BLOCK_BYTES = 1 << 16
_READ_BYTES = 1 << 20
_SEAL = b"\n-- sessionproof sha256 "
_SEAL_BYTES = len(_SEAL) + 64 + 1


@dataclass(frozen=True, slots=True)
class Part:
    """One table: its columns, and its rows as COPY takes them, which are to be taken at once."""

    table: str
    columns: tuple[str, ...]
    rows: Iterator[bytes]


@contextmanager
def opened(tools: programs.Client, dump: Path) -> Iterator[tuple[int, Iterator[Part]]]:
    """The number of a dump's steps, and its tables; raises ``Refused`` for what is no backup.

    Its digest is computed first, so a dump that is damaged is told before anything is read of it.
    """
    if not dump.is_file():
        raise Refused("it is no file: name a backup")
    try:
        _require_seal(dump)
        with programs.output_of([tools.restore, "--file=-", "--", dump]) as script:
            yield _steps_in(script), _tables_in(script)
    except Refused as error:
        raise Refused(f"it is no backup in order: {error}") from error


def seal(dump: Path) -> None:
    """Put a digest behind what pg_dump has written, and sync it."""
    with dump.open("r+b") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(_SEAL + found.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _require_seal(dump: Path) -> None:
    with dump.open("rb") as file:
        length = file.seek(0, os.SEEK_END) - _SEAL_BYTES
        file.seek(max(length, 0))
        end = file.read()
        if length < 0 or not (end.startswith(_SEAL) and end.endswith(b"\n")):
            raise Refused(
                "it does not end as a backup of ours does: it was cut, or is another file"
            )
        file.seek(0)
        digest = hashlib.sha256()
        while length > 0:
            block = file.read(min(length, _READ_BYTES))
            if not block:
                raise Refused("it became shorter while it was read")
            digest.update(block)
            length -= len(block)
    if end[len(_SEAL) : -1] != digest.hexdigest().encode():
        raise Refused("it is damaged: it has another digest than when it was made")


def row_counts(tools: programs.Client, dump: Path) -> Rows:
    """How many rows each table of a dump has, all of which are read; raises ``Refused``."""
    with opened(tools, dump) as (_, parts):
        return {part.table: sum(block.count(b"\n") for block in part.rows) for part in parts}


def _steps_in(script: IO[bytes]) -> int:
    for line in iter(script.readline, b""):
        if found := _COMMENT.fullmatch(line):
            return int(found[1])
        if _COPY.fullmatch(line):
            break
    raise Refused("it is a dump of something else")


def _tables_in(script: IO[bytes]) -> Iterator[Part]:
    for line in iter(script.readline, b""):
        if found := _COPY.fullmatch(line):
            yield Part(_plain(found[1]), tuple(map(_plain, found[2].split(b", "))), _rows(script))


def _rows(script: IO[bytes]) -> Iterator[bytes]:
    """The rows up to the line that ends them, in blocks: no row is ever such a line."""
    block: list[bytes] = []
    size = 0
    for line in iter(script.readline, _END):
        if not line:
            raise Refused("it ends in the middle of a table")
        block.append(line)
        size += len(line)
        if size >= _BLOCK_BYTES:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _plain(name: bytes) -> str:
    text = name.decode("utf-8", "replace").strip()
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
