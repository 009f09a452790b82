"""Small programs under the tracer, and what was made of their calls."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.images import image_in, image_of
from sessionproof.faults.crashes.states import KILL, State
from sessionproof.faults.tracing.calls import calls
from sessionproof.faults.tracing.following import Followed, follow
from sessionproof.faults.tracing.strace import CALLS, READS, command


def traced(
    script: str,
    folder: Path,
    *,
    meddle: Callable[[Path], object] = lambda _: None,
    reads: bool = True,
) -> Followed:
    """Run a Python program in an empty location below the folder; answers go to its stdout.

    ``meddle`` changes the location behind the tracer's back. ``reads``: whether reads are traced.
    """
    root = folder / "location"
    root.mkdir()
    trace = folder / "trace"
    tracer = command(trace, calls=(*CALLS, *READS) if reads else CALLS)
    answers, theirs = os.pipe()
    try:
        subprocess.run(
            [*tracer, sys.executable, "-I", "-S", "-c", textwrap.dedent(script)],
            cwd=root, stdout=theirs, check=True, timeout=60,
        )  # fmt: skip
        pipe = f"pipe:[{os.fstat(theirs).st_ino}]"
    finally:
        os.close(answers)
        os.close(theirs)
    meddle(root)
    with trace.open(encoding="ascii") as lines:
        return follow(
            calls(lines), root=root, started_in=root, pipes={pipe: 0}, clients={},
            data=folder / "data.bin", reads=reads,
        )  # fmt: skip


def same(followed: Followed, folder: Path) -> bool:
    """Whether all changes together are the real files, for the tree and for the images."""
    whole = image_of(followed.changes, State(KILL, len(followed.changes)))
    real = image_in(folder / "location")
    return followed.hidden == "" and whole.digest == real.digest


def told(changes: Changes) -> list[str]:
    """One line for each change: its kind, its name and what else it says."""
    return [_line(changes, at) for at in range(len(changes))]


def _line(changes: Changes, at: int) -> str:
    row = changes.rows[at]
    kind = Kind(row["kind"])
    words = [kind.name, changes.name(at) or "."]
    if kind is Kind.WRITTEN:
        words += [str(row["offset"]), ascii(bytes(changes.written(at)))[1:]]
    elif kind is Kind.SIZED:
        words.append(str(row["offset"]))
    elif kind in (Kind.RENAMED, Kind.LINKED):
        words.insert(1, changes.names[int(row["source"])])
    return " ".join(words[:1] if kind in (Kind.ANSWERED, Kind.SYNCED_ALL) else words)
