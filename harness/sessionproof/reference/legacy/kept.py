"""The old file that a migration keeps: its bytes, those of its log, and what was taken over.

They lie in the folder ``migrated`` of the directory: ``old/`` has the files under their own names,
``aside.jsonl`` the rows that were put aside or corrected, ``manifest.json`` the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Migrated
from sessionproof.reference.opening import PRIVATE, sync

FOLDER = "migrated"
ASIDE = "aside.jsonl"
_MANIFEST = "manifest.json"
_OLD = "old"
_FORM = 1

PARTS = ("", "-wal", "-journal")
"""What is kept: the file and its logs, by what follows the file's name."""

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One migration: where the old file was, what its bytes were, what was taken over.

    ``source`` is an absolute path, or None when it was the directory's own database. ``digests``
    are SHA-256 by what follows the file's name (nothing, ``-wal``, ``-journal``), ``mode`` its
    permissions.
    """

    folder: Path
    source: str | None
    name: str
    schema: str
    digests: Mapping[str, str]
    mode: int
    sessions: int
    messages: int
    set_aside: int
    notes: tuple[str, ...]

    def old(self, log: str = "") -> Path:
        """The copy of the old file, or of a log."""
        return old_in(self.folder, f"{self.name}{log}")

    def answer(self) -> Migrated:
        """What to say when it is asked for again."""
        return Migrated(
            changed=False, sessions=self.sessions, messages=self.messages,
            set_aside=self.set_aside, notes=self.notes,
        )  # fmt: skip


def old_in(folder: Path, name: str) -> Path:
    """Where the copy of an old file of this name is."""
    return folder / _OLD / name


def copy_old(source: Path, folder: Path) -> dict[str, str]:
    """Copy the file and its logs below the folder, private and on the disk; answers digests.

    What is copied is one state of the file: raises ``Refused`` when it changes meanwhile.
    """
    old = folder / _OLD
    old.mkdir(mode=0o700)
    for log in PARTS:
        there = source.with_name(source.name + log)
        if log == "" or (there.exists() and there.stat().st_size):
            copied(there, old / there.name)
    digests = digests_of(old / source.name)
    if digests_of(source) != digests:
        raise Refused(f"{source} is being written: stop the program that uses it, then try again")
    sync(old)
    return digests


def copied(source: Path, copy: Path) -> None:
    """Copy a file into a new, private one that survives a power loss."""
    handle = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
    with source.open("rb") as read, os.fdopen(handle, "wb") as written:
        shutil.copyfileobj(read, written, _BLOCK_BYTES)
        written.flush()
        os.fsync(written.fileno())


def digests_of(file: Path) -> dict[str, str]:
    """SHA-256 of the file and of its logs, by what follows its name; an empty log is none."""
    found = {}
    for log in PARTS:
        there = file.with_name(file.name + log)
        if log == "" or (there.exists() and there.stat().st_size):
            found[log] = digest_of(there)
    return found


def digest_of(file: Path) -> str:
    """SHA-256 of one file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def write(kept: Kept) -> None:
    """Write the manifest into its folder, onto the disk."""
    value = asdict(kept) | {"form": _FORM}
    del value["folder"]
    path = kept.folder / _MANIFEST
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    sync(kept.folder)


def load(directory: Path) -> Kept | None:
    """What was migrated into the directory, None if nothing was; raises ``Refused``."""
    folder = directory / FOLDER
    if not folder.exists():
        return None
    path = folder / _MANIFEST
    try:
        value: dict[str, Any] = json.loads(path.read_text("ascii"))
        if value.pop("form") != _FORM:
            raise Refused(f"{path} is of a later release: upgrade sessionproof")
        value["notes"] = tuple(value["notes"])
        return Kept(folder=folder, **value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"{path} cannot be read ({error}): move {folder} away") from error


def mode_of(file: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(file.stat().st_mode)
