"""What all files of histories share: name and version, the facts, what is wrong with a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sessionproof.history.columns import ROW, F, History, Phase, Type

NAME = "sessionproof-history"
VERSION = 1
SUFFIXES = (".npz", ".parquet")
_SAID_CHARACTERS_MAX = 160

Odd = tuple[tuple[int, str], ...]


class HistoryError(Exception):
    """A file cannot be read, or not be written, as a history; the message is one line."""


@dataclass(frozen=True)
class Facts:
    """What stands once in a file: rows of session ``s`` are in shard ``s % shards``.

    ``odd`` has, for each shard, the odd texts by their row in it. The names of sessions may be
    missing at the end: in a folder they stand in a file of their own.
    """

    shards: int = 1
    sessions: tuple[str, ...] = ()
    errors: tuple[str, ...] = ("",)
    odd: tuple[Odd, ...] = ((),)


def facts_to_json(facts: Facts) -> str:
    """The facts as ASCII, with the format's name and version."""
    return json.dumps(
        {
            "format": NAME,
            "version": VERSION,
            "shards": facts.shards,
            "sessions": facts.sessions,
            "errors": facts.errors,
            "odd": facts.odd,
        }
    )


def facts_from_json(text: str | bytes, path: Path) -> Facts:
    """The inverse; raises HistoryError for another format and for a newer version."""
    value = json.loads(text)
    check_version(value, NAME, path)
    facts = Facts(
        shards=value["shards"],
        sessions=tuple(value["sessions"]),
        errors=tuple(value["errors"]),
        odd=tuple(tuple((row, text) for row, text in part) for part in value["odd"]),
    )
    texts = (*facts.sessions, *facts.errors, *(text for part in facts.odd for _, text in part))
    if not all(isinstance(one, str) for one in texts) or facts.errors[:1] != ("",):
        raise HistoryError(f"{path} is damaged: a name or an error is no text")
    if not isinstance(facts.shards, int) or not 0 < facts.shards == len(facts.odd):
        raise HistoryError(f"{path} is damaged: it does not say how many shards it has")
    return facts


def check_version(value: Any, name: str, path: Path) -> None:
    """Raise HistoryError unless this is the named format in a version that is known."""
    if not isinstance(value, Mapping) or value.get("format") != name:
        raise HistoryError(f"{path} is no history: name what a run of sessionproof kept")
    version = value.get("version")
    if not isinstance(version, int) or version < 1:
        raise HistoryError(f"{path} is damaged: it has no version")
    if version > VERSION:
        raise HistoryError(
            f"{path} has format version {version}, and this sessionproof reads up to {VERSION}: "
            "update sessionproof"
        )


def check(history: History, path: Path) -> History:
    """The history itself; raises HistoryError where its parts do not fit together.

    Names of sessions may be missing: they can be in another file of the folder.
    """
    rows, lists = history.rows, history.lists
    wrong = _wrong_rows(history)
    if not wrong:
        steps = np.diff(lists.start)
        whole = len(lists.start) == len(lists.row) + 1 and lists.start[0] == 0
        if not whole or (steps < 0).any() or lists.start[-1] != len(lists.ids):
            wrong = "its answers have no clear ends"
        elif ((lists.row < 0) | (lists.row >= len(rows))).any():
            wrong = "an answer belongs to no operation"
        elif (np.diff(lists.row) <= 0).any():
            wrong = "its answers are not in order"
        elif (rows["length"][lists.row] != steps).any():
            wrong = "an answer has another length than its operation says"
        elif any(not isinstance(row, int) or not 0 <= row < len(rows) for row, _ in history.odd):
            wrong = "an odd text belongs to no operation"
    if wrong:
        raise HistoryError(f"{path} is damaged: {wrong}")
    return history


def _wrong_rows(history: History) -> str:
    rows = history.rows
    if rows.dtype != ROW or rows.ndim != 1:
        return "its columns are others than those of this version"
    if not len(rows):
        return ""
    if not (rows["id"] != 0).all():
        return "an operation has the id 0"
    if rows["f"].min() < min(F) or rows["f"].max() > max(F):
        return "an operation is of no known kind"
    if rows["type"].max() > max(Type) or rows["phase"].max() > max(Phase):
        return "an operation has an unknown outcome or phase"
    if rows["error"].max() >= len(history.errors):
        return "an error has no text"
    return ""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a missing, foreign, damaged or truncated file makes a library raise."""
    try:
        yield
    except HistoryError:
        raise
    except FileNotFoundError:
        raise HistoryError(f"{path} does not exist") from None
    except ImportError as error:
        raise HistoryError(f"{path} cannot be read: {error}") from None
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {_said(error)}") from None
    except Exception as error:  # noqa: BLE001 - no list of what damage can lead to is complete
        raise HistoryError(f"{path} is damaged, or no history: {_said(error)}") from None


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there in full when the block ends, and not at all when it fails.

    Raises HistoryError when it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {_said(error)}") from None
    finally:
        part.unlink(missing_ok=True)


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or " ".join(str(error).split())
    return (text or type(error).__name__)[:_SAID_CHARACTERS_MAX]
