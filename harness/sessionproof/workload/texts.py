"""Texts of messages that fill a store: as long as it takes them, in messages that it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message

ZEROS = "0" * 10
"""A text that is a number, and nothing else."""


def text_bytes(claims: Claims, wanted: int) -> int:
    """How long texts are: as wanted, or as long as the store takes them."""
    limits = (claims.limits.content_bytes, claims.limits.batch_bytes)
    return min(wanted, *(limit for limit in limits if limit is not None), wanted)


def cut(pool: str, length: int, numbers: Iterable[int] | None = None) -> Iterator[str]:
    """Texts of this length out of a pool of ASCII, each with its number: no two are equal.

    Numbers count from 0 unless they are given.
    """
    pool = pool * (1 + 2 * length // len(pool))
    for number in itertools.count() if numbers is None else numbers:
        start = number * 37 % (len(pool) - length)
        yield with_number(pool[start : start + length], number)


def with_number(text: str, number: int) -> str:
    """The text with a number in the place of its end: it stays as long, and each is another.

    A store that keeps equal messages once would otherwise be measured at doing nothing. Of a text
    with fewer characters than the number has digits, the number's last digits are left.
    """
    digits = min(len(text), len(ZEROS))
    return f"{text[:-digits]}{number % 10**digits:0{digits}}" if digits else text


def said(sample: Message, text: str, *, at_us: int | None = None) -> Message:
    """The sample with this text where its kind has one, and with a time."""
    if sample.kind == "tool_call":
        return replace(sample, arguments={"text": text}, created_at_us=at_us)
    return replace(sample, content=text, created_at_us=at_us)
