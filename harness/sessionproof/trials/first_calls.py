"""The first call on an empty location: it is answered as the same call is answered later."""

from __future__ import annotations

from collections.abc import Iterator

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    Append,
    DeleteMessage,
    EditMessage,
    Operation,
    Outcome,
    ReadPages,
    Reopen,
    as_call,
)
from sessionproof.scripts.expressions import call
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial
from sessionproof.workload import programs

_OF_A_MESSAGE = (DeleteMessage, EditMessage)  # it needs the id of one that is there


def answered_alike(trial: Trial) -> None:
    """Each call on an unknown session: as the first of all, and when another session is there.

    Both are answered, or both are refused in the same way: tables that are made later, say, are no
    reason for an error that a user cannot know.
    """
    for first, later in zip(_calls(trial, "first"), _calls(trial, "later"), strict=True):
        trial.store.fresh_location()
        before = trial.handle().invoke(first, "first")
        trial.run(trial.program(Append("s0", trial.several(1))), examined=0)
        after = trial.handle().invoke(later, "later")
        trial.require(
            _manner(before) == _manner(after),
            Anomaly.WRONG_ANSWER,
            did=f"{as_call(first)} as the first call on an empty location, and {as_call(later)} "
            "when another session had a message",
            expected="both are answered, or both raise the same error",
            seen=f"first {_told(before)}, then {_told(after)}",
            program=[as_call(first), as_call(Append("s0", trial.several(1))), as_call(later)],
            script=_script(trial, first, later),
        )
        trial.count("operations", 2)


def _calls(trial: Trial, session: str) -> Iterator[Operation]:
    kinds = programs.kinds_for(trial.capabilities, trial.claims)
    changes = [
        kind
        for kind in programs.changes(trial.capabilities, trial.claims)
        if kind not in _OF_A_MESSAGE
    ]
    asked = programs.observations([session], [one for one in kinds if one is not ReadPages])
    for one in (*programs.one_of_each(trial.words, changes, session, trial.text_seed), *asked):
        if not isinstance(one, Reopen):
            yield one


def _manner(outcome: Outcome) -> str:
    return "an answer" if outcome.failure is None else outcome.failure.type


def _told(outcome: Outcome) -> str:
    failure = outcome.failure
    return "an answer" if failure is None else str(failure)


def _script(trial: Trial, first: Operation, later: Operation) -> list[str]:
    """Both calls in lines, and that they went the same way."""
    return [
        "manners = []",
        *_tried(first, "first"),
        *made(trial, "s0"),
        f"store.append(s0, [{said(trial, 'x')}])",
        *_tried(later, "later"),
        "assert manners[0] == manners[1], manners",
    ]


def _tried(operation: Operation, session: str) -> list[str]:
    return [
        "try:",
        f"    {call(operation, repr(session))}",
        "    manners.append('an answer')",
        "except Exception as error:",
        "    manners.append(type(error).__name__)",
    ]
