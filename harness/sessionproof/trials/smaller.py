"""A break of many clients told by a few calls: small programs that fail in the same way.

They are tried several times each, as a race shows now and then only: one failure is enough to go
on with a smaller program. What is told at the end was seen on fresh handles, as a script has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import derive
from sessionproof.history.columns import BATCH, F, Phase
from sessionproof.trials.narrowing import Broken, Failing, Play
from sessionproof.trials.rounds import Interrupted, Played
from sessionproof.workload.rounds import Call
from sessionproof.workload.search import search
from sessionproof.workload.small_programs import (
    CLIENTS,
    LENGTH,
    SmallProgram,
    round_of_times,
    small_programs,
    smaller_ones,
)

TIMES = 12  # of a program that may be smaller, in a row
_TRIES, _LEAST = 24, 3  # of the smallest at the end
_FEW = 3  # failures are enough to say how often
_BEFORE = 2
_KEPT = 0.5  # of the rate at which a round failed that was small before


Found = tuple[Played, Incident]


@dataclass(frozen=True)
class Small:
    """A small program, and what it was seen to fail by."""

    program: SmallProgram
    played: Played
    incident: Incident


@dataclass(frozen=True)
class Attempts:
    """How programs are tried: ``play`` and ``broken`` as in ``narrowed``.

    ``fresh`` has them open a fresh location. A program is carried out ``times`` in a row.
    """

    play: Play
    broken: Broken
    fresh: Callable[[], None]
    seed: int
    times: int = TIMES

    def failing(self, program: SmallProgram) -> Found | None:
        """The program so often in a row; the first break, if there is one."""
        seed = derive(self.seed, repr(program))
        try:
            played = self.play(round_of_times(program, self.times, first=1, prefix="", seed=seed))
        except Interrupted:
            return None  # what it hangs of is another finding
        incident = self.broken(played)
        return None if incident is None else (played, incident)


def smallest(attempts: Attempts, program: SmallProgram, found: Found, until_s: float) -> Small:
    """The smallest program that was seen to fail, step by step as long as there is time."""
    small, searching = Small(program, *found), True
    while searching:
        searching = False
        for fewer in smaller_ones(small.program):
            if monotonic_s() > until_s:
                break
            again = attempts.failing(fewer)
            if again is not None:
                small, searching = Small(fewer, *again), True
                break
    return small


def alone(attempts: Attempts, small: Small, until_s: float) -> Failing:
    """How often the program fails by itself, each time on fresh handles of a fresh location."""

    def again(number: int) -> Found | None:
        attempts.fresh()
        seed = derive(attempts.seed, number)
        return replace(attempts, seed=seed, times=1).failing(small.program)

    return _often(small, again, until_s)


def in_a_row(attempts: Attempts, small: Small, until_s: float) -> Failing:
    """How many rows of the program have a failure in them."""

    def again(number: int) -> Found | None:
        return replace(attempts, seed=derive(attempts.seed, number)).failing(small.program)

    return _often(small, again, until_s)


def _often(small: Small, again: Callable[[int], Found | None], until_s: float) -> Failing:
    """How often it is found again, and the shortest run of those; as it was found where in none."""
    found: list[Found] = []
    tried = 0
    while tried < _TRIES and len(found) < _FEW and (tried < _LEAST or monotonic_s() < until_s):
        tried += 1
        failed = again(tried)
        found += [] if failed is None else [failed]
    shown = min(found, key=lambda one: lasted_ns(one[0]), default=(small.played, small.incident))
    return Failing(*shown, len(found), tried)


def lasted_ns(played: Played) -> int:
    """From the first call of the clients to the end of the last that ended."""
    rows = played.history.rows[played.history.rows["phase"] != Phase.FINAL]
    ended = rows["ret"][rows["type"] != 0]
    return int(ended.max(initial=0)) - int(rows["inv"].min(initial=0))


def smaller(
    attempts: Attempts, failing: Failing, *, seconds: float
) -> tuple[SmallProgram, Failing] | None:
    """The same break by a small program with how often it fails, if one does again.

    Tried are the calls around the guilty ones, then programs of the same calls that are drawn. It
    takes about so many seconds. What is answered has fewer calls, was seen to fail in the same
    way, and says how often it did.
    """
    start_s = monotonic_s()
    small = _hewn(attempts, failing, start_s + seconds / 4)
    small = small or _drawn(attempts, failing, seconds / 4)
    if small is None:
        return None
    found = (small.played, small.incident)
    small = smallest(attempts, small.program, found, start_s + 3 * seconds / 4)
    again = alone(attempts, small, start_s + seconds)
    return (small.program, again) if again.failed and _better(again, failing) else None


def _better(again: Failing, failing: Failing) -> bool:
    """Whether it has fewer calls; and fails not much more seldom, where there were few already."""
    programs = failing.played.round.programs
    if sum(map(len, again.played.round.programs)) >= sum(map(len, programs)):
        return False
    few = len(programs) <= CLIENTS and max(map(len, programs)) <= LENGTH
    return not few or again.rate >= _KEPT * failing.rate


def _hewn(attempts: Attempts, failing: Failing, until_s: float) -> Small | None:
    for program in hewn(failing.played, failing.incident):
        found = attempts.failing(program)
        if found is not None:
            return Small(program, *found)
        if monotonic_s() > until_s:
            return None
    return None


def _drawn(attempts: Attempts, failing: Failing, seconds: float) -> Small | None:
    """A drawn program of the same calls that fails, shrunk as far as the time goes."""
    calls = [call for program in failing.played.round.programs for call in program]
    used = [f for f in F if any(call.f is f for call in calls)]
    drawing = small_programs(
        [F.APPEND, *(f for f in used if f is not F.APPEND)],
        batch=max((call.n for call in calls if call.f is F.APPEND), default=1),
    )
    searched = search(
        drawing,
        attempts.failing,
        seed=attempts.seed,
        enough=lambda spent_s: spent_s > seconds,
        shrink_s=seconds,
    )
    found = searched.counterexample
    return None if found is None else Small(found.program, *found.fault)


def hewn(played: Played, incident: Incident) -> Iterator[SmallProgram]:
    """Small programs around the guilty calls, with fewer calls before them each time.

    The clients are those of the guilty calls, then those that called at the same time.
    """
    places = [*_guilty(played, incident)]
    clients = [*dict.fromkeys(client for client, _ in places)][:CLIENTS]
    programs = played.round.programs
    near = dict(reversed(places))
    for client in range(len(programs)):
        if len(clients) < 2 and client not in clients and near:
            clients.append(client)
            near[client] = min(*near.values(), len(programs[client]) - 1)
    if len(clients) < 2:
        return
    for length in range(LENGTH, 0, -1):
        own = [_around(programs[one], near[one], incident.session, length) for one in clients]
        if all(own):
            for before in range(_BEFORE, -1, -1):
                yield SmallProgram((Call(F.APPEND, 0, 1),) * before, tuple(own))


def _guilty(played: Played, incident: Incident) -> Iterator[tuple[int, int]]:
    """Client and place of the guilty calls, without those when all was quiet."""
    clients = len(played.round.programs)
    rows = played.history.rows[[*incident.rows]]
    for row in rows[rows["phase"] != Phase.FINAL]:
        place, client = divmod(int(row["id"]) // BATCH - played.round.first, clients)
        if place < len(played.round.programs[client]):
            yield client, place


def _around(program: Sequence[Call], place: int, session: int, length: int) -> tuple[Call, ...]:
    """Calls on the session up to one of them, as if it were the only session."""
    upto = [call for call in program[: place + 1] if call.session == session]
    return tuple(call._replace(session=0) for call in upto[-length:])


def overlapped(played: Played, sessions: int) -> int:
    """In how many of the times of a round calls of several clients met; each has so many."""
    met = played.history.rows["session"][played.together]
    return len(np.unique(met // sessions))
