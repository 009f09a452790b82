"""Deadlines, fairness and refusals under many clients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG, Failure
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import F, Type
from sessionproof.history.overlap import in_seats
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials import fairness
from sessionproof.trials.crowds import Turns, answered, beside, crews, kinds_of, script, working
from sessionproof.trials.lines import made, said
from sessionproof.trials.refusals import refused
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.workload.crews import Crew, Kind, is_hosted
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.mixes import has
from sessionproof.workload.rounds import Call

_LENGTH = 16  # calls of a client in a round
_SESSIONS = 3
_FRESH_AFTER = 20
_WEIGHTS = {
    F.APPEND: 10, F.READ: 4, F.READ_LAST: 2, F.COUNT: 2, F.PAGES: 1, F.DELETE: 2, F.CLEAR: 2,
    F.REPLACE: 2,
}  # fmt: skip


def every_operation_ends(trial: Trial) -> None:
    """Rounds of all operations by threads, threads on one handle, and tasks.

    Counts those that ended while another client was in a call.
    """
    _ends(trial, [kind for kind in kinds_of(trial) if kind != "processes"])


def every_operation_ends_across(trial: Trial) -> None:
    """The same by processes."""
    if not trial.claims.at_least("handles", "processes"):
        raise NotClaimed("the store does not claim handles=processes")
    if is_hosted(trial.store):
        raise NotClaimed("each handle is a process already: the test of threads tells")
    _ends(trial, ["processes"])


def no_writer_is_refused(trial: Trial) -> None:
    """As many writers as are claimed, at most 16 threads or tasks and 8 processes."""
    refused(trial)


def _ends(trial: Trial, kinds: Sequence[Kind]) -> None:
    start, turns = monotonic_s(), Turns(trial)
    done: dict[str, list[int]] = {}
    with crews(trial, dict.fromkeys(kinds)) as gathered:
        while True:
            one = gathered[turns.played % len(gathered)]
            programs = _programs(trial, one, turns.played)
            fresh = turns.played % _FRESH_AFTER == _FRESH_AFTER - 1
            worked = turns.play(one, programs, _SESSIONS, location=fresh)
            if worked.stopped is not None:
                raise stopped(trial, one, worked.stopped.failure, programs)
            rows = working(in_seats(worked.history, one.clients + 1))
            ended = rows["type"] != Type.INFO
            trial.count("operations", int((ended & beside(rows)).sum()))
            _add(done.setdefault(one.named, [0] * one.clients), rows)
            all_had_a_turn = turns.played >= len(gathered)
            if trial.time_is_up() or (all_had_a_turn and trial.enough(monotonic_s() - start)):
                break
        for named, completed in done.items():
            trial.notes.append(
                f"{named} completed {min(completed)} to {max(completed)} operations each"
            )
        if trial.claims.fair:
            for one in gathered:
                stop = fairness.nobody_starves(trial, turns, one)
                if stop is not None:
                    raise stopped(trial, one, stop.failure, programs)


def _programs(trial: Trial, one: Crew, turn: int) -> list[list[Call]]:
    """All that the store can do, on sessions that clients go through in opposing orders."""
    chance = generator(trial.seed, one.kind, turn)
    sizes = (1, 1, 3) if trial.claims.limits.batch_bytes is None else (1,)
    able = [f for f in _WEIGHTS if has(trial.capabilities, f)]
    weights = [_WEIGHTS[f] for f in able]
    programs = []
    for client in range(one.clients):
        order = range(_LENGTH) if client % 2 else range(_LENGTH, 0, -1)
        calls = chance.choices(able, weights, k=_LENGTH)
        programs.append(
            [
                Call(f, at % _SESSIONS, _number(f, chance.choice(sizes)))
                for f, at in zip(calls, order, strict=True)
            ]
        )
    return programs


def _number(f: F, messages: int) -> int:
    if f in (F.APPEND, F.REPLACE):
        return messages
    return 5 if f in (F.READ_LAST, F.PAGES) else 0


def _add(completed: list[int], rows: npt.NDArray[np.void]) -> None:
    """What each client completed; ``rows`` have the places of clients."""
    for client in rows["client"][answered(rows)]:
        completed[int(client)] += 1


def stopped(
    trial: Trial, one: Crew, failure: Failure | None, programs: Sequence[Sequence[Call]]
) -> Exception:
    """What ended a round: a hang or a crash as a break."""
    if failure is None or failure.type == CannotOpen.__name__:
        return CannotOpen("" if failure is None else failure.text, failure)
    special = failure.type in tuple(Anomaly)
    finding = Finding(
        anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
        did=f"{one.named} worked at once on {_SESSIONS} sessions",
        expected="every operation ends within its deadline",
        seen=failure.text if special else str(failure),
        evidence=dict(failure.evidence),
        script=_script(trial, one, programs) if failure.type == HANG else (),
    )
    return Broken(finding)


def _script(trial: Trial, one: Crew, programs: Sequence[Sequence[Call]]) -> tuple[str, ...]:
    """The same calls; a call that does not return ends the script."""
    used = {call.f for program in programs for call in program}
    listed = [
        str([(_LINES[call.f][0], call.session, call.n) for call in program]) for program in programs
    ]
    visit = [
        "programs = [",
        *(f"    {program}," for program in listed),
        "]",
        f"message = {said(trial, 'hello')}",
        "for call, at, n in programs[number]:",
        "    with suppress(Exception):  # that it ends is all that is asked",
    ]
    for word, f in zip(("if", *["elif"] * len(used)), sorted(used), strict=False):
        method, line = _LINES[f]
        if f is F.COUNT and "count" not in trial.capabilities:
            line = "store.get(sessions[at])"
        visit += [f"        {word} call == '{method}':", f"            {line}"]
    names = [f"s{at}" for at in range(_SESSIONS)]
    return script(
        Crowd(
            kind=one.kind,
            clients=one.clients,
            attempts=100,
            prepared=[*made(trial, *names), f"sessions = [{', '.join(names)}]"],
            visit=visit,
            wrong=(),
            awaited=frozenset(trial.store.awaited),
            answer_s=min(5.0, trial.store.deadlines.operation_s),
        )
    )


_LINES = {
    F.APPEND: ("append", "store.append(sessions[at], [message] * n)"),
    F.READ: ("read", "store.read(sessions[at])"),
    F.READ_LAST: ("read_last", "store.read_last(sessions[at], n)"),
    F.COUNT: ("count", "store.count(sessions[at])"),
    F.PAGES: ("page", "store.page(sessions[at], limit=n)"),
    F.DELETE: ("delete", "store.delete(sessions[at])"),
    F.CLEAR: ("clear", "store.clear(sessions[at])"),
    F.REPLACE: ("replace", "store.replace(sessions[at], [message] * n)"),
}
