"""What clients say: messages whose texts are made of their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.history.tokens import text_of, tokens_of
from sessionproof.workload.texts import said

_ONE_TIME_US = 1_767_225_600_000_000  # 2026-01-01, for all messages


@dataclass(frozen=True)
class Speech:
    """How ids become messages. ``counted`` says that they have tokens, which the store keeps."""

    sample: Message
    counted: bool

    def messages(self, first: int, number: int) -> list[Message]:
        """So many messages, whose ids follow each other."""
        return [self._message(at) for at in range(first, first + number)]

    def _message(self, number: int) -> Message:
        message = said(self.sample, text_of(number), at_us=self.sample.created_at_us)
        return replace(message, tokens=tokens_of(number)) if self.counted else message


def speech(samples: Sequence[Message], claims: Claims) -> Speech:
    """Messages like the first sample.

    In stores ordered by time all have the same one, so that they stay in the order of appends:
    with times of its own, what one client sends late would belong before what others have read.
    """
    timed = claims.order == "timestamp" and "created_at_us" in claims.keeps
    sample = replace(samples[0], created_at_us=_ONE_TIME_US) if timed else samples[0]
    return Speech(sample, "tokens" in claims.keeps and sample.kind != "tool_call")
