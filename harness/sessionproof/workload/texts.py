"""Texts of messages that fill a store: as long as it takes them, in messages that it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message


def text_bytes(claims: Claims, wanted: int) -> int:
    """How long texts are: as wanted, or as long as the store takes them."""
    limits = (claims.limits.content_bytes, claims.limits.batch_bytes)
    return min(wanted, *(limit for limit in limits if limit is not None), wanted)


def cut(pool: str, length: int) -> Iterator[str]:
    """Texts of this length out of a pool of ASCII; they begin to repeat after its length."""
    pool = pool * (1 + 2 * length // len(pool))
    for number in itertools.count():
        start = number * 37 % (len(pool) - length)
        yield pool[start : start + length]


def said(sample: Message, text: str, *, at_us: int | None = None) -> Message:
    """The sample with this text where its kind has one, and with a time."""
    if sample.kind == "tool_call":
        return replace(sample, arguments={"text": text}, created_at_us=at_us)
    return replace(sample, content=text, created_at_us=at_us)
