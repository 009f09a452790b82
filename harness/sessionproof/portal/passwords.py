"""Passwords: kept as Argon2 hashes, and checked in the same time whoever asks.

Hashing takes memory and some ten milliseconds on purpose, so it is never done while a lock of the
database is held.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sessionproof.contract.errors import Refused
from sessionproof.portal.values import storable

PASSWORD_MOST = 1_024
"""Most characters of a password: a longer one only costs time."""


class Passwords:
    """Makes and checks hashes; what they cost is the hasher's matter, Argon2's own advice if none.

    Hashes of before are accepted whatever their cost was, and are to be made anew (``is_old``).
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()

    def hashed(self, password: str) -> str:
        """A new hash, with a salt of its own; raises ``Refused`` for what is no password."""
        if type(password) is not str or not password:
            raise Refused("a password must be a text that is not empty")
        if len(password) > PASSWORD_MOST:
            raise Refused(f"a password has at most {PASSWORD_MOST} characters")
        return self._hasher.hash(storable(password, "a password"))

    def fits(self, kept: str | None, password: object) -> bool:
        """Whether this is the password of the hash; None fits none, and takes the same time."""
        plain = password if type(password) is str and len(password) <= PASSWORD_MOST else ""
        given = plain.encode("utf-8", "surrogatepass")
        if kept is None:
            self._hasher.hash(given)
            return False
        try:
            return self._hasher.verify(kept, given)
        except (VerificationError, InvalidHashError):
            return False

    def is_old(self, kept: str) -> bool:
        """Whether the hash was made at another cost than new ones are."""
        return self._hasher.check_needs_rehash(kept)
