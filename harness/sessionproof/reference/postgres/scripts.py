"""What is in a dump: the number of its steps, and its tables with their rows, one after the other.

pg_restore tells it as a script of SQL. None of its SQL is ever run: what is taken of it are rows,
and they go where we say.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Part:
    """One table: its columns, and its rows as COPY takes them, which are to be taken at once."""

    table: str
    columns: tuple[str, ...]
    rows: Iterator[bytes]


@contextmanager
def opened(tools: programs.Client, dump: Path) -> Iterator[tuple[int, Iterator[Part]]]:
    """The number of a dump's steps, and its tables; raises ``Refused`` for what is no backup.

    A dump that is damaged is noticed at the end at the latest, when it has been read.
    """
    if not dump.is_file():
        raise Refused("it is no file: name a backup")
    try:
        with programs.output_of([tools.restore, "--file=-", "--", dump]) as script:
            yield _steps_in(script), _tables_in(script)
    except Refused as error:
        raise Refused(f"it is no backup in order: {error}") from error


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
