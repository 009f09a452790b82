"""What callers pass, checked; and the errors that name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sessionproof.contract.errors import NotFound, Refused
from sessionproof.reference.codec import MOST, checked_json, checked_text


class Same:
    """The value of an argument that was not given: what is stored stays."""

    def __repr__(self) -> str:
        return "SAME"


SAME: Final = Same()


def facts(texts: Mapping[str, Any], metadata: object) -> dict[str, Any]:
    """The columns to set: texts that were checked, metadata as JSON text when it was given."""
    checked = {name: checked_text(value, name, optional=True) for name, value in texts.items()}
    if metadata is None:
        return checked | {"metadata": None}
    if metadata is not SAME:
        if type(metadata) is not dict:
            raise Refused(f"metadata must be a dict or None, not {type(metadata).__name__}")
        checked["metadata"] = checked_json(metadata, "metadata")
    return checked


def pairs_of(state: object) -> list[tuple[str, str]]:
    """Keys of a session's state with their values as JSON text; raises ``Refused``."""
    if not isinstance(state, Mapping):
        raise Refused(f"state must be a dict, not {type(state).__name__}")
    return [
        (checked_text(key, "key"), checked_json(value, "value")) for key, value in state.items()
    ]


def whole(value: object, what: str, *, least: int) -> int:
    """The value when it is an integer of at least so much; raises ``Refused``."""
    if type(value) is not int or not least <= value < MOST:
        raise Refused(f"{what} must be an integer of at least {least}")
    return value


def no_session(session_id: str) -> NotFound:
    """The error for a session that is not there."""
    return NotFound(f"there is no session {short(session_id)}")


def no_message(session_id: str, message_id: str) -> NotFound:
    """The error for a message that is not there."""
    return NotFound(f"session {short(session_id)} has no message {short(message_id)}")


def short(text: str) -> str:
    """The text for an error: quoted, escaped and cut."""
    shown = ascii(text)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
