"""What goes between a database and a file: one session with its messages, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.lifetime import STATUSES
from sessionproof.contract.message import Json, Message, json_problem
from sessionproof.reference.codec import MOST

TEXTS = ("tag", "status", "owner", "title", "llm_model")
NUMBERS = (
    "next_seq", "created_at_us", "last_activity_us", "idle_timeout_us", "hard_deadline_us",
    "warn_us",
)  # fmt: skip
FACTS = (*TEXTS, *NUMBERS, "metadata")
"""The columns of ``sessions`` that go along, beside ``session_id``; counters are computed."""

TIME_MOST_US = 2**62 - 1
"""No time and no limit is larger: both together must not leave 64 bits."""

_LEAST = {"next_seq": 1, "idle_timeout_us": 1, "warn_us": 0}


@dataclass(frozen=True, slots=True)
class Item:
    """A message as its client gave it, with its number and the time of its append if it has one."""

    message: Message
    seq: int | None = None
    appended_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session and its messages, which can be iterated once.

    ``session_id`` is None where a file names none. ``facts`` are those of ``FACTS`` that are not
    None, as ``checked_facts`` answers them, ``metadata`` as a value. ``count`` is how many messages
    the file says there are.
    """

    session_id: str | None
    messages: Iterable[Item]
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Json] = field(default_factory=dict)
    count: int | None = None


@dataclass(slots=True)
class Tally:
    """How much went through, and what the other side has no place for, with how often."""

    sessions: int = 0
    messages: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    told: Callable[[str], None] = lambda _: None

    def leave_out(self, what: str) -> None:
        """Count something that the other side has no place for."""
        self.left_out[what] = self.left_out.get(what, 0) + 1

    def counted(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """The same conversations, counted while they are iterated."""
        for one in conversations:
            self.sessions += 1
            self.told(f"session {self.sessions:,}")
            yield Conversation(
                one.session_id, self._items(one.messages), one.facts, one.state, one.count
            )

    def _items(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self.messages += 1
            yield item


def checked_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are not None; raises ``Refused`` for one that no session may have."""
    known = {name: value for name, value in given.items() if value is not None}
    for name, value in known.items():
        if name not in FACTS:
            raise Refused(f"a session has no field {name!r}")
        if name in TEXTS and type(value) is not str:
            raise Refused(f"{name} must be a string, not {type(value).__name__}")
        least, most = _LEAST.get(name, -TIME_MOST_US), MOST if name == "next_seq" else TIME_MOST_US
        if name in NUMBERS and (type(value) is not int or not least <= value <= most):
            raise Refused(f"{name} must be an integer from {least} to {most}")
    if known.get("status", STATUSES[0]) not in STATUSES:
        raise Refused(f"status must be one of {', '.join(STATUSES)}, not {known['status']!r}")
    metadata = known.get("metadata", {})
    if type(metadata) is not dict or json_problem(metadata):
        raise Refused("metadata of a session must be a JSON object")
    return known
