"""The store as a whole: ``verify`` and ``backup`` are methods of ``ReferenceStore``.

The others are about directories that nobody has open: every handle lends them, as static methods.
What they take is imported when it is used: opening a store should not wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified
from sessionproof.reference.codec import checked_text

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def verify(store: ReferenceStore, session_id: str | None = None) -> Verified:
    """Look at everything, or at one session: structure, references, counters, digests."""
    key = None if session_id is None else checked_text(session_id, "session_id")
    if store.ended:
        raise Refused(store.ended)
    from sessionproof.reference import verify as module

    return module.verified(store._path, key)


def backup(
    store: ReferenceStore, folder: os.PathLike[str] | str, *, keep: int | None = None
) -> str:
    """Make a verified backup in an existing folder while the store is in use; its path.

    With ``keep``, older backups of this store there are removed beyond that number.
    """
    from sessionproof.reference import backup as module

    made = store._read(lambda db: module.back_up_open(db, store._path, Path(folder), keep=keep))
    return os.fspath(made)


def restore(backup: os.PathLike[str] | str, directory: os.PathLike[str] | str) -> str | None:
    """Put a backup's data in the place of what is in the directory, once it is verified.

    Answers the path of a copy of what was there; None when there was nothing. Raises ``Refused``
    for a backup that is not in order, and while anybody has the directory's database open.
    """
    from sessionproof.reference import restore as module

    return module.restore(os.fspath(backup), os.fspath(directory))


def recover(damaged: os.PathLike[str] | str, directory: os.PathLike[str] | str) -> Recovered:
    """Save what can be read of a damaged store into an empty directory; the damaged one stays."""
    from sessionproof.reference import recover as module

    return module.recover(damaged, directory)


def repair(directory: os.PathLike[str] | str, *, dry_run: bool = True) -> Repaired:
    """Mend rows that contradict each other, after a backup; a dry run only says what would be."""
    from sessionproof.reference import repair as module

    return module.repair(directory, dry_run=dry_run)


def migrate(
    file: os.PathLike[str] | str, directory: os.PathLike[str] | str, *, dry_run: bool = False
) -> Migrated:
    """Take over a file of a legacy schema, or of an earlier release; again, it changes nothing."""
    from sessionproof.reference import migrate as module

    return module.migrate(file, directory, dry_run=dry_run)


def rollback(directory: os.PathLike[str] | str) -> None:
    """Put the file that was migrated back where it was, byte for byte."""
    from sessionproof.reference import rollback as module

    module.rollback(directory)
