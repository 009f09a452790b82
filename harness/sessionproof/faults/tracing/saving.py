"""A recording in a folder: ``changes.npz``, ``data.bin`` and ``recording.json``."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from sessionproof.contract.claims import claims_from_json, claims_to_json
from sessionproof.contract.message import Message, Page, Receipt, SessionInfo
from sessionproof.contract.operations import Failure, Operation, Outcome, Upkeep
from sessionproof.faults.changes import CHANGE, Changes
from sessionproof.faults.recording import Acted, Recording
from sessionproof.faults.tracing.rows import bytes_of

NAME = "sessionproof-recording"
VERSION = 1
DATA = "data.bin"
_ROWS, _FACTS = "changes.npz", "recording.json"
_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Acted, Outcome, Failure, Message, Receipt, SessionInfo, Page, Upkeep,
        *get_args(Operation),
    )
}  # fmt: skip


_DAMAGED = (
    OSError, EOFError, LookupError, AttributeError, TypeError, ValueError, RecursionError,
    zipfile.BadZipFile,
)  # fmt: skip


class RecordingError(Exception):
    """A folder cannot be read as a recording; the message is one line."""


def save(recording: Recording) -> None:
    """Write all of it to its folder, in which ``data.bin`` lies already."""
    np.savez(recording.folder / _ROWS, rows=recording.changes.rows)
    facts = {
        "format": NAME,
        "version": VERSION,
        "store": recording.store,
        "claims": claims_to_json(recording.claims),
        "capabilities": sorted(recording.capabilities),
        "clients": recording.clients,
        "hidden": recording.hidden,
        "opened_s": recording.opened_s,
        "names": [*recording.changes.names],
        "acts": [_plain(act) for act in recording.acts],
    }
    (recording.folder / _FACTS).write_text(json.dumps(facts), "ascii")


def load(folder: Path) -> Recording:
    """The inverse; raises RecordingError."""
    facts = _facts(folder / _FACTS)
    try:
        with (folder / _ROWS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            rows = arrays["rows"]
        data = bytes_of(folder / DATA)
        recording = Recording(
            store=facts["store"],
            claims=claims_from_json(facts["claims"]),
            capabilities=frozenset(facts["capabilities"]),
            clients=facts["clients"],
            acts=tuple(map(_value, facts["acts"])),
            changes=Changes(rows, tuple(facts["names"]), data),
            folder=folder,
            hidden=facts["hidden"],
            opened_s=facts["opened_s"],
        )
    except _DAMAGED as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise RecordingError(f"{folder} is damaged ({text}): record it anew") from None
    wrong = _wrong(recording)
    if wrong:
        raise RecordingError(f"{folder} is damaged ({wrong}): record it anew")
    return recording


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text("ascii"))
    except FileNotFoundError:
        text = "is no recording: name a folder that `sessionproof crash record` made"
        raise RecordingError(f"{path.parent} {text}") from None
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        raise RecordingError(f"{path} cannot be read ({text}): record it anew") from None
    if not isinstance(facts, dict) or facts.get("format") != NAME:
        raise RecordingError(f"{path} is no recording: name another folder")
    if facts.get("version") != VERSION:
        text = f"has version {facts.get('version')!r}, and this sessionproof reads {VERSION}"
        raise RecordingError(f"{path} {text}: record it anew")
    return facts


def _wrong(recording: Recording) -> str:
    """What does not fit together."""
    rows, changes = recording.changes.rows, recording.changes
    if rows.dtype != CHANGE or rows.ndim != 1:
        return "its columns are others than those of this version"
    if len(rows) and int((rows["start"] + rows["length"]).max()) > len(changes.data):
        return f"{DATA} is too short"
    if len(rows) and max(rows["name"].max(), rows["source"].max()) >= len(changes.names):
        return "a change has no name"
    if not all(isinstance(act, Acted) for act in recording.acts):
        return "an act is none"
    return ""


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
        return {"is": type(value).__name__, "of": parts}
    if isinstance(value, Mapping):
        return {"is": "object", "of": {key: _plain(part) for key, part in value.items()}}
    if isinstance(value, tuple):
        return {"is": "tuple", "of": [_plain(part) for part in value]}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    parts = plain["of"]
    if plain["is"] == "tuple":
        return tuple(_value(part) for part in parts)
    parts = {key: _value(part) for key, part in parts.items()}
    return parts if plain["is"] == "object" else _KINDS[plain["is"]](**parts)
