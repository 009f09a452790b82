"""What the crashes of one recording showed under one model, and how that is kept in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import Recording
from sessionproof.trials.crashes.survival_main import state_from_json, state_to_json


@dataclass(frozen=True)
class Wrong:
    """A state that the store did not survive."""

    state: State
    flaws: tuple[Flaw, ...]


@dataclass(frozen=True)
class Look:
    """What the states of one recording showed under one model.

    ``existing`` counts the distinct states, ``points`` those that were judged behind each change.
    ``why`` says why none was, empty if they were; ``seen`` what was read otherwise before any.
    """

    model: str
    existing: int = 0
    points: Mapping[int, int] = field(default_factory=dict)
    wrong: tuple[Wrong, ...] = ()
    why: str = ""
    seen: str = ""

    @property
    def judged(self) -> int:
        """How many states were judged."""
        return sum(self.points.values())


@dataclass(frozen=True)
class Explored:
    """One recording and its looks; None and ``why`` where nothing could be recorded.

    ``seen`` is what was read otherwise without a crash, where that is why.
    """

    recording: Recording | None
    looks: tuple[Look, ...] = ()
    why: str = ""
    seen: str = ""


def keep(look: Look, path: Path) -> None:
    """Write the look into a file, whole or not at all."""
    value = {
        "model": look.model,
        "existing": look.existing,
        "points": [*look.points.items()],
        "wrong": [
            [state_to_json(wrong.state), [asdict(flaw) for flaw in wrong.flaws]]
            for wrong in look.wrong
        ],
        "why": look.why,
        "seen": look.seen,
    }
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(value), "utf-8")
    beside.rename(path)


def kept(path: Path) -> Look:
    """The look that a file has."""
    value = json.loads(path.read_text("utf-8"))
    wrong = tuple(
        Wrong(state_from_json(state), tuple(map(_flaw, flaws))) for state, flaws in value["wrong"]
    )
    points = {int(point): int(number) for point, number in value["points"]}
    return Look(value["model"], value["existing"], points, wrong, value["why"], value["seen"])


def _flaw(value: Mapping[str, Any]) -> Flaw:
    return Flaw(**{**value, "anomaly": Anomaly(value["anomaly"])})
