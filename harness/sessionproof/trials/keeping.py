"""Snapshots that are taken and restored behind a program, with the lines that do the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sessionproof.audit.tables import opened, quoted
from sessionproof.checks.rules import Asserts
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Json, Message, Receipt, SessionInfo, canonical
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Count,
    Create,
    Delete,
    Get,
    GetState,
    Operation,
    Outcome,
    PopLast,
    Read,
    Replace,
    SetState,
    session_of,
)
from sessionproof.contract.store import SqliteTables
from sessionproof.scripts.expressions import expression
from sessionproof.scripts.program import lines_of, suppressed
from sessionproof.trials.audits import look
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import said
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime
from sessionproof.workload.execute import Transcript, insisted

SESSION = "s0"
"""The session of a program that is kept; the others are bystanders."""

_NAME = "SESSION"  # stands in lines for the expression of its id
_COUNTERS = ("message_count", "total_tokens", "total_duration_us")
_FACTS = (*_COUNTERS, "status", "owner", "title", "llm_model", "metadata")


class Wrong(Exception):
    """What a course came to is wrong; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.seen)
        self.fault = fault


@dataclass(frozen=True)
class Seen:
    """What can be seen of a session. Ids of messages count where clients give them."""

    messages: tuple[Message, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Course:
    """What is asked of a store about one session after a program."""

    trial: Trial
    transcript: Transcript
    session_id: str
    lines: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names = {self.session_id: _NAME}

    def kept(self) -> str | None:
        """The id of a snapshot of the session; None where it may be unknown, as it has nothing."""
        self._line("made = store.snapshot(SESSION)", "snapshot")
        done = lifetime.snapshot(self.trial.handle(), self.session_id)
        if done.failure is not None and done.failure.type == "NotFound":
            read = self.trial.handle().invoke(Read(SESSION), self.session_id)
            if not read.value:
                return None
        return str(self.owed(done, "a session that is there can be kept"))

    def restored(self, snapshot: str, given: str | None = None) -> str:
        """The id of the session that was made of a snapshot; it must succeed."""
        return str(self.owed(self.restore(snapshot, given), "what was kept can be restored"))

    def restore(
        self, snapshot: str, given: str | None = None, *, may_refuse: bool = False
    ) -> Outcome:
        """What came of restoring a snapshot; in lines, ``there`` is the id."""
        named = "" if given is None else f", session_id={self._name(given)}"
        line = f"there = store.restore_snapshot(made{named})"
        self.line(*suppressed([line], "it may refuse") if may_refuse else [line])
        self.did.append("restore_snapshot")
        return lifetime.restore_snapshot(self.trial.handle(), snapshot, session_id=given)

    def delete(self) -> None:
        """Delete the session."""
        self._line("store.delete(SESSION)", "delete")
        self.owed(self._invoke(Delete(SESSION)), "a session can be deleted")

    def pause(self) -> None:
        """Pause the session, if it is there and can be."""
        done = lifetime.set_status(self.trial.handle(), self.session_id, "paused")
        if done.failure is None:
            self._line("store.set_status(SESSION, 'paused')", "set_status")

    def pop(self, session_id: str) -> None:
        """Take the newest message back."""
        self._line(f"store.pop_last({self._name(session_id)})", "pop_last")
        self.owed(self._invoke(PopLast(SESSION), session_id), "the newest message is taken back")

    def append(self, text: str, session_id: str) -> object:
        """Append a message to a session, which takes it; what was answered is ``receipt``."""
        message = good_message(self.trial, text)
        name = self._name(session_id)
        self._line(f"receipt = store.append({name}, [{said(self.trial, text)}])", "append")
        done = self._invoke(Append(SESSION, (message,)), session_id)
        return self.owed(done, "the session takes messages")

    def remember(self, session_id: str | None = None, *, into: str = "before") -> Seen:
        """A session as it is now; ``into`` is the variable of lines."""
        known = session_id or self.session_id
        self.lines += self._looking(self._name(known), into)
        return self.seen(known)

    def seen(self, session_id: str) -> Seen:
        """What can be seen of a session; raises Wrong where reading it fails."""
        read = self.owed(self._invoke(Read(SESSION), session_id), "a session can be read")
        facts: dict[str, Json] = {}
        can = self.trial.capabilities
        if "count" in can:
            facts["count"] = self.owed(self._invoke(Count(SESSION), session_id), "it is counted")
        if "get" in can:
            info = self.owed(self._invoke(Get(SESSION), session_id), "its facts can be asked for")
            if isinstance(info, SessionInfo):
                facts |= {name: getattr(info, name) for name in _FACTS}
        state = {
            key: canonical(
                self.owed(self._invoke(GetState(SESSION, key), session_id), "its state is read")
            )
            for key in self._keys()
        }
        ids = "id" in self.trial.claims.keeps
        return Seen(tuple(one if ids else replace(one, id=None) for one in read), facts, state)

    def must_be(self, before: Seen, session_id: str, *, kept_in: str = "before") -> None:
        """Raise Wrong unless the session is what was remembered, as far as can be seen."""
        self.lines += self._looking(self._name(session_id), "after")
        self.lines.append(f"assert after == {kept_in}, ({kept_in}, after)")
        after = self.seen(session_id)
        found = _otherwise(before, after)
        if found is not None:
            anomaly, seen = found
            raise self.wrong(anomaly, "the session is what it was then", seen)

    def numbers(self) -> tuple[tuple[int, ...], ...] | None:
        """The numbers of all sessions' messages, sorted; None where no table shows them."""
        if "tables" not in self.trial.capabilities:
            return None
        return look(self.trial, _numbers).answer

    def owed(self, outcome: Outcome, expected: str) -> Any:
        """The answer; raises Wrong where the operation failed."""
        failure = outcome.failure
        if failure is None:
            return outcome.value
        named = failure.type in tuple(Anomaly)
        anomaly = Anomaly(failure.type) if named else Anomaly.UNEXPECTED_REFUSAL
        seen = f"it raised {failure.type}: {failure.text[:300]}"
        raise self.wrong(anomaly, expected, seen, outcome.evidence)

    def wrong(
        self, anomaly: Anomaly, expected: str, seen: str, evidence: dict[str, str] | None = None
    ) -> Wrong:
        """What is raised with the lines so far."""
        _, names = lines_of(self.transcript, self.trial.claims)
        lines = tuple(line.replace(_NAME, names[SESSION]) for line in self.lines)
        return Wrong(
            Fault(
                index=len(self.transcript) - 1,
                anomaly=anomaly,
                expected=f"then {', '.join(self.did)}: {expected}",
                seen=seen,
                rule=Asserts(lines),
                evidence=evidence,
            )
        )

    def line(self, *lines: str) -> None:
        """Add lines that ask nothing of the store, or what their caller asks."""
        self.lines += lines

    def _name(self, session_id: str) -> str:
        """The expression of an id: of the session, as it was given, or as a restore answered."""
        return self._names.get(session_id, "there")

    def name(self, session_id: str) -> None:
        """Give a session an id of our own."""
        self._names[session_id] = expression(session_id)

    def _line(self, line: str, did: str) -> None:
        self.lines.append(line)
        self.did.append(did)

    def _invoke(self, operation: Operation, session_id: str | None = None) -> Outcome:
        known = self.session_id if session_id is None else session_id
        handle = self.trial.handle()
        return insisted(lambda: handle.invoke(operation, known))

    def _keys(self) -> list[str]:
        if "get_state" not in self.trial.capabilities:
            return []
        return sorted({key for done in self.transcript for key in _set_by(done.operation)})

    def _looking(self, name: str, into: str) -> list[str]:
        """Lines that look at a session as ``seen`` does."""
        can = self.trial.capabilities
        messages = f"[*store.read({name})]"
        if "id" not in self.trial.claims.keeps:
            messages = f"[dataclasses.replace(one, id=None) for one in store.read({name})]"
        lines = [f"{into} = {messages}"]
        if "get" in can:
            facts = ", ".join(f"info.{fact}" for fact in _FACTS)
            lines += [f"info = store.get({name})", f"{into} += [{facts}] if info else []"]
        keys = self._keys()
        if keys:
            lines.append(f"{into} += [store.get_state({name}, key) for key in {expression(keys)}]")
        return lines


def session_id_of(transcript: Transcript) -> str | None:
    """The id of the session that is kept; None where the program never came to it."""
    known = (one.session_id for one in transcript if session_of(one.operation) == SESSION)
    return next((one for one in known if one is not None), None)


def last_number(trial: Trial, transcript: Transcript) -> int | None:
    """The last number that the session gave; None where numbers may begin anew."""
    if trial.claims.seq_after_delete != "never":
        return None
    last = None
    for done in transcript:
        if session_of(done.operation) != SESSION:
            continue
        if isinstance(done.operation, Create | Delete | Clear | Replace):
            return None
        answer = done.outcome.value
        if isinstance(answer, Receipt) and answer.seqs:
            last = answer.seqs[-1]
    return last


def numbers_lines(numbers: Sequence[Sequence[int]]) -> list[str]:
    """Lines in which the tables show these numbers."""
    return [
        "tables = store.tables()",
        "with closing(sqlite3.connect(tables.path)) as db:",
        "    rows = db.execute(f'SELECT {tables.message_session}, {tables.message_seq} '",
        "                      f'FROM {tables.messages} ORDER BY {tables.message_seq}').fetchall()",
        "numbers = {}",
        "for name, number in rows:",
        "    numbers.setdefault(name, []).append(number)",
        f"wanted = {expression([list(one) for one in numbers])}",
        "seen = sorted(numbers.values())",
        "assert seen == wanted, (seen, wanted)",
    ]


def _otherwise(before: Seen, after: Seen) -> tuple[Anomaly, str] | None:
    """What is otherwise than it was, and its name."""
    old, new = before.messages, after.messages
    if len(old) != len(new):
        fewer = len(new) < len(old)
        twice = all(one in old for one in new)
        more = Anomaly.DUPLICATE if twice else Anomaly.PHANTOM
        said = f"{len(new)} messages instead of {len(old)}"
        return (Anomaly.LOST_MESSAGE if fewer else more), said
    for at, (one, other) in enumerate(zip(old, new, strict=True)):
        if one != other:
            some = sorted(map(repr, old)) == sorted(map(repr, new))
            anomaly = Anomaly.REORDER if some else Anomaly.CHANGED
            return anomaly, f"message {at} is {other!r} instead of {one!r}"[:600]
    for name, fact in before.facts.items():
        if after.facts.get(name) != fact:
            counts = name in (*_COUNTERS, "count")
            anomaly = Anomaly.COUNTER_DRIFT if counts else Anomaly.CHANGED
            return anomaly, f"{name} is {after.facts.get(name)!r} instead of {fact!r}"[:600]
    for key, value in before.state.items():
        if after.state[key] != value:
            return Anomaly.CHANGED, f"the value of {key!r} is {after.state[key]} instead of {value}"
    return None


def _set_by(operation: Operation) -> Sequence[str]:
    match operation:
        case SetState(name, key, _) if name == SESSION:
            return [key]
        case AppendWithState(name, _, state) if name == SESSION:
            return [*state]
        case _:
            return []


def _numbers(tables: SqliteTables) -> tuple[tuple[int, ...], ...] | None:
    """The numbers of each session that has messages, in an order of their own."""
    if tables.message_seq is None:
        return None
    session, number = quoted(tables.message_session), quoted(tables.message_seq)
    out: dict[object, list[int]] = {}
    connection = opened(tables.path)
    try:
        for name, seq in connection.execute(
            f"SELECT {session}, {number} FROM {quoted(tables.messages)} ORDER BY {number}"
        ):
            out.setdefault(name, []).append(seq)
    finally:
        connection.close()
    return tuple(sorted(tuple(numbers) for numbers in out.values()))
