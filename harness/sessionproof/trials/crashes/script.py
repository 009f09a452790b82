"""The script of a state that a store did not survive: its files, and what must be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Count,
    Get,
    GetState,
    List,
    Operation,
    Read,
    ReadLast,
    SetState,
    method_of,
)
from sessionproof.faults.crashes.images import image_of
from sessionproof.faults.recording import Recording
from sessionproof.oracle.model import Session
from sessionproof.scripts.crashes import (
    Left,
    crash_script,
    is_one_of,
    knows_one_of,
    reads_one_of,
)
from sessionproof.scripts.expressions import Unwritable, expression
from sessionproof.scripts.expressions import message as written
from sessionproof.trials.crashes.again import Shown, asked
from sessionproof.trials.crashes.survival_recorded import timeline_of
from sessionproof.trials.single import Trial
from sessionproof.workload.sessions import begin, needs_create
from sessionproof.workload.texts import said
from sessionproof.workload.vocabulary import takes_times

_TEXT, _FRESH = "after the crash", "after-crash"
_LATE_US = 4_000_000_000_000_000
_ANSWER_S = 20.0  # what a script waits at most for a call that hung


def script_lines(trial: Trial, shown: Shown) -> Sequence[str]:
    """The lines of the script; raises Unwritable where none of a bearable length show it."""
    recording, state, flaw = shown.recording, shown.state, shown.flaw
    image = image_of(recording.changes, state)
    hangs = flaw.anomaly is Anomaly.HANG
    return crash_script(
        Left(
            folders=image.folders,
            files={name: bytes(content) for name, content in image.files.items()},
            checks=[*_checks(trial, shown)],
            programs=asked(recording, state.point),
            model=state.model,
            anomaly=str(flaw.anomaly),
            point=state.point,
            claims=None if trial.claims == _own_claims(trial) else trial.claims,
            awaited=_awaited(trial),
            answer_s=min(_ANSWER_S, trial.store.deadlines.operation_s) if hangs else None,
        )
    )


def _awaited(trial: Trial) -> frozenset[str]:
    """Which methods answer awaitables: others judged the states, so ask."""
    handle, name = trial.handle(), trial.store.next_program()
    begun = begin(handle, name, trial.claims, trial.capabilities)
    given = begun.value if begun.type == "ok" else name
    asked: tuple[Operation, ...] = (
        Append(name, trial.several(1)), Read(name), ReadLast(name, 1), Count(name), Get(name),
        List(), GetState(name, "theme"),
    )  # fmt: skip
    for operation in asked:
        if method_of(operation) in {"append", "read", *trial.capabilities}:
            handle.invoke(operation, given)
    trial.store.close()  # whether closing does is known only then
    return frozenset(trial.store.awaited)


def _own_claims(trial: Trial) -> Claims | None:
    """What the store itself claims."""
    return trial.store.spec.claims or trial.handle().claims


def _checks(trial: Trial, shown: Shown) -> Iterator[str]:
    """What must hold of an open ``store``, by the aspect that is wrong."""
    flaw, ids = shown.flaw, ids_of(shown.recording)
    allowed = _allowed(shown, ids)
    about = {flaw.session: allowed[flaw.session]} if flaw.session in allowed else allowed
    match flaw.aspect:
        case "open" | "read" | "messages":
            for name, sessions in about.items():
                yield from _session_lines(trial, ids[name], sessions, shown)
        case "sessions":
            yield from _known_lines(trial, ids, about)
        case "state":
            yield from _state_lines(shown, ids, about)
        case "counters":
            for name in about:
                yield from _counter_lines(trial, ids[name])
        case "going on":
            yield from _further_lines(trial, ids, about, stuck=flaw.session in allowed)
        case _:
            raise Unwritable(f"what is wrong with the {flaw.aspect} takes more than a few lines")


def ids_of(recording: Recording) -> Mapping[str, str]:
    """The ids of sessions by their logical names, as the store knew them last."""
    return {
        act.operation.session: act.session_id
        for act in recording.acts
        if act.session_id is not None and hasattr(act.operation, "session")
    }


def _allowed(shown: Shown, ids: Mapping[str, str]) -> dict[str, list[Session | None]]:
    """What each session may be after the crash."""
    worlds = timeline_of(shown.recording).at(shown.state.point).worlds
    return {name: [world.get(name) for world in worlds] for name in ids}


def _session_lines(
    trial: Trial, session_id: str, sessions: Sequence[Session | None], shown: Shown
) -> Iterator[str]:
    """That the session is read, and has what it may have."""
    where = expression(session_id)
    allowed = [session.messages if session else () for session in sessions]
    everything = shown.flaw.anomaly is Anomaly.CHANGED
    yield from reads_one_of(where, allowed, trial.claims, everything=everything)
    if shown.flaw.aspect == "read" and "read_last" in trial.capabilities and all(allowed):
        yield f"newest = [m.content for m in store.read_last({where}, 2)]"
        yield f"assert newest == [m.content for m in store.read({where})][-2:], newest"


def _known_lines(
    trial: Trial, ids: Mapping[str, str], about: Mapping[str, Sequence[Session | None]]
) -> Iterator[str]:
    """That a session is known if it has messages or was made, and not if it was not."""
    for name, sessions in about.items():
        where = expression(ids[name])
        moments = [
            (known, session.messages if session else ())
            for session in sessions
            for known in _known(session)
        ]
        ways = {"list": f"{where} in store.list()", "get": f"store.get({where}) is not None"}
        for method, way in ways.items():
            if method in trial.capabilities:
                yield from knows_one_of(where, way, moments, trial.claims)


def _known(session: Session | None) -> tuple[bool, ...]:
    """Whether a session may be known: either way where it is empty, and was not made."""
    if session is None:
        return (False,)
    return (True,) if session.messages or session.made else (True, False)


def _state_lines(
    shown: Shown, ids: Mapping[str, str], about: Mapping[str, Sequence[Session | None]]
) -> Iterator[str]:
    """That state and messages are those of one moment."""
    for name, sessions in about.items():
        keys = sorted(
            {
                key
                for act in shown.recording.acts
                if isinstance(act.operation, AppendWithState | SetState)
                and act.operation.session == name
                for key in _keys(act.operation)
            }
        )
        known = [session or Session() for session in sessions]
        moments = [(len(one.messages), *(one.state.get(key) for key in keys)) for one in known]
        where = expression(ids[name])
        asked_for = (f"store.get_state({where}, {expression(key)})" for key in keys)
        yield from is_one_of(f"(len(store.read({where})), {', '.join(asked_for)})", moments)


def _keys(operation: AppendWithState | SetState) -> list[str]:
    return [*operation.state] if isinstance(operation, AppendWithState) else [operation.key]


def _counter_lines(trial: Trial, session_id: str) -> Iterator[str]:
    """That count and totals are those of the messages that are there."""
    where = expression(session_id)
    yield f"there = store.read({where})"
    if "count" in trial.capabilities:
        yield f"seen = store.count({where})"
        yield "assert seen == len(there), seen"
    if "get" not in trial.capabilities:
        return
    yield f"facts = store.get({where})"
    yield "if facts is not None:"
    yield "    assert facts.message_count in (None, len(there)), facts"
    for name, source in (("total_tokens", "tokens"), ("total_duration_us", "duration_us")):
        if source in trial.claims.keeps:
            total = f"sum(m.{source} or 0 for m in there)"
            yield f"    assert facts.{name} in (None, {total}), facts"


def _further_lines(
    trial: Trial,
    ids: Mapping[str, str],
    about: Mapping[str, Sequence[Session | None]],
    *,
    stuck: bool,
) -> Iterator[str]:
    """That it takes another message, and has it when it is opened once more.

    It goes to a session that is there; also to one that may not be, if it is the one that was
    ``stuck``, and appends make their sessions.
    """
    makes = trial.claims.missing_session == "creates" and trial.claims.session_ids == "caller"
    there = [
        name
        for name, sessions in about.items()
        if (stuck and makes) or all(map(_is_there, sessions))
    ]
    where = expression(ids[there[0]]) if there else repr(_FRESH)
    if not there and needs_create(trial.claims, trial.capabilities):
        given = "" if trial.claims.session_ids == "store" else where
        yield f"fresh = store.create({given})"
        where = "fresh"
    yield "before = []"
    yield "with suppress(NotFound):"
    yield f"    before = [m.content for m in store.read({where})]"
    yield f"store.append({where}, [{written(_sample(trial))}])"
    yield "store.close()"
    yield "store = open_store(location)"
    yield f"seen = [m.content for m in store.read({where})]"
    kept = f"before + [{_TEXT!r}]"
    limit = trial.claims.limits.retention
    yield f"assert seen == {kept if limit is None else f'({kept})[-{limit}:]'}, seen"


def _is_there(session: Session | None) -> bool:
    return session is not None and bool(session.messages or session.made)


def _sample(trial: Trial) -> Message:
    """A message with a text that the store takes, later than all others."""
    sample = next((one for one in trial.words.samples if isinstance(one.content, str)), None)
    if sample is None:
        raise Unwritable("no message with a text can be sent")
    return said(sample, _TEXT, at_us=_LATE_US if takes_times(trial.claims) else None)
