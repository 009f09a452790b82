"""What a store answers, awaited where it is an awaitable. Nothing here but the standard library."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any


async def settled(value: Any) -> Any:
    """The value, or what it comes to."""
    return await value if inspect.isawaitable(value) else value


def waited(value: Any, wait: Callable[[Awaitable[Any]], Any]) -> Any:
    """The same outside of a loop; ``wait`` runs an awaitable to its end."""
    return wait(value) if inspect.isawaitable(value) else value
