"""Messages found by their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sessionproof.contract.message import Message


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, its session, and the text around the words, if the store has it."""

    session_id: str
    message: Message
    snippet: str | None = None


class Searches(Protocol):
    """Messages can be found by their words."""

    def search(self, query: str, *, limit: int = 100) -> Sequence[Hit]:
        """At most ``limit`` messages whose text has all words of the query, each once.

        The query is a user's text: whatever it is, it is no error. One without a word finds
        nothing. The case of letters does not count, and punctuation around a word does not hide it.
        """
        ...
