"""Totals of durations over thousands of appends and removals: no drift adds up, nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from sessionproof.checks.counters import count_counters
from sessionproof.checks.rules import asserts_none
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Append
from sessionproof.trials.counters import answered, looked
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lines import facts_hold, made, said
from sessionproof.trials.single import Trial

_ROUNDS_MOST = 25_000  # of four operations each, with the emptying
_BLOCK = 50  # rounds between two looks


def for_long(trial: Trial) -> None:
    """Thousands of appends and removals in one session: no drift adds up, and nothing is left.

    The profile's share decides how many; 25,000 rounds are 100,000 operations.
    """
    fact = ["total_duration_us"]
    answered(trial, fact)
    start = trial.run(trial.program(Append("s0", trial.several(1))), lambda _: None, examined=0)
    session, began, rounds = start[-1].session_id or "", monotonic_s(), 0
    ways = ("clear", "pop_last", "delete_message", "replace")
    emptying = next((name for name in ways if name in trial.capabilities), None)
    _carry_out(trial, partial(_emptied, session, emptying))
    while rounds < (_ROUNDS_MOST if emptying else _BLOCK * 10):
        for number in range(rounds, rounds + _BLOCK):
            _carry_out(trial, partial(_round, trial, session, number))
        rounds += _BLOCK
        _no_drift(trial, session, rounds, emptied=None)
        if emptying is not None:
            _carry_out(trial, partial(_emptied, session, emptying))
            _no_drift(trial, session, rounds, emptied=emptying)
        if monotonic_s() - began > trial.profile.share_s:
            break
    trial.notes.append(f"{rounds * 4:,} appends and removals in one session")


def _carry_out(trial: Trial, action: Callable[[Callable[..., Any]], object]) -> None:
    outcome = trial.handle().perform("appends and removals", action)
    trial.require_ok(outcome, "appended and removed messages with durations")


def _round(trial: Trial, session: str, number: int, call: Callable[..., Any]) -> None:
    """Two appends; the second is taken back where it can be."""
    message = good_message(trial, "for long")
    for duration_us in (number * 7_919_017 % 90_000_001, number * 104_729_003 % 1_000_003):
        call("append", session, [replace(message, duration_us=duration_us)])
    if "pop_last" in trial.capabilities:
        call("pop_last", session)


def _emptied(session: str, emptying: str | None, call: Callable[..., Any]) -> None:
    if emptying == "clear":
        call("clear", session)
    elif emptying == "replace":
        call("replace", session, [])
    elif emptying == "delete_message":
        for message in call("read", session):
            call("delete_message", session, message.id)
    while emptying == "pop_last" and call("pop_last", session) is not None:
        pass


_EMPTYING = {
    None: (),
    "clear": ("store.clear(s0)",),
    "replace": ("store.replace(s0, [])",),
    "pop_last": ("while store.pop_last(s0):", "    pass"),
    "delete_message": (
        "for message in store.read(s0):", "    store.delete_message(s0, message.id)",
    ),
}  # fmt: skip


def _no_drift(trial: Trial, session: str, rounds: int, *, emptied: str | None) -> None:
    """The total of durations is that of the messages, as answered and in the tables."""
    fact = ["total_duration_us"]
    fault, done = looked(trial, session, fact)
    trial.require_ok(done[0].outcome, "read after appends and removals")
    trial.require(
        fault is None,
        Anomaly.COUNTER_DRIFT,
        did=f"appended {rounds * 2:,} messages with durations to one session, and removed some"
        + (" and then all" if emptied else ""),
        expected=fault.expected if fault else "",
        seen=fault.seen if fault else "",
        script=_long_script(trial, rounds, emptied),
    )
    trial.count("totals", count_counters(done, trial.claims, fact))


def _long_script(trial: Trial, rounds: int, emptied: str | None) -> list[str]:
    message = said(trial, "for long").removesuffix(")")
    popped = ["    store.pop_last(s0)"] if "pop_last" in trial.capabilities else []
    audit = asserts_none("counter_problems(store.tables(), ['total_duration_us'])").lines
    return [
        *made(trial, "s0"),
        f"for n in range({rounds}):",
        f"    store.append(s0, [{message}, duration_us=n * 7_919_017 % 90_000_001)])",
        f"    store.append(s0, [{message}, duration_us=n * 104_729_003 % 1_000_003)])",
        *popped,
        *_EMPTYING[emptied],
        *facts_hold(trial, "total_duration_us"),
        *(audit if "tables" in trial.capabilities else ()),
    ]
