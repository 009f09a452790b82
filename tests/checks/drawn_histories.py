"""Small random histories of one session: what a correct store answers, and what a broken one does.

A store is simulated: each operation takes effect at a moment between its beginning and its end. In
some histories the store goes wrong once, in others an answer or a time is changed. Plain lists, so
that a judge which shares no code with the checks can look at them; ``history_of`` makes columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from simulated_store import ELSEWHERE, FAIL, INFO, NOWHERE, OK, Act, Store, World

from sessionproof.history.columns import (
    MISSING,
    NEVER,
    NONE,
    ROW,
    F,
    History,
    Lists,
    Phase,
    digest_of,
)


@dataclass(frozen=True)
class Shape:
    """How large a history is: 3 to ``most`` operations, and the shares of outcomes and removals."""

    most: int = 9
    least: int = 3
    clients: int | None = None
    refused: float = 0.06
    unknown: float = 0.09
    removals: float = 1.0


SMALL = Shape()


@dataclass(frozen=True)
class Drawn:
    store: Store
    acts: tuple[Act, ...]
    fault: str = ""
    kept: frozenset[int] = field(default_factory=frozenset)
    """Places in ``acts`` whose full answer goes into the history."""


def drawn(random: Random, store: Store, *, shape: Shape = SMALL, fault: str = "") -> Drawn:
    """What clients of a store saw; ``fault`` of the answer is empty where it did not come about."""
    clients = shape.clients or random.randint(1, 4)
    acts = _calls(random, store, clients, shape)
    quiet = max(max(act.inv, act.ret if act.type != INFO else 0) for _, act in acts) + 1
    world = World(store, random, fault, random.randint(0, 2))
    done: dict[int, list[Act]] = {}
    for point, at, act in sorted(_landing(random, store, acts), key=lambda one: one[:2]):
        late = point == float("inf") or (act.type == INFO and point >= quiet)
        parts = done.setdefault(at, [])
        if not any(part.missing for part in parts):  # a store stops at what it refuses
            parts.append(act if late else world.perform(act))
    out = [_whole(acts[at][1], parts) for at, parts in done.items()]
    finals = [Act(F.READ, clients, 1000 << 8, quiet, quiet + 1, final=True)]
    if any(act.f == F.COUNT for act in out):
        finals.append(Act(F.COUNT, clients, 1001 << 8, quiet + 2, quiet + 3, final=True))
    out += [world.perform(one) for one in finals]
    random.shuffle(out)
    return Drawn(store, tuple(out), world.fault if world.happened else "", _kept(random, out))


def _calls(random: Random, store: Store, clients: int, shape: Shape) -> list[tuple[float, Act]]:
    """What the clients call, each with the moment at which it takes effect."""
    acts: list[tuple[float, Act]] = []
    clock = [random.randint(0, 6) for _ in range(clients)]
    number = [*range(clients)]
    if (store.recreates or not store.creates) and random.random() < 0.9:
        until = random.randint(0, 6)
        acts.append((random.uniform(0, until), Act(F.CREATE, clients, 1 << 8, 0, until)))
        if random.random() < 0.7:
            clock = [until + 1 + random.randint(0, 6) for _ in clock]
    for at in range(2, 2 + random.randint(shape.least - 1, shape.most - 2)):
        client = random.randrange(clients)
        point, act = _call(random, store, shape, at << 8, number[client], clock[client])
        acts.append((point, act))
        if act.type == INFO:
            number[client] += clients + 1
        clock[client] = (act.ret if act.type != INFO else act.inv + 3) + random.randint(0, 5)
        if act.type == FAIL and act.f == F.APPEND and random.random() < 0.7:
            inv, length = clock[client] + 1, random.randint(0, 9)
            again = replace(act, inv=inv, ret=inv + length, type=OK)
            acts.append((random.uniform(inv, again.ret), again))
            clock[client] = again.ret + 1
    return acts


def _call(
    random: Random, store: Store, shape: Shape, number: int, client: int, now: int
) -> tuple[float, Act]:
    """One call, and the moment at which it takes effect: never for some without an outcome."""
    weights: dict[F, float] = {F.APPEND: 5, F.READ: 4, F.READ_LAST: 1, F.COUNT: 1, F.PAGES: 1}
    weights |= {F.CLEAR: 2 * shape.removals, F.REPLACE: shape.removals} if store.clears else {}
    weights |= {F.DELETE: shape.removals} if store.deletes else {}
    weights |= {F.CREATE: 1} if store.recreates else {}
    f = random.choices([*weights], [*weights.values()])[0]
    n = {F.APPEND: random.choice((1, 1, 1, 2, 3)), F.REPLACE: random.randint(0, 2)}.get(f, 0)
    n = random.randint(1, 3) if f == F.READ_LAST else n
    ret = now + random.randint(0, 9)
    point = random.uniform(now, ret)
    shares = (1 - shape.refused - shape.unknown, shape.refused, shape.unknown)
    kind = random.choices((OK, FAIL, INFO), shares)[0]
    if kind == INFO:
        late = point + random.randint(0, 20)
        point = random.choice((point, late, float("inf")))
        ret = NEVER
    return point, Act(f, client, number, now, ret, kind, n)


def _landing(
    random: Random, store: Store, acts: list[tuple[float, Act]]
) -> list[tuple[float, int, Act]]:
    """When what takes effect; a batch that is not atomic lands message by message."""
    out = []
    for at, (point, act) in enumerate(acts):
        if store.atomic or act.f != F.APPEND or act.n < 2 or act.type == FAIL:
            out.append((point, at, act))
            continue
        until = act.ret if act.type == OK else point + 5
        points = sorted(random.uniform(act.inv, until) for _ in act.ids)
        parts = [replace(act, id=number, n=1) for number in act.ids]
        some = random.randint(1, act.n) if act.type == INFO else act.n
        if point == float("inf"):
            out.append((point, at, parts[0]))
            continue
        out += [(when, at, part) for when, part in zip(points[:some], parts, strict=False)]
    return out


def _whole(called: Act, parts: list[Act]) -> Act:
    """What came of a call, out of what came of its parts."""
    if called.type == INFO:
        return called
    if len(parts) == 1:  # whole, or refused at once
        return replace(called, **_told(parts[0]))
    if parts[-1].type == FAIL:
        return replace(called, type=INFO, ret=NEVER)
    return replace(called, value=parts[0].value)


def _told(act: Act) -> dict[str, Any]:
    """What an act says of its outcome."""
    names = ("type", "missing", "answer", "count", "value")
    return {name: getattr(act, name) for name in names}


def _kept(random: Random, acts: list[Act]) -> frozenset[int]:
    """Final reads, the newest ones, surprises for the client, and some others."""
    share = random.choice((0.0, 0.5, 1.0))
    before: dict[int, tuple[int, ...]] = {}
    kept = set()
    for at in sorted(range(len(acts)), key=lambda at: acts[at].inv):
        act = acts[at]
        if act.answer is None:
            continue
        old = before.get(act.client, ())
        surprise = act.answer[: len(old)] != old
        if act.final or act.f == F.READ_LAST or surprise or random.random() < share:
            kept.add(at)
        if act.f != F.READ_LAST:
            before[act.client] = act.answer
    return frozenset(kept)


def shaken(random: Random, history: Drawn) -> Drawn:
    """The same with one time, outcome or answer changed at random; clients stay sequential."""
    acts = [*history.acts]
    at = random.randrange(len(acts))
    act = acts[at]
    ids = act.answer
    if act.type == INFO:
        act = replace(act, type=random.choice((OK, FAIL)), ret=act.inv + random.randint(0, 3))
        act = replace(act, answer=(), missing=False) if act.reads and act.f != F.COUNT else act
    elif act.type == FAIL:
        act = replace(act, missing=not act.missing) if not act.reads else act
    elif ids and random.random() < 0.5:
        one = random.randrange(len(ids))
        other = random.choice([each for act in acts for each in act.ids] or [NOWHERE])
        changed = (ids[:one] + ids[one + 1 :], (*ids, other), (*ids[:one], other, *ids[one + 1 :]))
        act = replace(act, answer=random.choice(changed))
    elif act.f == F.COUNT and not act.missing and random.random() < 0.5:
        act = replace(act, count=act.count + 1)
    elif act.reads and not ids and random.random() < 0.5:
        act = replace(act, missing=not act.missing, answer=None if act.f == F.COUNT else ())
    elif random.random() < 0.5:
        act = replace(act, inv=random.randint(act.inv, act.ret))
    else:
        act = replace(act, ret=random.randint(act.inv, act.ret))
    acts[at] = act
    return replace(history, acts=tuple(acts), fault="shaken", kept=_kept(random, acts))


def history_of(drawn: Drawn) -> History:
    """The columns; session 0 is the one, session 1 has one append that is nobody's business."""
    rows = np.zeros(len(drawn.acts) + 2, ROW)
    for at, act in enumerate(drawn.acts):
        rows[at] = _row(act)
    rows[-2] = _row(Act(F.APPEND, 90, ELSEWHERE, 0, 1, n=1))
    rows[-1] = _row(Act(F.READ, 91, ELSEWHERE + 256, 90, 91, answer=(ELSEWHERE,), final=True))
    rows["session"][-2:] = 1
    answers = {at: drawn.acts[at].answer or () for at in sorted(drawn.kept)}
    answers[len(rows) - 1] = (ELSEWHERE,)
    lengths = [len(ids) for ids in answers.values()]
    flat = [one for ids in answers.values() for one in ids]
    lists = Lists(
        np.array([*answers], np.int64),
        np.cumsum([0, *lengths], dtype=np.int64),
        np.array(flat, np.uint64),
    )
    return History(rows, lists, ("s0", "s1"))


def _row(act: Act) -> np.void:
    row = np.zeros(1, ROW)[0]
    row["id"], row["inv"], row["ret"] = act.id, act.inv, act.ret
    row["client"], row["f"], row["type"], row["n"] = act.client, act.f, act.type, act.n
    row["phase"] = Phase.FINAL if act.final else Phase.LOAD
    row["value"] = act.value if act.type == OK else NONE
    row["length"] = MISSING if act.missing else act.count
    if act.answer:
        row["length"], row["last"] = len(act.answer), act.answer[-1]
        row["digest"] = digest_of(np.array(act.answer, np.uint64))
    return row
