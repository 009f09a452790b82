"""Transactions over several sessions at once: rounds of clients, and what no order explains."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from sessionproof.checks.dependencies import Contradiction
from sessionproof.checks.transactions import Isolation, judge_transactions
from sessionproof.checks.wording import amount
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import NotFound
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, HANG, MALFORMED, Outcome, Read
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history.transactions import Step, Transaction, to_lines
from sessionproof.scripts.transactions import Transacting, transaction_lines
from sessionproof.trials.again import failed_again
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.lateness import is_late
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.crews import Kind, is_hosted
from sessionproof.workload.execute import insisted
from sessionproof.workload.racers import Racers, racers
from sessionproof.workload.sessions import begin
from sessionproof.workload.threads import Stopped
from sessionproof.workload.transacting import (
    Numbers,
    Unfit,
    asked,
    beside,
    ids_of,
    programs,
    recorded,
)

_CLIENTS: dict[Kind, int] = {"threads": 4, "shared": 4, "tasks": 4, "processes": 3}
_SESSIONS, _LENGTH = 3, 6  # of a round, and of each client's program
_FRESH_AFTER = 30  # rounds on one location, so that what lies there stays small
_LONGEST = 4 * _LENGTH * 2  # messages of a session, at most
_VAIN = 200  # transactions without one that was served, after which no more are tried
_AGAIN = 6
_EXPECTED = {
    "snapshot": "each transaction sees one moment, and no two at the same time write one session",
    "serializable": "one order of the transactions explains every answer",
    "strict-serializable": "one order of the transactions, true to real time, explains every "
    "answer",
}
_AT_ONCE = frozenset({HANG, CRASH})


def within(trial: Trial) -> None:
    """Transactions of threads, of threads on one handle, and of tasks, as the claims allow them."""
    some = [kind for kind in kinds_of(trial) if kind != "processes"]
    if is_hosted(trial.store):
        trial.notes.append("each handle is a process of its own, behind pipes of a thread")
    _hold(trial, some)


def across(trial: Trial) -> None:
    """Transactions of processes, each with a handle of its own."""
    if not trial.claims.at_least("handles", "processes"):
        raise NotClaimed("the store does not claim handles=processes")
    if is_hosted(trial.store):
        raise NotClaimed("each handle is a process already: the test of threads tells")
    _hold(trial, ["processes"])


@dataclass
class _Rounds:
    """The rounds of one trial: numbers and names are given once."""

    trial: Trial
    numbers: Numbers = field(default_factory=Numbers)
    played: int = 0
    made: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def sample(self) -> Message:
        """The message whose texts are exchanged."""
        return self.trial.words.samples[0]


def _hold(trial: Trial, kinds: Sequence[Kind]) -> None:
    """Play rounds until the time is spent and the evidence is there; raises Broken."""
    claims = trial.claims
    if claims.order == "timestamp":
        raise NotClaimed("the store puts messages where their times say, also before older ones")
    if claims.limits.retention is not None and claims.limits.retention < _LONGEST:
        raise CouldNotTell(
            f"the store keeps {claims.limits.retention} messages of a session, and rounds need "
            f"{_LONGEST}"
        )
    rounds = _Rounds(trial)
    for kind in kinds:
        trial.count("transactions", _of_kind(rounds, kind, parts=len(kinds)))
    done, least = trial.examined["transactions"], trial.guarantee.least
    told = f"{done} transactions of {rounds.made} ran beside another client's, in "
    told += amount(rounds.played, "round")
    refused = rounds.refused.most_common(1)
    if refused:
        number, text = sum(rounds.refused.values()), refused[0][0]
        told += f"; {number} were not ok, {refused[0][1]} of them: {text}"
    if done < least:
        raise CouldNotTell(f"{told}; {least} are needed")
    trial.notes.append(told)


def _of_kind(rounds: _Rounds, kind: Kind, *, parts: int) -> int:
    """How many transactions of these clients are evidence."""
    trial, started_s, counted = rounds.trial, monotonic_s(), 0
    least = math.ceil(trial.guarantee.least / parts)
    share_s = trial.profile.share_s * trial.guarantee.weight / parts

    def enough() -> bool:
        is_done = counted >= least and monotonic_s() - started_s >= share_s
        is_vain = rounds.made >= _VAIN and rounds.refused.total() == rounds.made
        return is_done or is_vain or trial.time_is_up() or is_late(trial)

    while not enough():
        trial.store.fresh_location()
        with racers(kind, trial.store, _CLIENTS[kind]) as one:
            for _ in range(_FRESH_AFTER):
                made = _played(rounds, one)
                found = judge_transactions(made, _isolation(trial))
                if found:
                    raise _broken(rounds, one, made, found[0])
                counted += beside(made)
                if enough():
                    break
    return counted


def _isolation(trial: Trial) -> Isolation:
    return trial.claims.isolation or "snapshot"


def _played(rounds: _Rounds, one: Racers) -> tuple[Transaction, ...]:
    """The history of one round; raises Broken for what ended it."""
    trial = rounds.trial
    rounds.played += 1
    ids = [_begun(trial, f"t{rounds.played}-{at}") for at in range(_SESSIONS)]
    random = generator(trial.seed, one.kind, rounds.played)
    drawn = programs(random, rounds.numbers, ids, clients=one.number, length=_LENGTH)
    try:
        done = one.race([asked(program, rounds.sample()) for program in drawn])
        made = recorded(drawn, done)
    except Stopped as stop:
        raise _stopped(one, stop.outcome) from None
    except Unfit as wrong:
        raise _malformed(one, str(wrong)) from None
    for own in done:
        for did in own:
            rounds.made += 1
            failure = did.outcome.failure
            if failure is None:
                continue
            if failure.type in _AT_ONCE:
                raise _stopped(one, did.outcome)
            if failure.type == MALFORMED:
                raise _malformed(one, failure.text)
            rounds.refused[str(failure)[:300]] += 1
    return (*made, *_final(trial, ids, one.number))


def _begun(trial: Trial, name: str) -> str:
    outcome = begin(trial.handle(), name, trial.claims, trial.capabilities)
    trial.require_ok(outcome, f"made the session {name!r}")
    return str(outcome.value)


def _final(trial: Trial, ids: Sequence[str], clients: int) -> list[Transaction]:
    """What a fresh handle reads when all is quiet."""
    made = []
    with closing(trial.store.another_handle()) as handle:
        for session in ids:
            began = monotonic_ns()
            outcome = insisted(lambda session=session: handle.invoke(Read("s"), session))  # type: ignore[misc]
            unknown = outcome.failure is not None and outcome.failure.type == NotFound.__name__
            if not unknown:
                trial.require_ok(outcome, "read a session when all was quiet")
            step = Step("read", session, () if unknown else ids_of(outcome.value))
            number = 1_000_000 * clients + clients  # nobody else's
            made.append(Transaction(number, began, monotonic_ns(), "ok", (step,), final=True))
    return made


def _stopped(one: Racers, outcome: Outcome) -> Broken:
    failure = outcome.failure
    assert failure is not None
    special = failure.type in tuple(Anomaly)
    finding = Finding(
        anomaly=Anomaly(failure.type) if special else Anomaly.UNEXPECTED_REFUSAL,
        did=f"{one.named} made transactions over several sessions at once",
        expected="every call ends",
        seen=failure.text if special else str(failure),
        evidence=dict(failure.evidence),
    )
    return Broken(finding)


def _malformed(one: Racers, text: str) -> Broken:
    finding = Finding(
        anomaly=Anomaly.MALFORMED,
        did=f"{one.named} made transactions over several sessions at once",
        expected="an answer for each step: messages for a read, a Receipt or None for an append",
        seen=text,
    )
    return Broken(finding)


def _broken(
    rounds: _Rounds, one: Racers, made: Sequence[Transaction], found: Contradiction
) -> Broken:
    """The finding, after further rounds; the whole history lies beside the trial's locations."""
    trial = rounds.trial
    isolation = _isolation(trial)
    name = f"{trial.guarantee.id}-{one.kind}.jsonl"
    folder = parent_of(trial) / "histories"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(to_lines(made), "utf-8")

    def fails() -> bool:
        return bool(judge_transactions(_played(rounds, one), isolation))

    failed, tried = failed_again(trial, fails, most=_AGAIN, stop=lambda: is_late(trial))
    members = [made[at] for at in found.members]
    number = sum(not transaction.final for transaction in made)
    finding = Finding(
        anomaly=found.anomaly,
        did=f"{one.named} made {number} transactions over {_SESSIONS} sessions at once",
        expected=_EXPECTED[isolation],
        seen=". ".join(found.lines),
        program=tuple(_called(f"T{at}", member) for at, member in enumerate(members, 1)),
        repeats=f"{failed} of {tried}" if tried else None,
        evidence={"times": _times(members), "history": f"history/{name}"},
    )

    def lines() -> list[str]:
        setting = setting_of(trial)
        if setting is None or one.kind == "tasks":
            return []
        return transaction_lines(
            Transacting(
                made=setting.made, message=setting.message, kind=one.kind, clients=one.number,
                isolation=isolation,
            )
        )  # fmt: skip

    return trial.broken(finding, lines)


def _called(name: str, one: Transaction) -> str:
    """The transaction as a call, with its answers, for people."""
    if one.final:
        (step,) = one.steps
        return f"store.read({step.session!r})  # {name}, when all was quiet: {_ids(step.ids)}"
    steps = [
        f"append {step.session} {_ids(step.ids)}" if step.f == "append"
        else f"read {step.session} → {'?' if step.ids is None else _ids(step.ids)}"
        for step in one.steps
    ]  # fmt: skip
    outcome = {"ok": "", "fail": "; refused", "info": "; outcome unknown"}[one.type]
    return f"store.transact(…)  # {name}, client {one.client}: {', '.join(steps)}{outcome}"


def _ids(ids: Sequence[int] | None) -> str:
    return "[" + " ".join(f"#{number}" for number in ids or ()) + "]"


def _times(members: Sequence[Transaction]) -> str:
    """When the transactions of a contradiction ran, a line for each."""
    start = min(one.inv for one in members)
    return "\n".join(
        f"T{at}  client {one.client}  from {(one.inv - start) / 1_000:,.1f} µs to "
        + ("?" if one.ret is None else f"{(one.ret - start) / 1_000:,.1f} µs")
        for at, one in enumerate(members, 1)
    )
