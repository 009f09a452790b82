"""Bytes that an operation writes and syncs that it waits for, by the crash recorder's tracer."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np

from sessionproof.bench.arms.remote import RemoteArm, Start
from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.calls import calls
from sessionproof.faults.tracing.following import Followed, follow
from sessionproof.faults.tracing.launching import LaunchedProcess, Tracer
from sessionproof.faults.tracing.strace import why_not
from sessionproof.host.process import Started
from sessionproof.trials.causes.asking import CONTROL, Told, asked

_SYNCS = (Kind.SYNCED, Kind.SYNCED_ALL)
_UNSEEN = "an append writes nothing below the store's location"


def written(
    begin: Callable[[Start], RemoteArm], folder: Path, order: Sequence[str]
) -> dict[str, Told]:
    """``bytes_written`` and ``syncs`` of the middle one of some calls of each operation.

    ``folder`` is empty, and takes the store's files and the trace; ``begin`` starts the process
    that counts in the way it is given. ``CONTROL`` is the first in ``order``.
    """
    reason = why_not()
    try:
        if reason is None:
            return _told(begin, folder, order)
    except CannotTrace as why:
        reason = str(why)
    return {operation: {"why": reason} for operation in order}


def _told(
    begin: Callable[[Start], RemoteArm], folder: Path, order: Sequence[str]
) -> dict[str, Told]:
    """Raises CannotTrace."""
    root, trace = folder / "files", folder / "trace"
    root.mkdir()
    launched: list[tuple[Tracer, LaunchedProcess]] = []
    with ExitStack() as running:

        def under_strace(command: Sequence[str], environment: Mapping[str, str]) -> Started:
            argv = within(environment, command)
            tracer = Tracer(argv, trace=trace, words=folder / "words", reads=False)
            running.enter_context(tracer)
            launched.append((tracer, tracer.next()))
            return launched[0][1]

        told = asked(lambda: begin(under_strace), root, order, _windows)
    if not launched:
        return told
    ((tracer, process),) = launched
    if tracer.broken:
        raise CannotTrace(tracer.broken)
    with trace.open(encoding="ascii", errors="replace") as lines:
        followed = follow(
            calls(lines), root=root, started_in=Path.cwd(), pipes={process.pipe: 0},
            clients={process.pid: 0}, data=folder / "data", reads=False,
        )  # fmt: skip
    return _counted(followed, followed.answers[process.pipe], told)


def within(environment: Mapping[str, str], command: Sequence[str]) -> list[str]:
    """The command with this environment, to be started with ours.

    What both have alike is not said: a command line can be read by all, and it is short.
    """
    gone = [word for name in os.environ if name not in environment for word in ("-u", name)]
    ours = os.environ.items()
    return ["env", *gone, *(f"{one[0]}={one[1]}" for one in environment.items() - ours), *command]


def _windows(arm: RemoteArm, operation: str) -> Told:
    """Make the calls; which of the process's answers is the one before the first of them."""
    number = arm.call("prepare", operation)
    before = arm.answers - 1
    for _ in range(number):
        arm.call("call")
    return {"calls": number, "before": before}


def _counted(
    followed: Followed, answers: Sequence[int], told: Mapping[str, Told]
) -> dict[str, Told]:
    def counted(one: Told) -> Told:
        if "why" in one:
            return one
        if followed.hidden:
            return {"why": followed.hidden}
        ends = answers[one["before"] : one["before"] + one["calls"] + 1]
        if len(ends) <= one["calls"]:
            return {"why": "the store's process does not write its answers itself"}
        return _of_calls(followed.changes, ends)

    found = {operation: counted(one) for operation, one in told.items()}
    if found[CONTROL].get("bytes_written") == 0:
        return {operation: {"why": _UNSEEN} for operation in found}
    return found


def _of_calls(changes: Changes, ends: Sequence[int]) -> Told:
    """The middle ones of what lies between each place and the next."""
    kinds, lengths = changes.rows["kind"], changes.rows["length"]
    sizes = np.where(kinds == Kind.WRITTEN, lengths, 0)
    is_sync = np.isin(kinds, _SYNCS)
    between = [slice(first, last) for first, last in pairwise(ends)]
    return {
        "bytes_written": statistics.median(int(sizes[one].sum()) for one in between),
        "syncs": statistics.median(int(is_sync[one].sum()) for one in between),
    }
