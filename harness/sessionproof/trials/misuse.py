"""A handle that more threads use than it has connections, and one that is closed in use.

Each call is served, or is refused with an error; none of them hangs, and what was acknowledged is
there for others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG, Append, Outcome, Read
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.misuse import closed_lines, crowd_lines
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.limited import Sessions, text_of
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.guard import Handle, outcome_of
from sessionproof.workload.seats import frequent_switches, raw
from sessionproof.workload.sessions import begin
from sessionproof.workload.threads import Stopped, Threads

_CROWD = 40  # threads: a pool of connections for the web has fifteen
_CALLS = 4
_USERS = 3
_FAR = 4
_BEFORE = 100  # messages, so that a read takes a while
_ANSWER_S = 20.0  # what a script waits at most for a call that hung


def tried(trial: Trial) -> list[str]:
    """Each misuse that makes sense for the store, in words; raises Broken. Counts ways."""
    if is_hosted(trial.store) or "append" in trial.store.awaited:
        return []  # the process behind the pipes takes calls in turn; a loop has one thread
    ways: list[tuple[str, Callable[[Trial], None]]] = [("a handle after close", _after_close)]
    if trial.claims.shared_handle and trial.claims.at_least("handles", "threads"):
        ways.append((f"{_CROWD} threads on a handle", _crowd))
        ways.append(("a handle that is closed while threads use it", _closed_in_use))
    for _, way in ways:
        trial.store.fresh_location()
        way(trial)
        trial.count("ways")
    return [name for name, _ in ways]


@dataclass(frozen=True)
class _Place:
    """A handle of its own on the trial's location, and a session with messages."""

    handle: Handle
    store: Any
    session: str
    sessions: Sessions


def _crowd(trial: Trial) -> None:
    """Many threads append and read on one handle; afterwards it works as before."""
    did = f"{_CROWD} threads appended to a session and read it on one handle"
    place = _place(trial, trial.handle())
    if not _is_quick(trial, place, _CROWD * _CALLS):
        trial.notes.append(f"calls are too slow for {_CROWD} threads on a handle")
        return

    def work() -> None:
        for _ in range(_CALLS):
            _append(place)
            _came(lambda: place.store.read(place.session))

    def lines() -> list[str]:
        setting = setting_of(trial)
        return [] if setting is None else crowd_lines(setting, _CROWD, _answer_s(trial))

    _together(trial, [work] * _CROWD, did, lines)
    last = Append("s", (place.sessions.message(),))
    for operation in (last, Read("s")):
        trial.require_ok(place.handle.invoke(operation, place.session), f"{did}, then one more")


def _after_close(trial: Trial) -> None:
    """A call of a handle that was closed."""
    _closed(trial, users=0, did="closed a handle, then appended by it")


def _closed_in_use(trial: Trial) -> None:
    """Threads append while their handle is closed."""
    _closed(trial, users=_USERS, did=f"closed a handle while {_USERS} threads appended by it")


def _closed(trial: Trial, *, users: int, did: str) -> None:
    if trial.claims.at_least("handles", "threads"):
        trial.handle()  # with no handle left, a store in memory may forget what it has
    handle = trial.store.another_handle()
    place, kept, begun = _place(trial, handle), list[str](), Event()

    def use() -> None:
        for _ in range(10 * _CALLS):
            text = _append(place)
            begun.set()
            if text is None:
                break
            kept.append(text)

    def close() -> None:
        begun.wait(1.0)
        _came(place.store.close)

    def close_then_use() -> None:
        _came(place.store.close)
        use()

    def lines() -> list[str]:
        setting = setting_of(trial)
        return [] if setting is None else closed_lines(setting, users, _answer_s(trial))

    if users and not _is_quick(trial, place, 10 * _CALLS * users):
        users = 0
    if users:
        _together(trial, [*[use] * users, close], did, lines)
    else:  # a store may be for the thread alone that opened it
        outcome = handle.lend(did, lambda _store, _wait: close_then_use())
        if outcome.failure is not None:
            raise _hangs(trial, outcome, did, lines)
    handle.close()
    read = trial.handle().invoke(Read("s"), place.session)
    trial.require_ok(read, "read by another handle")
    there = {text_of(one) for one in read.value}
    gone = [text for text in kept if text not in there]
    keeps = trial.claims.limits.retention
    trial.require(
        len(gone) <= max(0, len(kept) - (len(kept) if keeps is None else keeps)),
        Anomaly.LOST_MESSAGE,
        did=did,
        expected="what is acknowledged is there for others, and all else is refused",
        seen=f"{len(gone)} of {len(kept)} acknowledged messages are not there for another handle",
        script=lines() if gone else (),
    )


def _is_quick(trial: Trial, place: _Place, calls: int) -> bool:
    """Whether so many appends and reads one after the other stay far below any deadline."""
    began = monotonic_s()
    for operation in (Append("s", (place.sessions.message(),)), Read("s")):
        trial.require_ok(place.handle.invoke(operation, place.session), "appended, and read")
    return calls * (monotonic_s() - began) < trial.store.deadlines.operation_s / _FAR


def _place(trial: Trial, handle: Handle) -> _Place:
    sessions = Sessions(trial)
    begun = begin(handle, "used", trial.claims, trial.capabilities)
    trial.require_ok(begun, "made a session")
    for _ in range(_BEFORE // 10):
        batch = tuple(sessions.message() for _ in range(len(trial.several(10))))
        outcome = handle.invoke(Append("s", batch), str(begun.value))
        trial.require_ok(outcome, "appended messages")
    return _Place(handle, raw(handle), str(begun.value), sessions)


def _append(place: _Place) -> str | None:
    """The text of a message that was acknowledged; None where it was refused."""
    message = place.sessions.message()
    outcome = _came(lambda: place.store.append(place.session, [message]))
    return text_of(message) if outcome.type == "ok" else None


def _came(call: Callable[[], Any]) -> Outcome:
    try:
        return Outcome("ok", call())
    except BaseException as error:  # noqa: BLE001 - a store may raise anything
        return outcome_of(error)


def _together(
    trial: Trial, jobs: Sequence[Callable[[], None]], did: str, lines: Callable[[], list[str]]
) -> None:
    threads = Threads(len(jobs))
    try:
        with frequent_switches():
            threads.together(jobs, deadline_s=trial.store.deadlines.operation_s)
    except Stopped as stop:
        raise _hangs(trial, stop.outcome, did, lines) from None
    finally:
        threads.close()


def _hangs(trial: Trial, outcome: Outcome, did: str, lines: Callable[[], list[str]]) -> Broken:
    """The finding of a call that did not end; the location is given up."""
    failure = outcome.failure
    special = failure is not None and failure.type in tuple(Anomaly)
    script = lines()
    trial.store.fresh_location()
    finding = Finding(
        anomaly=Anomaly(failure.type) if failure is not None and special else Anomaly.HANG,
        did=did,
        expected="every call is served, or is refused with an error",
        seen=HANG if failure is None else failure.text,
        evidence={} if failure is None else dict(failure.evidence),
    )
    return trial.broken(finding, lambda: script)


def _answer_s(trial: Trial) -> float:
    return min(_ANSWER_S, trial.store.deadlines.operation_s)
