"""Findings and verdicts: what a check says, and what a report says of a guarantee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.decoding import decoded
from sessionproof.contract.frames import AT
from sessionproof.contract.measurements import Measured


class Verdict(StrEnum):
    """A guarantee's verdict. ``UNKNOWN`` is shown as "could not tell", never as holding."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_CLAIMED = "not claimed"
    UNKNOWN = "unknown"
    NOT_RUN = "not run"

    @property
    def shown(self) -> str:
        """The words for people."""
        return "could not tell" if self is Verdict.UNKNOWN else str(self.value)


@dataclass(frozen=True, kw_only=True)
class Reproducer:
    """A script that shows a break without the harness, and what it did when it was run once.

    ``file`` is its path below the report's folder, empty when there is no script. ``fails`` is None
    when it was not run, or ended in another way. ``said`` is its last line, or why there is none.
    """

    file: str
    fails: bool | None = None
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a finding, for a picture of it.

    ``call`` is the store's method, ``session`` the session's name in the program (empty where it
    is about none), ``outcome`` is ok, fail or info. Labels stand for messages: ``sent`` for those
    that it gave, ``got`` for those that it answered, and ``want`` for those that it should have;
    None where it answers none, or where that is not known. ``said`` is any other answer, in short.
    """

    call: str
    session: str = ""
    outcome: str = "ok"
    sent: tuple[str, ...] = ()
    got: tuple[str, ...] | None = None
    want: tuple[str, ...] | None = None
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One operation of one client in a concurrent history.

    Times are microseconds since the first of its window; ``ended_us`` is None for an operation
    that never answered. ``outcome`` is ok, fail or info, ``said`` what it answered, in short.
    ``guilty`` are the operations that cannot all be right.
    """

    client: str
    call: str
    began_us: float
    ended_us: float | None
    outcome: str = "ok"
    said: str = ""
    guilty: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one read answered: labels of messages in order, and the places where it is wrong."""

    client: str
    call: str
    ended_us: float
    labels: tuple[str, ...] = ()
    wrong: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of a concurrent history around a break, for a picture of it.

    ``sentence`` says why the guilty operations contradict each other. ``reads`` are reads of the
    session beside each other, ``order`` the labels of the order that they should agree with.
    ``left_out`` counts operations of the session that are not in ``intervals``. ``history`` is
    the file that holds all of it, below the report's folder; empty where it was not kept.
    """

    session: str
    sentence: str
    intervals: tuple[Interval, ...]
    reads: tuple[Seen, ...] = ()
    order: tuple[str, ...] = ()
    left_out: int = 0
    history: str = ""


@dataclass(frozen=True, kw_only=True)
class FileStep:
    """One thing that the store did to its files, or an answer that it gave, in one order.

    ``at`` is its number among all of the recording. ``file`` names its lane: a path below the
    location, or ``client 1`` for an answer. ``kind`` is write, size, name, sync or answer; ``said``
    tells it in short, as in "4,096 bytes at 8,192" or "fsync". ``survived`` is what the crash left
    of it: yes, no, or torn; "after" for what came after the crash.
    """

    at: int
    file: str
    kind: str
    said: str
    survived: str = "yes"


@dataclass(frozen=True, kw_only=True)
class CrashWindow:
    """What was done to the files around a crash that a store did not survive.

    ``model`` is the crash model; the crash comes after the change number ``point``, of ``points``.
    ``sentence`` says what was left and why that is wrong. ``left_out`` counts steps of the
    recording that are not in ``steps``.
    """

    model: str
    point: int
    points: int
    sentence: str
    steps: tuple[FileStep, ...]
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class ScheduleStep:
    """What one client did while all others stood still.

    ``client`` names its column. ``kind`` is begin or end of an operation, step, stopped (held by
    the schedule in front of what is ``said``), or waits (it cannot go on by itself). ``operation``
    is the client's number and that of its operation among its own, from 1, as in 1.2; empty for
    what no client called. ``said`` tells it in short, ``detail`` whole where that is more.
    ``switched`` says that another client was at work before, ``times`` how many steps it stands
    for, ``matters`` that others could notice it.
    """

    client: str
    kind: str
    said: str
    operation: str = ""
    detail: str = ""
    switched: bool = False
    matters: bool = False
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class ScheduleTable:
    """An execution under a controlled schedule, one step after the other.

    ``before`` are the calls that came first, alone, ``after`` what was there when all was quiet.
    ``sentence`` says what is wrong with it. Messages have letters. ``interruptions`` is how often a
    client was stopped that could have gone on. ``lines`` says that clients could be stopped between
    any two lines of the store, ``controlled`` that nobody waited where it is not seen.
    """

    clients: tuple[str, ...]
    steps: tuple[ScheduleStep, ...]
    sentence: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    interruptions: int = 0
    lines: bool = False
    controlled: bool = True


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One break, with its evidence.

    ``did``, ``expected`` and ``seen`` are sentences for people. ``program`` is the smallest
    program that shows it: one Python call on the store a line, in order, the last line being the
    one that went wrong; with a ``window``, what each client was asked to do, of which no line is
    the last. ``repeat`` is the command that runs it again. ``repeats`` says how often
    the program failed when it was run again, as in "3 of 3". ``evidence`` holds raw material by
    name: a stack, what a process wrote to stderr, ``at`` which line of the store it raised.
    ``script`` is the same as ``program`` in lines of
    Python that run: they open a ``store`` by ``open_store(location)``, fail as long as it is
    broken, and close it. Empty where it cannot be shown so. ``reproducer`` is the file that was
    made of it. ``steps`` are the operations with what came of them; empty where they were not
    recorded. ``window`` is the part of a concurrent history that shows it, if there was one;
    ``crash`` what was done to the files around a crash; ``schedule`` the controlled execution.
    ``change`` is the one change of one field that explains all that came back otherwise, as in
    "metadata: None became {}"; empty where there is no such.
    """

    anomaly: Anomaly
    did: str
    expected: str
    seen: str
    program: tuple[str, ...] = ()
    repeats: str | None = None
    repeat: str | None = None
    evidence: dict[str, str] = field(default_factory=dict)
    script: tuple[str, ...] = ()
    reproducer: Reproducer | None = None
    steps: tuple[Step, ...] = ()
    window: Window | None = None
    crash: CrashWindow | None = None
    schedule: ScheduleTable | None = None
    change: str = ""

    @property
    def at(self) -> str:
        """The line of the store that raised, as of its evidence; empty where none is known."""
        return self.evidence.get(AT, "")

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of its pictures that say more than ``expected`` and ``seen`` do."""
        pictures = (picture for picture in (self.window, self.crash) if picture is not None)
        return tuple(
            one.sentence
            for one in pictures
            if one.sentence != self.seen
            and not (self.expected in one.sentence and self.seen in one.sentence)
        )


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one test says of its guarantee. ``examined`` counts in the guarantee's unit.

    ``gated`` is False when the store declared no claims and the row needs one: then the verdict
    is what was seen, and decides nothing. ``measured`` is what was measured on the way, whatever
    the verdict. ``seed`` is the one of several seeds that the test was run with; None where the
    run has one.
    """

    guarantee: str
    test: str
    verdict: Verdict
    reason: str = ""
    examined: int = 0
    duration_s: float = 0.0
    gated: bool = True
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()
    seed: int | None = None


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as JSON values, as workers send and write them."""
    return asdict(record)


def record_from_json(value: Mapping[str, Any]) -> Record:
    """The inverse of ``record_to_json`` after a way through JSON; raises ValueError."""
    return decoded(Record, value)
