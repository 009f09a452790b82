"""Rounds of clients whose server, or whose connections, fail; and what is left of that."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident
from sessionproof.checks.wording import amount
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.history.columns import F, Phase, Type
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.servers import server_script
from sessionproof.trials.again import failed_again
from sessionproof.trials.rounds import Interrupted, Played, kept, parent_of
from sessionproof.trials.servers.troubles import Trouble
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.trials.traffic import Stretch, stretch_of, traffic_of
from sessionproof.trials.windows import finding_of
from sessionproof.workload import upkeep
from sessionproof.workload.crews import Crew, Kind, NothingToSay, awaits, kinds_for
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.mixes import round_of
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.vocabulary import timed

_MIX = "writes"
_CLIENTS = 4
_CALLS = 3_000  # of a client: more than it has time for
_ROUNDS = 3  # at least: each has a trouble of its own
_BUDGET_S = 0.6  # in which calls begin while the trouble comes
_CALM_CALLS = 6
_GOES_ON_S = 10.0  # for each handle to get through again
_LOOK_S = 0.1
_CONTROLS = 2  # rounds without trouble, before anything is put down to it
_WRONG = frozenset(
    {
        Anomaly.LOST_MESSAGE,
        Anomaly.LOST_SESSION,
        Anomaly.DUPLICATE,
        Anomaly.ABORTED_READ,
        Anomaly.TORN_BATCH,
        Anomaly.REORDER,
        Anomaly.WRITE_ORDER,
        Anomaly.PHANTOM,
        Anomaly.RESURRECTION,
        Anomaly.DUPLICATE_SEQUENCE,
        Anomaly.SEQUENCE_ORDER,
    }
)


@dataclass(frozen=True)
class Told:
    """How a kind of trouble is told: what it does to clients, and the name of its script."""

    did: str
    script: str


def endure(trial: Trial, trouble: Trouble, told: Told, *, least: int) -> None:
    """Rounds until the share of time is spent and ``least`` troubles came; raises Broken.

    Clients are threads with a handle each, threads on one handle, or tasks: a crew of each kind
    that the claims allow, in turn.
    """
    with _crews(trial) as crews:
        rounds = _Rounds(trial, trouble, told)
        while not rounds.enough(least):
            rounds.conclude(crews[rounds.played % len(crews)])
        rounds.verify()
        rounds.tell(crews)
    seen = trial.examined[trial.guarantee.unit]
    if seen < min(least, trial.guarantee.least):
        raise CouldNotTell(f"{trouble.said}: {seen} of that under load, and {least} are needed")


@contextmanager
def _crews(trial: Trial) -> Iterator[list[Crew]]:
    """The crews in turn; one client alone where no more are claimed."""
    try:
        kinds: list[Kind] = [
            kind
            for kind in kinds_for(trial.claims, awaits=awaits(trial.store), hosted=False)
            if kind != "processes"  # they open the store by its name, on another server
        ]
        clients = _CLIENTS if kinds and trial.claims.writes == "append" else 1
        made = [Crew(kind, trial.store, clients) for kind in kinds or ["threads"]]
    except NothingToSay as why:
        raise CouldNotTell(str(why)) from None
    try:
        yield made
    finally:
        for one in made:
            one.close()


@dataclass
class _Rounds:
    """The rounds of one trial."""

    trial: Trial
    trouble: Trouble
    told: Told
    first: int = 1
    played: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    others: Counter[str] = field(default_factory=Counter)
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)

    def enough(self, least: int) -> bool:
        """Whether the trial may end."""
        seen = self.trial.examined[self.trial.guarantee.unit]
        lasted_s = monotonic_s() - self.trial.started_s
        share_s = self.trial.profile.share_s * self.trial.guarantee.weight
        done = seen >= least and self.played >= _ROUNDS and lasted_s >= share_s
        return self.trial.time_is_up() or done

    def conclude(self, one: Crew) -> None:
        """Play a round; raise Broken where anything in it is wrong by the trouble."""
        before = self.trouble.times
        made = self._made(one, _CALLS, later=True)
        played = self._play(one, made, troubled=True)
        self._count(one, played, self.trouble.times - before)
        incident = _wrong(played)
        if incident is not None:
            self._break(one, played, incident)
        if not _all_through(played, one.clients):
            self._require_going_on(one)

    def verify(self) -> None:
        """Raise Broken where the store finds something wrong with itself."""
        if "verify" not in self.trial.capabilities:
            return
        found = upkeep.verify(self.trial.store.handle())
        problems = () if found.failure is not None else found.value.problems
        said = found.failure.text if found.failure is not None else "; ".join(problems[:3])
        self.trial.require(
            found.failure is None and not problems,
            Anomaly.PARTIAL,
            did=f"{self.told.did}; then verify() was called",
            expected="it finds nothing",
            seen=said,
        )

    def tell(self, crews: list[Crew]) -> None:
        """Note what was done, and give the trial what clients did over time."""
        trial = self.trial
        trial.notes.append(
            f"{self.trouble.said}; in {amount(self.played, 'round')} {self.acknowledged} appends "
            f"were acknowledged, {self.refused} refused, and {self.unknown} left open"
        )
        if self.others:
            seen = ", ".join(f"{times} × {name}" for name, times in self.others.most_common(3))
            trial.notes.append(f"seen beside that, and judged by other rows: {seen}")
        for one in crews:
            traffic = traffic_of(self.stretches.get(one.kind, []), clients=one.named)
            trial.measured += [] if traffic is None else [traffic]

    def _made(self, one: Crew, calls: int, *, later: bool) -> Round:
        """A new round; with ``later`` each client has a second program, for when all is over."""
        trial = self.trial
        made = round_of(
            _MIX,
            generator=generator(trial.seed, "servers", self.played),
            capabilities=trial.capabilities,
            claims=trial.claims,
            clients=one.clients,
            first=self.first,
            prefix=f"t{self.played + 1}-",
            length=calls,
        )
        afterwards = tuple(_second(client, len(made.sessions)) for client in range(one.clients))
        programs = (*made.programs, *(afterwards if later else ()))
        return replace(made, programs=programs, meets=0, budget_s=_BUDGET_S if later else 60.0)

    def _play(self, one: Crew, made: Round, *, troubled: bool) -> Played:
        """Carry the round out; raises Broken for a hang, CannotOpen."""
        self.first += made.numbers
        self.played += 1
        folder = Path(tempfile.mkdtemp(prefix="journals-", dir=parent_of(self.trial)))
        start_s = monotonic_s()
        later = len(made.programs) - one.clients
        under = self.trouble.upon(self.played) if troubled else nullcontext()
        try:
            worked = one.work(made, folder, under=under, later=later)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if worked.stopped is not None:
            raise self._stopped(one, Interrupted(worked.stopped, made))
        judged = judge_history(worked.history, self.trial.claims)
        return Played(_MIX, made, worked.history, judged, monotonic_s() - start_s)

    def _again(self, one: Crew, made: Round, *, troubled: bool) -> Played:
        """The same programs on sessions of their own."""
        names = tuple(f"t{self.played + 1}-{place}" for place in range(len(made.sessions)))
        return self._play(one, replace(made, sessions=names, first=self.first), troubled=troubled)

    def _count(self, one: Crew, played: Played, times: int) -> None:
        rows = played.history.rows
        sent = rows[(rows["f"] == F.APPEND)]
        done = int((sent["type"] == Type.OK).sum())
        self.acknowledged += done
        self.refused += int((sent["type"] == Type.FAIL).sum())
        self.unknown += int((sent["type"] == Type.INFO).sum())
        self.others.update(i.anomaly for i in played.judged.incidents if i.anomaly not in _WRONG)
        if done and not played.judged.unknown:
            self.trial.count(self.trial.guarantee.unit, times)
        stretch = stretch_of(_MIX, played.history, played.together)
        self.stretches.setdefault(one.kind, []).append(stretch)

    def _break(self, one: Crew, played: Played, incident: Incident) -> None:
        """Raise Broken, unless the same is wrong where nothing fails."""
        for _ in range(_CONTROLS):
            if _wrong(self._again(one, played.round, troubled=False)) is not None:
                raise CouldNotTell(f"{incident.anomaly} is also seen where nothing fails")
        finding = finding_of(incident, played.history, did=self._did(one))
        finding = kept(self.trial, finding, played, 1)
        failed, tried = failed_again(
            self.trial,
            lambda: _wrong(self._again(one, played.round, troubled=True)) is not None,
        )
        self.tell([one])
        raise Broken(self._scripted(replace(finding, repeats=f"{failed} of {tried}")))

    def _require_going_on(self, one: Crew) -> None:
        """Raise Broken unless each client gets through with the handle that it has."""
        until_s = monotonic_s() + _GOES_ON_S
        while True:
            played = self._play(one, self._made(one, _CALM_CALLS, later=False), troubled=False)
            if _all_through(played, one.clients):
                return
            if monotonic_s() > until_s:
                break
            time.sleep(_LOOK_S)
        rows, errors = played.history.rows, played.history.errors
        failed = rows[(rows["type"] != Type.OK) & (rows["phase"] != Phase.FINAL)]
        error = errors[int(failed["error"][-1])] if len(failed) else "no answer"
        self.tell([one])
        finding = Finding(
            anomaly=Anomaly.STUCK,
            did=self._did(one),
            expected="the clients get through again, with the handles that they have",
            seen=f"{_GOES_ON_S:.0f} s after the server was back, some did not: {error}",
        )
        raise Broken(self._scripted(finding))

    def _did(self, one: Crew) -> str:
        return f"{one.named} appended and read; {self.told.did}; then everything was read"

    def _stopped(self, one: Crew, stop: Interrupted) -> Exception:
        failure = stop.outcome.failure
        if failure is None or failure.type == CannotOpen.__name__:
            return CannotOpen(str(stop), failure)
        special = failure.type in tuple(Anomaly)
        self.tell([one])
        finding = Finding(
            anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
            did=self._did(one),
            expected="every call ends, also while the server is away",
            seen=failure.text if special else str(failure),
            evidence=dict(failure.evidence),
        )
        return Broken(finding)

    def _scripted(self, finding: Finding) -> Finding:
        """The finding with its script, or with the reason why there is none."""
        try:
            return replace(finding, script=tuple(self._script()))
        except Unwritable as why:
            return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))

    def _script(self) -> list[str]:
        trial, claims = self.trial, self.trial.claims
        by_store = claims.session_ids == "store"
        creates = "s0 = store.create(None)" if by_store else "store.create(s0)"
        return server_script(
            timed(trial.words.samples[0], claims),
            claims,
            kind=self.told.script,
            made=[creates] if needs_create(claims, trial.capabilities) else [],
            awaited=trial.store.awaited,
        )


def _second(client: int, sessions: int) -> tuple[Call, ...]:
    """What a client does when all is over: it reads everything, and appends."""
    reads = [Call(F.READ, at, phase=Phase.HEAL) for at in range(sessions)]
    append = Call(F.APPEND, client % sessions, 1, Phase.HEAL)
    return (*reads, append, reads[client % sessions])


def _wrong(played: Played) -> Incident | None:
    return next((one for one in played.judged.incidents if one.anomaly in _WRONG), None)


def _all_through(played: Played, clients: int) -> bool:
    """Whether each of the last clients of a round has appended and read."""
    number = len(played.round.programs)
    rows = played.history.rows
    done = rows[(rows["type"] == Type.OK) & (rows["phase"] != Phase.FINAL)]
    places = done["client"] % (number + 1)
    return all(
        np.any((places == place) & (done["f"] == f))
        for place in range(number - clients, number)
        for f in (F.APPEND, F.READ)
    )
