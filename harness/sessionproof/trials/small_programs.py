"""Small programs of a few clients, drawn and tried until one breaks what a store promises.

For stores whose threads nobody else can control: those behind a command, in another language, on a
driver of their own. What fails is shrunk by trying again, and told by the shortest run that failed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from hypothesis.strategies import SearchStrategy

from sessionproof.checks.incidents import Incident
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import derive
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import F
from sessionproof.scripts.races import attempts_for
from sessionproof.trials.crowds import crews
from sessionproof.trials.narrowing import Broken as BrokenBy
from sessionproof.trials.narrowing import Failing
from sessionproof.trials.rounds import Played, Rounds, kept, require_served, told
from sessionproof.trials.rows_together import broken_together, called_for, promised_together
from sessionproof.trials.run_tables import NAMED, table_of
from sessionproof.trials.scripted import scripted
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.trials.smaller import (
    TIMES,
    Attempts,
    Found,
    Small,
    alone,
    in_a_row,
    overlapped,
    smaller,
    smallest,
)
from sessionproof.trials.windows import finding_of
from sessionproof.workload.crews import Crew, Kind, is_hosted
from sessionproof.workload.mixes import has
from sessionproof.workload.search import Counterexample, search
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.small_programs import (
    CLIENTS,
    SmallProgram,
    round_of_times,
    small_programs,
)

RUNS, HOSTED_RUNS = 8, 24  # of each program; a fresh handle of a hosted store is a new process
_MIX = "small programs"
_MESSAGE_BYTES = 120  # of the longest, with what stores put around it
_BATCH_MOST = 3
_HISTORY = 4  # other tests of a row keep theirs under the numbers below
_FS = (
    F.APPEND, F.READ, F.READ_LAST, F.COUNT, F.PAGES, F.CREATE, F.DELETE, F.CLEAR, F.REPLACE,
)  # fmt: skip


@dataclass(frozen=True)
class Explored:
    """How many programs were tried, in how many runs, and in how many of those clients met.

    Clients meet where two calls of different ones were under way on one session: only these runs
    are evidence.
    """

    programs: int
    runs: int
    together: int


def explored(trial: Trial, kinds: Sequence[Kind], *, seconds: float) -> Explored:
    """Draw small programs for clients of these kinds in turn, for about so many seconds.

    Raises Broken with the smallest that broke one of CONC-01 to CONC-06, as far as the store
    promises them; NotClaimed where it promises none; CouldNotTell where most calls failed.
    """
    promised = promised_together(trial.capabilities, trial.claims)
    if not promised:
        raise NotClaimed("the store promises nothing to several clients that append")
    with crews(trial, dict.fromkeys(kinds, CLIENTS)) as gathered:
        exploring = _Exploring(trial, Rounds(trial), gathered)
        searched = search(
            _drawing(trial, promised),
            exploring.judge,
            seed=derive(trial.seed, _MIX),
            enough=lambda spent_s: exploring.programs >= len(gathered) and spent_s > seconds,
            shrink_s=trial.profile.shrink_s,
        )
        if searched.counterexample is not None:
            raise exploring.broken(searched.counterexample)
        require_served(exploring.rounds)
        exploring.rounds.measure(gathered)
    return Explored(exploring.programs, exploring.runs, exploring.together)


@dataclass
class _Exploring:
    """What was tried so far, and which clients a program failed with first."""

    trial: Trial
    rounds: Rounds
    crews: Sequence[Crew]
    programs: int = 0
    runs: int = 0
    together: int = 0
    failed: Crew | None = None

    def judge(self, program: SmallProgram) -> Found | None:
        """The program with the clients whose turn it is, or with those that it failed with."""
        if self.failed is not None:
            return self._attempts(self.failed).failing(program)
        one, times = self.crews[self.programs % len(self.crews)], _runs(self.trial)
        self.programs += 1
        made = round_of_times(
            program,
            times,
            first=self.rounds.first,
            prefix=self.rounds.prefix,
            seed=derive(self.trial.seed, _MIX, self.programs),
        )
        played = self.rounds.given(one, _MIX, made)
        if played.counts:
            self.runs += times
            self.together += overlapped(played, program.sessions)
        incident = self._wrong(played)
        if incident is None:
            return None
        self.failed = one
        return played, incident

    def broken(self, found: Counterexample[SmallProgram, Found]) -> Broken:
        """What is raised for the smallest program that fails by itself, if one does."""
        trial, one = self.trial, self.failed
        if one is None:
            raise RuntimeError("a counterexample that nobody played")
        self.rounds.measure([one])
        attempts, half_s = self._attempts(one), trial.profile.shrink_s / 2
        small = smallest(attempts, found.program, found.fault, monotonic_s() + half_s)
        first = Small(found.first_program, *found.first_fault)
        until_s = monotonic_s() + half_s
        for tried in (small, first):
            failing = alone(attempts, tried, until_s)
            if failing.failed:
                return Broken(told_small(trial, one, tried.program, failing, number=_HISTORY))
            if monotonic_s() > until_s:
                break
        # What clients did before, on other sessions, has a part in it.
        failing = in_a_row(attempts, small, monotonic_s() + half_s)
        return Broken(told_small(trial, one, small.program, failing, number=_HISTORY))

    def _wrong(self, played: Played) -> Incident | None:
        return broken_together(played, self.trial.capabilities, self.trial.claims)

    def _attempts(self, one: Crew) -> Attempts:
        return attempts_of(self.trial, self.rounds, one, self._wrong)


def retold(
    trial: Trial, rounds: Rounds, one: Crew, failing: Failing, broken: BrokenBy, *, number: int
) -> Finding | None:
    """The break of a round by a small program, if one fails again; its history has this number.

    ``failing`` and ``broken`` are those of ``narrowed``; it takes the time of shrinking again.
    """
    attempts = attempts_of(trial, rounds, one, broken)
    found = smaller(attempts, failing, seconds=trial.profile.shrink_s)
    return None if found is None else told_small(trial, one, *found, number=number)


def attempts_of(trial: Trial, rounds: Rounds, one: Crew, broken: BrokenBy) -> Attempts:
    """How small programs are tried by this crew; ``broken`` as in ``narrowed``."""

    def fresh() -> None:
        one.close()
        trial.store.fresh_location()

    return Attempts(
        play=lambda made: rounds.again(one, _MIX, made),
        broken=broken,
        fresh=fresh,
        seed=derive(trial.seed, _MIX, "again"),
        times=max(TIMES, _runs(trial)),
    )


def _runs(trial: Trial) -> int:
    return HOSTED_RUNS if is_hosted(trial.store) else RUNS


def told_small(
    trial: Trial, one: Crew, program: SmallProgram, failing: Failing, *, number: int
) -> Finding:
    """The finding of a small program, with its history kept under this number, and its script."""
    shown, found = failing.played, failing.incident
    times = len(shown.round.sessions) // program.sessions
    row = f", as they did a small program {times} times in a row" if times > 1 else ""
    finding = finding_of(found, shown.history, did=f"{told(one, shown)}{row}")
    finding = kept(trial, finding, shown, number)
    session = found.session % program.sessions
    finding = replace(
        finding,
        repeats=f"{failing.failed} of {failing.tried}",
        evidence={**finding.evidence, NAMED: table_of(shown, [found.session])},
    )
    attempts = attempts_for(failing.failed, failing.tried, 2 * shown.seconds)
    made = round_of_times(program, 1, first=1, prefix="")
    return scripted(trial, finding, one, made, session=session, attempts=attempts)


def _drawing(trial: Trial, promised: Collection[str]) -> SearchStrategy[SmallProgram]:
    """Programs of the calls that the store has, and of which its promises say something."""
    claims, capabilities, limits = trial.claims, trial.capabilities, trial.claims.limits
    racing = needs_create(claims, capabilities) and claims.session_ids == "caller"
    said = called_for(promised)
    fits = _BATCH_MOST if limits.batch_bytes is None else limits.batch_bytes // _MESSAGE_BYTES
    return small_programs(
        [f for f in _FS if f in said and has(capabilities, f) and (racing or f is not F.CREATE)],
        batch=max(1, min(_BATCH_MOST, fits)),
        keeps=limits.retention,
    )
