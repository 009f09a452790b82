"""Crashes at every point of a program: what each row looks at in the states that they leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import AppendWithState, Create, Operation, Replace
from sessionproof.faults.crashes.states import KILL, MODELS, POWER_ORDERED, POWER_STRICT
from sessionproof.faults.recording import Recording
from sessionproof.trials.crashes.again import Wanted
from sessionproof.trials.crashes.exploration import COVERED, explored
from sessionproof.trials.crashes.findings import broken_by, crashes_of
from sessionproof.trials.crashes.looks import Explored, Look
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.whereabouts import require_files

_POWER = (POWER_ORDERED, POWER_STRICT)
_SHOWN_LEAST = 1_000  # states of a run that shows what no claim covers
_LOSSES = (Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION)


@dataclass(frozen=True)
class Row:
    """What a guarantee looks at: models, flaws that break it, and what is evidence.

    ``models`` are looked at as far as the store claims to survive them. ``during`` is the sort of
    operation that must have been in flight for a state to be evidence, ``since`` one that must have
    begun; None where each state is. ``shown`` are the models whose maps of crash points this row
    puts into the report.
    """

    models: Sequence[str]
    breaks: Wanted
    during: type[Operation] | None = None
    since: type[Operation] | None = None
    shown: Sequence[str] = ()


def _gone(flaw: Flaw, acknowledged: bool) -> bool:
    if flaw.lost or flaw.anomaly in _LOSSES:
        return True
    return acknowledged and flaw.aspect in ("open", "read")


def _not_whole(flaw: Flaw, _acknowledged: bool) -> bool:
    return not flaw.lost and flaw.aspect not in ("counters", "going on")


def _stays_down(flaw: Flaw, _acknowledged: bool) -> bool:
    return flaw.aspect in ("open", "going on") or flaw.anomaly in (Anomaly.HANG, Anomaly.CRASH)


def _any(_flaw: Flaw, _acknowledged: bool) -> bool:
    return True


def _in_counters(flaw: Flaw, _acknowledged: bool) -> bool:
    return flaw.aspect == "counters"


def _half_done(method: str) -> Wanted:
    return lambda flaw, _: flaw.method == method and not flaw.lost


ROWS: dict[str, Row] = {
    "DUR-01": Row((KILL,), _gone, shown=(KILL,)),
    "DUR-02": Row((KILL,), _not_whole),
    "DUR-03": Row(_POWER, _any, shown=_POWER),
    "DUR-05": Row(MODELS, _stays_down),
    "CNT-07": Row(MODELS, _in_counters),
    "CORE-13": Row(MODELS, _half_done("create"), during=Create),
    "CORE-15": Row(MODELS, _half_done("replace"), during=Replace),
    "STATE-03": Row(MODELS, _half_done("append_with_state"), since=AppendWithState),
}


def survives(trial: Trial) -> None:
    """What the crashes of the store show of this row; raises Broken, CouldNotTell, NotClaimed."""
    row = ROWS[trial.guarantee.id]
    covered = [one for one in COVERED[trial.claims.durability] if one in row.models]
    if not covered:
        raise NotClaimed("the store does not claim durability=process or better")
    if row.during is Create and not trial.claims.limits.first_messages:
        raise NotClaimed("create takes no messages")
    require_files(trial)
    shown = _shown(trial, row)
    found = explored(trial, [one for one in MODELS if one in {*covered, *shown}])
    for recording, look in _looks(found):
        if look.model in shown:
            trial.measured.append(crashes_of(recording, look, trial.claims))
        if look.model in covered:
            trial.count(trial.guarantee.unit, _evidence(row, recording, look))
    broken_by(trial, found, row.breaks, covered)
    _require_evidence(trial, found, covered)


def _looks(found: Sequence[Explored]) -> Iterator[tuple[Recording, Look]]:
    """Every look that judged states, with its recording."""
    for one in found:
        if one.recording is not None:
            yield from ((one.recording, look) for look in one.looks if not look.why)


def _shown(trial: Trial, row: Row) -> Sequence[str]:
    """The models whose maps this row puts into the report, each row others.

    Those that are not claimed are left out of short runs: they decide nothing.
    """
    models = row.shown
    if models == (KILL,) and not trial.claims.at_least("durability", "power"):
        models = (*models, *_POWER)  # the row of power is not judged
    short = 0 < trial.profile.states < _SHOWN_LEAST
    return [one for one in models if not short or one in COVERED[trial.claims.durability]]


def _evidence(row: Row, recording: Recording, look: Look) -> int:
    """How many of the judged states say something of the row."""
    if row.during is None and row.since is None:
        return look.judged
    spans = [*_spans(row, recording)]
    return sum(
        number
        for point, number in look.points.items()
        if any(first < point <= last for first, last in spans)
    )


def _spans(row: Row, recording: Recording) -> Iterator[tuple[int, int]]:
    """Between which places of a recording a crash says something of the row."""
    for act in recording.acts:
        if row.since is not None and isinstance(act.operation, row.since):
            yield act.after, len(recording.changes)
        sent = getattr(act.operation, "messages", ())
        if row.during is not None and isinstance(act.operation, row.during) and sent:
            last = len(recording.changes) if act.answered is None else act.answered
            yield act.after, last


def _require_evidence(trial: Trial, found: Sequence[Explored], covered: Sequence[str]) -> None:
    """Note what was judged; raise CouldNotTell where nothing could be, or too little was.

    Two clients at once are further evidence: without them, those of one client count alone.
    """
    alone, *pairs = found
    if alone.why:
        trial.notes += [f"read without a crash: {alone.seen}"] if alone.seen else []
        raise CouldNotTell(alone.why)
    trial.notes += [f"crashes of two clients at once: {one.why}" for one in pairs if one.why]
    for one in found:
        last = one.recording.acts[-1].outcome if one.recording and one.recording.acts else None
        if last is not None and last.type == "info" and last.failure is not None:
            trial.notes.append(f"recorded up to a call that did not succeed: {last.failure.text}")
    rest = 0
    for model in covered:
        looks = [look for _, look in _looks(found) if look.model == model]
        judged, existing = (sum(getattr(one, name) for one in looks) for name in _COUNTS)
        trial.notes.append(f"{model}: {judged:,} of {existing:,} states were judged")
        rest += existing - judged
    examined, row = trial.examined[trial.guarantee.unit], trial.guarantee
    # What is judged of single operations comes on top of what other tests of the row examine.
    least = row.least if ROWS[row.id].during is None else 1
    if examined < least:
        why = "the store is too slow for more" if rest else "there are no more"
        raise CouldNotTell(f"{examined} {row.unit} of at least {least} were examined: {why}")


_COUNTS = ("judged", "existing")
