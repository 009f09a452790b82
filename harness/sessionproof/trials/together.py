"""Many clients at once: the rows that judge recorded histories of rounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sessionproof.checks.incidents import Incident
from sessionproof.checks.wording import amount
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import CONCURRENT
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.races import attempts_for
from sessionproof.trials import schedules, small_programs
from sessionproof.trials.counters import answered
from sessionproof.trials.crowds import crews, kinds_of
from sessionproof.trials.narrowing import Failing, narrowed
from sessionproof.trials.rounds import Played, Rounds, kept, require_served, told
from sessionproof.trials.rows_together import (
    AT_EVERY_LEVEL,
    BY_APPENDS,
    ROWS,
    Row,
    appends,
    broken_by,
    named,
)
from sessionproof.trials.scripted import scripted
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.windows import finding_of
from sessionproof.workload.crews import Crew, Kind, is_hosted
from sessionproof.workload.mixes import MIXES


def within(trial: Trial) -> None:
    """Rounds of threads, of threads on one handle, and of tasks, as the claims allow them."""
    some = [kind for kind in kinds_of(trial) if kind != "processes"]
    if is_hosted(trial.store):
        trial.notes.append("each handle is a process of its own, behind pipes of a thread")
    _hold(trial, some, number=1)


def across(trial: Trial) -> None:
    """Rounds of processes, each with a handle of its own."""
    if not trial.claims.at_least("handles", "processes"):
        raise NotClaimed("the store does not claim handles=processes")
    if is_hosted(trial.store):
        raise NotClaimed("each handle is a process already: the test of threads tells")
    _hold(trial, ["processes"], number=2)


def paging(trial: Trial) -> None:
    """Rounds in which some clients page while others append."""
    if lacking := CONCURRENT.lacking(trial.claims):
        raise NotClaimed(f"the store does not claim {lacking}")
    _hold(trial, kinds_of(trial), number=3)


def one_round(trial: Trial, kind: Kind, *, script: Sequence[str] = ()) -> None:
    """One round of clients of this kind; raises Broken for what is wrong at every level.

    ``script`` shows that none of them is served.
    """
    row = Row(("hot",), AT_EVERY_LEVEL, appends)
    with crews(trial, {kind: None}) as (one,):
        rounds = Rounds(trial)
        played = rounds.play(one, "hot")
        _conclude(trial, rounds, one, played, row, number=1)
        done, sent = played.appends
        error = next(iter(rounds.refused), "no answer")
        trial.require(
            done > 0,
            Anomaly.UNEXPECTED_REFUSAL,
            did=f"{one.named} appended {sent} times at once",
            expected="handles work as claimed",
            seen=f"not one append was acknowledged: {error}",
            script=script,
        )
        require_served(rounds)
        rounds.measure([one])


def _hold(trial: Trial, kinds: Sequence[Kind], *, number: int) -> None:
    """Play rounds until the time is spent and the evidence is there; raises Broken."""
    row, unit = ROWS[trial.guarantee.id], trial.guarantee.unit
    if trial.claims.order == "timestamp" and trial.guarantee.id in BY_APPENDS:
        raise NotClaimed("the store puts messages where their times say, also before older ones")
    mixes = [mix for mix in row.mixes if MIXES[mix].fits(trial.capabilities)]
    if not mixes:
        raise NotClaimed("the store has no operation that this is about")
    if row.mixes == ("counts",):
        answered(trial, ["message_count"])
        trial.store.fresh_location()
    start, rounds = monotonic_s(), Rounds(trial)
    with crews(trial, dict.fromkeys(kinds)) as gathered:
        for turn in itertools.count():
            one = gathered[turn % len(gathered)]
            shift = turn // math.lcm(len(gathered), len(mixes))  # so that each plays every mix
            played = rounds.play(one, mixes[(turn + shift) % len(mixes)])
            _conclude(trial, rounds, one, played, row, number=number)
            if played.counts:
                trial.count(unit, row.counted(played))
                trial.count("rounds")
            if turn < len(gathered):  # each opened its handles: processes may import for seconds
                start = monotonic_s()
            whole = turn + 1 >= max(len(mixes), len(gathered))
            if trial.enough(monotonic_s() - start) and (whole or trial.time_is_up()):
                break
        rounds.measure(gathered)
    _tell(trial, rounds)


def _conclude(
    trial: Trial, rounds: Rounds, one: Crew, played: Played, row: Row, *, number: int
) -> None:
    """Raise Broken with what is wrong with a round, told by as few steps as show it."""
    incident = broken_by(row, played, trial.claims)
    if incident is None:
        return
    rounds.measure([one])
    found = _told(trial, one, Failing(played, incident, 0, 0), row, number=number)
    again = schedules.again(trial, one.kind, row=trial.guarantee.id)
    if again is not None:
        raise Broken(_joined(found, again))

    def breaks(again: Played) -> Incident | None:
        return broken_by(row, again, trial.claims, incident.anomaly)

    failing = narrowed(
        lambda made: rounds.again(one, played.mix, made),
        breaks,
        played,
        incident,
        seconds=trial.profile.shrink_s,
    )
    found = _told(trial, one, failing, row, number=number)
    if not schedules.reachable(trial, [one.kind]):
        named_so = partial(_named, row, breaks)
        found = small_programs.retold(trial, rounds, one, failing, named_so, number=number) or found
    elif schedules.small_enough(failing.played.round):
        again = schedules.again(trial, one.kind, failing.played.round, row=trial.guarantee.id)
        found = found if again is None else _joined(found, again)
    raise Broken(found)


def _joined(found: Finding, again: Finding) -> Finding:
    """What chance has found, told by the few steps of the same under control."""
    did = f"{found.did}. The same once more: {again.did}"
    return replace(again, did=did, window=found.window, program=found.program)


def _named(
    row: Row, breaks: Callable[[Played], Incident | None], played: Played
) -> Incident | None:
    found = breaks(played)
    return None if found is None else named(row, found)


def _told(trial: Trial, one: Crew, failing: Failing, row: Row, *, number: int) -> Finding:
    """The finding of a round, with its history, its program and its script."""
    shown, found = failing.played, named(row, failing.incident)
    finding = finding_of(found, shown.history, did=told(one, shown))
    finding = kept(trial, finding, shown, number)
    if failing.tried:
        finding = replace(finding, repeats=f"{failing.failed} of {failing.tried}")
    sessions = len(shown.round.sessions)  # of which a script has one
    attempts = attempts_for(failing.failed, failing.tried * sessions, 2 * shown.seconds / sessions)
    return scripted(trial, finding, one, shown.round, session=found.session, attempts=attempts)


def _tell(trial: Trial, rounds: Rounds) -> None:
    """Note what was refused; raise CouldNotTell where too little was examined."""
    require_served(rounds)
    row, done, seen = trial.guarantee, trial.examined[trial.guarantee.unit], rounds.operations
    refused = sum(rounds.refused.values())
    if refused:
        often, times = rounds.refused.most_common(1)[0]
        trial.notes.append(f"{refused} operations were not ok, {times} of them: {often}")
    beside = f"{seen['together']} of {seen['all']} operations ran beside another client's on the "
    if done >= row.least:
        trial.notes.append(f"{beside}same session, in {amount(trial.examined['rounds'], 'round')}")
        return
    if rounds.unknown:
        raise CouldNotTell(rounds.unknown.most_common(1)[0][0])
    failed = f"; {refused} were not ok, as {often}" if refused else ""
    raise CouldNotTell(
        f"{beside}same session: {done} {row.unit} were examined, {row.least} are needed{failed}"
    )
