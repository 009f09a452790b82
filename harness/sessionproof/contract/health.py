"""What a store says of itself, and what it does for itself from time to time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Severity = Literal["ok", "warning", "critical", "unknown"]
SEVERITIES: tuple[Severity, ...] = ("ok", "warning", "critical", "unknown")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One result: its name, how bad it is, and a sentence that says what was seen.

    ``severity`` is ok, warning, critical or unknown.
    """

    name: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """All results of one look."""

    checks: tuple[HealthCheck, ...]

    @property
    def severity(self) -> Severity:
        """The worst that was seen; unknown only when nothing could be told."""
        seen = {check.severity for check in self.checks}
        return next((one for one in ("critical", "warning", "ok") if one in seen), "unknown")


class TellsHealth(Protocol):
    """The store says how it is."""

    def health(self) -> Health:
        """Look at data, settings and sizes; what is wrong is answered, and not raised."""
        ...


class Maintains(Protocol):
    """The store does its upkeep itself."""

    def maintain(self) -> Sequence[str]:
        """Do what is due now; answers the names of what was done."""
        ...
