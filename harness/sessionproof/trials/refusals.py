"""Appends that fail because others are at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.frames import AT
from sessionproof.contract.operations import CRASH, HANG
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import NEVER, F, Type
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import Turns, answered, beside, crews, kinds_of, script, working
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload.crews import Crew, Kind, Worked
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.rounds import Call

MOST: dict[Kind, int] = {"threads": 16, "shared": 16, "tasks": 16, "processes": 8}
_APPENDS = 6  # of each writer in a round: few, so that whoever waits has its turn soon
_SHORT_S = 1.0
_AGAIN = 5
_FRESH_AFTER = 20


def refused(trial: Trial) -> None:
    """As many writers as are claimed, in each way that they may come; raises Broken.

    Each appends to a session of its own and to one that all share. An append that fails is a break,
    a Conflict as well: the claim is that nobody is refused because others are at work. Only where
    somebody waited for long while the others had their turns, one after the other, the machine may
    have been too slow. Counts appends beside those of another.
    """
    claimed = trial.claims.writers or 0
    sizes: dict[Kind, int | None] = {kind: min(claimed, MOST[kind]) for kind in kinds_of(trial)}
    doubts: list[str] = []
    start, turns = monotonic_s(), Turns(trial)
    with crews(trial, sizes) as gathered:
        for one in gathered:
            works_alone(turns, one, [Call(F.APPEND, 0, 1)] * 3, "an append")
        played = 0
        while played < len(gathered) or not trial.enough(monotonic_s() - start):
            one = gathered[played % len(gathered)]
            played += 1
            rows, failed = _round(turns, one, fresh=played % _FRESH_AFTER == 0)
            if failed is None:
                trial.count("appends", int((answered(rows) & beside(rows)).sum()))
            elif failed.only_waited:
                doubts.append(f"an append waited {failed.waited_s:.1f} s for its turn, and gave up")
            else:
                raise _broken(trial, turns, one, failed)
            if trial.time_is_up():
                break
    tried = ", ".join(f"{one.named}" for one in gathered)
    trial.notes.append(f"writers at once: {tried}; {claimed} are claimed")
    if doubts and trial.examined["appends"] < trial.guarantee.least:
        raise CouldNotTell(f"{doubts[0]}: the machine is too slow")
    trial.notes += doubts[:1]


@dataclass(frozen=True)
class Failed:
    """An operation that failed: what it said, how long it took, and if it only waited its turn.

    ``evidence`` names the line of the store that raised, where it is known.
    """

    said: str
    waited_s: float
    only_waited: bool
    evidence: dict[str, str]


def works_alone(turns: Turns, one: Crew, program: Sequence[Call], what: str) -> None:
    """Raise CouldNotTell where a single client fails, too: that has other reasons."""
    worked = turns.play(one, [program], 1)
    came_to_an_end(worked, one)
    rows = working(worked.history)
    if not (rows["type"] == Type.OK).all():
        text = worked.history.errors[int(rows["error"][rows["type"] != Type.OK][0])]
        raise CouldNotTell(f"{what} fails without others at work: {text}")


def _round(turns: Turns, one: Crew, *, fresh: bool) -> tuple[npt.NDArray[np.void], Failed | None]:
    """The rows of one round, and the first append in it that failed."""
    programs = [
        [Call(F.APPEND, 0 if at % 2 else 1 + client, 1) for at in range(_APPENDS)]
        for client in range(one.clients)
    ]
    worked = turns.play(one, programs, 1 + one.clients, location=fresh)
    came_to_an_end(worked, one)
    rows = working(worked.history)
    return rows, first_failed(worked, rows, one.clients)


def first_failed(
    worked: Worked, rows: npt.NDArray[np.void], clients: int, *, of: F = F.APPEND
) -> Failed | None:
    """The first operation of this sort that failed; one that only waited if there is no other."""
    failed = rows[(rows["type"] != Type.OK) & (rows["f"] == of)]
    if not len(failed):
        return None
    found = [_failed(worked, rows, row, clients) for row in failed]
    return next((one for one in found if not one.only_waited), found[0])


def _failed(worked: Worked, rows: npt.NDArray[np.void], row: np.void, clients: int) -> Failed:
    ended = _end_of(rows, row, clients)
    began = int(row["inv"])
    done = rows["ret"][answered(rows)]
    # Whoever waits for what is never let go waits alone: then nobody else comes to an end.
    went_on = bool(((done > (began + ended) // 2) & (done <= ended)).any())
    waited_s = (ended - began) / 1e9
    text = worked.history.errors[int(row["error"])] or "no answer"
    at = worked.frames.get(text)
    return Failed(text, waited_s, waited_s > _SHORT_S and went_on, {AT: at} if at else {})


def _end_of(rows: npt.NDArray[np.void], row: np.void, clients: int) -> int:
    """When it had failed: where that is not known, the next call of its client began soon after."""
    if row["ret"] != NEVER:
        return int(row["ret"])
    same = rows["client"] % (clients + 1) == row["client"] % (clients + 1)
    later = rows["inv"][same & (rows["inv"] > row["inv"])]
    known = rows["ret"][rows["ret"] != NEVER]
    return int(later.min()) if len(later) else int(max(known.max(initial=0), row["inv"]))


def came_to_an_end(worked: Worked, one: Crew) -> None:
    """Raise Broken, CannotOpen where a round was stopped."""
    failure = worked.stopped.failure if worked.stopped else None
    if worked.stopped is None:
        return
    if failure is None or failure.type not in (HANG, CRASH):
        raise CannotOpen("" if failure is None else failure.text, failure)
    raise Broken(
        Finding(
            anomaly=Anomaly(failure.type),
            did=f"{one.named} worked at once",
            expected="every call ends",
            seen=failure.text,
            evidence=dict(failure.evidence),
        )
    )


def _broken(trial: Trial, turns: Turns, one: Crew, failed: Failed) -> Broken:
    again = 0
    for _ in range(_AGAIN):
        _, found = _round(turns, one, fresh=False)
        again += found is not None
    waited = f" after {failed.waited_s:.2f} s" if failed.waited_s > _SHORT_S else ""
    return Broken(
        Finding(
            anomaly=Anomaly.BUSY,
            did=f"{one.named} appended at once, {_APPENDS} messages each; alone, none fails",
            expected=f"no append fails because others are at work: {trial.claims.writers} writers "
            "are claimed",
            seen=f"an append raised {failed.said}{waited}",
            repeats=f"{again} of {_AGAIN} rounds",
            evidence=failed.evidence,
            script=_script(trial, one),
        )
    )


def _script(trial: Trial, one: Crew) -> tuple[str, ...]:
    return script(
        Crowd(
            kind=one.kind,
            clients=one.clients,
            attempts=50,
            prepared=[*made(trial, "s0"), "sessions = [s0]"],
            visit=[
                f"for _ in range({2 * _APPENDS}):",
                f"    store.append(sessions[0], [{said(trial, 'hello')}])",
            ],
            wrong=(),
            awaited=frozenset(trial.store.awaited),
        )
    )
