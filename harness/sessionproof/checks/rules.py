"""What a fault broke, where it was not the oracle's word: enough for a script to show it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class SameAs:
    """A read answers the messages that the read at ``index`` of the transcript answered."""

    index: int


@dataclass(frozen=True, slots=True)
class Without:
    """A read answers no message of this text."""

    text: str


@dataclass(frozen=True, slots=True)
class IdsOf:
    """A read ends with the message ids of the receipt at ``index`` of the transcript."""

    index: int


@dataclass(frozen=True, slots=True)
class OneManner:
    """An operation that is asked twice in a row answers twice, or raises the same error twice."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """An append's numbers rise from ``first``: exactly from it or at least, without gap or not."""

    first: int
    exact: bool
    gapless: bool


@dataclass(frozen=True, slots=True)
class Asserts:
    """What these lines of Python assert, after the last operation; ``first`` precede them all."""

    lines: tuple[str, ...]
    first: tuple[str, ...] = ()


Rule: TypeAlias = SameAs | Without | IdsOf | OneManner | Numbers | Asserts


def asserts_none(problems: str) -> Asserts:
    """That this expression answers no problem."""
    return Asserts((f"problems = {problems}", "assert not problems, problems"))
