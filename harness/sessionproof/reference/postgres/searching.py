"""To be written."""

from __future__ import annotations

from typing import Any


def search(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def search_sessions(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError
