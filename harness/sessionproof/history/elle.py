"""Histories for Elle: transactions on lists, as EDN, one event a line.

A session is a list, a message an element of it, an operation a transaction. Elle orders events by
their place alone: what ends when another begins stands behind it, so the two are concurrent, as
our checks have it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import MISSING, NEVER, F, History, Type
from sessionproof.history.opinions import (
    LINES,
    REMOVED,
    Export,
    Mask,
    Places,
    Units,
    answers,
    counted,
    remaining,
    removed,
    session_names,
    units,
)
from sessionproof.history.transactions import Step, Transaction

_AGAIN = "refused, and sent again"
_WORDS = {Type.INFO: "info", Type.OK: "ok", Type.FAIL: "fail"}
_TYPES = {word: number for number, word in _WORDS.items()}

_Numbers: TypeAlias = npt.NDArray[Any]
_Value: TypeAlias = Callable[[int, bool], str]
"""The micro-operations of a call, by its number; with what they answered, or as they were asked."""


@dataclass(frozen=True)
class _Calls:
    """Transactions, one in each place. ``part`` is not 0 for what a call did besides, at once."""

    client: _Numbers
    inv: _Numbers
    ret: _Numbers
    type: _Numbers
    part: _Numbers


def exported(history: History, *, atomic_batches: bool) -> Export:
    """The appends and whole reads of sessions that only grow.

    A batch is one transaction where it lands whole or not at all; otherwise each message is one.
    """
    begin = answers(history)
    reasons = _left_out(history, begin >= 0)
    rows = remaining(history, reasons)
    chosen = units(history, rows, atomic_batches=atomic_batches)
    told = history.rows[chosen.row]
    calls = _Calls(told["client"], told["inv"], told["ret"], told["type"], chosen.part)
    return Export(_text_of(calls, _value_of(history, chosen, begin)), len(rows), counted(reasons))


def of_transactions(transactions: Sequence[Transaction]) -> Export:
    """All transactions; in one that took place, a read of unknown answer says nothing."""
    again = _refused_and_sent_again(transactions)
    told = [one for one, left in zip(transactions, again, strict=True) if not left]
    calls = _Calls(
        np.array([one.client for one in told], np.int64),
        np.array([one.inv for one in told], np.int64),
        np.array([NEVER if one.ret is None else one.ret for one in told], np.int64),
        np.array([_TYPES[one.type] for one in told], np.uint8),
        np.zeros(len(told), np.int64),
    )

    def value(call: int, answered: bool) -> str:
        steps = told[call].steps
        return " ".join(filter(None, (_step(step, answered=answered) for step in steps)))

    return Export(_text_of(calls, value), len(told), counted({_AGAIN: np.array(again, bool)}))


def _refused_and_sent_again(transactions: Sequence[Transaction]) -> list[bool]:
    out = [False] * len(transactions)
    later: set[int] = set()
    for at in sorted(range(len(out)), key=lambda at: -transactions[at].inv):
        ids = set(_ids(transactions[at]))
        out[at] = transactions[at].type == "fail" and not later.isdisjoint(ids)
        later |= ids
    return out


def _ids(one: Transaction) -> Iterator[int]:
    """What a transaction sends."""
    return (number for step in one.steps if step.f == "append" for number in step.ids or ())


def _step(step: Step, *, answered: bool) -> str:
    key = _key_of(step.session)
    if step.f == "append":
        return _appended(key, step.ids or ())
    if answered and step.ids is None:
        return ""
    return _was_read(key, step.ids or (), answered=answered)


def _left_out(history: History, known: Mask) -> dict[str, Mask]:
    """The rows that Elle has no words for, each under one reason."""
    rows = history.rows
    there = (rows["type"] == Type.OK) & (rows["length"] != MISSING)
    newest = rows["f"] == F.READ_LAST
    # Fewer than were asked for are all that there are.
    part = (newest & ~(there & (rows["length"] < rows["n"]))) | (rows["f"] == F.COUNT)
    reads = np.isin(rows["f"], (F.READ, F.PAGES, F.READ_LAST))
    writes = np.isin(rows["f"], (F.APPEND, F.CREATE)) & (rows["n"] > 0)
    reasons = {
        REMOVED: removed(history),
        "that neither append nor read messages": ~(reads | writes | part),
        "that read a part of a session, or count": part,
        "whose answer was not kept in full": reads & there & (rows["length"] > 0) & ~known,
        _AGAIN: writes & _sent_again(history),
    }
    before = np.zeros(len(history), bool)
    for reason, those in reasons.items():
        reasons[reason] = those & ~before
        before |= those
    return reasons


def _sent_again(history: History) -> Mask:
    """Attempts that a later one with the same ids follows: Elle takes a message for sent once."""
    rows = history.rows
    order = np.lexsort((rows["inv"], rows["id"]))
    again = np.zeros(len(rows), bool)
    again[order[:-1]] = np.diff(rows["id"][order]) == 0
    again[rows["type"] != Type.FAIL] = False
    return again


def _text_of(calls: _Calls, value: _Value) -> Iterator[str]:
    """The events in order, some lines at a time."""
    if not len(calls.inv):
        return
    answered = calls.type != Type.INFO
    start = int(calls.inv.min())
    end = max(int(calls.inv.max()), int(calls.ret[answered].max(initial=start)))
    times = np.concatenate((calls.inv, np.where(answered, calls.ret, end))) - start
    # What nobody knows the end of never ends: it stands behind all that did.
    ends = np.concatenate((np.zeros(len(answered), int), np.where(answered, 1, 2)))
    order = np.lexsort((ends, times))
    process = _processes(calls).tolist()
    words = [_WORDS[Type(number)] for number in calls.type.tolist()]
    for at in range(0, len(order), LINES):
        some = order[at : at + LINES]
        lines = []
        for index, (event, time) in enumerate(
            zip(some.tolist(), times[some].tolist(), strict=True), at
        ):
            ended, call = divmod(event, len(words))
            word = words[call] if ended else "invoke"
            lines.append(
                f"{{:index {index} :time {time} :process {process[call]} :type :{word} "
                f":f :txn :value [{value(call, word == 'ok')}]}}\n"
            )
        yield "".join(lines)


def _processes(calls: _Calls) -> _Numbers:
    """A process for each client, and a new one for each call that began before its last ended.

    So it is after an unknown outcome, and where a clock has stood still; the further messages of
    a batch that is taken apart have one each.
    """
    apart = calls.part > 0
    order = np.lexsort((calls.ret, calls.inv, calls.client, apart))
    inv, ret, client = calls.inv[order], calls.ret[order], calls.client[order]
    new = np.ones(len(order), bool)
    new[1:] = (client[1:] != client[:-1]) | (inv[1:] <= ret[:-1]) | apart[order][1:]
    out = np.zeros(len(order), np.int64)
    out[order] = np.cumsum(new) - 1
    return out


def _value_of(history: History, chosen: Units, begin: Places) -> _Value:
    """An append of the messages of a unit, or a read with its list."""
    names = [_key_of(name) for name in session_names(history)]
    keys = [names[number] for number in history.rows["session"][chosen.row].tolist()]
    first, n = chosen.first.tolist(), chosen.n.tolist()
    start = begin[chosen.row].tolist()
    length = np.maximum(history.rows["length"][chosen.row], 0).tolist()
    ids = history.lists.ids.astype(str).tolist()

    def value(call: int, answered: bool) -> str:
        if n[call]:
            return _appended(keys[call], range(first[call], first[call] + n[call]))
        there = ids[start[call] : start[call] + length[call]]
        return _was_read(keys[call], there, answered=answered)

    return value


def _key_of(name: str | int) -> str:
    """A key: texts are written as in JSON, whose escapes are among those of EDN's readers."""
    return json.dumps(name)


def _appended(key: str, ids: Iterable[int]) -> str:
    """One micro-operation a message."""
    return " ".join(f"[:append {key} {number}]" for number in ids)


def _was_read(key: str, ids: Iterable[object], *, answered: bool) -> str:
    """The whole list, or nil where it is not known."""
    return f"[:r {key} [{' '.join(map(str, ids))}]]" if answered else f"[:r {key} nil]"
