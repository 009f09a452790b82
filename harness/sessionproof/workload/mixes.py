"""What concurrent clients do: rounds that are drawn anew each time, within a store's claims.

In each, the first call of every client is RAMP and the last, a read, is HEAL; between them they do
what the mix is for (LOAD). Programs are plain data, and the same generator draws the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from sessionproof.contract.claims import Claims
from sessionproof.history.columns import F, Phase
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.sessions import needs_create

_MESSAGE_BYTES = 120  # of the longest message, with what stores put around it
_BATCH_MOST = 8
_LIMITS = (1, 2, 3, 7, 20, 50)  # of pages; the small ones have many boundaries
_METHODS = {
    F.READ_LAST: {"read_last"},
    F.PAGES: {"page"},
    F.COUNT: {"get", "count"},
    F.DELETE: {"delete"},
    F.CLEAR: {"clear"},
    F.REPLACE: {"replace"},
}

Programs: TypeAlias = list[list[Call]]


@dataclass(frozen=True)
class Drawing:
    """What a mix is drawn from: ``length`` is about how many calls each client makes."""

    random: Random
    capabilities: frozenset[str]
    claims: Claims
    clients: int
    length: int

    def has(self, f: F) -> bool:
        """Whether the store can be asked so."""
        return has(self.capabilities, f)

    @property
    def batch(self) -> int:
        """The most messages that one append may have."""
        limit = self.claims.limits.batch_bytes
        fits = _BATCH_MOST if limit is None else max(1, limit // _MESSAGE_BYTES)
        return min(_BATCH_MOST, fits)

    def call(self, weights: Mapping[F, float], session: int) -> Call:
        """One call of those that the store has, more often the heavier they weigh."""
        able = [f for f in weights if self.has(f)]
        (f,) = self.random.choices(able, [weights[one] for one in able])
        return Call(f, session, self._n(f))

    def _n(self, f: F) -> int:
        if f in (F.APPEND, F.REPLACE):
            return 1
        if f is F.READ_LAST:
            return self.random.randint(1, 5)
        return self.random.choice(_LIMITS) if f is F.PAGES else 0


def has(capabilities: Collection[str], f: F) -> bool:
    """Whether a store with these capabilities can be asked for this."""
    return f not in _METHODS or not _METHODS[f].isdisjoint(capabilities)


@dataclass(frozen=True)
class Mix:
    """``draw`` answers how many sessions there are, and a program for each client.

    ``what`` says in a few words what clients do, ``meets`` as in ``Round``.
    """

    what: str
    draw: Callable[[Drawing], tuple[int, Programs]]
    needs: tuple[F, ...] = ()
    meets: int = 6

    def fits(self, capabilities: Collection[str]) -> bool:
        """Whether the store has one of the methods that the mix is about."""
        return not self.needs or any(has(capabilities, f) for f in self.needs)


def round_of(
    name: str,
    *,
    generator: Random,
    capabilities: Collection[str],
    claims: Claims,
    clients: int,
    first: int,
    prefix: str,
    length: int,
) -> Round:
    """A round of the mix of this name.

    ``length`` is about how many calls each client makes, ``prefix`` begins the names of sessions,
    which no other round on the location may have. Sessions that must be created are made before
    the clients begin, but for those that clients create on purpose.
    """
    able = frozenset(capabilities)
    drawing = Drawing(generator, able, claims, clients, max(3, length))
    sessions, drawn = MIXES[name].draw(drawing)
    programs = [_phased(program, generator.randrange(sessions)) for program in drawn]
    creating = any(call.f is F.CREATE for program in programs for call in program)
    return Round(
        sessions=tuple(f"{prefix}{at}" for at in range(sessions)),
        programs=tuple(map(tuple, _within_retention(programs, claims))),
        first=first,
        created=not creating,
        meets=MIXES[name].meets,
    )


def _phased(program: list[Call], session: int) -> list[Call]:
    """The calls with their phases, and a read of this session at the end."""
    first, *load = program
    return [first._replace(phase=Phase.RAMP), *load, Call(F.READ, session, 0, Phase.HEAL)]


def _hot(drawing: Drawing) -> tuple[int, Programs]:
    return 1, _by_roles(drawing, {F.READ: 1.0}, 1)


def _mixed(drawing: Drawing) -> tuple[int, Programs]:
    weights = {F.READ: 0.4, F.READ_LAST: 0.3, F.COUNT: 0.2, F.PAGES: 0.1}
    return 3, _by_roles(drawing, weights, 3)


def _counts(drawing: Drawing) -> tuple[int, Programs]:
    programs = _of_weights(drawing, {F.APPEND: 0.55, F.COUNT: 0.35, F.READ: 0.1}, 2)
    return 2, _in_batches(programs, drawing, share=0.3)


def _writes(drawing: Drawing) -> tuple[int, Programs]:
    programs = _of_weights(drawing, {F.APPEND: 0.97, F.READ: 0.03}, 2)
    return 2, _in_batches(programs, drawing, share=0.3)


def _pages(drawing: Drawing) -> tuple[int, Programs]:
    programs = _of_weights(drawing, {F.APPEND: 0.6, F.PAGES: 0.3, F.READ: 0.1}, 1)
    return 1, _in_batches(programs, drawing, share=0.2)


def _batches(drawing: Drawing) -> tuple[int, Programs]:
    programs = _by_roles(drawing, {F.READ: 1.0}, 2)
    return 2, _in_batches(programs, drawing, share=1.0)


def _in_batches(programs: Programs, drawing: Drawing, *, share: float) -> Programs:
    """The programs with batches in the place of this share of their appends."""
    return [[_in_batch(call, drawing, share) for call in program] for program in programs]


def _in_batch(call: Call, drawing: Drawing, share: float) -> Call:
    if call.f is not F.APPEND or drawing.batch < 2 or drawing.random.random() >= share:
        return call
    return call._replace(n=drawing.random.randint(2, drawing.batch))


def _by_roles(drawing: Drawing, reads: Mapping[F, float], sessions: int) -> Programs:
    """Some clients mostly append, some mostly read: who writes seldom may see old things longest.

    ``reads`` are the weights of everything else.
    """
    whole = sum(weight for f, weight in reads.items() if drawing.has(f))
    roles = [_ROLES[at % len(_ROLES)] for at in range(drawing.clients)]
    drawing.random.shuffle(roles)
    weights = ({**reads, F.APPEND: whole * share / (1 - share)} for share in roles)
    return [_of_client(drawing, one, sessions) for one in weights]


_ROLES = (0.6, 0.1, 0.9, 0.6)  # shares of appends


def _of_weights(drawing: Drawing, weights: Mapping[F, float], sessions: int) -> Programs:
    return [_of_client(drawing, weights, sessions) for _ in range(drawing.clients)]


def _of_client(drawing: Drawing, weights: Mapping[F, float], sessions: int) -> list[Call]:
    """Calls by weight on sessions by chance, after an append."""
    pick = drawing.random.randrange
    load = [drawing.call(weights, pick(sessions)) for _ in range(drawing.length - 2)]
    return [Call(F.APPEND, pick(sessions), 1), *load]


def _short(drawing: Drawing) -> tuple[int, Programs]:
    """All clients come to each fresh session at about the same time."""
    creating = needs_create(drawing.claims, drawing.capabilities)
    racing = creating and drawing.claims.session_ids == "caller"
    sessions = max(1, drawing.length // _FIRST)
    return sessions, [
        [call for at in range(sessions) for call in _first_calls(drawing, at, racing=racing)]
        for _ in range(drawing.clients)
    ]


def _first_calls(drawing: Drawing, session: int, *, racing: bool) -> list[Call]:
    append, read = Call(F.APPEND, session, 1), Call(F.READ, session)
    if racing:
        return [Call(F.CREATE, session), append, read]
    return drawing.random.choice(
        ([append, read, append], [append, append, read], [read, append, read])
    )


_FIRST = 3  # calls of each client on such a session


def _deletes(drawing: Drawing) -> tuple[int, Programs]:
    return _in_sections(drawing, {F.APPEND: 0.65, F.READ: 0.35}, (F.DELETE,))


def _clears(drawing: Drawing) -> tuple[int, Programs]:
    return _in_sections(drawing, {F.APPEND: 0.65, F.READ: 0.35}, (F.CLEAR, F.REPLACE))


def _in_sections(
    drawing: Drawing, weights: Mapping[F, float], rare: Sequence[F]
) -> tuple[int, Programs]:
    """One session after the other; in each, one or two clients do what is rare, at any place."""
    able = [f for f in rare if drawing.has(f)]
    sessions = max(1, drawing.length // _SECTION)
    programs: Programs = [[] for _ in range(drawing.clients)]
    for session in range(sessions):
        for program in programs:
            calls = [drawing.call(weights, session) for _ in range(_SECTION - 1)]
            program += [Call(F.APPEND, session, 1), *calls]
        for client in drawing.random.sample(range(drawing.clients), min(2, drawing.clients)):
            if able:
                at = -1 - drawing.random.randrange(_SECTION)
                f = drawing.random.choice(able)
                programs[client][at] = Call(f, session, 2 if f is F.REPLACE else 0)
    return sessions, programs


_SECTION = 5  # calls of each client on one session: few, as each order of them may be tried


def _long(drawing: Drawing) -> tuple[int, Programs]:
    """Two sessions that grow very long, read by their ends, beside many short ones."""
    short = max(1, drawing.length // 10)
    often = {F.APPEND: 0.7, F.READ_LAST: 0.2, F.COUNT: 0.1}
    seldom = {F.APPEND: 0.6, F.READ: 0.4}
    chance = drawing.random
    programs = []
    for _ in range(drawing.clients):
        program = [Call(F.APPEND, chance.randrange(2), 1)]
        for at in range(drawing.length - 2):
            if chance.random() < _LONG_SHARE:
                call = drawing.call(often, chance.randrange(2))
            else:
                call = drawing.call(seldom, 2 + at // 10 % short)
            program.append(_in_batch(call, drawing, 0.5))
        for at in range(_LONG_READS):
            program[(at + 1) * len(program) // (_LONG_READS + 1)] = Call(F.READ, at % 2)
        programs.append(program)
    return 2 + short, programs


_LONG_SHARE = 0.7  # of the calls, on the long sessions
_LONG_READS = 2  # of a client, on sessions whose every read costs much


def _within_retention(programs: Programs, claims: Claims) -> Programs:
    """The programs with reads in the place of appends beyond what a session keeps."""
    keeps = claims.limits.retention
    if keeps is None:
        return programs
    written: Counter[int] = Counter()
    return [[_kept(call, written, keeps) for call in program] for program in programs]


def _kept(call: Call, written: Counter[int], keeps: int) -> Call:
    if call.f not in (F.APPEND, F.REPLACE):
        return call
    if written[call.session] + call.n > keeps:
        return Call(F.READ, call.session, 0, call.phase)
    written[call.session] += call.n
    return call


MIXES: Mapping[str, Mix] = {
    "hot": Mix("all append to one session and read it", _hot),
    "mixed": Mix("appends, reads, last messages, counts and pages on three sessions", _mixed),
    "batches": Mix("batches, and reads between them", _batches),
    "short": Mix("first appends to many fresh sessions", _short, meets=_FIRST),
    "deletes": Mix("deletions among appends and reads", _deletes, (F.DELETE,), meets=_SECTION),
    "clears": Mix(
        "sessions emptied and replaced among appends",
        _clears,
        (F.CLEAR, F.REPLACE),
        meets=_SECTION,
    ),
    "counts": Mix("counts while others append", _counts, (F.COUNT,)),
    "writes": Mix("appends and batches to two sessions, hardly a read", _writes),
    "pages": Mix("pages while others append", _pages, (F.PAGES,)),
    "long": Mix("two sessions that grow very long, beside many short ones", _long),
}
"""The mixes by name."""
