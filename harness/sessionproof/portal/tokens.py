"""Tokens of auth sessions: told once, kept as digests."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_token() -> str:
    """A token that nobody can guess, of 43 characters that need no escape in a URL."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """What is kept of a token: its SHA-256, by which it is found and from which it is not made.

    A token is random, so its digest needs no salt and no slow hash.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
