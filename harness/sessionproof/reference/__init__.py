"""The reference store: chat sessions in one SQLite file, and the same behind ``async def``."""

from sessionproof.reference.aio import AsyncReferenceStore
from sessionproof.reference.chores.plan import Plan
from sessionproof.reference.maintenance import Maintenance
from sessionproof.reference.presets import PRESETS, Preset
from sessionproof.reference.store import ReferenceStore
from sessionproof.reference.timeouts import Timeouts

__all__ = [
    "PRESETS",
    "AsyncReferenceStore",
    "Maintenance",
    "Plan",
    "Preset",
    "ReferenceStore",
    "Timeouts",
]
