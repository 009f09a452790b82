"""System calls that fail below a store: one error, errors that stay, a full disk, failed syncs."""

from __future__ import annotations

import errno
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from sessionproof.checks.counters import FACTS, count_counters, judge_counters
from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Completed,
    Count,
    Get,
    Read,
    Reopen,
    as_call,
)
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.failing.full_disk import FullDisk
from sessionproof.faults.failing.injection import CannotInject, Injector
from sessionproof.faults.failing.listening import Met, Rule
from sessionproof.faults.failing.syscalls import Sort
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.counters import answered
from sessionproof.trials.disturbed import Bench, Deed, Told, deeds, without_looks
from sessionproof.trials.failing_lines import Shown, failing_lines
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial

_ALL = frozenset(Sort)
_SPACE = frozenset({Sort.WRITE, Sort.SIZE, Sort.MAKE})
_AGAIN = 3
_EACH_MANNER = 12  # experiments in which each manner of failure comes
_SHARES_MOST = 8
_APPENDS = (Append, AppendWithState)
_LOST = (Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION, Anomaly.TORN_BATCH)


@dataclass(frozen=True)
class Point:
    """One experiment: which operation meets which failing call."""

    deed: Deed
    rule: Rule

    @property
    def words(self) -> str:
        """The failure, for people."""
        if self.rule.error == errno.ENOSPC:
            return "the disk was full"
        sorts = "/".join(sorted(self.rule.sorts)) if self.rule.sorts != _ALL else "change of files"
        if self.rule.stays:
            return f"every {sorts} from its number {self.rule.nth} on failed with {self.rule.shown}"
        return f"its {sorts} number {self.rule.nth} failed with {self.rule.shown}"


@dataclass(frozen=True)
class Wrong:
    """A fault, and the transcript in which it is; ``power`` after a loss of power."""

    fault: Fault
    transcript: Sequence[Completed]
    power: bool = False


@dataclass(frozen=True)
class _Row:
    """What a guarantee sees in an experiment.

    ``fits`` says which operations are disturbed for it, ``wrong`` what it finds, ``counts`` how
    much of its unit one experiment is worth. ``looks`` are facts that are asked for.
    """

    fits: Callable[[Deed], bool]
    wrong: Callable[[Trial, Told], Wrong | None]
    counts: Callable[[Trial, Told], int]
    looks: tuple[type[Get | Count], ...] = ()


def survives(trial: Trial) -> None:
    """Let calls of the store fail, one experiment each; raises Broken.

    Where calls cannot be made to fail, only a full disk is tried, and the reason is noted. Raises
    NotClaimed for a store without files, CouldNotTell when nothing could be disturbed.
    """
    if ROWS[trial.guarantee.id].looks:
        answered(trial, tuple(FACTS))
    with ExitStack() as stack:
        injects = _injects(trial)
        stack.enter_context(injects)
        bench = Bench(trial, injects, Path(mkdtemp(prefix="failing-", dir=parent_of(trial))))
        stack.callback(bench.close)
        _each(trial, ROWS[trial.guarantee.id], bench, full_disk=isinstance(injects, FullDisk))


def _injects(trial: Trial) -> Injector | FullDisk:
    """What makes calls fail; raises CouldNotTell."""
    spec = trial.store.spec
    try:
        return Injector(spec)
    except CannotInject as error:
        if not FullDisk.fits(spec):
            raise CouldNotTell(str(error)) from None
        trial.notes.append(f"only a full disk was tried: {error}")
        return FullDisk(spec)


def _each(trial: Trial, row: _Row, bench: Bench, *, full_disk: bool) -> None:
    fitting = [deed for deed in deeds(trial) if row.fits(deed)]
    points = [*_full_disks(fitting)] if full_disk else _points(trial, bench, fitting)
    failed: Counter[str] = Counter()
    looks = tuple(look for look in row.looks if look.__name__.lower() in trial.capabilities)
    start, chosen = monotonic_s(), points[: trial.profile.injected or None]
    for number, point in enumerate(trial.within_time(chosen)):
        slow = monotonic_s() - start > trial.profile.share_s * _SHARES_MOST
        if slow and number >= _EACH_MANNER:
            trial.notes.append(f"{number} of {len(chosen)} experiments: the store is slow")
            break
        told = bench.tried(point.deed, point.rule, looks=looks)
        if not _met(told, full_disk=full_disk):
            continue
        wrong = row.wrong(trial, told)
        if wrong is not None:
            raise _broken(trial, row, bench, point, told, wrong, looks)
        failed.update(call.name for call in (told.met or Met()).failed)
        trial.count(trial.guarantee.unit, row.counts(trial, told))
    if failed:
        shown = ", ".join(f"{name} {times}" for name, times in failed.most_common())
        trial.notes.append(f"calls that failed, of {len(points)} experiments there are: {shown}")
    if not trial.examined[trial.guarantee.unit]:
        raise CouldNotTell("no call of the store that was made to fail showed anything")


def _met(told: Told, *, full_disk: bool) -> bool:
    """Whether the failure came: calls may come in other numbers than before."""
    return told.outcome.type != "ok" if full_disk else bool(told.met and told.met.failed)


def _full_disks(fitting: Sequence[Deed]) -> Iterator[Point]:
    for deed in fitting:
        yield Point(deed, Rule(sorts=_SPACE, nth=1, error=errno.ENOSPC, stays=True))


def _points(trial: Trial, bench: Bench, fitting: Sequence[Deed]) -> list[Point]:
    """All experiments, in an order in which each manner of failure comes early."""
    chance = generator(trial.seed, "points")
    by_manner: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    blind = 0
    for deed in fitting:
        met = bench.seen(deed)
        blind += met.blind
        for manner, rule in _rules(met):
            by_manner[manner][deed.words].append(Point(deed, rule))
    if not by_manner:
        if blind:
            raise CouldNotTell("the files of the store's calls cannot be seen from outside")
        raise NotClaimed("the store writes no file below its location")
    for of_deeds in by_manner.values():
        for points in of_deeds.values():
            chance.shuffle(points)
    order = sorted(by_manner)
    return _in_turn([_in_turn([*by_manner[manner].values()]) for manner in order])


def _rules(met: Met) -> Iterator[tuple[str, Rule]]:
    """Each way in which one of these calls can fail, with its manner; the first counts most."""
    space = [call.sort for call in met.calls if call.sort in _SPACE]
    for nth, sort in enumerate(space, 1):
        full = Rule(sorts=_SPACE, nth=nth, error=errno.ENOSPC, stays=True)
        yield f"{'0' if sort is Sort.WRITE else '1'} full at {sort}", full
    for sort, times in Counter(call.sort for call in met.calls).items():
        first = "0" if sort is Sort.SYNC else "1"
        for nth in range(1, times + 1):
            yield f"{first} once {sort}", Rule(sorts=frozenset({sort}), nth=nth, error=errno.EIO)
    for nth in range(1, len(met.calls) + 1):
        yield "2 stays", Rule(sorts=_ALL, nth=nth, error=errno.EIO, stays=True)


def _in_turn(lists: Sequence[Sequence[Point]]) -> list[Point]:
    """The first of each, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [some[at] for at in range(longest) for some in lists if at < len(some)]


def _any_harm(trial: Trial, told: Told) -> Wrong | None:
    """DUR-04: what the oracle does not accept, now or after a loss of power."""
    for transcript in (told.transcript, told.power):
        if transcript is not None:
            done, disturbed = without_looks(transcript, told.disturbed)
            fault = judge(done, trial.claims, disturbed=disturbed)
            if fault is not None:
                return Wrong(_named(told, fault, done), done, transcript is told.power)
    return None


def _named(told: Told, fault: Fault, done: Sequence[Completed]) -> Fault:
    """The fault in the words of failing files."""
    if fault.anomaly is Anomaly.UNEXPECTED_REFUSAL:
        looked = isinstance(done[fault.index].operation, Read | Reopen)
        anomaly = Anomaly.UNREADABLE if looked else Anomaly.STUCK
        return replace(fault, anomaly=anomaly)
    if fault.anomaly in _LOST and told.outcome.type == "ok":
        return replace(fault, anomaly=Anomaly.SWALLOWED)
    return fault


def _swallowed(trial: Trial, told: Told) -> Wrong | None:
    """CORE-16: an append returned normally and is not there."""
    if told.outcome.type != "ok":
        return None
    wrong = _any_harm(trial, replace(told, power=None))
    return wrong if wrong is not None and wrong.fault.anomaly is Anomaly.SWALLOWED else None


def _drifted(trial: Trial, told: Told) -> Wrong | None:
    """CNT-04: a write failed, and the facts are not those of the messages."""
    if told.outcome.type == "ok":
        return None
    after = told.transcript[told.at + 1 :]
    fault = judge_counters(after, trial.claims, tuple(FACTS))
    if fault is None:
        return None
    return Wrong(replace(fault, index=fault.index + told.at + 1), told.transcript)


def _compared(trial: Trial, told: Told) -> int:
    if told.outcome.type == "ok":
        return 0
    return bool(count_counters(told.transcript[told.at + 1 :], trial.claims, tuple(FACTS)))


def _writes(deed: Deed) -> bool:
    return not isinstance(deed.step, Reopen)


ROWS = {
    "CORE-16": _Row(lambda deed: isinstance(deed.step, _APPENDS), _swallowed, lambda *_: 1),
    "CNT-04": _Row(_writes, _drifted, _compared, (Get, Count)),
    "DUR-04": _Row(lambda _: True, _any_harm, lambda *_: 1),
}


def _short(text: str, store: str) -> str:
    """The first line, without the command that the store runs by."""
    return text.partition("\n")[0].replace(f" [{store.removeprefix('cmd:')}]", "")[:200]


def _line(done: Completed, told: Told) -> str:
    failing = "  # its system calls failed" if done is told.transcript[told.at] else ""
    return as_call(done.operation) + failing


def _broken(
    trial: Trial,
    row: _Row,
    bench: Bench,
    point: Point,
    told: Told,
    wrong: Wrong,
    looks: tuple[type[Get | Count], ...],
) -> Broken:
    """The finding, tried again on empty locations; the first that fails alone is told."""
    failed = 0
    hung = wrong.fault.anomaly is Anomaly.HANG
    for _ in range(0 if hung else _AGAIN):
        bench.fresh()
        again = bench.tried(point.deed, point.rule, looks=looks)
        found = row.wrong(trial, again)
        if found is not None:
            failed += 1
            told, wrong = again, found
    fault, upto = wrong.fault, wrong.transcript[: wrong.fault.index + 1]
    failure = told.outcome.failure
    ended = (
        "returned normally"
        if failure is None
        else f"raised {failure.type}: {_short(failure.text, trial.store.spec.name)}"
    )
    handle = " (on the same handle it did not go on)" if told.stuck else ""
    power = "; the power failed, and what the failed sync left was lost" if wrong.power else ""
    calls = [
        f"{call.name} of {call.path}{' FAILED' * call.failed}"
        for call in (told.met.calls if told.met else ())
    ]
    finding = Finding(
        anomaly=fault.anomaly,
        did=f"tried to {point.deed.words} while {point.words}; it {ended}; then there were no "
        f"more errors{handle}{power}; the last call: {as_call(upto[-1].operation)}",
        expected=fault.expected,
        seen=fault.seen,
        program=tuple(_line(one, told) for one in upto),
        repeats=None if hung else f"{failed} of {_AGAIN}",
        evidence={**(fault.evidence or {}), "calls while the operation ran": "\n".join(calls)},
        change=fault.change,
    )
    reopened = any(isinstance(one.operation, Reopen) for one in upto[told.at + 1 :])
    shown = Shown(fault.anomaly, reopened, wrong.power)
    try:  # the calls of a store in another process are never awaited
        lines = failing_lines(trial, point.deed, point.rule, shown)
    except Unwritable as why:
        return Broken(replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}")))
    return Broken(replace(finding, script=tuple(lines)))
