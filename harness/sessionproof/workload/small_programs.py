"""Small programs for a few clients: what one does first, and what all do then at the same time.

Most races need two clients and two calls. A program is carried out several times, on sessions of
its own each time, as one round: clients gather before each time, and wait a moment of chance before
some of their calls, so that no two times are alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies
from hypothesis.strategies import SearchStrategy

from sessionproof.contract.seed import generator
from sessionproof.history.columns import F
from sessionproof.workload.rounds import Call, Round

CLIENTS = 3
LENGTH = 4  # calls of a client that are made beside those of others
_BEFORE = 3  # calls that one makes first
_PAGE = 2  # messages of a page: most sessions have more than one
_PAUSED = 0.5  # of the calls of a time that has pauses
_PAUSES_S = (0.0, 5e-5, 2e-4, 0.0, 1e-3)  # about the longest of each time, in turn
_SENDS = (F.APPEND, F.REPLACE, F.CREATE)
_WEIGHTS = {F.APPEND: 6, F.READ: 5}  # of all others one


@dataclass(frozen=True)
class SmallProgram:
    """Calls that the first client makes ``before`` the others begin, then those of each client.

    Sessions are numbered from 0.
    """

    before: tuple[Call, ...]
    clients: tuple[tuple[Call, ...], ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """All of them."""
        return (*self.before, *(call for program in self.clients for call in program))

    @property
    def sessions(self) -> int:
        """How many sessions it is about."""
        return 1 + max((call.session for call in self.calls), default=0)


def small_programs(
    fs: Sequence[F], *, batch: int = 3, keeps: int | None = None
) -> SearchStrategy[SmallProgram]:
    """Programs of these calls, which must have APPEND, for two or three clients.

    ``batch`` are the most messages of a call, ``keeps`` those that a session may have.
    """
    weighed = [f for f in fs for _ in range(_WEIGHTS.get(f, 1))]
    # As they shrink, the first of each becomes what is drawn.
    session = strategies.sampled_from((0, 0, 0, 1))
    call = strategies.builds(
        _call,
        strategies.sampled_from(weighed),
        session,
        strategies.sampled_from((1, 1, 2, 3)[: 1 + batch] if batch > 1 else (1,)),
    )
    calls = strategies.lists(call, min_size=1, max_size=LENGTH).map(tuple)
    drawn = strategies.builds(
        SmallProgram,
        strategies.lists(call, max_size=_BEFORE).map(tuple),
        strategies.lists(calls, min_size=2, max_size=CLIENTS).map(tuple),
    )
    return drawn.map(lambda program: _within(program, keeps))


def round_of_times(
    program: SmallProgram, times: int, *, first: int, prefix: str, seed: int | None = None
) -> Round:
    """The program so many times, each on sessions of its own; ``first`` as in ``Round``.

    ``prefix`` begins the names of sessions. Without a ``seed`` nobody pauses.
    """
    per, parts = program.sessions, [*program.clients]
    parts[0] = (*program.before, *parts[0])
    programs = tuple(
        tuple(call._replace(session=call.session + per * at) for at in range(times) for call in own)
        for own in parts
    )
    return Round(
        sessions=tuple(f"{prefix}{at}" for at in range(per * times)),
        programs=programs,
        first=first,
        created=not any(call.f is F.CREATE for call in program.calls),
        gathers=tuple(
            tuple(_gathers(len(own), times, len(program.before), at))
            for at, own in enumerate(parts)
        ),
        pauses=()
        if seed is None
        else tuple(_pauses(parts, times, generator(seed, "pauses").random)),
    )


def smaller_ones(program: SmallProgram) -> Iterator[SmallProgram]:
    """The programs that are one step smaller, the largest steps first."""
    used = sorted({call.session for call in program.calls})
    for session in used if len(used) > 1 else ():
        yield from _of_session(program, session)
    if len(program.clients) > 2:
        for at in range(len(program.clients)):
            yield replace(program, clients=_without(program.clients, at))
    if program.before:
        yield replace(program, before=())
        for at in range(len(program.before)):
            yield replace(program, before=_without(program.before, at))
    for at, own in enumerate(program.clients):
        for place in range(len(own) if len(own) > 1 else 0):
            yield _with(program, at, _without(own, place))
    for at, own in enumerate(program.clients):
        for place, call in enumerate(own):
            if call.f in _SENDS and call.n > 1:
                single = (*own[:place], call._replace(n=1), *own[place + 1 :])
                yield _with(program, at, single)


def _of_session(program: SmallProgram, session: int) -> Iterator[SmallProgram]:
    """What is done to one of its sessions alone, if several clients do something to it."""

    def own(calls: Iterable[Call]) -> tuple[Call, ...]:
        return tuple(call._replace(session=0) for call in calls if call.session == session)

    clients = tuple(own(calls) for calls in program.clients)
    if clients[0] and any(clients[1:]):
        yield SmallProgram(own(program.before), tuple(filter(None, clients)))
    elif sum(map(bool, clients)) > 1:  # who did what comes before does nothing else to it
        yield SmallProgram((), tuple(filter(None, clients)))


def _with(program: SmallProgram, at: int, own: tuple[Call, ...]) -> SmallProgram:
    clients = (*program.clients[:at], own, *program.clients[at + 1 :])
    return replace(program, clients=clients)


def _without(some: tuple, at: int) -> tuple:  # type: ignore[type-arg]
    return (*some[:at], *some[at + 1 :])


def _call(f: F, session: int, n: int) -> Call:
    if f is F.CREATE:
        return Call(f, session)
    if f in (*_SENDS, F.READ_LAST):
        return Call(f, session, n)
    return Call(f, session, _PAGE if f is F.PAGES else 0)


def _within(program: SmallProgram, keeps: int | None) -> SmallProgram:
    """The program with reads in the place of what a session would not keep."""
    sent: Counter[int] = Counter()

    def kept(calls: Iterable[Call]) -> Iterator[Call]:
        for call in calls:
            beyond = keeps is not None and sent[call.session] + call.n > keeps
            if call.f in _SENDS and beyond:
                yield Call(F.READ, call.session)
                continue
            sent[call.session] += call.n if call.f in _SENDS else 0
            yield call

    before = tuple(kept(program.before))
    return SmallProgram(before, tuple(tuple(kept(own)) for own in program.clients))


def _gathers(length: int, times: int, before: int, at: int) -> Iterator[int]:
    """Where a client waits: before each time but the first, and for what the first client does."""
    for time in range(times):
        start = time * length
        if time:
            yield start
        if before:
            yield start if at else start + before


def _pauses(
    programs: Sequence[Sequence[Call]], times: int, chance: Callable[[], float]
) -> Iterator[tuple[float, ...]]:
    first = int(chance() * len(_PAUSES_S))
    longest = [_PAUSES_S[(first + time) % len(_PAUSES_S)] for time in range(times)]
    for own in programs:
        yield tuple(
            chance() * most_s if chance() < _PAUSED else 0.0 for most_s in longest for _ in own
        )
