"""Concurrent histories in lines that people can read.

A line is one operation: client, call, what it sent, what it answered, and when::

    "1 append a b        0-10"          a batch of two messages
    "2 append c          5-?"           nobody knows its outcome
    "2 append c          5-9 refused"
    "3 read -> a b       12-20"
    "3 read ->           12-20"         an empty answer
    "3 read_last 2 -> b  12-20"
    "3 count -> 2/9      12-20"         two messages, nine tokens
    "1 append a -> 41    0-10"          its number
    "1 delete            0-10"
    "3 read -> missing   12-20"         there is no such session
    "9 final read -> a b 50-51"         when all is quiet
    "1 append a          0-10 @t"       in session t; the others are in s

Messages are named; a name that nobody sent is an id of its own, ``0x200`` the id 0x200, and ``?`` a
text that is none.
Times are microseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from sessionproof.history.columns import (
    MISSING,
    NEVER,
    NONE,
    ROW,
    F,
    History,
    Lists,
    Phase,
    Type,
    digest_of,
)

_LINE = re.compile(
    r"(?P<client>\d+) (?P<final>final )?(?P<call>\w+)(?P<sent>[^>]*?)(?:\s*->(?P<answer>.*?))?"
    r"\s+(?P<inv>\d+)-(?P<ret>\d+|\?)(?P<refused> refused)?(?: @(?P<session>\w+))?$"
)
_SENDS = ("append", "create", "replace")


@dataclass(frozen=True)
class Named:
    """A history, and the ids of its messages by name."""

    history: History
    ids: dict[str, int]


def named(
    *lines: str, odd: tuple[tuple[int, str], ...] = (), unkept: tuple[int, ...] = ()
) -> Named:
    """The history of these lines; of those in ``unkept``, answers are digests alone."""
    parts = [_LINE.match(line) for line in lines]
    assert all(parts), [line for line, part in zip(lines, parts, strict=True) if not part]
    ids = _ids(parts)
    sessions = tuple(dict.fromkeys(part["session"] or "s" for part in parts))
    rows = np.zeros(len(parts), ROW)
    answers = {}
    for at, part in enumerate(parts):
        answer = _row(rows, at, part, ids, sessions)
        if answer is not None and at not in unkept:
            answers[at] = answer
    flat = [number for answer in answers.values() for number in answer]
    lists = Lists(
        np.array([*answers], np.int64),
        np.cumsum([0, *map(len, answers.values())], dtype=np.int64),
        np.array(flat, np.uint64),
    )
    return Named(History(rows, lists, sessions, odd=odd), ids)


def history(*lines: str) -> History:
    """The history of these lines, every answer kept."""
    return named(*lines).history


def _ids(parts) -> dict[str, int]:
    """Each name its id: those that were sent by their operation, others by nobody."""
    ids = {"?": 0}
    for at, part in enumerate(parts):
        if part["call"] in _SENDS:
            for place, name in enumerate(part["sent"].split()):
                ids.setdefault(name, (at + 1) << 8 | place)
    strangers = 0x9900
    for part in parts:
        if part["call"] in ("read", "pages", "read_last") and part["answer"]:
            for name in part["answer"].split():
                if name.startswith("0x"):
                    ids[name] = int(name, 16)
                elif name not in ids and name != "missing":
                    ids[name] = strangers << 8
                    strangers += 1
    return ids


def _row(rows, at, part, ids, sessions) -> list[int] | None:
    """Fill in a row; its answer, if it read messages."""
    row, call, sent = rows[at : at + 1], part["call"], part["sent"].split()
    row["f"] = F[call.upper()]
    row["client"], row["session"] = int(part["client"]), sessions.index(part["session"] or "s")
    row["id"] = ids[sent[0]] if call in _SENDS and sent else (at + 1) << 8
    row["n"] = int(sent[0]) if sent and sent[0].isdecimal() else len(sent)
    row["inv"] = int(part["inv"]) * 1000
    row["ret"] = NEVER if part["ret"] == "?" else int(part["ret"]) * 1000
    row["type"] = Type.INFO if part["ret"] == "?" else Type.FAIL if part["refused"] else Type.OK
    row["phase"] = Phase.FINAL if part["final"] else Phase.LOAD
    row["value"] = NONE
    answer = part["answer"]
    if answer is None:
        return None
    words = answer.split()
    if words == ["missing"]:
        row["length"] = MISSING
    elif call == "append":
        row["value"] = int(words[0])
    elif call == "count":
        count, _, total = words[0].partition("/")
        row["length"], row["value"] = int(count), int(total or NONE)
    else:
        numbers = [ids[word] for word in words]
        row["length"], row["last"] = len(numbers), numbers[-1] if numbers else 0
        row["digest"] = digest_of(np.array(numbers, np.uint64))
        return numbers
    return None
