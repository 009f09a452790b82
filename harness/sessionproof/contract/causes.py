"""Why an operation costs what it costs: what it does, counted, and where its time goes.

Counts are exact for the same store, data and libraries, so a change of one is a change of the
store. They say nothing of time; the profile does, by sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StatementCost:
    """A statement as SQLite was given it, without bound values and white space in excess.

    ``times`` a call, and the ``steps`` of SQLite's machine a call for all of them together.
    """

    text: str
    times: float
    steps: float


@dataclass(frozen=True, kw_only=True)
class FunctionCost:
    """A function as ``module:name``, and its own share of the samples, 0 to 1.

    What it calls that is not written in Python counts as its own: a statement, a hash.
    """

    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Causes:
    """What one operation does, a call.

    On average over ``calls`` calls: ``steps`` of SQLite's machine, the ``statements`` with the
    dearest first, and ``connections`` that are opened. Of the middle one of some calls, as now and
    then one tidies up for many: ``bytes_written`` to files and ``syncs``, ``instructions`` of the
    processor in user mode. ``functions`` are those where the sampled time was spent, the largest
    share first, out of ``samples``. Each is None where it could not be had, and then ``missing``
    has the reason in a sentence, by the field's name.
    """

    operation: str
    calls: int
    steps: float | None = None
    statements: tuple[StatementCost, ...] | None = None
    connections: float | None = None
    bytes_written: float | None = None
    syncs: float | None = None
    instructions: float | None = None
    functions: tuple[FunctionCost, ...] | None = None
    samples: int | None = None
    missing: Mapping[str, str] | None = None
