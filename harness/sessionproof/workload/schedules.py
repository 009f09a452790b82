"""Timelines of sessions with limits: drawn, and laid out around the ends of the sessions.

What is drawn speaks of ends: go to a microsecond before it, to it, or a part of the way. Times are
made of that by the model, so that a shorter timeline still meets the ends of its sessions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hypothesis import strategies as st

from sessionproof.contract.claims import ACTIVITY, Claims
from sessionproof.oracle.lifetime import Life, Span, acted, limited, shown, takes
from sessionproof.workload.timelines import BEGIN, LIMITS, REOPEN, SWEEP, Step, Timeline

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

Strategy: TypeAlias = st.SearchStrategy[Timeline]

_PARTS = 8  # of a limit
_AFTER_US = 30 * DAY_US  # sessions without limits are looked at so long after all others
_HARD_MOST = 20  # steps on the way to a hard limit


@dataclass(frozen=True)
class Limited:
    """A session's limits, set so long after it began.

    ``refused`` are idle limits that are tried afterwards, and refused.
    """

    idle_us: int | None = None
    hard_us: int | None = None
    late_us: int = 0
    refused: tuple[int, ...] = ()


@dataclass(frozen=True)
class Move:
    """Go on in time, then call a method on a session.

    ``to`` is so many microseconds from the session's end; None: ``parts`` eighths of its limit,
    or ``by_us`` where that is given, backwards where it is negative.
    """

    method: str
    session: int = 0
    to: int | None = None
    parts: int = 0
    by_us: int | None = None


def emptied(claims: Claims) -> frozenset[str]:
    """Methods after which a session may be another one: a store may know it by its messages."""
    return frozenset({"clear", "replace"} if claims.writes == "replace" else {"clear"})


def methods(capabilities: Collection[str], claims: Claims) -> list[str]:
    """What can be asked of a session between its limits, the simplest first."""
    known = [name for name in sorted(ACTIVITY - {"append", "read", "search"} - emptied(claims))
             if name in capabilities]  # fmt: skip
    also = [SWEEP] if SWEEP in capabilities else []
    also += [REOPEN] if claims.at_least("durability", "process") else []
    return ["append", "read", *also, *known]


def timelines(
    limits: st.SearchStrategy[list[Limited]],
    moves: st.SearchStrategy[list[Move]],
    claims: Claims,
    capabilities: Collection[str],
) -> Strategy:
    """What is drawn as timelines, each brought to the ends of its sessions."""
    return st.builds(
        lambda given, went, offset, first: laid_out(
            given, went, claims, capabilities, offset=offset, sweep_first=first
        ),
        limits,
        moves,
        st.sampled_from((0, 0, 1)),
        st.booleans(),
    )


def laid_out(
    limits: Sequence[Limited],
    moves: Sequence[Move],
    claims: Claims,
    capabilities: Collection[str],
    *,
    offset: int = 0,
    sweep_first: bool = True,
) -> Timeline:
    """The steps at their times: sessions begun, the moves, then what shows each session's end.

    ``offset`` is how long after its end a session is looked at, ``sweep_first`` whether a sweep
    comes before a message then; it always does where sessions end by sweeps.
    """
    plan = _Plan(claims)
    for at, one in enumerate(limits):
        plan.begin(f"s{at}", one)
    for move in moves:
        plan.move(replace(move, session=move.session % len(limits)))
    sweeps = SWEEP in capabilities
    first = sweeps and (sweep_first or claims.expires == "by_sweep")
    plan.close(offset, before=first, after=sweeps and not first)
    return tuple(plan.steps)


class _Plan:
    """The steps so far, and the sessions' ends as the model knows them."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.steps: list[Step] = []
        self.lives: dict[str, Life] = {}
        self.given: dict[str, Limited] = {}
        self.now = 0

    def begin(self, name: str, given: Limited) -> None:
        """A session with its limits."""
        self.steps.append(Step(self.now, BEGIN, name))
        self.now += given.late_us
        self.steps.append(Step(self.now, LIMITS, name, given.idle_us, given.hard_us))
        self.steps += [Step(self.now, LIMITS, name, one) for one in given.refused]
        self.given[name] = given
        born = Life(self._span)
        self.lives[name] = limited(born, self._span, idle_us=given.idle_us, hard_us=given.hard_us)

    def move(self, move: Move) -> None:
        """One move; a session that is begun has the limits of the one that is named."""
        name = f"s{move.session}"
        life = self.lives[name]
        if move.by_us is not None:
            self.now += move.by_us
        elif move.to is None:
            limit = life.idle_us or (life.hard.latest - self.now if life.hard else SECOND_US)
            self.now += max(0, limit) * move.parts // _PARTS
        elif life.end is not None:
            self.now = max(self.now, life.end.latest + move.to)
        if move.method == BEGIN:
            self.begin(f"s{len(self.lives)}", self.given[name])
        else:
            self.ask(move.method, name)

    def ask(self, method: str, name: str) -> None:
        """A step now, and what it does to the sessions if all goes well."""
        about = "" if method in (SWEEP, REOPEN) else name
        self.steps.append(Step(self.now, method, about))
        counts = method.removesuffix("_with_state") in self.claims.activity
        for each, before in self.lives.items():
            life = shown(before, self._span)
            if each == name and counts and takes(life, self._span, self.claims) != "refuses":
                life = acted(life, self._span, certain=True)
            self.lives[each] = life

    def close(self, offset: int, *, before: bool, after: bool) -> None:
        """Each session a microsecond before its end, and so long after it; then those without."""
        alive = {name: life.idle_us is not None or life.hard is not None
                 for name, life in self.lives.items()}  # fmt: skip
        tries = dict.fromkeys(self.lives, 0)
        while True:
            waiting = [name for name, is_alive in alive.items() if is_alive]
            if not waiting:
                break
            name = min(waiting, key=lambda one: _end(self.lives[one]).latest)
            life, end = self.lives[name], _end(self.lives[name])
            last = tries[name] > 0 and (life.hard is None or self.now == end.latest - 1)
            if self.now >= end.latest or last or tries[name] > _HARD_MOST:
                self.now = max(self.now, end.latest + offset)
                alive[name] = False
                for method in [SWEEP] * before + ["append"] + [SWEEP] * after + ["read"]:
                    self.ask(method, name)
            else:
                self.now = max(self.now, end.latest - 1)
                tries[name] += 1
                for method in [SWEEP] * before + ["append"]:
                    self.ask(method, name)
        endless = [name for name, life in self.lives.items() if life.end is None]
        if endless:
            self.now += _AFTER_US
            for method in [SWEEP] * (before or after) + ["append"]:
                for name in endless:
                    self.ask(method, name)

    @property
    def _span(self) -> Span:
        return Span(self.now, self.now)


def _end(life: Life) -> Span:
    if life.end is None:
        raise ValueError("a session without limits has no end")
    return life.end


def limits_us(*values: int) -> st.SearchStrategy[int]:
    """One of these limits, or any between a microsecond and a day."""
    return st.one_of(st.sampled_from(values), st.integers(1, DAY_US))


def moves_of(
    names: Sequence[str], *, sessions: int, most: int, offsets: Sequence[int] = (-1, -1, -1, 0, 1)
) -> st.SearchStrategy[list[Move]]:
    """Moves of these methods, mostly within the limits of their sessions."""
    session, method = st.integers(0, sessions - 1), st.sampled_from(list(names))
    within = st.builds(Move, method, session, parts=st.integers(0, _PARTS - 1))
    at_end = st.builds(Move, method, session, to=st.sampled_from(list(offsets)))
    return st.lists(st.one_of(within, within, at_end), max_size=most)
