"""A store of one session in plain lists, right or wrong in one way: histories are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from sessionproof.history.columns import NONE, F, Type
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


@dataclass
class World:
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
