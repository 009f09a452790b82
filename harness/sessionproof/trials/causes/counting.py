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
from tempfile import TemporaryDirectory
from typing import TypeAlias

from sessionproof.bench.arms.remote import RemoteArm, Wanted
from sessionproof.bench.tracking.compared import Side
from sessionproof.contract.causes import Causes, causes_from_json
from sessionproof.contract.claims import Claims, claims_to_json
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

Begin: TypeAlias = Callable[[], RemoteArm]


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
    begin = partial(
        RemoteArm, Side(asked="", store=store, path=tuple(path)), wanted,
        environment=_environment() if environment is None else environment, program=PROGRAM,
    )  # fmt: skip
    order = list(dict.fromkeys((CONTROL, *operations)))
    inside = not store.startswith("cmd:")
    with (
        TemporaryDirectory(prefix="causes-", dir=folder, ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(3) as threads,
    ):
        below = [Path(scratch) / name for name in ("counted", "sampled", "written")]
        for one in below:
            one.mkdir()
        looks = [
            threads.submit(_counted, begin, below[0], order) if inside else None,
            threads.submit(_sampled, begin, below[1], order, profile=profile) if inside else None,
            threads.submit(written, lambda start: begin(start=start), below[2], order),
        ]
        told = [look.result() if look else _untold(order) for look in looks]
    return tuple(_causes(operation, [one[operation] for one in told]) for operation in operations)


def _untold(order: Sequence[str]) -> dict[str, Told]:
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
    return causes_from_json(
        {"operation": operation, "calls": 0, **empty, **found, "missing": missing or None}
    )


def _environment() -> dict[str, str]:
    """This process's, with its import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
