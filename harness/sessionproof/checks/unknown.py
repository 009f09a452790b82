"""Looking at what does not exist: empty, or an error that says so."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Completed, method_of, session_of

# What Python raises when code meets something that its author did not think of. A KeyError is
# none of them: it is how Python says that there is no such thing.
_ACCIDENTS = frozenset({
    "AssertionError", "AttributeError", "IndexError", "NameError", "RecursionError",
    "StopIteration", "TypeError", "UnboundLocalError", "ZeroDivisionError",
})  # fmt: skip


def judge_not_found(transcript: Sequence[Completed], unknown: str) -> Fault | None:
    """The first look at the unknown session that ended by accident, or None.

    Any error on purpose is right, the store's own too; the oracle says where none is.
    """
    for index, done in enumerate(transcript):
        failure = done.outcome.failure
        if session_of(done.operation) == unknown and failure and failure.type in _ACCIDENTS:
            return Fault(
                index=index,
                anomaly=Anomaly.WRONG_ANSWER,
                expected=f"{method_of(done.operation)} of an unknown session is empty, or raises "
                "an error that says so",
                seen=f"it raised {failure}",
                evidence=dict(failure.evidence),
            )
    return None
