"""Appends of many messages, and readers beside them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, TypeAlias

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.message import Message
from sessionproof.contract.operations import message_call
from sessionproof.contract.verdicts import Finding, Interval, Window
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import made
from sessionproof.trials.readers import (
    Call,
    Reader,
    Seat,
    elsewhere,
    said,
    seat_of,
    seat_on,
    short_session,
    timed,
    within,
)
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import with_number
from sessionproof.workload.threads import Stopped, Threads

LONG_MS = 30.0  # of an append that readers can be watched beside
_TEXT = "a sentence of an imported conversation. " * 5
_FIRST, _MOST, _TIMES = 50, 12_800, 4
_CALM = 3  # appends of which the shortest says how long one takes: the others were disturbed
READERS = 2
_TURNS_MOST, _FREE, _BLOCKED = 40, 3, 5
_IN_A_SCRIPT = 7  # appends of a script
_BESIDE = 5  # reads elsewhere during one read that tell that the machine let it go on


@dataclass(frozen=True)
class Turn:
    """One long append, the reads beside it by reader, and reads at another location."""

    append: Call
    readers: tuple[tuple[Call, ...], ...]
    control: tuple[Call, ...]

    @property
    def passed(self) -> int:
        """How many reads began and ended while the append was going on."""
        return sum(len(within(calls, self.append)) for calls in self.readers)

    @property
    def blocked(self) -> bool | None:
        """Whether each reader was in one read for at least half of the append.

        None where the machine did not show that it would have let them go on: reads at another
        location did not go on in that time either.
        """
        for calls in self.readers:
            parts = [call.beside(self.append) for call in calls]
            longest = max(parts, key=lambda part: part.length, default=Call(0, 0))
            if longest.length < self.append.length / 2:
                return False
            if len(within(self.control, longest)) < _BESIDE:
                return None
        return True


def reads_beside(trial: Trial) -> str | None:
    """Readers beside long appends, in each way that the claims allow; counts reads.

    Raises Broken; answers why it could not tell, None when readers went on.
    """
    why = None
    for cast in _casts(trial):
        why = _watched(trial, cast) or why
    return why


@dataclass
class Cast:
    """Who works at the same time. ``play`` does one append of this batch with readers beside it."""

    named: str
    play: Callable[[str, list[Message]], Turn]
    alone: Callable[[str, list[Message]], Call]
    names: Iterator[str] = field(default_factory=lambda: map("long-{}".format, itertools.count()))


Casting: TypeAlias = "Callable[[Trial], Any]"


def _casts(trial: Trial) -> list[Casting]:
    if "append" in trial.store.awaited or "open" in trial.store.awaited:
        return [_tasks] if trial.claims.shared_handle else []
    ways: list[Casting] = []
    if trial.claims.at_least("handles", "threads"):
        ways.append(_by_handles)
        hosted = is_hosted(trial.store)
        if trial.claims.shared_handle and not hosted:
            ways.append(_on_one_handle)
    return ways


@contextmanager
def _by_handles(trial: Trial) -> Iterator[Cast]:
    """A thread with a handle of its own for each."""
    with ExitStack() as stack:
        handles = [trial.handle()]
        for _ in range(READERS):
            handles.append(trial.store.another_handle())
            stack.callback(handles[-1].close)
        seats = [seat_of(handle, "a long append with readers beside it") for handle in handles]
        yield stack.enter_context(_of_threads(trial, seats, "threads with a handle each"))


@contextmanager
def _on_one_handle(trial: Trial) -> Iterator[Cast]:
    """Threads that share the handle."""
    store = seat_of(trial.handle(), "a handle that is shared")(lambda store, _: store)
    with _of_threads(trial, [seat_on(store)] * (1 + READERS), "threads on one handle") as cast:
        yield cast


@contextmanager
def _of_threads(trial: Trial, seats: Sequence[Seat], named: str) -> Iterator[Cast]:
    writer, *others = seats
    session = short_session(trial, trial.handle())
    threads = Threads(2 + len(others))
    deadline_s = trial.store.deadlines.operation_s + trial.profile.share_s

    def append(name: str, batch: list[Message]) -> Call:
        call: Call = writer(
            lambda store, wait: timed(lambda: waited(store.append(name, batch), wait))
        )
        return call

    def play(name: str, batch: list[Message]) -> Turn:
        stop = Event()
        readers = [Reader("a reader", seat, session) for seat in others]
        control.calls.clear()

        def written() -> Call:
            try:
                return append(name, batch)
            finally:
                stop.set()

        jobs: list[Callable[[], Any]] = [written]
        jobs += [partial(one.until, stop) for one in (*readers, control)]
        call, *_ = threads.together(jobs, deadline_s=deadline_s)
        return Turn(call, tuple(tuple(one.calls) for one in readers), tuple(control.calls))

    with elsewhere(trial) as control:
        try:
            yield Cast(named, play, append)
        finally:
            threads.close()


@contextmanager
def _tasks(trial: Trial) -> Iterator[Cast]:
    """Tasks on the event loop of the handle, which they share."""
    with ExitStack() as stack:
        handle = trial.handle()
        session = short_session(trial, handle)
        other = trial.store.below(trial.store.location.root.parent)
        stack.callback(other.close)
        there = short_session(trial, other.handle())
        other.close()
        seat = seat_of(handle, "a long append with readers beside it")
        opening = trial.store.spec.open
        beside = seat(lambda _, wait: wait(settled(opening(other.location))))
        stack.callback(lambda: seat(lambda _, wait: wait(settled(beside.close()))))

        def append(name: str, batch: list[Message]) -> Call:
            call: Call = seat(lambda store, wait: wait(_timed(store, name, batch)))
            return call

        def play(name: str, batch: list[Message]) -> Turn:
            readers = [Reader("a reader", seat, session) for _ in range(READERS)]
            control = Reader("a reader elsewhere", seat, there)

            async def together(store: Any) -> Call:
                done = asyncio.Event()
                reading = [asyncio.ensure_future(one.until_done(store, done)) for one in readers]
                reading.append(asyncio.ensure_future(control.until_done(beside, done)))
                await asyncio.sleep(0)  # each begins
                try:
                    return await _timed(store, name, batch)
                finally:
                    done.set()
                    await asyncio.gather(*reading)

            call: Call = seat(lambda store, wait: wait(together(store)))
            return Turn(call, tuple(tuple(one.calls) for one in readers), tuple(control.calls))

        yield Cast("tasks on one handle", play, append)


async def _timed(store: Any, name: str, batch: list[Message]) -> Call:
    began = monotonic_ns()
    try:
        await settled(store.append(name, batch))
    except BaseException as error:  # noqa: BLE001 - a store may raise anything
        return Call(began, monotonic_ns(), said(error))
    return Call(began, monotonic_ns())


def _watched(trial: Trial, casting: Casting) -> str | None:
    trial.store.fresh_location()
    try:
        with casting(trial) as cast:
            return _judged(trial, cast)
    except Stopped as stopped:
        trial.require_ok(stopped.outcome, "read beside a long append")
        raise


def _judged(trial: Trial, cast: Cast) -> str | None:
    batch = _long_batch(trial, cast)
    turns: list[Turn] = []
    for _ in range(_TURNS_MOST):
        turn = cast.play(_session(trial, cast), batch)
        if turn.append.raised:
            return f"a long append with readers beside it failed: {turn.append.raised}"
        turns.append(turn)
        _no_read_failed(trial, cast, turn, batch)
        free = sum(one.blocked is False for one in turns)
        blocked = sum(one.blocked is True for one in turns)
        if turn.blocked is False:
            trial.count("reads", turn.passed)
        if not free and blocked >= _BLOCKED:
            raise trial.broken(*_blocked(trial, cast, turns, batch))
        enough = free >= _FREE and trial.examined["reads"] >= trial.guarantee.least
        if enough or (trial.time_is_up() and (free or not blocked)):
            break
    if any(one.blocked is False for one in turns):
        return None
    return f"beside long appends by {cast.named} neither readers nor reads elsewhere went on"


def _long_batch(trial: Trial, cast: Cast) -> list[Message]:
    """A batch that takes long enough, or the largest that the store may be given."""
    limit = trial.claims.limits.batch_bytes
    most = _MOST if limit is None else max(1, limit // (2 * len(_TEXT)))
    size = min(_FIRST, most)
    while True:
        batch = [good_message(trial, with_number(_TEXT, number)) for number in range(size)]
        calls = [cast.alone(_session(trial, cast), batch) for _ in range(_CALM)]
        for call in calls:
            if call.raised:
                raise CouldNotTell(f"an append of {size} messages failed: {call.raised}")
        if min(call.length for call in calls) >= LONG_MS * 1e6 or size >= most:
            return batch
        size = min(most, size * _TIMES)


def _session(trial: Trial, cast: Cast) -> str:
    begun = begin(trial.handle(), next(cast.names), trial.claims, trial.capabilities)
    trial.require_ok(begun, "made a session")
    return str(begun.value)


def _no_read_failed(trial: Trial, cast: Cast, turn: Turn, batch: list[Message]) -> None:
    failed = [call for calls in turn.readers for call in calls if call.raised]
    if failed:
        raise trial.broken(
            Finding(
                anomaly=Anomaly.BLOCKED_READER,
                did=f"read a short session while another was given {len(batch):,} messages at "
                f"once, by {cast.named}",
                expected="reads go on while a writer is at work",
                seen=f"a read failed: {failed[0].raised}",
                window=_window(turn, "a read failed beside a long append"),
            ),
            lambda: _script(trial, cast, len(batch)),
        )


def _blocked(
    trial: Trial, cast: Cast, turns: Sequence[Turn], batch: list[Message]
) -> tuple[Finding, Callable[[], list[str]]]:
    last = turns[-1]
    blocked = sum(turn.blocked is True for turn in turns)
    sentence = (
        f"each reader was in a single read for most of the {last.append.length / 1e6:.0f} ms of "
        f"the append; {len(within(last.control, last.append))} reads at another location ended "
        "meanwhile"
    )
    finding = Finding(
        anomaly=Anomaly.BLOCKED_READER,
        did=f"read a short session while another was given {len(batch):,} messages at once, by "
        f"{cast.named}",
        expected="reads begin and end while the writer is at work",
        seen=sentence,
        repeats=f"{blocked} of {len(turns)}",
        window=_window(last, sentence),
    )
    return finding, lambda: _script(trial, cast, len(batch))


def _window(turn: Turn, sentence: str) -> Window:
    shown = [("writer", "append(a long batch)", turn.append)]
    for at, calls in enumerate(turn.readers, 1):
        near = [call for call in calls if call.beside(turn.append).length > 0]
        shown += [(f"reader {at}", "read()", call) for call in near[:20]]
    first = min(call.began for *_, call in shown)
    return Window(
        session="short",
        sentence=sentence,
        intervals=tuple(
            Interval(
                client=client,
                call=name,
                began_us=(call.began - first) / 1e3,
                ended_us=(call.ended - first) / 1e3,
                outcome="info" if call.raised else "ok",
                said=call.raised,
                guilty=client == "writer"
                or call.beside(turn.append).length * 2 > turn.append.length,
            )
            for client, name, call in shown
        ),
    )


def _script(trial: Trial, cast: Cast, size: int) -> list[str]:
    if trial.store.awaited:
        raise Unwritable("tasks of one loop show it in the order of their steps alone")
    own = "open_store(location)" if "each" in cast.named else "store"
    names = [f"s{number}" for number in range(1 + _IN_A_SCRIPT)]
    return [
        *made(trial, *names),
        f"message = {message_call(good_message(trial, 'hello'))}",
        "store.append(s0, [message])",
        "ended, reads, failed = threading.Event(), [], []",
        "def reading():",
        f"    other = {own}",
        "    while not ended.is_set() and not failed:",
        "        began = time.monotonic()",
        "        try:",
        "            other.read(s0)",
        "        except Exception as error:",
        "            failed.append(error)",
        "        reads.append((began, time.monotonic()))",
        "        time.sleep(0.001)",
        *(["    other.close()"] if own != "store" else []),
        "reader = threading.Thread(target=reading)",
        "reader.start()",
        f"size, names = {2 * size}, [{', '.join(names[1:])}]",
        "waited = []  # for each append, the longest read beside it, as a part of the append",
        "while names and not failed:",
        "    began = time.monotonic()",
        "    store.append(names[0], [message] * size)",
        "    end = time.monotonic()",
        f"    if end - began < {2 * LONG_MS / 1e3:g} and size < {_MOST}:",
        "        size *= 2  # too short to tell",
        "        continue",
        "    names.pop(0)",
        "    time.sleep(0.05)  # a read that waited ends",
        "    parts = [min(last, end) - max(first, began) for first, last in reads]",
        "    waited.append(max(parts) / (end - began))",
        "ended.set()",
        "reader.join()",
        "assert not failed, failed[0]",
        "usual = sorted(waited)[len(waited) // 2]  # one may begin before the reader does",
        "assert usual < 0.5, f'reads waited for the append: {waited}'",
    ]
