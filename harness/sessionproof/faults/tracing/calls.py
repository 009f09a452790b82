"""The lines of a trace as system calls: those that were interrupted are joined again.

All texts stand in the trace as hexadecimal escapes (``strace -xx``), so no name of a file and no
byte that was written can be mistaken for the trace's own punctuation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One system call at its completion; ``began`` if it is not completed yet, but has begun.

    ``result`` is the number that it answered, -1 for any failure or when nobody knows.
    ``answered`` is the whole text behind the equals sign.
    """

    pid: int
    name: str
    arguments: str
    result: int
    answered: str = ""
    began: bool = False


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls in the order of their completion; lines that are no calls are passed over.

    Of calls that make processes the beginning is told, too: the child may be seen before its
    parent's call is completed. A ``close`` that is interrupted counts from its beginning: another
    thread may get the same descriptor, and be seen with it, before the first thread's call ends.
    """
    begun: dict[int, str] = {}
    for line in lines:
        number, _, text = line.rstrip("\n").partition(" ")
        text = text.lstrip(" ")
        if not number.isdecimal() or text.startswith(("+++", "---")):
            continue
        pid = int(number)
        if text.endswith(_UNFINISHED):
            begun[pid] = text = text[: -len(_UNFINISHED)]
            name, _, arguments = text.partition("(")
            if name == "close":
                yield Call(pid, name, arguments.removesuffix(")"), 0)
            elif name.startswith("clone") or name.endswith("fork"):
                yield Call(pid, name, arguments, -1, began=True)
            continue
        if text.startswith("<... "):
            rest = text.partition(" resumed>")[2]
            text = begun.pop(pid, "") + rest
            if text.startswith("close("):
                continue
        head, equals, answered = text.rpartition(" = ")
        name, bracket, arguments = head.rstrip(" ").partition("(")
        if equals and bracket:
            yield Call(pid, name, arguments.removesuffix(")"), _number(answered), answered)


def _number(answered: str) -> int:
    first = answered.partition(" ")[0].partition("<")[0]
    try:
        return int(first, 0)
    except ValueError:
        return -1  # "?": it never returned
