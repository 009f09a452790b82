"""What a store did to its files and what it answered, in one order: the changes of a recording.

Changes are columns, as a recording may have a million. Their bytes lie in one file beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Kind(IntEnum):
    """What was changed. Names are paths below the location; a file keeps its number when renamed.

    ``MADE``, ``MADE_FOLDER``: a new name for a new file or folder. ``WRITTEN``: bytes at an offset.
    ``SIZED``: cut or grown with zeros. ``RENAMED``: ``source`` becomes ``name``, and what had that
    name is gone. ``LINKED``: a further name. ``REMOVED``: a name of a file, ``REMOVED_FOLDER``: one
    of a folder. ``SYNCED``: the file, or the names of the folder, are on the disk; ``SYNCED_ALL``:
    everything is. ``ANSWERED``: ``client`` got a whole answer.
    """

    MADE = 1
    MADE_FOLDER = 2
    WRITTEN = 3
    SIZED = 4
    RENAMED = 5
    LINKED = 6
    REMOVED = 7
    REMOVED_FOLDER = 8
    SYNCED = 9
    SYNCED_ALL = 10
    ANSWERED = 11


ROOT = 0
"""The number of the location itself, as a folder."""

CHANGE = np.dtype(
    [
        ("offset", "<i8"),
        ("start", "<i8"),
        ("length", "<i8"),
        ("file", "<i4"),
        ("folder", "<i4"),
        ("name", "<i4"),
        ("source", "<i4"),
        ("client", "<i2"),
        ("kind", "u1"),
    ]
)
"""One change.

``file``: the number of the file or folder it is about (-1 for ``ANSWERED``, ``SYNCED_ALL``).
``folder``: the number of the folder whose names change; that of ``source`` is found by its path.
``name``, ``source``: places in ``Changes.names``, -1 for none.
``offset``: where bytes were written, or the new size (``SIZED``).
``start``, ``length``: the bytes in ``Changes.data`` (``WRITTEN``).
``client``: who was answered (``ANSWERED``), otherwise which process tree did it, from 0.
"""


@dataclass(frozen=True)
class Changes:
    """``rows`` in the order of completion; ``names`` are paths below the location."""

    rows: npt.NDArray[np.void]
    names: Sequence[str]
    data: memoryview

    def __len__(self) -> int:
        return len(self.rows)

    def written(self, at: int) -> memoryview:
        """The bytes that the change at this place wrote."""
        row = self.rows[at]
        return self.data[int(row["start"]) : int(row["start"]) + int(row["length"])]

    def name(self, at: int) -> str:
        """The path that the change at this place is about; empty for none."""
        place = int(self.rows[at]["name"])
        return self.names[place] if place >= 0 else ""
