"""The session manager: names for sessions, facts of them, and lives that end by themselves.

``SessionManager`` has the eighteen calls of ``contract.managing``, over the reference store;
``Store`` is both as one store under test.
"""

from sessionproof.reference.managing.manager import SessionManager
from sessionproof.reference.managing.store import Store

__all__ = ["SessionManager", "Store"]
