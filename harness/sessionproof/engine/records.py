"""What the processes of a run write down: a file of JSON lines each, whole whatever happens.

A line is the record of a test, or an event: ``collected``, ``begun``, ``note``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sessionproof.contract.verdicts import Record, record_from_json

RECORDS = "records-*.jsonl"


class Log:
    """A file of JSON lines, each written at once: what is there survives a crash."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / f"records-{name}.jsonl"

    def write(self, value: dict[str, Any]) -> None:
        """Append one line."""
        data = json.dumps(value).encode() + b"\n"
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(number, data)
        finally:
            os.close(number)


def read_records(directory: Path) -> list[Record]:
    """Every record that the workers of a run wrote; a line cut short by a crash is skipped."""
    records = []
    for path in sorted(directory.glob(RECORDS)):
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                records.append(record_from_json(json.loads(line)))
            except (ValueError, KeyError, TypeError):
                continue
    return records


def read_events(directory: Path) -> list[dict[str, Any]]:
    """Every event that a run's processes wrote: collected, begun, note."""
    events = []
    for path in sorted(directory.glob(RECORDS)):
        lines = path.read_text("utf-8", "replace").splitlines()
        events += [json.loads(line) for line in lines if line.startswith('{"event"')]
    return events


def read_notes(directory: Path) -> list[str]:
    """Sentences about the run that its processes left."""
    return [event["text"] for event in read_events(directory) if event["event"] == "note"]
