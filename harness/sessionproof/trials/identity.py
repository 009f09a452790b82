"""Sessions that the store names: as many as were asked for, each with its own messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from sessionproof.checks.transcript import judge
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Append, Completed, Create, Read, as_call, shown_text
from sessionproof.scripts.expressions import call
from sessionproof.trials.inputs import good_message
from sessionproof.trials.reopening import in_another_process
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload.guard import Handle

_MANY = 64  # ids of one byte, say, repeat almost surely among so many


def never_shared(trial: Trial) -> None:
    """Equal beginnings one after the other, from several handles at once, and after reopening.

    Raises NotClaimed when the store does not name sessions.
    """
    first = _beginning(trial)
    trial.store.fresh_location()
    known = _told_apart(trial, [trial.handle()], first, 3, [])
    with _users(trial) as handles:
        known += _told_apart(trial, handles, first, 2, known)
    if trial.claims.at_least("durability", "process"):
        trial.store.reopen()
        known += _made(trial, [trial.handle()], first, 2)
        again = ["store.close()", "store = open_store(location)"]
        _require_different(trial, known, first, [*_asking(first, 9), *again, *_asking(first, 9)])
        trial.count("sessions", 2)
    known += _made(trial, [trial.handle()], first, _MANY)
    _require_different(trial, known, first, _asking(first, len(known)))


def _beginning(trial: Trial) -> Create:
    """A creation that the store takes: with a first message, or without."""
    with_message = Create("s0", (good_message(trial, "hi"),))
    asked = trial.claims.limits.first_messages
    if asked and trial.handle().invoke(with_message, None).type == "ok":
        return with_message
    failure = trial.handle().invoke(Create("s0"), None).failure
    if failure is not None:
        reason = str(failure)[:120]
        raise NotClaimed(f"the store does not name sessions: {reason}")
    return Create("s0")


@contextmanager
def _users(trial: Trial) -> Iterator[list[Handle]]:
    """Handles of several users on one location: threads and another program, as claimed."""
    with ExitStack() as stack:
        store, handles = trial.store, [trial.handle()]
        if trial.claims.at_least("handles", "threads"):
            handles.append(trial.store.another_handle())
            stack.callback(handles[-1].close)
        if trial.claims.at_least("handles", "processes"):
            handles.append(in_another_process(store.spec, store.location, store.deadlines))
            stack.callback(handles[-1].close)
        yield handles


def _told_apart(
    trial: Trial,
    handles: Sequence[Handle],
    first: Create,
    each: int,
    known: Sequence[Completed],
) -> list[Completed]:
    """New sessions differ by their ids, and what is appended to one is read of it alone."""
    made = _made(trial, handles, first, each)
    script = _asking(first, len(made))
    if len(handles) > 1:
        script = ["other = open_store(location)", *script, *_asking(first, len(made), "other")]
        script.append("other.close()")
    _require_different(trial, [*known, *made], first, script)
    transcript = list(made)
    handle = trial.handle()
    for number, done in enumerate(made):
        own = Append(f"s{number}", (good_message(trial, f"of user {number}"),))
        transcript.append(Completed(own, handle.invoke(own, done.session_id), done.session_id))
    for number, done in enumerate(made):
        read = Read(f"s{number}")
        transcript.append(Completed(read, handle.invoke(read, done.session_id), done.session_id))
    trial.conclude(tuple(transcript), judge(transcript, trial.claims))
    trial.count("sessions", len(made))
    return made


def _made(trial: Trial, handles: Sequence[Handle], first: Create, each: int) -> list[Completed]:
    """So many new sessions from every handle, made at the same time."""

    def create(handle: Handle) -> list[Completed]:
        outcomes = [handle.invoke(first, None) for _ in range(each)]
        return [Completed(first, outcome, outcome.value) for outcome in outcomes]

    with ThreadPoolExecutor(len(handles)) as pool:
        made = [done for some in pool.map(create, handles) for done in some]
    for done in made:
        trial.require_ok(done.outcome, f"asked for a new session: {as_call(first)} without an id")
    return [
        Completed(Create(f"s{number}", first.messages), done.outcome, done.session_id)
        for number, done in enumerate(made)
    ]


def _asking(first: Create, times: int, store: str = "store") -> list[str]:
    """Lines that ask for so many new sessions, and keep their ids."""
    return [f"for _ in range({times}):", f"    ids.append({call(first, '', store=store)})"]


def _require_different(
    trial: Trial, made: Sequence[Completed], first: Create, script: Sequence[str]
) -> None:
    times = Counter(str(done.session_id) for done in made)
    shared = [f"{shown_text(name, 60)} ({many} times)" for name, many in times.items() if many > 1]
    trial.require(
        not shared,
        Anomaly.LEAK,
        did=f"asked for {len(made)} new sessions that begin alike: {as_call(first)}, without an id",
        expected=f"{len(made)} different ids",
        seen=f"{len(times)} ids; {', '.join(shared[:3])}",
        program=["store.create(None, …)"] * 2,
        script=["ids = []", *script, "assert len(set(ids)) == len(ids), ids"],
    )
