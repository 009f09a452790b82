"""Rows that were put aside, and values that were corrected: one line of JSON for each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TextIO


class Aside:
    """Notes what is not taken over as it is. ``file`` takes the whole rows; None only counts."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._put: Counter[tuple[str, str]] = Counter()
        self._corrected: Counter[tuple[str, str]] = Counter()

    def put(self, table: str, row: Mapping[str, Any], why: str) -> None:
        """Keep a row that becomes neither a session nor a message."""
        self._put[table, why] += 1
        self._write(table, row, why, kept=False)

    def correct(self, table: str, row: Mapping[str, Any], why: str) -> None:
        """Keep the old form of a row that was taken over otherwise."""
        self._corrected[table, why] += 1
        self._write(table, row, why, kept=True)

    @property
    def number(self) -> int:
        """How many rows were put aside."""
        return self._put.total()

    def notes(self) -> Iterator[str]:
        """A sentence for each reason, what was put aside first."""
        for did, counted in (("put aside", self._put), ("corrected", self._corrected)):
            for (table, why), number in counted.most_common():
                yield f"{did}: {number:,} {'row' if number == 1 else 'rows'} of {table}, {why}"

    def _write(self, table: str, row: Mapping[str, Any], why: str, *, kept: bool) -> None:
        if self._file is not None:
            line = {"table": table, "why": why, "taken_over": kept, "row": _plain(row)}
            self._file.write(json.dumps(line) + "\n")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON of a row; bytes as an object with their hexadecimal form."""
    return {
        name: {"hex": value.hex()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }
