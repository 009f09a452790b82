"""Backups, restores and the like, asked of a guarded handle; answers are checked and copied.

Each function answers an outcome as ``Handle.invoke`` does: it never raises, and a malformed answer
is a failure of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from sessionproof.contract.operations import Outcome
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified
from sessionproof.host.client import MalformedAnswer
from sessionproof.workload.guard import Handle
from sessionproof.workload.shapes import kind

Call = Callable[..., Any]


def verify(handle: Handle, session_id: str | None = None) -> Outcome:
    """``Verified`` for all data, or for one session."""
    return handle.perform(
        "verify", lambda call: _record(Verified, "verify", call("verify", session_id))
    )


def backup(handle: Handle, folder: Path, *, keep: int | None = None) -> Outcome:
    """The ``Path`` of a new backup, which lies in the folder."""

    def ask(call: Call) -> Path:
        made = _path("backup", call("backup", os.fspath(folder), keep=keep))
        if made.parent.resolve() != folder.resolve() or not made.exists():
            raise MalformedAnswer(f"backup answered {made}, which is not in the folder given")
        return made

    return handle.perform("backup", ask)


def restore(handle: Handle, made: Path, directory: Path) -> Outcome:
    """The ``Path`` of a copy of what was there before, or None."""

    def ask(call: Call) -> Path | None:
        kept = call("restore", os.fspath(made), os.fspath(directory))
        return None if kept is None else _path("restore", kept)

    return handle.perform("restore", ask)


def recover(handle: Handle, damaged: Path, directory: Path) -> Outcome:
    """``Recovered``."""
    return handle.perform(
        "recover",
        lambda call: _record(
            Recovered, "recover", call("recover", os.fspath(damaged), os.fspath(directory))
        ),
    )


def repair(handle: Handle, directory: Path, *, dry_run: bool) -> Outcome:
    """``Repaired``."""
    return handle.perform(
        "repair",
        lambda call: _record(
            Repaired, "repair", call("repair", os.fspath(directory), dry_run=dry_run)
        ),
    )


def migrate(handle: Handle, file: Path, directory: Path, *, dry_run: bool = False) -> Outcome:
    """``Migrated``."""
    return handle.perform(
        "migrate",
        lambda call: _record(
            Migrated,
            "migrate",
            call("migrate", os.fspath(file), os.fspath(directory), dry_run=dry_run),
        ),
    )


def rollback(handle: Handle, directory: Path) -> Outcome:
    """Nothing."""
    return handle.perform("rollback", lambda call: _ignored(call("rollback", os.fspath(directory))))


def _ignored(_answer: object) -> None:
    """Nothing is promised of the answer."""


def _path(method: str, value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise MalformedAnswer(f"{method} answered {kind(value)}, expected a path as a text")
    return Path(os.fspath(value))


def _record(record: type, method: str, value: object) -> Any:
    """A plain copy of a record, checked field by field."""
    if not isinstance(value, record):
        raise MalformedAnswer(
            f"{method} answered {kind(value)}, expected sessionproof.{record.__name__}"
        )
    return record(
        **{
            item.name: _field(method, item.name, getattr(value, item.name))
            for item in fields(record)
        }
    )


_SENTENCES = ("problems", "lost", "changes", "notes")


def _field(method: str, name: str, value: object) -> Any:
    if name in _SENTENCES:
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(str.__str__(one) for one in value)
        raise MalformedAnswer(f"{method}: {name} is {kind(value)}, expected a tuple of texts")
    if name == "backup":
        return None if value is None else os.fspath(_path(method, value))
    if name == "changed":
        if isinstance(value, bool):
            return value
        raise MalformedAnswer(f"{method}: {name} is {kind(value)}, expected True or False")
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedAnswer(f"{method}: {name} is {kind(value)}, expected a whole number")
    return int.__add__(value, 0)
