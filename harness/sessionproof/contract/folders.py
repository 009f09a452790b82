"""Private folders for what lasts as long as a run, and what is left of runs that were killed.

Who is killed removes nothing. A folder is held by a lock on a file in it, which ends with its
holder; so a later run can tell what nobody holds any more, and removes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from sessionproof.contract.machine import HAS_LOCKS, lock

_PREFIX = "sessionproof-"
_HELD = ".held"
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is private


def folder_in_memory(room_bytes: int) -> Path | None:
    """The file system in memory, where there is one with so much room that we may write to."""
    with suppress(OSError):
        usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK | os.X_OK)
        if usable and shutil.disk_usage(_MEMORY).free >= room_bytes:
            return _MEMORY
    return None


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder below ``parent``, or the temporary folder; removed at the end.

    What killed processes have left beside it is removed at the beginning.
    """
    parent = Path(gettempdir()) if parent is None else parent
    remove_left(parent)
    with TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
        held = _hold(Path(folder))
        try:
            yield Path(folder)
        finally:
            if held is not None:
                os.close(held)


def remove_left(parent: Path) -> None:
    """Remove our folders in ``parent`` whose holders have ended; what is in use stays.

    So does what another user has, and what cannot be removed.
    """
    if not HAS_LOCKS:
        return
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                _remove_unheld(folder)


def _remove_unheld(folder: Path) -> None:
    """Remove the folder unless somebody holds it; raises OSError where nobody ever has."""
    held = os.open(folder / _HELD, os.O_RDONLY)
    try:
        if lock(held):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def _hold(folder: Path) -> int | None:
    """The descriptor that holds the folder; None where the file system has no locks.

    The file has its name once it is locked: nobody finds it free before.
    """
    draft = folder / f"{_HELD}.new"
    held = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    with suppress(OSError):
        if HAS_LOCKS and lock(held):
            draft.rename(folder / _HELD)
            return held
    os.close(held)
    draft.unlink()
    return None
