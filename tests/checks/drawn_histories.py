"""Small random histories of one session: what a correct store answers, and what a broken one does.

A correct store is simulated: each operation takes effect at a moment between its beginning and its
end. Then, in some, one answer or one time is falsified. Plain lists, so that a judge which shares
no code with the checks can look at them; ``history_of`` makes columns of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np

from sessionproof.history.columns import (
    MISSING,
    NEVER,
    NONE,
    ROW,
    F,
    History,
    Lists,
    Phase,
    Type,
    digest_of,
)
from sessionproof.history.tokens import tokens_of

ELSEWHERE = 0x770000
"""The id of a message that was sent to another session."""

NOWHERE = 0x990000
"""An id that no client sent."""

OK, FAIL, INFO = Type.OK, Type.FAIL, Type.INFO


@dataclass(frozen=True)
class Act:
    """One operation. ``answer``: ids that were read; ``missing``: it was told "not found"."""

    f: F
    client: int
    id: int
    inv: int
    ret: int
    type: Type = OK
    n: int = 0
    missing: bool = False
    answer: tuple[int, ...] | None = None
    count: int = 0
    value: int = NONE
    final: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(range(self.id, self.id + self.n))

    @property
    def reads(self) -> bool:
        return self.f in (F.READ, F.READ_LAST, F.PAGES, F.COUNT)


@dataclass(frozen=True)
class Store:
    """What the simulated store is like; see ``judge_session``."""

    creates: bool = True
    atomic: bool = True
    start: int | None = None
    totals: bool = False
    clears: bool = False
    deletes: bool = False
    recreates: bool = False


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


@dataclass
class _World:
    """The simulated session. ``fault`` goes wrong once, at the first chance after ``patience``."""

    store: Store
    random: Random
    fault: str = ""
    patience: int = 0
    happened: bool = False
    state: str = "missing"
    ids: list[int] = field(default_factory=list)
    past: list[tuple[int, ...]] = field(default_factory=list)
    next: int = 0

    def perform(self, act: Act) -> Act:
        """The act with its answer; the world moves on."""
        self.past.append(tuple(self.ids))
        if act.type == FAIL:
            if act.f == F.APPEND and self._goes_wrong("aborted"):
                self._grow(act.ids)
            return act
        if act.reads:
            return act if act.type == INFO else self._falsified(self._read(act))
        done = self._write(act)
        return replace(act, missing=done.missing) if act.type == INFO else done

    def _goes_wrong(self, fault: str) -> bool:
        if self.happened or self.fault != fault:
            return False
        self.patience -= 1
        self.happened = self.patience < 0
        return self.happened

    def _absent(self) -> bool:
        return not self.ids and self.state != "made" and self.random.random() < 0.5

    def _read(self, act: Act) -> Act:
        if self._absent():
            return replace(act, missing=True, answer=None if act.f == F.COUNT else ())
        if act.f == F.COUNT:
            total = sum(map(tokens_of, self.ids)) if self.store.totals else NONE
            return replace(act, count=len(self.ids), value=total)
        return replace(act, answer=self._window(act, self.ids))

    def _window(self, act: Act, ids: list[int] | tuple[int, ...]) -> tuple[int, ...]:
        return tuple(ids[-act.n :] if act.f == F.READ_LAST else ids)

    def _falsified(self, act: Act) -> Act:
        """The answer, or what a store answers that goes wrong here."""
        ids = act.answer
        if act.f == F.COUNT:
            if not act.missing and self._goes_wrong("count"):
                more = self.random.choice((-1, 1, 1))
                return replace(act, count=max(0, act.count + more) or 1)
            if act.value != NONE and self._goes_wrong("total"):
                return replace(act, value=act.value + 1)
        elif ids and not act.missing:
            if self._goes_wrong("stale"):
                return replace(act, answer=self._window(act, self.random.choice(self.past)))
            if len(ids) > 2 and self._goes_wrong("gap"):
                at = self.random.randrange(len(ids) - 1)
                return replace(act, answer=ids[:at] + ids[at + 1 :])
            if len(ids) > 1 and self._goes_wrong("short"):
                return replace(act, answer=ids[: self.random.randrange(len(ids))])
        return act

    def _write(self, act: Act) -> Act:
        refuses = not self.store.creates and self.state in ("missing", "deleted")
        if act.f == F.APPEND and refuses:
            return replace(act, type=FAIL, missing=True)
        if act.f in (F.DELETE, F.CLEAR) and self._absent():
            return replace(act, type=FAIL, missing=True)
        match act.f:
            case F.APPEND:
                return replace(act, value=self._append(act))
            case F.CREATE:
                if self.ids or self.state == "made":
                    return replace(act, type=FAIL)
                self.state = "made"
            case _:
                if self._goes_wrong("ignored"):
                    return act
                self.ids = []
                self.state = "deleted" if act.f == F.DELETE else "emptied"
        self._grow(act.ids)
        return act

    def _append(self, act: Act) -> int:
        ids = act.ids
        if act.type == OK and self._goes_wrong("lost"):
            ids = ()
        elif len(ids) > 1 and self._goes_wrong("torn"):
            at = self.random.randrange(len(ids))
            ids = ids[:at] + ids[at + 1 :]
        elif self._goes_wrong("phantom"):
            ids = (*ids, self.random.choice((0, NOWHERE)))
        elif self._goes_wrong("leak"):
            ids = (*ids, ELSEWHERE)
        elif self._goes_wrong("duplicate"):
            ids = (*ids, ids[0])
        first = self._grow(ids)
        if len(self.ids) > len(ids) and ids and self._goes_wrong("swap"):
            at = len(self.ids) - len(ids) - 1
            self.ids.append(self.ids.pop(at))
        return first + (first != NONE and self._goes_wrong("number"))

    def _grow(self, ids: tuple[int, ...]) -> int:
        first = self.next
        self.ids += ids
        self.next += len(ids)
        if ids and self.state != "made":
            self.state = "plain"
        return NONE if self.store.start is None else self.store.start + first


FAULTS = (
    "lost",
    "duplicate",
    "gap",
    "swap",
    "stale",
    "short",
    "phantom",
    "leak",
    "aborted",
    "torn",
    "count",
    "total",
    "number",
    "ignored",
)


def drawn(random: Random, store: Store, *, shape: Shape = SMALL, fault: str = "") -> Drawn:
    """What clients of a store saw; ``fault`` of the answer is empty where it did not come about."""
    clients = shape.clients or random.randint(1, 4)
    acts = _calls(random, store, clients, shape)
    quiet = max(max(act.inv, act.ret if act.type != INFO else 0) for _, act in acts) + 1
    world = _World(store, random, fault, random.randint(0, 2))
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
