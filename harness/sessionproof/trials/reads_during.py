"""Readers of a session while others append to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import F, Type
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import Turns, crews, kinds_of, script, working
from sessionproof.trials.lines import made, said
from sessionproof.trials.refusals import Failed, came_to_an_end, first_failed, works_alone
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.crews import Crew, Kind
from sessionproof.workload.rounds import Call

_CLIENTS: dict[Kind, int | None] = {"threads": 4, "shared": 4, "tasks": 4, "processes": 4}
_WRITERS = 2
_APPENDS, _READS = 4, 12  # of each client in a round
_LONG = 100  # messages of an append, so that reads fit beside it
_ROUNDS_MOST = 40
_ALONE = [Call(F.APPEND, 0, 1), Call(F.READ, 0), Call(F.READ, 0)]
_FRESH_AFTER = 8


def during_appends(trial: Trial) -> None:
    """Rounds of writers and readers on one session; counts reads within an append of another.

    Raises Broken when a read fails which does not fail alone. Only one that waited for long while
    others had their turns is no break: the machine may have been too slow.
    """
    batch = _LONG if trial.claims.limits.batch_bytes is None else 1
    batch = min(batch, trial.claims.limits.retention or batch)
    start, turns = monotonic_s(), Turns(trial)
    trial.store.fresh_location()
    with crews(trial, {kind: _CLIENTS[kind] for kind in kinds_of(trial)}) as gathered:
        for one in gathered:
            works_alone(turns, one, _ALONE, "a call")
        for played in range(_ROUNDS_MOST):
            one = gathered[played % len(gathered)]
            _round(trial, turns, one, batch, fresh=played % _FRESH_AFTER == _FRESH_AFTER - 1)
            whole = played + 1 >= len(gathered)
            if whole and trial.enough(monotonic_s() - start):
                break


def _round(trial: Trial, turns: Turns, one: Crew, batch: int, *, fresh: bool) -> None:
    programs = [
        [Call(F.APPEND, 0, batch)] * _APPENDS if client < _WRITERS else [Call(F.READ, 0)] * _READS
        for client in range(max(2, one.clients))
    ]
    worked = turns.play(one, programs, 1, location=fresh)
    came_to_an_end(worked, one)
    rows = working(worked.history)
    failed = first_failed(worked, rows, one.clients, of=F.READ)
    if failed is not None and not failed.only_waited:
        raise _broken(trial, one, failed, programs)
    trial.count("reads", _within(rows))


def _within(rows: npt.NDArray[np.void]) -> int:
    """How many reads began and ended while an append of another client was going on."""
    reads = rows[(rows["f"] == F.READ) & (rows["type"] == Type.OK)]
    appends = rows[(rows["f"] == F.APPEND) & (rows["type"] == Type.OK)]
    began = appends["inv"][:, None] < reads["inv"][None, :]
    ended = appends["ret"][:, None] > reads["ret"][None, :]
    return int((began & ended).any(axis=0).sum())


def _broken(trial: Trial, one: Crew, failed: Failed, programs: list[list[Call]]) -> Broken:
    return Broken(
        Finding(
            anomaly=Anomaly.BLOCKED_READER,
            did=f"{one.named} read and appended to one session at once",
            expected="every read succeeds: readers go on while a writer is at work",
            seen=f"a read failed after {failed.waited_s * 1e3:.1f} ms: {failed.said}",
            evidence=failed.evidence,
            script=_script(trial, one, programs),
        )
    )


def _script(trial: Trial, one: Crew, programs: list[list[Call]]) -> tuple[str, ...]:
    batch = f"[{said(trial, 'hello')}] * {programs[0][0].n}"
    return script(
        Crowd(
            kind=one.kind,
            clients=one.clients,
            attempts=50,
            prepared=[*made(trial, "s0"), f"store.append(s0, {batch})", "sessions = [s0]"],
            visit=[
                f"for _ in range({_READS}):",
                f"    if number < {_WRITERS}:",
                "        with suppress(Exception):  # another matter",
                f"            store.append(sessions[0], {batch})",
                "    else:",
                "        store.read(sessions[0])",
            ],
            wrong=(),
            awaited=frozenset(trial.store.awaited),
        )
    )
