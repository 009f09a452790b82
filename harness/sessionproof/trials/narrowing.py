"""A round that broke something: tried again, and made smaller while it still fails now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sessionproof.checks.incidents import Incident
from sessionproof.contract.clock import monotonic_s
from sessionproof.history.columns import F
from sessionproof.trials.rounds import Interrupted, Played
from sessionproof.workload.rounds import Call, Round

_TRIES = 12  # of the round as it was found, and of the smallest at the end
_LEAST = 3  # of each of both, however long they take
_FEW = 5  # of a smaller one
_KEPT = 0.5  # of the rate at which it failed before, a smaller round must keep
_SENDS = (F.APPEND, F.CREATE, F.REPLACE)

Play = Callable[[Round], Played]
Broken = Callable[[Played], Incident | None]


@dataclass(frozen=True)
class Failing:
    """A round that failed, its incident, and in how many of some tries it failed again."""

    played: Played
    incident: Incident
    failed: int
    tried: int

    @property
    def rate(self) -> float:
        """How often it fails; small where it was not seen again."""
        return self.failed / self.tried if self.failed else 0.5 / (self.tried + 1)


def narrowed(
    play: Play, broken: Broken, played: Played, incident: Incident, *, seconds: float
) -> Failing:
    """The smallest round that was seen to fail like this one, and how often it does.

    ``play`` carries a round out on fresh sessions, ``broken`` says what is wrong with it. It takes
    about so many seconds: half of them for what is smaller, the rest to see how often it fails.
    """
    start = monotonic_s()
    failing = _tried(play, broken, Failing(played, incident, 0, 0), _TRIES, start + seconds / 4)
    until = start + 3 * seconds / 4
    searching = failing.failed > 0
    while searching and monotonic_s() < until:
        searching = False
        for smaller in _smaller(failing.played.round, failing.incident.session):
            if monotonic_s() > until:
                break
            shorter = _tried_smaller(play, broken, failing, smaller, until)
            if shorter is not None:
                failing, searching = shorter, True
                break
    if failing.played is not played:
        again = replace(failing, failed=0, tried=0)
        failing = _tried(play, broken, again, _TRIES, start + seconds)
    return failing


def _tried(play: Play, broken: Broken, failing: Failing, times: int, until: float) -> Failing:
    """The same round so many times more, and a few at least."""
    for _ in range(times):
        try:
            played = play(failing.played.round)
        except Interrupted:
            break  # it hangs as well: what is known so far must do
        incident = broken(played)
        if incident is None:
            failing = replace(failing, tried=failing.tried + 1)
        else:
            failing = Failing(played, incident, failing.failed + 1, failing.tried + 1)
        if failing.tried >= _LEAST and monotonic_s() > until:
            break
    return failing


def _tried_smaller(
    play: Play, broken: Broken, failing: Failing, smaller: Round, until: float
) -> Failing | None:
    """The smaller round, if it fails about as often."""
    found: Failing | None = None
    failed = 0
    for tried in range(1, _FEW + 1):
        try:
            played = play(smaller)
        except Interrupted:
            return None
        incident = broken(played)
        if incident is not None:
            failed += 1
            found = Failing(played, incident, failed, tried)
            if failed >= max(1.0, _KEPT * failing.rate * _FEW):
                return found
        if monotonic_s() > until:
            break
    return None


def _smaller(made: Round, session: int) -> Iterator[Round]:
    """Smaller rounds, the smallest steps last."""
    programs = made.programs
    if len(made.sessions) > 1:
        own = (_own(program, session) for program in programs)
        yield _round(replace(made, sessions=made.sessions[session : session + 1]), own)
    for half in (slice(None, -(-len(programs) // 2)), slice(len(programs) // 2, None)):
        if len(programs) > 3:
            yield _round(made, programs[half])
    if max(map(len, programs), default=0) > 1:
        yield _round(made, (program[: -(-len(program) // 2)] for program in programs))
        yield _round(made, (program[len(program) // 2 :] for program in programs))
    used = {call.f for program in programs for call in program}
    for f in sorted(used - {F.APPEND}):
        yield _round(made, (_without(program, f) for program in programs))
    if len(programs) > 2:
        for place in range(len(programs)):
            yield _round(made, (*programs[:place], *programs[place + 1 :]))
    if any(call.n > 1 for program in programs for call in program if call.f in _SENDS):
        yield _round(made, (tuple(map(_single, program)) for program in programs))
    if max(map(len, programs), default=0) > 1:
        yield _round(made, (program[:-1] for program in programs))


def _round(made: Round, programs: Iterator[tuple[Call, ...]] | Sequence[tuple[Call, ...]]) -> Round:
    return replace(made, programs=tuple(program for program in programs if program))


def _own(program: Sequence[Call], session: int) -> tuple[Call, ...]:
    return tuple(call._replace(session=0) for call in program if call.session == session)


def _without(program: Sequence[Call], f: F) -> tuple[Call, ...]:
    return tuple(call for call in program if call.f is not f)


def _single(call: Call) -> Call:
    return call._replace(n=1) if call.f in _SENDS and call.n > 1 else call
