"""Rounds of clients that work at once: played, recorded, judged, and counted."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident, Judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG, MALFORMED, Outcome
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history import files
from sessionproof.history.columns import F, History, Phase, Type
from sessionproof.history.overlap import in_seats, overlapping
from sessionproof.trials.scripted import scripted
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.trials.traffic import Stretch, stretch_of, traffic_of
from sessionproof.trials.windows import finding_of, with_history
from sessionproof.workload.crews import Crew
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.mixes import round_of
from sessionproof.workload.rounds import Round

_LENGTH = 12  # calls of a client
_FRESH_AFTER = 40  # rounds on one location, so that what lies there stays small
_ANSWERED_LEAST = 0.1  # of the appends of a round that examined anything
_MALFORMED_LEAST, _MALFORMED_SHARE = 3, 0.05


class Interrupted(Exception):
    """A round did not come to its end: a hang, a crash, or a store that does not open."""

    def __init__(self, outcome: Outcome, played: Round) -> None:
        super().__init__(outcome.failure.text if outcome.failure else "")
        self.outcome, self.round = outcome, played


@dataclass(frozen=True)
class Played:
    """A round with its history, and what the checks say of it."""

    mix: str
    round: Round
    history: History
    judged: Judged
    seconds: float

    @cached_property
    def together(self) -> npt.NDArray[np.bool_]:
        """Operations that ran at the same time as one of another client on the same session."""
        clients = len(self.round.programs) + 1  # with the one who reads when all is quiet
        return overlapping(in_seats(self.history, clients))

    @property
    def appends(self) -> tuple[int, int]:
        """How many were acknowledged, and how many were sent."""
        rows = self.history.rows
        sent = rows[rows["f"] == F.APPEND]
        return int((sent["type"] == Type.OK).sum()), len(sent)

    @property
    def counts(self) -> bool:
        """Whether it is evidence: it was judged whole, and some appends were acknowledged."""
        done, sent = self.appends
        return not self.judged.unknown and done >= _ANSWERED_LEAST * sent

    def malformed(self, at: int) -> bool:
        """Whether an operation answered what the contract does not allow."""
        number = int(self.history.rows["error"][at])
        return self.history.errors[number].startswith(MALFORMED)


@dataclass
class Rounds:
    """The rounds of one trial: numbers and names are given once, whoever plays.

    ``made`` are the operations of each crew, and ``lost`` those of which nobody knows the outcome.
    """

    trial: Trial
    first: int = 1
    played: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)

    def play(self, crew: Crew, mix: str) -> Played:
        """A new round of this mix; raises Broken, CannotOpen."""
        trial = self.trial
        made = round_of(
            mix,
            generator=generator(trial.seed, crew.kind, mix, self.played),
            capabilities=trial.capabilities,
            claims=trial.claims,
            clients=crew.clients,
            first=self.first,
            prefix=self.prefix,
            length=_LENGTH,
        )
        return self.given(crew, mix, made)

    def given(self, crew: Crew, mix: str, made: Round) -> Played:
        """This round, whose numbers and names no other has; raises Broken, CannotOpen."""
        try:
            played = self._work(crew, mix, made)
        except Interrupted as stop:
            raise _stopped(self.trial, crew, stop) from None
        self._note(crew, played)
        return played

    def again(self, crew: Crew, mix: str, made: Round) -> Played:
        """The same programs on sessions of their own; raises Interrupted."""
        prefix = self.prefix
        names = tuple(f"{prefix}{place}" for place in range(len(made.sessions)))
        return self._work(crew, mix, replace(made, sessions=names, first=self.first))

    def measure(self, crews: Iterable[Crew]) -> None:
        """Give the trial what each crew did over time."""
        for crew in crews:
            traffic = traffic_of(self.stretches.get(crew.kind, []), clients=crew.named)
            if traffic is not None:
                self.trial.measured.append(traffic)

    @property
    def prefix(self) -> str:
        """What the names of the next round's sessions begin with."""
        return f"r{self.played + 1}-"

    def _work(self, crew: Crew, mix: str, made: Round) -> Played:
        self.first += made.numbers
        self.played += 1
        if self.played % _FRESH_AFTER == 0:
            self.trial.store.fresh_location()
        folder = Path(tempfile.mkdtemp(prefix="journals-", dir=parent_of(self.trial)))
        start_s = monotonic_s()
        try:
            worked = crew.work(made, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if worked.stopped is not None:
            raise Interrupted(worked.stopped, made)
        seconds = monotonic_s() - start_s
        judged = judge_history(worked.history, self.trial.claims)
        return Played(mix, made, worked.history, judged, seconds)

    def _note(self, crew: Crew, played: Played) -> None:
        rows, errors = played.history.rows, played.history.errors
        failed = rows[rows["type"] != Type.OK]
        for number in failed["error"]:
            self.refused[errors[int(number)] or "no answer"] += 1
        wrong = [at for at in np.flatnonzero(rows["error"]) if played.malformed(int(at))]
        self.malformed += [errors[int(rows["error"][at])] for at in wrong]
        self.unknown.update(played.judged.unknown)
        working = rows["phase"] != Phase.FINAL
        self.operations["all"] += int(working.sum())
        self.made[crew.named] += int(working.sum())
        self.lost[crew.named] += int((working & (rows["type"] == Type.INFO)).sum())
        self.operations["together"] += int(played.together.sum())
        stretch = stretch_of(played.mix, played.history, played.together)
        self.stretches.setdefault(crew.kind, []).append(stretch)
        if wrong and answers_badly(len(self.malformed), self.operations["all"]):
            raise Broken(_malformed(self.trial, crew, played, self.malformed))


def answers_badly(malformed: int, made: int) -> bool:
    """Whether so many of these operations answered what the contract does not allow."""
    return malformed >= max(_MALFORMED_LEAST, _MALFORMED_SHARE * made)


def parent_of(trial: Trial) -> Path:
    """The directory in which the trial's locations lie."""
    return trial.store.location.root.parent


def _stopped(trial: Trial, crew: Crew, stop: Interrupted) -> Exception:
    """What ended a round, as a finding."""
    failure = stop.outcome.failure
    if failure is None or failure.type == CannotOpen.__name__:
        return CannotOpen(str(stop), failure)
    special = failure.type in tuple(Anomaly)
    finding = Finding(
        anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
        did=f"{crew.named} worked at once",
        expected="every call ends",
        seen=failure.text if special else str(failure),
        evidence=dict(failure.evidence),
    )
    if failure.type != HANG:
        return Broken(finding)
    return Broken(scripted(trial, finding, crew, stop.round, session=0, attempts=50))


def told(one: Crew, played: Played) -> str:
    """What the clients of a round did, in a sentence."""
    rows = played.history.rows
    calls = int((rows["phase"] != Phase.FINAL).sum())
    number = len(played.round.programs)
    who = one.named if number == one.clients else f"{number} of {one.named}"
    beside = int(played.together.sum())
    return f"{who} made {calls} calls, {beside} of them beside another client's on the same session"


def _malformed(trial: Trial, crew: Crew, played: Played, errors: list[str]) -> Finding:
    """The last of several answers that the contract does not allow."""
    rows = played.history.rows
    wrong = [at for at in np.flatnonzero(rows["error"]) if played.malformed(int(at))]
    session = int(rows["session"][wrong[-1]]) if wrong else 0
    text = errors[-1].removeprefix(MALFORMED).lstrip(": ")
    sentence = f"{len(errors)} answers were none that the contract allows; this one: {text}"
    incident = Incident(Anomaly.MALFORMED, session, tuple(map(int, wrong[-1:])), sentence)
    finding = finding_of(incident, played.history, did=told(crew, played))
    return scripted(
        trial,
        replace(finding, expected="answers of the types that the contract names", seen=sentence),
        crew,
        played.round,
        session=session,
        attempts=50,
    )


def kept(trial: Trial, finding: Finding, played: Played, number: int) -> Finding:
    """The finding with the whole history beside the trial's locations."""
    name = f"{trial.guarantee.id}-{number}.npz"
    folder = parent_of(trial) / "histories"
    folder.mkdir(exist_ok=True)
    files.save(played.history, folder / name)
    return with_history(finding, f"history/{name}")


def require_served(rounds: Rounds) -> None:
    """Raise CouldNotTell where most operations failed: what few were served show nothing."""
    for named, made in rounds.made.items():
        if 2 * rounds.lost[named] > made:
            often = rounds.refused.most_common(1)[0][0]
            raise CouldNotTell(
                f"{rounds.lost[named]} of {made} operations of {named} failed: {often}"
            )
