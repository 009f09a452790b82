"""Inputs that do something when they are run: as SQL, a pattern, a path, a template, as code.

What counts is the effect on others. Two witness sessions with known messages lie in each location,
and a file that payloads would make, the canary, lies nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sessionproof.checks.rules import Asserts
from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Clear,
    Create,
    Delete,
    GetState,
    List,
    Operation,
    PopLast,
    Program,
    Read,
    SetState,
    session_of,
    shown_text,
)
from sessionproof.contract.seed import derive
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import call, expression
from sessionproof.trials.inputs import good_message, places_for_text
from sessionproof.trials.lines import made
from sessionproof.trials.single import Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript, execute
from sessionproof.workload.hostile import (
    CODE,
    PATTERNS,
    PAYLOADS,
    SQL,
    TEMPLATES,
    armed,
    payload_texts,
)

E = TypeVar("E")

_WITNESSES = {"w0": "witness-a", "w1": "witness-b"}
_OTHER_PLACES = (*SQL[::3], *CODE[::4], *TEMPLATES[::3], *PATTERNS[:2])
_TEXTS_A_PROGRAM = 8
_IDS_A_PROGRAM = 4
_SHARES_MOST = 10
_KEYS = ("kept", *PATTERNS[:4], *SQL[::5], *CODE[:1])


def nothing_is_run(trial: Trial) -> None:
    """Payloads in every place that takes a text; witnesses and canary are looked at after each."""
    canary = _canary(trial)
    tried = [*_with_texts(trial, canary), *_with_ids(trial, canary), *_with_keys(trial)]
    # The first of each kind before the second of any: a slow store is asked all kinds, too.
    tried.sort(key=lambda one: one.turn)
    for one in _affordable(trial, tried):
        _run(trial, canary, one)
    _with_names_of_messages(trial, canary)
    _drawn(trial, canary)


@dataclass(frozen=True)
class _Tried:
    """A program with so many payloads in it; ``turn`` orders those of one kind.

    ``alone`` makes a program of each payload, for a finding that names one.
    """

    turn: int
    program: Program
    inputs: int
    ids: Mapping[str, str] | None = None
    alone: Callable[[], Iterator[_Tried]] = lambda: iter(())


def _run(trial: Trial, canary: Path, one: _Tried) -> None:
    def check(done: Transcript) -> Fault | None:
        return _fault(trial, canary, done)

    if one.ids is not None:
        trial.store.fresh_location()
    transcript = execute(one.program, trial.store, ids=one.ids)
    fault = check(transcript)
    if fault is None:
        trial.count("inputs", one.inputs)
        return
    if not trial.store.dropped:
        for small in (*one.alone(), one):
            trial.store.fresh_location()
            trial.run(small.program, check, examined=0, ids=small.ids)
    trial.conclude(transcript, fault)


def _fault(trial: Trial, canary: Path, done: Transcript) -> Fault | None:
    if canary.exists():
        canary.unlink()
        return Fault(
            index=len(done) - 1,
            anomaly=Anomaly.INJECTION,
            expected="no input is run",
            seen=f"one of these inputs was run: it made the file {canary.name}",
            rule=Asserts(
                ("assert not canary.exists(), 'an input was run'",),
                first=(
                    f"canary = Path({str(canary)!r})",
                    "canary.parent.mkdir(parents=True, exist_ok=True)",
                    "canary.unlink(missing_ok=True)",
                ),
            ),
        )
    return judge(done, trial.claims, refusable=_refusable)


def _refusable(operation: Operation) -> bool:
    """A payload may be refused; witnesses and their messages are owed."""
    if isinstance(operation, GetState | SetState):
        return operation.key != _KEYS[0]
    changes = isinstance(operation, Append | Create | Delete | Clear | PopLast)
    return changes and session_of(operation) not in _WITNESSES


def _canary(trial: Trial) -> Path:
    name = f"canary-{derive(trial.seed, 'canary') % 2**32:08x}"
    return trial.store.location.root.parent / name


def _begun(trial: Trial) -> list[Operation]:
    begun = programs.beginnings([*_WITNESSES], trial.words, trial.capabilities)
    plain = {name: good_message(trial, f"of {name}") for name in _WITNESSES}
    return [*begun, *(Append(name, (message,)) for name, message in plain.items())]


def _ended(trial: Trial) -> list[Operation]:
    listed = [List()] if "list" in trial.capabilities else []
    return [*map(Read, _WITNESSES), *listed]


def _with_texts(trial: Trial, canary: Path) -> Iterator[_Tried]:
    """Payloads in contents, metadata, arguments, names and ids of messages."""
    places = places_for_text(trial)
    good = good_message(trial, "named")
    for name in {"name", "id"} & {*trial.claims.keeps}:
        places[f"the {name}"] = lambda text, name=name: replace(good, **{name: text})  # type: ignore[misc]
    for words, place in sorted(places.items()):
        payloads = PAYLOADS if words == "the text" else _OTHER_PLACES
        made = [place(armed(payload, str(canary))) for payload in payloads]
        if words != "the text":
            made = [_told_apart(message, number) for number, message in enumerate(made)]
        sent = [message for message in made if trial.words.representable(message)]
        for turn, part in enumerate(_parts(sent, _TEXTS_A_PROGRAM)):
            alone = partial(map, lambda one: _of_texts(trial, 0, [one]), part)
            yield replace(_of_texts(trial, turn, part), alone=alone)


def _told_apart(message: Message, number: int) -> Message:
    """The message with a text that no other has: what becomes of equal ones is asked elsewhere."""
    if message.kind != "text" or not isinstance(message.content, str):
        return message
    return replace(message, content=f"{message.content} {number}")


def _of_texts(trial: Trial, turn: int, part: Sequence[Message]) -> _Tried:
    begun = programs.beginnings(["s0"], trial.words, trial.capabilities)
    appends = [Append("s0", (message,)) for message in part]
    steps = [*_begun(trial), *begun, *appends, Read("s0"), *_ended(trial)]
    return _Tried(turn, tuple(steps), len(part))


def _with_ids(trial: Trial, canary: Path) -> Iterator[_Tried]:
    """Payloads as ids: of sessions that do not exist, then of new ones, that are removed again."""
    payloads = [armed(one, str(canary)) for one in (*PATTERNS, *SQL, *CODE[::2], *TEMPLATES[:3])]
    spread = [one for first in range(5) for one in payloads[first::5]]
    for turn, part in enumerate(_parts(spread, _IDS_A_PROGRAM)):
        alone = partial(map, lambda one: _of_ids(trial, 0, [one]), part)
        yield replace(_of_ids(trial, turn, part), alone=alone)


def _of_ids(trial: Trial, turn: int, part: Sequence[str]) -> _Tried:
    named = trial.claims.session_ids == "caller"
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    looks = [kind for kind in kinds if kind not in (List, GetState)]
    removals = [kind for kind in (PopLast, Clear, Delete) if kind in kinds]
    ids = {f"h{number}": payload for number, payload in enumerate(part)}
    steps = _begun(trial)
    for name in ids:
        steps += programs.observations([name], looks)
        steps += [kind(name) for kind in removals]
        if named:
            steps += programs.beginnings([name], trial.words, trial.capabilities)
            steps += [Append(name, (good_message(trial, "hostile"),)), Read(name)]
            steps += [kind(name) for kind in removals]
        steps += map(Read, _WITNESSES)
    whole = (*steps, *_ended(trial))
    return _Tried(turn, whole, len(part), {**ids, **(_WITNESSES if named else {})})


def _with_keys(trial: Trial) -> Iterator[_Tried]:
    """Payloads as keys and values of the state."""
    if not {"get_state", "set_state"} <= trial.capabilities:
        return
    first, *others = _KEYS
    steps = [*_begun(trial), SetState("w0", first, first), SetState("w1", first, first)]
    steps += [GetState("w0", key) for key in others]  # not set: no other key is meant
    for key in others:
        steps += [SetState("w0", key, key), GetState("w0", key), GetState("w0", first)]
    steps += [GetState("w1", key) for key in _KEYS]
    yield _Tried(0, (*steps, *_ended(trial)), len(others))


def _drawn(trial: Trial, canary: Path) -> None:
    """Payloads cut and joined anyhow, as contents."""
    places = places_for_text(trial)
    if "the text" not in places:
        return
    begun = programs.beginnings(["w0", "s0"], trial.words, trial.capabilities)
    witness = Append("w0", (good_message(trial, "of the witness"),))

    def program(text: str) -> Program:
        message = places["the text"](text)
        if not trial.words.representable(message):
            return ()
        return (*begun, witness, Append("s0", (message,)), Read("s0"), Read("w0"))

    trial.search(
        payload_texts(str(canary)).map(program),
        lambda done: _fault(trial, canary, done),
        count=lambda done: min(1, len(done)),
    )


def _with_names_of_messages(trial: Trial, canary: Path) -> None:
    """Payloads as ids of messages and as cursors: other messages stay, none of others is seen."""
    asked = {"delete_message", "edit_message", "page"} & trial.capabilities
    if not asked:
        return
    plain = Append(
        "w0", (good_message(trial, "first"), good_message(trial, "second"))[: _most(trial)]
    )
    other = Append("w1", (good_message(trial, "of another"),))
    start = trial.run(trial.program(plain, other, sessions=("w0", "w1")), examined=0)
    ids = {session_of(done.operation): done.session_id or "" for done in start}
    payloads = (*PATTERNS, *SQL, "0 OR 1=1", "0) OR (1=1", *CODE[::4])
    for payload in _affordable(trial, [armed(one, str(canary)) for one in payloads]):
        for method in sorted(asked):
            _one_name(trial, ids, method, payload)
        fired = canary.exists()
        canary.unlink(missing_ok=True)
        trial.require(
            not fired,
            Anomaly.INJECTION,
            did=f"named a message by {shown_text(payload)}",
            expected="no input is run",
            seen=f"it was run: it made the file {canary.name}",
        )
        trial.count("inputs")


def _most(trial: Trial) -> int:
    return len(trial.several(2))


def _one_name(trial: Trial, ids: Mapping[str, str], method: str, payload: str) -> None:
    """One call with a payload as id or cursor, and what both sessions hold afterwards."""
    known = {name: _read(trial, session) for name, session in ids.items()}
    edited = good_message(trial, "edited")
    outcome = trial.handle().perform(
        f"{method}({payload!r})", lambda asked: _call(asked, method, ids["w0"], payload, edited)
    )
    did = f"{method} of a session with {len(known['w0'])} messages, named by {shown_text(payload)}"
    if method == "page":
        seen = outcome.value if outcome.type == "ok" else []
        surplus = [text for text in seen if text not in known["w0"]]
        trial.require(
            not surplus,
            Anomaly.INJECTION,
            did=f"{did} as its cursor",
            expected="an error, or messages of this session",
            seen=f"messages of others: {', '.join(map(shown_text, surplus[:3]))}",
            program=[f"store.page('w0', cursor={payload!r}, limit=5)"],
            script=[
                *_witnesses(trial),
                "texts = []",
                "with suppress(Exception):  # refused",
                f"    page = store.page(w0, cursor={expression(payload)}, limit=5)",
                "    texts = [message.content for message in page.messages]",
                "assert 'of another' not in texts, texts",
            ],
        )
    now = {name: _read(trial, session) for name, session in ids.items()}
    if method == "edit_message" and _made_anew(known, now, edited):
        return
    extra = f", {expression(edited)}" if method == "edit_message" else ""
    trial.require(
        now == known,
        Anomaly.INJECTION,
        did=f"{did}; no message has that id" if method != "page" else did,
        expected=f"what was there: {known}",
        seen=str(now),
        program=[f"store.{method}('w0', {payload!r}{', …' * bool(extra)})", "store.read('w0')"],
        script=[
            *_witnesses(trial),
            texts_of("w0", into="before"),
            *attempt(f"store.{method}(w0, {expression(payload)}{extra})"),
            texts_of("w0"),
            "assert texts == before, texts",
        ]
        if method != "page"
        else (),
    )


def _made_anew(
    known: Mapping[str, list[Any]], now: Mapping[str, list[Any]], edited: Message
) -> bool:
    """Whether the edit of a message that is not there has made one, and has done nothing else.

    No input was run then, and no row says what such an edit owes.
    """
    return now["w1"] == known["w1"] and now["w0"] == [*known["w0"], edited.content]


def _witnesses(trial: Trial) -> list[str]:
    """The lines that make two sessions with messages."""
    first, other = good_message(trial, "first"), good_message(trial, "of another")
    lines = [call(Append("w0", (first,)), "w0"), call(Append("w1", (other,)), "w1")]
    return [*made(trial, "w0", "w1"), *lines]


def _call(
    asked: Callable[..., Any], method: str, session: str, payload: str, edited: Message
) -> Any:
    if method == "page":
        page = asked("page", session, cursor=payload, limit=5)
        return [message.content for message in page.messages]
    extra = [edited] if method == "edit_message" else []
    return asked(method, session, payload, *extra)


def _read(trial: Trial, session: str) -> list[Any]:
    outcome = trial.handle().invoke(Read("w0"), session)
    trial.require_ok(outcome, "read a session after an input that may not concern it")
    return [message.content for message in outcome.value]


def _affordable(trial: Trial, examples: Sequence[E]) -> Iterator[E]:
    """The examples, as many as the profile pays for once there is evidence."""
    start = monotonic_s()
    for number, example in enumerate(trial.within_time(examples)):
        spent = monotonic_s() - start > trial.profile.share_s * _SHARES_MOST
        if spent and trial.examined["inputs"] >= trial.guarantee.least:
            trial.notes.append(f"{number} of {len(examples)} groups of inputs: the store is slow")
            return
        yield example


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
