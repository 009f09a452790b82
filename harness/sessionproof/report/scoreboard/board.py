"""A scoreboard as data: for each store what its run said, in short.

``scoreboard.json`` and a JSON file for each store are this module's values; all else is made from
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from sessionproof.contract.verdicts import Verdict

SCHEMA_VERSION = 1

Kind = Literal["third-party", "ours", "other"]
State = Literal["judged", "cut short", "not opened", "not installed", "died", "not run"]


class Standing(StrEnum):
    """What a board shows of a guarantee, the worst first.

    ``BROKEN`` is for what a script of its own showed once more, without the harness.
    """

    BROKEN = "broken"
    UNCONFIRMED = "broken, not confirmed"
    UNKNOWN = "could not tell"
    HOLDS = "holds"
    NOT_CLAIMED = "not claimed"
    NOT_RUN = "not run"


SYMBOLS: Mapping[Standing, str] = {
    Standing.BROKEN: "✗",
    Standing.UNCONFIRMED: "!",
    Standing.UNKNOWN: "?",
    Standing.HOLDS: "✓",
    Standing.NOT_CLAIMED: "–",
    Standing.NOT_RUN: "·",
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One finding: what was done, what should have come, what came.

    ``repeats`` is how often its program failed when it was run again, as ``3 of 3``. ``fails`` says
    whether its script failed when it was run alone, None where there is none or it was not run;
    ``said`` is the last that it said, ``script`` its text, empty where it is too long to be kept.
    """

    anomaly: str
    meaning: str
    did: str
    expected: str
    seen: str
    program: tuple[str, ...] = ()
    repeats: str | None = None
    fails: bool | None = None
    said: str = ""
    script: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a run said of a guarantee. ``confirmed`` of its ``findings`` failed in their scripts.

    ``example`` is the first of those, else the first of all.
    """

    id: str
    verdict: Verdict
    gated: bool = True
    reason: str = ""
    examined: int = 0
    unit: str = ""
    findings: int = 0
    confirmed: int = 0
    example: Example | None = None

    @property
    def group(self) -> str:
        """The part of the id before the dash."""
        return self.id.partition("-")[0]

    @property
    def standing(self) -> Standing:
        """What the board shows. What is not claimed cannot be broken, nor hold."""
        if self.verdict is Verdict.NOT_RUN:
            return Standing.NOT_RUN
        if self.verdict is Verdict.NOT_CLAIMED or not self.gated:
            return Standing.NOT_CLAIMED
        if self.verdict is Verdict.BROKEN:
            return Standing.BROKEN if self.confirmed else Standing.UNCONFIRMED
        return Standing.HOLDS if self.verdict is Verdict.HOLDS else Standing.UNKNOWN

    @property
    def remark(self) -> str:
        """What was seen though nothing is claimed; most often nothing."""
        if self.standing is not Standing.NOT_CLAIMED:
            return ""
        if self.findings:
            return "seen broken"
        return "seen to hold" if self.verdict is Verdict.HOLDS else ""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an operation costs as a multiple of what raw SQLite needs, with its 99 % interval."""

    operation: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A store and what its run said; without ``rows`` where nothing was judged.

    ``problem`` is a sentence where the ``state`` is not judged. ``package`` is the distribution
    that has the store, ``packages`` are all that it needs, with the versions that it was run with;
    ``isolated``: in an environment of its own. ``command`` runs it once more. ``claims`` are
    declared by its adapter, or were probed where ``claims_declared`` is False. ``running_s`` and
    ``installing_s`` are seconds, ``started_at`` is UTC, ISO 8601.
    """

    name: str
    kind: Kind
    state: State
    problem: str = ""
    command: str = ""
    package: str = ""
    version: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = False
    python: str = ""
    sqlite: str = ""
    sessionproof: str = ""
    claims: Mapping[str, Any] | None = None
    claims_declared: bool = True
    capabilities: tuple[str, ...] = ()
    not_representable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    costs: tuple[Cost, ...] = ()
    started_at: str = ""
    running_s: float = 0.0
    installing_s: float = 0.0

    def of(self, *standings: Standing) -> tuple[Row, ...]:
        """The rows that stand so, in the order of the registry."""
        return tuple(row for row in self.rows if row.standing in standings)

    def counted(self, group: str | None = None) -> dict[Standing, int]:
        """How many rows of a group, or of all, stand how: the worst first, none that are none."""
        number = Counter(row.standing for row in self.rows if group in (None, row.group))
        return {standing: number[standing] for standing in Standing if number[standing]}

    def cost(self, operation: str) -> Cost | None:
        """What an operation costs, where that was measured."""
        return next((one for one in self.costs if one.operation == operation), None)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a guarantee promises, and an example of what a break does to a user's chat.

    ``claim`` is what a store must claim to be judged by it; where it is empty, every store that has
    the calls owes it.
    """

    promise: str
    damage: str
    claim: str = ""


@dataclass(frozen=True, kw_only=True)
class Board:
    """All stores of one command, by name. ``promises`` are the guarantees in the registry's order.

    ``groups`` say what each group is about. ``interrupted``: the command was ended by its user.
    """

    made_at: str
    sessionproof: str
    profile: str
    seed: int
    jobs: int
    duration_s: float
    machine: Mapping[str, str]
    groups: Mapping[str, str]
    promises: Mapping[str, Promise]
    entries: tuple[Entry, ...]
    interrupted: bool = False

    @property
    def day(self) -> str:
        """The day on which it was made, as ``2026-01-05``."""
        return self.made_at.partition("T")[0]
