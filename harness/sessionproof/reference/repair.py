"""Rows of a closed database that contradict each other, mended after a copy was made."""

from __future__ import annotations

import os

from sessionproof.contract.upkeep import Repaired
from sessionproof.reference import files
from sessionproof.reference.in_place import Progress, changed
from sessionproof.reference.mending.mend import mend

BEFORE = "before-repair"
"""The last part of the name of the copy that is made before a repair."""


def repair(
    path: os.PathLike[str] | str, *, dry_run: bool = True, progress: Progress | None = None
) -> Repaired:
    """Mend what can be mended row by row; a dry run only says what would be done.

    ``path`` is a directory with the store's database, or a database of one of the legacy schemas.
    Indexes are built anew, wrong values and rows without their session are set aside in a file,
    numbers and ids that repeat are given anew, counters are computed. Raises ``Refused`` where
    the file is in use, or damaged below its rows, and then it is as it was.
    """
    file = files.present(path)
    return changed(file, mend, purpose=BEFORE, dry_run=dry_run, progress=progress)
