"""How much room a store takes, seen from outside: sizes of its files, memory of a process."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sessionproof.contract.location import Location
from sessionproof.contract.measurements import Size

LEAST = 20  # of fewer, pages of a file are measured rather than what is in them
HANDLES = 8
_CHILD_S = 20.0


class Unmeasured(Exception):
    """A size could not be measured; the text is the reason."""


def bytes_below(root: Path, pattern: str = "*") -> int:
    """The bytes of all files below the directory whose names match."""
    total = 0
    for folder, _, names in os.walk(root):  # it passes over folders that are gone meanwhile
        for name in fnmatch.filter(names, pattern):
            with suppress(FileNotFoundError):  # the store may tidy up
                path = Path(folder, name)
                total += path.stat().st_size if path.is_file() else 0
    return total


def each_of(
    what: str, before: int, after: int, number: int, *, floor: float | None = None, note: str = ""
) -> Size:
    """What each of so many added to some bytes; raises Unmeasured where that says nothing."""
    if number < LEAST:
        raise Unmeasured(f"only {number} were written in the time")
    if after <= before:
        raise Unmeasured("the files below the location did not grow")
    said = "; ".join(filter(None, (f"{number} were written", note)))
    return Size(what=what, value=(after - before) / number, unit="bytes", floor=floor, note=said)


def memory_of_a_handle(name: str, location: Location, session: str) -> Size:
    """Private memory of a further handle on the location, after it has read the session once.

    Measured in a process of its own, on average over ``HANDLES``. Raises Unmeasured.
    """
    if name.startswith("cmd:"):
        raise Unmeasured("each handle is a process of its own")
    command = [
        sys.executable, "-m", "sessionproof.bench.handles_main",
        *(f"--path={entry}" for entry in sys.path),
        "--", name, str(location.root), session, str(HANDLES),  # an id may begin with a dash
    ]  # fmt: skip
    try:
        ended = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace",
            timeout=_CHILD_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unmeasured(f"no answer within {_CHILD_S:g} s") from None
    lines = ended.stdout.splitlines()
    if ended.returncode != 0 or not lines:
        last = (ended.stderr.splitlines() or [f"it ended with {ended.returncode}"])[-1]
        raise Unmeasured(f"in a process of its own: {last}")
    try:
        value = float(lines[-1])
    except ValueError:
        raise Unmeasured("in a process of its own, the store wrote after the answer") from None
    return Size(
        what="private memory per handle",
        value=value,
        unit="bytes",
        note=f"on average over {HANDLES} further handles, after a read",
    )
