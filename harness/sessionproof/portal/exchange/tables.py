"""A portal as CSV: a folder with a file for each table, each with a header."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Column, Integer

from sessionproof.contract.cells import from_cell, integer_from_cell, long_cells, to_cell
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.portal.database import Database
from sessionproof.portal.exchange.places import new_folder, new_text, place_of
from sessionproof.portal.exchange.rows import (
    TABLES,
    Row,
    columns,
    put,
    rows_of,
    text_of,
    value_of,
)
from sessionproof.portal.values import short


def export_csv(database: Database, folder: os.PathLike[str] | str) -> dict[str, int]:
    """Write all tables into a new folder, as they are at one moment; the rows of each.

    The folder is there when it is whole, and not before. Raises ``Refused``.
    """
    with new_folder(place_of(folder)) as part:
        return database.moment(
            lambda session: {
                table: _write(part / f"{table}.csv", table, rows_of(session, table))
                for table in TABLES
            }
        )


def import_csv(database: Database, folder: os.PathLike[str] | str) -> dict[str, int]:
    """Store what ``export_csv`` wrote, from whichever database, beside what is there.

    Answers the rows of each table. All of it is stored or nothing: raises ``Refused`` that names
    file and row, ``Conflict`` where a row is there already.
    """
    place = place_of(folder)
    with long_cells():
        return database.write(partial(put, source=partial(_read, place)))


def _write(path: Path, table: str, rows: Iterable[Row]) -> int:
    written = 0
    with new_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns(table))
        for row in rows:
            writer.writerow([to_cell(text_of(value)) for value in row.values()])
            written += 1
    return written


def _read(folder: Path, table: str) -> Iterator[Row]:
    path = folder / f"{table}.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(path, table, file)
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no UTF-8 ({error.reason})") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error


def _rows(path: Path, table: str, file: TextIO) -> Iterator[Row]:
    known = columns(table)
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        if sorted(header) != sorted(known):
            raise Refused(f"{path}: {_wrong_header(header, [*known])}")
        for number, cells in enumerate(reader, 2):
            if len(cells) != len(header):
                raise Refused(
                    f"{path}, row {number}: {len(cells)} cells, and the header has {len(header)}"
                )
            yield _values(f"{path}, row {number}", header, cells, known)
    except csv.Error as error:
        raise Refused(f"{path}, after line {reader.line_num}: {error}") from error


def _wrong_header(header: Sequence[str], wanted: Sequence[str]) -> str:
    lacks = [name for name in wanted if name not in header]
    if lacks:
        return f"its header lacks {', '.join(lacks)}"
    other = next(name for name in header if name not in wanted or header.count(name) > 1)
    return f"its header has {short(other)}, which is unknown or twice"


def _values(
    where: str, header: Sequence[str], cells: Sequence[str], known: Mapping[str, Column[Any]]
) -> Row:
    row = {}
    for name, cell in zip(header, cells, strict=True):
        number = isinstance(known[name].type, Integer)
        try:
            value = integer_from_cell(cell) if number else from_cell(cell)
            row[name] = value_of(known[name], value)
        except (ValueError, RecursionError, StoreError) as error:
            raise Refused(f"{where}: {name}: {error}") from error
    return row
