"""What a store says of its own health: nothing bad while all is well, and something of damage.

A check may be unlucky, as one that measures time on a busy machine: so a store that is well is
looked at three times, and what was bad only now and then counts for nothing later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.health import Health, HealthCheck
from sessionproof.faults.rows import RowDamage
from sessionproof.scripts import healths as lines
from sessionproof.trials.single import Trial
from sessionproof.workload.guard import Handle
from sessionproof.workload.lifetime import health

LOOKS = 3
_BAD = ("warning", "critical")
_TOLD = ("counter", "orphans", "gone")
"""What a look at the data cannot overlook; other damage is for ``verify``."""


def usual_signs(trial: Trial, script: Callable[[], Sequence[str]]) -> set[str]:
    """Names of checks that are not content with a store that is well; raises Broken.

    It is closed, and opened for this as a damaged one will be: a handle that has done nothing may
    know less of itself. ``script`` makes the lines of such a store. Empty for a store that says
    nothing of its health.
    """
    if "health" not in trial.capabilities:
        return set()
    handle = trial.handle()
    looks: list[Health] = []
    while len(looks) < LOOKS and (not looks or _not_content(looks[-1])):
        looks.append(_asked(trial, handle, "asked health about a store that is well", script))
    always = set.intersection(*({one.name for one in _bad(look)} for look in looks))
    trial.require_ok(trial.store.close(), "closed the store")
    seen = "; ".join(_said(one) for one in _bad(looks[-1]) if one.name in always)
    trial.require(
        not always,
        Anomaly.WRONG_ANSWER,
        did=f"appended to three sessions, opened the store again, then asked health {LOOKS} times",
        expected="no check warns, as nothing is wrong",
        seen=seen,
        script=[*script(), *lines.well()] if always else [],
    )
    return set().union(*({one.name for one in _not_content(look)} for look in looks))


def require_told(
    trial: Trial,
    handle: Handle,
    damage: RowDamage,
    usual: set[str],
    script: Callable[[], Sequence[str]],
) -> None:
    """Raise Broken unless health is other than ok, by a check that was content before.

    ``script`` makes the lines that do the damage and open the store.
    """
    if "health" not in trial.capabilities or damage.about not in _TOLD:
        return
    did = f"rows damaged by SQL: {damage.words}; asked health"
    found = _asked(trial, handle, did, script)
    new = [one for one in _not_content(found) if one.name not in usual]
    told = bool(new) or found.severity == "unknown"
    trial.require(
        told,
        Anomaly.UNNOTICED,
        did=did,
        expected="a check that warns, or says that it cannot tell",
        seen="; ".join(map(_said, found.checks[:5])) or "no checks",
        program=damage.statements,
        script=[] if told else [*script(), *lines.told(usual)],
    )


def _asked(trial: Trial, handle: Handle, did: str, script: Callable[[], Sequence[str]]) -> Health:
    outcome = health(handle)
    failed = outcome.failure is not None
    trial.require_ok(outcome, did, [*script(), *lines.asked()] if failed else [])
    answer: Health = outcome.value
    return answer


def _bad(look: Health) -> list[HealthCheck]:
    return [one for one in look.checks if one.severity in _BAD]


def _not_content(look: Health) -> list[HealthCheck]:
    return [one for one in look.checks if one.severity != "ok"]


def _said(one: HealthCheck) -> str:
    return f"{one.name}: {one.severity}, {one.text[:100]}"
