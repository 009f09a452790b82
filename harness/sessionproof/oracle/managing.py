"""What a session manager must remember, obviously right; times are microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from sessionproof.contract.message import Json

EXACT_US = 1_000
"""How exactly ends are judged: a clock of milliseconds is good enough."""

Life: TypeAlias = Literal["alive", "over", "either"]


@dataclass(frozen=True, slots=True)
class Held:
    """A session as it must be. Its last access was not before ``since_us``, nor after ``until_us``.

    These differ where a clock stepped back, or where it cannot be told whether a call came in time.
    """

    session_id: str
    created_us: int
    since_us: int
    until_us: int
    limit_us: int
    facts: Mapping[str, Json] = field(default_factory=dict)
    messages: int = 0


@dataclass(frozen=True)
class World:
    """All sessions that are stored, by name, and what this manager counted since it was opened."""

    sessions: Mapping[str, Held] = field(default_factory=dict)
    created: int = 0
    deleted: int = 0
    expired: int = 0


def life_of(held: Held, now_us: int | None, step_us: int) -> Life:
    """Whether it is over at this time; None: no time worth speaking of has passed."""
    if now_us is None or now_us <= held.since_us + held.limit_us - EXACT_US:
        return "alive"
    over = now_us >= held.until_us + held.limit_us + step_us + EXACT_US
    return "over" if over else "either"


def lives(world: World, now_us: int | None, step_us: int) -> dict[str, Life]:
    """The same for each session, by name."""
    return {name: life_of(one, now_us, step_us) for name, one in world.sessions.items()}


def accessed(held: Held, now_us: int | None) -> Held:
    """After an access. Where the clock stands before the last one, either may count."""
    if now_us is None:
        return held
    behind = now_us < held.until_us
    return replace(held, since_us=min(held.since_us, now_us) if behind else now_us,
                   until_us=max(held.until_us, now_us))  # fmt: skip


def with_session(world: World, name: str, held: Held) -> World:
    """The world with this session as it is now."""
    return replace(world, sessions={**world.sessions, name: held})


def without(world: World, names: frozenset[str]) -> World:
    """The world without these sessions; nothing is counted."""
    left = {name: one for name, one in world.sessions.items() if name not in names}
    return replace(world, sessions=left)
