"""Statements that cost too much, told to people, and the scripts that show it by counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionproof.checks.plans import OTHERS, Growth, Line, Suspect
from sessionproof.contract.anomalies import Anomaly
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial

LAST, PAGE = 50, 20
OWN, OTHER = 60, 8  # messages of the session that is asked, and of each other one
_MORE_OWN = 420  # messages that a script adds
_TEXT_MOST = 300  # characters of a statement
_LINES_MOST = 8  # of a plan
_COMMENT_MOST = 90


def _called(call: str, session: str, trial: Trial) -> list[str]:
    """The call on a session; what comes before the last line is no part of it."""
    match call:
        case "append":
            return [f"store.append({session}, [{said(trial, 'one more')}])"]
        case "read_last":
            return [f"store.read_last({session}, {LAST})"]
        case "page":
            first = f"cursor = store.page({session}, limit={PAGE}).next"
            return [first, f"store.page({session}, cursor=cursor, limit={PAGE})"]
        case "get_state":
            return [f"store.get_state({session}, 'step')"]
        case _:
            return [f"store.{call}({session})"]


@dataclass(frozen=True)
class Costly:
    """A statement of a call whose steps follow the number of rows ``among`` which it looks.

    ``text`` is the statement as it ran. ``index`` says which index is missing, or is empty.
    ``added`` is how many sessions, or messages of the session, came between the measurements.
    """

    call: str
    text: str
    plan: tuple[Line, ...]
    suspect: Suspect
    among: str
    added: int
    growth: Growth
    index: str

    @property
    def steps(self) -> tuple[int, int]:
        """Steps of the statement before and after."""
        growth = self.growth
        if self.among == OTHERS:
            return growth.first.steps, growth.elsewhere.steps
        return growth.elsewhere.steps, growth.inside.steps


def short(text: str) -> str:
    """A statement in one line of a bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_MOST else f"{line[:_TEXT_MOST]} …"


def raise_scan(trial: Trial, costly: Costly) -> None:
    """Raise Broken: a query walks through, or sorts, what it has no business with."""
    before, after = costly.steps
    more = "sessions beside it" if costly.among == OTHERS else "messages in it"
    seen = f"{costly.suspect.line}; {before:,} steps became {after:,}"
    if costly.suspect.kind == "count":
        seen = f"{costly.suspect.line}: each page of the table is visited"
    shown = [f"{' ' * 2 * _depth(costly.plan, line)}{line.text}" for line in costly.plan]
    try:
        script = _script_of_steps(trial, costly)
    except Unwritable:
        script = []
    trial.require(
        False,
        Anomaly.SCAN,
        did=f"{costly.call} of a session, before and after there were {costly.added} more {more}: "
        f"{short(costly.text)}",
        expected=f"its cost does not grow with {costly.among}",
        seen=seen + (f"; {costly.index}" if costly.index else ""),
        program=[
            f"# {costly.call} runs: {short(costly.text)}",
            *(f"#   {line}" for line in shown[:_LINES_MOST]),
            *_called(costly.call, "s0", trial),
        ],
        script=script,
    )


def _depth(plan: Sequence[Line], line: Line) -> int:
    parents = {one.number: one.parent for one in plan}
    depth, at = 0, line.parent
    while at in parents and depth < len(plan):
        depth, at = depth + 1, parents[at]
    return depth


def raise_statements(trial: Trial, call: str, few: tuple[int, int], many: tuple[int, int]) -> None:
    """Raise Broken: ``few`` and ``many`` are rows, and the statements that it took."""
    what = "sessions" if call == "list" else "messages"
    trial.require(
        False,
        Anomaly.STATEMENTS,
        did=f"{call} with {few[0]} {what}, then with {many[0]}",
        expected="as many statements for many rows as for few",
        seen=f"{few[1]} statements for {few[0]} {what}, {many[1]} for {many[0]}",
        program=[f"# {few[1]} statements, then {many[1]}", *_of_all(call, many[0])],
        script=_script_of_statements(trial, call, few, many),
    )


def _of_all(call: str, rows: int) -> list[str]:
    """The call, as the line that asks for so many rows at once."""
    sized = {"read_last": f"s0, {rows}", "page": f"s0, limit={rows}", "list": ""}
    return [f"store.{call}({sized.get(call, 's0')})"]


def _watching(method: str) -> list[str]:
    """Lines that open the store again with each connection's callback set by ``method``."""
    what = "statement" if "trace" in method else "step"
    return [
        "seen = []",
        "",
        "",
        "def watched(*arguments, connect=sqlite3.connect, **options):",
        "    db = connect(*arguments, **options)",
        f"    {method}",
        "    return db",
        "",
        "",
        "sqlite3.connect = sqlite3.dbapi2.connect = watched",
        "store.close()",
        f"store = open_store(location)  # from now on each {what} is seen",
    ]


def _appended(trial: Trial, session: str, number: int) -> list[str]:
    """Lines that append so many messages, one by one where the store limits its batches."""
    one = said(trial, "x")
    if len(trial.several(2)) == 2:
        return [f"store.append({session}, [{one}] * {number})"]
    return [f"for at in range({number}):", f"    store.append({session}, [{one}])"]


def _another_session(trial: Trial, messages: int) -> list[str]:
    """Lines, inside a loop over ``number``, that make a session with so many messages."""
    (line,) = made(trial, "other")
    named = line.replace(repr("other"), "f'other-{number}'")
    return [f"    {named}", *(f"    {line}" for line in _appended(trial, "other", messages))]


def _script_of_steps(trial: Trial, costly: Costly) -> list[str]:
    """Lines that count the steps of the call before and after there is more."""
    before, after = costly.steps
    if costly.suspect.kind == "count":
        raise Unwritable("to count all rows is a single step of SQLite's machine")
    if costly.among == OTHERS:
        later, more = "s1", OWN
        (first,) = made(trial, later)
        one = f"    store.append({later}, [{said(trial, 'x')}])"
        turns = f"for number in range({more}):  # a session of the same length, among others"
        added = [first, turns, one, *_another_session(trial, OTHER)]
    else:
        later, more = "s0", _MORE_OWN
        added = _appended(trial, later, more)
    allowed = max(1, int((after - before) / max(1, costly.added) * more / 2))
    return [
        *_watching("db.set_progress_handler(lambda: seen.append(1), 1)"),
        *made(trial, "s0"),
        *_appended(trial, "s0", OWN),
        *_called(costly.call, "s0", trial),  # what a first call reads, a later one need not
        *_counted(trial, costly.call, "s0"),
        "before = len(seen)",
        "if not before:",
        "    sys.exit('no step was seen: the connection was opened in another way')",
        *added,
        *_counted(trial, costly.call, later),
        "steps = len(seen) - before",
        f"# {costly.suspect.line[:_COMMENT_MOST]}",
        f"assert steps < {allowed}, f'{{steps:,}} more steps than the {{before:,}} before'",
    ]


def _counted(trial: Trial, call: str, session: str) -> list[str]:
    """Lines that make the call and leave what was seen of it alone."""
    *first, last = _called(call, session, trial)
    return [*first, "seen.clear()", last]


def _script_of_statements(
    trial: Trial, call: str, few: tuple[int, int], many: tuple[int, int]
) -> list[str]:
    """Lines that count the statements of the call for few rows and for many."""
    first, later = _of_all(call, few[0]), _of_all(call, many[0])
    more = many[0] - few[0]
    if call == "list":
        filled = [*made(trial, "s0"), *_appended(trial, "s0", 1)]
        added = [f"for number in range({more}):", *_another_session(trial, 1)]
    else:
        filled = [*made(trial, "s0"), *_appended(trial, "s0", few[0])]
        added = _appended(trial, "s0", more)
    return [
        *_watching("db.set_trace_callback(seen.append)"),
        *filled,
        *first,
        "seen.clear()",
        *first,
        "few = len(seen)",
        *added,
        "seen.clear()",
        *later,
        "many = len(seen)",
        f"assert many - few < {more} / 4, f'{{few}} statements became {{many}}'",
    ]
