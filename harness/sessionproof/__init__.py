"""Test and verification harness for LLM chat-session stores.

These are the names that an adapter needs; everything else lives in the rooms below.
"""

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
from sessionproof.contract.location import Location
from sessionproof.contract.message import Json, Message, Page, Receipt, SessionInfo
from sessionproof.contract.store import SessionStore, SqliteTables

__version__ = "0.1.0.dev0"

__all__ = [
    "Claims", "Conflict", "Expired", "Indefinite", "Json", "Limits", "Location", "Message",
    "NotFound", "NotRepresentable", "Page", "Receipt", "Refused", "SessionInfo", "SessionStore",
    "SqliteTables", "TooLarge", "__version__",
]  # fmt: skip
