"""A chat in which things are looked for: carried out, and each search judged by what is read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sessionproof.checks.hits import Misfound, Stored, misfound, unstored
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    MALFORMED,
    Append,
    Delete,
    DeleteMessage,
    EditMessage,
    Operation,
    Outcome,
    Read,
    Reopen,
    Replace,
    as_call,
    messages_of,
    session_of,
    shown_text,
)
from sessionproof.contract.searching import Hit
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts import searches as lines
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lateness import is_late
from sessionproof.trials.lines import made
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload import lifetime
from sessionproof.workload.execute import insisted
from sessionproof.workload.lookups import Bound, Find
from sessionproof.workload.sessions import begin
from sessionproof.workload.vocabulary import takes_times

ALL = 10_000
"""More hits than a trial can have."""

_START_US = 1_767_225_600_000_000
_STEP_US = 1_000_003


@dataclass
class Chat:
    """Sessions of one program on the store, by their names in it; and what was done so far.

    Those in ``gone`` were deleted: of them any error is a refusal.
    """

    trial: Trial
    names: Sequence[str]
    ids: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    @classmethod
    def begun(cls, trial: Trial, *names: str) -> Chat:
        """A chat with these sessions, ready for appends."""
        chat = cls(trial, names)
        prefix = trial.store.next_program()
        handle = trial.handle()
        for name in names:
            given = begin(handle, prefix + name, trial.claims, trial.capabilities)
            trial.require_ok(given, "a session was made", made(trial, *names))
            chat.ids[name] = str(given.value)
        chat.script = made(trial, *names)
        return chat

    def apart(self) -> Chat:
        """The same sessions, for searches of which the others need not know."""
        return replace(self, told=[*self.told], script=[*self.script], gone={*self.gone})

    def do(self, operation: Operation) -> Outcome:
        """Carry it out; a refusal is an outcome. Raises Broken for an answer that is none."""
        name, at, message_id = session_of(operation), 0, None
        if isinstance(operation, DeleteMessage | EditMessage):
            there = self.read(name)
            if not there:
                return Outcome("fail")
            at = operation.index % len(there)
            message_id = there[at].id
            if message_id is None:
                raise CouldNotTell("messages have no ids, so none can be deleted or edited")
        if isinstance(operation, Reopen):
            outcome = self.trial.store.reopen()
        else:
            handle, session = self.trial.handle(), self.ids[name]
            outcome = insisted(lambda: handle.invoke(operation, session, message_id))
        self.told.append(as_call(operation))
        self.script += lines.step_lines(operation, outcome, at=at)
        if outcome.type == "info" and not self._refused(name, outcome):
            self.trial.require_ok(outcome, self.did, self.script)
        if outcome.type == "ok" and isinstance(operation, Delete):
            self.gone.add(name)
        elif outcome.type == "ok" and messages_of(operation):
            self.gone.discard(name)
        return outcome

    def _refused(self, name: str, outcome: Outcome) -> bool:
        failure = outcome.failure
        plain = failure is not None and failure.type not in (HANG, CRASH, MALFORMED)
        return plain and name in self.gone

    def read(self, name: str) -> tuple[Message, ...]:
        """What the session has now; nothing if it is unknown."""
        handle, session = self.trial.handle(), self.ids[name]
        outcome = insisted(lambda: handle.invoke(Read(name), session))
        if outcome.type == "info" and not self._refused(name, outcome):
            self.trial.require_ok(outcome, f"{self.did}, then read", self.script)
        return outcome.value if outcome.type == "ok" else ()

    @property
    def stored(self) -> Stored:
        """What all sessions have now."""
        return {self.ids[name]: self.read(name) for name in self.names}

    @property
    def did(self) -> str:
        """What was done, in short."""
        last = f", the last: {self.told[-1]}" if self.told else ""
        return f"{len(self.told)} operations{last}"

    def search(self, query: str, *, limit: int = ALL) -> list[Hit]:
        """What is found; a search owes an answer."""
        shown = f"store.search({shown_text(query)}, limit={limit})"
        self.told.append(shown)
        outcome = lifetime.search(self.trial.handle(), query, limit=limit)
        asked = lines.once_lines(query, limit, self.names)
        self.trial.require_ok(outcome, self.did, [*self.script, *asked])
        self.trial.count(self.trial.guarantee.unit)
        return list(outcome.value)

    def finds(self, query: str, *words: str) -> list[Hit]:
        """Look for it; raises Broken unless each message with all ``words`` is a hit, once.

        No other session may have such a message, of this program or another.
        """
        hits = self.search(query)
        wrong = misfound(hits, self.stored, lambda text: _has(text, words))
        asked = lines.found_lines(query, words, self.names)
        self._require(wrong, [*self.script, *asked])
        self.script.append(lines.looked(query))
        return hits

    def finds_texts(self, query: str, texts: Sequence[str]) -> None:
        """Look for it; raises Broken unless the messages of these texts are found, each once.

        No other session may have such a message, of this program or another.
        """
        hits = self.search(query)
        wrong = misfound(hits, self.stored, set(texts).__contains__)
        asked = lines.found_texts_lines(query, texts, self.names)
        self._require(wrong, [*self.script, *asked])
        self.script.append(lines.looked(query))

    def is_no_error(self, query: str, *, limit: int = ALL) -> list[Hit]:
        """Look for it; raises Broken where a hit is not stored, or is there twice."""
        hits = self.search(query, limit=limit)
        wrong = unstored(self._own(hits), self.stored)
        if wrong is None and len(hits) > limit:
            wrong = Misfound(Anomaly.WRONG_ANSWER, f"at most {limit} hits", f"{len(hits)} hits")
        self._require(wrong, [*self.script, *lines.once_lines(query, limit, self.names)])
        self.script.append(lines.looked(query))
        return hits

    def orders(self, query: str, limit: int, texts: Sequence[str]) -> None:
        """Look for it; raises Broken unless these texts are found in this order."""
        seen = [hit.message.content for hit in self.search(query, limit=limit)]
        wrong = None
        if seen != [*texts]:
            expected = f"these texts in this order: {[*texts]!r}"[:600]
            wrong = Misfound(Anomaly.REORDER, expected, f"{seen!r}"[:600])
        self._require(wrong, [*self.script, *lines.order_lines(query, limit, texts)])

    def _own(self, hits: Sequence[Hit]) -> list[Hit]:
        """Without messages of other programs on this location."""
        return [hit for hit in hits if hit.session_id in self.ids.values()]

    def _require(self, wrong: Misfound | None, script: Sequence[str]) -> None:
        if wrong is not None:
            self.trial.require(
                False,
                wrong.anomaly,
                did=self.did,
                expected=wrong.expected,
                seen=wrong.seen,
                program=self.told,
                script=script,
            )


def says(trial: Trial, texts: Sequence[str], *, first: int = 0) -> tuple[Message, ...]:
    """Plain messages of these texts, with rising times where the store orders by them."""
    if all(sample.kind != "text" for sample in trial.words.samples):
        raise CouldNotTell("the store takes no plain texts")
    messages = (good_message(trial, text) for text in texts)
    if not takes_times(trial.claims):
        return tuple(messages)
    return tuple(
        replace(one, created_at_us=_START_US + (first + at) * _STEP_US)
        for at, one in enumerate(messages)
    )


@dataclass(frozen=True, slots=True)
class Failed:
    """What a program showed, and the place of the step that showed it."""

    finding: Finding
    at: int


Steps: TypeAlias = "tuple[Operation | Find, ...]"


def carried_out(
    trial: Trial, program: Steps, words: Iterator[str], names: Sequence[str]
) -> Failed | None:
    """Carry a program out, with words that no other has; what went wrong, or None.

    It ends early when it is late: at its end there may be hundreds of searches.
    """
    chat, bound = Chat.begun(trial, *names), Bound(words)
    for at, step in enumerate(program):
        if is_late(trial):
            break
        try:
            if isinstance(step, Find):
                _look(chat, step, bound)
            else:
                chat.do(_worded(step, bound))
        except Broken as broken:
            return Failed(broken.finding, at)
    return None


def require_found(trial: Trial, program: Steps, words: Iterator[str], names: Sequence[str]) -> None:
    """Carry a program out; raises Broken with the least of it that shows what went wrong."""
    failed = carried_out(trial, program, words, names)
    if failed is None:
        return
    if failed.finding.anomaly is not Anomaly.HANG:
        shown = program[: failed.at + 1]
        alone = tuple(step for step in shown[:-1] if not isinstance(step, Find))
        for shorter in ((*alone, shown[-1]), shown):
            trial.store.fresh_location()  # what earlier programs left may have had its part
            again = carried_out(trial, shorter, words, names)
            if again is not None:
                raise Broken(again.finding)
    raise Broken(failed.finding)


def _look(chat: Chat, find: Find, bound: Bound) -> None:
    words = [bound.word(one) for one in find.words]
    chat.finds(" ".join(words), *words)


def _worded(step: Operation, bound: Bound) -> Operation:
    """The step with words in the place of logical ones."""

    def said(message: Message) -> Message:
        return replace(message, content=bound.text(str(message.content)))

    match step:
        case Append(_, sent) | Replace(_, sent):
            return replace(step, messages=tuple(map(said, sent)))
        case EditMessage(_, _, message):
            return replace(step, message=said(message))
        case _:
            return step


def numbered(
    trial: Trial, program: Sequence[Operation], text: Callable[[int], str]
) -> list[Operation]:
    """The operations with plain messages of ``text(number)`` in the place of theirs."""
    number, out = itertools.count(), list[Operation]()
    for step in program:
        at = [next(number) for _ in messages_of(step)]
        fresh = says(trial, [text(one) for one in at], first=at[0] if at else 0)
        match step:
            case Append() | Replace():
                out.append(replace(step, messages=fresh))
            case EditMessage():
                out.append(replace(step, message=fresh[0]))
            case _:
                out.append(step)
    return out


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text.lower() for word in words)
