"""To be written."""

from __future__ import annotations

from typing import Any


class ShardedStore:
    """To be written."""

    def __init__(self, *given: Any, **named: Any) -> None:
        raise NotImplementedError
