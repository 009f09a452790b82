"""Whether transactions over several sessions are isolated as claimed.

Time is linear in what was read, but for the cycles that are shown: ``docs/checking.md`` has the
argument, and the tests hold it against a search through all orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from sessionproof.checks.cycles import Cycle, Hop, cycle_of, knots
from sessionproof.checks.dependencies import Contradiction, dependencies
from sessionproof.history.transactions import Transaction

Isolation: TypeAlias = Literal["snapshot", "serializable", "strict-serializable"]
_FLAWS, _CYCLES = 16, 4  # that are shown


def judge_transactions(
    transactions: Sequence[Transaction], isolation: Isolation
) -> tuple[Contradiction, ...]:
    """What this isolation rules out; none if all is well. What is wrong by itself comes first.

    Ids must be unique, and clients must have a new number after an unknown outcome. Appends that
    were acknowledged and never read are placed last; who wants them judged reads each session when
    all is quiet, as a transaction that is ``final``.
    """
    found = dependencies(transactions)
    knotted = knots(found.edges, transactions, found.present, isolation)
    cycles = (
        cycle_of(members, found.edges, transactions, isolation) for members in knotted[:_CYCLES]
    )
    return (*found.flaws[:_FLAWS], *(_explained(cycle, transactions) for cycle in cycles))


def _explained(cycle: Cycle, transactions: Sequence[Transaction]) -> Contradiction:
    """A sentence for each hop, and what they come to."""
    places: dict[int, str] = {}
    for at, _ in cycle.hops:
        places.setdefault(at, f"T{len(places) + 1}")
    lines = [
        f"{places[hop[0]]} < {places[hop[1].to]}, because {_reason(hop, places, transactions)}"
        for hop in cycle.hops
    ]
    last = f"So {' < '.join(places[at] for at, _ in cycle.hops)} < T1: a contradiction"
    return Contradiction(cycle.anomaly, tuple(places), (*lines, last))


def _reason(hop: Hop, places: dict[int, str], transactions: Sequence[Transaction]) -> str:
    at, edge = hop
    one, other, where = places[at], places[edge.to], f"in {edge.session!r}"
    match edge.kind:
        case "ww":
            return f"{other}'s message #{edge.id} follows one of {one}'s {where}"
        case "wr":
            return f"{other} has read {one}'s message #{edge.id} {where}"
        case "rw":
            return f"{one} has read without {other}'s message #{edge.id} {where}"
        case "process":
            return f"client {transactions[at].client} made {one} before {other}"
        case "realtime":
            ended = transactions[at].ret
            assert ended is not None  # only what has ended is before others by its time
            gap_us = (transactions[edge.to].inv - ended) / 1_000
            return f"{one} had ended {gap_us:,.1f} µs before {other} began"
