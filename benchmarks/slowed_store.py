"""The reference, every call of which takes longer by a share of its own time.

The share is in percent in a module ``slowed_by`` that the test bed writes: a folder of it is one
version of this store. Nothing is calibrated: what a call took is taken once more, in part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from slowed_by import PERCENT

from sessionproof.contract.clock import monotonic_ns
from sessionproof.reference import ReferenceStore

TIMED = ("append", "get", "read_last", "page", "count", "create", "set_state", "delete")


def _slowed(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def slow(*given: Any, **named: Any) -> Any:
        began = monotonic_ns()
        answer = call(*given, **named)
        ended = monotonic_ns()
        until = ended + (ended - began) * PERCENT // 100
        while monotonic_ns() < until:
            pass
        return answer

    return slow


class Store(ReferenceStore):
    """Versions that differ in ``slowed_by`` differ in nothing else: equal ones wait for nothing."""


for _name in TIMED:
    setattr(Store, _name, _slowed(getattr(ReferenceStore, _name)))
