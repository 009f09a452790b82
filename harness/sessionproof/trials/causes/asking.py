"""Asking a process that counts: opened, filled, then asked for one operation after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sessionproof.bench.arms.remote import ArmFailed, RemoteArm

PROGRAM = "sessionproof.trials.causes.counted_main"
CONTROL = "append"
"""It is asked in any case, and first: a store that shows nothing then shows nothing at all."""

MESSAGES = 300  # of the session that is read
LOAD_S = 5.0  # what loading may take; a slow store has fewer messages

Told: TypeAlias = Mapping[str, Any]
"""What is known of one operation by the names of ``Causes``; ``why`` alone if nothing is."""

Ask: TypeAlias = Callable[[RemoteArm, str], Told]


def asked(
    begin: Callable[[], RemoteArm],
    root: Path,
    order: Sequence[str],
    ask: Ask,
    *,
    traced: bool = False,
) -> dict[str, Told]:
    """What each operation came to; ``begin`` starts the process.

    ``traced``: whether it looks at statements.
    """
    told: dict[str, Told] = {}
    arm: RemoteArm | None = None
    try:
        arm = begin()
        arm.open(root, traced=traced)
        arm.call("load", MESSAGES, LOAD_S, within_s=LOAD_S)
        for operation in order:
            told[operation] = _one(arm, operation, ask)
    except ArmFailed as why:
        told |= {operation: {"why": str(why)} for operation in order if operation not in told}
    finally:
        if arm is not None:
            arm.end()
    return told


def _one(arm: RemoteArm, operation: str, ask: Ask) -> Told:
    try:
        return ask(arm, operation)
    except ArmFailed as why:
        if why.gone:
            raise
        return {"why": str(why)}
