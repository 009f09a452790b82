"""Small programs under controlled schedules, and the second life of what chance has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Finding
from sessionproof.schedule.bounds import covered
from sessionproof.schedule.found import Found
from sessionproof.schedule.stage import Kind, Program
from sessionproof.schedule.table import table_of
from sessionproof.scripts.schedules import schedule_script
from sessionproof.trials import small_programs
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.exploring import Answer, Part, Request, ask, room
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.trials.windows import EXPECTED
from sessionproof.workload.crews import Kind as CrewKind
from sessionproof.workload.crews import awaits, is_hosted, said_by
from sessionproof.workload.rounds import Round
from sessionproof.workload.sessions import needs_create

_UNSEEN_MOST = 0.5  # of the executions, in which somebody waited where nobody sees it
_OPERATIONS_MOST = 24  # of a program that chance has found, to be tried as it is


def no_schedule_breaks(trial: Trial) -> None:
    """Every schedule with at most two preemptions, then random ones."""
    kinds = kinds_of(trial)
    seconds = trial.profile.share_s * trial.guarantee.weight
    mine = reachable(trial, kinds)
    if not mine:
        _out_of_reach(trial, kinds, seconds, _why_not(trial))
    answer = explored(trial, mine, seconds=seconds)
    if answer.found is not None:
        raise broken(trial, *answer.found)
    _tell(trial, kinds, answer, seconds)


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
) -> Answer:
    """What came of exploring in a process of its own; the arguments are those of ``Request``."""
    with room(parent_of(trial)) as root:
        request = request_of(trial, kinds, root=root, seconds=seconds)
        return ask(replace(request, row=row, program=program))


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


def again(trial: Trial, kind: CrewKind, made: Round, row: str) -> Broken | None:
    """What chance has found, found once more under control; None where it is not."""
    kinds = reachable(trial, ["threads" if kind == "processes" else kind])
    if not kinds:
        return None
    program = program_of_round(made)
    small = program if program.operations <= _OPERATIONS_MOST else None
    answer = explored(trial, kinds, seconds=trial.profile.shrink_s, row=row, program=small)
    return None if answer.found is None else broken(trial, *answer.found)


def program_of_round(made: Round) -> Program:
    """The same calls, each with a number of its own."""
    number, clients = 0, []
    for calls in made.programs:
        clients.append(tuple((number + at, call) for at, call in enumerate(calls, 1)))
        number += len(calls)
    return Program(tuple(clients), len(made.sessions))


def broken(trial: Trial, part: Part, found: Found) -> Broken:
    """The finding, with its table and a script that replays it."""
    made = request_of(trial, (part.kind,), root="", seconds=0.0)
    table = table_of(found, kind=part.kind)
    clients = len(found.program.clients)
    finding = Finding(
        anomaly=found.wrong.anomaly,
        did=_did(found, f"{clients} {_CLIENTS[part.kind]}"),
        expected=EXPECTED.get(found.wrong.anomaly, f"not that {MEANINGS[found.wrong.anomaly]}"),
        seen=table.sentence,
        repeats=f"{found.replayed} of {found.replays} replays",
        schedule=table,
    )
    lines = partial(
        schedule_script,
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
    return trial.broken(finding, lines)


_CLIENTS = {"threads": "threads", "shared": "threads on one handle", "tasks": "tasks"}


def _did(found: Found, clients: str) -> str:
    """What was carried out, and how it was found."""
    calls, before = found.program.operations, found.first[0]
    where = ", stopped between any two lines of the store" if found.lines else ""
    first = f", in a program of {before} calls" if before > calls else ""
    return (
        f"{clients} made {calls} calls under a controlled schedule{where}; "
        f"found after {found.after:,} schedules ({found.by}){first}"
    )


def _tell(trial: Trial, kinds: Sequence[CrewKind], answer: Answer, seconds: float) -> None:
    """Count what was explored and note the bound; raises CouldNotTell where it shows nothing."""
    for part in answer.parts:
        said = covered(part.explored)
        if said:
            lines = " at the lines of the store" if part.lines else ""
            trial.notes.append(f"{_CLIENTS[part.kind]}{lines}: {said}")
    if answer.stopped:
        raise CouldNotTell(f"exploring was ended: {answer.stopped}")
    plain = [part for part in answer.parts if not part.lines]
    for part in plain:
        if part.explored.problem:
            raise CouldNotTell(f"under control the store fails: {part.explored.problem}")
    for part in plain:
        explored = part.explored
        if part.kind != "tasks" and not part.reached:
            why = "control reaches nothing inside of the store's calls"
            _out_of_reach(trial, kinds, seconds, why)
        unseen = explored.uncontrolled + sum(explored.ended.values())
        if unseen > _UNSEEN_MOST * explored.total:
            why = f"in {unseen} of {explored.total} executions clients waited where it is not seen"
            _out_of_reach(trial, kinds, seconds, why)
        trial.count("schedules", explored.total - unseen)
    trial.count("histories", sum(part.explored.distinct for part in plain))
    if trial.examined["schedules"] < trial.guarantee.least:
        raise CouldNotTell(
            f"{trial.examined['schedules']} schedules in {seconds:.1f} s, "
            f"{trial.guarantee.least} are needed: the store is slow"
        )


def _out_of_reach(trial: Trial, kinds: Sequence[CrewKind], seconds: float, why: str) -> NoReturn:
    """Try small programs as chance has them; raises Broken, or CouldNotTell."""
    tried = small_programs.explored(trial, kinds, seconds=seconds)
    raise CouldNotTell(
        f"{why}; {tried.programs} small programs showed nothing in {tried.runs} runs, in "
        f"{tried.together} of which clients met"
    )


def _why_not(trial: Trial) -> str:
    if is_hosted(trial.store):
        return "control does not reach a store that is a process of its own"
    return "control does not reach threads whose store answers awaitables"
