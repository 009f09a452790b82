"""State that several clients set at the same time, each under keys of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG, Append, GetState, Outcome, SetState, as_call
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import BATCH, F, History, Type
from sessionproof.history.overlap import in_seats, overlapping
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import Turns, crews, kinds_of, script
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.client import key_of
from sessionproof.workload.crews import Crew
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.rounds import Call
from sessionproof.workload.sessions import needs_create

_KEYS = 3  # of each client: few, so that an older value can come back
_SETS = 12  # of each client in a round
_MEETS = 4
_ATTEMPTS = 200


def kept(trial: Trial) -> None:
    """Rounds in which all clients set keys of their own in one session.

    A key has one client, who sets one value after the other: when all is quiet, a fresh handle
    reads the last that was acknowledged, or one of which nobody knows whether it was set. Counts
    values that were acknowledged and set beside another client's.
    """
    start, turns = monotonic_s(), Turns(trial)
    with crews(trial, dict.fromkeys(kinds_of(trial))) as gathered:
        while True:
            one = gathered[turns.played % len(gathered)]
            trial.count(trial.guarantee.unit, _round(trial, turns, one))
            all_had_a_turn = turns.played >= len(gathered)
            if trial.time_is_up() or (all_had_a_turn and trial.enough(monotonic_s() - start)):
                return


def _round(trial: Trial, turns: Turns, one: Crew) -> int:
    """How many values were set beside another client's; raises Broken where one was lost."""
    _begin(trial, f"t{turns.played + 1}-0")
    programs = list(_programs(trial, one, turns.played))
    worked = turns.play(one, programs, 1, meets=_MEETS)
    if worked.stopped is not None:
        raise _stopped(trial, one, worked.stopped)
    right = possible(worked.history)
    seen = _read(trial, one.ids[0] or "", sorted(right))
    for n, values in right.items():
        if seen[n] not in values:
            raise Broken(_lost(trial, one, programs, n, values, seen[n]))
    return _beside(worked.history, one.clients)


def possible(history: History) -> Mapping[int, Set[int | None]]:
    """What each key may be when all is quiet, by its number: values, and None if never set."""
    rows = history.rows[history.rows["f"] == F.SET_STATE]
    last: dict[int, int | None] = {}
    unknown: dict[int, set[int]] = defaultdict(set)
    for row in rows[np.argsort(rows["inv"], kind="stable")]:
        n, value = int(row["n"]), int(row["id"]) // BATCH
        last.setdefault(n, None)
        if row["type"] == Type.OK:
            last[n] = value
        elif row["type"] == Type.INFO:
            unknown[n].add(value)  # it may come late, after what its client set next
    return {n: {value, *unknown[n]} for n, value in last.items()}


def _beside(history: History, clients: int) -> int:
    """How many sets were acknowledged that ran at the same time as another client's."""
    met = overlapping(in_seats(history, clients + 1))
    rows = history.rows
    return int((met & (rows["f"] == F.SET_STATE) & (rows["type"] == Type.OK)).sum())


def _begin(trial: Trial, session: str) -> None:
    """A first message, where a session is known by its messages; others are created."""
    if not needs_create(trial.claims, trial.capabilities):
        outcome = trial.handle().invoke(Append("s0", trial.several(1)), session)
        trial.require_ok(outcome, "appended the first message of a session")


def _programs(trial: Trial, one: Crew, turn: int) -> Iterator[list[Call]]:
    """Sets of each client: its keys in an order of its own, each several times."""
    chance = generator(trial.seed, one.kind, turn)
    for client in range(one.clients):
        numbers = [client * _KEYS + at % _KEYS for at in range(_SETS)]
        chance.shuffle(numbers)
        yield [Call(F.SET_STATE, 0, n) for n in numbers]


def _read(trial: Trial, session: str, numbers: Sequence[int]) -> dict[int, Any]:
    """What a fresh handle answers for these keys."""
    handle, seen = trial.store.another_handle(), {}
    try:
        for n in numbers:
            outcome = handle.invoke(GetState("s0", key_of(n)), session)
            trial.require_ok(outcome, "read a key after clients had set keys at once")
            seen[n] = outcome.value
    finally:
        handle.close()
    return seen


def _lost(
    trial: Trial,
    one: Crew,
    programs: Sequence[Sequence[Call]],
    n: int,
    values: Set[int | None],
    seen: object,
) -> Finding:
    right = " or ".join(map(repr, sorted(values, key=str)))
    return Finding(
        anomaly=Anomaly.LOST_UPDATE,
        did=f"{one.named} set keys of their own in one session, {_SETS} values each",
        expected=f"{key_of(n)} is {right}: the last that its only client was acknowledged",
        seen=f"a fresh handle reads {seen!r}",
        program=tuple(_lines(programs)),
        script=_script(trial, one),
    )


def _stopped(trial: Trial, one: Crew, outcome: Outcome) -> Exception:
    """What ended a round: a hang or a crash, as a break."""
    failure = outcome.failure
    if failure is None or failure.type == CannotOpen.__name__:
        return CannotOpen("" if failure is None else failure.text, failure)
    special = failure.type in tuple(Anomaly)
    return Broken(
        Finding(
            anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
            did=f"{one.named} set keys of their own in one session",
            expected="every call ends",
            seen=failure.text if special else str(failure),
            evidence=dict(failure.evidence),
            script=_script(trial, one, hung=True) if failure.type == HANG else (),
        )
    )


def _lines(programs: Sequence[Sequence[Call]]) -> list[str]:
    """The beginning of what each client did; a value is the place of its call."""
    return [
        f"c{client}: {as_call(SetState('s0', key_of(call.n), at))}"
        for client, program in enumerate(programs, 1)
        for at, call in enumerate(program[:_KEYS], 1)
    ]


def _script(trial: Trial, one: Crew, *, hung: bool = False) -> tuple[str, ...]:
    trial.store.close()  # whether closing is awaited is known only then
    made_so = needs_create(trial.claims, trial.capabilities)
    first = [] if made_so else [f"store.append(s0, [{said(trial, 'hello')}])"]
    return script(
        Crowd(
            kind=one.kind,
            clients=one.clients,
            attempts=_ATTEMPTS,
            prepared=[*made(trial, "s0"), *first, "sessions = [s0]"],
            visit=[
                f"for value in range(1, {_SETS + 1}):",
                f"    key = f'key-{{number}}-{{value % {_KEYS}}}'",
                "    with suppress(Exception):  # it may be refused; it is not said then",
                "        store.set_state(sessions[0], key, value)",
                "        said.append((key, value))",
            ],
            wrong=[
                "last = {key: value for client in said for key, value in client}",
                "for key, value in last.items():",
                "    seen = store.get_state(sessions[0], key)",
                "    if seen is None or seen < value:",
                "        return f'{key} is {seen}, and {value} was acknowledged'",
            ],
            awaited=frozenset(trial.store.awaited),
            answer_s=min(20.0, trial.store.deadlines.operation_s) if hung else None,
        )
    )
