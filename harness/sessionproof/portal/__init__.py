"""A chat portal: users, their tokens, conversations and messages, on SQLite or PostgreSQL."""

from __future__ import annotations

from sessionproof.contract.lookup import MissingExtra

try:
    from sessionproof.portal.appending import NewMessage
    from sessionproof.portal.auth import Limits
    from sessionproof.portal.engine import PoolSize
    from sessionproof.portal.face import Portal
    from sessionproof.portal.models import AuthSession, Conversation, Message, User
    from sessionproof.portal.serving import portal_at
    from sessionproof.portal.store import PortalStore
except ModuleNotFoundError as error:
    if error.name not in ("sqlalchemy", "alembic", "argon2"):
        raise
    raise MissingExtra("the portal", "portal", error.name) from None

__all__ = [
    "AuthSession",
    "Conversation",
    "Limits",
    "Message",
    "NewMessage",
    "PoolSize",
    "Portal",
    "PortalStore",
    "User",
    "portal_at",
]
