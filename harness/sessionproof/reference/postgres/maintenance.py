"""To be written."""

from __future__ import annotations

from typing import Any


def maintain(*given: Any, **named: Any) -> Any:
    """To be written."""
    raise NotImplementedError
