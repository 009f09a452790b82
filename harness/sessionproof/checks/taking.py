"""What clients may be given that take the newest messages of one session back at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A session's end, by the texts of its messages.

    ``sent`` were acknowledged, of ``maybe`` nobody knows. ``given`` were answered to those who
    took messages back, and ``unknown`` is how many of them got no answer that says what was done.
    ``there`` is what can be read when all is quiet.
    """

    sent: Collection[str]
    maybe: Collection[str]
    given: Sequence[str]
    unknown: int
    there: Collection[str]


def wrong_with(end: Taken) -> str:
    """What no order of the calls explains, in a sentence; empty for nothing."""
    again = [(text, often) for text, often in Counter(end.given).items() if often > 1]
    if again:
        text, often = again[0]
        return f"{text!r} was given to {often} callers"
    for text in end.given:
        if text not in end.sent and text not in end.maybe:
            return f"{text!r} was given to a caller, and was never sent to the session"
        if text in end.there:
            return f"{text!r} was given to a caller, and can still be read"
    gone = [text for text in end.sent if text not in end.there and text not in end.given]
    if len(gone) > end.unknown:
        are = "message is" if len(gone) == 1 else "messages are"
        return (
            f"{len(gone)} {are} gone, the first of them {gone[0]!r}, and at most {end.unknown} "
            "of them were taken by calls that failed"
        )
    return ""
