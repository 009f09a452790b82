"""Descriptors, as the kernel keeps them: who has which file open, and at which offset.

A descriptor leads to an *open file*, which has the offset. Copies of the descriptor (``dup``) and
those of a child (``fork``) lead to the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file or folder below the location that somebody has open; ``file`` is its number.

    ``readable`` files may have been read at any time; ``doubtful`` says that this could have moved
    the offset since it was last known.
    """

    file: int
    readable: bool = False
    doubtful: bool = False
    append: bool = False
    synced: bool = False
    offset: int = 0


@dataclass(slots=True, eq=False)
class Table:
    """The descriptors of a process and its threads; those in ``closing`` end with ``execve``."""

    opened: dict[int, OpenFile] = field(default_factory=dict)
    closing: set[int] = field(default_factory=set)

    def put(self, descriptor: int, opened: OpenFile | None, *, closing: bool) -> None:
        """Let the descriptor lead to this open file, or to nothing that counts."""
        self.drop(descriptor)
        if opened is not None:
            self.opened[descriptor] = opened
            if closing:
                self.closing.add(descriptor)

    def drop(self, descriptor: int) -> None:
        """Close it."""
        self.opened.pop(descriptor, None)
        self.closing.discard(descriptor)

    def keep_over_exec(self) -> None:
        """Close what does not outlive ``execve``."""
        for descriptor in tuple(self.closing):
            self.drop(descriptor)

    def copy(self) -> Table:
        """What a child gets: descriptors of its own to the same open files."""
        return Table(dict(self.opened), set(self.closing))


@dataclass(slots=True, eq=False)
class Folder:
    """The folder in which a process works; its threads share it."""

    path: str


@dataclass(slots=True, eq=False)
class Task:
    """One thread, or a process of one. ``client`` is the client for whom its tree works."""

    table: Table
    folder: Folder
    client: int
    parent: int = 0


class Tasks:
    """All tasks of a trace by their numbers."""

    def __init__(self, folder: str, clients: dict[int, int]) -> None:
        """``clients`` are the first processes of the clients; ``folder`` is where all begin."""
        self._folder = folder
        self._clients = clients
        self._tasks: dict[int, Task] = {}
        self._beginning: dict[int, str] = {}  # parents that are making a child, newest last

    def __getitem__(self, pid: int) -> Task:
        """The task; one that was not seen before is the child that is being made right now."""
        task = self._tasks.get(pid)
        if task is None:
            task = self._first() if not self._beginning else self._adopted(pid)
            self._tasks[pid] = task
        return task

    def begins(self, parent: int, flags: str) -> None:
        """This task has begun to make another."""
        self[parent]
        self._beginning.pop(parent, None)
        self._beginning[parent] = flags

    def made(self, parent: int, child: int, flags: str) -> None:
        """This task has made another."""
        self[parent]
        self._beginning.pop(parent, None)
        known = self._tasks.get(child)
        if child > 0 and (known is None or known.parent != parent):
            self._tasks[child] = self._child(parent, child, flags)

    def _first(self) -> Task:
        return Task(Table(), Folder(self._folder), 0)

    def _adopted(self, pid: int) -> Task:
        parent, flags = next(reversed(self._beginning.items()))
        return self._child(parent, pid, flags)

    def _child(self, parent: int, child: int, flags: str) -> Task:
        maker = self._tasks[parent]
        return Task(
            maker.table if "CLONE_FILES" in flags else maker.table.copy(),
            maker.folder if "CLONE_FS" in flags else Folder(maker.folder.path),
            self._clients.get(child, maker.client),
            parent,
        )
