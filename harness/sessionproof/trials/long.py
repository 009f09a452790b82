"""A session of many messages, examined whole: what holds for ten must hold for 100,000."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sessionproof.bench.loading import Steps, driven
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Append,
    Completed,
    DeleteMessage,
    Operation,
    Outcome,
    PopLast,
    Read,
    ReadLast,
)
from sessionproof.scripts.expressions import expression
from sessionproof.trials.lines import made
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.trials.whole import (
    Long,
    audited,
    facts_hold,
    look_at_all,
    newest,
    numbers_rise,
    reads,
)
from sessionproof.workload.sessions import begin
from sessionproof.workload.shapes import checked_answer
from sessionproof.workload.vocabulary import takes_times

_MOST = 100_000  # messages
_ASKED_MOST = 1_000_000  # where more were asked for: all of them are compared in memory
_LOADING = 0.4  # of a test's deadline, for a size that was asked for
_BATCH = 500
_CALL_S = 0.1  # a longer batch is halved
_TURN_S = 0.5  # in the handle's thread at a time
_BACK = 3  # the message that is deleted, counted from the newest
_START_US, _STEP_US = 1_767_225_600_000_000, 1_000_003
_SESSIONS = ("s0", "s1")


def is_whole(trial: Trial) -> None:
    """Load it, look at it from all sides, open it again, take a little away, and look again."""
    long = _begun(trial)
    beside = [replace(long.message(number), content=f"beside #{number}") for number in range(3)]
    _append_beside(trial, long, beside[:2])
    _load(trial, long)
    _append_beside(trial, long, beside[2:])
    numbers_rise(trial, long)
    look_at_all(trial, long)
    audited(trial, long)
    if trial.claims.at_least("durability", "process"):
        trial.require_ok(trial.store.reopen(), "closed the store", [*long.lines])
        long.lines += ["store.close()", "store = open_store(location)"]
        reads(trial, long, "store.read(s0)", lambda store: store.read(long.session), long.living)
        facts_hold(trial, long)
    _take_away(trial, long)
    kept = _kept(trial, beside)
    want = expression(kept)
    reads(trial, long, "store.read(s1)", lambda store: store.read(long.beside), kept, want)
    trial.count("messages", long.sent)


# Loading


def _begun(trial: Trial) -> Long:
    message, said = _numbered(trial)
    ids = []
    for name in _SESSIONS:
        begun = begin(trial.handle(), name, trial.claims, trial.capabilities)
        trial.require_ok(begun, f"created session {name}")
        ids.append(begun.value)
    return Long(ids[0], ids[1], message, said, made(trial, *_SESSIONS))


def _numbered(trial: Trial) -> tuple[Callable[[int], Message], str]:
    """Messages by their numbers, and a line that makes a list of them, its length left open.

    They have tokens and durations where those are kept.
    """
    samples = [one for one in trial.words.samples if one.kind == "text"]
    if not samples:
        raise CouldNotTell("the store takes no texts")
    roles = tuple(one.role for one in samples)
    heavy = replace(samples[0], tokens=3, duration_us=1_001)
    weighed = {
        name: factor
        for name, factor in (("tokens", 3), ("duration_us", 1_001))
        if name in trial.claims.keeps and trial.words.representable(heavy)
    }
    timed = takes_times(trial.claims)

    def message(number: int) -> Message:
        more = {name: factor * (number % 997) for name, factor in weighed.items()}
        if timed:
            more["created_at_us"] = _START_US + number * _STEP_US
        return Message(roles[number % len(roles)], f"message #{number}", **more)  # type: ignore[arg-type]

    parts = [f"{roles!r}[n % {len(roles)}]" if len(roles) > 1 else repr(roles[0])]
    parts += ["f'message #{{n}}'"]  # the size is filled in later
    parts += [f"{name}={factor} * (n % 997)" for name, factor in weighed.items()]
    parts += [f"created_at_us={_START_US} + n * {_STEP_US}"] if timed else []
    return message, f"messages = [Message({', '.join(parts)}) for n in range({{0}})]"


def _load(trial: Trial, long: Long) -> None:
    """Batches, and before each a message alone, up to the profile's size or while there is time."""
    profile = trial.profile
    size = min(profile.messages[-1], _ASKED_MOST if profile.patient else _MOST)
    if profile.patient and size < profile.messages[-1]:
        trial.notes.append(
            f"{size:,} of {profile.messages[-1]:,} messages: more are not compared in memory"
        )
    most = _BATCH if trial.claims.limits.batch_bytes is None else 1
    until_s = monotonic_s() + profile.limit_s(max(1.0, 6.5 * profile.share_s), _LOADING)

    def goes_on() -> bool:
        if long.sent >= size:
            return False
        return monotonic_s() < until_s or (
            long.sent < trial.guarantee.least and not trial.time_is_up()
        )

    def some(store: Any, wait: Any) -> None:
        nonlocal most
        turn_s = monotonic_s() + _TURN_S

        def steps() -> Steps[None]:
            nonlocal most
            while long.sent < size and monotonic_s() < turn_s:
                yield from _append(store, long, 1)
                number = min(most, size - long.sent)
                began = monotonic_s()
                taken = number == 0 or (yield from _append(store, long, number))
                if not taken or monotonic_s() - began > _CALL_S:
                    most = max(1, number // 2)

        driven(steps(), wait)

    while goes_on():
        outcome = trial.handle().lend(f"appends, {long.sent:,} messages are there", some)
        script = [*long.lines, *_loading(long, min(long.sent + _BATCH, size), most)]
        trial.require_ok(outcome, f"appended to a session of {long.sent:,} messages", script)
    if long.sent < size:
        trial.notes.append(f"{long.sent:,} of {size:,} messages: there was no time for more")
    long.lines += _loading(long, long.sent, most)
    long.living = _kept(trial, long.living)


def _append(store: Any, long: Long, number: int) -> Steps[bool]:
    """Append so many messages; whether they were taken: a batch may be too large for a store."""
    operation = Append("s0", tuple(map(long.message, range(long.sent, long.sent + number))))
    try:
        receipt = yield store.append(long.session, [*operation.messages])
    except Exception:
        if number == 1 or len((yield store.read(long.session))) != long.sent:
            raise
        return False
    value, problems = checked_answer(operation, receipt)
    if problems:
        raise ValueError("; ".join(problems))
    long.done.append(Completed(operation, Outcome("ok", value), long.session))
    long.sent += number
    long.living += operation.messages
    return True


def _loading(long: Long, size: int, most: int) -> list[str]:
    """The lines that load it, in batches of one size."""
    batch = max(1, min(_BATCH, most))
    appended = f"store.append(s0, messages[k:k + {batch}])"
    return [long.said.format(size), f"for k in range(0, {size}, {batch}):", f"    {appended}"]


def _append_beside(trial: Trial, long: Long, messages: list[Message]) -> None:
    """To the other session: single messages, while the long one is being made."""
    for message in messages:
        line = f"store.append(s1, [{expression(message)}])"
        outcome = trial.handle().invoke(Append("s1", (message,)), long.beside)
        trial.require_ok(outcome, "appended to another session", [*long.lines, line])
        long.lines.append(line)


def _kept(trial: Trial, messages: list[Message]) -> list[Message]:
    """Those that a store keeps."""
    limit = trial.claims.limits.retention
    return messages if limit is None else messages[max(0, len(messages) - limit) :]


# Taking away


def _take_away(trial: Trial, long: Long) -> None:
    """The newest message and one before it, where the store can; then everything counts less."""
    can = trial.capabilities
    if "pop_last" in can:
        _changed(trial, long, PopLast("s0"), "store.pop_last(s0)", "messages.pop()")
        long.living.pop()
    if "delete_message" in can and len(long.living) > _BACK:
        line = f"store.delete_message(s0, store.read(s0)[-{_BACK}].id)"
        index = len(long.living) - _BACK
        _changed(trial, long, DeleteMessage("s0", index), line, f"del messages[-{_BACK}]")
        del long.living[index]
    if not {"pop_last", "delete_message"} & can:
        return
    message = long.message(long.sent)
    said = f"messages.append({expression(message)})"
    line = "store.append(s0, messages[-1:])"
    _changed(trial, long, Append("s0", (message,)), line, said)
    long.living = _kept(trial, [*long.living, message])
    long.sent += 1
    facts_hold(trial, long)
    numbers_rise(trial, long)
    newest(trial, long, 100)


def _changed(trial: Trial, long: Long, change: Operation, line: str, same: str) -> None:
    """Carry out one change; ``same`` does it to the script's ``messages``.

    A message to be deleted is named by a read of the newest.
    """
    handle = trial.handle()
    name = None
    if isinstance(change, DeleteMessage):
        by_newest = "read_last" in trial.capabilities
        look_at = ReadLast("s0", _BACK) if by_newest else Read("s0")
        read = handle.invoke(look_at, long.session)
        trial.require_ok(read, "read the newest messages", [*long.lines, line])
        name = read.value[-_BACK].id
    outcome = handle.invoke(change, long.session, name)
    did = f"called {line} after {long.sent:,} messages"
    trial.require_ok(outcome, did, [*long.lines, line])
    long.done.append(Completed(change, outcome, long.session))
    both = (same, line) if isinstance(change, Append) else (line, same)
    long.lines += both
