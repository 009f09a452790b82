"""A long load in waves: one slice for each client, on sessions that no other wave uses.

A wave is drawn from the seed and its number, so what each client was to do can be drawn again at
any time. Sessions rotate within a wave, too: each sees a few hundred operations, which keeps reads
cheap and judging exact, however long the load is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random  # noqa: TID251 - the type alone

from sessionproof.contract.claims import Claims
from sessionproof.contract.seed import generator
from sessionproof.history.columns import F
from sessionproof.workload.mixes import MIXES, round_of
from sessionproof.workload.rounds import Call, Round

GROWING = ("mixed", "hot", "batches", "counts", "writes", "pages")
"""The mixes in which messages only become more: there, what a worker that died had written can be
told by what is read. A deletion of its leaves no trace."""

_OPERATIONS = 300  # of all clients on one session
_SHORTEST, _LONGEST = 6, 300  # calls of a client in a round
_ATTEMPTS = 4  # at most that write to a session in the place of one


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What all waves of a load have in common. ``beside`` rounds are played at the same time."""

    seed: int
    mix: str
    clients: int
    claims: Claims
    capabilities: frozenset[str]
    beside: int

    @property
    def length(self) -> int:
        """Calls of a client in one round."""
        wanted = _OPERATIONS * _SESSIONS[self.mix] // self.clients
        return min(_LONGEST, max(_SHORTEST, wanted))

    @property
    def calls(self) -> int:
        """Calls of a client in one turn: in all rounds that are played at the same time."""
        return self.length * self.beside


@dataclass(frozen=True)
class Drawn:
    """A wave: the names of its sessions, and a program for each client."""

    sessions: tuple[str, ...]
    programs: tuple[tuple[Call, ...], ...]


_SESSIONS = {"hot": 1, "mixed": 3, "batches": 2, "counts": 2, "writes": 2, "pages": 1}


def rounds_beside(mix: str, sessions: int) -> int:
    """How many rounds of this mix have about so many sessions."""
    return max(1, -(-sessions // _SESSIONS[mix]))


def drawn(plot: Plot, wave: int, turns: int) -> Drawn:
    """The wave of this number, with so many turns of rounds; the same each time."""
    sessions: list[str] = []
    programs: list[list[Call]] = [[] for _ in range(plot.clients)]
    for turn in range(turns):
        random = generator(plot.seed, "wave", wave, turn)
        rounds = [_round(plot, f"w{wave}-{turn}-{at}-", random) for at in range(plot.beside)]
        mine = [len(sessions) + sum(len(one.sessions) for one in rounds[:at])
                for at in range(len(rounds))]  # fmt: skip
        for client in range(plot.clients):
            parts = [
                [call._replace(session=call.session + first) for call in one.programs[client]]
                for one, first in zip(rounds, mine, strict=True)
            ]
            programs[client] += _mingled(parts, random)
        sessions += [name for one in rounds for name in one.sessions]
    return Drawn(tuple(sessions), tuple(map(tuple, programs)))


def _round(plot: Plot, prefix: str, random: Random) -> Round:
    return round_of(
        plot.mix,
        generator=random,
        capabilities=plot.capabilities,
        claims=_spared(plot.claims),
        clients=plot.clients,
        first=1,
        prefix=prefix,
        length=plot.length,
    )


def _spared(claims: Claims) -> Claims:
    """With room below the retention for what lost attempts have written."""
    keeps = claims.limits.retention
    if keeps is None:
        return claims
    return replace(claims, limits=replace(claims.limits, retention=keeps // _ATTEMPTS))


def _mingled(parts: Sequence[Sequence[Call]], random: Random) -> list[Call]:
    """All calls, those of each part in their order."""
    if len(parts) == 1:
        return [*parts[0]]
    whose = [at for at, part in enumerate(parts) for _ in part]
    random.shuffle(whose)
    calls = [iter(part) for part in parts]
    return [next(calls[at]) for at in whose]


def creations(sessions: int) -> tuple[Call, ...]:
    """Making each session."""
    return tuple(Call(F.CREATE, at) for at in range(sessions))


def fits(mix: str, capabilities: frozenset[str]) -> bool:
    """Whether the store has what the mix is about."""
    return MIXES[mix].fits(capabilities)
