"""Cycles among transactions: found, made short, and named.

A cycle means that each of its transactions comes before itself. Which name it has depends on the
edges that it needs; the fewer kinds it needs, the more it breaks. Names are those of Adya and Elle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from sessionproof.checks.dependencies import Edge, Kind
from sessionproof.checks.graphs import components
from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.transactions import Transaction

Edges: TypeAlias = Sequence[Sequence[Edge]]
Hop: TypeAlias = tuple[int, Edge]
"""A transaction, and the edge by which a cycle leaves it."""

_LOOKS = 300_000  # edges that the search for one sort of cycle follows


class Sort(NamedTuple):
    """A sort of cycle, by the kinds of its edges and by how many misses (rw) it has.

    ``misses``: any number, exactly one, or none next to another (apart).
    """

    kinds: frozenset[Kind]
    misses: str = "any"


_WRITES: frozenset[Kind] = frozenset({"ww"})
_READS: frozenset[Kind] = frozenset({"ww", "wr"})
_ALL: frozenset[Kind] = frozenset({"ww", "wr", "rw"})
OF_SNAPSHOTS = (
    Sort(_WRITES),  # G0
    Sort(_READS),  # G1c
    Sort(_ALL, "one"),  # G-single
    Sort(_ALL, "apart"),  # G-nonadjacent
)
"""Sorts that snapshots rule out, the worst first."""

OF_ORDERS = (*OF_SNAPSHOTS, Sort(_ALL))  # G2
"""Sorts that one order of all transactions rules out."""

_OF_TIME: frozenset[Kind] = frozenset({"process", "realtime"})


@dataclass(frozen=True)
class Cycle:
    """Hops from each transaction to the next, the last to the first."""

    anomaly: Anomaly
    hops: tuple[Hop, ...]


def knots(
    edges: Edges, transactions: Sequence[Transaction], present: Sequence[bool], isolation: str
) -> list[list[int]]:
    """Sets of transactions with a cycle that this isolation rules out, the smallest first."""
    if isolation == "snapshot":
        found = components(_without_two_misses(edges))
        number = len(edges)
        knotted = [sorted({node % number for node in one}) for one in found]
    else:
        plain = [[edge.to for edge in own] for own in edges]
        if isolation == "strict-serializable":
            plain = _with_time(plain, transactions, present)
        found = components(plain)
        knotted = [sorted(node for node in one if node < len(edges)) for one in found]
    return sorted(knotted, key=len)


def _without_two_misses(edges: Edges) -> list[list[int]]:
    """Each transaction twice: come to by a miss (the later half), or by another edge.

    A cycle that snapshots rule out is one without two misses in a row: those are of different
    nodes here.
    """
    number = len(edges)
    after_none = [[edge.to + number * (edge.kind == "rw") for edge in own] for own in edges]
    after_one = [[edge.to for edge in own if edge.kind != "rw"] for own in edges]
    return after_none + after_one


def _with_time(
    plain: list[list[int]], transactions: Sequence[Transaction], present: Sequence[bool]
) -> list[list[int]]:
    """With real time as a chain of further nodes, one for each end, in order.

    A transaction leads to its own end, an end to the next, and the last end before a transaction
    began to it: few edges, however many ran at once.
    """
    there = [(at, one) for at, one in enumerate(transactions) if present[at]]
    ended = sorted((one.ret, at) for at, one in there if one.ret is not None)
    ends = [moment for moment, _ in ended]
    first = len(plain)
    whole = [[*own] for own in plain] + [[first + place + 1] for place in range(len(ends))]
    if ends:
        whole[-1] = []
    for place, (_, at) in enumerate(ended):
        whole[at].append(first + place)
    for at, one in there:
        before = _ends_before(ends, one.inv)
        if before:
            whole[first + before - 1].append(at)
    return whole


def _ends_before(ends: Sequence[int], moment: int) -> int:
    """How many ends lie before the moment; one at the same nanosecond does not."""
    return bisect_right(ends, moment - 1)


def cycle_of(
    members: Sequence[int], edges: Edges, transactions: Sequence[Transaction], isolation: str
) -> Cycle:
    """The worst sort of cycle among the members of a knot, as short as is found in bounded time."""
    sorts = OF_SNAPSHOTS if isolation == "snapshot" else OF_ORDERS
    further = (_OF_TIME,) if isolation == "strict-serializable" else ()
    for more in (frozenset[Kind](), *further):
        for sort in sorts:
            walk = _Walk(members, edges, transactions, sort.kinds | more, sort.misses)
            hops = walk.shortest(looks=_LOOKS)
            if hops:
                return _named(hops)
    return _named(walk.shortest(looks=None))


def _named(hops: Sequence[Hop]) -> Cycle:
    """By the edges that it has: a search that was cut short may find less than it looked for."""
    kinds = [edge.kind for _, edge in hops]
    misses = [kind == "rw" for kind in kinds]
    if not any(misses):
        name = "G1c" if "wr" in kinds else "G0"
    elif sum(misses) == 1:
        name = "G-single"
    else:
        in_a_row = any(one and other for one, other in pairwise([misses[-1], *misses]))
        name = "G2" if in_a_row else "G-nonadjacent"
    suffix = "-realtime" if "realtime" in kinds else "-process" if "process" in kinds else ""
    return Cycle(Anomaly(f"{name}{suffix}"), tuple(hops))


_State: TypeAlias = tuple[int, int]
"""A transaction, and 1 where a miss was used up: the only one, or that of the step before."""


class _Walk:
    """Breadth-first searches from a transaction back to itself."""

    def __init__(
        self,
        members: Sequence[int],
        edges: Edges,
        transactions: Sequence[Transaction],
        kinds: frozenset[Kind],
        misses: str,
    ) -> None:
        inside = set(members)
        self._next = {
            at: [edge for edge in edges[at] if edge.kind in kinds and edge.to in inside]
            for at in members
        }
        self._misses = misses
        self._ret = {at: transactions[at].ret for at in members}
        self._client = {at: transactions[at].client for at in members}
        self._later: list[tuple[int, int]] = []
        if "realtime" in kinds:
            self._later = sorted((transactions[at].inv, at) for at in members)
        self._looks = 0

    def shortest(self, *, looks: int | None) -> list[Hop]:
        """The cycle of the fewest hops that was found; empty for none.

        No further search is begun when so many edges were followed; with None, the first cycle
        ends it.
        """
        best: list[Hop] = []
        for start in self._starts():
            best = self._back_to(start, len(best) or None) or best
            if len(best) == 2 or (best and looks is None):
                break
            if looks is not None and self._looks > looks:
                break
        return best

    def _starts(self) -> list[int]:
        if self._misses == "one":  # of which each such cycle has one
            return [at for at, own in self._next.items() if any(e.kind == "rw" for e in own)]
        return [at for at, own in self._next.items() if own]

    def _back_to(self, start: int, shorter_than: int | None) -> list[Hop]:
        goal: _State = (start, 1 if self._misses == "one" else 0)
        came: dict[_State, tuple[_State, Edge]] = {}
        waiting: deque[tuple[_State, int]] = deque([((start, 0), 0)])
        unseen = [len(self._later)] * 2  # of those that begin later, how many are left, by state
        while waiting:
            state, depth = waiting.popleft()
            if shorter_than is not None and depth + 1 >= shorter_than:
                return []
            for edge in self._from(state, unseen):
                self._looks += 1
                used = self._used(state[1], edge.kind)
                if used is None:
                    continue
                reached = (edge.to, used)
                if reached not in came:
                    came[reached] = (state, edge)
                    if reached == goal:
                        return _traced(came, (start, 0), goal)
                    waiting.append((reached, depth + 1))
        return []

    def _used(self, used: int, kind: Kind) -> int | None:
        """The state after an edge of this kind; None where it may not follow."""
        if self._misses == "any":
            return 0
        if kind == "rw":
            return None if used else 1
        return used if self._misses == "one" else 0

    def _from(self, state: _State, unseen: list[int]) -> Iterator[Edge]:
        yield from self._next[state[0]]
        ret = self._ret[state[0]]
        if ret is None or not self._later:
            return
        # Who began after this one ended, less those whom an earlier one in the same state has come
        # to: all that begin later than a moment are reached together.
        first = bisect_right(self._later, ret, key=itemgetter(0))
        left, unseen[state[1]] = unseen[state[1]], min(unseen[state[1]], first)
        for _, at in self._later[first:left]:
            own = self._client[at] == self._client[state[0]]
            yield Edge(at, "process" if own else "realtime")


def _traced(came: dict[_State, tuple[_State, Edge]], start: _State, goal: _State) -> list[Hop]:
    hops: list[Hop] = []
    state = goal
    while not hops or state != start:
        before, edge = came[state]
        hops.append((before[0], edge))
        state = before
    hops.reverse()
    return hops
