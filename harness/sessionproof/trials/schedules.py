"""Executions under control, for trials: what can be explored, and what was found by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.schedule.found import Found
from sessionproof.schedule.program import Kind, Program
from sessionproof.schedule.table import table_of
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.schedules import schedule_script
from sessionproof.trials.exploring import Answer, More, Part, Request, ask, room
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Trial
from sessionproof.trials.windows import EXPECTED
from sessionproof.workload.crews import Kind as CrewKind
from sessionproof.workload.crews import awaits, is_hosted, said_by
from sessionproof.workload.rounds import Round
from sessionproof.workload.sessions import needs_create

_OPERATIONS_MOST = 24  # of a program that chance has found, to be tried as it is


def reachable(trial: Trial, kinds: Sequence[CrewKind]) -> tuple[Kind, ...]:
    """Those kinds of clients whose store lives in a process of ours, and that control knows."""
    if is_hosted(trial.store):
        return ()
    asynchronous = awaits(trial.store)
    return tuple(
        kind
        for kind in kinds
        if kind == "tasks" or (kind in ("threads", "shared") and not asynchronous)
    )


def explored(
    trial: Trial,
    kinds: Sequence[Kind],
    *,
    seconds: float,
    row: str | None = None,
    program: Program | None = None,
    more: More | None = None,
) -> Answer:
    """What came of exploring in a process of its own; the arguments are those of ``Request``."""
    with room(parent_of(trial)) as root:
        request = request_of(trial, kinds, root=root, seconds=seconds)
        return ask(replace(request, row=row, program=program, more=more))


def request_of(trial: Trial, kinds: Sequence[Kind], *, root: str, seconds: float) -> Request:
    """What a process must know of the store, and of what its clients say."""
    speech, claims = said_by(trial.store), trial.claims
    return Request(
        store=trial.store.spec.name,
        root=root,
        kinds=tuple(kinds),
        claims=claims,
        capabilities=trial.capabilities,
        sample=speech.sample,
        counted=speech.counted,
        timed=speech.timed,
        creates=needs_create(claims, trial.capabilities),
        by_store=claims.session_ids == "store",
        shared=claims.shared_handle,
        seconds=seconds,
        shrink_s=trial.profile.shrink_s,
        seed=trial.seed,
    )


def again(trial: Trial, kind: CrewKind, made: Round | None = None, *, row: str) -> Finding | None:
    """What chance has found, found once more under control; None where it is not.

    The programs of this round are tried beside the usual small ones.
    """
    kinds = reachable(trial, ["threads" if kind == "processes" else kind])
    if not kinds:
        return None
    program = None if made is None else program_of_round(made)
    answer = explored(trial, kinds, seconds=trial.profile.shrink_s, row=row, program=program)
    return None if answer.found is None else finding_of_schedule(trial, *answer.found)


def small_enough(made: Round) -> bool:
    """Whether it is worth trying as it is."""
    return sum(map(len, made.programs)) <= _OPERATIONS_MOST


def program_of_round(made: Round) -> Program:
    """The same calls, each with a number of its own."""
    number, clients = 0, []
    for calls in made.programs:
        clients.append(tuple((number + at, call) for at, call in enumerate(calls, 1)))
        number += len(calls)
    return Program(tuple(clients), len(made.sessions))


def finding_of_schedule(trial: Trial, part: Part, found: Found) -> Finding:
    """The finding, with its table and the script that replays it."""
    made = request_of(trial, (part.kind,), root="", seconds=0.0)
    table = table_of(found, kind=part.kind)
    clients = len(found.program.clients)
    finding = Finding(
        anomaly=found.wrong.anomaly,
        did=_did(found, f"{clients} {CLIENTS[part.kind]}"),
        expected=EXPECTED.get(found.wrong.anomaly, f"not that {MEANINGS[found.wrong.anomaly]}"),
        seen=table.sentence,
        repeats=f"{found.replayed} of {found.replays}",
        schedule=table,
    )
    try:
        lines = schedule_script(
            found,
            kind=part.kind,
            claims=trial.claims,
            sample=made.sample,
            counted=made.counted,
            timed=made.timed,
            creates=made.creates,
            by_store=made.by_store,
            shared=made.shared,
        )
    except Unwritable as why:
        return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))
    return replace(finding, script=lines)


CLIENTS = {"threads": "threads", "shared": "threads on one handle", "tasks": "tasks"}


def _did(found: Found, clients: str) -> str:
    """What was carried out, and how it was found."""
    calls, before = found.program.operations, found.first[0]
    where = ", stopped between any two lines of the store" if found.lines else ""
    first = f", in a program of {before} calls" if before > calls else ""
    return (
        f"{clients} made {calls} calls under a controlled schedule{where}; "
        f"found by schedule {found.after:,} of the search ({found.by}){first}"
    )
