"""What concurrent clients are to do at the same time: plain data that goes to any executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sessionproof.history.columns import F, Phase


class Call(NamedTuple):
    """One operation: ``session`` is a place in ``Round.sessions``.

    ``n`` is the number of messages of an append, a creation or a replacement, the ``n`` of
    ``READ_LAST``, the limit of ``PAGES``, the number of the key of ``SET_STATE``, otherwise 0.
    """

    f: F
    session: int
    n: int = 0
    phase: Phase = Phase.LOAD


@dataclass(frozen=True)
class Round:
    """One program for each client; they begin together.

    ``sessions`` are the ids to ask for, unlike those of any other round on the location.
    ``first`` is the number of the first operation: client ``k`` of ``K`` numbers its operations
    ``first + k``, ``first + k + K``, …; a round uses no number twice, and no number of another
    round. ``created`` says that sessions are made before the clients begin, where the store wants
    it so; otherwise the programs create them. No call begins later than ``budget_s`` after the
    start. Each time that they have made ``meets`` calls, clients wait a moment for each other, so
    that they stay together; 0 for never.

    ``gathers`` are, for each client, places of its program before which it waits for all others;
    there are as many of them for each. ``pauses`` are seconds before each call of each client.
    """

    sessions: tuple[str, ...]
    programs: tuple[tuple[Call, ...], ...]
    first: int
    created: bool = True
    budget_s: float = 5.0
    meets: int = 0
    gathers: tuple[tuple[int, ...], ...] = ()
    pauses: tuple[tuple[float, ...], ...] = ()

    @property
    def numbers(self) -> int:
        """How many operation numbers it uses at most, final reads and repetitions included."""
        longest = max(map(len, self.programs), default=0)
        return longest * len(self.programs) + 4 * len(self.sessions)

    @property
    def before(self) -> int:
        """Calls that the first client makes while the others still wait to begin."""
        waits = len(self.gathers) > 1 and all(one[:1] == (0,) for one in self.gathers[1:])
        return self.gathers[0][0] if waits else 0
