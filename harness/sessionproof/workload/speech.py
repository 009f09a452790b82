"""What clients say: messages whose texts are made of their ids."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.message import Message
from sessionproof.history.tokens import text_of, tokens_of
from sessionproof.workload.texts import said
from sessionproof.workload.vocabulary import takes_times


@dataclass(frozen=True)
class Speech:
    """How ids become messages. ``counted`` says that they have tokens, which the store keeps.

    ``timed`` says that they have times, which rise: the store orders by them.
    """

    sample: Message
    counted: bool
    timed: bool = False

    def messages(self, first: int, number: int) -> list[Message]:
        """So many messages, whose ids follow each other."""
        return [self._message(at) for at in range(first, first + number)]

    def _message(self, number: int) -> Message:
        at_us = _later_us() if self.timed else None
        message = said(self.sample, text_of(number), at_us=at_us)
        return replace(message, tokens=tokens_of(number)) if self.counted else message


def speech(samples: Sequence[Message], claims: Claims) -> Speech:
    """Messages like the first sample."""
    sample = samples[0]
    return Speech(
        sample,
        counted="tokens" in claims.keeps and sample.kind != "tool_call",
        timed=takes_times(claims),
    )


_CLOCK, _LOCK = SystemClock(), threading.Lock()
_last_us = 0


def _later_us() -> int:
    """The time of the clock, later than any that was given in this process."""
    global _last_us  # noqa: PLW0603 - one for all clients of the process
    with _LOCK:
        _last_us = max(_last_us + 1, _CLOCK.now_us())
        return _last_us
