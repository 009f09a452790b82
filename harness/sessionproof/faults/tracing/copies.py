"""Copies within the kernel (``copy_file_range``, ``sendfile``): which bytes went where."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from sessionproof.faults.tracing.calls import Call
from sessionproof.faults.tracing.descriptors import OpenFile, Task
from sessionproof.faults.tracing.tree import Tree

_DESCRIPTOR = re.compile(r"(\d+)<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Copied:
    """``into`` is None if the target lies elsewhere, ``data`` None if the source is unknown."""

    into: OpenFile | None
    offset: int = 0
    data: bytes | None = None


class Copies:
    """Moves the offsets of both open files, and finds the bytes."""

    def __init__(self, tree: Tree, mark: str) -> None:
        """``mark`` is the location's path as it stands in the trace."""
        self._tree = tree
        self._mark = mark
        self._elsewhere: dict[tuple[int, int, str], int] = {}

    def of(self, call: Call, task: Task) -> Copied:
        """What this call copied."""
        parts = call.arguments.split(", ")
        if call.name == "sendfile":
            (target, source, start), end = parts[:3], "NULL"
        else:
            source, start, target, end = parts[:4]
        opened = self._opened(source, task)
        first = _moved(opened, start, call.result)
        into = self._opened(target, task)
        if opened is not None:
            data: bytes | None = self._tree.content(opened.file, first, call.result)
        else:
            data = self._outside(source, start, call.result, task)
        if into is None:
            return Copied(None)
        return Copied(into, _moved(into, end, call.result), data)

    def _opened(self, text: str, task: Task) -> OpenFile | None:
        descriptor, _, path = text.partition("<")
        return task.table.opened.get(int(descriptor, 0)) if path.startswith(self._mark) else None

    def _outside(self, source: str, start: str, length: int, task: Task) -> bytes | None:
        found = _DESCRIPTOR.match(source)
        if found is None:
            return None
        path = bytes.fromhex(found[2].replace("\\x", ""))
        key = (id(task.table), int(found[1]), found[2])
        first = self._elsewhere.get(key, 0) if start == "NULL" else _number(start)
        if start == "NULL":
            self._elsewhere[key] = first + length
        try:
            with open(os.fsdecode(path), "rb") as file:  # noqa: PTH123 - bytes may be no text
                file.seek(first)
                data = file.read(length)
        except OSError:
            return None
        return data if len(data) == length else None


def _moved(opened: OpenFile | None, given: str, length: int) -> int:
    """The offset that was used; where none was given it is the open file's, which moves on."""
    if given != "NULL":
        return _number(given)
    if opened is None:
        return 0
    opened.offset += length
    return opened.offset - length


def _number(text: str) -> int:
    return int(text.strip("[]").partition("]")[0], 0)
