"""To be written."""

from __future__ import annotations

from typing import Any


def backup(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def restore(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError
