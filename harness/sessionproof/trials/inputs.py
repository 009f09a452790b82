"""Inputs that stores get wrong: hostile texts, hostile session ids, invalid messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    Create,
    List,
    Operation,
    Program,
    Read,
    as_call,
    shown_text,
)
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import Transcript
from sessionproof.workload.hostile import BIG_TEXT, IDS, TEXTS, hostile_ids, hostile_texts
from sessionproof.workload.programs import beginnings
from sessionproof.workload.search import Searched, search

_IDS_AT_ONCE = 12


def read_back_or_refused(trial: Trial) -> None:
    """Known hostile texts one by one, then generated ones: equal, or refused and not there."""
    for text in (*TEXTS, BIG_TEXT):
        program = _around(trial, text)
        if program is not None:
            trial.run(program, lambda done: _judge_refusable(trial, done), examined=1)
    trial.search(
        hostile_texts().map(lambda text: _around(trial, text) or ()),
        lambda done: _judge_refusable(trial, done),
        count=lambda done: min(1, len(done)),
    )


def _around(trial: Trial, text: str) -> Program | None:
    """The text between two plain messages, so that damage to its neighbours is seen too."""
    sample = next((one for one in trial.words.samples if one.kind == "text"), None)
    if sample is None:
        return None
    hostile = replace(sample, content=text)
    if not trial.words.representable(hostile):
        note = f"not representable: the text {shown_text(text, 60)}"
        if note not in trial.notes and len(trial.notes) < 10:
            trial.notes.append(note)
        return None
    return (
        *beginnings(["s0"], trial.words, trial.capabilities),
        Append("s0", (replace(sample, content="before #0"),)),
        Append("s0", (hostile,)),
        Append("s0", (replace(sample, content="after #1"),)),
        Read("s0"),
    )


def _judge_refusable(trial: Trial, transcript: Transcript) -> Fault | None:
    """Only the hostile append (the second) may be refused; its neighbours are owed."""
    appends = [at for at, done in enumerate(transcript) if isinstance(done.operation, Append)]
    for at in appends[:1] + appends[2:]:
        if transcript[at].outcome.type != "ok":
            return judge(transcript, trial.claims)
    return judge(transcript, trial.claims, refusable=True)


def distinct_sessions(trial: Trial) -> None:
    """Known hostile ids in groups, then generated families of near ones: never mixed up."""
    for start in range(0, len(IDS), _IDS_AT_ONCE):
        _one_group(trial, IDS[start : start + _IDS_AT_ONCE])

    def no_fault(ids: Sequence[str]) -> None:
        _one_group(trial, ids)

    searched: Searched[tuple[str, ...], None] = search(
        hostile_ids(),
        no_fault,
        seed=trial.seed,
        enough=trial.enough,
        shrink_s=trial.profile.shrink_s,
    )
    trial.count("programs", searched.programs)


def _one_group(trial: Trial, ids: Sequence[str]) -> None:
    """One message to each id, then read all: each session has its own message alone."""
    names = {f"s{number}": given for number, given in enumerate(ids)}
    sample = trial.words.samples[0]
    steps: list[Operation] = []
    for number, name in enumerate(names):
        steps += beginnings([name], trial.words, trial.capabilities)
        message = replace(sample, content=f"for session {number} #{number}")
        if sample.kind == "tool_call":
            message = replace(sample, call_id=f"call-{number}")
        steps.append(Append(name, (message,)))
    steps += [Read(name) for name in names]
    if "list" in trial.capabilities:
        steps.append(List())
    check = lambda done: judge(_without_refused(done), trial.claims, refusable=True)  # noqa: E731
    trial.run(tuple(steps), check, examined=len(ids), ids=names)


def _without_refused(transcript: Transcript) -> Transcript:
    """The transcript without sessions whose id was refused: a refused id need not be readable."""
    refused = {
        done.operation.session
        for done in transcript
        if isinstance(done.operation, Create | Append) and done.outcome.type != "ok"
    }
    kept: list[Completed] = [
        done
        for done in transcript
        if isinstance(done.operation, List | Create | Append)
        or not (isinstance(done.operation, Read) and done.operation.session in refused)
        or done.outcome.type == "ok"
    ]
    return tuple(kept)


def invalid_messages(trial: Trial) -> Iterator[tuple[str, Message]]:
    """Messages that break a rule of the contract, with what is wrong in words."""
    keeps = trial.claims.keeps
    good = Message("user", "a good text")
    wrong: list[tuple[str, str, Any]] = [
        ("content", "a text that is a Python object", object()),
        ("content", "a text that is a set", {1, 2}),
        ("role", "a role that is a number", 7),
        ("role", "an unknown role", "no-such-role"),
        ("tokens", "a negative token count", -1),
        ("tokens", "a token count that is a text", "12"),
        ("tokens", "a token count with a fraction", 1.5),
        ("duration_us", "a negative duration", -1),
        ("created_at_us", "a time that is a text", "yesterday"),
        ("metadata", "metadata that is a text", "text"),
        ("kind", "an unknown kind", "no-such-kind"),
    ]
    for field, words, value in wrong:
        if field in keeps or (field == "kind" and "kind" in keeps):
            yield words, replace(good, **{field: value})


def refused_and_unwritten(trial: Trial) -> None:
    """Each invalid message alone: refused, and the session reads as before."""
    for words, message in invalid_messages(trial):
        start = trial.run(trial.program(Append("s0", (_good(trial, "before"),))), examined=0)
        handle, session = trial.handle(), start[-1].session_id or ""
        operation = Append("s0", (message,))
        outcome = handle.invoke(operation, session)
        did = f"appended {words} to a session with one message"
        trial.require(
            outcome.type != "ok",
            Anomaly.ACCEPTED_INVALID,
            did=did,
            expected="a refusal: the store claims to validate",
            seen="it was accepted",
            program=[as_call(operation)],
        )
        again = handle.invoke(Read("s0"), session)
        trial.require_ok(again, f"{did}, then read")
        trial.require(
            len(again.value) == 1,
            Anomaly.ABORTED_READ,
            did=f"{did}; it was refused",
            expected="the one message from before",
            seen=f"{len(again.value)} messages",
            program=[as_call(operation), as_call(Read("s0"))],
        )
        trial.count("messages")


def whole_or_not_at_all(trial: Trial) -> None:
    """A batch with one invalid element in each place: all of it is there, or nothing."""
    wrong = [*invalid_messages(trial), *_hard_to_store(trial)]
    for number, (words, bad) in enumerate(wrong):
        place = number % 4
        good = [_good(trial, f"batch {number} element {at}") for at in range(3)]
        batch = (*good[:place], bad, *good[place:])
        start = trial.run(trial.program(Append("s0", (_good(trial, "before"),))), examined=0)
        handle, session = trial.handle(), start[-1].session_id or ""
        operation = Append("s0", batch)
        outcome = handle.invoke(operation, session)
        # Contents are looked at raw: a store that does not validate may give back what it got.
        read = handle.perform("read", partial(_read_texts, session=session))
        trial.require_ok(read, f"appended a batch with {words} at place {place + 1}, then read")
        expected = 5 if outcome.type == "ok" else 1
        whole = len(read.value) in (1, 5)
        trial.require(
            len(read.value) == expected,
            _half(whole=whole, accepted=outcome.type == "ok"),
            did=f"appended a batch of 4 with {words} at place {place + 1} "
            f"to a session with one message; the append {_ended(outcome.type)}",
            expected=f"{expected} message{'s' * (expected > 1)}: "
            + ("the whole batch" if outcome.type == "ok" else "nothing of the batch"),
            seen=f"{len(read.value)} messages: "
            + ", ".join(shown_text(text, 40) for text in read.value),
            program=[as_call(operation), as_call(Read("s0"))],
        )
        trial.count("batches")


def _read_texts(call: Callable[..., Any], *, session: str) -> list[str]:
    """The texts of a session's messages; what is no text is named by its type."""
    contents = [message.content for message in call("read", session)]
    return [one if type(one) is str else f"({type(one).__name__})" for one in contents]


def _half(*, whole: bool, accepted: bool) -> Anomaly:
    if not whole:
        return Anomaly.TORN_BATCH
    return Anomaly.LOST_MESSAGE if accepted else Anomaly.ABORTED_READ


def _hard_to_store(trial: Trial) -> Iterator[tuple[str, Message]]:
    """Well-formed messages that databases tend to refuse only when they are written."""
    good = _good(trial, "x")
    yield "a lone surrogate", replace(good, content="half \ud83d")
    yield "a NUL character", replace(good, content="a\x00b")
    if "tokens" in trial.claims.keeps:
        yield "a token count above 64 bits", replace(good, tokens=2**70)


def _good(trial: Trial, text: str) -> Message:
    sample = next((one for one in trial.words.samples if one.kind == "text"), None)
    return replace(sample or trial.words.samples[0], content=text)


def _ended(kind: str) -> str:
    return "returned normally" if kind == "ok" else "raised"
