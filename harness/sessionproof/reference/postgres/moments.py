"""To be written."""

from __future__ import annotations

from typing import Any


def snapshot(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def restore_snapshot(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def remove_snapshot(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def snapshots(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError


def take(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError
