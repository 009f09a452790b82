"""What a store raised, as an outcome: plain values, got without running the store's code."""

from __future__ import annotations

import traceback
from typing import Literal, cast

from sessionproof.contract.errors import Refused
from sessionproof.contract.frames import AT, frame_of
from sessionproof.contract.operations import CRASH, MALFORMED, Failure, Outcome
from sessionproof.host.client import (
    MalformedAnswer,
    ProcessEnded,
    ProtocolError,
    Unexpected,
    frame_told,
)

_NAME_MOST = 200  # characters
_TRACEBACK = vars(BaseException)["__traceback__"]


class CannotOpen(Exception):
    """The store did not open; the text is one line, ``evidence`` that of what was raised."""

    def __init__(self, text: str, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.evidence = {} if failure is None else dict(failure.evidence)

    def outcome(self, sort: Literal["fail", "info"] = "info") -> Outcome:
        """That it did not open, as an outcome of what was to be done."""
        return Outcome(sort, failure=Failure(CannotOpen.__name__, str(self), self.evidence))


def outcome_of(error: BaseException) -> Outcome:
    """The outcome of an operation that raised: ``fail`` for definite refusals, else ``info``."""
    # The error's own attributes may be the store's code: even its __class__ and __traceback__.
    sort: Literal["fail", "info"] = "fail" if issubclass(type(error), Refused) else "info"
    name = type.__getattribute__(type(error), "__name__")[:_NAME_MOST]
    if issubclass(type(error), ProcessEnded):
        name = CRASH
    elif issubclass(type(error), MalformedAnswer | ProtocolError):
        name = MALFORMED
    elif issubclass(type(error), Unexpected):
        name = (cast(Unexpected, error).type or name)[:_NAME_MOST]
    frames = traceback.extract_tb(_TRACEBACK.__get__(error))[-8:]
    found = {
        AT: frame_told(error) or frame_of(error),
        "traceback": "".join(traceback.format_list(frames)),
    }
    evidence = {title: told for title, told in found.items() if told}
    return Outcome(sort, failure=Failure(name, _text(error), evidence))


def in_a_line(error: BaseException) -> str:
    """What a store raised, its type and its text, in one line."""
    failure = outcome_of(error).failure
    return failure.line if failure else ""


def _text(error: BaseException) -> str:
    try:
        told = error.said if type(error) is Unexpected else str(error)
        return str.__str__(told)[:4_000]
    except BaseException:  # noqa: BLE001 - hostile __str__
        return "(its text cannot be shown: __str__ raised)"
