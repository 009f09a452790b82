"""A night as data: the slices that ran in it, one after the other, and what each of them said.

Each night is a JSON file of its own, ``night.schema.json`` says of which shape. All else that is
told of nights is made from these files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sessionproof.contract.verdicts import Verdict

SCHEMA_VERSION = 1
REPLAY, SPEED = "replay", "speed"
"""Parts of a night beside its areas: seeds that are tried once more, and the benchmark."""

State = Literal["judged", "cut short", "not opened", "not installed", "died", "not run"]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What one process of a night is asked: these guarantees of a store, with this seed.

    ``part`` is the name of an area, ``replay`` or ``speed``.
    """

    store: str
    part: str
    profile: str
    seed: int
    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A guarantee that a slice did not see hold: broken, or it could not tell.

    ``known`` is the reason that a baseline gives for the break, None where none does. ``accepted``
    says that the user takes "could not tell" for good. ``said`` is what was seen, or why it could
    not be told, in short; ``repeat`` the command that looks again.
    """

    id: str
    verdict: Verdict
    gated: bool = True
    known: str | None = None
    accepted: bool = False
    said: str = ""
    repeat: str = ""

    @property
    def is_break(self) -> bool:
        """Whether it is a break that counts: of what is claimed, and in no baseline."""
        return self.verdict is Verdict.BROKEN and self.gated and self.known is None

    @property
    def is_unsure(self) -> bool:
        """Whether it should have been told, and was not."""
        return self.verdict is Verdict.UNKNOWN and self.gated and not self.accepted


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A slice that ran: when it began (UTC, ISO 8601), how long it took, and what came of it.

    ``held`` are the guarantees that held, ``rows`` those that did not; what is in neither was not
    claimed, or was not come to. ``said`` is its verdict in a sentence, ``problem`` why there is
    none. ``stale`` are sentences on entries of the baseline that fail a run. ``report`` is the
    folder of its report below that of the nights, empty where it was not kept.
    """

    asked: Slice
    at: str
    seconds: float
    state: State
    exit_code: int
    said: str = ""
    problem: str = ""
    version: str | None = None
    held: tuple[str, ...] = ()
    rows: tuple[Seen, ...] = ()
    stale: tuple[str, ...] = ()
    report: str = ""


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night. ``seed`` rules all seeds of its areas; ``budget_s`` is the time that it may take.

    ``rows`` are the guarantees that were asked for, ``options`` what else each run was told.
    ``ended`` is False while it goes on, and stays so where it was interrupted.
    """

    started_at: str
    sessionproof: str
    machine: Mapping[str, str]
    stores: tuple[str, ...]
    profile: str
    seed: int
    budget_s: float
    rows: tuple[str, ...]
    options: tuple[str, ...] = ()
    ran: tuple[Ran, ...] = field(default=())
    ended: bool = False

    @property
    def name(self) -> str:
        """Its name, which is its file's: ``2026-01-05T031700Z``."""
        return self.started_at[:19].replace(":", "") + "Z"

    @property
    def day(self) -> str:
        """The day on which it began, as ``2026-01-05``."""
        return self.started_at[:10]

    @property
    def spent_s(self) -> float:
        """The seconds that its slices took."""
        return sum(one.seconds for one in self.ran)

    def of(self, store: str) -> tuple[Ran, ...]:
        """The slices of a store, in the order in which they ran."""
        return tuple(one for one in self.ran if one.asked.store == store)

    def version(self, store: str) -> str | None:
        """The version of a store, as its last slice that knows it says."""
        return next((one.version for one in reversed(self.of(store)) if one.version), None)


def seen_of(ran: Iterable[Ran], row: str) -> list[tuple[Ran, Seen]]:
    """What the slices said of a guarantee that they did not see hold."""
    return [(one, seen) for one in ran for seen in one.rows if seen.id == row]
