"""The other end of a trap: says of each call that changes files whether it is made or fails."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import stat
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sessionproof.contract.clock import monotonic_s
from sessionproof.faults.failing.syscalls import Call, Sort, numbers
from sessionproof.faults.failing.unsynced import File, Unsynced

FAILURES_MOST = 500
FAILING_S = 2.0
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_CONTINUE = 1
_HERE = -100  # AT_FDCWD
_PATH_MOST, _PAGE = 4096, 4096
_VECTOR, _VECTORS_MOST = struct.Struct("=QQ"), 1024  # IOV_MAX: the kernel refuses more
_WRITTEN_MOST = 0x7FFFF000  # MAX_RW_COUNT: no call writes more at once


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which call fails, and how: the ``nth`` (from 1) of these sorts below the location.

    ``stays``: that one and all later ones of these sorts, until the rule is taken back. It ends by
    itself after ``FAILURES_MOST`` calls or ``FAILING_S`` seconds: whoever tries until it succeeds
    would otherwise do so to its deadline.
    """

    sorts: frozenset[Sort]
    nth: int
    error: int
    stays: bool = False

    @property
    def shown(self) -> str:
        """The error as it is called, as in EIO."""
        return errno.errorcode[self.error]


@dataclass(frozen=True)
class Seen:
    """One call below the location, in the order of their beginnings; ``path`` from there on."""

    name: str
    sort: Sort
    path: str
    failed: bool = False


@dataclass
class Met:
    """What was seen while a rule held: the calls, what syncs lost, and new names elsewhere.

    ``blind`` counts calls whose files could not be known: they were made.
    """

    calls: list[Seen] = field(default_factory=list)
    unsynced: Unsynced = field(default_factory=Unsynced)
    elsewhere: list[Path] = field(default_factory=list)
    blind: int = 0

    @property
    def failed(self) -> list[Seen]:
        """The calls that were made to fail."""
        return [call for call in self.calls if call.failed]


class Listener:
    """Answers every call of trapped processes, in a thread of its own.

    Without a rule all calls are made. Calls about files outside ``root`` always are.
    """

    def __init__(self) -> None:
        self._calls: Mapping[int, Call] = numbers()
        self._root = ""
        self._rule: Rule | None = None
        self._matching = 0
        self._until_s = math.inf  # when a rule that has begun ends by itself
        self._met: Met | None = None
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._woken, self._wake = os.pipe()
        self._poll.register(self._woken, select.POLLIN)
        self._listening: set[int] = set()
        self._thread = threading.Thread(target=self._serve, name="answers calls", daemon=True)
        self._thread.start()

    def add(self, listener: int) -> None:
        """Answer also what this descriptor tells; it is closed when its processes have ended."""
        with self._lock:
            self._listening.add(listener)
        os.write(self._wake, b"+")

    def watch(self, root: Path, rule: Rule | None = None) -> None:
        """From now on note all calls below the folder, and let the rule hold."""
        with self._lock:
            self._root = os.path.realpath(root)
            self._rule, self._matching, self._met = rule, 0, Met()
            self._until_s = math.inf

    def heal(self) -> None:
        """Take the rule back; calls are still noted."""
        with self._lock:
            self._rule = None

    def met(self) -> Met:
        """What was seen since ``watch``; nothing is noted any more."""
        with self._lock:
            met, self._met, self._rule = self._met or Met(), None, None
            return met

    def close(self) -> None:
        """End the thread. What still waits for an answer gets an error of its kernel."""
        os.write(self._wake, b"-")
        self._thread.join()
        for descriptor in (*self._listening, self._woken, self._wake):
            os.close(descriptor)

    # What follows runs in the listener's thread.

    def _serve(self) -> None:
        while True:
            for descriptor, event in self._poll.poll():
                if descriptor == self._woken:
                    if b"-" in os.read(self._woken, 4096):
                        return
                    with self._lock:
                        for new in self._listening:
                            self._poll.register(new, select.POLLIN)
                elif event & select.POLLIN:
                    self._answer(descriptor)
                else:  # its processes have ended
                    self._poll.unregister(descriptor)
                    with self._lock:
                        self._listening.discard(descriptor)
                    os.close(descriptor)

    def _answer(self, descriptor: int) -> None:
        import fcntl  # not on Windows, where nobody listens

        asked = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(descriptor, _RECEIVE, asked)
        except OSError:  # who asked is gone
            return
        number, thread, _, call, _, _, *arguments = _NOTIFICATION.unpack(asked)
        error = self._decided(thread, self._calls[call], arguments) if self._met else 0
        answer = _ANSWER.pack(number, 0, -error, 0 if error else _CONTINUE)
        with contextlib.suppress(OSError):  # it was killed meanwhile
            fcntl.ioctl(descriptor, _SEND, answer)

    def _decided(self, thread: int, call: Call, arguments: Sequence[int]) -> int:
        """The error that the call is to have, 0 for none."""
        try:
            paths = _paths(thread, call, arguments)
        except (OSError, OverflowError):  # or no address that there can be
            paths = None
        with self._lock:
            met, rule = self._met, self._rule
            if met is None:
                return 0
            if paths is None:
                met.blind += 1
                return 0
            path = next((one for one in paths if _below(one, self._root)), None)
            if path is None:
                if call.sort in (Sort.MAKE, Sort.RENAME):
                    met.elsewhere.append(Path(paths[-1]))
                return 0
            matches = rule is not None and call.sort in rule.sorts
            self._matching += matches
            after = 0 if rule is None or not matches else self._matching - rule.nth
            last = FAILURES_MOST if rule is not None and rule.stays else 1
            failed = matches and 0 <= after < last and monotonic_s() < self._until_s
            if failed and after == 0:
                self._until_s = monotonic_s() + FAILING_S
            shown = os.path.relpath(path, self._root)
            met.calls.append(Seen(call.name, call.sort, shown, failed))
            if call.names == "fd" and call.sort in (Sort.WRITE, Sort.SYNC):
                with contextlib.suppress(OSError, OverflowError):
                    _note(met.unsynced, thread, call, arguments, failed=failed)
            return rule.error if rule is not None and failed else 0


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def _paths(thread: int, call: Call, arguments: Sequence[int]) -> list[str]:
    """The absolute paths that a call is about; raises OSError where they cannot be known."""
    first, second, third, fourth = arguments[call.first : call.first + 4]
    match call.names:
        case "fd":
            return [_opened(thread, first)]
        case "path":
            return [_named(thread, _HERE, first)]
        case "paths":
            return [_named(thread, _HERE, first), _named(thread, _HERE, second)]
        case "at":
            return [_named(thread, first, second)]
        case "ats":
            return [_named(thread, first, second), _named(thread, third, fourth)]


def _process(thread: int, name: str) -> Path:
    return Path(f"/proc/{thread}/{name}")


def _opened(thread: int, descriptor: int) -> str:
    path = os.readlink(f"/proc/{thread}/fd/{descriptor & 0xFFFFFFFF}")  # noqa: PTH115 - a text
    return path.removesuffix(" (deleted)")


def _named(thread: int, folder: int, address: int) -> str:
    """The path at this address, with its folder's links resolved: the last part may be new."""
    path = os.fsdecode(_text(thread, address))
    if not path.startswith("/"):
        number = struct.unpack("=i", struct.pack("=I", folder & 0xFFFFFFFF))[0]
        here = (
            _opened(thread, folder) if number != _HERE else str(_process(thread, "cwd").readlink())
        )
        path = os.path.join(here, path)  # noqa: PTH118 - a text of another process
    parent, name = os.path.split(os.path.normpath(path))
    return os.path.join(os.path.realpath(parent), name)  # noqa: PTH118


def _text(thread: int, address: int) -> bytes:
    """The text that ends by a zero, out of the memory of another process; raises OSError."""
    found = b""
    while b"\0" not in found and len(found) < _PATH_MOST:
        at = address + len(found)
        more = _bytes(thread, at, _PAGE - at % _PAGE)  # the next page may not be there
        if not more:  # it was killed meanwhile
            raise ProcessLookupError(errno.ESRCH, "its memory is gone")
        found += more
    return found.partition(b"\0")[0]


def _note(
    unsynced: Unsynced, thread: int, call: Call, arguments: Sequence[int], *, failed: bool
) -> None:
    about = _stat(thread, arguments[call.first])
    file: File = about.st_dev, about.st_ino
    if call.sort is Sort.SYNC:
        unsynced.sync(file, failed=failed)
    elif not failed:
        offset, length = _place(thread, call, arguments, about.st_size)
        unsynced.write(file, offset, min(length, _WRITTEN_MOST))


def _place(thread: int, call: Call, arguments: Sequence[int], size: int) -> tuple[int, int]:
    """Where a write begins and how long it is; of a list of buffers all that may follow."""
    length = _length(thread, call, arguments)
    if call.name in ("pwrite64", "pwritev", "pwritev2"):
        return arguments[3], length
    if call.name in ("copy_file_range", "splice") and arguments[3]:  # where to, in its memory
        return int.from_bytes(_bytes(thread, arguments[3], 8), sys.byteorder), length
    told = _process(thread, f"fdinfo/{arguments[call.first] & 0xFFFFFFFF}").read_text("ascii")
    lines = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    return size if int(lines["flags"], 8) & os.O_APPEND else int(lines["pos"]), length


def _length(thread: int, call: Call, arguments: Sequence[int]) -> int:
    match call.name:
        case "copy_file_range" | "splice":
            return _copied(thread, arguments[0], arguments[4])
        case "sendfile":
            return _copied(thread, arguments[1], arguments[3])
        case "writev" | "pwritev" | "pwritev2":
            return _vectors(thread, arguments)
    return arguments[2]


def _stat(thread: int, descriptor: int) -> os.stat_result:
    return _process(thread, f"fd/{descriptor & 0xFFFFFFFF}").stat()


def _copied(thread: int, source: int, asked: int) -> int:
    """How much may be copied: more is often asked for than a file has."""
    about = _stat(thread, source)
    return min(asked, about.st_size) if stat.S_ISREG(about.st_mode) else asked


def _bytes(thread: int, address: int, most: int) -> bytes:
    """What stands in the memory of another process; raises OSError."""
    memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
    try:
        return os.pread(memory, most, address)
    finally:
        os.close(memory)


def _vectors(thread: int, arguments: Sequence[int]) -> int:
    """The length of all buffers of a call together."""
    most = _VECTOR.size * min(arguments[2], _VECTORS_MOST)
    listed = _bytes(thread, arguments[1], most)
    whole = listed[: len(listed) // _VECTOR.size * _VECTOR.size]
    return sum(length for _, length in _VECTOR.iter_unpack(whole))
