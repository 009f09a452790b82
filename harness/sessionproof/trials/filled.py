"""The store at rising sizes: a location of its own for each, filled and kept open."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sessionproof.bench.growth import TOP
from sessionproof.bench.loading import (
    Filled,
    Numbered,
    Steps,
    driven,
    fill,
    make_sessions,
    plain,
)
from sessionproof.bench.rounds import Run, of_calls
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Outcome
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import Wait
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import text_bytes

TEXT = "Could you tell me how the weather will be in Oslo tomorrow, and what I should wear?"
LOOK = 50  # messages that a look answers
DEEP = 0.9  # how far into a session the page lies
DEEP_LIMIT = 5_000  # messages of the pages on the way there
ROUNDS = 30  # at least, where they are quick
_PROBES = 4  # sessions that are looked at among many
_PROBE_MESSAGES = 60
_SMALLEST = 10
_FEWEST = (10, 30, 100)  # sizes, however slow a store is
_SLOW_US = 300.0  # an append
_SLOW_PART = 0.4  # of the time for filling, where appends are slow
_CHUNK_S = 0.5  # of work in the handle's thread at a time
_SMALLER = 3  # times smaller than the first, where a smaller size is needed
_PLAIN = 2.5  # times the cost at the smallest size: growth that needs no statistics
_PART = 0.3  # of a test's deadline: what grows is measured twice
_CALLS_MOST_S = 0.3  # of the first rounds at a further size, then

Fill: TypeAlias = "Callable[[Trial, StoreUnderTest, int, float], Place]"
"""Fills a store on an empty location to a size, or until a time of the monotonic clock."""


@dataclass
class Place:
    """A store at a size, and the sessions in it that calls are about.

    ``messages`` is how many each of these has. Seconds: ``each_s`` for each message or session
    that was filled in, ``best_s`` for those that were quickest, ``deep_s`` for the way to the
    ``cursors`` of pages deep in the sessions, ``calls_s`` for one call of each operation. ``pace``
    says in words what an append took, or a session.
    """

    size: int
    store: StoreUnderTest
    sessions: Sequence[str]
    messages: int
    each_s: float
    best_s: float
    append_us: float
    pace: str
    deep_s: float = 0.0
    calls_s: float = 0.0
    cursors: Mapping[str, Any] = field(default_factory=dict)

    def run(self, trial: Trial, operation: str) -> Run:
        """Calls of the operation, on each of the sessions in turn."""
        sessions, message = itertools.cycle(self.sessions), messages_of(trial)

        def arguments() -> tuple[Any, ...]:
            if operation == "append":
                self.messages += 1
                return next(sessions), [message(self.messages)]
            return (next(sessions), LOOK) if operation == "read_last" else (next(sessions),)

        def run(number: int) -> Sequence[int]:
            def calls(store: Any, wait: Wait) -> Sequence[int]:
                call = getattr(store, operation)
                if operation == "page":
                    call = self._page_of(store)
                awaits = operation in self.store.awaited
                return of_calls(call, arguments, wait=wait if awaits else None)(number)

            did = f"called {operation} at a size of {self.size:,}"
            times: Sequence[int] = value_of(trial, self.store.handle().lend(did, calls), did)
            return times

        return run

    def _page_of(self, store: Any) -> Callable[[str], Any]:
        page, cursors = store.page, self.cursors
        return lambda session: page(session, cursor=cursors[session], limit=LOOK)

    def close(self) -> None:
        """Close the store and remove what it wrote."""
        _removed(self.store)


def as_time(microseconds: float) -> str:
    """Two digits or three, in the unit that suits."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} µs"


def _removed(store: StoreUnderTest) -> None:
    store.close()
    shutil.rmtree(store.location.root, ignore_errors=True)


def value_of(trial: Trial, outcome: Outcome, did: str) -> Any:
    """The outcome's value; raises Broken where what the store owes was refused."""
    trial.require_ok(outcome, did)
    return outcome.value


def messages_of(trial: Trial) -> Numbered:
    """The messages that fill a store."""
    return plain(trial.words, text_of(trial))


def text_of(trial: Trial) -> str:
    """A sentence, as much of it as the store takes."""
    return TEXT[: max(1, text_bytes(trial.claims, len(TEXT)))]


def along_messages(trial: Trial, store: StoreUnderTest, size: int, until_s: float) -> Place:
    """One session of so many messages."""
    session = _begun(trial, store, "long")
    filled = _filled(trial, store, session, size, until_s)
    size = filled.messages
    each_s, best_s = filled.each_us / 1e6, filled.best_us / 1e6
    pace = f"{as_time(filled.append_us)} an append"
    return Place(size, store, [session], size, each_s, best_s, filled.append_us, pace)


def along_sessions(trial: Trial, store: StoreUnderTest, size: int, _until_s: float) -> Place:
    """So many sessions of a message each; a few of them, from old to new, have more.

    They are few enough to be made whatever it takes.
    """
    sessions: list[str] = []
    spent_s: list[float] = []
    for part in range(_PROBES):
        start, end = (at * size // _PROBES for at in (part, part + 1))
        began = monotonic_s()
        outcome = make_sessions(
            store.handle(), end - 1, start=start,
            message=messages_of(trial), claims=trial.claims, capabilities=trial.capabilities,
        )  # fmt: skip
        trial.require_ok(outcome, f"made {size:,} sessions")
        spent_s.append((monotonic_s() - began) / max(1, end - 1 - start))
        sessions.append(_begun(trial, store, f"looked-at-{part}"))
        filled = _filled(trial, store, sessions[-1], _PROBE_MESSAGES)
    each_s, best_s = sum(spent_s) / _PROBES, min(spent_s)
    pace = f"{as_time(best_s * 1e6)} a session"
    return Place(size, store, sessions, _PROBE_MESSAGES, each_s, best_s, filled.append_us, pace)


def _begun(trial: Trial, store: StoreUnderTest, name: str) -> str:
    outcome = begin(store.handle(), name, trial.claims, trial.capabilities)
    return str(value_of(trial, outcome, f"created session {name!r}"))


def _filled(
    trial: Trial, store: StoreUnderTest, session: str, messages: int, until_s: float = math.inf
) -> Filled:
    made, claims = messages_of(trial), trial.claims
    outcome = fill(store.handle(), session, messages, message=made, claims=claims, until_s=until_s)
    filled: Filled = value_of(trial, outcome, f"appended {messages:,} messages to a session")
    return filled


@contextmanager
def at_sizes(
    trial: Trial, sizes: Sequence[int], filled: Fill, operations: Sequence[str]
) -> Iterator[list[Place]]:
    """The store at these sizes, on as many locations, ready for these operations.

    A store that is slow to fill gets sizes up to a tenth, and sooner where its appends are slow,
    too, as each call to be measured is then dear. Where cost grows for all to see, larger
    sizes are left out once they would take long; three are always there, and where the third would
    take too long, a smaller one is in its place. Sizes that were asked for are left out only where
    there is no time for them.
    """
    profile = trial.profile
    most_s = profile.limit_s(max(profile.share_s * profile.patience, profile.patience_s) / 2, _PART)
    until_s = monotonic_s() + most_s
    places: list[Place] = []
    try:
        places.append(_place(trial, filled, sizes[0], operations))
        limit_s = _SLOW_PART * most_s if _is_slow(trial, places[0]) else most_s
        owed = TOP if profile.patient else len(sizes)
        while sum(sizes[:owed]) * places[0].best_s > limit_s and sizes[0] > _SMALLEST:
            sizes = _smaller(sizes)
            trial.notes.append(f"{places[0].pace}: sizes up to {sizes[-1]:,}")
            if sizes[0] != places[0].size:
                places.pop().close()
                places.append(_place(trial, filled, sizes[0], operations))
            limit_s = most_s if profile.patient else 2 * most_s
        for size in sizes[1:]:
            if len(places) == TOP - 1 and _takes_too_long(places, size, most_s):
                trial.notes.append(
                    f"dearer at each size, no time for {size:,}: sizes up to {places[-1].size:,}"
                )
                smaller = max(_SMALLEST, places[0].size // _SMALLER)
                places.insert(0, _place(trial, filled, smaller, operations))
                break
            why = _left_out(trial, places, size, most_s, until_s) if len(places) >= TOP else None
            if why is not None:
                trial.notes.append(f"{why}: sizes up to {places[-1].size:,}")
                break
            enough = profile.patient and len(places) >= TOP
            places.append(_place(trial, filled, size, operations, until_s if enough else math.inf))
            if places[-1].size < size:
                if places[-1].size < 2 * places[-2].size:
                    places.pop().close()
                trial.notes.append(f"no time for {size:,}: sizes up to {places[-1].size:,}")
                break
        yield places
    finally:
        for place in places:
            place.close()


def _is_slow(trial: Trial, place: Place) -> bool:
    return place.append_us > _SLOW_US and not trial.profile.patient


def _smaller(sizes: Sequence[int]) -> Sequence[int]:
    """Sizes up to a tenth of the largest: those that there are, where they are enough."""
    small = [size for size in sizes if size <= sizes[-1] // 10]
    if len(small) < TOP:
        small = sorted({max(_SMALLEST, size // 10) for size in sizes})
    return small if len(small) >= TOP else _FEWEST


def _left_out(
    trial: Trial, places: Sequence[Place], size: int, most_s: float, until_s: float
) -> str | None:
    """Why the store is not filled to one size more; None where it is."""
    if not trial.profile.patient:
        return "dearer at each size" if _too_dear(places, size, most_s) else None
    first, last = places[0], places[-1]
    dearer = max(1.0, last.each_s / first.each_s) if first.each_s else 1.0
    needed_s = (last.each_s * last.size * dearer + last.deep_s) * size / last.size
    return f"no time for {size:,}" if monotonic_s() + needed_s > until_s else None


def _place(
    trial: Trial, filled: Fill, size: int, operations: Sequence[str], until_s: float = math.inf
) -> Place:
    store = trial.store.below(trial.store.location.root.parent)
    try:
        place = filled(trial, store, size, until_s)
        if "page" in operations:
            began = monotonic_s()
            place.cursors = {session: _deep(trial, place, session) for session in place.sessions}
            place.deep_s = monotonic_s() - began
        place.calls_s = sum(call_s(trial, place, operation) for operation in operations)
    except BaseException:
        _removed(store)
        raise
    return place


def call_s(trial: Trial, place: Place, operation: str) -> float:
    """Seconds of the quickest of a few calls; one before shows whether it answers an awaitable."""
    given: dict[str, tuple[Any, ...]] = {
        "append": ([messages_of(trial)(place.messages)],),
        "read_last": (LOOK,),
    }
    session = place.sessions[0]
    outcome = place.store.handle().perform(
        operation, lambda call: call(operation, session, *given.get(operation, ()))
    )
    trial.require_ok(outcome, f"called {operation} at a size of {place.size:,}")
    place.messages += operation == "append"
    run = place.run(trial, operation)
    return min(*run(1), *run(1), *run(1)) / 1e9


def _deep(trial: Trial, place: Place, session: str) -> Any:
    """The cursor of a page deep in the session, found by paging as a client must."""
    wanted = int(min(DEEP * place.messages, place.messages - LOOK))
    cursor, seen = None, 0

    def pages(store: Any) -> Steps[None]:
        nonlocal cursor, seen, wanted
        until = monotonic_s() + _CHUNK_S
        while seen < wanted and monotonic_s() < until:
            page = yield store.page(session, cursor=cursor, limit=min(DEEP_LIMIT, wanted - seen))
            cursor, seen = page.next, seen + len(page.messages)
            if cursor is None or not page.messages:
                wanted = seen  # it keeps fewer, or its pages lead nowhere

    while seen < wanted:
        outcome = place.store.handle().lend(
            f"page after {seen:,} messages", lambda store, wait: driven(pages(store), wait)
        )
        trial.require_ok(outcome, f"paged through a session of {place.messages:,} messages")
    return cursor


def _takes_too_long(places: Sequence[Place], size: int, most_s: float) -> bool:
    """Whether filling grows for all to see, and one size more would take far more than its time."""
    first, last = places[0], places[-1]
    filling_s = (last.each_s * last.size + last.deep_s) * (size / last.size) ** 2
    smaller = first.size // _SMALLER >= _SMALLEST
    return smaller and filling_s > 2 * most_s and last.each_s > 2 * first.each_s


def _too_dear(places: Sequence[Place], size: int, most_s: float) -> bool:
    """Whether cost grows for all to see, and one size more would take long.

    Calls are measured in turns, so what grows in them will be judged; filling is not.
    """
    first, last = places[0], places[-1]
    times = size / last.size
    calls_s = last.calls_s * times * ROUNDS
    filling_s = (last.each_s * last.size + last.deep_s) * times**2
    each = [place.each_s + place.deep_s / place.size for place in (first, last)]
    return (calls_s > _CALLS_MOST_S and last.calls_s > _PLAIN * first.calls_s) or (
        filling_s > most_s / 2 and each[1] > 2 * _PLAIN * each[0]
    )
