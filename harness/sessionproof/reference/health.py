"""What the reference store says of itself: a method of ``ReferenceStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.health import Health

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def health(store: ReferenceStore) -> Health:
    """."""
    raise Refused("not yet")
