"""Scripts in which system calls of the store fail: the experiment in a straight line.

The store runs in a process of its own there, too, as only its calls are to fail.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Create,
    Reopen,
    session_of,
)
from sessionproof.faults.listening import Rule
from sessionproof.faults.syscalls import Sort
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable, call, expression
from sessionproof.trials.disturbed import AFTER, AGAIN, BEFORE, DISTURBED, Deed
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import facts_hold, made
from sessionproof.trials.single import Trial

_OPEN = "store = injector.spec.open(location)"
_CLOSE = ("with suppress(Exception):", "    store.close()")
_APPENDS = (Append, AppendWithState, Create)


def failing_lines(trial: Trial, deed: Deed, rule: Rule, anomaly: Anomaly) -> list[str]:
    """Lines that fail as long as the store shows this anomaly; raises Unwritable."""
    if deed.empty:
        raise Unwritable("what goes wrong when the first opening fails shows in the harness alone")
    session = session_of(deed.step) or "s0"
    known = session if session in ("s0", "s1") else expression(session)
    told = f"raised or {DISTURBED!r} in str(texts)"
    named = [f"s0 = {known}"] if session != "s0" else []
    wrong = {
        Anomaly.SWALLOWED: [_OPEN, texts_of(known), f"assert {told}, texts"],
        Anomaly.LOST_MESSAGE: [_OPEN, texts_of("s0"), f"assert {BEFORE!r} in texts, texts"],
        Anomaly.COUNTER_DRIFT: [_OPEN, *named, *facts_hold(trial)],
        Anomaly.STUCK: [
            *attempt(_OPEN, _append(trial, AGAIN)),
            "assert not raised, 'it works again'",
        ],
        Anomaly.UNREADABLE: [
            *attempt(_OPEN, texts_of("s0")),
            "assert not raised, 'it can be read again'",
        ],
    }.get(anomaly)
    kept = isinstance(deed.step, _APPENDS)
    if wrong is None or (anomaly is Anomaly.SWALLOWED and not kept):
        raise Unwritable(f"{anomaly} after a failing call shows in the harness alone")
    return _whole(list(_lines(trial, deed, rule, known, wrong)))


def _lines(trial: Trial, deed: Deed, rule: Rule, known: str, wrong: list[str]) -> Iterator[str]:
    yield _OPEN
    yield from made(trial, "s0", "s1")
    yield _append(trial, BEFORE)
    yield call(Append("s1", trial.several(3)), "s1")
    yield f"injector.watch(directory, {_rule(rule)})"
    disturbed = (*_CLOSE, _OPEN) if isinstance(deed.step, Reopen) else (call(deed.step, known),)
    yield from attempt(*disturbed)
    yield "injector.heal()  # from here on, no call fails"
    if isinstance(deed.step, Reopen):
        yield from (*_CLOSE, _OPEN)
    yield "with suppress(Exception):  # if not on this handle, then on another"
    yield f"    {_append(trial, AFTER)}"
    yield from _CLOSE
    yield from wrong
    yield from _CLOSE


def _append(trial: Trial, text: str) -> str:
    return call(Append("s0", (good_message(trial, text),)), "s0")


def _rule(rule: Rule) -> str:
    sorts = "Sort" if rule.sorts == {*Sort} else f"map(Sort, {sorted(map(str, rule.sorts))})"
    stays = ", stays=True" if rule.stays else ""
    error = f"errno.{errno.errorcode[rule.error]}"
    return f"Rule(sorts=frozenset({sorts}), nth={rule.nth}, error={error}{stays})"


def _whole(lines: list[str]) -> list[str]:
    whole = [
        "from sessionproof.contract.lookup import find_store",
        "from sessionproof.faults.injection import Injector",
        "from sessionproof.faults.listening import Rule",
        "from sessionproof.faults.syscalls import Sort",
        "",
        "with Injector(find_store(STORE)) as injector:",
        *(f"    {line}" for line in lines),
    ]
    if len("\n".join(whole)) > TEXT_MOST:
        raise Unwritable("it would be too long")
    return whole
