"""One pair of fresh processes, base and head, that do each operation in the same rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from sessionproof.bench.arms.remote import ArmFailed, RemoteArm
from sessionproof.bench.rounds import Arm, in_rounds, undisturbed
from sessionproof.bench.tracking.compared import PairOfCosts
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.machine import usable_cores
from sessionproof.contract.seed import derive, generator

BASE, HEAD = "base", "head"
MESSAGES = 1_000  # of the session that is read
LEAST_ROUNDS = 8
_TIMES_SLOWER = 2.0  # from here on head is why an operation takes too long
_LOAD_S = 1.5  # what loading may take; a slow store has fewer messages
_LOAD_MOST_S = 20 * _LOAD_S  # for the other side, which is to have as many
_WARM = 3  # batches that are not looked at


@dataclass(frozen=True, kw_only=True)
class PairPlan:
    """How a pair is measured: ``rounds`` of each operation, fewer where they take ``row_s``.

    An operation of which ``LEAST_ROUNDS`` take longer than ``most_s`` is left out, unless head is
    why: then it has fewer, and one at least.
    """

    rounds: int
    messages: int = MESSAGES
    row_s: float = 0.4
    most_s: float = 4.0


@dataclass(frozen=True)
class Measured:
    """What a pair of processes measured, by operation, and what it could not, in words.

    ``notes`` say what head works on, ``facts`` what base and head said of themselves. Operations
    that are nowhere here were not come to, as a process had ended before.
    """

    costs: dict[str, PairOfCosts] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Mapping[str, str | None]] = field(default_factory=dict)


class CannotStart(Exception):
    """A store that does not open, or takes no messages; the text names the side."""


def measured_pair(
    start: Mapping[str, Callable[[], RemoteArm]],
    operations: Sequence[str],
    plan: PairPlan,
    *,
    seed: int,
    parent: Path | None,
    done: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Start both sides and measure the operations, in an order drawn from the seed.

    ``done`` is told each operation. Raises CannotStart.
    """
    draw = generator(seed, "pair")
    found = Measured()
    with started_pair(start, draw.sample([BASE, HEAD], 2), parent, plan, found) as arms:
        # Cores of a shared machine may differ by half for minutes: both sides get the same one.
        core = draw.choice(sorted(usable_cores()))
        for arm in arms.values():
            arm.stay_on(core)
        for operation in draw.sample(operations, len(operations)):
            try:
                found.costs[operation] = _in_turns(arms, operation, plan, seed, found)
            except _Failed as failed:
                found.failures[operation] = str(failed)
                if failed.gone:
                    break
            finally:
                done(operation)
    return found


class _Failed(Exception):
    def __init__(self, text: str, *, gone: bool = False) -> None:
        super().__init__(text)
        self.gone = gone


@contextmanager
def started_pair(
    start: Mapping[str, Callable[[], RemoteArm]],
    order: Sequence[str],
    parent: Path | None,
    plan: PairPlan,
    found: Measured,
) -> Iterator[dict[str, RemoteArm]]:
    """Both sides, open and loaded with the same number of messages. Raises CannotStart."""
    arms: dict[str, RemoteArm] = {}
    name = ""
    with TemporaryDirectory(prefix="pair-", dir=parent, ignore_cleanup_errors=True) as folder:
        try:
            try:
                for name in order:  # all begin to import before the first is asked
                    arms[name] = start[name]()
                for name in order:
                    found.facts[name] = arms[name].open(Path(folder) / name)
                number = plan.messages
                for name, limit_s in zip(order, (_LOAD_S, 0.0), strict=True):
                    number = int(arms[name].call("load", number, limit_s, within_s=_LOAD_MOST_S))
                name, pace = order[0], 0.0
                for name in (*order, *order):  # the slower one's pace is both's
                    pace = float(arms[name].call("pace", pace))
            except ArmFailed as failed:
                raise CannotStart(f"{name}: {failed}") from None
            with undisturbed():
                yield arms
        finally:
            _ended(arms)


def _ended(arms: Mapping[str, RemoteArm]) -> None:
    try:
        for arm in arms.values():
            arm.end()
    except BaseException:
        for arm in arms.values():
            arm.kill()
        raise


def _in_turns(
    arms: Mapping[str, RemoteArm], operation: str, plan: PairPlan, seed: int, found: Measured
) -> PairOfCosts:
    """Measure one operation. Raises _Failed."""
    doing = BASE

    def asked(name: str, *given: object) -> object:
        nonlocal doing
        doing = name
        return arms[name].call(*given)  # type: ignore[arg-type]

    def run_of(name: str) -> Callable[[int], Sequence[int]]:
        return lambda number: asked(name, "run", operation, "store", number)  # type: ignore[return-value]

    try:
        notes = {name: str(asked(name, "ready", operation)) for name in arms}
        if notes[BASE] != notes[HEAD]:
            raise _Failed(f"they do not do the same: base {notes[BASE]}; head {notes[HEAD]}")
        found.notes[operation] = notes[HEAD]
        batch = min(int(asked(name, "size", operation, "store")) for name in arms)  # type: ignore[call-overload]
        turns = [Arm(name, run_of(name), batch) for name in arms]
        rounds = _rounds(turns, plan)
        costs = in_rounds(
            turns, rounds, seed=derive(seed, operation), lend=lambda action: action()
        ).costs
    except ArmFailed as failed:
        raise _Failed(f"{doing}: {failed}", gone=failed.gone) from None
    whole = {name: tuple(round(cost) for cost in costs[name].tolist()) for name in arms}
    return PairOfCosts(batch=batch, base=whole[BASE], head=whole[HEAD])


def _rounds(arms: Sequence[Arm], plan: PairPlan) -> int:
    """How many rounds there is time for, after a few that warm up. Raises _Failed for too few."""
    taken_s: dict[str, list[float]] = {arm.name: [] for arm in arms}
    rounds = 0
    while rounds < _WARM and sum(map(sum, taken_s.values())) < plan.row_s:
        for arm in arms:
            began_s = monotonic_s()
            arm.run(arm.batch)
            taken_s[arm.name].append(monotonic_s() - began_s)
        rounds += 1
    quickest_s = {name: min(taken) for name, taken in taken_s.items()}
    round_s = max(sum(quickest_s.values()), 1e-6)
    if LEAST_ROUNDS * round_s <= plan.most_s:
        return max(LEAST_ROUNDS, min(plan.rounds, int(plan.row_s / round_s)))
    base_s, head_s = quickest_s[BASE], quickest_s[HEAD]
    if head_s < _TIMES_SLOWER * base_s or 2 * LEAST_ROUNDS * base_s > plan.most_s:
        raise _Failed(f"{LEAST_ROUNDS} rounds of {round_s:.1f} s would take too long")
    return max(1, int(plan.most_s / round_s))
