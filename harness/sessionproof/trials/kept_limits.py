"""Limits that a snapshot keeps: on a clock that is set, a restored session ends when it was to."""

from __future__ import annotations

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import VirtualClock
from sessionproof.contract.operations import Append, Delete, Outcome
from sessionproof.scripts.lifetime import Times
from sessionproof.trials.inputs import good_message
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime
from sessionproof.workload.sessions import begin

_NEEDS = {"set_limits", "set_clock", "sweep", "delete"}
_HOUR_US = 3_600_000_000
_DID = "set a limit of an hour, kept the session, deleted it and restored it, then let {} go by"


def kept(trial: Trial) -> None:
    """Restore sessions with a limit, of each kind, and let time go by; raises Broken.

    Does nothing where the store has no limits, or no clock that can be set.
    """
    if not trial.capabilities >= _NEEDS:
        return
    for limit in ("idle_us", "hard_us"):
        trial.store.fresh_location()
        _kept(trial, limit)
        trial.count("snapshots")
    trial.store.fresh_location()  # its clock is of no use to others


def _kept(trial: Trial, limit: str) -> None:
    handle, began_us = trial.handle(), VirtualClock().now_us()
    lines = _lines(trial, limit, began_us)

    def owed(done: Outcome) -> Outcome:
        trial.require_ok(done, _DID.format("no time"), lines)
        return done

    owed(lifetime.set_clock(handle, began_us))
    session = str(owed(begin(handle, "limited", trial.claims, trial.capabilities)).value)
    message = good_message(trial, "kept")
    owed(handle.invoke(Append("s0", (message,)), session))
    owed(lifetime.set_limits(handle, session, **{limit: _HOUR_US}))
    snapshot = owed(lifetime.snapshot(handle, session)).value
    owed(handle.invoke(Delete("s0"), session))
    there = str(owed(lifetime.restore_snapshot(handle, snapshot)).value)
    for hours, expires in ((0.5, False), (3, True)):
        owed(lifetime.set_clock(handle, began_us + int(hours * _HOUR_US)))
        told = there in owed(lifetime.sweep(handle)).value.expired
        if expires and not told:
            told = handle.invoke(Append("s0", (message,)), there).type == "fail"
        trial.require(
            told == expires,
            Anomaly.CHANGED,
            did=_DID.format(f"{hours:g} hours"),
            expected="the limit is part of the session: it ends after an hour, and not before",
            seen="it has ended" if told else "it takes messages as if it had no limit",
            script=lines,
        )


def _lines(trial: Trial, limit: str, began_us: int) -> list[str]:
    """What was done; none for a store that no such script can use."""
    setting = setting_of(trial)
    if setting is None or setting.clock is None:
        return []
    times = Times("factory" if setting.clock == "taken" else "method", began_us)
    return [
        "store.close()",
        *times.begin(),
        *times.at(0),
        *made(trial, "s0"),
        f"store.append(s0, [{said(trial, 'kept')}])",
        f"store.set_limits(s0, {limit}={_HOUR_US})",
        "made = store.snapshot(s0)",
        "store.delete(s0)",
        "there = store.restore_snapshot(made)",
        *times.at(_HOUR_US // 2),
        "assert there not in store.sweep().expired, 'it ended too early'",
        *times.at(3 * _HOUR_US),
        "if there not in store.sweep().expired:",
        "    with suppress(Refused):",
        f"        store.append(there, [{said(trial, 'kept')}])",
        "        raise AssertionError('its limit is gone')",
    ]
