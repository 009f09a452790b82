"""Scripts in which system calls of the store fail: the experiment in a straight line.

The store runs in a process of its own there, too, as only its calls are to fail.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Create,
    Reopen,
    session_of,
)
from sessionproof.faults.failing.listening import Rule
from sessionproof.faults.failing.syscalls import Sort
from sessionproof.scripts.attempts import attempt, texts_of
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable, call, expression
from sessionproof.trials.disturbed import AFTER, AGAIN, BEFORE, DISTURBED, Deed
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import facts_hold, made
from sessionproof.trials.single import Trial

_OPEN = "store = injector.spec.open(location)"
_CLOSE = ("with suppress(Exception):", "    store.close()")
_APPENDS = (Append, AppendWithState, Create)


@dataclass(frozen=True)
class Shown:
    """What a script is to show: the anomaly, and where it showed.

    ``reopened``: on a handle that was opened afterwards. ``power``: after a loss of power.
    """

    anomaly: Anomaly
    reopened: bool
    power: bool


def failing_lines(trial: Trial, deed: Deed, rule: Rule, shown: Shown) -> list[str]:
    """Lines that fail as long as the store shows this; raises Unwritable."""
    if deed.empty:
        raise Unwritable("what goes wrong when the first opening fails shows in the harness alone")
    session = session_of(deed.step) or "s0"
    known = session if session in ("s0", "s1") else expression(session)
    wrong = _wrong(trial, deed, shown, known)
    return _whole(list(_lines(trial, deed, rule, shown, known, wrong)))


def _wrong(trial: Trial, deed: Deed, shown: Shown, known: str) -> list[str]:
    """The lines that find the store, or open it, and fail."""
    place = "Location(after_power)" if shown.power else "location"
    opens = f"store = injector.spec.open({place})"
    opened = [opens] if shown.reopened or shown.power else []
    there = f"{DISTURBED!r} in str(texts)"
    match shown.anomaly:
        case Anomaly.SWALLOWED if isinstance(deed.step, _APPENDS):
            return [*opened, texts_of(known), f"assert raised or {there}, texts"]
        case Anomaly.LOST_MESSAGE:
            return [*opened, texts_of("s0"), f"assert {BEFORE!r} in texts, texts"]
        case Anomaly.ABORTED_READ if isinstance(deed.step, _APPENDS):
            same = f"assert ({DISTURBED!r} in str(first)) == ({there}), (first, texts)"
            return [*opened, texts_of(known), same]
        case Anomaly.COUNTER_DRIFT:
            named = [f"s0 = {known}"] if known != "s0" else []
            return [*opened, *named, *facts_hold(trial)]
        case Anomaly.STUCK:
            again = _append(trial, AGAIN)
            return [*attempt(*opened, again), "assert not raised, 'it works again'"]
        case Anomaly.UNREADABLE:
            read = texts_of("s0")
            return [*attempt(*opened, read), "assert not raised, 'it can be read again'"]
        case Anomaly.CRASH:
            return ["assert store.ended is None, store.ended"]
    raise Unwritable(f"{shown.anomaly} after a failing call shows in the harness alone")


def _lines(
    trial: Trial, deed: Deed, rule: Rule, shown: Shown, known: str, wrong: list[str]
) -> Iterator[str]:
    yield _OPEN
    yield from made(trial, "s0", "s1")
    yield _append(trial, BEFORE)
    yield call(Append("s1", trial.several(3)), "s1")
    if shown.anomaly is Anomaly.ABORTED_READ:
        yield texts_of("s0", into="kept")  # what was read before may be answered once more
    if shown.power:
        yield "before = contents(directory)"
    yield f"injector.watch(directory, {_rule(rule)})"
    opening = isinstance(deed.step, Reopen)
    yield from attempt(*([*_CLOSE, _OPEN] if opening else [call(deed.step, known)]))
    yield "injector.heal()  # from here on, no call fails"
    if opening:
        yield from (*_CLOSE, _OPEN)
    if shown.anomaly is Anomaly.ABORTED_READ:
        yield texts_of(known, into="first")
    if shown.power:
        yield "after_power = Path(tempfile.mkdtemp())  # without what the failed sync left"
        yield "without_lost(directory, injector.met().unsynced.lost, before, after_power)"
    elif shown.anomaly is not Anomaly.COUNTER_DRIFT:
        yield "with suppress(Exception):  # if not on this handle, then on another"
        yield f"    {_append(trial, AFTER)}"
    if shown.reopened or shown.power:
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
        "from sessionproof.faults.failing.injection import Injector",
        "from sessionproof.faults.failing.listening import Rule",
        "from sessionproof.faults.failing.syscalls import Sort",
        "from sessionproof.faults.failing.unsynced import contents, without_lost",
        "",
        "with Injector(find_store(STORE)) as injector:",
        *(f"    {line}" for line in lines),
    ]
    if len("\n".join(whole)) > TEXT_MOST:
        raise Unwritable("it would be too long")
    return whole
