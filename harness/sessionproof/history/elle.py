"""Histories for Elle: transactions on lists, as EDN, one event a line.

A session is a list, a message an element of it, an operation a transaction. Elle orders events by
their place alone: what ends when another begins stands behind it, so the two are concurrent, as
our checks have it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import MISSING, F, History, Type
from sessionproof.history.opinions import (
    LINES,
    REMOVED,
    Export,
    Mask,
    Units,
    counted,
    kept,
    remaining,
    removed,
    session_names,
    units,
)

_WORDS = {Type.INFO: "info", Type.OK: "ok", Type.FAIL: "fail"}

Numbers: TypeAlias = npt.NDArray[Any]
Value: TypeAlias = Callable[[int, bool], str]
"""The micro-operations of a call, by its number; with what they answered, or as they were asked."""


@dataclass(frozen=True)
class Calls:
    """Transactions, one in each place. ``part`` is not 0 for what a call did besides, at once."""

    client: Numbers
    inv: Numbers
    ret: Numbers
    type: Numbers
    part: Numbers


def exported(history: History, *, atomic_batches: bool) -> Export:
    """The appends and whole reads of sessions that only grow.

    A batch is one transaction where it lands whole or not at all; otherwise each message is one.
    """
    reasons = _left_out(history)
    rows = remaining(history, reasons)
    chosen = units(history, rows, atomic_batches=atomic_batches)
    told = history.rows[chosen.row]
    calls = Calls(told["client"], told["inv"], told["ret"], told["type"], chosen.part)
    return Export(text_of(calls, _value_of(history, chosen)), len(rows), counted(reasons))


def _left_out(history: History) -> dict[str, Mask]:
    """The rows that Elle has no words for, each under one reason."""
    rows = history.rows
    known = (rows["type"] == Type.OK) & (rows["length"] != MISSING)
    newest = rows["f"] == F.READ_LAST
    # Fewer than were asked for are all that there are.
    part = (newest & ~(known & (rows["length"] < rows["n"]))) | (rows["f"] == F.COUNT)
    reads = np.isin(rows["f"], (F.READ, F.PAGES, F.READ_LAST))
    writes = np.isin(rows["f"], (F.APPEND, F.CREATE)) & (rows["n"] > 0)
    reasons = {
        REMOVED: removed(history),
        "that neither append nor read messages": ~(reads | writes | part),
        "that read a part of a session, or count": part,
        "whose answer was not kept in full": reads & known & ~kept(history),
        "refused, and sent again": writes & _sent_again(history),
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


def text_of(calls: Calls, value: Value) -> Iterator[str]:
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


def _processes(calls: Calls) -> Numbers:
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


def _value_of(history: History, chosen: Units) -> Value:
    """An append of the messages of a unit, or a read with its list."""
    names = [key_of(name) for name in session_names(history)]
    keys = [names[number] for number in history.rows["session"][chosen.row].tolist()]
    rows, first, n = chosen.row.tolist(), chosen.first.tolist(), chosen.n.tolist()

    def value(call: int, answered: bool) -> str:
        if n[call]:
            return appended(keys[call], range(first[call], first[call] + n[call]))
        ids = history.lists.of(rows[call])
        return was_read(keys[call], () if ids is None else ids.tolist(), answered=answered)

    return value


def key_of(name: str | int) -> str:
    """A key: texts are written as in JSON, whose escapes are among those of EDN's readers."""
    return json.dumps(name)


def appended(key: str, ids: Iterable[int]) -> str:
    """One micro-operation a message."""
    return " ".join(f"[:append {key} {number}]" for number in ids)


def was_read(key: str, ids: Iterable[int], *, answered: bool) -> str:
    """The whole list, or nil where it is not known."""
    return f"[:r {key} [{' '.join(map(str, ids))}]]" if answered else f"[:r {key} nil]"
