"""One result of a look: its sentence for people, its numbers for programs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sessionproof.contract.errors import StoreError
from sessionproof.contract.health import Health, HealthCheck, Severity
from sessionproof.reference.failures import ERRORS, is_damage, one_line

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Number:
    """A measured value, as a metric has it: in seconds, bytes or pieces, with labels."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Vital:
    """One result: ``name`` stays the same from look to look."""

    name: str
    severity: Severity
    text: str
    numbers: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one look at the database in ``file``."""

    file: str
    vitals: tuple[Vital, ...]

    @property
    def health(self) -> Health:
        """Without the numbers."""
        return Health(tuple(HealthCheck(one.name, one.severity, one.text) for one in self.vitals))


Look = Callable[[], "Vital | Iterable[Vital]"]


def looked(name: str, look: Look) -> tuple[Vital, ...]:
    """What a look answers; where SQLite cannot read the file, that it is so."""
    try:
        found = look()
        return (found,) if isinstance(found, Vital) else tuple(found)
    except StoreError as error:
        return (Vital(name, "unknown", f"could not be looked at: {error}"),)
    except ERRORS as error:
        damaged = is_damage(error)
        text = "the file is damaged" if damaged else "could not be looked at"
        return (Vital(name, "critical" if damaged else "unknown", one_line(f"{text}: {error}")),)


def amount(size_bytes: float) -> str:
    """A size for people."""
    if abs(size_bytes) >= MEGABYTE / 10:
        return f"{size_bytes / MEGABYTE:,.1f} MB"
    return f"{size_bytes / 1_000:,.0f} kB"


def number_in(db: sqlite3.Connection, sql: str) -> int:
    """The one number that a statement answers; 0 for NULL."""
    return int(db.execute(sql).fetchone()[0] or 0)
