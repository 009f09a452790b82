"""From system calls to changes: what they did to the files below a location, and who was answered.

Names and descriptors are resolved here; what a change means for the tree is known in ``tree.py``.
Whatever cannot be followed is remembered as a reason, and the recording is then not judged.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sessionproof.faults.changes import Changes, Kind
from sessionproof.faults.crashes.images import Image
from sessionproof.faults.tracing.arguments import (
    DESCRIPTOR,
    TEXT,
    escaped,
    explicit_offset,
    plain,
    sent,
)
from sessionproof.faults.tracing.calls import Call
from sessionproof.faults.tracing.copies import Copies
from sessionproof.faults.tracing.descriptors import OpenFile, Task, Tasks
from sessionproof.faults.tracing.rows import Rows
from sessionproof.faults.tracing.tree import Tree, passed_over

NOTHING_THERE = Image()


@dataclass(frozen=True)
class Followed:
    """``answers``: for each pipe the places of its answers. ``hidden``: why it is not all.

    ``unsure``: reads were not traced, and where a write went may depend on them. ``ringless``: it
    asked for io_uring, which it was refused.
    """

    changes: Changes
    answers: Mapping[str, tuple[int, ...]]
    hidden: str
    unsure: bool = False
    ringless: bool = False


def follow(
    calls: Iterable[Call],
    *,
    root: Path,
    started_in: Path,
    pipes: Mapping[str, int],
    clients: Mapping[int, int],
    data: Path,
    reads: bool = True,
    there: Image = NOTHING_THERE,
) -> Followed:
    """The changes below ``root``, where ``there`` lay at the start: its files are changes, too.

    ``started_in`` is the folder in which the traced command was started. ``pipes`` are the pipes
    for answers, as ``pipe:[12]``, with the client of each; ``clients`` the first process of each
    client. ``data`` is the file that gets what was written. ``reads`` says that they were traced.
    """
    with Rows(data) as rows:
        follower = _Follower(rows, root, started_in, pipes, clients, reads=reads)
        follower.tree.begin(there)
        for call in calls:
            follower.take(call)
        changes = rows.changes()
    hidden = follower.hidden or follower.tree.difference(root)
    answers = {pipe: tuple(at) for pipe, at in follower.answers.items()}
    return Followed(changes, answers, hidden, follower.unsure, follower.ringless)


class _Follower:
    def __init__(
        self,
        rows: Rows,
        root: Path,
        started_in: Path,
        pipes: Mapping[str, int],
        clients: Mapping[int, int],
        *,
        reads: bool,
    ) -> None:
        self.tree = Tree(rows)
        self.hidden = ""
        self.unsure = False
        self.ringless = False
        self._reads = reads
        self.answers: dict[str, list[int]] = {pipe: [] for pipe in pipes}
        self._rows = rows
        self._roots = tuple(dict.fromkeys((str(root.resolve()), str(root.absolute()))))
        self._mark = escaped(self._roots[0])
        self._tasks = Tasks(str(started_in), dict(clients))
        self._pipes = {escaped(pipe): (pipe, client) for pipe, client in pipes.items()}
        self._copies = Copies(self.tree, self._mark)
        does: dict[tuple[str, ...], Callable[[Call, Task], None]] = {
            ("open", "openat", "openat2", "creat"): self._open,
            ("close",): self._close,
            ("close_range",): self._close_range,
            ("dup", "dup2", "dup3"): self._duplicate,
            ("fcntl",): self._control,
            ("ioctl",): self._device,
            ("read", "readv"): self._read,
            ("lseek",): self._seek,
            ("write", "writev", "pwrite64", "pwritev", "pwritev2"): self._write,
            ("truncate", "ftruncate"): self._resize,
            ("fallocate",): self._allocate,
            ("copy_file_range", "sendfile"): self._copy,
            ("splice",): self._splice,
            ("fsync", "fdatasync"): self._sync,
            ("sync", "syncfs"): lambda _, task: self.tree.sync_all(task.client),
            ("rename", "renameat", "renameat2"): self._rename,
            ("link", "linkat"): self._link,
            ("symlink", "symlinkat"): self._symlink,
            ("unlink", "unlinkat", "rmdir"): self._remove,
            ("mkdir", "mkdirat"): self._make_folder,
            ("mmap",): self._map,
            ("io_uring_setup",): self._ring,
            ("chdir", "fchdir"): self._go,
            ("execve",): lambda _, task: task.table.keep_over_exec(),
        }
        self._does = {name: action for names, action in does.items() for name in names}

    def take(self, call: Call) -> None:
        """Follow one call."""
        if call.name.startswith("clone") or call.name.endswith("fork"):
            if call.began:
                self._tasks.begins(call.pid, call.arguments)
            else:
                self._tasks.made(call.pid, call.result, call.arguments)
        elif call.result >= 0 and call.name in self._does:
            self._does[call.name](call, self._tasks[call.pid])
        elif call.name == "io_uring_setup":
            self.ringless = True

    def _hide(self, reason: str) -> None:
        self.hidden = self.hidden or reason

    # Descriptors.

    def _open(self, call: Call, task: Task) -> None:
        name = self._below(call.answered)
        opened = None
        if name is not None and not passed_over(name):
            file = self.tree.number(name)
            if "O_TMPFILE" in call.arguments or "(deleted)" in call.answered:
                self._hide("it writes files that have no name (O_TMPFILE), which are not followed")
            elif file is None and ("O_CREAT" in call.arguments or call.name == "creat"):
                file = self.tree.make(name, task.client)
            elif file is None:
                self._hide(f"{name} was opened and no traced call made it")
            elif "O_TRUNC" in call.arguments or call.name == "creat":
                self.tree.resize(file, 0, task.client)
            if file is not None:
                readable = "O_WRONLY" not in call.arguments and call.name != "creat"
                opened = OpenFile(
                    file,
                    readable=readable,
                    doubtful=readable and self.tree.size(file) > 0,
                    append="O_APPEND" in call.arguments,
                    synced="O_SYNC" in call.arguments or "O_DSYNC" in call.arguments,
                )
        task.table.put(call.result, opened, closing="O_CLOEXEC" in call.arguments)

    def _close(self, call: Call, task: Task) -> None:
        task.table.drop(int(call.arguments, 0))

    def _close_range(self, call: Call, task: Task) -> None:
        first, last, flags = (int(part, 0) for part in call.arguments.split(", "))
        for descriptor in [one for one in task.table.opened if first <= one <= last]:
            if flags & 4:  # CLOSE_RANGE_CLOEXEC
                task.table.closing.add(descriptor)
            else:
                task.table.drop(descriptor)

    def _duplicate(self, call: Call, task: Task) -> None:
        old = int(call.arguments.partition("<")[0], 0)
        if old != call.result:
            opened = self._known(call, task)
            task.table.put(call.result, opened, closing="O_CLOEXEC" in call.arguments)

    def _control(self, call: Call, task: Task) -> None:
        descriptor = int(call.arguments.partition("<")[0], 0)
        opened = self._known(call, task)
        if "F_DUPFD" in call.arguments:
            task.table.put(call.result, opened, closing="CLOEXEC" in call.arguments)
        elif opened is not None and "F_SETFL" in call.arguments:
            opened.append = "O_APPEND" in call.arguments
        elif opened is not None and "F_SETFD" in call.arguments:
            self._set_closing(task, descriptor, closing="FD_CLOEXEC" in call.arguments)

    def _device(self, call: Call, task: Task) -> None:
        descriptor = int(call.arguments.partition("<")[0], 0)
        if descriptor not in task.table.opened:
            return
        if "FIOCLEX" in call.arguments or "FIONCLEX" in call.arguments:
            self._set_closing(task, descriptor, closing="FIOCLEX" in call.arguments)
        elif "FICLONE" in call.arguments or "FIDEDUPE" in call.arguments:
            self._hide("it copies files by sharing their blocks (ioctl), which is not followed")

    def _set_closing(self, task: Task, descriptor: int, *, closing: bool) -> None:
        (task.table.closing.add if closing else task.table.closing.discard)(descriptor)

    def _read(self, call: Call, task: Task) -> None:
        opened = task.table.opened.get(int(call.arguments.partition(",")[0], 0))
        if opened is not None:
            opened.offset += call.result

    def _seek(self, call: Call, task: Task) -> None:
        opened = self._opened(call, task)
        if opened is not None:
            opened.offset = call.result
            opened.doubtful = opened.readable and call.result < self.tree.size(opened.file)

    def _known(self, call: Call, task: Task) -> OpenFile | None:
        """What the first descriptor of the arguments leads to, if it lies below the location.

        The path beside it counts: without reads, it is not seen when a descriptor is closed.
        """
        found = DESCRIPTOR.match(call.arguments)
        if found is None or not (found[2] + "\\x2f").startswith(self._mark + "\\x2f"):
            return None
        return task.table.opened.get(int(found[1], 0))

    def _opened(self, call: Call, task: Task) -> OpenFile | None:
        """The same; what is used and was not seen to be opened hides the rest."""
        opened = self._known(call, task)
        if opened is None and (name := self._below(call.arguments)) and not passed_over(name):
            self._hide(f"{name} was used and no traced call opened it")
        return opened

    # Contents.

    def _write(self, call: Call, task: Task) -> None:
        pipe = self._pipes.get(call.arguments.partition("<")[2].partition(">")[0])
        if pipe is not None:
            self._answer(call, *pipe)
            return
        opened = self._opened(call, task)
        if opened is None:
            return
        data = self._written(call)
        end = self.tree.size(opened.file)
        explicit = explicit_offset(call)
        if opened.append or "RWF_APPEND" in call.arguments:
            offset = end
        else:
            offset = opened.offset if explicit is None else explicit
        if explicit is None:
            readable = opened.readable and not opened.append
            self.unsure |= not self._reads and readable and (opened.doubtful or offset < end)
            opened.offset = offset + call.result
            opened.doubtful = readable and opened.offset < end
        self.tree.write(opened.file, offset, data, task.client)
        if opened.synced or "RWF_DSYNC" in call.arguments or "RWF_SYNC" in call.arguments:
            self.tree.sync(opened.file, task.client)

    def _written(self, call: Call) -> bytes:
        data = sent(call)[: call.result]
        if len(data) < call.result:
            self._hide("it wrote more in one call than a trace shows")
        return data

    def _answer(self, call: Call, pipe: str, client: int) -> None:
        for _ in range(self._written(call).count(b"\n")):
            self.answers[pipe].append(self._rows.count)
            self._rows.add(Kind.ANSWERED, -1, client)

    def _resize(self, call: Call, task: Task) -> None:
        size = int(call.arguments.rpartition(", ")[2], 0)
        if call.name == "ftruncate":
            opened = self._opened(call, task)
            file = opened.file if opened else None
        else:
            name = self._names(call, task)[0]
            file = None if name is None or passed_over(name) else self.tree.number(name)
        if file is not None:
            self.tree.resize(file, size, task.client)

    def _allocate(self, call: Call, task: Task) -> None:
        opened = self._opened(call, task)
        if opened is None:
            return
        mode, offset, length = call.arguments.split(", ")[-3:]
        first, end = int(offset, 0), int(offset, 0) + int(length, 0)
        size = self.tree.size(opened.file)
        if "COLLAPSE" in mode or "INSERT" in mode:
            self._hide("it moves the parts of files (fallocate), which is not followed")
        if "PUNCH" in mode or "ZERO" in mode:
            zeros = bytes(max(0, min(end, size) - first))
            self.tree.write(opened.file, first, zeros, task.client)
        if "KEEP_SIZE" not in mode and end > size:
            self.tree.resize(opened.file, end, task.client)

    def _copy(self, call: Call, task: Task) -> None:
        ours = self._mark in call.arguments
        self.unsure |= not self._reads and ours and "NULL" in call.arguments
        copied = self._copies.of(call, task)
        if copied.into is None:
            return
        if copied.data is None:
            self._hide("it copies from files elsewhere, which can no longer be read")
            return
        offset = self.tree.size(copied.into.file) if copied.into.append else copied.offset
        self.tree.write(copied.into.file, offset, copied.data, task.client)

    def _splice(self, call: Call, _: Task) -> None:
        target = call.arguments.split(", ")[2]
        if self._mark in target:
            self._hide("it moves bytes from pipes into files (splice), which is not followed")

    def _sync(self, call: Call, task: Task) -> None:
        opened = self._opened(call, task)
        if opened is not None:
            self.tree.sync(opened.file, task.client)

    def _map(self, call: Call, _: Task) -> None:
        if "PROT_WRITE" not in call.arguments or "MAP_SHARED" not in call.arguments:
            return
        found = DESCRIPTOR.search(call.arguments)
        name = self._below(call.arguments) if found else None
        if name and not passed_over(name):
            self._hide(f"it writes {name} through a memory mapping, which cannot be traced")

    def _ring(self, _: Call, __: Task) -> None:
        self._hide("it uses io_uring, whose writes cannot be traced")

    # Names.

    def _rename(self, call: Call, task: Task) -> None:
        if "RENAME_EXCHANGE" in call.arguments:
            self._hide("it exchanges the names of two files, which is not followed")
            return
        source, name = self._names(call, task)
        if source is None and name is not None:
            self._hide(f"{name} was moved here from elsewhere, and what it holds was not seen")
        elif source is not None and name is None:
            self.tree.remove(source, task.client)
        elif source is not None and name is not None and not passed_over(source):
            self.tree.rename(source, name, task.client)

    def _link(self, call: Call, task: Task) -> None:
        source, name = self._names(call, task)
        if name is not None and (source is None or self.tree.number(source) is None):
            self._hide(f"{name} was linked here from elsewhere, and what it holds was not seen")
        elif source is not None and name is not None:
            self.tree.link(source, name, task.client)

    def _symlink(self, call: Call, task: Task) -> None:
        if self._names(call, task)[-1] is not None:
            self._hide("it makes symbolic links, which are not followed")

    def _remove(self, call: Call, task: Task) -> None:
        name = self._names(call, task)[0]
        if name and not passed_over(name):
            self.tree.remove(name, task.client)

    def _make_folder(self, call: Call, task: Task) -> None:
        name = self._names(call, task)[0]
        if name:
            self.tree.make(name, task.client, folder=True)

    def _go(self, call: Call, task: Task) -> None:
        if call.name == "fchdir":
            found = DESCRIPTOR.match(call.arguments)
            if found:
                task.folder.path = os.fsdecode(plain(found[2]))
        else:
            task.folder.path = self._path(call, task, 0)

    def _names(self, call: Call, task: Task) -> tuple[str | None, ...]:
        """The names below the location that the call is about, None for those elsewhere."""
        count = len(TEXT.findall(call.arguments))
        return tuple(self._inside(self._path(call, task, at)) for at in range(count))

    def _path(self, call: Call, task: Task, at: int) -> str:
        """The path in the text at this place, from the folder whose descriptor stands before."""
        text = [*TEXT.finditer(call.arguments)][at]
        before = call.arguments[: text.start()].removesuffix(", ").rpartition(", ")[2]
        found = DESCRIPTOR.match(before)
        folder = os.fsdecode(plain(found[2])) if found else task.folder.path
        return posixpath.normpath(posixpath.join(folder, os.fsdecode(plain(text[1]))))

    def _below(self, text: str) -> str | None:
        """The name below the location that the first descriptor of the text leads to."""
        found = DESCRIPTOR.search(text)
        return self._inside(os.fsdecode(plain(found[2]))) if found else None

    def _inside(self, path: str) -> str | None:
        for root in self._roots:
            if path == root:
                return ""
            if path.startswith(root + "/"):
                return path[len(root) + 1 :]
        return None
