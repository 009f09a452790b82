"""What single values of old rows mean. Nothing raises: what cannot be read says why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from sessionproof.contract.message import Json, Message, json_problem
from sessionproof.reference.codec import ROLES
from sessionproof.reference.legacy.times import to_us

MOST_AMOUNT = 2**53
"""The largest amount that is believed; sums of more would not be whole numbers of SQLite."""

STATES = frozenset({"active", "idle", "paused", "archived", "expired"})
_OTHER_ROLES = {"function": "tool"}
_OTHER_STATES = {"deleted": "archived"}  # a chat that was only marked as deleted is kept


@dataclass(frozen=True, slots=True)
class Manner:
    """How to read what a file leaves open.

    ``zone`` is that of times without one. ``roles`` maps words of the file to roles.
    """

    zone: tzinfo = UTC
    roles: Mapping[str, str] = field(default_factory=dict)


class Unusable(Exception):
    """The row cannot become a message; the text says why, after "its"."""


@dataclass(slots=True)
class Reading:
    """The values of one row, with a word for each that was not taken as it is."""

    manner: Manner
    corrected: list[str] = field(default_factory=list)

    def text(self, value: object, what: str) -> str | None:
        """A text or None; numbers as they are written."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                self._left_out(what, "is no text")
                return None
        return str(value)

    def time_us(self, value: object, what: str, *, least: int | None = None) -> int | None:
        """Microseconds since 1970, or None."""
        found = to_us(value, self.manner.zone)
        if value is not None and (found is None or (least is not None and found < least)):
            self._left_out(what, "is no time that can be read")
            return None
        return found

    def amount(self, value: object, what: str, *, times: int = 1) -> int | None:
        """A whole number of at least 0, or None; ``times`` turns seconds into microseconds."""
        if value is None:
            return None
        if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
            whole = value * times
            if (times > 1 or whole == int(whole)) and whole <= MOST_AMOUNT:
                return round(whole)
        self._left_out(what, "is no amount")
        return None

    def json_object(self, value: object, what: str) -> dict[str, Json] | None:
        """An object, or None; the JSON text ``null`` is None, too."""
        if value is None:
            return None
        try:
            text = value.decode() if isinstance(value, bytes) else value
            read: Any = json.loads(text) if isinstance(text, str) else text
        except (ValueError, RecursionError):
            self._left_out(what, "is no JSON")
            return None
        if read is None:
            return None
        if not isinstance(read, dict):
            self._left_out(what, "is no JSON object")
            return None
        if _storable(read):
            return read
        self._left_out(what, "is no JSON")
        return None

    def status(self, value: object) -> str:
        """A state that sessions may have; ``active`` for what is unknown."""
        word = value.strip().lower() if isinstance(value, str) else value
        if word is None or word in STATES:
            if word is not None and word != value:
                self.corrected.append("status is written otherwise")
            return str(word or "active")
        other = _OTHER_STATES.get(str(word))
        if other is None:
            self.corrected.append("status is not known: the session is active")
        else:
            self.corrected.append(f"status was {word}: the session is {other}")
        return other or "active"

    def role(self, value: object) -> str | None:
        """A role that messages may have; raises Unusable."""
        if value is None:
            return None
        given = self.manner.roles.get(str(value))
        if given is not None:
            return given
        word = str(value).strip().lower()
        known = _OTHER_ROLES.get(word, word)
        if known not in ROLES:
            raise Unusable("role is not known")
        if known != value:
            self.corrected.append("role is written otherwise")
        return known

    def content(self, value: object) -> str | None:
        """The text of a message; raises Unusable."""
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise Unusable("content is no text") from None
        return value if value is None or isinstance(value, str) else str(value)

    def _left_out(self, what: str, why: str) -> None:
        self.corrected.append(f"{what} {why}: left out")


def message_of(row: Mapping[str, Any], reading: Reading, *, always: str | None) -> Message:
    """The message of a row of ``reading.py``; raises Unusable."""
    return Message(
        always or reading.role(row["role"]),
        reading.content(row["content"]),
        id=reading.text(row["message_id"], "id"),
        tokens=reading.amount(row["tokens"], "token count"),
        duration_us=reading.amount(row["duration_s"], "duration", times=1_000_000),
        created_at_us=reading.time_us(row["time"], "time", least=0),
        metadata=reading.json_object(row["metadata"], "metadata"),
    )


def _storable(value: object) -> bool:
    try:
        return json_problem(value) is None
    except RecursionError:
        return False
