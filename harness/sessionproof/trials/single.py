"""A single client against the store: what a suite's test has in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from hypothesis.strategies import SearchStrategy

from sessionproof.checks.transcript import Fault, evidence_of, judge, judge_answers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import Guarantee
from sessionproof.contract.measurements import Measured
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Operation,
    Outcome,
    Program,
)
from sessionproof.contract.seed import derive
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.program import script_of, whole
from sessionproof.trials.steps import steps_of
from sessionproof.trials.telling import did, program_of, with_ids
from sessionproof.trials.trimming import a_while, is_costly, trimmed
from sessionproof.workload import programs
from sessionproof.workload.execute import StoreUnderTest, Transcript, execute
from sessionproof.workload.guard import Handle
from sessionproof.workload.profiles import Profile
from sessionproof.workload.search import Counterexample, search
from sessionproof.workload.vocabulary import Vocabulary, timed, vocabulary

E = TypeVar("E")
Judge = Callable[[Transcript], Fault | None]
_AGAIN = 3  # times that a counterexample is run again
_ANSWER_S = 20.0  # what a script waits at most for a call that hung


class Broken(AssertionError):
    """The guarantee is broken; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(told(finding))
        self.finding = finding


class CouldNotTell(Exception):
    """The guarantee could not be judged; the text is the reason."""


class NotClaimed(Exception):
    """The store does not make this promise; the text names what it lacks."""


@dataclass(frozen=True)
class _Shown:
    """A program that shows a fault. ``ids`` are those that its logical sessions were given."""

    program: Program
    transcript: Transcript
    fault: Fault
    ids: Mapping[str, str] | None = None


Lines = Callable[[], Sequence[str]]
Judged = Callable[[Program], tuple[Transcript, _Shown | None]]


@dataclass
class Trial:
    """One test of one guarantee against one store.

    ``examined`` counts evidence by unit, the guarantee's own decides; ``notes`` are sentences for
    the report, ``measured`` is for it. ``run_seed`` is for what the tests of a run share.
    """

    guarantee: Guarantee
    store: StoreUnderTest
    capabilities: frozenset[str]
    profile: Profile
    seed: int
    run_seed: int = 0
    examined: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    started_s: float = field(default_factory=monotonic_s)

    @property
    def claims(self) -> Claims:
        """What the store promises, declared or probed."""
        return self.store.claims

    @property
    def words(self) -> Vocabulary:
        """The messages that can be sent; raises CouldNotTell when there are none."""
        words = vocabulary(self.store.spec, self.claims)
        if not words.samples:
            raise CouldNotTell(f"no message can be expressed: {'; '.join(words.refused)}")
        return words

    @property
    def text_seed(self) -> int:
        """The seed of the realistic texts: one for a run, so that they are made once."""
        return derive(self.seed, "texts") % 1000

    def strategy(
        self, *kinds: type[Operation], sessions: int = 1, most: int = 24
    ) -> SearchStrategy[Program]:
        """Programs of these operations within the store's claims."""
        return programs.programs(
            self.words,
            self.capabilities,
            kinds,
            seed=self.text_seed,
            names=[f"s{number}" for number in range(sessions)],
            most=most,
        )

    def program(self, *steps: Operation, sessions: Sequence[str] = ("s0",)) -> Program:
        """These steps as a program: sessions made, tokens given, a read of each at the end."""
        return programs.finished(steps, sessions, self.words, self.capabilities)

    def several(self, number: int) -> tuple[Message, ...]:
        """So many messages of the simplest kind; one where the store limits its batches."""
        most = number if self.claims.limits.batch_bytes is None else 1
        return (timed(self.words.samples[0], self.claims),) * most

    def count(self, unit: str, number: int = 1) -> None:
        """Add evidence."""
        self.examined[unit] += number

    def enough(self, seconds: float) -> bool:
        """Whether a search may stop: its time is spent and it has its evidence, or must give up."""
        if seconds < self._share_s:
            return False
        if self.examined[self.guarantee.unit] >= self.guarantee.least:
            return True
        return self.time_is_up()

    @property
    def _share_s(self) -> float:
        return self.profile.share_s * self.guarantee.weight

    def time_is_up(self) -> bool:
        """Whether the trial must end even without its least evidence: the store is too slow.

        Trials that go through a list of examples ask this between two of them.
        """
        longest = max(self._share_s * self.profile.patience, self.profile.patience_s)
        return monotonic_s() - self.started_s > longest

    def within_time(self, examples: Sequence[E]) -> Iterator[E]:
        """The examples one by one, as long as there is time; what is left out is noted."""
        for number, example in enumerate(examples):
            if self.time_is_up():
                self.notes.append(f"{number} of {len(examples)} examples: the store is slow")
                return
            yield example

    def search(
        self,
        strategy: SearchStrategy[Program],
        check: Judge | None = None,
        *,
        count: Callable[[Transcript], int] | None = None,
    ) -> None:
        """Run programs within the time share; raises Broken with the smallest that shows a fault.

        ``check`` is the oracle unless given. ``count`` says how much of the guarantee's unit a
        transcript examined, where that is not its usual meaning.
        """
        judged = self._judging(check)
        costly = False

        def run(program: Program) -> _Shown | None:
            nonlocal costly
            if costly:
                return None  # shrinking would wait out the deadline with every program
            transcript, shown = judged(program)
            if shown is None:
                self._examine(transcript, count)
                return None
            costly = is_costly(shown.transcript, shown.fault)
            return shown

        searched = search(
            strategy,
            run,
            seed=self.seed,
            enough=self.enough,
            shrink_s=self.profile.shrink_s,
        )
        self.count("programs", searched.programs)
        found = searched.counterexample
        if found is not None:
            raise self._broken(self._lasting(found, strategy, judged), judged)

    def run(
        self,
        program: Program,
        check: Judge | None = None,
        *,
        examined: int | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> Transcript:
        """Run one program, an example; raises Broken when it shows a fault.

        ``examined`` says how much of the guarantee's unit it is worth, where that is not the
        usual count. ``ids`` gives logical sessions their ids, on an empty location.
        """
        judged = self._judging(check, ids)
        transcript, shown = judged(program)
        if shown is not None:
            raise self._broken(shown, judged)
        self._examine(transcript, None if examined is None else lambda _: examined)
        return transcript

    def _judging(self, check: Judge | None, ids: Mapping[str, str] | None = None) -> Judged:
        """What runs a program and judges its transcript by the check, the oracle unless given."""
        complete = self._complete(check)

        def judged(program: Program) -> tuple[Transcript, _Shown | None]:
            if ids is not None:
                self.store.fresh_location(deep=True)
            transcript = execute(program, self.store, ids=ids)
            fault = complete(transcript)
            return transcript, None if fault is None else _Shown(program, transcript, fault, ids)

        return judged

    def _lasting(
        self,
        found: Counterexample[Program, _Shown],
        strategy: SearchStrategy[Program],
        judged: Judged,
    ) -> _Shown:
        """A program that fails on an empty location too, the one that was found first otherwise.

        What programs before it left behind may have made it fail, and the smaller one all the more.
        """
        for shown in (found.fault, found.first_fault):
            if is_costly(shown.transcript, shown.fault):
                return shown
            if self._alone(judged, shown.program) is not None:
                return shown
        searched = search(
            strategy,
            lambda program: self._alone(judged, program),
            seed=self.seed,
            enough=lambda seconds: seconds > self.profile.shrink_s,
            shrink_s=self.profile.shrink_s,
        )
        again = searched.counterexample
        return found.first_fault if again is None else again.fault

    def _alone(self, judged: Judged, program: Program) -> _Shown | None:
        self.store.fresh_location()
        return judged(program)[1]

    def _broken(self, shown: _Shown, judged: Judged) -> Broken:
        """The finding: without needless steps, and run again."""
        if is_costly(shown.transcript, shown.fault):
            return Broken(self._finding(shown, None))
        shown = self._trimmed(shown, judged)
        failed = sum(self._alone(judged, shown.program) is not None for _ in range(_AGAIN))
        return Broken(self._finding(shown, f"{failed} of {_AGAIN}"))

    def _trimmed(self, shown: _Shown, judged: Judged) -> _Shown:
        """The program without what the fault does not need. It has the time of shrinking again."""
        anomaly = shown.fault.anomaly

        def fails(program: Program) -> bool:
            nonlocal shown
            shorter = self._alone(judged, program)
            if shorter is None or shorter.fault.anomaly != anomaly:
                return False
            shown = shorter
            return True

        trimmed(shown.program, fails, a_while(self.profile.shrink_s))
        return shown

    def _complete(self, check: Judge | None) -> Judge:
        """The check, after the one that every transcript owes: all operations have answered."""
        if check is None:
            return self.against_oracle  # which begins with that
        return lambda transcript: judge_answers(transcript) or check(transcript)

    def conclude(
        self, transcript: Transcript, fault: Fault | None, script: Lines | None = None
    ) -> None:
        """Raise Broken with a transcript that was made elsewhere, if it shows a fault.

        ``script`` makes the lines that show it, where those of the transcript do not.
        """
        if fault is not None:
            raise Broken(self._finding(_Shown((), transcript, fault), None, script))

    def against_oracle(self, transcript: Transcript) -> Fault | None:
        """The first step that the oracle does not accept."""
        return judge(transcript, self.claims)

    def require(
        self,
        holds: bool,
        anomaly: Anomaly,
        *,
        did: str,
        expected: str,
        seen: str,
        program: Sequence[str] = (),
        script: Sequence[str] = (),
        evidence: Mapping[str, str] | None = None,
    ) -> None:
        """Raise Broken with these words unless ``holds``; ``script`` as in ``Finding``."""
        if not holds:
            finding = Finding(
                anomaly=anomaly, did=did, expected=expected, seen=seen, program=tuple(program),
                evidence=dict(evidence or {}),
            )  # fmt: skip
            raise self.broken(finding, lambda: script)

    def broken(self, finding: Finding, lines: Lines = tuple) -> Broken:
        """What is raised with this finding; ``lines`` make its script."""
        return Broken(self._with_script(finding, lines))

    def require_ok(self, outcome: Outcome, did: str, script: Sequence[str] = ()) -> None:
        """Raise Broken unless an operation that the store owes succeeded."""
        failure = outcome.failure
        if failure is not None:
            special = failure.type in tuple(Anomaly)
            finding = Finding(
                anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
                did=did,
                expected="it succeeds: the contract and the claims owe it",
                seen=failure.text if special else f"it raised {failure}",
                evidence=dict(failure.evidence),
            )
            raise self.broken(finding, lambda: script)

    def handle(self) -> Handle:
        """The open handle, for checks below the level of programs."""
        return self.store.handle()

    def _examine(self, transcript: Transcript, count: Callable[[Transcript], int] | None) -> None:
        evidence = evidence_of(transcript)
        if count is not None:
            evidence[self.guarantee.unit] = count(transcript)
        self.examined += evidence

    def _finding(self, shown: _Shown, repeats: str | None, script: Lines | None = None) -> Finding:
        fault, ids = shown.fault, shown.ids or {}
        upto = shown.transcript[: fault.index + 1]
        answer_s = min(_ANSWER_S, self.store.deadlines.operation_s)
        finding = Finding(
            anomaly=fault.anomaly,
            did=did(upto, self.claims, ids),
            expected=fault.expected,
            seen=with_ids(fault.seen, ids),
            program=tuple(program_of(upto, self.claims, ids)),
            repeats=repeats, change=fault.change,
            evidence=dict(fault.evidence or {}),
            steps=steps_of(upto, self.claims),
        )  # fmt: skip
        own = partial(script_of, upto, fault, self.claims, ids=ids, answer_s=answer_s)
        return self._with_script(finding, script or own)

    def _with_script(self, finding: Finding, lines: Lines) -> Finding:
        """The finding with these lines as its script, or with the reason why there are none."""
        self.store.close()  # what closing answers is known only then
        try:
            made = lines()
            return replace(finding, script=whole(made, self.store.awaited)) if made else finding
        except Unwritable as why:
            return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))


def told(finding: Finding) -> str:
    """The finding in a few lines of plain text for a failing test: its line breaks are escaped."""
    lines = [
        f"{finding.anomaly}: {finding.did}",
        f"  expected: {finding.expected}",
        f"  seen:     {finding.seen}",
        *([f"  at:       {finding.at}"] if finding.at else []),
        *(f"    {line}" for line in finding.program),
    ]
    return "\n".join(line.replace("\n", "\\n") for line in lines)
