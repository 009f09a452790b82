"""Two versions of a store compared: each is asked what it can do, then pairs of processes race.

No store runs in this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

from sessionproof.bench.arms.pairing import (
    BASE,
    HEAD,
    MESSAGES,
    CannotStart,
    Measured,
    PairPlan,
    measured_pair,
)
from sessionproof.bench.arms.remote import RemoteArm, Wanted, environment_of
from sessionproof.bench.operations import ROWS, rows_for
from sessionproof.bench.tracking.compared import Compared, Comparison, PairOfCosts, Side, Version
from sessionproof.bench.tracking.pairs import is_open, judged
from sessionproof.contract.claims import claims_from_json
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.folders import private_folder
from sessionproof.contract.seed import derive
from sessionproof.engine.machine import facts, fast_folder
from sessionproof.engine.plan import BadUsage, child_environment, described
from sessionproof.engine.sides import INSTALLED
from sessionproof.workload.conversation import ascii_words
from sessionproof.workload.profiles import PROFILES

_NO_PROMISES = {"sources", "costs", "limits"}  # claims that change nothing of what a call does
INTERRUPTED = "the comparison was interrupted"

Follow: TypeAlias = Callable[[int, int, str], None]
"""Is told how many steps are done, of how many, and what is measured now."""


@dataclass(frozen=True)
class Effort:
    """So many pairs of processes, twice as many where that does not tell, and rounds of each."""

    pairs: int
    rounds: int


EFFORTS = {"smoke": Effort(5, 50), "gate": Effort(8, 100), "deep": Effort(16, 200)}


@dataclass
class _Found:
    """What all pairs measured so far, by operation; ``facts`` by side."""

    costs: dict[str, list[PairOfCosts]]
    failures: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Mapping[str, str | None]] = field(default_factory=dict)

    def lacking(self, operations: Iterable[str], pairs: int) -> list[str]:
        """Those of the operations that have fewer pairs, and did not fail."""
        return [
            name
            for name in operations
            if name not in self.failures and len(self.costs[name]) < pairs
        ]

    def add(self, measured: Measured) -> None:
        """Take what one more pair measured."""
        for name, costs in measured.costs.items():
            self.costs[name].append(costs)
        self.failures |= measured.failures
        self.notes |= measured.notes
        self.facts |= measured.facts

    def row(self, operation: str) -> Compared:
        """What is said of an operation now."""
        row = judged(operation, self.costs[operation], note=self.notes.get(operation, ""))
        why = self.failures.get(operation)
        return row if why is None else replace(row, verdict="undecided", reason=why, warning="")


def compared(
    base: Side,
    head: Side,
    *,
    profile: str = "gate",
    seed: int,
    location: Path | None = None,
    only: Sequence[str] = (),
    effort: Effort | None = None,
    follow: Follow = lambda _done, _of, _now: None,
) -> Comparison:
    """Measure head beside base, and judge each operation that both have.

    Raises BadUsage for a store that does not open on one side. An interruption is told in the
    result once a pair was measured, and raised before.
    """
    asked = operations_asked(only)
    effort = effort or EFFORTS[profile]
    began_s, at = monotonic_s(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parent = location or fast_folder()
    with private_folder(parent) as folder:
        wanted = _wanted({BASE: base, HEAD: head}, profile, seed, folder)
        operations, left_out = _operations(wanted, asked, only)
        starts = {
            name: partial(RemoteArm, side, wanted[name], environment=child_environment())
            for name, side in ((BASE, base), (HEAD, head))
        }
        race = _Race(starts, operations, seed, folder, _plan(wanted, effort), follow)
        problem = race.run(effort.pairs)
        found = race.found
        machine = facts(folder)
    return Comparison(
        base=_version(base, found.facts.get(BASE, {})),
        head=_version(head, found.facts.get(HEAD, {})),
        profile=profile,
        seed=seed,
        started_at=at,
        seconds=monotonic_s() - began_s,
        machine=machine,
        rows=tuple(map(found.row, operations)),
        left_out=left_out,
        problem=problem,
        interrupted=problem == INTERRUPTED,
        warning="; ".join(filter(None, [_one_file(base, head, found.facts), _promises(wanted)])),
    )


class _Race:
    """All pairs of one comparison; ``found`` is what is known so far."""

    def __init__(
        self,
        starts: Mapping[str, Callable[..., RemoteArm]],
        operations: Sequence[str],
        seed: int,
        folder: Path,
        plan: PairPlan,
        follow: Follow,
    ) -> None:
        self.found = _Found({name: [] for name in operations})
        self._starts = starts
        self._operations = operations
        self._seed = seed
        self._folder = folder
        self._plan = plan
        self._follow = follow
        self._done = self._of = self._pairs = 0

    def run(self, pairs: int) -> str:
        """Measure so many pairs, then twice as many of what they left open; what ended it."""
        try:
            self._until(self._operations, pairs)
            rows = map(self.found.row, self._operations)
            self._until([row.operation for row in rows if is_open(row)], 2 * pairs)
        except CannotStart as failed:
            if not self._pairs:
                raise BadUsage(str(failed)) from None
            return str(failed)
        except KeyboardInterrupt:
            if not self._pairs:
                raise
            return INTERRUPTED
        return ""

    def _until(self, operations: Sequence[str], pairs: int) -> None:
        """Measure until each of the operations has so many pairs, or has failed."""
        self._of += sum(pairs - len(self.found.costs[name]) for name in operations)
        while lacking := self.found.lacking(operations, pairs):
            seed = derive(self._seed, "pair", self._pairs)
            hashes = seed % 2**32
            starts = {name: partial(one, hashes=hashes) for name, one in self._starts.items()}
            self.found.add(
                measured_pair(
                    starts, lacking, self._plan, seed=seed, parent=self._folder, done=self._step
                )
            )
            self._pairs += 1

    def _step(self, operation: str) -> None:
        self._done += 1
        self._follow(self._done, max(self._of, self._done), operation)


def _wanted(sides: Mapping[str, Side], profile: str, seed: int, folder: Path) -> dict[str, Wanted]:
    """What each side's arms are told, from a look at its store. Raises BadUsage."""

    def asked(name: str) -> dict[str, Any]:
        side, own = sides[name], Path(mkdtemp(prefix=f"{name}-", dir=folder))
        environment = environment_of(side, child_environment())
        try:
            return described(side.store, deadlines, own, environment)
        except BadUsage as error:
            raise BadUsage(f"{name} {side.asked}: {error}") from None

    deadlines = PROFILES[profile].deadlines
    with ThreadPoolExecutor(len(sides)) as pool:
        seen = dict(zip(sides, pool.map(asked, sides), strict=True))
    pool_of_words = ascii_words(derive(seed, "texts") % 2**32)
    return {
        name: Wanted(
            claims=one["claims"],
            capabilities=tuple(one["capabilities"]),
            pool=pool_of_words,
            open_s=deadlines.open_s,
            operation_s=deadlines.operation_s,
        )
        for name, one in seen.items()
    }


def operations_asked(only: Sequence[str]) -> list[str]:
    """The operations that are asked for, in the order of the table; all when none was named.

    Raises BadUsage for a name that is none.
    """
    names = [row.operation for row in ROWS]
    for name in only:
        if name not in names:
            raise BadUsage(f"there is no operation {name!r}: use {', '.join(names)}")
    return [name for name in names if not only or name in only]


def _operations(
    wanted: Mapping[str, Wanted], asked: Sequence[str], only: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Those of the operations that both have, and why others are left out. Raises BadUsage."""
    base, head = (
        {row.operation for row in rows_for(frozenset(wanted[name].capabilities))}
        for name in (BASE, HEAD)
    )
    both = [name for name in asked if name in base & head]
    left_out = {
        name: f"{BASE if name in base else HEAD} alone has it"
        for name in asked
        if name in base ^ head
    } | {name: "neither has it" for name in only if name not in base | head}
    if not both:
        raise BadUsage(f"base and head do not both have {' or '.join(asked)}: nothing to compare")
    return both, left_out


def _plan(wanted: Mapping[str, Wanted], effort: Effort) -> PairPlan:
    """As many messages as both keep."""
    kept = (claims_from_json(one.claims).limits.retention for one in wanted.values())
    return PairPlan(rounds=effort.rounds, messages=min([MESSAGES, *(one for one in kept if one)]))


def _one_file(base: Side, head: Side, said: Mapping[str, Mapping[str, str | None]]) -> str:
    """A sentence where two versions that were laid are found in one file: one may be missing."""
    files = {one.get("file") for one in said.values()}
    if len(files) != 1 or None in files or base.asked == head.asked == INSTALLED:
        return ""
    return (
        f"both sides found {base.store} in {files.pop()}, "
        "so that only what it imports can differ: is it part of what was laid?"
    )


def _promises(wanted: Mapping[str, Wanted]) -> str:
    """A sentence where head claims to do more or less than base, which has its price."""
    base, head = (wanted[name].claims for name in (BASE, HEAD))
    other = [
        f"{name} {_shown(head[name])} instead of {_shown(base[name])}"
        for name in sorted(base.keys() & head.keys() - _NO_PROMISES)
        if base[name] != head[name]
    ]
    return f"head claims {', '.join(other)}: what differs may be the price" if other else ""


def _shown(claim: object) -> str:
    return claim if isinstance(claim, str) else json.dumps(claim)


def _version(side: Side, said: Mapping[str, str | None]) -> Version:
    return Version(
        asked=side.asked,
        store=side.store,
        commit=side.commit,
        version=said.get("version"),
        sessionproof=said.get("sessionproof") or "",
        sqlite=said.get("sqlite") or "",
    )
