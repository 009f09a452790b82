"""Deletions that race with appends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sessionproof.audit.tables import orphan_problems
from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import NotFound
from sessionproof.contract.message import SessionInfo
from sessionproof.contract.operations import Count, Get, List, Outcome
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import MISSING, F, History, Phase, Type
from sessionproof.history.overlap import in_seats, overlapping
from sessionproof.trials.again import failed_again
from sessionproof.trials.audits import look
from sessionproof.trials.crowds import Turns, crews, kinds_of
from sessionproof.trials.deletion_lines import deletion_script
from sessionproof.trials.pressure import stopped
from sessionproof.trials.single import Broken, Trial
from sessionproof.trials.windows import finding_of
from sessionproof.workload.crews import Crew
from sessionproof.workload.guard import Handle
from sessionproof.workload.rounds import Call

_SESSIONS = 3  # of a round, one after the other
_CALLS = 3  # of each client on each session, which they come to together
_DELETES = 3  # one of so many clients
_FRESH_AFTER = 20
_AGAIN = 8
_BREAKS = frozenset(
    {
        Anomaly.LOST_MESSAGE,
        Anomaly.LOST_SESSION,
        Anomaly.RESURRECTION,
        Anomaly.PHANTOM_SESSION,
        Anomaly.NOT_LINEARIZABLE,
    }
)


def deleted_while_appended(trial: Trial) -> None:
    """Rounds in which each of many short sessions is deleted while others append to it.

    When all is quiet a session is gone with all, or there with each message that was acknowledged
    after the deletion had ended. What a fresh handle reads, lists and counts must agree, and where
    the store shows its tables, no row belongs to nobody. Counts deletions beside an append.
    """
    start, turns = monotonic_s(), Turns(trial)
    with crews(trial, dict.fromkeys(kinds_of(trial))) as gathered:
        while True:
            one = gathered[turns.played % len(gathered)]
            wrong, races = _round(trial, turns, one)
            if wrong is not None:
                raise _broken(trial, turns, one, wrong)
            trial.count("races", races)
            all_had_a_turn = turns.played >= len(gathered)
            if trial.time_is_up() or (all_had_a_turn and trial.enough(monotonic_s() - start)):
                return


@dataclass(frozen=True)
class Wrong:
    """What is wrong in the end; ``incident`` and ``history`` where a history shows it.

    ``seen`` is empty where the incident says it.
    """

    anomaly: Anomaly
    seen: str
    incident: Incident | None = None
    history: History | None = None


def _round(trial: Trial, turns: Turns, one: Crew) -> tuple[Wrong | None, int]:
    """What is wrong after one round, and how many deletions ran beside an append."""
    programs = list(_programs(trial, one, turns.played))
    fresh = turns.played % _FRESH_AFTER == _FRESH_AFTER - 1
    worked = turns.play(one, programs, _SESSIONS, location=fresh, meets=_CALLS)
    if worked.stopped is not None:
        raise stopped(trial, one, worked.stopped.failure, programs)
    history = worked.history
    refuses = trial.claims.missing_session == "refuses"
    wrong = next(in_the_end(history, refuses=refuses, keeps=trial.claims.limits.retention), None)
    wrong = wrong or _in_no_order(trial, history) or _otherwise(trial, history) or _orphans(trial)
    return wrong, races_in(history, len(programs) + 1)


def _in_no_order(trial: Trial, history: History) -> Wrong | None:
    """What the checks of histories say, where the store claims to be linearizable.

    Others may answer what is no longer so, for a while; in the end they may not.
    """
    if not trial.claims.at_least("consistency", "linearizable"):
        return None
    judged = judge_history(history, trial.claims)
    found = next((one for one in judged.incidents if one.anomaly in _BREAKS), None)
    return None if found is None else Wrong(found.anomaly, "", found, history)


def _programs(trial: Trial, one: Crew, turn: int) -> Iterator[list[Call]]:
    """A few appends of each client to each session, which a third of them delete meanwhile."""
    chance = generator(trial.seed, one.kind, turn)
    number = max(1, one.clients // _DELETES)
    who = [chance.sample(range(one.clients), number) for _ in range(_SESSIONS)]
    for client in range(one.clients):
        program = []
        for session in range(_SESSIONS):
            calls = [Call(F.APPEND, session, 1)] * _CALLS
            if client in who[session]:
                calls[chance.randrange(len(calls))] = Call(F.DELETE, session)
            program += calls
        yield program


def races_in(history: History, clients: int) -> int:
    """How many deletions of a session ran beside a call of another of so many clients on it."""
    rows = history.rows
    deletes = (rows["f"] == F.DELETE) & (rows["type"] == Type.OK)
    return int((deletes & overlapping(in_seats(history, clients))).sum())


def in_the_end(history: History, *, refuses: bool, keeps: int | None = None) -> Iterator[Wrong]:
    """What the final read of each session must not say, judged by real time alone.

    A message whose append ended before a deletion began is gone. One that was acknowledged, and
    sent after every deletion had ended, is there. ``refuses``: appends make no session, so one
    that was deleted has no messages. ``keeps`` is how many a session keeps at most.
    """
    rows = history.rows
    for session in np.unique(rows["session"]):
        places = np.flatnonzero(rows["session"] == session)
        own = rows[places]
        final = places[(own["phase"] == Phase.FINAL) & (own["f"] == F.READ)]
        deletes = places[(own["f"] == F.DELETE) & (own["type"] != Type.FAIL)]
        if not len(final) or not len(deletes) or rows["type"][final[0]] != Type.OK:
            continue
        there = history.lists.of(int(final[0]))
        known = np.zeros(0, np.uint64) if there is None else there
        appends = places[(own["f"] == F.APPEND) & (own["type"] == Type.OK)]
        if keeps is not None and len(appends) > keeps:
            continue  # older messages went by themselves
        yield from _of_session(history, int(session), deletes, appends, int(final[0]), known)
        surely = deletes[rows["type"][deletes] == Type.OK]
        if refuses and len(known) and len(surely):
            text = "after the deletion was acknowledged, a read has"
            yield _wrong(
                history, Anomaly.RESURRECTION, int(session), (int(surely[0]), int(final[0])),
                f"{text} {len(known)} messages, though no append makes a session",
            )  # fmt: skip


def _of_session(
    history: History,
    session: int,
    deletes: npt.NDArray[np.intp],
    appends: npt.NDArray[np.intp],
    final: int,
    known: npt.NDArray[np.uint64],
) -> Iterator[Wrong]:
    rows = history.rows
    last = int(rows["ret"][deletes].max())
    sure = deletes[rows["type"][deletes] == Type.OK]
    begun = int(rows["inv"][sure].max()) if len(sure) else -1
    for at in appends:
        row = rows[at]
        there = bool(np.isin(row["id"], known))
        if int(row["inv"]) > last and not there:
            yield _wrong(
                history, Anomaly.LOST_MESSAGE, session, (int(at), final),
                "an append that began after the deletion had ended was acknowledged, and its "
                "message is not there",
            )  # fmt: skip
        if int(row["ret"]) < begun and there:
            late = int(sure[np.argmax(rows["inv"][sure])])
            yield _wrong(
                history, Anomaly.RESURRECTION, session, (late, int(at), final),
                "a message whose append had ended when the deletion began is there",
            )  # fmt: skip


def _wrong(
    history: History, anomaly: Anomaly, session: int, rows: tuple[int, ...], seen: str
) -> Wrong:
    incident = Incident(anomaly, session, rows, f"{seen[0].upper()}{seen[1:]}.")
    return Wrong(anomaly, seen, incident, history)


def _otherwise(trial: Trial, history: History) -> Wrong | None:
    """Whether a fresh handle lists and counts what the final reads have."""
    if trial.claims.session_ids == "store":
        return None  # the ids that it gave are known to the clients alone
    handle = trial.store.another_handle()
    try:
        listed = _value(handle.invoke(List())) if "list" in trial.capabilities else None
        for name, number in _ends(history):
            text = f"session {name!r} has {number} messages"
            if number and listed is not None and name not in listed:
                return Wrong(Anomaly.ORPHAN, f"{text}, and is not listed")
            if not number and listed is not None and name in listed:
                return Wrong(Anomaly.RESURRECTION, f"{text} after its deletion, and is listed")
            for method, count in _counts(trial, handle, name):
                if number and count == MISSING:
                    return Wrong(Anomaly.ORPHAN, f"{text}, and {method} does not know it")
                if not number and count > 0:
                    text = f"{text} after its deletion, and {method} answers {count}"
                    return Wrong(Anomaly.RESURRECTION, text)
    finally:
        handle.close()
    return None


def _ends(history: History) -> Iterator[tuple[str, int]]:
    """The sessions whose end is plain, with the number of messages that a last read has.

    One of them was deleted, and of no operation on it the outcome is unknown.
    """
    rows = history.rows
    for session, name in enumerate(history.sessions):
        own = rows[rows["session"] == session]
        final = own[(own["phase"] == Phase.FINAL) & (own["f"] == F.READ)]
        deleted = ((own["f"] == F.DELETE) & (own["type"] == Type.OK)).any()
        if deleted and len(final) and (own["type"] != Type.INFO).all():
            yield name, max(0, int(final["length"][0]))


def _counts(trial: Trial, handle: Handle, name: str) -> Iterator[tuple[str, int]]:
    """What methods that count answer for a session, ``MISSING`` for an unknown one."""
    for method, operation in (("count", Count("s0")), ("get", Get("s0"))):
        if method not in trial.capabilities:
            continue
        outcome = handle.invoke(operation, name)
        unknown = outcome.failure is not None and outcome.failure.type == NotFound.__name__
        if unknown or (outcome.type == "ok" and outcome.value is None):
            yield method, MISSING
        elif outcome.type == "ok":
            value = outcome.value
            count = value.message_count if isinstance(value, SessionInfo) else value
            if count is not None:
                yield method, int(count)


def _value(outcome: Outcome) -> set[str] | None:
    return set(outcome.value) if outcome.type == "ok" else None


def _orphans(trial: Trial) -> Wrong | None:
    if "tables" not in trial.capabilities:
        return None
    problems = look(trial, orphan_problems).answer
    return Wrong(Anomaly.ORPHAN, "; ".join(problems[:3])) if problems else None


def _broken(trial: Trial, turns: Turns, one: Crew, wrong: Wrong) -> Broken:
    """The finding, after further rounds on an empty location each."""

    def fails() -> bool:
        trial.store.fresh_location()
        return _round(trial, turns, one)[0] is not None

    failed, tried = failed_again(trial, fails, most=_AGAIN)
    did = f"{one.named} appended to short sessions, each of which was deleted meanwhile"
    finding = Finding(
        anomaly=wrong.anomaly,
        did=did,
        expected="in the end a session is gone with all that belongs to it, or there with each "
        "message that was acknowledged after the deletion",
        seen=wrong.seen,
        repeats=f"{failed} of {tried} rounds",
        script=deletion_script(trial, one, _SESSIONS),
    )
    if wrong.incident is not None and wrong.history is not None:
        found = finding_of(wrong.incident, wrong.history, did=did)
        finding = replace(finding, seen=wrong.seen or found.seen, window=found.window)
    return Broken(finding)
