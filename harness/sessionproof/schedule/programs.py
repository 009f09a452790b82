"""Small programs for controlled schedules, as a store's capabilities and claims allow them.

Those that find most come first. Each is for two clients, the larger ones for three; numbers of
operations begin at 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from sessionproof.contract.claims import Claims
from sessionproof.contract.seed import generator
from sessionproof.history.columns import F
from sessionproof.schedule.program import Program
from sessionproof.workload.mixes import has
from sessionproof.workload.rounds import Call
from sessionproof.workload.sessions import needs_create

_MESSAGE_BYTES = 120  # of the longest message, with what stores put around it
_BATCH = 3
_DRAWN = 8  # larger programs that are drawn, beside those that are always there
_SENDS = (F.APPEND, F.REPLACE, F.CREATE)
_WEIGHTS = {F.APPEND: 6, F.READ: 4}  # of all others one


@dataclass(frozen=True)
class Programs:
    """``single``: one operation of each of two clients; ``small``: two; ``larger``: of three."""

    single: tuple[Program, ...]
    small: tuple[Program, ...]
    larger: tuple[Program, ...]


Calls = Sequence[Call]
Draft = tuple[Sequence[Calls], Calls]
"""What clients do, and what is done before they begin."""

A, R = Call(F.APPEND, 0, 1), Call(F.READ, 0)


def programs_for(capabilities: Collection[str], claims: Claims, seed: int) -> Programs:
    """The programs of this store; the same for the same seed."""
    batch = _batch(claims)
    creates = needs_create(claims, capabilities) and claims.session_ids == "caller"
    kinds = [*_plain(), *(_batches(batch) if batch > 1 else ())]
    kinds += [*_first_calls()] if creates else []
    for f, drafts in _ABOUT.items():
        if has(capabilities, f):
            kinds += drafts
    able = [f for f in (F.APPEND, F.READ, *_ABOUT) if has(capabilities, f)]
    drawn = _drawn(able, batch, seed)
    return Programs(
        tuple(_made(_singles(kinds), claims)),
        tuple(_made(kinds, claims)),
        tuple(_made([*_LARGER, *drawn], claims)),
    )


def _batch(claims: Claims) -> int:
    """The most messages of one append."""
    limit = claims.limits.batch_bytes
    return _BATCH if limit is None else max(1, min(_BATCH, limit // _MESSAGE_BYTES))


def _plain() -> Iterator[Draft]:
    """Appends and reads; some in a session with messages, some in two sessions."""
    other, its = A._replace(session=1), R._replace(session=1)
    yield [(A, A), (A, R)], ()
    yield [(A, R), (A, R)], ()
    yield [(A, A), (R, R)], ()
    yield [(A, R), (A, R)], (A,) * 2
    yield [(A, A), (A, R)], (A,) * 5
    yield [(A, other), (other, R)], ()
    yield [(A, R), (other, its)], ()
    yield [(A, A), (A, A)], ()


def _batches(batch: int) -> Iterator[Draft]:
    many = A._replace(n=batch)
    yield [(many, R), (A, R)], ()
    yield [(many, many), (R, R)], ()
    yield [(many, R), (many, R)], (A,)


def _first_calls() -> Iterator[Draft]:
    """Both make the session: one of them finds it there."""
    make = Call(F.CREATE, 0)
    yield [(make, A), (make, A)], ()
    yield [(make, A), (make, R)], ()


def _beside(call: Call, *, before: int) -> tuple[Draft, ...]:
    """One client makes this call while the other appends, or reads."""
    return (
        ([(call, A), (A, R)], (A,) * before),
        ([(A, call), (A, call)], (A,) * before),
        ([(call, R), (A, R)], (A,) * before),
    )


_ABOUT: dict[F, tuple[Draft, ...]] = {
    F.READ_LAST: _beside(Call(F.READ_LAST, 0, 2), before=0),
    F.COUNT: _beside(Call(F.COUNT, 0), before=0),
    F.PAGES: _beside(Call(F.PAGES, 0, 1), before=2),
    F.DELETE: _beside(Call(F.DELETE, 0), before=1),
    F.CLEAR: _beside(Call(F.CLEAR, 0), before=1),
    F.REPLACE: _beside(Call(F.REPLACE, 0, 1), before=1),
}
_LARGER: tuple[Draft, ...] = (
    ([(A, R), (A, R), (A, R)], ()),
    ([(A, A), (A, A), (R, R)], ()),
    ([(A, A), (A, R), (A, R)], (A,) * 5),
)


def _singles(drafts: Iterable[Draft]) -> Iterator[Draft]:
    """The first operations of each draft, and those of two of its clients' last ones."""
    for clients, before in drafts:
        yield [one[:1] for one in clients], before
        yield [clients[0][:1], clients[1][-1:]], before


def _drawn(able: Sequence[F], batch: int, seed: int) -> Iterator[Draft]:
    chance = generator(seed, "small programs")
    weighed = [f for f in able for _ in range(_WEIGHTS.get(f, 1))]

    def call() -> Call:
        f, session = chance.choice(weighed), chance.choice((0, 0, 0, 1))
        if f in (F.APPEND, F.REPLACE):
            return Call(f, session, chance.randint(1, batch))
        return Call(f, session, {F.READ_LAST: 2, F.PAGES: 2}.get(f, 0))

    for _ in range(_DRAWN):
        before = (A,) * chance.choice((0, 0, 1, 3, 6))
        yield [(call(), call()) for _ in range(3)], before


def _made(drafts: Iterable[Draft], claims: Claims) -> list[Program]:
    """The programs of drafts with numbers, each once and within what a session keeps."""
    made: dict[Program, None] = {}
    for clients, before in drafts:
        kept = _keeping(claims.limits.retention)
        first = [kept(call) for call in before]
        plans = [[kept(call) for call in one] for one in clients]
        if not any(call.f not in _READS for one in plans for call in one):
            continue  # nobody changes anything
        numbers = count(1)
        program = Program(
            tuple(tuple((next(numbers), call) for call in one) for one in plans),
            1 + max(call.session for one in (first, *plans) for call in one),
            tuple((next(numbers), call) for call in first),
        )
        made.setdefault(program)
    return list(made)


_READS = (F.READ, F.READ_LAST, F.PAGES, F.COUNT)


def _keeping(keeps: int | None) -> Callable[[Call], Call]:
    """Puts a read in the place of what a session would not keep."""
    sent: Counter[int] = Counter()

    def kept(call: Call) -> Call:
        if keeps is None or call.f not in _SENDS:
            return call
        if sent[call.session] + call.n > keeps:
            return Call(F.READ, call.session)
        sent[call.session] += call.n
        return call

    return kept
