"""What a search found against what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import shown_text
from sessionproof.contract.searching import Hit

Stored: TypeAlias = Mapping[str, Sequence[Message]]
"""The messages of each session by its id, as they are read."""

Key: TypeAlias = "tuple[str, str]"
"""A session's id and a text."""


@dataclass(frozen=True, slots=True)
class Misfound:
    """What is wrong with what was found: expected and seen, as sentences."""

    anomaly: Anomaly
    expected: str
    seen: str


def misfound(hits: Sequence[Hit], stored: Stored, has: Callable[[str], bool]) -> Misfound | None:
    """The first thing wrong with hits that should be all stored messages whose text ``has`` it."""
    wrong = unstored(hits, stored)
    if wrong is not None:
        return wrong
    wanted = Counter(key for key in _keys(stored) if has(key[1]))
    seen = Counter(_key_of(hit.session_id, hit.message) for hit in hits)
    for session, text in seen - wanted:
        return Misfound(
            Anomaly.WRONG_ANSWER,
            "only messages that have all words of the query",
            f"found in session {shown_text(session)}: {shown_text(text)}",
        )
    for session, text in wanted - seen:
        return Misfound(
            Anomaly.LOST_MESSAGE,
            "every stored message that has all words of the query",
            f"not found in session {shown_text(session)}: {shown_text(text)}",
        )
    return None


def unstored(hits: Sequence[Hit], stored: Stored) -> Misfound | None:
    """The first hit that is no stored message, or is one that was a hit already."""
    left = Counter(_keys(stored))
    texts = {text for _, text in left}
    for hit in hits:
        session, text = key = _key_of(hit.session_id, hit.message)
        where = f"in session {shown_text(session)}: {shown_text(text)}"
        if key not in left:
            if text in texts:
                return Misfound(Anomaly.LEAK, "each message in its own session", f"found {where}")
            return Misfound(Anomaly.RESURRECTION, "what is stored now", f"found {where}")
        left[key] -= 1
        if left[key] < 0:
            return Misfound(Anomaly.DUPLICATE, "each hit once", f"found more than once {where}")
    return None


def _keys(stored: Stored) -> list[Key]:
    return [_key_of(name, one) for name, messages in stored.items() for one in messages]


def _key_of(session_id: str, message: Message) -> Key:
    return session_id, message.content if isinstance(message.content, str) else ""
