"""Memory while calls are repeated, and while a long session is read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sessionproof.bench.loading import Filled, Numbered, Steps, driven, fill, plain
from sessionproof.bench.memory import Pace, peak_resident, peak_traced
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.scripts.expressions import message as as_expression
from sessionproof.trials.leaks import Repeated, Watch, lent, stays_level, watch_of
from sessionproof.trials.lines import made
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.sessions import begin

_FEW = 10  # messages of the session that is looked at again and again
_SLOW_US = 300.0  # an append that costs more fills no long session
_LARGEST = 100_000  # messages
_LIMIT = 200  # messages of a page
_FILLING, _WALKING = 0.4, 0.2  # of a test's deadline, for sizes that were asked for
_PAGES = 5_000  # of a session, so that caches of 1,000 pages are full long before its end
_BRIEF = Pace(group=240, horizon=1_200, seconds=0.06)
_OF_PAGES = Pace(group=240, horizon=1_100, seconds=0.15)
_FEW_KEPT = 100  # messages that a store keeps: appends alone leave nothing behind
_TURN_S = 0.5  # in the handle's thread at a time
_TIMES = 3  # that a peak may grow, and by so many bytes:
_OBJECTS, _RESIDENT = 1_048_576, 16 * 1_048_576


def while_repeating(trial: Trial) -> None:
    """Each call again and again on sessions that stay as they are; opening and closing, too."""
    watch = watch_of(trial)
    session = _session(trial, "s0", _FEW)
    brief = trial.profile.messages[-1] < _LARGEST
    pace = _BRIEF if brief else replace(_BRIEF, group=480, horizon=5_000, seconds=0.2)
    doubts = []
    with watch.tracing:
        for repeated in _calls(trial, session, _session(trial, "s1", 0)):
            run = lent(trial, repeated)
            doubts.append(stays_level(trial, repeated, run, watch, pace))
        if watch.pid is None:  # a process of its own takes all that it has with it
            doubts.append(_reopened(trial, watch, pace))
    _conclude(doubts)


def while_paging(trial: Trial) -> None:
    """A long session by pages that are dropped at once: neither their number nor its length tell.

    Raises NotClaimed for stores without pages.
    """
    if "page" not in trial.capabilities:
        raise NotClaimed("the store has no page")
    watch = watch_of(trial)
    short, long, size = _filled(trial)
    last = _last_cursor(trial, long, size)  # fills the store's caches, without the tracer
    with watch.tracing:
        _peak(trial, watch, short, None)  # what is made once is no page's
        low = _peak(trial, watch, short, None)
        _as_high(trial, watch, low, _peak(trial, watch, long, None), "the first", size)
        _as_high(trial, watch, low, _peak(trial, watch, long, last), "the last", size)
        walk = _walk(trial, long, size)
        run = lent(trial, walk)
        doubt = stays_level(trial, walk, run, watch, _OF_PAGES)
    _conclude([doubt])


def _conclude(doubts: Sequence[str | None]) -> None:
    unsure = [doubt for doubt in doubts if doubt is not None]
    if unsure:
        raise CouldNotTell(unsure[0])


def _session(trial: Trial, name: str, messages: int) -> str:
    """The id of a session with so many messages."""
    return _filling(trial, name, messages)[0]


def _filling(trial: Trial, name: str, messages: int) -> tuple[str, Filled]:
    handle, claims = trial.handle(), trial.claims
    begun = begin(handle, name, claims, trial.capabilities)
    trial.require_ok(begun, f"created session {name}")
    filled = fill(handle, begun.value, messages, message=plain(trial.words), claims=claims)
    trial.require_ok(filled, f"appended {messages:,} messages to session {name}")
    return begun.value, filled.value


# What is repeated


def _calls(trial: Trial, looked_at: str, changed: str) -> Iterator[Repeated]:
    """What the store can do without leaving anything behind; looks first."""
    message = plain(trial.words)
    said = as_expression(message(0))
    first = (*made(trial, "s0", "s1"), f"store.append(s0, [{said}] * {_FEW})")

    def look(name: str, line: str, call: Callable[[Any], Any]) -> Repeated:
        def steps(store: Any, _n: int) -> Steps[None]:
            yield call(store)

        return Repeated(name, steps, (line,), first)

    looks = {
        "read": ("store.read(s0)", lambda store: store.read(looked_at)),
        "read_last": ("store.read_last(s0, 5)", lambda store: store.read_last(looked_at, 5)),
        "page": ("store.page(s0, limit=5)", lambda store: store.page(looked_at, limit=5)),
        "get": ("store.get(s0)", lambda store: store.get(looked_at)),
        "count": ("store.count(s0)", lambda store: store.count(looked_at)),
        "list": ("store.list()", lambda store: store.list()),
    }
    for name, (line, call) in looks.items():
        if name == "read" or name in trial.capabilities:
            yield look(name, line, call)
    yield from _changes(trial, changed, message, said, first)


def _changes(
    trial: Trial, session: str, message: Numbered, said: str, first: tuple[str, ...]
) -> Iterator[Repeated]:
    """Pairs of calls of which the second takes back the first, and calls that change nothing."""
    can = trial.capabilities
    undo = next((name for name in ("pop_last", "clear") if name in can), None)

    def append_and_undo(store: Any, n: int) -> Steps[None]:
        yield store.append(session, [message(n)])
        if undo is not None:
            yield getattr(store, undo)(session)

    def create_and_delete(store: Any, n: int) -> Steps[None]:
        name = f"made-{n}"
        if "create" in can:
            name = yield store.create(None if by_store else name)
        yield store.append(name, [message(n)])
        yield store.delete(name)

    def set_and_get(store: Any, n: int) -> Steps[None]:
        yield store.set_state(session, "key", n)
        if "get_state" in can:
            yield store.get_state(session, "key")

    def replace_all(store: Any, n: int) -> Steps[None]:
        yield store.replace(session, [message(n)])

    by_store = trial.claims.session_ids == "store"
    append = f"store.append(s1, [{said}])"
    if undo is not None:
        undone = (append, f"store.{undo}(s1)")
        yield Repeated(f"append and {undo}", append_and_undo, undone, first)
    elif trial.claims.limits.retention is not None and trial.claims.limits.retention <= _FEW_KEPT:
        yield Repeated("append", append_and_undo, (append,), first)
    if "delete" in can:
        name = 'f"made-{n}"'
        if "create" in can:
            name = "store.create()" if by_store else f"store.create({name})"
        lines = (f"made = {name}", f"store.append(made, [{said}])", "store.delete(made)")
        yield Repeated("create, append and delete", create_and_delete, lines, first)
    if "replace" in can:
        yield Repeated("replace", replace_all, (f"store.replace(s1, [{said}])",), first)
    if "set_state" in can:
        get = ('store.get_state(s1, "key")',) if "get_state" in can else ()
        lines = ('store.set_state(s1, "key", n)', *get)
        yield Repeated("set_state", set_and_get, lines, first)


def _reopened(trial: Trial, watch: Watch, pace: Pace) -> str | None:
    """Open a handle and close it, where no other is open: many stores are for one alone."""
    trial.require_ok(trial.store.close(), "closed the store")

    def nothing(_store: Any, _n: int) -> Steps[None]:
        yield None

    def run(number: int) -> None:
        for _ in range(number):
            closed = trial.store.another_handle().close()
            trial.require_ok(closed, "opened the store and closed it, again and again")

    lines = ("again = open_store(location)", "again.close()")
    opened = Repeated("open and close", nothing, lines, ("store.close()",))
    return stays_level(trial, opened, run, watch, pace)


# A long session


def _filled(trial: Trial) -> tuple[str, str, int]:
    """A session of the profile's size, or of what is there when time is up, and one of a tenth.

    Answers both ids and the larger size.
    """
    profile = trial.profile
    size = profile.messages[-1] if profile.patient else min(profile.messages[-1], _LARGEST)
    long, filled = _filling(trial, "long", min(100, size))
    if filled.append_us > _SLOW_US and not profile.patient:
        size //= 10
    seconds = profile.limit_s(max(1.5, 4 * profile.share_s), _FILLING)
    started_s = monotonic_s()
    outcome = fill(
        trial.handle(), long, size, message=plain(trial.words), claims=trial.claims,
        start=filled.messages, until_s=started_s + seconds,
    )  # fmt: skip
    trial.require_ok(outcome, f"appended {size:,} messages to one session")
    reached: Filled = outcome.value
    if reached.messages < size:
        trial.notes.append(
            f"{reached.messages:,} of {size:,} messages in the session: there was no time for more"
        )
    return _session(trial, "short", reached.messages // 10), long, reached.messages


def _walk(trial: Trial, session: str, size: int) -> Repeated:
    """Pages of a session, each after the one before; at its end it begins again."""
    limit = max(1, min(_LIMIT, size // _PAGES))
    cursor: str | int | None = None

    def steps(store: Any, _n: int) -> Steps[None]:
        nonlocal cursor
        cursor = (yield store.page(session, cursor=cursor, limit=limit)).next

    lines = (f"page = store.page(s1, cursor=cursor, limit={limit})", "cursor = page.next")
    first = (*_loaded(trial, size), "cursor = None")
    return Repeated("page after page", steps, lines, first)


def _loaded(trial: Trial, size: int) -> list[str]:
    """Lines that fill a short session and a long one."""
    said = as_expression(plain(trial.words)(0))
    several = 1 if trial.claims.limits.batch_bytes is not None else 100
    return [
        *made(trial, "s0", "s1"),
        f"for name, number in ((s0, {size // 10}), (s1, {size})):",
        f"    for n in range(0, number, {several}):",
        f"        store.append(name, [{said}] * {several})",
    ]


def _last_cursor(trial: Trial, session: str, size: int) -> str | int | None:
    """The cursor of the last page but one, where it is reached in time; else of what was reached.

    The last page may be empty.
    """
    before: str | int | None = None
    cursor: str | int | None = None
    left = size + 2  # pages, should they never end

    def some(store: Any, wait: Any) -> bool:
        def steps() -> Steps[bool]:
            nonlocal before, cursor, left
            until_s = monotonic_s() + _TURN_S
            while left > 0 and monotonic_s() < until_s:
                page = yield store.page(session, cursor=cursor, limit=_LIMIT)
                if page.next is None:
                    return True
                before, cursor, left = cursor, page.next, left - 1
            return left <= 0

        return driven(steps(), wait)

    ended = False
    most_s = trial.profile.limit_s(max(1.0, 4 * trial.profile.share_s), _WALKING)
    until_s = monotonic_s() + most_s
    while not ended and monotonic_s() < until_s:
        outcome = trial.handle().lend("page after page", some)
        trial.require_ok(outcome, "read a long session page by page")
        ended = outcome.value
    return before


def _peak(trial: Trial, watch: Watch, session: str, cursor: str | int | None) -> int | None:
    """By how many bytes memory rises at most while a page is read; None where nobody can tell."""

    def action(store: Any, wait: Any) -> int | None:
        def steps() -> Steps[None]:
            yield store.page(session, cursor=cursor, limit=_LIMIT)

        def read() -> None:
            driven(steps(), wait)

        return peak_traced(read) if watch.pid is None else peak_resident(watch.pid, read)

    outcome = trial.handle().lend("the peak of a page", action)
    trial.require_ok(outcome, f"read a page of {_LIMIT} messages")
    peak: int | None = outcome.value
    return peak


def _as_high(
    trial: Trial, watch: Watch, short: int | None, high: int | None, where: str, size: int
) -> None:
    """Raise Broken when the peak grew with the session, far beyond chance."""
    if short is None or high is None:
        return
    more = _OBJECTS if watch.pid is None else _RESIDENT
    lines = _loaded(trial, size)
    trial.require(
        high <= max(_TIMES * short, short + more),
        Anomaly.MEMORY,
        did=f"read {where} page of at most {_LIMIT} messages, in a session of {size:,}",
        expected=f"about the memory that such a page takes in a session of {size // 10:,}: "
        f"{short:,} bytes at the peak",
        seen=f"{high:,} bytes at the peak",
        program=(*lines, f"store.page(s1, cursor=…, limit={_LIMIT})  # {where} page"),
        script=_peaks(lines, where, more) if watch.pid is None else (),
    )


def _peaks(lines: Sequence[str], where: str, more: int) -> list[str]:
    """Lines that compare the peaks of a page in the short session and in the long one."""
    walked = [
        "    while (page := store.page(name, cursor=cursor, limit=200)).next is not None:",
        "        before, cursor = cursor, page.next",
        "    cursor = before",
    ]
    return [
        *lines,
        "peaks = []",
        "for name in (s0, s1):",
        "    before = cursor = None",
        *(walked if where == "the last" else []),
        "    gc.collect()",
        "    tracemalloc.start()  # only now, as it slows all calls",
        f"    store.page(name, cursor=cursor, limit={_LIMIT})",
        "    peaks.append(tracemalloc.get_traced_memory()[1])",
        "    tracemalloc.stop()",
        f"assert peaks[1] <= max({_TIMES} * peaks[0], peaks[0] + {more}), peaks",
    ]
