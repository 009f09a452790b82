"""Scripts of schedules: a small program, and where somebody else goes on than usual.

A script stands alone. It carries the program out under the schedule, again and again on empty
locations, prints the table of an execution that breaks the rule, says in how many of them it was
broken, and fails if it was in any. The store's module is imported under control, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.history.columns import F
from sessionproof.history.tokens import tokens_of
from sessionproof.schedule.decisions import QUIET, Key
from sessionproof.schedule.found import Found
from sessionproof.schedule.plain import Done, counts_of, done_of, last_of, letters_of
from sessionproof.schedule.program import Kind
from sessionproof.schedule.replay import as_plain
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.clients import START
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable, expression, message
from sessionproof.scripts.race_rules import rule_of

_TIMES = 20
_WORDS = 40  # characters of a step in a comment
_SENT = ("sum(TOKENS.get(text, 0) for text in texts)",
         "sum(TOKENS.get(text, 0) for text in texts[:count])")  # fmt: skip
_SEARCHED = {F.CLEAR, F.REPLACE}  # no few lines say what is right when others emptied a session


def schedule_script(
    found: Found,
    *,
    kind: Kind,
    claims: Claims,
    sample: Message,
    counted: bool = False,
    timed: bool = False,
    creates: bool = False,
    by_store: bool = False,
    shared: bool = False,
) -> tuple[str, ...]:
    """The lines of the script; raises Unwritable where they would be too many for a person.

    ``sample``, ``counted`` and ``timed`` are those of the ``Speech`` under which it was found, the
    others as in its ``Setup``.
    """
    given = {
        "kind": kind, "times": _TIMES, "sample": sample, "counted": counted, "timed": timed,
        "creates": creates, "by_store": by_store, "shared": shared,
        "lines": found.lines,
    }  # fmt: skip
    called = {call.f for _, call in chain(found.program.before, *found.program.clients)}
    rule = _rule(found, claims, called, counted=counted)
    looked = _looked(found, counts=_has_counts(rule))
    lines = [
        "from sessionproof.schedule.plain import counts_of, done_of, last_of",
        "from sessionproof.schedule.replay import program_of, replays",
        "from sessionproof.schedule.table import drawn, told",
        "from sessionproof.schedule.table_text import text_of",
        "",
        *_constants(found),
        _program(found),
        *("", "", "def wrong(done, last):", *indented([_meaning(found.wrong.anomaly), *rule])),
        *("", "", "def judged(run):", *indented(looked)),
        *("", "", START),
        *indented(_main(found, given)),
    ]
    if "counts_of(" not in "\n".join(looked):
        lines[0] = lines[0].replace("counts_of, ", "")
    if len("\n".join(lines)) > TEXT_MOST:
        raise Unwritable("the schedule is too long for a script")
    return tuple(lines)


def _constants(found: Found) -> Iterator[str]:
    made = as_plain(found.program, found.schedule)
    yield "# Calls: number, name, place of the session, number of messages"
    if made["before"]:
        yield f"BEFORE = {_rows(made['before'])}"
    yield "PROGRAMS = ["
    for at, rows in enumerate(made["clients"], 1):
        yield f"    {_rows(rows)},  # client {at}"
    yield "]"
    if not made["schedule"]:
        yield "SCHEDULE = []  # nobody is interrupted"
        return
    yield "SCHEDULE = [  # task, operation and point of a decision; then who goes on"
    for key, then in found.schedule:
        yield f"    ({tuple(key)}, {then}),  # {_decision(found, key, then)}"
    yield "]"


def _program(found: Found) -> str:
    before = ", before=BEFORE" if found.program.before else ""
    sessions = f", sessions={found.program.sessions}" if found.program.sessions > 1 else ""
    return f"PROGRAM = program_of(PROGRAMS{before}{sessions})"


def _rows(rows: Iterable[Iterable[Any]]) -> str:
    return expression([tuple(row) for row in rows])


def _decision(found: Found, key: Key, then: int) -> str:
    """A decision in words: who is stopped in front of what, and who goes on."""
    if key.task == QUIET:
        return f"at the beginning: {_who(found, then)} goes on"
    before = next((step.point.what for step in found.run.steps if step.key == key), None)
    who, other = _who(found, key.task), _who(found, then)
    if before is None:
        return f"when {who} has no more to do: {other} goes on"
    words = ascii(" ".join(before.split()))[1:-1]
    words = words if len(words) <= _WORDS else f"{words[: _WORDS - 3]}..."
    return f"{who} is stopped before: {words}; {other} goes on"


def _who(found: Found, task: int) -> str:
    return f"client {task + 1}" if 0 <= task < len(found.program.clients) else f"task {task}"


def _rule(found: Found, claims: Claims, called: set[F], *, counted: bool) -> list[str]:
    """The body of ``wrong``: a plain rule if it sees what was found, or the very answers."""
    anomaly = found.wrong.anomaly
    searched = called & _SEARCHED or (F.DELETE in called and anomaly is not Anomaly.RESURRECTION)
    if not searched:
        try:
            rule = rule_of(anomaly, claims, called, **({"totals": _SENT} if counted else {}))
        except Unwritable:
            rule = []
        if counted and any("TOKENS" in line for line in rule):
            letters = letters_of(found.program)
            tokens = {letter: tokens_of(number) for number, letter in letters.items()}
            rule = [f"TOKENS = {expression(tokens)}", *rule]
        if rule and (anomaly is Anomaly.HANG or _sees(found, rule)):
            return rule
    return _answers(found)


def _has_counts(rule: list[str]) -> bool:
    """Whether ``last`` ends with the counts when all was quiet."""
    return any("*texts, final" in line for line in rule)


def _sees(found: Found, rule: list[str]) -> bool:
    """Whether the lines call the execution wrong that was found."""
    source = "\n".join(["def wrong(done, last):", *indented(rule)])
    scope: dict[str, Any] = {"PROGRAMS": found.program.clients}
    exec(compile(source, "rule", "exec"), scope)  # noqa: S102 - our own lines and values
    wrong: Callable[[list[Done], list[Any]], str | None] = scope["wrong"]
    session = found.wrong.session
    last: list[Any] = [*last_of(found.program, found.run, session)]
    if _has_counts(rule):
        last.append(counts_of(found.run, session))
    return bool(wrong(done_of(found.program, found.run, session), last))


def _answers(found: Found) -> list[str]:
    """That it went and was answered as it was found: what took a search to judge.

    The same answers in another order of beginnings and ends may be right, so both are compared.
    """
    session = found.wrong.session
    done = done_of(found.program, found.run, session)
    moments = sorted(moment for one in done for moment in (one.began, one.ended))
    seen = [
        (one.call, one.texts, one.outcome, one.answer, moments.index(one.began),
         moments.index(one.ended))
        for one in done
    ]  # fmt: skip
    last = last_of(found.program, found.run, session)
    return [
        "moments = sorted(moment for one in done for moment in (one.began, one.ended))",
        "seen = [",
        "    (*one[1:5], moments.index(one.began), moments.index(one.ended))",
        "    for one in done",
        "]",
        "found = [  # call, messages, outcome, answer, place of its beginning and of its end",
        *(f"    {expression(one)}," for one in seen),
        "]",
        f"if seen == found and last == {expression(last)}:",
        f"    return {expression(f'these answers cannot be: {MEANINGS[found.wrong.anomaly]}')}",
    ]


def _meaning(anomaly: Anomaly) -> str:
    return f'"""A sentence where the rule is broken ({anomaly}), None where it holds."""'


def _looked(found: Found, *, counts: bool) -> list[str]:
    """The body of ``judged``: what is wrong with an execution."""
    session = found.wrong.session
    last = f"last_of(PROGRAM, run, {session})"
    last = f"[*{last}, counts_of(run, {session})]" if counts else last
    return [
        '"""What is wrong with an execution, None where nothing is."""',
        "if run.ended.value != 'done':",
        "    waits = told(PROGRAM, '; '.join(run.waiting))",
        "    return f'it ended as {run.ended.value}: {waits}'",
        f"return wrong(done_of(PROGRAM, run, {session}), {last})",
    ]


def _main(found: Found, given: dict[str, Any]) -> Iterator[str]:
    told = [f"{name}={_value(value)}" for name, value in given.items() if value not in (False, "")]
    yield "runs = replays("
    yield "    STORE, PROGRAM, SCHEDULE,"
    yield from (f"    {one}," for one in told)
    yield ")"
    yield "problems = [judged(run) for run in runs]"
    yield "broken = [problem for problem in problems if problem]"
    yield "shown = next((run for run in runs if judged(run)), runs[0])"
    drawn = f", kind={given['kind']!r}" + (", lines=True" if found.lines else "")
    yield f"print(text_of(drawn(PROGRAM, shown, broken[0] if broken else ''{drawn})))"
    yield "print(f'{len(broken)} of {len(runs)} replays')"
    yield "assert not broken, broken[0]"


def _value(value: Any) -> str:
    return message(value) if isinstance(value, Message) else expression(value)
