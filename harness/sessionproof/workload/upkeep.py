"""Backups, restores and the like, asked of a guarded handle; answers are checked and copied.

Each function answers an outcome as ``Handle.invoke`` does: it never raises, and a malformed answer
is a failure of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessionproof.contract.operations import Outcome
from sessionproof.contract.upkeep import Repaired
from sessionproof.host.client import MalformedAnswer
from sessionproof.host.values import ANSWERS, NOTHING
from sessionproof.workload.guard import Handle
from sessionproof.workload.shapes import kind

Call = Callable[..., Any]


def verify(handle: Handle, session_id: str | None = None) -> Outcome:
    """``Verified`` for all data, or for one session."""
    return handle.perform("verify", lambda call: answered("verify", call("verify", session_id)))


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
        lambda call: answered("recover", call("recover", os.fspath(damaged), os.fspath(directory))),
    )


def repair(handle: Handle, directory: Path, *, dry_run: bool) -> Outcome:
    """``Repaired``."""

    def ask(call: Call) -> Repaired:
        done = call("repair", os.fspath(directory), dry_run=dry_run)
        if isinstance(done, Repaired) and isinstance(done.backup, os.PathLike):
            done = replace(done, backup=os.fspath(done.backup))  # as other paths are taken
        made: Repaired = answered("repair", done)
        return made

    return handle.perform("repair", ask)


def migrate(handle: Handle, file: Path, directory: Path, *, dry_run: bool = False) -> Outcome:
    """``Migrated``."""
    return handle.perform(
        "migrate",
        lambda call: answered(
            "migrate",
            call("migrate", os.fspath(file), os.fspath(directory), dry_run=dry_run),
        ),
    )


def rollback(handle: Handle, directory: Path) -> Outcome:
    """Nothing."""
    return handle.perform(
        "rollback", lambda call: answered("rollback", call("rollback", os.fspath(directory)))
    )


def _path(method: str, value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise MalformedAnswer(f"{method} answered {kind(value)}, expected a path as a text")
    return Path(os.fspath(value))


def answered(method: str, value: object) -> Any:
    """A plain copy of an answer, checked field by field as the answer of another process is.

    None for methods of whose answer nothing is promised.
    """
    answer = ANSWERS[method]
    if answer is NOTHING:
        return None
    try:
        return answer.from_json(answer.to_json(value))
    except ValueError as error:
        raise MalformedAnswer(
            f"{method} answered what the contract does not allow: {error}"
        ) from None
