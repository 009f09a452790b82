"""Processes that are killed at random moments while others write, and what is left of that."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random  # noqa: TID251 - a type

import numpy as np

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident
from sessionproof.checks.wording import amount
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.operations import Outcome
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history import files
from sessionproof.history.columns import BATCH, ROW, F, History, Phase, Type
from sessionproof.history.slots import SUFFIX
from sessionproof.host.client import ProcessEnded, ProtocolError
from sessionproof.scripts.kills import kill_script
from sessionproof.trials.again import failed_again
from sessionproof.trials.rounds import Played, parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.traffic import Stretch, stretch_of, traffic_of
from sessionproof.trials.windows import finding_of, with_history
from sessionproof.workload.client import Job
from sessionproof.workload.crews import (
    NothingToSay,
    Steward,
    awaits,
    is_hosted,
    jobs_of,
    said_by,
)
from sessionproof.workload.killed import Death, Ended, Impossible, Killer, Life, killer
from sessionproof.workload.mixes import round_of
from sessionproof.workload.rounds import Round
from sessionproof.workload.seats import Setting
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.vocabulary import timed

_LOST = frozenset({Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION})
_MIX = "writes"
_CLIENTS = 10  # of a round, one after the other
_BESIDE = 3  # of them work at the same time
_LENGTHS = (8, 200)  # calls of a client: as many as it has time for
_LIFE_US = 30_000.0  # of a client at work: as long as another needs to start, so that they meet
_BUDGET_S = 0.5  # in which a client may begin calls
_DIES, _EVERYONE = 0.8, 0.25  # how often a client is to die, and everybody with it
_WAIT_US = 10  # at least, from the call to the kill, and a few usual calls at most
_CALLS = 3.0
_USUAL_US = 150.0  # of an append, before any was seen
_FRESH_AFTER = 5  # rounds on one location
_READERS = 3  # times that the final reads are tried, each by a process of its own
_CONTROLS = 2  # rounds without any kill, before a loss is put down to the kills
_TEXT_BYTES = 80  # the longest text that clients send


def at_random(trial: Trial) -> None:
    """Rounds in which most processes are killed; the last one, when all is quiet, reads all.

    As many processes work at the same time as the claims allow: one where a location has one
    handle, several threads in it where handles are for threads. Raises Broken, CouldNotTell.
    """
    limit = trial.claims.limits.content_bytes
    if limit is not None and limit < _TEXT_BYTES:
        raise NotClaimed(f"texts of {_TEXT_BYTES} bytes are beyond the store's limit of {limit}")
    try:
        with killer(trial.store.spec.name, trial.store.deadlines) as one:
            _until_enough(_Rounds(trial, one, *_together(trial)))
    except (NothingToSay, Impossible) as why:
        raise CouldNotTell(str(why)) from None
    except (ProcessEnded, ProtocolError, Refused) as error:
        raise CouldNotTell(f"the process that forks clients failed: {error}") from None


def _together(trial: Trial) -> tuple[int, int]:
    """How many processes may work at the same time, and how many threads in each."""
    if trial.claims.at_least("handles", "processes"):
        return _BESIDE, 1
    threads = trial.claims.at_least("handles", "threads") and not is_hosted(trial.store)
    return 1, _BESIDE if threads else 1


def _until_enough(rounds: _Rounds) -> None:
    trial, wanted = rounds.trial, rounds.trial.profile.kills
    if trial.store.spec.for_server is not None:  # there may be no crashes of files beside these
        wanted = max(wanted, trial.guarantee.least)
    while not rounds.played or (rounds.killed < wanted and not trial.time_is_up()):
        rounds.conclude(rounds.play())
    rounds.tell()
    least = min(wanted, trial.guarantee.least)
    if rounds.evidence < least:
        raise CouldNotTell(
            f"{rounds.killed} processes were killed while they worked, {rounds.evidence} of them "
            f"where messages had been acknowledged: {least} are needed"
        )


@dataclass
class _Rounds:
    """The rounds of one trial. ``evidence`` counts kills where something was acknowledged.

    ``usual_us`` is how long an append takes; kills come within a few of that.
    """

    trial: Trial
    one: Killer
    beside: int
    threads: int
    first: int = 1
    played: int = 0
    killed: int = 0
    evidence: int = 0
    usual_us: float = _USUAL_US
    acknowledged: int = 0
    others: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    stretches: list[Stretch] = field(default_factory=list)

    def play(self) -> Played:
        """A new round; raises Broken where nobody can read, or a call hangs."""
        trial = self.trial
        least, most = _LENGTHS
        made = round_of(
            _MIX,
            generator=generator(trial.seed, "kills", self.played),
            capabilities=trial.capabilities,
            claims=trial.claims,
            clients=_CLIENTS,
            first=self.first,
            prefix=f"k{self.played + 1}-",
            length=int(min(max(least, _LIFE_US / self.usual_us), most)),
        )
        before = self.killed
        made = replace(made, meets=0, budget_s=_BUDGET_S)
        played = self._work(made, fresh=self.played % _FRESH_AFTER == 0)
        done, _ = played.appends
        self.acknowledged += done
        if done and not played.judged.unknown:
            self.evidence += self.killed - before
            trial.count(trial.guarantee.unit, self.killed - before)
        self.stretches.append(stretch_of(_MIX, played.history, played.together))
        self._learn(played.history)
        return played

    def again(self, made: Round, *, kills: bool = True) -> Played:
        """The same programs on sessions of their own, at a fresh location."""
        names = tuple(f"k{self.played + 1}-{place}" for place in range(len(made.sessions)))
        made = replace(made, sessions=names, first=self.first)
        return self._work(made, fresh=True, kills=kills)

    def conclude(self, played: Played) -> None:
        """Raise Broken where the round lost something by its kills."""
        self.others.update(
            one.anomaly for one in played.judged.incidents if one.anomaly not in _LOST
        )
        incident = _lost(played)
        if incident is None:
            return
        if self._lost_without_kills(played):
            if self.beside * self.threads == 1:
                raise CouldNotTell("messages are lost also where no process is killed")
            self.beside = self.threads = 1
            self.trial.notes.append(
                "clients at once lose messages also where none is killed: one works at a time"
            )
            return
        finding = finding_of(incident, played.history, did=self._did(played))
        finding = replace(self._kept(finding, played), repeats=self._repeats(played.round))
        self.tell()
        raise self.trial.broken(finding, self._script)

    def _repeats(self, made: Round) -> str:
        """How often the same programs lose something again, killed at other moments."""
        failed, tried = failed_again(self.trial, lambda: _lost(self.again(made)) is not None)
        return f"{failed} of {tried}"

    def tell(self) -> None:
        """Note what was done, and give the trial what clients did over time."""
        trial = self.trial
        trial.notes.append(
            f"{self.killed} processes were killed, {self._named}, in "
            f"{amount(self.played, 'round')} with {self.acknowledged} acknowledged appends"
        )
        if self.others:
            seen = ", ".join(f"{times} × {name}" for name, times in self.others.most_common(3))
            trial.notes.append(f"seen beside that, and judged by other rows: {seen}")
        if self.refused:
            often, times = self.refused.most_common(1)[0]
            trial.notes.append(f"{times} processes could not open the store at once: {often}")
        traffic = traffic_of(self.stretches, clients=f"{self._named}, killed at random")
        trial.measured += [] if traffic is None else [traffic]

    @property
    def _named(self) -> str:
        if self.threads > 1:
            return f"one at a time with {self.threads} threads"
        return f"{self.beside} at a time" if self.beside > 1 else "one at a time"

    def _did(self, played: Played) -> str:
        lives = -(-len(played.round.programs) // self.threads)
        return (
            f"{lives} processes, {self._named}, appended and read; most were killed by SIGKILL at "
            "random moments; then a fresh process read everything"
        )

    def _work(self, made: Round, *, fresh: bool, kills: bool = True) -> Played:
        trial = self.trial
        self.first += made.numbers
        self.played += 1
        if fresh:
            trial.store.fresh_location()
        trial.store.close()  # whoever works there is alone with the other processes
        folder = Path(tempfile.mkdtemp(prefix="journals-", dir=parent_of(trial)))
        start_s = monotonic_s()
        try:
            files.name_sessions(folder, made.sessions)
            self._live(made, folder, kills=kills)
            history = _history(folder, made)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        judged = judge_history(history, trial.claims)
        return Played(_MIX, made, history, judged, monotonic_s() - start_s)

    def _live(self, made: Round, folder: Path, *, kills: bool) -> None:
        """Make the sessions, let the clients live and die, and read everything."""
        trial, capabilities = self.trial, self.trial.capabilities
        creates = needs_create(trial.claims, capabilities)
        by_store = trial.claims.session_ids == "store"
        ids: list[str | None] = [*made.sessions]
        ids = [None] * len(ids) if by_store and creates else ids
        setting = Setting(folder, said_by(trial.store), ids, by_store)
        steward = Steward(made, capabilities)
        if made.created and creates:
            self._each([Life((steward.creates(),))], setting)
        self._each(self._lives(made, kills=kills), setting)
        for attempt in range(_READERS):
            job = steward.reads()
            shift = attempt * len(made.sessions)
            job = replace(job, first=job.first + shift, client=job.client + attempt * job.clients)
            (ended,) = self._each([Life((job,))], setting)
            if not ended.refused and _all_read(_history(folder, made), job):
                return
        raise self._unreadable(made, _history(folder, made), ended)

    def _lives(self, made: Round, *, kills: bool) -> list[Life]:
        """The round's programs as processes, with the deaths that are drawn for them."""
        jobs, random = jobs_of(made), generator(self.trial.seed, "deaths", self.played)
        lives = [
            Life(tuple(jobs[at : at + self.threads])) for at in range(0, len(jobs), self.threads)
        ]
        if not kills:
            return lives
        return [replace(life, death=self._death(len(life.jobs[0].program), random))
                for life in lives]  # fmt: skip

    def _death(self, calls: int, random: Random) -> Death | None:
        if random.random() >= _DIES:
            return None
        first = 0 if is_hosted(self.trial.store) else -1  # its process is known when it is open
        most = max(2 * _WAIT_US, _CALLS * self.usual_us)
        wait_us = math.exp(random.uniform(math.log(_WAIT_US), math.log(most)))
        everyone = self.beside > 1 and random.random() < _EVERYONE
        return Death(random.randrange(first, calls), int(wait_us), everyone)

    def _each(self, lives: Sequence[Life], setting: Setting) -> list[Ended]:
        ended = self.one.work(
            lives, beside=self.beside, setting=setting, location=self.trial.store.location
        )
        self.killed += sum(one.killed for one in ended)
        self.refused.update(one.refused for one in ended if one.refused)
        for one in ended:
            if one.stopped is not None:
                raise Broken(_stopped(one.stopped))
        return ended

    def _learn(self, history: History) -> None:
        rows = history.rows[(history.rows["f"] == F.APPEND) & (history.rows["type"] == Type.OK)]
        if len(rows):
            self.usual_us = float(np.median(rows["ret"] - rows["inv"])) / 1e3

    def _lost_without_kills(self, played: Played) -> bool:
        """Whether the same programs lose something where nobody dies."""
        return any(
            _lost(self.again(played.round, kills=False)) is not None for _ in range(_CONTROLS)
        )

    def _kept(self, finding: Finding, played: Played) -> Finding:
        """The finding with the whole history beside the trial's locations."""
        name = f"{self.trial.guarantee.id}-kills.npz"
        folder = parent_of(self.trial) / "histories"
        folder.mkdir(exist_ok=True)
        files.save(played.history, folder / name)
        return with_history(finding, f"history/{name}")

    def _unreadable(self, made: Round, history: History, ended: Ended) -> Broken:
        """What nobody could read in the end, as a finding."""
        final = history.rows[history.rows["phase"] == Phase.FINAL]
        failed = final[final["type"] != Type.OK]
        error = history.errors[int(failed["error"][-1])] if len(failed) else "no answer"
        self.tell()
        finding = Finding(
            anomaly=Anomaly.UNREADABLE,
            did=f"{len(made.programs)} clients appended and read, {self._named}; most of their "
            "processes were killed by SIGKILL at random moments",
            expected="a fresh process opens the store and reads every session",
            seen=f"{_READERS} fresh processes, one after the other, could not: "
            f"{ended.refused or error}",
        )
        return self.trial.broken(finding, self._script)

    def _script(self) -> Sequence[str]:
        trial, claims = self.trial, self.trial.claims
        trial.store.fresh_location()
        if awaits(trial.store):
            return ()  # a fork does not outlive an event loop
        by_store = claims.session_ids == "store"
        creates = "s0 = store.create(None)" if by_store else "store.create(s0)"
        return kill_script(
            timed(trial.words.samples[0], claims),
            claims,
            clients=self.beside,
            threads=self.threads,
            made=[creates] if needs_create(claims, trial.capabilities) else [],
            hosted=is_hosted(trial.store),
        )


def _all_read(history: History, job: Job) -> bool:
    """Whether every final read of this job was answered."""
    number = history.rows["id"] // BATCH
    mine = (number >= job.first) & (number < job.first + len(job.program))
    return int((history.rows["type"][mine] == Type.OK).sum()) == len(job.program)


def _lost(played: Played) -> Incident | None:
    return next((one for one in played.judged.incidents if one.anomaly in _LOST), None)


def _history(folder: Path, made: Round) -> History:
    """What the journals say; there are none where everybody died before its first call."""
    if not any(folder.glob(f"*{SUFFIX}")):
        return History(np.zeros(0, ROW), sessions=made.sessions)
    return files.load(folder)


def _stopped(outcome: Outcome) -> Finding:
    """A client that was not killed, and hung, or whose process ended by itself."""
    failure = outcome.failure
    special = failure is not None and failure.type in tuple(Anomaly)
    return Finding(
        anomaly=Anomaly(failure.type) if failure and special else Anomaly.UNEXPECTED_REFUSAL,
        did="other processes were killed by SIGKILL while clients appended and read",
        expected="those that are left go on, and every call ends",
        seen=failure.text if failure else "no answer",
        evidence=dict(failure.evidence) if failure else {},
    )
