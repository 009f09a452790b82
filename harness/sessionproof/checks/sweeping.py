"""What sweeps may tell that ran beside the use of sessions, and beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Used:
    """An acknowledged activity of a session, with its times on a clock that never steps."""

    session: str
    began_ns: int
    ended_ns: int


@dataclass(frozen=True)
class Told:
    """What a sweep that ran within these times answered."""

    warned: Sequence[str]
    expired: Sequence[str]
    began_ns: int
    ended_ns: int


def ended_in_use(
    used: Iterable[Used], told: Iterable[Told], *, limit_ns: float
) -> tuple[Used, Told] | None:
    """A use and a sweep that ended its session, both of which cannot be right; None if all can.

    Whichever came first: behind the sweep the use had to be refused, and behind the use the limit
    had not run out when the sweep had answered. A use that began later is not this one's business.
    """
    for sweep in told:
        ended = set(sweep.expired)
        for use in used:
            beside = use.began_ns < sweep.ended_ns < use.began_ns + limit_ns
            if use.session in ended and beside:
                return use, sweep
    return None


def told_again(told: Iterable[Told]) -> Mapping[str, tuple[int, int]]:
    """How often sweeps warned of a session and expired it, of those that came more than once."""
    warned, expired = Counter[str](), Counter[str]()
    for sweep in told:
        warned.update(sweep.warned)
        expired.update(sweep.expired)
    often = sorted(name for name in {*warned, *expired} if max(warned[name], expired[name]) > 1)
    return {name: (warned[name], expired[name]) for name in often}


def never_told(told: Iterable[Told], sessions: Collection[str]) -> list[str]:
    """Those of the sessions that no sweep expired."""
    expired = {name for sweep in told for name in sweep.expired}
    return [name for name in sessions if name not in expired]
