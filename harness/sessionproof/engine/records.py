"""What the processes of a run write down: a file of JSON lines each, whole whatever happens.

A line is the record of a test, or an event: ``collected``, ``begun``, ``note``. The files lie
beside the store's own, and disks fill up: a line that is neither is passed over, and one that was
to be a record says of its guarantee that it could not be told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Record, Verdict, record_from_json, record_to_json

RECORDS = "records-*.jsonl"
_encoded = json.JSONEncoder().encode  # as it is now: a store may replace what is in modules


class Log:
    """A file of JSON lines, each written at once: what is there survives a crash."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / f"records-{name}.jsonl"

    def write(self, value: dict[str, Any]) -> None:
        """Append one line."""
        data = _encoded(value).encode() + b"\n"
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(number, data)
        finally:
            os.close(number)


def value_of(line: bytes | str) -> dict[str, Any] | None:
    """The value of a whole line: an event, or all fields of a record. None for anything else."""
    value = _object_in(line)
    if "event" in value:
        return value
    record = _record_of(value)
    return None if record is None else record_to_json(record)


def read_records(directory: Path) -> list[Record]:
    """Every record that the workers of a run wrote."""
    made = (_record_of(value) for value in _values(directory) if "event" not in value)
    return [record for record in made if record is not None]


def read_events(directory: Path) -> list[dict[str, Any]]:
    """Every event that a run's processes wrote: collected, begun, note."""
    return [value for value in _values(directory) if "event" in value]


def read_notes(directory: Path) -> list[str]:
    """Sentences about the run that its processes left."""
    return [str(event["text"]) for event in read_events(directory) if event["event"] == "note"]


def _values(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(directory.glob(RECORDS)):
        yield from map(_object_in, path.read_bytes().splitlines())


def _object_in(line: bytes | str) -> dict[str, Any]:
    """The JSON object of a line; an empty one for a line that is none, or was cut short."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _record_of(value: Mapping[str, Any]) -> Record | None:
    """The record; "could not tell" for one of a known guarantee that cannot be read."""
    try:
        return record_from_json(value)
    except (ValueError, KeyError, TypeError) as error:
        guarantee = str(value.get("guarantee"))
        if guarantee not in GUARANTEES:
            return None
        return Record(
            guarantee=guarantee,
            test=str(value.get("test", "")),
            verdict=Verdict.UNKNOWN,
            reason=f"what was written of its test cannot be read: {error}",
        )
