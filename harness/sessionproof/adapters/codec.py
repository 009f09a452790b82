"""What every pair of ``encode`` and ``decode`` owes: nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sessionproof.contract.errors import NotRepresentable
from sessionproof.contract.message import MESSAGE_FIELDS, Message

Item = TypeVar("Item")


def exact(message: Message, item: Item, decode: Callable[[Item], Message]) -> Item:
    """``item``, when it decodes to ``message`` again.

    Raises NotRepresentable that names every field for which the store has no place.
    """
    back = decode(item)
    lost = [name for name in MESSAGE_FIELDS if getattr(back, name) != getattr(message, name)]
    if lost:
        raise NotRepresentable(f"a {message.kind} has no place for its {', '.join(lost)}")
    return item


def no_place(message: Message) -> NotRepresentable:
    """The refusal of a message whose kind, role or shape the store does not have."""
    content = type(message.content).__name__
    return NotRepresentable(
        f"no item for a {message.kind} of role {message.role!r} with a content of type {content}"
    )
