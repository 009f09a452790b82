"""Inputs that stores get wrong: hostile texts, hostile session ids, invalid messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Create,
    List,
    Operation,
    Program,
    Read,
    as_call,
    shown_text,
)
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.expressions import call
from sessionproof.scripts.program import lines_of, must_refuse, suppressed
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload.execute import Transcript
from sessionproof.workload.hostile import BIG_TEXT, ID_GROUPS, TEXTS, hostile_ids, hostile_texts
from sessionproof.workload.programs import beginnings
from sessionproof.workload.search import Searched, search

_BEFORE, _AFTER = "before #0", "after #1"  # the texts around a hostile one


def read_back_or_refused(trial: Trial) -> None:
    """Known hostile texts one by one, then generated ones: equal, or refused and not there."""
    places = places_for_text(trial)
    if not places:
        raise CouldNotTell("the store takes no texts")
    known = [(text, name) for text in (*TEXTS, BIG_TEXT) for name in places]
    for text, name in trial.within_time(known):
        program = _around(trial, places[name](text), f"{name} {shown_text(text, 60)}")
        if program is not None:
            trial.run(program, lambda done: _judge_refusable(trial, done), examined=1)
    drawn = st.tuples(st.sampled_from(sorted(places)), hostile_texts())
    trial.search(
        drawn.map(lambda drawn: _around(trial, places[drawn[0]](drawn[1]), "") or ()),
        lambda done: _judge_refusable(trial, done),
        count=lambda done: min(1, len(done)),
    )


def places_for_text(trial: Trial) -> dict[str, Callable[[str], Message]]:
    """Where a text can stand in a message that this store takes: its content, keys and values."""
    by_kind = {sample.kind: sample for sample in trial.words.samples}
    places: dict[str, Callable[[str], Message]] = {}
    if "text" in by_kind:
        places["the text"] = lambda text: replace(by_kind["text"], content=text)
        if "metadata" in trial.claims.keeps:
            places["the metadata"] = lambda text: replace(
                by_kind["text"], content="with metadata", metadata={text: [text]}
            )
    if "tool_call" in by_kind:
        places["the arguments"] = lambda text: replace(
            by_kind["tool_call"], arguments={text: {"inside": text}}
        )
    return places


def _around(trial: Trial, hostile: Message, name: str) -> Program | None:
    """The message between two plain ones, so that damage to its neighbours is seen too."""
    sample = good_message(trial, "x")
    if not trial.words.representable(hostile):
        note = f"not representable: {name}"
        if name and len(trial.notes) < 10:
            trial.notes.append(note)
        return None
    return (
        *beginnings(["s0"], trial.words, trial.capabilities),
        Append("s0", (_said(sample, _BEFORE),)),
        Append("s0", (hostile,)),
        Append("s0", (_said(sample, _AFTER),)),
        Read("s0"),
    )


def _judge_refusable(trial: Trial, transcript: Transcript) -> Fault | None:
    """Only the hostile append may be refused; its neighbours are owed."""
    return judge(transcript, trial.claims, refusable=_is_hostile)


def _is_hostile(operation: Operation) -> bool:
    """Whether it appends something else than the plain messages around the hostile one."""
    if not isinstance(operation, Append):
        return False
    sent, plain = operation.messages[0], (_BEFORE, _AFTER)
    return sent.content not in plain and sent.call_id not in plain


def distinct_sessions(trial: Trial) -> None:
    """Known hostile ids in groups, then generated families of near ones: never mixed up."""
    for group in trial.within_time(ID_GROUPS):
        _one_group(trial, group)

    searched: Searched[tuple[str, ...], Finding] = search(
        hostile_ids(),
        lambda ids: _broken_by(trial, ids),
        seed=trial.seed,
        enough=trial.enough,
        shrink_s=trial.profile.shrink_s,
    )
    trial.count("programs", searched.programs)
    if searched.counterexample is not None:
        raise Broken(searched.counterexample.fault)


def _broken_by(trial: Trial, ids: Sequence[str]) -> Finding | None:
    try:
        _one_group(trial, ids)
    except Broken as broken:
        return broken.finding
    return None


def _one_group(trial: Trial, ids: Sequence[str]) -> None:
    """One message to each id, then read all: each session has its own message alone."""
    names = {f"s{number}": given for number, given in enumerate(ids)}
    sample = trial.words.samples[0]
    steps: list[Operation] = []
    for number, name in enumerate(names):
        steps += beginnings([name], trial.words, trial.capabilities)
        steps.append(Append(name, (_said(sample, f"for session {number} #{number}"),)))
    steps += [Read(name) for name in names]
    if "list" in trial.capabilities:
        steps.append(List())
    transcript = trial.run(
        tuple(steps), lambda done: _judge_taken(trial, done), examined=0, ids=names
    )
    taken = (isinstance(one.operation, Append) and one.outcome.type == "ok" for one in transcript)
    trial.count("ids", sum(taken))


def _judge_taken(trial: Trial, transcript: Transcript) -> Fault | None:
    """The oracle, without reads of sessions whose id was refused: those need not be readable."""
    refused = {
        done.operation.session
        for done in transcript
        if isinstance(done.operation, Create | Append) and done.outcome.type != "ok"
    }
    kept = [
        at
        for at, done in enumerate(transcript)
        if not (isinstance(done.operation, Read) and done.operation.session in refused)
        or done.outcome.type == "ok"
    ]
    fault = judge([transcript[at] for at in kept], trial.claims, refusable=True)
    if fault is None:
        return None
    return replace(
        fault, index=kept[fault.index], refusable=tuple(kept[at] for at in fault.refusable)
    )


def invalid_messages(trial: Trial) -> Iterator[tuple[str, Message]]:
    """Messages that break a rule of the contract, with what is wrong in words."""
    keeps = trial.claims.keeps
    good = Message("user", "a good text")
    wrong: list[tuple[str, str, Any]] = [
        ("content", "a text that is a Python object", object()),
        ("content", "a text that is a set", {1, 2}),
        ("content", "a text that is bytes", b"bytes"),
        ("content", "a text that is a complex number", 1j),
        ("content", "a text that is a list of a Python object", [object()]),
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
    for words, message in trial.within_time(list(invalid_messages(trial))):
        start = trial.run(trial.program(Append("s0", (good_message(trial, "before"),))), examined=0)
        handle, session = trial.handle(), start[-1].session_id or ""
        operation = Append("s0", (message,))
        outcome = handle.invoke(operation, session)
        lines, names = lines_of(start[:-1], trial.claims)
        appends = call(operation, names["s0"])
        did = f"appended {words} to a session with one message"
        trial.require(
            outcome.type != "ok",
            Anomaly.ACCEPTED_INVALID,
            did=did,
            expected="a refusal: the store claims to validate",
            seen="it was accepted",
            program=[as_call(operation)],
            script=[*lines, *must_refuse(appends, f"accepted: {words}")],
        )
        again = handle.invoke(Read("s0"), session)
        unwritten = [
            *lines,
            *suppressed([appends]),
            f"seen = [m.content for m in {call(Read('s0'), names['s0'])}]",
            "assert len(seen) == 1, seen",
        ]
        trial.require_ok(again, f"{did}, then read", unwritten)
        trial.require(
            len(again.value) == 1,
            Anomaly.ABORTED_READ,
            did=f"{did}; it was refused",
            expected="the one message from before",
            seen=f"{len(again.value)} messages",
            program=[as_call(operation), as_call(Read("s0"))],
            script=unwritten,
        )
        trial.count("messages")


def good_message(trial: Trial, text: str) -> Message:
    """A plain message that the store takes, with this text."""
    sample = next((one for one in trial.words.samples if one.kind == "text"), None)
    return _said(sample or trial.words.samples[0], text)


def _said(sample: Message, text: str) -> Message:
    """The sample with this text, where its kind has one."""
    if sample.kind == "tool_call":
        return replace(sample, call_id=text)
    return replace(sample, content=text)
