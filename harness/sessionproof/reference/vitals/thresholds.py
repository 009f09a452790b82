"""From where on something is a warning, and from where on it is critical."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from sessionproof.contract.health import Severity


@dataclass(frozen=True, slots=True)
class Limit:
    """Both are reached by their own value."""

    warning: float
    critical: float

    def __post_init__(self) -> None:
        if not 0 <= self.warning <= self.critical:
            raise ValueError(f"a warning comes before what is critical: {self}")

    def of(self, value: float) -> Severity:
        """How bad the value is."""
        if value >= self.critical:
            return "critical"
        return "warning" if value >= self.warning else "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Numbers of rows and sessions, megabytes, milliseconds, parts of a pool, days.

    One wrong counter is a warning: triggers keep them, so none is wrong by chance.
    """

    orphans: Limit = Limit(1, 10)
    mismatches: Limit = Limit(1, 100)
    file_mb: Limit = Limit(1_000, 5_000)
    log_mb: Limit = Limit(100, 1_000)
    average_ms: Limit = Limit(100, 1_000)
    wait_ms: Limit = Limit(1_000, 10_000)
    pool_use: Limit = Limit(0.8, 0.95)
    full_within_days: float = 30
    """A file that grows so that it is critical within these days is a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Of a server: seconds, megabytes, and parts of what there is at most."""

    transaction_s: Limit = Limit(3_600, 14_400)
    idle_transaction_s: Limit = Limit(300, 3_600)
    transaction_ids: Limit = Limit(0.5, 0.8)
    connections: Limit = Limit(0.8, 0.95)
    dead_rows: Limit = Limit(0.3, 0.8)
    lag_mb: Limit = Limit(100, 1_000)
    slot_mb: Limit = Limit(1_000, 10_000)


def thresholds_of(given: Iterable[str]) -> Thresholds:
    """Thresholds by texts as ``file_mb=500,2000``; raises ``ValueError`` in one line."""
    limits: dict[str, Limit] = {}
    names = [one.name for one in fields(Thresholds) if isinstance(one.default, Limit)]
    for text in given:
        name, _, values = text.partition("=")
        if name not in names:
            raise ValueError(f"there is no limit {name!r}: use {', '.join(names)}")
        try:
            warning, critical = map(float, values.split(","))
        except ValueError:
            raise ValueError(f"{text!r} is not NAME=WARNING,CRITICAL with two numbers") from None
        limits[name] = Limit(warning, critical)
    return replace(Thresholds(), **limits)  # type: ignore[arg-type]
