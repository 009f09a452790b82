"""Searching for a schedule that breaks a promise; what was searched is counted and told.

First a few random schedules, as most races show in them. Then every schedule with at most two
preemptions of the small programs, and all there are of single operations: these end, and say so.
Then random ones until the time is up.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from typing import NamedTuple

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import derive
from sessionproof.schedule.bounded import Bounded, Path
from sessionproof.schedule.decisions import Ended, Strategy
from sessionproof.schedule.found import Found, Judge, Wrong
from sessionproof.schedule.program import Program, Run
from sessionproof.schedule.programs import Programs
from sessionproof.schedule.shrink import Attempts, Runs, sizes, smaller
from sessionproof.schedule.strategies import NAMES, Replay, sampled

PREEMPTIONS = 2
ALL_MOST = 4_000  # schedules of a program without a bound of preemptions
_FIRST_TURNS = 24  # random schedules of each small program, before bounds are tried
_FIRST_LEAST, _FIRST_MOST = 4, 0.3  # of them, in at most so much of the time
_FIRST, _BOUNDED, _ALL = 0.1, 0.85, 0.92  # of the time, until which each part may last
_PROBLEMS_MOST = 3  # executions in a row that could not begin
_CONFIRMED = 3  # replays of what was found, before it is searched for anew
_REPLAYED_S = 4.0  # for the replays of what is told
_FRESH = 60  # executions on fresh locations, where what was found does not replay


@dataclass(frozen=True)
class Cover:
    """How much of a bound was run; ``preemptions`` is None where there is none.

    ``programs`` of ``of`` were run to the end, ``begun`` of them at all. ``schedules`` counts
    executions, ``whole`` those of programs that were run to the end. ``diverged`` are executions
    that did not do as the one before on their path, although each had a location of its own.
    """

    preemptions: int | None
    programs: int = 0
    of: int = 0
    schedules: int = 0
    diverged: int = 0
    whole: int = 0
    begun: int = 0

    @property
    def covered(self) -> bool:
        """Whether every schedule of every program was run."""
        return self.programs == self.of > 0


@dataclass(frozen=True)
class Explored:
    """What was searched, and what was found.

    ``executions`` counts by strategy, ``distinct`` histories that were different. ``uncontrolled``
    executions had somebody wait unseen; ``ended`` counts those that did not come to their end.
    ``failed`` executions could not begin, or their sessions not be read by a fresh handle, ``last``
    says why; ``problem`` says that it was so each time, and the search was given up.
    """

    executions: Mapping[str, int] = field(default_factory=dict)
    distinct: int = 0
    bound: Cover = Cover(PREEMPTIONS)
    exhaustive: Cover = Cover(None)
    uncontrolled: int = 0
    ended: Mapping[Ended, int] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""
    found: Found | None = None
    failed: int = 0
    last: str = ""

    @property
    def total(self) -> int:
        """All executions of the search, without those that replay and make small."""
        return sum(self.executions.values())


class _Sight(NamedTuple):
    """The first execution that breaks a promise."""

    program: Program
    run: Run
    wrong: Wrong
    by: str


def explore(
    runner: Runs,
    programs: Programs,
    judge: Judge,
    *,
    seconds: float,
    seed: int,
    executions: int | None = None,
    shrink_s: float = 8.0,
    replays: int = 20,
    lines: bool = False,
    tell: Callable[[Explored], None] | None = None,
) -> Explored:
    """Search for so many seconds, or executions; stops at the first finding, and makes it small.

    ``tell`` is called with what was searched so far, after each program of a bound and now and
    then. ``lines`` says that the lines of the store are points.
    """
    search = _Search(runner, judge, seconds, executions, tell)
    everything = (*programs.small, *programs.larger, *programs.single)
    sight = (
        _first_ones(search, programs.small, seed)
        or _bounded(search, "bound", programs.small, until=_BOUNDED)
        or _bounded(search, "exhaustive", programs.single, until=_ALL)
        or _random(search, _rounds(everything, derive(seed, "later"), search), until=1.0)
    )
    explored = search.explored()
    if sight is not None:
        found = _confirmed(search, sight, seed=seed, shrink_s=shrink_s, replays=replays)
        explored = replace(explored, found=replace(found, lines=lines))
    if tell is not None:
        tell(explored)
    return explored


@dataclass
class _Search:
    """Carries out, judges and counts."""

    runner: Runs
    judge: Judge
    seconds: float
    most: int | None
    tell: Callable[[Explored], None] | None
    executions: Counter[str] = field(default_factory=Counter)
    covers: dict[str, Cover] = field(default_factory=dict)
    ended: Counter[Ended] = field(default_factory=Counter)
    uncontrolled: int = 0
    failed: int = 0
    in_a_row: int = 0
    problem: str = ""
    last: str = ""
    lengths: Counter[Program] = field(default_factory=Counter)  # steps of the longest execution
    _seen: set[bytes] = field(default_factory=set)
    _begin_s: float = field(default_factory=monotonic_s)

    def __post_init__(self) -> None:
        self.covers = {"bound": Cover(PREEMPTIONS), "exhaustive": Cover(None)}

    def share(self) -> float:
        """How much of the time, or of the executions, is spent; 1 when it is all."""
        if self.problem:
            return 1.0
        share = (monotonic_s() - self._begin_s) / max(self.seconds, 1e-9)
        return share if self.most is None else max(share, self.executions.total() / self.most)

    def carry_out(
        self, program: Program, strategy: Strategy, by: str, *, fresh: bool = False
    ) -> _Sight | None:
        run = self.runner.run(program, strategy, fresh=fresh)
        self.executions[by] += 1
        if run.problem:
            self.failed, self.last = self.failed + 1, run.problem
            self.in_a_row += 1
            self.problem = run.problem if self.in_a_row >= _PROBLEMS_MOST else ""
            return None
        self.in_a_row = 0
        self.uncontrolled += not run.controlled
        if run.ended is not Ended.DONE:
            self.ended[run.ended] += 1
        self.lengths[program] = max(self.lengths[program], len(run.steps))
        self._seen.add(_digest(program, run))
        wrong = self.judge(run)
        return None if wrong is None else _Sight(program, run, wrong, by)

    def report(self) -> None:
        if self.tell is not None:
            self.tell(self.explored())

    def explored(self) -> Explored:
        return Explored(
            dict(self.executions),
            len(self._seen),
            self.covers["bound"],
            self.covers["exhaustive"],
            self.uncontrolled,
            dict(self.ended),
            monotonic_s() - self._begin_s,
            self.problem,
            failed=self.failed,
            last=self.last,
        )


def _digest(program: Program, run: Run) -> bytes:
    """Equal for executions in which clients saw the same."""
    made, history = hashlib.blake2b(digest_size=16), run.history
    lists = history.lists
    for part in (history.rows, lists.row, lists.start, lists.ids):
        made.update(part.tobytes())
    made.update(repr((hash(program), run.ended)).encode())
    return made.digest()


def _first_ones(search: _Search, programs: Sequence[Program], seed: int) -> _Sight | None:
    """Four for each program even where they take long, and more where they do not."""
    rounds, number = _rounds(programs, seed, search), len(programs)
    return _random(search, islice(rounds, _FIRST_LEAST * number), until=_FIRST_MOST) or _random(
        search, islice(rounds, (_FIRST_TURNS - _FIRST_LEAST) * number), until=_FIRST
    )


def _rounds(
    programs: Sequence[Program], seed: int, search: _Search
) -> Iterator[tuple[Program, Strategy]]:
    """A random schedule of each program in turn, then another one of each."""
    own = {
        program: sampled(derive(seed, at), partial(search.lengths.__getitem__, program))
        for at, program in enumerate(programs)
    }
    return ((program, next(own[program])) for program in cycle(programs))


def _random(
    search: _Search, turns: Iterable[tuple[Program, Strategy]], *, until: float
) -> _Sight | None:
    for at, (program, strategy) in enumerate(turns):
        if search.share() >= until:
            break
        sight = search.carry_out(program, strategy, NAMES[type(strategy)])
        if sight is not None:
            return sight
        if at % 256 == 255:
            search.report()
    search.report()
    return None


class _Bound:
    """A bound of one program, and how far it was run."""

    def __init__(self, program: Program, preemptions: int | None) -> None:
        self.fresh = False
        self.schedules = Bounded(program, preemptions)
        self._paths = self._begun()

    def _begun(self) -> Iterator[Path]:
        most = ALL_MOST if self.schedules.preemptions is None else None
        return islice(self.schedules, most)

    def along(self, search: _Search, by: str, *, until: float) -> _Sight | None:
        """Go on until this share is spent; answers what was found."""
        while search.share() < until:
            path = next(self._paths, None)
            if path is None:
                return None
            sight = search.carry_out(self.schedules.program, path, by, fresh=self.fresh)
            if sight is not None:
                return sight
            if path.diverged and not self.fresh:
                # A pool that has grown, a file that became long: from now on nothing was before.
                self.fresh = True
                self.schedules = replace(self.schedules, schedules=0, diverged=0)
                self._paths = self._begun()
        return None


def _bounded(
    search: _Search, name: str, programs: Sequence[Program], *, until: float
) -> _Sight | None:
    """Every schedule of each program, to its end, one after the other.

    Few that are run to their end say more than many that are not.
    """
    preemptions = search.covers[name].preemptions
    bounds = [_Bound(program, preemptions) for program in programs]
    for bound in bounds:
        sight = bound.along(search, name, until=until)
        search.covers[name] = _cover(preemptions, [one.schedules for one in bounds])
        search.report()
        if sight is not None:
            return sight
    return None


def _cover(preemptions: int | None, bounds: Sequence[Bounded]) -> Cover:
    return Cover(
        preemptions,
        sum(one.covered for one in bounds),
        len(bounds),
        sum(one.schedules for one in bounds),
        sum(one.diverged for one in bounds),
        sum(one.schedules for one in bounds if one.covered),
        sum(one.schedules > 0 for one in bounds),
    )


def _confirmed(
    search: _Search, sight: _Sight, *, seed: int, shrink_s: float, replays: int
) -> Found:
    """The finding as it replays on fresh locations, made small; as it is where it never does."""
    runner, judge, spent = search.runner, search.judge, search.explored()
    found = Found(
        program=sight.program,
        schedule=sight.run.decisions,
        run=sight.run,
        wrong=sight.wrong,
        after=spent.total,
        seconds=spent.seconds,
        by=sight.by,
        first=sizes(sight.program, sight.run.decisions),
    )
    attempts = Attempts(runner, judge, sight.wrong.anomaly)
    again = (attempts.replayed(found.program, found.schedule) for _ in range(_CONFIRMED))
    run = next((one for one in again if one is not None), None)
    until_s = monotonic_s() + shrink_s
    if run is None:  # what was left by earlier executions may have a part in it
        attempts = replace(attempts, until_s=until_s)
        some = islice(sampled(seed, partial(len, found.run.steps)), _FRESH)
        run = attempts.searched(found.program, some, fresh=True)
    if run is None:
        return replace(found, replays=_CONFIRMED)
    found = replace(found, run=run, schedule=run.decisions, wrong=judge(run) or found.wrong)
    found = smaller(runner, judge, found, seconds=until_s - monotonic_s(), seed=seed)
    return _replayed(runner, judge, found, replays, seconds=max(shrink_s, _REPLAYED_S))


def _replayed(runner: Runs, judge: Judge, found: Found, replays: int, *, seconds: float) -> Found:
    """With how often it shows the same anomaly again; few times where each takes long."""
    until_s, shown, tried = monotonic_s() + seconds, 0, 0
    while tried < replays and (tried < _CONFIRMED or monotonic_s() < until_s):
        wrong = judge(runner.run(found.program, Replay(found.schedule), fresh=True))
        shown += wrong is not None and wrong.anomaly is found.wrong.anomaly
        tried += 1
    return replace(found, replayed=shown, replays=tried)
