"""Who comes before whom among transactions, as their reads show it.

Ids are unique, so the longest read of a session is the order of its appends, and each other read
is a beginning of it. From that follow, for each pair of neighbours in the order, three kinds of
dependencies: an append comes after the one before it (ww), a read after the last append that it has
(wr) and before the next one that it has not (rw). What contradicts the rule itself is a flaw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from sessionproof.contract.anomalies import Anomaly
from sessionproof.history.transactions import Transaction

Kind: TypeAlias = Literal["ww", "wr", "rw", "process", "realtime"]
_SHOWN = 8  # reads that disagree, of which each message is looked at
_UNSEEN_MOST = 16  # appends that no read has seen, of which edges are drawn


class Edge(NamedTuple):
    """That a transaction comes before ``to``; ``id`` is the message that shows it, or 0."""

    to: int
    kind: Kind
    session: str = ""
    id: int = 0


@dataclass(frozen=True)
class Contradiction:
    """What cannot be: ``members`` are places of transactions, ``lines`` sentences that say why."""

    anomaly: Anomaly
    members: tuple[int, ...]
    lines: tuple[str, ...]


@dataclass
class Dependencies:
    """``edges[at]`` are those of the transaction at this place; empty for one that left no trace.

    ``present`` says of each whether it surely took place. ``flaws`` are reads that no order of
    appends explains; sessions with one have no edges.
    """

    edges: list[list[Edge]]
    present: list[bool]
    flaws: list[Contradiction] = field(default_factory=list)


class _Read(NamedTuple):
    """What a transaction read of a session that others have written."""

    at: int
    ids: tuple[int, ...]


def dependencies(transactions: Sequence[Transaction]) -> Dependencies:
    """The dependencies by data, and what is wrong by itself. Linear in all ids of all reads."""
    writers, parts = _written(transactions)
    reads, flaws = _outside(transactions)
    flawed = {session for session, _ in flaws}
    found = [flaw for _, flaw in flaws]
    orders: dict[str, tuple[int, ...]] = {}
    for session, seen in reads.items():
        longest = max(seen, key=lambda read: len(read.ids))
        wrong = _strange(transactions, writers, parts, session, seen, longest)
        if wrong:
            found += wrong
            flawed.add(session)
        else:
            orders[session] = longest.ids
    found += _lost(transactions)
    seen_ids = {one for ids in orders.values() for one in ids}
    observed = {writers[one][0] for one in seen_ids}
    present = [one.type == "ok" or at in observed for at, one in enumerate(transactions)]
    made = Dependencies([[] for _ in transactions], present, found)
    for session in parts:  # in the order of the history, which a set would not keep
        if session in flawed:
            continue
        order = orders.get(session, ())
        unseen = [
            at for at, ids in parts[session].items() if present[at] and ids[0] not in seen_ids
        ]
        _draw(made, session, order, writers, reads.get(session, []), unseen[:_UNSEEN_MOST], parts)
    return made


_Writers: TypeAlias = dict[int, tuple[int, str]]
_Parts: TypeAlias = dict[str, dict[int, list[int]]]


def _written(transactions: Sequence[Transaction]) -> tuple[_Writers, _Parts]:
    """Who appended each id, and where; by session and transaction, the ids in order."""
    writers: _Writers = {}
    parts: _Parts = defaultdict(lambda: defaultdict(list))
    for at, one in enumerate(transactions):
        for step in one.steps:
            if step.f == "append" and step.ids:
                parts[step.session][at].extend(step.ids)
                for number in step.ids:
                    writers[number] = (at, step.session)
    return writers, parts


def _outside(
    transactions: Sequence[Transaction],
) -> tuple[dict[str, list[_Read]], list[tuple[str, Contradiction]]]:
    """Of each transaction what it read of others, by session; and where it contradicts itself."""
    reads: dict[str, list[_Read]] = defaultdict(list)
    flaws = []
    for at, one in enumerate(transactions):
        own: dict[str, tuple[int, ...]] = {}
        seen: dict[str, tuple[int, ...]] = {}
        for step in one.steps if one.type == "ok" else ():
            mine, session = own.get(step.session, ()), step.session
            if step.f == "append":
                own[session] = mine + (step.ids or ())
                continue
            if step.ids is None:
                continue
            others = len(step.ids) - len(mine)
            if others < 0 or step.ids[others:] != mine:
                said = f"reads {_list(step.ids)}, after it has appended {_list(mine)} itself"
            elif seen.setdefault(session, step.ids[:others]) != step.ids[:others]:
                said = f"reads {_list(step.ids)}, after it has read {_list(seen[session])}"
            else:
                continue
            line = f"T1 {said} in {session!r}"
            flaws.append((session, Contradiction(Anomaly.INTERNAL, (at,), (line,))))
        for session, ids in seen.items():
            reads[session].append(_Read(at, ids))
    return reads, flaws


def _strange(
    transactions: Sequence[Transaction],
    writers: _Writers,
    parts: _Parts,
    session: str,
    seen: Sequence[_Read],
    order: _Read,
) -> list[Contradiction]:
    """What reads of a session have that no order of its appends gives; the first of its kind."""
    others = [read for read in seen if order.ids[: len(read.ids)] != read.ids]
    for read in (order, *others[:_SHOWN]):
        wrong = _foreign(transactions, writers, session, read)
        if wrong is not None:
            return [wrong]
    for read in seen:
        mine = parts[session].get(read.at)
        if mine and mine[0] in read.ids:
            line = f"T1 reads its own message #{mine[0]} in {session!r} before it appends it"
            return [Contradiction(Anomaly.INTERNAL, (read.at,), (line,))]
    if others:
        line = f"T1 reads {_list(others[0].ids)} in {session!r}, T2 reads {_list(order.ids)}"
        return [Contradiction(Anomaly.REORDER, (others[0].at, order.at), (line,))]
    return [*_in_part(writers, parts[session], session, seen, order)]


def _foreign(
    transactions: Sequence[Transaction], writers: _Writers, session: str, read: _Read
) -> Contradiction | None:
    """A message of a read that has no business there."""
    if len(set(read.ids)) < len(read.ids):
        twice = next(one for one in read.ids if read.ids.count(one) > 1)
        line = f"T1 reads message #{twice} twice in {session!r}: {_list(read.ids)}"
        return Contradiction(Anomaly.DUPLICATE, (read.at,), (line,))
    for number in read.ids:
        begun = f"T1 reads message #{number} in {session!r}, "
        if number not in writers:
            return Contradiction(Anomaly.PHANTOM, (read.at,), (f"{begun}which nobody appended",))
        who, where = writers[number]
        if where != session:
            line = f"{begun}which T2 appended to {where!r}"
            return Contradiction(Anomaly.LEAK, (read.at, who), (line,))
        if transactions[who].type == "fail":
            line = f"{begun}which T2 tried to append when it was refused"
            return Contradiction(Anomaly.ABORTED_READ, (read.at, who), (line,))
    return None


def _in_part(
    writers: _Writers,
    appended: dict[int, list[int]],
    session: str,
    seen: Sequence[_Read],
    order: _Read,
) -> Iterator[Contradiction]:
    """Transactions of whose appends to a session a part is seen without the rest."""
    there: dict[int, list[int]] = defaultdict(list)
    for number in order.ids:
        there[writers[number][0]].append(number)
    for who, ids in there.items():
        whole = appended[who]
        if ids != whole[: len(ids)] or (ids != whole and ids[-1] != order.ids[-1]):
            line = f"T1 reads {_list(order.ids)} in {session!r}, where T2 appended {_list(whole)}"
            kind = Anomaly.REORDER if sorted(ids) == sorted(whole) else Anomaly.TORN_BATCH
            yield Contradiction(kind, (order.at, who), (line,))
            return
    for read in seen:
        if not read.ids:
            continue
        who = writers[read.ids[-1]][0]
        if read.ids[-1] != appended[who][-1]:
            line = (
                f"T1 reads {_list(read.ids)} in {session!r}, which ends in the middle of "
                f"what T2 appended: {_list(appended[who])}"
            )
            yield Contradiction(Anomaly.INTERMEDIATE_READ, (read.at, who), (line,))
            return


def _lost(transactions: Sequence[Transaction]) -> Iterator[Contradiction]:
    """Acknowledged appends that a read of the session does not have when all was quiet."""
    last: dict[str, tuple[int, set[int]]] = {}
    for at, one in enumerate(transactions):
        for step in one.steps:
            if one.final and one.type == "ok" and step.ids is not None:
                last[step.session] = (at, set(step.ids))
    for at, one in enumerate(transactions):
        for step in one.steps:
            if one.type != "ok" or step.f != "append" or step.session not in last:
                continue
            final, there = last[step.session]
            gone = [number for number in step.ids or () if number not in there]
            if gone:
                line = (
                    f"T1 was acknowledged, and its message #{gone[0]} is not in "
                    f"{step.session!r} when all was quiet (T2)"
                )
                yield Contradiction(Anomaly.LOST_MESSAGE, (at, final), (line,))
                break


def _draw(
    made: Dependencies,
    session: str,
    order: Sequence[int],
    writers: _Writers,
    reads: Sequence[_Read],
    unseen: Sequence[int],
    parts: _Parts,
) -> None:
    """Add the edges of one session."""
    edges, own = made.edges, parts[session]
    for before, after in pairwise(order):
        one, other = writers[before][0], writers[after][0]
        if one != other:
            edges[one].append(Edge(other, "ww", session, after))
    for at in unseen if order else ():
        edges[writers[order[-1]][0]].append(Edge(at, "ww", session, own[at][0]))
    for read in reads:
        had = len(read.ids)
        if had:
            edges[writers[read.ids[-1]][0]].append(Edge(read.at, "wr", session, read.ids[-1]))
        if had < len(order):
            following = writers[order[had]][0]
            if following != read.at:
                edges[read.at].append(Edge(following, "rw", session, order[had]))
            continue
        for at in unseen:
            if at != read.at:
                edges[read.at].append(Edge(at, "rw", session, own[at][0]))


def _list(ids: Sequence[int]) -> str:
    shown = [f"#{number}" for number in ids]
    if len(shown) > 12:
        shown = [*shown[:4], f"… {len(shown) - 8} more …", *shown[-4:]]
    return f"[{' '.join(shown)}]"
