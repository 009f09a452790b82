"""Several messages written at once that cannot all be stored: all of them are there, or nothing.

An append, a replacement and a creation owe the same, so they share one experiment: a batch with
one element that is invalid, hard to store, or refused by the database itself, in each place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sessionproof.checks.flaws import many
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    Count,
    Create,
    Get,
    List,
    Operation,
    Outcome,
    Replace,
    as_call,
    shown_text,
)
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import call, expression
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.unstorable import Unstorable, unstorable
from sessionproof.workload import programs

_COUNTED = ("message_count", "total_tokens", "total_duration_us")


@dataclass(frozen=True)
class _Kind:
    """One way to write several messages at once. ``before``: messages that are there already."""

    operation: Callable[[str, tuple[Message, ...]], Operation]
    unit: str
    words: str
    before: int


APPEND = _Kind(Append, "batches", "appended", 1)
REPLACE = _Kind(Replace, "replacements", "replaced 3 messages by", 3)
CREATE = _Kind(Create, "sessions", "created a session with", 0)


def whole_or_not_at_all(trial: Trial, kind: _Kind = APPEND) -> None:
    """A batch with one bad element in each place: all of it is there, or nothing, and life goes on.

    What was refused (``fail``) must not be there, what raised otherwise may be there whole.
    """
    if good_message(trial, "x").content != "x":
        raise CouldNotTell("the store takes no texts")
    if kind is CREATE:
        _needs_first_messages(trial)
    for number, bad in enumerate(trial.within_time(list(unstorable(trial)))):
        place = number % 4
        good = [good_message(trial, f"batch {number} element {at}") for at in range(3)]
        batch = (*good[:place], bad.message, *good[place:])
        _Attempt(trial, kind, bad, place, batch).judge()
        trial.count(kind.unit)


def created_whole(trial: Trial) -> None:
    """Sessions with first messages, as many as there is time for: the oracle's word.

    Raises NotClaimed when the store takes no messages at a creation.
    """
    _needs_first_messages(trial)
    one = programs.messages(trial.words, trial.text_seed)
    most = 4 if trial.claims.limits.batch_bytes is None else 1
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    asked = programs.observations(["s0"], kinds)
    trial.search(
        programs.batches(one, most).map(
            lambda batch: programs.tokened([Create("s0", batch), *asked])
        ),
        count=lambda done: sum(
            isinstance(one.operation, Create) and one.outcome.type == "ok" for one in done
        ),
    )


def _needs_first_messages(trial: Trial) -> None:
    if not trial.claims.limits.first_messages:
        raise NotClaimed("create takes no messages")
    message = good_message(trial, "first #0")
    session = None if trial.claims.session_ids == "store" else trial.store.next_program() + "s0"
    outcome = trial.handle().invoke(Create("s0", (message,)), session)
    if outcome.type != "fail" or outcome.failure is None:
        return
    plain = trial.handle().invoke(Create("s0"), session)
    trial.require_ok(plain, "created a session, with a message and without")
    raise NotClaimed(f"a creation takes no messages: {outcome.failure.text}")


@dataclass(frozen=True)
class _Attempt:
    """One batch, with a bad message at ``place``, and what may follow it."""

    trial: Trial
    kind: _Kind
    bad: Unstorable
    place: int
    batch: tuple[Message, ...]

    @property
    def _old(self) -> list[Message]:
        return [good_message(self.trial, f"before #{at}") for at in range(self.kind.before)]

    def _texts(self) -> tuple[list[str | None], list[str | None]]:
        """The texts of the session without the batch, and with it; None stands for any."""
        old: list[str | None] = [_text_of(message) for message in self._old]
        new = [None if one is self.bad.message else _text_of(one) for one in self.batch]
        batch: list[str | None] = [*new]
        return old, [*old, *batch] if self.kind is APPEND else batch

    def judge(self) -> None:
        """Carry it out and look."""
        session = self._started()
        counted, listed = self._counted(session), self._listed()
        operation = self.kind.operation("s0", self.batch)
        created = isinstance(operation, Create)
        outcome = self.trial.handle().invoke(operation, session)
        if created and outcome.type == "ok":
            session = outcome.value
        old, whole = self._texts()
        seen: list[str] = []
        if session is not None:
            seen = self._read(session, owed=not created or outcome.type == "ok")
        if outcome.type == "ok" or (outcome.type == "info" and self._fits(whole, seen)):
            self._require(whole, seen, outcome, "the whole batch")
        else:
            self._require(old, seen, outcome, f"{'no session' if created else 'what was there'}")
            self._nothing_left(session, counted, listed, outcome)
            if created:
                session = self._created_again(session)
                seen = ["again"]
        if session is not None:
            self._goes_on(session, seen)

    def _started(self) -> str | None:
        """The session as it is before, by its id; for a creation the id that is asked for."""
        trial = self.trial
        if self.kind is CREATE:
            named = trial.claims.session_ids == "caller"
            return trial.store.next_program() + "s0" if named else None
        plain = Append("s0", (good_message(trial, "before"),))  # a program numbers its messages
        program = trial.program(*[plain] * self.kind.before)
        return trial.run(program, examined=0)[-1].session_id

    def _read(self, session: str, *, owed: bool) -> list[str]:
        """The session's texts, raw: a store that does not validate may give back what it got."""
        read = self.trial.handle().perform("read", partial(_read_texts, session=session))
        if owed or read.type == "ok":
            self.trial.require_ok(read, f"{self._did}, then read")
            texts: list[str] = read.value
            return texts
        return []

    def _counted(self, session: str | None) -> tuple[str, ...]:
        """What the store says of the session's number of messages and totals, if it says any."""
        if session is None:
            return ()
        asked: dict[str, Operation] = {"get": Get("s0"), "count": Count("s0")}
        return tuple(
            f"{name}: {_facts(self.trial.handle().invoke(operation, session))}"
            for name, operation in asked.items()
            if name in self.trial.capabilities
        )

    def _listed(self) -> frozenset[str]:
        if "list" not in self.trial.capabilities:
            return frozenset()
        listed = self.trial.handle().invoke(List())
        self.trial.require_ok(listed, "listed the sessions")
        return frozenset(listed.value)

    def _nothing_left(
        self,
        session: str | None,
        counted: tuple[str, ...],
        listed: frozenset[str],
        outcome: Outcome,
    ) -> None:
        """Counters and listing are as they were before."""
        now = self._counted(session)
        self.trial.require(
            now == counted,
            Anomaly.PHANTOM_SESSION if self.kind is CREATE else Anomaly.COUNTER_DRIFT,
            did=f"{self._did}; it {_ended(outcome)}; then asked for its facts",
            expected=f"what it said before: {'; '.join(counted)}",
            seen="; ".join(now),
            program=[*self._program()[:-1], as_call(Get("s0"))],
            script=self._facts_script() if now != counted else (),
        )
        surplus = sorted(self._listed() - listed)
        self.trial.require(
            not surplus,
            Anomaly.PHANTOM_SESSION,
            did=f"{self._did}; it {_ended(outcome)}; then listed the sessions",
            expected="no session more than before",
            seen=f"also {', '.join(map(shown_text, surplus))}",
            program=self._program(),
            script=self._script("assert not raised or s0 not in store.list(), store.list()")
            if surplus
            else (),
        )

    def _facts_script(self) -> Sequence[str]:
        if self.kind is not CREATE or "get" not in self.trial.capabilities:
            return ()
        return self._script(
            "info = None",
            "with suppress(Exception):  # not found",
            "    info = store.get(s0)",
            "assert not raised or info is None, info",
        )

    def _created_again(self, session: str | None) -> str | None:
        """The id of a creation that failed can still be used."""
        good = (good_message(self.trial, "again"),)
        again = self.trial.handle().invoke(Create("s0", good), session)
        failure = again.failure
        self.trial.require(
            failure is None,
            Anomaly.UNEXPECTED_REFUSAL,
            did=f"{self._did}; it raised, and nothing was there; then created it with one message",
            expected="it succeeds: there is no such session",
            seen="" if failure is None else f"it raised {failure}",
            program=[*self._program(), as_call(Create("s0", good))],
            script=self._script(
                call(Create("s0", good), "s0"),
                texts_of("s0"),
                "assert texts == ['again'], texts",
            ),
        )
        name: str = again.value
        self._require(["again"], self._read(name, owed=True), again, "the one message")
        return name

    def _goes_on(self, session: str, seen: Sequence[str | None]) -> None:
        """The next append adds itself alone: nothing of a failed batch was waiting for it."""
        after = self.trial.handle().invoke(self._next, session)
        self.trial.require_ok(
            after,
            f"{self._did}, then appended a plain message",
            self._next_script() if after.failure else (),
        )
        self._require(
            [*seen, "after"],
            self._read(session, owed=True),
            after,
            "what was there, and the plain message",
            then="; then appended a plain message",
        )

    def _fits(self, expected: Sequence[str | None], seen: Sequence[str]) -> bool:
        kept = self._kept(expected)
        return len(kept) == len(seen) and all(
            want in (None, have) for want, have in zip(kept, seen, strict=True)
        )

    def _kept(self, texts: Sequence[str | None]) -> Sequence[str | None]:
        limit = self.trial.claims.limits.retention
        return texts if limit is None else texts[max(0, len(texts) - limit) :]

    def _require(
        self,
        expected: Sequence[str | None],
        seen: Sequence[str],
        outcome: Outcome,
        words: str,
        *,
        then: str = "",
    ) -> None:
        """Raise Broken unless these texts were read; None stands for any text."""
        if self._fits(expected, seen):
            return
        kept = self._kept(expected)
        fewer = len(seen) < len(kept)
        self.trial.require(
            False,
            Anomaly.LOST_MESSAGE if fewer else Anomaly.TORN_BATCH,
            did=f"{self._did}; it {_ended(outcome)}{then}",
            expected=f"{many(len(kept))}: {words}",
            seen=f"{many(len(seen))}: " + ", ".join(shown_text(text, 40) for text in seen)
            if seen
            else "no messages",
            program=self._program(),
            script=self._next_script()
            if then
            else self._texts_script(refused=outcome.type == "fail"),
        )

    @property
    def _next(self) -> Operation:
        return Append("s0", (good_message(self.trial, "after"),))

    def _next_script(self) -> Sequence[str]:
        """Lines that append once more; none where the session may have been made anew before."""
        if self.kind is CREATE or self.trial.claims.limits.retention is not None:
            return ()
        before = [texts_of("s0"), "before = texts"]
        after = [texts_of("s0"), "assert texts == [*before, 'after'], (before, texts)"]
        return self._script(*before, call(self._next, "s0"), *after)

    def _texts_script(self, *, refused: bool) -> Sequence[str]:
        """Lines that read the session; nothing or all is right once it raised, unless refused."""
        old, whole = (expression(list(self._kept(texts))) for texts in self._texts())
        reading = [texts_of("s0")]
        if self.kind is CREATE:
            reading = [
                "texts = []",
                "with suppress(Exception):  # not found",
                f"    {texts_of('s0')}",
            ]
        return self._script(
            *reading,
            f"old, whole = {old}, {whole}  # None stands for any text",
            f"rights = [old{'' if refused else ', whole'}] if raised else [whole]",
            "masked = [[want and text for want, text in zip(one, texts)] for one in rights]",
            "lengths = [len(one) for one in rights]",
            "assert len(texts) in lengths and any(a == b for a, b in zip(masked, rights)), texts",
        )

    @property
    def _did(self) -> str:
        return f"{self.kind.words} a batch of 4 with {self.bad.words} at place {self.place + 1}"

    def _program(self) -> tuple[str, ...]:
        before = [as_call(Append("s0", (message,))) for message in self._old]
        return (*before, as_call(self.kind.operation("s0", self.batch)), "store.read('s0')")

    def _script(self, *ending: str) -> Sequence[str]:
        """The attempt as lines that run; none where a session that was not made has no name."""
        named = self.trial.claims.session_ids == "caller"
        if self.kind is CREATE and not named:
            return ()
        begun = ["s0 = 's0'"] if self.kind is CREATE else made(self.trial, "s0")
        old = [call(Append("s0", (message,)), "s0") for message in self._old]
        write = call(self.kind.operation("s0", self.batch), "s0")
        return [*self.bad.lines, *begun, *old, *attempt(write), *ending]


def _facts(outcome: Outcome) -> str:
    if outcome.type != "ok" or outcome.value is None:
        return "not found"
    if isinstance(outcome.value, SessionInfo):
        kept = {name: getattr(outcome.value, name) for name in _COUNTED}
        return ", ".join(f"{name} {value}" for name, value in kept.items() if value is not None)
    return str(outcome.value)


def _text_of(message: Message) -> str:
    return message.content if isinstance(message.content, str) else ""


def _read_texts(call: Callable[..., Any], *, session: str) -> list[str]:
    """The texts of a session's messages; what is no text is named by its type."""
    contents = [message.content for message in call("read", session)]
    return [one if type(one) is str else f"({type(one).__name__})" for one in contents]


def _ended(outcome: Outcome) -> str:
    if outcome.failure is None:
        return "returned normally"
    return f"raised {outcome.failure.type}"
