"""A round that broke something, as a program for people and as a script that runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from sessionproof.contract.operations import (
    Count,
    Create,
    Delete,
    Get,
    Operation,
    Read,
    ReadLast,
    ReadPages,
)
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.history.columns import F
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.races import Race, race_script
from sessionproof.trials.single import Trial
from sessionproof.workload.crews import Crew
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.sessions import begin, needs_create

_LINES = 10  # of one client


def scripted(
    trial: Trial, finding: Finding, crew: Crew, made: Round, *, session: int, attempts: int
) -> Finding:
    """The finding with the calls on this session of the round as its program and its script."""
    programs = tuple(
        tuple(call for call in program if call.session == session) for program in made.programs
    )
    first = made.programs[0][: made.before] if made.programs else ()
    finding = replace(finding, program=tuple(program_lines(programs)))
    race = Race(
        anomaly=finding.anomaly,
        kind=crew.kind,
        programs=[program for program in programs if program],
        attempts=attempts,
        sample=trial.words.samples[0],
        claims=trial.claims,
        capabilities=trial.capabilities,
        awaited=_awaited(trial, {call.f for program in programs for call in program}),
        created=made.created and needs_create(trial.claims, trial.capabilities),
        answer_s=min(20.0, trial.store.deadlines.operation_s),
        meets=max(map(len, made.programs)) if made.gathers else 2,
        before=sum(call.session == session for call in first),
        pauses=bool(made.gathers),
    )
    try:
        return replace(finding, script=race_script(race))
    except Unwritable as why:
        return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))


def _awaited(trial: Trial, called: Collection[F]) -> frozenset[str]:
    """Which methods of these answer awaitables: clients call the store past the handle, so ask."""
    if "append" in trial.store.awaited:
        name = trial.store.next_program()
        begin(trial.handle(), name, trial.claims, trial.capabilities)
        asked: list[Operation] = [Read(name), *(one for f, one in _ASKED if f in called)]
        for operation in (*asked, *([Get(name)] if "get" in trial.capabilities else [])):
            trial.handle().invoke(operation, name)
    trial.store.close()  # whether closing does is known only then
    return frozenset(trial.store.awaited)


_ASKED = (
    (F.READ_LAST, ReadLast("", 1)), (F.PAGES, ReadPages("", 1)), (F.COUNT, Count("")),
    (F.CREATE, Create("")), (F.DELETE, Delete("")),
)  # fmt: skip


def program_lines(programs: tuple[tuple[Call, ...], ...]) -> Iterator[str]:
    """A line for each call of each client, with labels in the place of messages."""
    for place, program in enumerate(programs, 1):
        sent = 0
        for number, call in enumerate(program):
            if number == _LINES:
                yield f"c{place}: … {len(program) - number} further calls"
                break
            labels = [f"'c{place}·{sent + k}'" for k in range(1, call.n + 1)]
            sent += call.n if call.f in _SENDS else 0
            yield f"c{place}: {_line(call, ', '.join(labels))}"


_SENDS = (F.APPEND, F.CREATE, F.REPLACE)
_METHODS = {F.READ: "read", F.DELETE: "delete", F.CLEAR: "clear", F.COUNT: "count"}


def _line(call: Call, labels: str) -> str:
    match call.f:
        case F.APPEND | F.REPLACE:
            return f"store.{call.f.name.lower()}('s0', [{labels}])"
        case F.CREATE:
            return f"store.create('s0'{f', messages=[{labels}]' if call.n else ''})"
        case F.READ_LAST:
            return f"store.read_last('s0', {call.n})"
        case F.PAGES:
            return f"store.page('s0', cursor=…, limit={call.n})  # page by page"
        case _:
            return f"store.{_METHODS[call.f]}('s0')"
