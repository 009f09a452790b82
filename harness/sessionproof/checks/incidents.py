"""What a check of a history says: incidents, how much it examined, and what it could not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sessionproof.contract.anomalies import Anomaly

Level = Literal["linearizable", "session", "none"]


@dataclass(frozen=True)
class Incident:
    """One break of one session.

    ``rows`` are places in ``History.rows``: first the operations that cannot all be right (two,
    or one that is wrong by itself), then the reads that fix their positions. ``sentence`` says why
    they contradict each other, for people. ``ids`` are the messages that it is about. ``flagged``
    counts the operations that the same cause makes wrong: they are not incidents of their own.
    """

    anomaly: Anomaly
    session: int
    rows: tuple[int, ...]
    sentence: str
    ids: tuple[int, ...] = ()
    flagged: int = 1


@dataclass(frozen=True)
class Judged:
    """``examined`` counts by unit ("operations", "reads", "appends", "sessions", "messages", …).

    ``unknown`` are reasons why parts could not be judged. ``level`` is the strongest that held:
    "session" when only real time between clients is violated, "none" beyond that.
    """

    incidents: tuple[Incident, ...] = ()
    examined: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    level: Level = "linearizable"
