"""Test and verification harness for LLM chat-session stores.

These are the names that an adapter needs, and ``SessionStoreSuite`` for a user's own tests;
everything else lives in the rooms below.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import (
    Conflict,
    Expired,
    Indefinite,
    NotFound,
    NotRepresentable,
    Refused,
    TooLarge,
)
from sessionproof.contract.health import Health, HealthCheck
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.searching import Hit
from sessionproof.contract.snapshots import SnapshotInfo
from sessionproof.contract.store import SessionStore, SqliteTables
from sessionproof.contract.transactions import Step
from sessionproof.contract.upkeep import Migrated, Recovered, Repaired, Verified

if TYPE_CHECKING:
    from sessionproof_suites.subclass import SessionStoreSuite as SessionStoreSuite

__version__ = "0.1.0.dev0"

__all__ = [
    "Claims", "Conflict", "Expired", "Health", "HealthCheck", "Hit", "Indefinite", "Json",
    "Limits", "Location", "Message", "Migrated", "NotFound", "NotRepresentable", "Page",
    "Receipt", "Recovered", "Refused", "Repaired", "SessionInfo", "SessionStore", "SnapshotInfo",
    "SqliteTables", "Step", "Swept", "TooLarge", "Verified", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # What needs pytest is imported when it is asked for: adapters import this module, too.
    if name == "SessionStoreSuite":
        return importlib.import_module("sessionproof_suites.subclass").SessionStoreSuite
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
