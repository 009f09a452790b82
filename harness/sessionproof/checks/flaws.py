"""What is wrong after a crash, and what a store showed then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import CRASH, HANG, Failure, Outcome

Aspect = Literal[
    "open", "read", "messages", "sessions", "state", "counters", "numbers", "tables", "going on"
]
When = Literal["open", "read", "go on"]

NEWEST = 2
"""How many messages ``read_last`` is asked for."""

_UNTOLD = Failure("an error", "nothing is told of it")


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One thing that is wrong after a crash; ``expected`` and ``seen`` are sentences.

    ``when`` it showed: as the store was opened, as it was read, or as it went on. ``act`` is the
    place among the acts of the operation that it is about, ``method`` its method of the store:
    where it was in flight and is half done, or was acknowledged and is lost. ``lost`` says that
    what is there is whole, but of an earlier time: all that is wrong is that something is missing.
    ``change`` is as in ``Difference``.
    """

    anomaly: Anomaly
    aspect: Aspect
    expected: str
    seen: str
    when: When = "read"
    session: str = ""
    act: int | None = None
    method: str = ""
    lost: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a store answered, by the logical names of sessions, each as an outcome.

    ``reads`` has every session that was used. ``newest`` are the last ``NEWEST`` messages, as
    ``read_last`` answers them. ``states`` go by session and key. ``listed`` are
    logical names; ids that belong to none stand as they are.
    """

    reads: Mapping[str, Outcome]
    newest: Mapping[str, Outcome] = field(default_factory=dict)
    counts: Mapping[str, Outcome] = field(default_factory=dict)
    facts: Mapping[str, Outcome] = field(default_factory=dict)
    states: Mapping[tuple[str, str], Outcome] = field(default_factory=dict)
    listed: Outcome | None = None


def unreadable(name: str, outcome: Outcome, expected: int, *, when: When = "read") -> Flaw:
    """A session that could not be read although it has messages, or was made."""
    failure = outcome.failure or _UNTOLD
    named = {HANG: Anomaly.HANG, CRASH: Anomaly.CRASH}
    lost = Anomaly.LOST_MESSAGE if expected else Anomaly.LOST_SESSION
    gone = outcome.type == "fail" and failure.type == "NotFound"
    return Flaw(
        anomaly=lost if gone else named.get(failure.type, Anomaly.UNREADABLE),
        aspect="messages" if gone else "read",
        expected=f"{name} can be read: it has {many(expected)}",
        seen=told(failure),
        when=when,
        session=name,
        evidence=dict(failure.evidence),
    )


def told(failure: Failure) -> str:
    """How a call failed, in a sentence."""
    if failure.type in (HANG, CRASH):
        return failure.text
    return f"it raised {failure}"


def told_of(outcome: Outcome) -> str:
    """An outcome that is not ok, in a sentence."""
    return told(outcome.failure or _UNTOLD)


def many(count: int) -> str:
    """So many messages, in words."""
    return f"{count} message{'' if count == 1 else 's'}"
