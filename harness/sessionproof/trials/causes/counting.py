"""The causes of what a store's operations cost: three looks, each in a process of its own.

One counts statements and steps, which makes calls slow; one counts instructions and samples where
time goes, and is left alone; one works under strace. No store runs in this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from threading import Event
from typing import Protocol, TypeAlias

from sessionproof.bench.arms.remote import RemoteArm, Start, Wanted
from sessionproof.bench.tracking.compared import Side
from sessionproof.contract.causes import Causes
from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.contract.decoding import decoded
from sessionproof.trials.causes.asking import CONTROL, PROGRAM, Told, asked
from sessionproof.trials.causes.writing import written
from sessionproof.workload.conversation import ascii_words

_OPEN_S, _OPERATION_S = 60.0, 60.0  # generous: a tracer makes all slower, and so do neighbours
_SAMPLED_S = 10.0  # beyond the deadline of a call
_SEED = 20260101  # the same texts always, as counts are compared from night to night
_FIELDS = (
    ("steps", "statements", "connections"),
    ("instructions", "functions", "samples"),
    ("bytes_written", "syncs"),
)
"""What each of the three looks finds out."""

_BEHIND = "the store is a program of its own behind cmd:, into which nobody here can look"
_SILENT = (
    "no statement of an append was seen: the store does not use Python's sqlite3, "
    "or sets a trace callback of its own"
)
_STEPLESS = "no steps were seen: the store sets a progress handler of its own"
_UNASKED = "no profile was asked for"


class Begin(Protocol):
    """Starts a process that counts, in the usual way unless it is given another."""

    def __call__(self, start: Start | None = None) -> RemoteArm:
        """Raises ArmFailed."""


Look: TypeAlias = Callable[[Begin, Path, Sequence[str]], dict[str, Told]]
"""What operations come to; the folder is empty, and the first of the operations ``CONTROL``."""


def causes_of(
    store: str,
    claims: Claims,
    capabilities: Iterable[str],
    operations: Sequence[str],
    *,
    folder: Path,
    path: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    profile: bool = True,
) -> tuple[Causes, ...]:
    """The causes of each of these operations; what is missing says why.

    ``path`` are folders that come before all others on the import path. Below ``folder`` scratch is
    made, and removed. Without an ``environment`` the processes find what this one finds.
    ``profile``: whether functions are sampled. Never raises for what the store does.
    """
    wanted = Wanted(
        claims=claims_to_json(claims), capabilities=tuple(capabilities), pool=ascii_words(_SEED),
        open_s=_OPEN_S, operation_s=_OPERATION_S,
    )  # fmt: skip
    here = _environment() if environment is None else environment
    side = Side(asked="", store=store, path=tuple(path))
    started: list[RemoteArm] = []
    over = Event()

    def begin(start: Start | None = None) -> RemoteArm:
        arm = RemoteArm(side, wanted, environment=here, program=PROGRAM, start=start)
        started.append(arm)
        if over.is_set():
            arm.kill()
        return arm

    order = list(dict.fromkeys((CONTROL, *operations)))
    looks: list[Look] = [_counted, partial(_sampled, profile=profile), written]
    if store.startswith("cmd:"):
        looks[:2] = [_behind, _behind]
    with (
        TemporaryDirectory(prefix="causes-", dir=folder, ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(len(looks)) as threads,
    ):
        begun = [threads.submit(look, begin, Path(mkdtemp(dir=scratch)), order) for look in looks]
        try:
            told = [one.result() for one in begun]
        except BaseException:  # Ctrl-C: the looks end with their processes
            over.set()
            for arm in started:
                arm.kill()
            raise
    return tuple(_causes(operation, [one[operation] for one in told]) for operation in operations)


def _behind(_begin: Begin, _folder: Path, order: Sequence[str]) -> dict[str, Told]:
    """Nothing is known of a store that runs elsewhere."""
    return {operation: {"why": _BEHIND} for operation in order}


def _counted(begin: Begin, folder: Path, order: Sequence[str]) -> dict[str, Told]:
    """Statements and steps of each operation."""

    def ask(arm: RemoteArm, operation: str) -> Told:
        arm.call("prepare", operation)
        return dict(arm.call("statements"))

    told = asked(begin, folder, order, ask, traced=True)
    control = told[CONTROL]
    if control.get("statements") == []:
        return {operation: {"why": _SILENT} for operation in order}
    if control.get("steps") == 0:
        without = {"steps": None, "missing": {"steps": _STEPLESS}}
        return {name: one if "why" in one else {**one, **without} for name, one in told.items()}
    return told


def _sampled(begin: Begin, folder: Path, order: Sequence[str], *, profile: bool) -> dict[str, Told]:
    """Instructions of each operation, and the functions in which its time goes."""

    def ask(arm: RemoteArm, operation: str) -> Told:
        arm.call("prepare", operation)
        parts = {"instructions": dict(arm.call("instructions"))}
        if profile:
            parts["functions"] = dict(arm.call("functions", within_s=_SAMPLED_S))
        found = {name: part[name] for part in parts.values() for name in part if name != "why"}
        missing = {name: part["why"] for name, part in parts.items() if "why" in part}
        return {**found, "missing": missing if profile else {**missing, "functions": _UNASKED}}

    return asked(begin, folder, order, ask)


def _causes(operation: str, looks: Sequence[Told]) -> Causes:
    """What the looks in the order of ``_FIELDS`` told, put together."""
    found: dict[str, object] = {}
    missing: dict[str, str] = {}
    for fields, told in zip(_FIELDS, looks, strict=True):
        if "why" in told:
            missing |= {name: str(told["why"]) for name in fields}
        else:
            missing |= told.get("missing", {})
            found |= {name: told[name] for name in ("calls", *fields) if name in told}
    empty = dict.fromkeys([name for fields in _FIELDS for name in fields])
    return decoded(
        Causes,
        {"operation": operation, "calls": 0, **empty, **found, "missing": missing or None},
    )


def _environment() -> dict[str, str]:
    """This process's, with its import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
