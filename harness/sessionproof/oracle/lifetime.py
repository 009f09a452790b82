"""When a session ends: the model of limits on a clock that may step, or be known roughly only.

Times are spans, as a store without a clock of its own is asked at some moment between the call and
its answer. On a clock that stands, both ends of a span are equal. What the contract leaves open is
left open here, too: a session whose end the clock has shown once, and shows no longer, may have
ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sessionproof.contract.claims import Claims

Word: TypeAlias = Literal["takes", "may", "refuses"]


@dataclass(frozen=True, slots=True)
class Span:
    """A time in microseconds, not before ``earliest`` and not after ``latest``."""

    earliest: int
    latest: int

    def later(self, by_us: int) -> Span:
        """So much later."""
        return Span(self.earliest + by_us, self.latest + by_us)


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one session's end.

    ``active`` is its last activity; ``hard`` the end by its hard limit. ``past``: the clock has
    shown its end, ``asked``: and something was asked of it then. ``ended``: a sweep came after its
    end. ``told``: a sweep has told its end. ``warned``: so since its last activity, and
    ``warned_of`` is the end of which it was warned last. ``known`` is False where nothing can be
    said any more, or yet: ``unset`` until the first limits are set, as those of a new session are
    the store's own.
    """

    active: Span
    idle_us: int | None = None
    hard: Span | None = None
    past: bool = False
    asked: bool = False
    ended: bool = False
    told: bool = False
    warned: bool = False
    warned_of: Span | None = None
    known: bool = True
    unset: bool = False

    @property
    def end(self) -> Span | None:
        """The earlier of both limits; None without any. At this time it has run out."""
        ends = [self.active.later(self.idle_us)] if self.idle_us is not None else []
        ends += [self.hard] if self.hard is not None else []
        if not ends:
            return None
        return Span(min(one.earliest for one in ends), min(one.latest for one in ends))


def is_due(life: Life, now: Span) -> Literal["no", "maybe", "yes"]:
    """Whether the clock shows the session's end, or later."""
    end = life.end
    if end is None:
        return "no"
    if now.earliest >= end.latest:
        return "yes"
    return "maybe" if life.past or now.latest >= end.earliest else "no"


def takes(life: Life, now: Span, claims: Claims) -> Word:
    """Whether a message must be taken now, must be refused, or may be either."""
    if not life.known:
        return "may"
    if life.ended:
        return "refuses"
    due = is_due(life, now)
    if due == "yes" and claims.expires == "at_once":
        return "refuses"
    return "takes" if due == "no" else "may"


def shown(life: Life, now: Span) -> Life:
    """The clock shows this time."""
    return replace(life, past=True) if is_due(life, now) != "no" else life


def acted(life: Life, now: Span, *, certain: bool) -> Life:
    """Activity; ``certain`` is False where nobody knows whether it was any.

    On a clock that has stepped back, a store may keep the later time or take the earlier one.
    """
    latest = max(life.active.latest, now.latest)
    if not certain:
        earliest = min(life.active.earliest, now.earliest)
        maybe = replace(life, active=Span(earliest, latest), asked=True, warned=False)
        return replace(maybe, warned_of=maybe.end)
    active = Span(now.earliest, latest)
    alive = replace(life, active=active, past=False, asked=False, told=False, warned=False)
    return shown(alive, now)


def limited(life: Life, now: Span, *, idle_us: int | None, hard_us: int | None) -> Life:
    """Limits are set, which is activity."""
    hard = None if hard_us is None else now.later(hard_us)
    return acted(replace(life, idle_us=idle_us, hard=hard), now, certain=True)


def swept(life: Life, now: Span, *, warned: bool, expired: bool) -> Life:
    """A sweep came, and told this of the session."""
    if warned:
        life = replace(life, warned=True, warned_of=life.end)
    ended = life.ended or expired or is_due(life, now) == "yes"
    return replace(life, ended=ended, told=life.told or expired)
