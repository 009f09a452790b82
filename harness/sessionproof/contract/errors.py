"""How a store says no. The class decides what the harness may conclude.

``Refused`` and its children are definite: nothing was stored. ``Indefinite`` and every exception
that is not listed here leave it open whether the operation took effect.
"""

from __future__ import annotations


class StoreError(Exception):
    """What a store raises on purpose."""


class Refused(StoreError):
    """Definite: the operation took no effect."""


class Conflict(Refused):
    """Somebody else was faster: read again, then retry. The harness does, with a bound."""


class NotFound(Refused):
    """There is no such session or message."""


class Expired(Refused):
    """The session has ended and takes no more messages."""


class TooLarge(Refused):
    """The content, the id or the batch is above the store's limit."""


class NotRepresentable(Refused):
    """The store has no way to express this message."""


class Indefinite(StoreError):
    """Open: the operation, or a part of it, may have taken effect."""


ERRORS: dict[str, type[StoreError]] = {
    error.__name__: error
    for error in (Refused, Conflict, NotFound, Expired, TooLarge, NotRepresentable, Indefinite)
}
