"""What Elle and Porcupine would say of an export: every order tried, of what the export says.

Neither knows what the history was; they read the form that the other checkers read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from edn_text import events

from sessionproof.history.columns import digest_of
from sessionproof.history.tokens import tokens_of

FOREVER = float("inf")


@dataclass(frozen=True)
class Call:
    """An operation from ``inv`` to ``ret``; ``sure`` that it took place."""

    inv: float
    ret: float
    sure: bool
    does: Any


def elle_transactions(text: str) -> list[Call]:
    """What did not fail, paired by process as Jepsen does; asserts that the events are in form."""
    out: list[Call] = []
    open_calls: dict[int, dict[str, Any]] = {}
    ended: set[int] = set()
    sent: set[tuple[Any, int]] = set()
    before = 0
    for index, event in enumerate(events(text)):
        assert [*event] == [":index", ":time", ":process", ":type", ":f", ":value"]
        assert event[":index"] == index, "indices are places"
        assert event[":time"] >= before, "time does not go back"
        assert not ended or event[":type"] == ":info", "what never ends stands behind the rest"
        before, process = event[":time"], event[":process"]
        assert process not in ended, "who does not know how it ended is gone"
        if event[":type"] == ":invoke":
            assert process not in open_calls, "a process does one thing at a time"
            open_calls[process] = event
            appends = [(k, v) for f, k, v in event[":value"] if f == ":append"]
            assert sent.isdisjoint(appends), "an element is appended once"
            sent.update(appends)
            continue
        begun = open_calls.pop(process)
        assert [mop[:2] for mop in begun[":value"]] == [mop[:2] for mop in event[":value"]]
        sure = event[":type"] == ":ok"
        if event[":type"] == ":info":
            ended.add(process)
        if event[":type"] != ":fail":
            inv, ret = begun[":index"], index if sure else FOREVER
            out.append(Call(inv, ret, sure, event[":value"]))
    assert not open_calls, "what began has an end"
    return out


def elle_explains(text: str) -> bool:
    """Whether the transactions are strictly serializable."""
    return _explained(elle_transactions(text), (), _perform)


def _perform(lists: Any, call: Call) -> Any:
    """The lists after a transaction, None where it cannot have answered so."""
    now = dict(lists)
    for f, key, value in call.does:
        if f == ":append":
            now[key] = (*now.get(key, ()), value)
        elif call.sure and tuple(value) != now.get(key, ()):
            return None
    return tuple(sorted(now.items(), key=repr))


def porcupine_explains(text: str, *, creates: bool) -> dict[str | int, bool]:
    """Of each session, whether an order explains all answers."""
    sessions: dict[str | int, list[dict[str, Any]]] = {}
    for one in json.loads(text):
        assert [*one] == ["ClientId", "Input", "Call", "Output", "Return"]
        sessions.setdefault(one["Input"]["Session"], []).append(one)
    return {name: _session_explained(some, creates) for name, some in sessions.items()}


def _session_explained(operations: Sequence[dict[str, Any]], creates: bool) -> bool:
    calls = [
        Call(one["Call"], one["Return"], one["Output"] is not None, (one["Input"], one["Output"]))
        for one in operations
    ]
    known = [call.ret for call in calls if call.sure]
    assert all(call.ret > max(known, default=-1) for call in calls if not call.sure)
    begins = [("missing", ())]
    if not creates and all(one["Input"]["Call"] != "create" for one in operations):
        begins.append(("made", ()))
    return any(_explained(calls, begin, lambda s, c: _answer(s, c, creates)) for begin in begins)


def _answer(state: Any, call: Call, creates: bool) -> Any:
    (kind, ids), (asked, said) = state, call.does
    new = tuple(asked.get("Ids", ()))
    empty = not ids and kind != "made"
    if said and said.get("Missing"):
        return state if empty else None
    match asked["Call"]:
        case "read" | "read_last":
            seen = ids[-asked["N"] :] if "N" in asked else ids
            if said.get("Ids") is not None and tuple(said["Ids"]) != seen:
                return None
            same = (said["Length"], said["Digest"]) == (len(seen), _digest(seen))
            return state if same else None
        case "count":
            right = said["Tokens"] in (-1, sum(map(tokens_of, ids)))
            return state if said["Length"] == len(ids) and right else None
        case "append":
            if kind == "missing" and not creates:
                return None if call.sure else state
            return ("emptied" if kind == "missing" else kind, ids + new)
        case "create":
            if empty:
                return ("made", new)
            return None if call.sure and new else state
        case "delete":
            return ("missing", ())
        case "clear" | "replace":
            return ("emptied", new)
    raise AssertionError(asked["Call"])


def _digest(ids: tuple[int, ...]) -> int:
    import numpy as np

    return digest_of(np.array(ids, np.uint64))


def _explained(
    calls: Sequence[Call], begin: Hashable, perform: Callable[[Any, Call], Hashable | None]
) -> bool:
    """Whether an order that is true to real time gives all answers; unsure calls may be left."""
    seen: set[tuple[frozenset[int], Hashable]] = set()
    sure = {at for at, call in enumerate(calls) if call.sure}
    todo: list[tuple[frozenset[int], Any]] = [(frozenset(range(len(calls))), begin)]
    while todo:
        left, state = todo.pop()
        if not left & sure:
            return True
        until = min(calls[at].ret for at in left & sure)
        for at in left:
            if calls[at].inv <= until:
                after = perform(state, calls[at])
                if after is not None and (left - {at}, after) not in seen:
                    seen.add((left - {at}, after))
                    todo.append((left - {at}, after))
    return False
