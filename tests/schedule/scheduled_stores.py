"""Small stores for controlled schedules: correct ones, which must show nothing, and broken ones.

Each takes a location; ``handles`` of a class says how clients share it: a handle each
(``threads``) or one for all (``shared``).
"""

from __future__ import annotations

from typing import Any

from scheduled_broken import (
    Counter,
    CreateRace,
    DoubleRetry,
    EarlyWriter,
    MaxPlusOne,
    MemoryCounter,
    PlainJson,
    Renumber,
    SharedHandle,
    StaleCache,
    TornJson,
)
from scheduled_correct import (
    Executor,
    FlockJson,
    Immediate,
    ImmediateWal,
    Json,
    LockedMemory,
    NoPool,
    OneStatement,
    PoolByThread,
    Pooled,
    PoolOfOne,
    Shared,
    Writer,
)

CORRECT: dict[str, Any] = {
    one.__name__: one
    for one in (
        Immediate, ImmediateWal, OneStatement, Shared, Json, FlockJson, Writer, Pooled, PoolOfOne,
        NoPool, PoolByThread, Executor, LockedMemory,
    )
}  # fmt: skip
BROKEN: dict[str, Any] = {
    one.__name__: one
    for one in (
        Counter, MaxPlusOne, SharedHandle, PlainJson, TornJson, StaleCache, EarlyWriter,
        DoubleRetry, CreateRace, Renumber,
    )
}  # fmt: skip
BY_LINES: dict[str, Any] = {MemoryCounter.__name__: MemoryCounter}
"""Broken where no call lies between: points of lines show it."""
