"""What a run is about: the store as a child process described it, the profile, the seed.

The process whose exit code is the verdict never runs a store, so the store is looked at by
``python -m sessionproof.engine.describe`` in a child, under a deadline.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sessionproof.contract.addresses import NAMESPACE, is_on_server, shown
from sessionproof.contract.claims import Claims, claims_from_json, claims_to_json, required
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import StoreNotFound
from sessionproof.engine.baseline import KnownBreaks, read_baseline
from sessionproof.engine.children import run_and_read
from sessionproof.engine.limits import MIB, NO_LIMITS, Limits, limits_of
from sessionproof.workload.profiles import PROFILES, Deadlines, Profile

DEFAULT_PROFILE = "gate"
TIMED = ("no", "only", "last")  # whether timed tests run in a pass of pytest
STORES = "stores"  # in a run's directory: who clears the folder above its own finds no record
_PARTS = (100, 30, 10, 3, 1)  # of the largest size at which growth is measured
_MESSAGE_MOST_S = 0.002  # a test that stores so many messages is not ended before
_READ_MOST_S = 0.0001  # a message of a session that is read whole: no such read is a hang
_TESTS_OF_SIZE = 5
_START_S = 20.0  # for Python to start on a busy machine: it ends itself after two openings


class BadUsage(Exception):
    """The user's input, or a store that cannot be opened; the text is one line."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that workers need to know. ``claims`` are declared, or probed when ``declared`` is False.

    ``directory`` is where locations and records of this run lie; ``command`` runs the same again,
    for all guarantees; ``asked`` are the ids and groups that were named, as ``only`` are their
    guarantees. ``described_s`` is how long the look at the store took. Each test is run
    with so many ``seeds``: ``seed`` and those that follow it.
    """

    store: str
    claims: Claims
    declared: bool
    capabilities: tuple[str, ...]
    version: str | None
    profile: Profile
    seed: int
    only: tuple[str, ...]
    directory: Path
    command: str
    asked: tuple[str, ...] = ()
    not_representable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    baseline: KnownBreaks | None = None
    described_s: float = 0.0
    limits: Limits = NO_LIMITS
    seeds: int = 1

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        out = asdict(self)
        return {**out, "claims": claims_to_json(self.claims), "directory": str(self.directory)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """The inverse of ``to_json``."""
        profile, baseline = value["profile"], value["baseline"]
        tuples = {
            name: tuple(value[name])
            for name in ("capabilities", "only", "asked", "not_representable", "notes")
        }
        return cls(
            **{
                **value,
                **tuples,
                "claims": claims_from_json(value["claims"]),
                "profile": Profile(
                    **{
                        **profile,
                        "deadlines": Deadlines(**profile["deadlines"]),
                        "messages": tuple(profile["messages"]),
                        "sessions": tuple(profile["sessions"]),
                    }
                ),
                "directory": Path(value["directory"]),
                "baseline": None if baseline is None else KnownBreaks(**baseline),
                "limits": Limits(**value["limits"]),
            }
        )


def make_plan(
    store: str,
    *,
    profile: str,
    seed: int,
    directory: Path,
    require: Sequence[str] = (),
    only: Sequence[str] = (),
    baseline: Path | None = None,
    operation_s: float | None = None,
    test_s: float | None = None,
    size: int | None = None,
    memory: int | None = None,
    called: Sequence[str] | None = None,
    seeds: int = 1,
) -> Plan:
    """Look at the store in a child process and plan its run; raises BadUsage.

    ``size`` is the largest number of messages at which growth is measured, ``memory`` the bytes
    that a process may take, 0 for all; ``called`` are the words that name the store on a command
    line, where its name is of use for this run alone. Each test has so many ``seeds``, and the run
    as many times its time.
    """
    began_s = monotonic_s()
    store = _shown(store)
    chosen = _profile(profile, operation_s, test_s, size, seeds)
    wanted = wanted_rows(only)
    try:
        known = None if baseline is None else read_baseline(baseline)
    except ValueError as error:
        raise BadUsage(str(error)) from None
    limits = limits_of(directory, memory)
    seen = described(store, chosen.deadlines, directory, limits=limits)
    claims = _with_required(claims_from_json(seen["claims"]), require)
    names = {requirement.partition("=")[0] for requirement in require}
    numbers = {
        "--size": size,
        "--memory": None if memory is None else memory // MIB,
        "--operation-deadline": operation_s,
        "--test-deadline": test_s,
    }
    return Plan(
        store=store,
        claims=claims,
        declared=seen["declared"] or bool(names),
        capabilities=tuple(seen["capabilities"]),
        version=seen["version"],
        profile=chosen,
        seed=seed,
        only=wanted,
        asked=tuple(dict.fromkeys(name.upper() for name in only)),
        directory=directory,
        command=_command(called or [store], chosen.name, seed, require, numbers),
        seeds=seeds,
        not_representable=tuple(seen["not_representable"]),
        notes=tuple(seen["notes"]),
        baseline=known,
        described_s=monotonic_s() - began_s,
        limits=limits,
    )


def _with_required(claims: Claims, require: Sequence[str]) -> Claims:
    """The claims with those by which it is to be judged; raises BadUsage."""
    try:
        for requirement in require:
            claims = required(claims, requirement)
    except ValueError as error:
        raise BadUsage(f"--require {error}") from None
    return claims


def _shown(store: str) -> str:
    """The store's name; whatever is planned, no password is in it."""
    try:
        return shown(store) if is_on_server(store) else store
    except StoreNotFound as error:
        raise BadUsage(str(error)) from None


def _command(
    called: Sequence[str],
    profile: str,
    seed: int,
    require: Sequence[str],
    numbers: Mapping[str, float | None],
) -> str:
    """What brings about the same verdicts; ``numbers`` are options, None where not given."""
    words = ["sessionproof", "run", *called, "--seed", str(seed)]
    words += ["--profile", profile] if profile != DEFAULT_PROFILE else []
    for requirement in require:
        words += ["--require", requirement]
    for option, number in numbers.items():
        words += [] if number is None else [option, str(number)]
    return shlex.join(words)


def check_profile(name: str) -> None:
    """Raise BadUsage unless there is a profile of this name."""
    if name not in PROFILES:
        raise BadUsage(f"there is no profile {name!r}: use {', '.join(PROFILES)}")


def _profile(
    name: str, operation_s: float | None, test_s: float | None, size: int | None, seeds: int
) -> Profile:
    check_profile(name)
    chosen = PROFILES[name]
    deadlines = chosen.deadlines
    if size is not None:
        messages = tuple(round(size / part) for part in _PARTS)
        chosen = replace(chosen, messages=messages, patient=True)
        long_s = max(deadlines.test_s, size * _MESSAGE_MOST_S)
        run_s = max(deadlines.run_s, _TESTS_OF_SIZE * long_s)
        call_s = max(deadlines.operation_s, size * _READ_MOST_S)
        deadlines = replace(deadlines, operation_s=call_s, test_s=long_s, run_s=run_s)
    if operation_s is not None:
        deadlines = replace(deadlines, operation_s=operation_s, open_s=operation_s)
    if test_s is not None:
        deadlines = replace(deadlines, test_s=test_s)
    deadlines = replace(deadlines, run_s=deadlines.run_s * seeds)
    return replace(chosen, deadlines=deadlines)


def wanted_rows(only: Sequence[str]) -> tuple[str, ...]:
    """The ids that were named, each by itself or by its group; all when none was."""
    out: list[str] = []
    for name in only:
        matching = [row.id for row in GUARANTEES.values() if name.upper() in (row.id, row.group)]
        if not matching:
            groups = sorted({row.group for row in GUARANTEES.values()})
            raise BadUsage(
                f"there is no guarantee {name!r}: use an id such as CORE-01, "
                f"or a group ({', '.join(groups)})"
            )
        out += matching
    return tuple(out or GUARANTEES)


def described(
    store: str,
    deadlines: Deadlines,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    limits: Limits = NO_LIMITS,
) -> dict[str, Any]:
    """What a child process says of the store, as ``engine.describe`` has it; raises BadUsage.

    ``directory`` takes what the child writes. ``environment`` is the child's, where it is not to
    find the store as this process would.
    """
    if sys.platform == "win32":  # no process groups, no file descriptors handed on, no poll
        raise BadUsage("stores are judged on Linux and macOS: on Windows, run this in WSL")
    answer = directory / "described.json"
    ended, words = run_and_read(
        [sys.executable, "-m", "sessionproof.engine.describe", store, str(answer),
         str(deadlines.open_s), str(deadlines.operation_s), str(limits.memory), str(limits.file)],
        environment=child_environment() if environment is None else environment,
        folder=None,
        until_s=monotonic_s() + _START_S + 3 * deadlines.open_s,
        stop=threading.Event(),
        grace_s=0,
        directory=directory,
    )  # fmt: skip
    code, printed = None if ended.why else ended.code, words.strip().splitlines()
    if not answer.exists():
        raise BadUsage(f"{store} cannot be opened: {_ending(code, printed)}")
    seen: dict[str, Any] = json.loads(answer.read_text("utf-8"))
    if "refused" in seen:
        raise BadUsage(seen["refused"])
    return seen


def child_environment() -> dict[str, str]:
    """The environment of a process that runs a store: our import path, none of pytest's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == NAMESPACE
        or (not name.startswith(("PYTEST_", "SESSIONPROOF_")) and name != "PYTHONWARNINGS")
    }
    paths = [path for path in sys.path if path]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _ending(code: int | None, printed: Sequence[str]) -> str:
    if any(line.startswith("Timeout (") for line in printed):
        return "it did not open in time, and held the interpreter's lock"
    last = f"; its last line: {printed[-1][:300]}" if printed else ""
    if code is None:
        return f"the process that opened it did not end in time{last}"
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"the process that opened it {how}{last}"
