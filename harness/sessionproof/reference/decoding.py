"""Rows as they are answered; what cannot be read is an error that names it, and never a guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, TypeVar

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Json, Message, SessionInfo
from sessionproof.reference.codec import decode, from_json_text, from_value
from sessionproof.reference.failures import DAMAGED
from sessionproof.reference.statements import COUNTERS

T = TypeVar("T")

UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError)
"""What decoding raises for values that no store of ours wrote."""


def decode_all(rows: Sequence[Sequence[Any]], path: PathLike[str] | str) -> list[Message]:
    """The messages of rows of ``READ``; raises ``Refused`` that names the first unreadable one."""
    try:
        return [decode(row) for row in rows]
    except UNREADABLE as error:
        place = next(place for place, row in enumerate(rows) if not _can_be_read(row))
        raise damaged(path, f"message {place + 1} of those asked for", error) from error


def decode_info(session_id: str, row: Sequence[Any], path: PathLike[str] | str) -> SessionInfo:
    """The session of a row of ``GET``; raises ``Refused``."""
    *counters, status, owner, title, llm_model, metadata = row
    return readable(
        lambda: SessionInfo(
            session_id=session_id,
            **dict(zip(COUNTERS, counters, strict=True)),
            status=status,
            owner=from_value(owner),
            title=from_value(title),
            llm_model=from_value(llm_model),
            metadata=from_json_text(metadata),
        ),
        path,
        "what is kept of the session",
    )


def decode_state(text: Any, path: PathLike[str] | str) -> Json:
    """The value of a key; raises ``Refused``."""
    value: Json = readable(lambda: from_json_text(text), path, "the value of the key")
    return value


def decode_names(rows: Sequence[Sequence[Any]], path: PathLike[str] | str) -> list[str]:
    """The texts of rows of one column; raises ``Refused``."""
    return readable(lambda: [from_value(row[0]) for row in rows], path, "the id of a session")


def readable(work: Callable[[], T], path: PathLike[str] | str, what: str) -> T:
    """What ``work`` makes of a row; raises ``Refused`` that names what cannot be read."""
    try:
        return work()
    except UNREADABLE as error:
        raise damaged(path, what, error) from error


def _can_be_read(row: Sequence[Any]) -> bool:
    try:
        decode(row)
    except UNREADABLE:
        return False
    return True


def damaged(path: PathLike[str] | str, what: str, error: Exception) -> Refused:
    """The error for what cannot be read; ``error`` is what decoding raised."""
    return Refused(f"{path}: {what} cannot be read ({type(error).__name__}): {DAMAGED}")
