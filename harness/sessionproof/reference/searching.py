"""Search over messages and titles: methods of ``ReferenceStore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionproof.contract.errors import Refused
from sessionproof.contract.searching import Hit

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore


def search(store: ReferenceStore, query: str, *, limit: int = 100) -> list[Hit]:
    """."""
    raise Refused("not yet")
