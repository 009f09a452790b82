"""Many clients at once: the rows that judge recorded histories of rounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Finding
from sessionproof.history import files
from sessionproof.history.columns import MISSING, NONE, F, Phase, Type
from sessionproof.scripts.races import attempts_for
from sessionproof.trials.crowds import crews, kinds_of
from sessionproof.trials.narrowing import narrowed
from sessionproof.trials.rounds import Played, Rounds, parent_of, told
from sessionproof.trials.scripted import scripted
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.windows import finding_of, with_history
from sessionproof.workload.crews import Crew, Kind, is_hosted
from sessionproof.workload.mixes import MIXES

_READS = (F.READ, F.READ_LAST, F.PAGES)
_TEXT_BYTES = 80  # the longest text that clients send


@dataclass(frozen=True)
class Row:
    """What a guarantee looks at: mixes, what breaks it, and which operations are evidence.

    ``about`` are the operations that an incident must be about, where not every one counts.
    ``counted`` says how much of the row's unit a round examined. ``quiet`` says that those
    operations are final ones, or are not; ``alone`` that both that contradict each other must be
    of one client.
    """

    mixes: tuple[str, ...]
    breaks: frozenset[Anomaly]
    counted: Callable[[Played], int]
    about: frozenset[F] = frozenset()
    quiet: bool | None = None
    alone: bool = False


def _number(played: Played, *fs: F) -> int:
    """Operations of these kinds that answered, and ran beside one of another client."""
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together
    return sum(int((fits & (rows["f"] == f)).sum()) for f in fs)


def _appends(played: Played) -> int:
    return _number(played, F.APPEND)


def _reads(played: Played) -> int:
    return _number(played, *_READS)


def _operations(played: Played) -> int:
    return _number(played, *F)


def _messages(played: Played) -> int:
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together & (rows["f"] == F.APPEND)
    return int(rows["n"][fits].sum())


def _numbers(played: Played) -> int:
    rows = played.history.rows
    fits = (rows["type"] == Type.OK) & played.together & (rows["f"] == F.APPEND)
    return int(rows["n"][fits & (rows["value"] != NONE)].sum())


def _counts(played: Played) -> int:
    return _number(played, F.COUNT)


def _counted_appends(played: Played) -> int:
    """Appends to rounds whose counts were asked for when all was quiet."""
    rows = played.history.rows
    final = (rows["f"] == F.COUNT) & (rows["phase"] == Phase.FINAL) & (rows["type"] == Type.OK)
    return _appends(played) if (final & (rows["length"] != MISSING)).any() else 0


def _pages(played: Played) -> int:
    return _number(played, F.PAGES)


_GONE = frozenset({Anomaly.LOST_MESSAGE, Anomaly.LOST_SESSION})
_STRANGE = frozenset({Anomaly.PHANTOM, Anomaly.LEAK, Anomaly.CHANGED})
_TORN = frozenset({Anomaly.TORN_BATCH, Anomaly.INTERMEDIATE_READ})
_LATE = frozenset(
    {Anomaly.STALE_READ, Anomaly.NON_MONOTONIC, Anomaly.READ_YOUR_WRITES, Anomaly.FUTURE_READ}
)
_AT_EVERY_LEVEL = _GONE | _STRANGE | {
    Anomaly.DUPLICATE, Anomaly.ABORTED_READ, Anomaly.TORN_BATCH, Anomaly.WRITE_ORDER,
}  # fmt: skip
_LINEAR = _AT_EVERY_LEVEL | _LATE | _TORN | {
    Anomaly.REAL_TIME, Anomaly.REORDER, Anomaly.NOT_LINEARIZABLE, Anomaly.RESURRECTION,
    Anomaly.PHANTOM_SESSION, Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP,
    Anomaly.SEQUENCE_ORDER, Anomaly.COUNTER_DRIFT, Anomaly.WRONG_ANSWER,
}  # fmt: skip
_IN_COUNTS = _LATE | _TORN | {Anomaly.COUNTER_DRIFT, Anomaly.NOT_LINEARIZABLE}
_IN_PAGES = _STRANGE | _LATE | {Anomaly.DUPLICATE, Anomaly.REORDER, Anomaly.NOT_LINEARIZABLE}
_SEQUENCES = frozenset({Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP, Anomaly.SEQUENCE_ORDER})
_OF_REAL_TIME = frozenset({Anomaly.STALE_READ, Anomaly.REAL_TIME, Anomaly.NOT_LINEARIZABLE})
_OF_A_CLIENT = frozenset({Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC})
_COUNT, _PAGE = frozenset({F.COUNT}), frozenset({F.PAGES})

ROWS: dict[str, Row] = {
    "CONC-01": Row(("hot", "short", "batches"), _GONE, _appends),
    "CONC-02": Row(("hot", "short", "batches"), frozenset({Anomaly.DUPLICATE}), _appends),
    "CONC-03": Row(("hot", "batches", "mixed"), frozenset({Anomaly.ABORTED_READ}), _reads),
    "CONC-04": Row(("batches",), _TORN, _reads),
    "CONC-05": Row(
        ("hot", "mixed", "short", "batches", "deletes", "counts", "clears", "pages"),
        _LINEAR,
        _operations,
    ),
    "CONC-06": Row(
        ("hot", "mixed"),
        frozenset({Anomaly.READ_YOUR_WRITES, Anomaly.NON_MONOTONIC, Anomaly.WRITE_ORDER}),
        _reads,
        alone=True,
    ),
    "SEQ-02": Row(("hot", "batches"), _SEQUENCES, _numbers),
    "SEQ-04": Row(("hot", "batches"), frozenset({Anomaly.WRITE_ORDER}), _messages),
    "SEQ-06": Row(("hot", "mixed"), frozenset({Anomaly.REORDER}) | _STRANGE, _reads),
    "CNT-05": Row(("counts",), _IN_COUNTS, _counts, about=_COUNT, quiet=False),
    "CNT-06": Row(("counts",), _IN_COUNTS, _counted_appends, about=_COUNT, quiet=True),
    "CORE-04": Row(("pages",), _IN_PAGES, _pages, about=_PAGE),
}

BY_APPENDS = frozenset({"CONC-04", "CONC-05", "CONC-06", "CNT-05", "CORE-04", "SEQ-02"})


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
    if not trial.claims.at_least("handles", "tasks") or trial.claims.writes != "append":
        raise NotClaimed("the store does not claim handles of at least tasks, writes=append")
    _hold(trial, kinds_of(trial), number=3)


def one_round(trial: Trial, kind: Kind, *, script: Sequence[str] = ()) -> None:
    """One round of clients of this kind; raises Broken for what is wrong at every level.

    ``script`` shows that none of them is served.
    """
    row = Row(("hot",), _AT_EVERY_LEVEL, _appends)
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
            whole = turn + 1 >= max(len(mixes), len(gathered))
            if trial.enough(monotonic_s() - start) and (whole or trial.time_is_up()):
                break
        rounds.measure(gathered)
    _tell(trial, rounds)


def broken_by(
    row: Row, played: Played, claims: Claims, like: Anomaly | None = None
) -> Incident | None:
    """An incident of a round that breaks the row; one ``like`` another, where there is one."""
    found = [one for one in played.judged.incidents if _breaks(row, one, played, claims)]
    return next((one for one in found if one.anomaly is like), found[0] if found else None)


def _breaks(row: Row, incident: Incident, played: Played, claims: Claims) -> bool:
    if incident.anomaly not in row.breaks:
        return False
    if incident.anomaly in _OF_REAL_TIME and not claims.at_least("consistency", "linearizable"):
        return False
    weak = not row.quiet and not claims.at_least("consistency", "session")
    if weak and incident.anomaly in _OF_A_CLIENT:
        return False
    rows = played.history.rows[[*incident.rows]]
    if row.alone and len(set(_clients(played, incident.rows[:2]))) > 1:
        return False
    if not row.about:
        return True
    about = rows[np.isin(rows["f"], [*row.about])]
    if row.quiet is None:
        return len(about) > 0
    return bool(((about["phase"] == Phase.FINAL) == row.quiet).any())


def _clients(played: Played, rows: Sequence[int]) -> list[int]:
    """Whose operations they are; a client keeps its place when it goes on under a new number."""
    number = len(played.round.programs) + 1
    return [int(one) % number for one in played.history.rows["client"][[*rows]]]


def _conclude(
    trial: Trial, rounds: Rounds, one: Crew, played: Played, row: Row, *, number: int
) -> None:
    """Raise Broken with what is wrong with a round, tried again and made smaller."""
    incident = broken_by(row, played, trial.claims)
    if incident is None:
        return
    rounds.measure([one])
    failing = narrowed(
        lambda made: rounds.again(one, played.mix, made),
        lambda again: broken_by(row, again, trial.claims, incident.anomaly),
        played,
        incident,
        seconds=trial.profile.shrink_s,
    )
    shown, found = failing.played, failing.incident
    if row.about == _COUNT:
        found = replace(found, anomaly=Anomaly.COUNTER_DRIFT)  # whatever it is for reads
    finding = finding_of(found, shown.history, did=told(one, shown))
    finding = kept(trial, finding, shown, number)
    if failing.tried:
        finding = replace(finding, repeats=f"{failing.failed} of {failing.tried}")
    sessions = len(shown.round.sessions)  # of which a script has one
    attempts = attempts_for(failing.failed, failing.tried * sessions, 2 * shown.seconds / sessions)
    made = scripted(trial, finding, one, shown.round, session=found.session, attempts=attempts)
    raise Broken(made)


def kept(trial: Trial, finding: Finding, played: Played, number: int) -> Finding:
    """The finding with the whole history beside the trial's locations."""
    name = f"{trial.guarantee.id}-{number}.npz"
    folder = parent_of(trial) / "histories"
    folder.mkdir(exist_ok=True)
    files.save(played.history, folder / name)
    return with_history(finding, f"history/{name}")


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
        trial.notes.append(f"{beside}same session, in {trial.examined['rounds']} rounds")
        return
    if rounds.unknown:
        raise CouldNotTell(rounds.unknown.most_common(1)[0][0])
    failed = f"; {refused} were not ok, as {often}" if refused else ""
    raise CouldNotTell(
        f"{beside}same session: {done} {row.unit} were examined, {row.least} are needed{failed}"
    )


def require_served(rounds: Rounds) -> None:
    """Raise CouldNotTell where most operations failed: what few were served show nothing."""
    for named, made in rounds.made.items():
        if 2 * rounds.lost[named] > made:
            often = rounds.refused.most_common(1)[0][0]
            raise CouldNotTell(
                f"{rounds.lost[named]} of {made} operations of {named} failed: {often}"
            )
