"""What a test measured: plain values that travel with its record into the report.

Times are microseconds unless a name says otherwise. A time alone says nothing on a shared machine,
so each stands beside its floor: the same done by raw SQLite in the same rounds of the same process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

KEPT_UP = 0.95
"""The share of what is offered that a store does which keeps up with it."""

GrowthVerdict = Literal["flat", "grows", "linear", "superlinear", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The cost of one thing as a multiple of another, with a 99 % bootstrap interval.

    ``rounds`` were calm and are what it was made of; ``of`` were measured.
    """

    value: float
    low: float
    high: float
    rounds: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Percentiles of single calls in microseconds; ``calls`` is how many there were."""

    p50_us: float
    p95_us: float
    p99_us: float
    p999_us: float
    max_us: float
    calls: int


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One row of the performance table: an operation by so many clients at once.

    ``operation`` is the row's name, ``clients`` who calls, as in "10 threads". ``per_second`` is
    the throughput of all clients. ``floor`` says in a few words what ``ratio`` and ``floor_us``
    are measured against; all three are None where there is no floor. ``most`` is the ratio that
    the store claims not to exceed. ``samples`` holds the raw times: for each arm, nanoseconds per
    operation in each round, in the order of the rounds. ``note`` is a sentence, or empty.
    """

    operation: str
    clients: str
    latency: Latency
    per_second: float
    floor: str | None = None
    floor_us: float | None = None
    ratio: Ratio | None = None
    most: float | None = None
    samples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    note: str = ""
    kind: Literal["speed"] = "speed"


@dataclass(frozen=True, kw_only=True)
class Size:
    """One row of the performance table that is no time: ``value`` in ``unit``, as in "bytes".

    ``floor`` is what there must be at least, in the same unit, such as the bytes of the text alone.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    note: str = ""
    kind: Literal["size"] = "size"


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How the cost of an operation grows with the size of what it works on.

    ``along`` names what grows ("messages", "sessions"), ``sizes`` are the numbers of it, and the
    tuples beside it hold one value for each size. ``slope`` is the exponent over the largest three
    sizes, with its 99 % interval. ``factor`` is cost at the largest over cost at the smallest size.
    ``steps`` are instructions of SQLite's machine per call, exact, where they could be counted.
    ``limit`` says what growth this measurement cannot see.
    """

    operation: str
    along: str
    sizes: tuple[int, ...]
    cost_us: tuple[float, ...]
    floor_us: tuple[float, ...] | None
    slope: float
    low: float
    high: float
    verdict: GrowthVerdict
    rounds: int
    factor: float
    at_million_us: float
    steps: tuple[int, ...] | None = None
    limit: str = ""
    kind: Literal["growth"] = "growth"


@dataclass(frozen=True, kw_only=True)
class LoadPoint:
    """Latency while calls come at a rate of their own, counted from when each was due."""

    offered_per_s: float
    done_per_s: float
    latency: Latency


@dataclass(frozen=True, kw_only=True)
class Load:
    """Latency against offered rate (open loop), rates rising.

    ``knee_per_s`` is the highest offered rate that the store kept up with; None when it kept up
    with none. ``closed_per_s`` is what as many clients reach that each wait for their answer.
    """

    operation: str
    clients: str
    points: tuple[LoadPoint, ...]
    knee_per_s: float | None
    closed_per_s: float
    note: str = ""
    kind: Literal["load"] = "load"


@dataclass(frozen=True, kw_only=True)
class OfferedRate:
    """What came of calls that were due at so many a second for ``seconds``, answered or not.

    ``done_per_s`` counts those that were acknowledged in time. ``latency`` counts from when a call
    was due, also of one that was late or never begun; ``failed`` were refused, of ``unknown`` the
    outcome is not known and they are in no percentile, ``missed`` were not begun any more.
    """

    offered_per_s: float
    done_per_s: float
    seconds: float
    latency: Latency
    failed: int
    unknown: int
    missed: int

    @property
    def kept_up(self) -> bool:
        """Whether nearly all that was offered was done in time."""
        return self.done_per_s >= KEPT_UP * self.offered_per_s


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory while something is repeated: ``kept_bytes`` after each of ``calls`` calls.

    ``per_call`` is the growth in bytes for each further call, ``least`` what would show.
    """

    what: str
    calls: tuple[int, ...]
    kept_bytes: tuple[int, ...]
    per_call: float
    least: float
    note: str = ""
    kind: Literal["memory"] = "memory"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a workload, in microseconds since its first invocation."""

    name: str
    began_us: float
    ended_us: float


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What concurrent clients did over time, in buckets of ``bucket_us``.

    ``clients`` says who called, as in "4 processes". ``done`` counts the operations that ended in
    each bucket, ``failed`` those of them that were not ok; ``p50_us`` and ``p99_us`` are their
    latencies, None where none ended. ``overlapping`` of the ``operations`` ran at the same time as
    an operation of another client on the same session.
    """

    clients: str
    operations: int
    overlapping: int
    bucket_us: float
    done: tuple[int, ...]
    failed: tuple[int, ...]
    p50_us: tuple[float | None, ...]
    p99_us: tuple[float | None, ...]
    phases: tuple[Phase, ...] = ()
    note: str = ""
    kind: Literal["traffic"] = "traffic"


@dataclass(frozen=True, kw_only=True)
class CrashCell:
    """What the states of one crash point showed: ``worst`` names an anomaly, empty for none.

    ``point`` is the number of the change after which the crash came; ``said`` tells that change.
    ``bad`` of the ``judged`` states were wrong. ``acknowledged`` counts the operations that had
    been answered by then.
    """

    point: int
    said: str
    acknowledged: int
    judged: int
    bad: int
    worst: str = ""


@dataclass(frozen=True, kw_only=True)
class Crashes:
    """All crash points of one recording under one crash model.

    ``existing`` counts the distinct states that the model allows, ``judged`` those that were
    opened. ``claimed`` says whether what the store claims covers this model. ``by_anomaly`` counts
    states by what was wrong.
    """

    model: str
    clients: str
    existing: int
    judged: int
    claimed: bool
    cells: tuple[CrashCell, ...]
    by_anomaly: Mapping[str, int]
    note: str = ""
    kind: Literal["crashes"] = "crashes"


@dataclass(frozen=True, kw_only=True)
class DamagedPage:
    """A page of a file and what the damages there came to; ``page`` counts from 1.

    ``use`` says what the page holds, as in "leaf of messages", "index", "free", "log". Of the
    ``tried`` damages ``raised`` gave an error, ``found`` were served and found by the store's own
    check, ``harmless`` changed nothing that is served, and ``served`` passed for good data.
    """

    page: int
    use: str
    tried: int
    raised: int
    found: int
    harmless: int
    served: int


@dataclass(frozen=True, kw_only=True)
class DamageClass:
    """One class of damage over a whole file, counted as a ``DamagedPage`` is.

    ``owed`` says whether damage of this class that is served breaks a promise.
    """

    name: str
    tried: int
    raised: int
    found: int
    harmless: int
    served: int
    owed: bool


@dataclass(frozen=True, kw_only=True)
class Damages:
    """The map of a damaged file: ``file`` below the location, of ``pages`` pages in all.

    ``cells`` are the pages that were damaged, by rising number.
    """

    file: str
    page_bytes: int
    pages: int
    cells: tuple[DamagedPage, ...]
    classes: tuple[DamageClass, ...]
    note: str = ""
    kind: Literal["damages"] = "damages"


Measured: TypeAlias = Speed | Size | Growth | Load | Memory | Traffic | Crashes | Damages


def measured_to_json(value: Measured) -> dict[str, Any]:
    """The measurement as JSON values, with its ``kind``."""
    return asdict(value)
