"""What SQLite does for a call: the plans of its statements, and how many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

from sessionproof.audit.tables import opened, quoted
from sessionproof.bench.loading import begin, fill, plain
from sessionproof.checks.plans import (
    WHOLE,
    Cost,
    Growth,
    Line,
    Rows,
    Suspect,
    for_each_row,
    growing,
    machine_suspects,
    missing_index,
    normalised,
    number_of,
    reads_or_writes,
    suspects,
)
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import (
    Append,
    Count,
    Get,
    GetState,
    List,
    Outcome,
    Read,
    ReadLast,
    SetState,
    method_of,
)
from sessionproof.trials.costly import (
    LAST,
    OTHER,
    OWN,
    PAGE,
    Costly,
    raise_scan,
    raise_statements,
    short,
)
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.statements import Trace, Traced, least, traced

_OTHERS = 8  # sessions beside the one that is asked
_TIMES = 8  # as many, later
_FEW, _MANY_SESSIONS, _MANY_MESSAGES = 5, 40, 80
_FILL_S = 8.0  # a store that is slower has fewer rows by then, and is judged on those
_COLUMNS = "SELECT name FROM pragma_table_info(?)"
_FIRST = (
    "SELECT i.name FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i "
    "WHERE i.seqno = 0 AND i.name IS NOT NULL"
)
_UNSEEN = "no connection of Python's sqlite3 was seen: plans cannot be asked for"
_ELSEWHERE = "the store lives in another process, so its statements cannot be seen"

Call = tuple[str, Callable[[], Outcome]]


@dataclass
class _Scene:
    """A store on a location of its own whose connections are seen; sessions by their ids."""

    trial: Trial
    trace: Trace
    sessions: list[str] = field(default_factory=list)
    own: int = 0  # messages of the first session

    @cached_property
    def _until_s(self) -> float:
        return monotonic_s() + _FILL_S

    def add_sessions(self, number: int, messages: int) -> None:
        """Make further sessions until there are so many, each with so many messages."""
        while len(self.sessions) < number and monotonic_s() < self._until_s:
            trial, name = self.trial, f"plan-{len(self.sessions)}"
            begun = begin(trial.handle(), name, trial.claims, trial.capabilities)
            trial.require_ok(begun, f"made the session {name!r}")
            self.sessions.append(str(begun.value))
            self._fill(len(self.sessions) - 1, 0, messages)
            self.own = self.own or messages

    def lengthen(self, messages: int) -> None:
        """Append to the first session until it has so many messages."""
        self._fill(0, self.own, messages)
        self.own = messages

    def _fill(self, at: int, start: int, messages: int) -> None:
        trial = self.trial
        outcome = fill(
            trial.handle(), self.sessions[at], messages, claims=trial.claims, start=start,
            message=plain(trial.words, f"in session {at}"), until_s=self._until_s,
        )  # fmt: skip
        trial.require_ok(outcome, f"appended {messages} messages to a session")

    def done(self, call: Call, *, again: bool = True) -> Traced:
        """The call's trace: of three times the one with the least steps, or of a single one."""
        name, run = call
        result = least(self.trace, run) if again else self.trace.during(run)
        self.trial.require_ok(result.outcome, f"called {name} of a filled session")
        return result


@contextmanager
def _scene(trial: Trial, *, steps: bool) -> Iterator[_Scene]:
    """A store whose statements can be seen; raises NotClaimed or CouldNotTell where they cannot."""
    if trial.store.spec.name.startswith("cmd:"):
        raise NotClaimed(_ELSEWHERE)
    trial.store.close()
    with traced(steps=steps) as trace:
        trial.store.fresh_location()
        try:
            yield _Scene(trial, trace)
        finally:
            trial.store.close()  # what was set on its connections goes with them
    if trace.silent and not trial.examined[trial.guarantee.unit]:
        raise CouldNotTell(_silence(trace))


def _silence(trace: Trace) -> str:
    return (
        f"{trace.silent} of {trace.opened} connections showed no statement: they were not used, "
        "or they have a trace callback of their own"
    )


def _hot(scene: _Scene) -> list[Call]:
    """The calls that a service makes for each message, on the first session."""
    trial, session = scene.trial, scene.sessions[0]
    handle, can = trial.handle(), trial.capabilities
    message = plain(trial.words, "one more")

    def append() -> Outcome:
        scene.own += 1
        return handle.invoke(Append("s0", (message(scene.own - 1),)), session)

    calls: list[Call] = [("append", append)]
    kinds = (ReadLast("s0", LAST), Read("s0"), Get("s0"), Count("s0"), GetState("s0", "step"))
    for look in kinds:
        name = method_of(look)
        if name in ("read", *can):
            calls.append((name, partial(handle.invoke, look, session)))
    if "page" in can:
        first = handle.perform("page", lambda call: call("page", session, limit=PAGE).next)
        cursors = [None] if first.value is None else [None, first.value]
        calls += [("page", partial(_page, trial, session, cursor, PAGE)) for cursor in cursors]
    return calls


def _page(trial: Trial, session: str, cursor: object, limit: int) -> Outcome:
    return trial.handle().perform(
        "page", lambda call: call("page", session, cursor=cursor, limit=limit)
    )


Key = tuple[int, str, str]
"""A statement in a call: the call's place among the calls, the normalised text, the file."""


@dataclass(frozen=True)
class _Asked:
    """One statement of a call with its plan. ``text`` is one that ran, with its values."""

    call: str
    text: str
    file: str
    plan: tuple[Line, ...]
    suspects: tuple[Suspect, ...]


def hot_paths(trial: Trial) -> None:
    """Ask for the plan of each statement of the hot calls; measure those that look dear.

    Raises NotClaimed for a store that does not use Python's sqlite3 in this process.
    """
    with _scene(trial, steps=True) as scene:
        scene.add_sessions(1, OWN)
        scene.add_sessions(1 + _OTHERS, OTHER)
        if not scene.trace.opened:
            raise NotClaimed(_UNSEEN)
        if "set_state" in trial.capabilities:
            trial.handle().invoke(SetState("s0", "step", 1), scene.sessions[0])
        calls = _hot(scene)
        found = _asked(trial, calls, [scene.done(call) for call in calls])
        suspected = {key: one for key, one in found.items() if one.suspects}
        if suspected:
            _measure(scene, calls, suspected)
        trial.count("statements", len({(text, file) for _, text, file in found}))
        if scene.trace.silent and trial.examined["statements"]:
            trial.notes.append(_silence(scene.trace))


def _asked(trial: Trial, calls: list[Call], traces: list[Traced]) -> dict[Key, _Asked]:
    """Every distinct statement of each call that could be asked for its plan; others are noted."""
    out: dict[Key, _Asked] = {}
    refused: dict[str, str] = {}
    for at, ((name, _), trace) in enumerate(zip(calls, traces, strict=True)):
        for one in trace.statements:
            key = (at, normalised(one.text), one.file)
            if key in out or key[1] in refused or not reads_or_writes(one.text):
                continue
            try:
                plan, found = _plan(one.file, one.text)
            except sqlite3.Error as error:
                refused[key[1]] = f"{short(one.text)}: {error}"
                continue
            out[key] = _Asked(name, one.text, one.file, plan, found)
    trial.notes += [f"no plan could be asked for: {text}" for text in refused.values()]
    if refused and not out:
        raise CouldNotTell(f"no plan could be asked for: {next(iter(refused.values()))}")
    return out


def _plan(file: str, text: str) -> tuple[tuple[Line, ...], tuple[Suspect, ...]]:
    """The plan of a statement, and what is suspect in it and in its triggers."""
    if not file:
        raise sqlite3.OperationalError("its database is in memory, which only the store can see")
    with closing(opened(file)) as connection:
        pages = connection.execute("SELECT rootpage, lower(tbl_name) FROM sqlite_master")
        tables = dict(pages.fetchall())
        asked = connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
        plan = tuple(Line(row[0], row[1], row[3]) for row in asked)
        explained = connection.execute(f"EXPLAIN {text}").fetchall()
        machine = [(row[1], row[2], row[3], str(row[5] or "")) for row in explained]
    return plan, (*suspects(plan), *machine_suspects(machine, tables))


def _rows(file: str) -> Rows:
    """How many rows each table of the file has."""
    with closing(opened(file)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        ).fetchall()
        return {
            name.lower(): connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]
            for (name,) in names
        }


def _measure(scene: _Scene, calls: list[Call], suspected: Mapping[Key, _Asked]) -> None:
    """Make the suspected calls again with more rows; raises Broken where their steps follow."""
    files = {one.file for one in suspected.values()}
    places = sorted({at for at, _, _ in suspected})

    def costs() -> dict[Key, Cost]:
        rows = {file: _rows(file) for file in files}
        steps: dict[Key, int] = dict.fromkeys(suspected, 0)
        for at in places:
            for one in scene.done(calls[at]).statements:
                key = (at, normalised(one.text), one.file)
                if key in steps:
                    steps[key] += one.steps
        return {key: Cost(number, rows[key[2]]) for key, number in steps.items()}

    try:
        first = costs()
        scene.add_sessions(1 + _TIMES * _OTHERS, OTHER)
        elsewhere = costs()
        scene.lengthen(_TIMES * OWN)
        inside = costs()
    except sqlite3.Error as error:
        raise CouldNotTell(f"the tables could not be read: {error}") from None
    unseen = all(cost.steps == 0 for cost in first.values())
    if unseen and any(
        one.kind != "count" for asked in suspected.values() for one in asked.suspects
    ):
        raise CouldNotTell("the store has a progress handler of its own: no step could be counted")
    for key, asked in suspected.items():
        growth = Growth(first[key], elsewhere[key], inside[key])
        for suspect in asked.suspects:
            among = growing(asked.call, suspect, key[1], growth)
            if among is not None:
                raise_scan(scene.trial, _costly(asked, suspect, key[1], growth, among))
    _note_sorts(scene.trial, suspected)


def _costly(asked: _Asked, suspect: Suspect, text: str, growth: Growth, among: str) -> Costly:
    added = _OTHERS * (_TIMES - 1) if among == "other sessions" else OWN * (_TIMES - 1)
    return Costly(
        asked.call, asked.text, asked.plan, suspect, among, added, growth,
        missing_index(suspect, text, *_indexes(asked.file)),
    )  # fmt: skip


def _note_sorts(trial: Trial, suspected: Mapping[Key, _Asked]) -> None:
    """A whole session may be sorted when it is read whole, though an index would spare it."""
    if any(
        asked.call in WHOLE and suspect.kind == "sort"
        for asked in suspected.values()
        for suspect in asked.suspects
    ):
        trial.notes.append("a read sorts its session in a temporary tree: no index has its order")


def _indexes(file: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The columns of each table of the file, and the first columns of its indexes."""
    columns: dict[str, list[str]] = {}
    first: dict[str, list[str]] = {}
    with closing(opened(file)) as connection:
        for table in _rows(file):
            columns[table] = [row[0].lower() for row in connection.execute(_COLUMNS, (table,))]
            first[table] = [row[0].lower() for row in connection.execute(_FIRST, (table,))]
    return columns, first


def constant_statements(trial: Trial) -> None:
    """Count the statements of each look at few rows and at many: they must not be one for each.

    Raises NotClaimed for a store that does not use Python's sqlite3 in this process.
    """
    with _scene(trial, steps=False) as scene:
        scene.add_sessions(_FEW, _FEW)
        if not scene.trace.opened:
            raise NotClaimed(_UNSEEN)
        few = {name: scene.done((name, run)) for name, run in _looks(scene, _FEW)}
        scene.add_sessions(_MANY_SESSIONS, _FEW)
        scene.lengthen(_MANY_MESSAGES)
        many = {name: scene.done((name, run)) for name, run in _looks(scene, _MANY_MESSAGES)}
        if not any(one.statements for one in many.values()):
            raise CouldNotTell(_silence(scene.trace))
        for name, before in few.items():
            _compare(trial, name, before, many[name])
        if scene.trace.silent:
            trial.notes.append(_silence(scene.trace))


def _compare(trial: Trial, name: str, few: Traced, many: Traced) -> None:
    rows = (_rows_of(name, few, _FEW), _rows_of(name, many, _MANY_MESSAGES))
    numbers = [number_of([one.text for one in traced.statements]) for traced in (few, many)]
    if rows[1] - rows[0] < _FEW:
        return  # the store keeps no more
    trial.count("calls", 2)
    if many.opened:
        trial.notes.append(f"a {name} opened {_connections(many.opened)}")
    if for_each_row(numbers[0], numbers[1], rows[1] - rows[0]):
        raise_statements(trial, name, (rows[0], numbers[0]), (rows[1], numbers[1]))


def _connections(number: int) -> str:
    return f"{number} connection{'' if number == 1 else 's'}"


def _rows_of(name: str, traced: Traced, messages: int) -> int:
    """The rows that the call had to look at: those that it answered, all of a session for facts."""
    match name:
        case "get":
            return messages
        case "page":
            return len(traced.outcome.value.messages)
        case _:
            return len(traced.outcome.value)


def _looks(scene: _Scene, messages: int) -> list[Call]:
    """The calls that read rows, on the first session, which has so many messages."""
    trial, session, handle = scene.trial, scene.sessions[0], scene.trial.handle()
    looks = (Read("s0"), ReadLast("s0", messages), Get("s0"), List())
    calls: list[Call] = [
        (method_of(look), partial(handle.invoke, look, session))
        for look in looks
        if method_of(look) in ("read", *trial.capabilities)
    ]
    if "page" in trial.capabilities:
        calls.append(("page", lambda: _page(trial, session, None, messages)))
    return calls
