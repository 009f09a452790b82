"""A load as plain data: what is asked for, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessionproof.contract.location import Location
from sessionproof.history.clocks import Bounds
from sessionproof.trials.offered_load import Answers
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.waves import Plot

SHARDS = 16
"""Of each file, so that a long history is judged part by part."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be done: until so many operations were made, or so many seconds are over.

    With ``rates`` so many operations a second are due, at one after the other for so many seconds.
    """

    store: str
    location: Location
    deadlines: Deadlines
    plot: Plot
    seconds: float
    operations: int | None = None
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Wave:
    """What was drawn: its sessions are numbered from ``first`` on in the whole history."""

    number: int
    turns: int
    first: int


@dataclass
class Submitted:
    """A slice that somebody was to carry out; ``attempt`` is the recorded one, -1 for none.

    ``wave`` is None for what appends nothing.
    """

    wave: Wave | None
    client: int
    submitted_ns: int
    attempt: int = -1


@dataclass(frozen=True)
class Part:
    """A file of the history, as it was timed by one clock, which is so far from ours.

    ``origins`` are those of the messages that were read (``slices.origins_of``).
    """

    path: Path
    wave: str
    boot: str
    bounds: Bounds
    origins: npt.NDArray[np.uint64]


@dataclass
class Recorded:
    """What came of a load. ``names`` are those of the sessions, ``parts`` the history's files.

    ``made`` are operations, without final reads, ``seconds`` the time that they took. ``hosts``
    names the machine of each boot. ``deaths`` are workers that were lost, ``given_up`` slices that
    nobody carried out. ``stopped`` is a hang or a crash of the store with its ``evidence``,
    ``unknown`` why it cannot be told whether all is right. ``rates`` is what came of offered ones.
    """

    slices: dict[int, Submitted] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    hosts: dict[str, str] = field(default_factory=dict)
    workers: Counter[str] = field(default_factory=Counter)
    made: int = 0
    seconds: float = 0.0
    waves: int = 0
    deaths: list[str] = field(default_factory=list)
    given_up: int = 0
    stopped: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    interrupted: bool = False
    rates: list[Answers] = field(default_factory=list)
    clients: int = 0
    """How many numbers of clients were given."""
