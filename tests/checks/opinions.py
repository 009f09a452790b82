"""What three judges say of one drawn history, and by what it can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import second_method
from drawn_histories import SMALL, Drawn, Shape, drawn, history_of, shaken
from simulated_store import FAULTS, Store

from sessionproof.checks.history import judge_history
from sessionproof.checks.models import REMOVALS
from sessionproof.checks.search import judge_session
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import F

A = Anomaly
UNREAD = {A.LOST_MESSAGE, A.LOST_SESSION, A.STALE_READ, A.READ_YOUR_WRITES, A.NON_MONOTONIC}
PARTS = {A.TORN_BATCH, A.INTERMEDIATE_READ}
ORDERS = {A.REORDER, A.REAL_TIME, A.WRITE_ORDER}
NUMBERS = {A.SEQUENCE_GAP, A.DUPLICATE_SEQUENCE, A.SEQUENCE_ORDER}

NAMES: dict[str, set[Anomaly]] = {
    "lost": UNREAD | PARTS | {A.COUNTER_DRIFT} | NUMBERS,
    "duplicate": {A.DUPLICATE, A.COUNTER_DRIFT} | NUMBERS | PARTS,
    "gap": UNREAD | PARTS | {A.REORDER},
    "swap": ORDERS | PARTS | NUMBERS | {A.FUTURE_READ},
    "stale": UNREAD | PARTS | {A.RESURRECTION, A.COUNTER_DRIFT},
    "short": UNREAD | PARTS | {A.REORDER, A.COUNTER_DRIFT},
    "phantom": {A.PHANTOM, A.COUNTER_DRIFT} | NUMBERS,
    "leak": {A.LEAK, A.COUNTER_DRIFT} | NUMBERS,
    # What was refused and took place may show by what is missing alone.
    "aborted": {A.ABORTED_READ, A.DUPLICATE, A.FUTURE_READ, A.LOST_SESSION, A.STALE_READ}
    | {A.RESURRECTION}
    | ORDERS
    | NUMBERS,
    "torn": UNREAD | PARTS | NUMBERS | {A.COUNTER_DRIFT},
    "count": UNREAD | {A.COUNTER_DRIFT, A.FUTURE_READ},
    "total": {A.COUNTER_DRIFT},
    "number": NUMBERS,
    "ignored": UNREAD | {A.RESURRECTION},
}
"""The true names of each fault. Which one fits hangs on when it was seen, and by what alone:
a lost message that nobody read, for one, is a count or a number that does not fit."""


@dataclass(frozen=True)
class Opinions:
    """``None``: could not tell. ``first`` is that of a user's run, linear where it can be."""

    drawn: Drawn
    first: bool | None
    searched: bool | None
    tried: bool
    names: frozenset[Anomaly]

    @property
    def named(self) -> bool:
        """Whether the fault that was planted is told by a true name.

        That nothing explains the history is name enough where messages may have been removed, and
        where some answers are known by their digest alone; and so are a count or a number where
        only they show it.
        """
        acts = enumerate(self.drawn.acts)
        whole = all(
            at in self.drawn.kept if act.answer else act.f not in REMOVALS for at, act in acts
        )
        if self.drawn.fault not in NAMES:
            return True
        counted = any(act.f == F.COUNT for act in self.drawn.acts)
        by_count = {A.COUNTER_DRIFT} if counted else set()
        by_number = set() if self.drawn.store.start is None else NUMBERS
        by_search = set() if whole else {A.NOT_LINEARIZABLE}
        return bool(self.names & (NAMES[self.drawn.fault] | by_count | by_number | by_search))

    @property
    def told(self) -> bool:
        """Whether all three came to a word; a user's run may say that it could not tell."""
        return self.first is not None and self.searched is not None

    @property
    def agree(self) -> bool:
        """Whether nobody contradicts another, and what a correct store did is explained."""
        words = {self.first, self.searched, self.tried} - {None}
        return self.finer or (len(words) == 1 and (self.tried or bool(self.drawn.fault)))

    @property
    def finer(self) -> bool:
        """Whether the linear pass alone found a fault, in pages that the others leave out.

        Pages during a deletion show no single moment, but their messages still have an order. What
        a correct store did is never excused so.
        """
        alone = self.first is False and self.searched and self.tried
        return bool(alone and self.drawn.fault and second_method.leaves_out_pages(self.drawn))


def opinions(seed: int, *, limit_s: float = 20.0) -> Opinions:
    """Draw the history of this seed, and ask all three."""
    random = Random(seed)
    one = a_drawn(random)
    history, store = history_of(one), one.store
    claims = Claims(
        missing_session="creates" if store.creates else "refuses",
        atomic_batches=store.atomic,
        seq_start=store.start,
        consistency="linearizable",
    )
    first = judge_history(history, claims)
    searched = judge_session(
        history,
        0,
        creates=store.creates,
        limit_s=limit_s,
        atomic=store.atomic,
        start=store.start,
    )
    return Opinions(
        one,
        None if first.unknown and not first.incidents else first.level == "linearizable",
        None if searched.unknown else not searched.incidents,
        second_method.explained(one),
        frozenset(incident.anomaly for incident in first.incidents),
    )


def a_drawn(random: Random) -> Drawn:
    """Half of them without clearing and deleting; most go wrong, in one way or at random."""
    creates, plain = random.random() < 0.5, random.random() < 0.5
    store = Store(
        creates=creates,
        atomic=random.random() < 0.8,
        start=random.choice((None, None, 0, 1)),
        totals=random.random() < 0.3,
        clears=not plain and random.random() < 0.8,
        deletes=random.random() < 0.5 and not (plain and creates),
        recreates=random.random() < 0.3,
    )
    fault = random.choice(FAULTS) if random.random() < 0.75 else ""
    shape = Shape(refused=0.2) if fault == "aborted" else SMALL
    one = drawn(random, store, shape=shape, fault=fault)
    return shaken(random, one) if not one.fault and random.random() < 0.6 else one


def shown(one: Opinions) -> str:
    """A history with what was said of it, for people."""
    lines = [f"linear {one.first}, searched {one.searched}, tried {one.tried}: {one.drawn.store}"]
    lines += [f"fault {one.drawn.fault!r}, names {sorted(one.names)}"]
    for act in sorted(one.drawn.acts, key=lambda act: (act.inv, act.ret)):
        ret = "" if act.ret == 2**63 - 1 else act.ret
        ids = None if act.answer is None else [f"{number:x}" for number in act.answer]
        lines.append(
            f"{act.client:>2} {act.inv:>3}..{ret:<3} {act.type.name:<4} {act.f.name} {act.id:x}"
            f" n={act.n} missing={act.missing} ids={ids} count={act.count} value={act.value}"
        )
    return "\n".join(lines)
