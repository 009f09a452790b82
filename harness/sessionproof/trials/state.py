"""State that is set and read: any JSON value under any key, beside all else that a session has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from hypothesis import strategies as st

from sessionproof.checks.transcript import Fault, judge
from sessionproof.contract.message import Json
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    GetState,
    Operation,
    Program,
    Reopen,
    SetState,
    session_of,
)
from sessionproof.trials.single import Trial
from sessionproof.workload import programs
from sessionproof.workload.execute import Transcript
from sessionproof.workload.hostile import ID_GROUPS, TEXTS, hostile_texts

_SESSIONS = ("s0", "s1")
_USUAL_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
_WHOLE_MOST = 2**53 - 1  # beyond it, and for 1.0, the JSON of some languages has no number
_LONG = 1_000
_DEEP = 5

VALUES: tuple[Json, ...] = (
    0, 1, True, 1.0, "1", "1.0", "true", False, 0.0, "", "0", None, "null", "None", [], {}, "[]",
    "{}", [None], [[]], {"": None}, {"inside": [1, True, 1.0, None, {"deep": ["x"]}]}, -1, 0.5,
    -2.25, 1e-7, _WHOLE_MOST, -_WHOLE_MOST, 2**53 + 1, 2**63, 10**30, {"a": 1, "b": 2}, {"a": 1},
    {"b": [1, 2, 3]}, [1, 2], [2, 1], [1, [2, [3, [4]]]], {"1": 1, "01": 2, "A": 3, "a": 4},
    {"__proto__": {"polluted": True}, "constructor": 1}, *TEXTS[:-2],
)  # fmt: skip
"""Values of every type, and those that careless stores take for one another."""

_NEVER_SET = ("never set", "constructor", "__proto__", "toString", "keys", "__class__", "0", "")
_KEYS = ("theme", "step", "step.name", "steps", "a.b", "a")


def read_back(trial: Trial) -> None:
    """Every sort of value and key by examples, then drawn programs that do all else between.

    Values and keys that not every encoding has may be refused, and are then not there. Counts
    values that were read after something had been set under their key.
    """
    for program in trial.within_time([*_examples(trial)]):
        transcript = trial.run(program, partial(_judged, trial), examined=0)
        trial.count(trial.guarantee.unit, read_values(transcript))
    trial.search(_drawn(trial), partial(_judged, trial), count=read_values)


def read_values(transcript: Transcript) -> int:
    """How many values were read under keys that something had been set under before."""
    seen, number = set(), 0
    for done in transcript:
        if done.outcome.type != "ok":
            continue
        match done.operation:
            case SetState(session, key, _):
                seen.add((session, key))
            case AppendWithState(session, _, state):
                seen |= {(session, key) for key in state}
            case GetState(session, key):
                number += (session, key) in seen
            case _:
                pass
    return number


def _judged(trial: Trial, transcript: Transcript) -> Fault | None:
    """The oracle's word; what is unusual may be refused, and read no further then."""
    taken = {
        (session_of(done.operation), key)
        for done in transcript
        if done.outcome.type == "ok"
        for key in _set_by(done.operation)
    }

    def may_refuse(operation: Operation) -> bool:
        if isinstance(operation, GetState):
            return not usual_key(operation.key) and (operation.session, operation.key) not in taken
        return any(
            not (usual_key(key) and usual(value)) for key, value in _set_by(operation).items()
        )

    return judge(transcript, trial.claims, refusable=may_refuse)


def _set_by(operation: Operation) -> dict[str, Json]:
    """What the operation sets, by key."""
    match operation:
        case SetState(_, key, value):
            return {key: value}
        case AppendWithState(_, _, state):
            return dict(state)
        case _:
            return {}


def usual_key(key: str) -> bool:
    """Whether every store owes to take this key."""
    return _USUAL_KEY.fullmatch(key) is not None


def usual(value: Any, deep: int = 0) -> bool:
    """Whether every store owes to take this value: others may be beyond what its encoding has."""
    if deep > _DEEP:
        return False
    match value:
        case None | bool():
            return True
        case int():
            return abs(value) <= _WHOLE_MOST
        case float():
            return math.isfinite(value) and not value.is_integer()
        case str():
            return len(value) <= _LONG and not re.search("[\x00\ud800-\udfff]", value)
        case dict():
            return all(usual(key) and usual(inside, deep + 1) for key, inside in value.items())
        case _:
            return all(usual(inside, deep + 1) for inside in value)


def _examples(trial: Trial) -> Iterator[Program]:
    """Values one after the other under one key, keys that are near each other, and lives."""
    for at in range(0, len(VALUES), 10):
        sets: list[Operation] = [SetState("s0", "value", one) for one in VALUES[at : at + 10]]
        yield _program(trial, [SetState("s0", "step", at), *sets])
    for group in ID_GROUPS:
        sets = [SetState("s0", key, at) for at, key in enumerate(group)]
        yield _program(trial, [*sets, SetState("s1", group[0], "other")])
    changes = programs.changes(trial.capabilities, trial.claims)
    kinds = [one for one in changes if one not in (SetState, AppendWithState)]
    for change in programs.one_of_each(trial.words, kinds, "s0", trial.text_seed):
        both = [SetState(name, "step", name) for name in _SESSIONS]
        yield _program(trial, [*both, change, *_begun(trial), SetState("s0", "theme", 1)])
    if trial.claims.at_least("durability", "process"):
        yield _program(trial, [SetState("s0", "step", {"at": 1}), Reopen()])


def _begun(trial: Trial) -> list[Operation]:
    """A message in each session: a store may know its sessions by their messages alone."""
    return [Append(name, trial.several(1)) for name in _SESSIONS]


def _program(trial: Trial, steps: Sequence[Operation]) -> Program:
    """The steps with a look at each key in both sessions where it is set, and at the end."""
    keys: dict[str, None] = {}
    watched: list[Operation] = [GetState("s0", key) for key in _NEVER_SET]
    for step in steps:
        watched.append(step)
        keys |= dict.fromkeys(_set_by(step))
        watched += [GetState(session_of(step), key) for key in _set_by(step)]
    watched += [GetState(name, key) for key in keys for name in _SESSIONS]
    return trial.program(*_begun(trial), *watched, sessions=_SESSIONS)


def _drawn(trial: Trial) -> st.SearchStrategy[Program]:
    """Sets of any values among all else that can be done to the sessions."""
    keys = st.one_of(st.sampled_from(_KEYS), st.sampled_from(_KEYS), hostile_texts())
    keys = keys.filter(lambda key: not key.startswith(("user:", "app:", "temp:")))
    values = st.one_of(st.sampled_from(VALUES), _nested())
    session = st.sampled_from(_SESSIONS)
    steps: list[st.SearchStrategy[Operation]] = [
        st.builds(SetState, session, keys, values),
        st.builds(SetState, session, st.just("step"), values),
    ]
    if "append_with_state" in trial.capabilities:
        messages = programs.batches(
            programs.messages(trial.words, trial.text_seed), programs.with_state_most(trial.claims)
        )
        state = st.dictionaries(st.sampled_from(_KEYS), values, min_size=1, max_size=3)
        steps.append(st.builds(AppendWithState, session, messages, state))
    kinds = [
        kind
        for kind in programs.kinds_for(trial.capabilities, trial.claims)
        if kind not in (SetState, GetState, AppendWithState)
    ]
    steps.append(programs.operation_strategy(trial.words, kinds, list(_SESSIONS), trial.text_seed))
    return st.lists(st.one_of(steps), min_size=1, max_size=10).map(partial(_program, trial))


def _nested() -> st.SearchStrategy[Json]:
    """Values inside each other."""
    return st.recursive(
        st.sampled_from(VALUES[:14]),
        lambda inside: (
            st.lists(inside, max_size=3)
            | st.dictionaries(st.sampled_from(("a", "b", "", "a.b")), inside, max_size=3)
        ),
        max_leaves=6,
    )
