"""What a comparison of two versions of a store answers, and its form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from sessionproof.bench.tracking.archived import Commit
from sessionproof.contract.causes import Causes
from sessionproof.contract.decoding import decoded
from sessionproof.contract.measurements import Ratio

SCHEMA = 1

ComparisonVerdict: TypeAlias = Literal["slower", "faster", "same", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two versions, to be started: ``store`` by its name, found along ``path``.

    ``asked`` is how it was named, as in "v1.2" or "installed". ``path`` are folders that come
    before all others on the import path of its process; ``commit`` is what it stands at.
    """

    asked: str
    store: str
    path: tuple[str, ...] = ()
    commit: Commit | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One of the two versions, as it said of itself when it ran.

    ``version`` is the store's own, ``sessionproof`` and ``sqlite`` are those of its process.
    Empty where it never came to say it.
    """

    asked: str
    store: str
    commit: Commit | None = None
    version: str | None = None
    sessionproof: str = ""
    sqlite: str = ""


@dataclass(frozen=True, kw_only=True)
class PairOfCosts:
    """What one pair of fresh processes measured of an operation, in the same rounds.

    Nanoseconds a call in each round, ``base`` and ``head`` at the same place in the same round.
    ``batch`` calls of each made a round.
    """

    batch: int
    base: tuple[int, ...]
    head: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One operation of both versions.

    ``ratio`` is head's cost as a multiple of base's, with a 99 % interval over pairs of processes;
    its ``rounds`` were calm, in the pairs that count. None when too few pairs could be used.
    ``base_us`` and ``head_us`` are medians of the calm rounds, None where nothing was measured.
    ``warning`` is a sentence on what is shown and does not fail, ``reason`` why it is undecided;
    both empty otherwise. ``note`` says in a few words what head works on. ``causes`` are those of
    base and of head.
    """

    operation: str
    verdict: ComparisonVerdict
    ratio: Ratio | None
    base_us: float | None
    head_us: float | None
    pairs: tuple[PairOfCosts, ...]
    reason: str = ""
    warning: str = ""
    note: str = ""
    causes: tuple[Causes, Causes] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Head beside base: a row for each operation that both have, in the order of the table.

    ``left_out`` has the operations that were not compared, with the reason in a sentence.
    ``problem`` is why not all was compared, in one line; empty when all was. ``interrupted``
    says that somebody ended it. ``command`` repeats it. ``seconds`` is what measuring took.
    ``warning`` is a sentence on the sides, or empty.
    """

    base: Version
    head: Version
    profile: str
    seed: int
    started_at: str
    seconds: float
    machine: Mapping[str, str]
    rows: tuple[Compared, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    interrupted: bool = False
    command: str = ""
    warning: str = ""

    def named(self, verdict: ComparisonVerdict) -> tuple[str, ...]:
        """The operations with this verdict."""
        return tuple(row.operation for row in self.rows if row.verdict == verdict)


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values, with the number of their schema."""
    return {"schema": SCHEMA, **asdict(comparison)}


def comparison_from_json(value: Mapping[str, Any]) -> Comparison:
    """The inverse of ``comparison_to_json`` after a way through JSON; ValueError if it is not."""
    if value.get("schema") != SCHEMA:
        raise ValueError(f"schema {value.get('schema')!r}, and this version reads {SCHEMA}")
    return decoded(Comparison, dict(value))
