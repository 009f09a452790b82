"""A long session from all sides: read, by pages, the newest, counted, and in its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from sessionproof.audit.sequence import sequence_problems
from sessionproof.audit.tables import counter_problems, orphan_problems
from sessionproof.bench.loading import Steps, driven
from sessionproof.checks.counters import FACTS, kept_facts, real_value
from sessionproof.checks.long import difference, first_wrong
from sessionproof.checks.messages import Difference
from sessionproof.checks.rules import Numbers, asserts_none
from sessionproof.checks.sequence import judge_numbers
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.message import Message, Page
from sessionproof.contract.operations import Completed, Count, Get, Read, messages_of, method_of
from sessionproof.contract.store import SqliteTables
from sessionproof.contract.verdicts import Finding
from sessionproof.oracle.model import Session, info_problems
from sessionproof.trials.audits import look
from sessionproof.trials.single import Trial
from sessionproof.workload.shapes import checked_answer, checked_page

_LIMIT = 200  # messages of a page
_NEWEST = (1, 100, 2_000)
_PAGES = 150  # of the session, at least
_PAGING = 0.2  # of a test's deadline, for a size that was asked for
_TURN_S = 0.5  # in the handle's thread at a time
_NEWEST_OF = "messages[len(messages) - {}:]"


@dataclass
class Long:
    """The session under examination, and another beside it.

    ``message`` makes its messages by number, and ``said`` is a line that makes a list of them.
    ``sent`` counts those that were appended, ``living`` are those that must be there. ``done`` are
    the changes with what they answered, ``lines`` all that was done, as a script.
    """

    session: str
    beside: str
    message: Callable[[int], Message]
    said: str
    lines: list[str]
    sent: int = 0
    living: list[Message] = field(default_factory=list)
    done: list[Completed] = field(default_factory=list)


def numbers_rise(trial: Trial, long: Long) -> None:
    """The receipts' numbers, where the store claims them."""
    if trial.claims.seq_start is None:
        return
    fault = judge_numbers(long.done, trial.claims)
    if fault is None:
        return
    before = sum(len(messages_of(done.operation)) for done in long.done[: fault.index])
    receipt = long.done[fault.index].outcome.value
    given = [] if receipt is None else list(receipt.seqs or ())
    rule = fault.rule
    exact = isinstance(rule, Numbers) and rule.exact
    first = rule.first if isinstance(rule, Numbers) else 0
    steps = zip(given, range(first, first + len(given)), strict=True)
    place = next((at for at, (one, want) in enumerate(steps) if one != want), 0)
    trial.require(
        False,
        fault.anomaly,
        did=f"appended message {before + place + 1:,} of a session",
        expected=f"number {first + place:,}" if exact else f"at least number {first:,}",
        seen=f"number {given[place]:,}" if given else fault.seen,
        program=long.lines,
        script=[
            "numbers = []",
            *map(_gathering, long.lines),
            f"given = numbers[{before}:{before + len(given)}]",
            f"assert given == list(range({first}, {first + len(given)})), given[{place}]"
            if exact
            else f"assert given[0] >= {first}, given[0]",
        ],
    )


def _gathering(line: str) -> str:
    """The line, with what an append to the long session answers put to ``numbers``."""
    called = line.lstrip()
    if not called.startswith("store.append(s0"):
        return line
    return f"{line[: len(line) - len(called)]}numbers += {called}.seqs"


def look_at_all(trial: Trial, long: Long) -> None:
    """Read whole, by pages, and the newest; counted and added up."""
    reads(trial, long, "store.read(s0)", lambda store: store.read(long.session), long.living)
    if "read_last" in trial.capabilities:
        for n in _NEWEST:
            newest(trial, long, n)
    if "page" in trial.capabilities:
        _pages(trial, long)
    facts_hold(trial, long)


def newest(trial: Trial, long: Long, n: int) -> None:
    """The newest ``n`` messages; all, where they cannot be read alone."""
    if "read_last" not in trial.capabilities:
        reads(trial, long, "store.read(s0)", lambda store: store.read(long.session), long.living)
        return
    line = f"store.read_last(s0, {n})"
    reads(trial, long, line, lambda store: store.read_last(long.session, n), long.living[-n:])


def reads(
    trial: Trial,
    long: Long,
    line: str,
    call: Callable[[Any], Any],
    expected: Sequence[Message],
    want: str = "",
) -> None:
    """One call that answers messages; they are compared where they are, copied when they differ.

    ``want`` is what a script expects: the newest of ``messages`` unless given.
    """

    def action(store: Any, wait: Any) -> Any:
        def steps() -> Steps[Any]:
            return (yield call(store))

        answer = driven(steps(), wait)
        if first_wrong(expected, answer, trial.claims.keeps) is None:
            return None
        return checked_answer(Read("s0"), answer)

    outcome = trial.handle().lend(f"{line}, of {long.sent:,} messages", action)
    script = [*long.lines, f"got = {line}"]
    trial.require_ok(outcome, f"called {line} of {long.sent:,} messages", script)
    if outcome.value is not None:
        seen, problems = outcome.value
        want = want or _NEWEST_OF.format(len(expected))
        _are_equal(trial, long, line, seen, problems, expected, want, script)


def _are_equal(
    trial: Trial,
    long: Long,
    line: str,
    seen: Sequence[Message],
    problems: list[str],
    expected: Sequence[Message],
    want: str,
    script: list[str],
) -> None:
    """Raise Broken where they differ; ``got`` of the script is to be what ``want`` says."""
    found = None if problems else difference(expected, seen, trial.claims.keeps)
    if not problems and found is None:
        return
    fields = sorted(trial.claims.keeps - {"id", "created_at_us"}) or ["kind"]
    values = f"({', '.join(f'one.{name}' for name in fields)},)"
    told = found or Difference(Anomaly.MALFORMED, "messages", "; ".join(problems[:3]))
    finding = Finding(
        anomaly=told.anomaly,
        did=f"called {line} after {long.sent:,} messages",
        expected=told.expected,
        seen=told.seen,
        program=tuple(script),
        change=told.change,
    )
    lines = [
        *script,
        f"want = {want}",
        f"got, want = [[{values} for one in part] for part in (got, want)]",
        "wrong = [n for n, pair in enumerate(zip(got, want)) if pair[0] != pair[1]][:1]",
        "assert not wrong, (wrong, got[wrong[0]], want[wrong[0]])",
        "assert len(got) == len(want), (len(got), len(want))",
    ]
    raise trial.broken(finding, lambda: lines)


@dataclass
class _Walk:
    """How far a session was read by pages. ``wrong`` are the messages of a page that differ."""

    place: int = 0
    pages: int = 0
    cursor: str | int | None = None
    ended: bool = False
    wrong: tuple[Sequence[Message], list[str]] | None = None


def _pages(trial: Trial, long: Long) -> None:
    """Page by page to the end, each message once; as far as there is time."""
    limit = max(1, min(_LIMIT, len(long.living) // _PAGES))
    most_s = trial.profile.limit_s(max(1.0, 3 * trial.profile.share_s), _PAGING)
    until_s = monotonic_s() + most_s
    walk = _Walk()

    def some(store: Any, wait: Any) -> None:
        driven(_walked(store, long, walk, limit, trial.claims.keeps), wait)

    script = [
        *long.lines,
        "got, cursor = [], None",
        "while True:",
        f"    page = store.page(s0, cursor=cursor, limit={limit})",
        "    got += page.messages",
        "    cursor = page.next",
        f"    if cursor is None or len(got) > {len(long.living)}:",
        "        break",
    ]
    while not walk.ended and monotonic_s() < until_s:
        outcome = trial.handle().lend(f"page {walk.pages + 1:,} of a long session", some)
        trial.require_ok(outcome, f"read page {walk.pages + 1:,} of at most {limit}", script)
    if not walk.ended:
        trial.notes.append(f"{walk.place:,} messages by pages: there was no time for more")
    line = f"store.page(s0, cursor=…, limit={limit}), page {walk.pages:,},"
    if walk.wrong is not None:
        seen, problems = walk.wrong
        expected = long.living[walk.place : walk.place + len(seen)]
        _are_equal(
            trial, long, line, seen, problems, expected, _NEWEST_OF.format(len(long.living)), script
        )
    elif walk.ended and walk.place < len(long.living):
        trial.require(
            False,
            Anomaly.LOST_MESSAGE,
            did=f"read {long.sent:,} messages by pages of at most {limit}",
            expected=f"{len(long.living):,} messages on all pages",
            seen=f"{walk.place:,} messages on {walk.pages:,} pages, and then no cursor",
            program=script,
            script=[*script, f"assert len(got) == {len(long.living)}, len(got)"],
        )


def _walked(store: Any, long: Long, walk: _Walk, limit: int, keeps: Set[str]) -> Steps[None]:
    """Pages until the turn is over, the session has ended, or a page is wrong."""
    turn_s = monotonic_s() + _TURN_S
    while not walk.ended and monotonic_s() < turn_s:
        page = yield store.page(long.session, cursor=walk.cursor, limit=limit)
        walk.pages += 1
        expected = long.living[walk.place : walk.place + limit]
        whole = type(page) is Page and type(page.messages) in (list, tuple)
        if (
            not whole
            or first_wrong(expected[: len(page.messages)], page.messages, keeps) is not None
        ):
            copy, problems = checked_page(page)
            seen = () if copy is None else copy.messages
            if problems or difference(expected[: len(seen)], seen, keeps) is not None:
                walk.wrong, walk.ended = (seen, problems), True
                return
            page = copy
        walk.place += len(page.messages)
        walk.cursor = checked_page(Page((), page.next))[0].next
        walk.ended = walk.cursor is None or walk.pages > 2 * len(long.living) + 10


def facts_hold(trial: Trial, long: Long) -> None:
    """Count and totals, as the store answers them."""
    session = Session(messages=tuple(long.living))
    for look_at in (Count("s0"), Get("s0")):
        name = method_of(look_at)
        if name not in trial.capabilities:
            continue
        outcome = trial.handle().invoke(look_at, long.session)
        script = [*long.lines, f"seen = store.{name}(s0)"]
        trial.require_ok(outcome, f"called {name} after {long.sent:,} messages", script)
        if isinstance(look_at, Count):
            wrong = outcome.value != len(long.living)
            problems = [f"count is {outcome.value:,}"] if wrong else []
        else:
            problems = info_problems(session, outcome.value, trial.claims)
        trial.require(
            not problems,
            Anomaly.COUNTER_DRIFT,
            did=f"called {name} after {long.sent:,} messages",
            expected=f"the count and the totals of {len(long.living):,} messages",
            seen="; ".join(problems),
            program=script,
            script=[*script, *_right(trial, long, look_at)],
        )


def _right(trial: Trial, long: Long, look_at: Count | Get) -> list[str]:
    """Lines that assert what was ``seen``."""
    if isinstance(look_at, Count):
        return [f"assert seen == {len(long.living)}, seen"]
    lines = ["assert seen is not None, 'the session is unknown'"]
    for fact in kept_facts(tuple(FACTS), trial.claims):
        real = real_value(fact, long.living)
        lines.append(f"assert seen.{fact} in (None, {real}), seen.{fact}")
    return lines


def audited(trial: Trial, long: Long) -> None:
    """The same in the store's tables, where it shows them."""
    if "tables" not in trial.capabilities:
        return
    facts = kept_facts(tuple(FACTS), trial.claims)
    audits: list[tuple[Anomaly, str, Callable[[SqliteTables], list[str]]]] = [
        (Anomaly.COUNTER_DRIFT, f"counter_problems(store.tables(), {sorted(facts)})",
         lambda tables: counter_problems(tables, facts)),
        (Anomaly.ORPHAN, "orphan_problems(store.tables())", orphan_problems),
    ]  # fmt: skip
    start = trial.claims.seq_start
    whole = len(long.living) == long.sent
    if start is not None and whole:
        asked = f"sequence_problems(store.tables(), start={start})"
        audits.append(
            (Anomaly.SEQUENCE_GAP, asked, lambda tables: sequence_problems(tables, start=start))
        )
    for anomaly, asked, audit in audits:
        problems = look(trial, audit).answer or []
        trial.require(
            not problems,
            anomaly,
            did=f"read the store's tables after {long.sent:,} messages",
            expected="no problems: each row has its session, and counts and numbers are right",
            seen="; ".join(problems[:3]),
            program=[*long.lines, asked],
            script=[*long.lines, *asserts_none(asked).lines],
        )
