"""What a store may show after a crash: the worlds that its answers up to then leave possible.

With one client that is the world of all answered operations, and that with the one in flight. With
several, the order of operations that ran side by side is open as long as no answer tells it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations
from typing import TypeVar

from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Completed,
    Create,
    Operation,
    session_of,
)
from sessionproof.oracle.model import EMPTY, Session, World, Worlds, expect, step

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Act:
    """One operation of one client, and between which places of a recording it ran.

    ``asked`` is the place behind which it was asked for at the earliest, -1 for the beginning.
    ``answered`` is the place of its answer, None if it got none. ``order`` is empty, or the texts
    of its session in the order that was read when all that ran beside it had been answered.
    """

    client: int
    done: Completed
    asked: int
    answered: int | None
    order: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Survivable:
    """What may be there after a crash behind so many changes.

    ``worlds`` are all that is right. ``acknowledged`` are the worlds without the operations in
    flight, ``interrupted`` these operations and ``answered`` all others, as places among the acts.
    ``earlier`` are for each session what it has been before, latest first: what is one of these is
    whole, but not all that was acknowledged.
    """

    worlds: Worlds
    acknowledged: Worlds
    interrupted: tuple[int, ...]
    answered: tuple[int, ...]
    earlier: Mapping[str, tuple[Session | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Lived:
    """A world, and the unanswered operations that took effect in it.

    Those of ``early`` did so in part, or in a way that their answer would contradict: what they
    were only until a crash.
    """

    world: World
    effected: frozenset[int] = frozenset()
    early: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is known from a place on, until the next moment."""

    place: int
    lives: tuple[_Lived, ...]
    pending: tuple[int, ...]
    answered: tuple[int, ...]
    earlier: Mapping[str, tuple[Session | None, ...]]


class Timeline:
    """The worlds of one recording, for every point of it."""

    def __init__(self, acts: Sequence[Act], claims: Claims) -> None:
        self.acts = tuple(acts)
        self.claims = claims
        self._known: dict[int, Survivable] = {}

    @cached_property
    def sessions(self) -> tuple[str, ...]:
        """The logical names of all sessions, in the order in which they were first used."""
        named = (session_of(act.done.operation) for act in self.acts)
        return tuple(dict.fromkeys(name for name in named if name))

    def at(self, point: int) -> Survivable:
        """What may be there after a crash behind the first ``point`` changes."""
        at = bisect_left(self._moments, point, key=lambda moment: moment.place) - 1
        if at not in self._known:
            self._known[at] = self._survivable(self._moments[at])
        return self._known[at]

    def _survivable(self, moment: _Moment) -> Survivable:
        worlds: list[World] = []
        for life in moment.lives:
            rest = [at for at in moment.pending if at not in life.effected]
            for chosen in _orders(rest):
                worlds += [one.world for one in self._effects(life, chosen)]
        return Survivable(
            worlds=tuple(_distinct(worlds)),
            acknowledged=tuple(_distinct([life.world for life in moment.lives])),
            interrupted=moment.pending,
            answered=moment.answered,
            earlier=moment.earlier,
        )

    def _effects(self, life: _Lived, chosen: Sequence[int]) -> list[_Lived]:
        """The lives after these unanswered operations, each of which took effect."""
        lives = [life]
        for at in chosen:
            done = self.acts[at].done
            if done.outcome.type == "fail":
                continue  # it took none, and was never to be seen
            parts = self._parts(at)
            following = []
            for one in lives:
                told = _told(one.world, done, self.claims, believed=True)
                for form in (done.operation, *parts):
                    early = one.early if form is done.operation and told else one.early | {at}
                    following += [
                        _Lived(after, one.effected | {at}, early)
                        for after in _after(one.world, form, self.claims)
                    ]
            lives = following
        return lives

    def _parts(self, at: int) -> list[Operation]:
        """What a crash may leave of this operation where whole batches are not claimed."""
        return [] if self.claims.atomic_batches else _parts(self.acts[at].done.operation)

    @cached_property
    def _moments(self) -> tuple[_Moment, ...]:
        events = [(act.asked, 1, at) for at, act in enumerate(self.acts)]
        events += [
            (act.answered, 0, at) for at, act in enumerate(self.acts) if act.answered is not None
        ]
        moments = [_Moment(-1, tuple(_Lived(world) for world in EMPTY), (), (), {})]
        for place, asked, at in sorted(events):
            last = moments[-1]
            if asked:
                moments.append(replace(last, place=place, pending=(*last.pending, at)))
            else:
                moments.append(self._answer(last, place, at))
        # Of the moments of one place the last counts, and the first of all is before any change.
        return tuple(
            moment
            for moment, following in zip(moments, [*moments[1:], None], strict=True)
            if following is None or following.place != moment.place
        )

    def _answer(self, last: _Moment, place: int, at: int) -> _Moment:
        pending = tuple(other for other in last.pending if other != at)
        lives = self._answered(last, at, believed=True) or self._answered(last, at, believed=False)
        lives = self._ordered(lives, at, pending)
        earlier = dict(last.earlier)
        before = [life.world for life in last.lives]
        parts = [
            after
            for world in before
            for part in self._parts(at)
            for after in _after(world, part, self.claims)
        ]
        for name in self.sessions:
            been = (world.get(name) for world in (*parts, *before))
            earlier[name] = tuple(_distinct([*been, *earlier.get(name, ())]))
        return _Moment(place, lives, pending, (*last.answered, at), earlier)

    def _answered(self, last: _Moment, at: int, *, believed: bool) -> tuple[_Lived, ...]:
        """The lives that the answer leaves. ``believed``: what it tells contradicts none."""
        act = self.acts[at]
        out: list[_Lived] = []
        for life in last.lives:
            if at in life.effected:
                if at not in life.early or not believed:
                    out.append(replace(life, effected=life.effected - {at}))
                continue
            others = [one for one in last.pending if one != at and one not in life.effected]
            for before in _orders(others):
                for one in self._effects(life, before):
                    after = _told(one.world, act.done, self.claims, believed=believed)
                    out += [replace(one, world=world) for world in after]
        return tuple(_distinct(out))

    def _ordered(
        self, lives: tuple[_Lived, ...], at: int, pending: Sequence[int]
    ) -> tuple[_Lived, ...]:
        """The lives whose session has the order that was read, once nothing runs beside it."""
        act = self.acts[at]
        name = session_of(act.done.operation)
        if not act.order or any(
            session_of(self.acts[other].done.operation) == name for other in pending
        ):
            return lives
        fitting = tuple(
            life
            for life in lives
            if tuple(one.content for one in (life.world.get(name) or Session()).messages)
            == act.order
        )
        return fitting or lives


def _told(world: World, done: Completed, claims: Claims, *, believed: bool) -> Worlds:
    """The worlds after an answered operation; none if its answer contradicts this one."""
    if believed:
        return step((world,), done, claims).worlds
    # An outcome that nobody knows contradicts no world, and is never disbelieved.
    return (world,) if done.outcome.type == "fail" else _after(world, done.operation, claims)


def _after(world: World, operation: Operation, claims: Claims) -> Worlds:
    return expect(world, operation, claims).worlds


def _parts(operation: Operation) -> list[Operation]:
    """The beginnings of a batch, which a store may leave that claims no whole ones."""
    match operation:
        case Append(session, messages) | AppendWithState(session, messages):
            return [Append(session, messages[:length]) for length in range(1, len(messages))]
        case Create(session, messages):
            return [Create(session, messages[:length]) for length in range(len(messages))]
        case _:
            return []


def _orders(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every subset in every order, the empty one first."""
    for length in range(len(places) + 1):
        yield from permutations(places, length)


def _distinct(values: Iterable[T]) -> list[T]:
    """Each once; they may hold what cannot be hashed."""
    out: list[T] = []
    for value in values:
        if value not in out:
            out.append(value)
    return out
