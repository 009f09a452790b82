"""Instructions that this process runs in user mode, counted by the processor through Linux.

``perf_event_open(2)`` gives a counter as a descriptor. Virtual machines and containers often have
none, or forbid it; then there is a reason instead of a number.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path

_NUMBERS = {"x86_64": 298, "aarch64": 241}
_HARDWARE, _INSTRUCTIONS = 0, 1  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS
_SIZE = 112  # PERF_ATTR_SIZE_VER5; the rest of the structure is zero
_INHERIT, _NO_KERNEL, _NO_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6
_ATTRIBUTES = struct.Struct("<IIQQQQQ")  # type, size, config, period, sample, read format, flags
_CLOSE_ON_EXEC = 8
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_REASONS = {
    errno.ENOENT: "the processor's counters are not shown here, as in many virtual machines",
    errno.EOPNOTSUPP: "the processor's counters are not shown here, as in many virtual machines",
    errno.ENOSYS: "this kernel has no perf_event_open",
}


class NoCounter(Exception):
    """Nothing can be counted here; the text is the reason and the remedy in one line."""


class Instructions:
    """A counter of this thread and of all threads that it starts from now on.

    Another event than instructions can be given by its type and its number, as Linux names them.
    """

    def __init__(self, event: tuple[int, int] = (_HARDWARE, _INSTRUCTIONS)) -> None:
        """Raises NoCounter."""
        number = _NUMBERS.get(platform.machine())
        if not sys.platform.startswith("linux") or number is None:
            here = f"{sys.platform} on {platform.machine()}"
            raise NoCounter(
                f"counters are read on Linux on {' or '.join(_NUMBERS)}, this is {here}"
            )
        flags = _INHERIT | _NO_KERNEL | _NO_HYPERVISOR
        head = _ATTRIBUTES.pack(event[0], _SIZE, event[1], 0, 0, 0, flags)
        attributes = ctypes.create_string_buffer(head, _SIZE)
        system = ctypes.CDLL(None, use_errno=True)
        # This process (0), on any processor (-1), in no group (-1).
        self._descriptor: int = system.syscall(
            ctypes.c_long(number), attributes, 0, -1, -1, _CLOSE_ON_EXEC
        )
        if self._descriptor < 0:
            raise NoCounter(_refused(ctypes.get_errno()))

    def during(self, call: Callable[[], object]) -> int:
        """How many there were until the call had answered."""
        before = self._read()
        call()
        return self._read() - before

    def close(self) -> None:
        """Give the counter back."""
        os.close(self._descriptor)

    def _read(self) -> int:
        return int.from_bytes(os.read(self._descriptor, 8), sys.byteorder)


def _refused(number: int) -> str:
    if number in _REASONS:
        return _REASONS[number]
    said = os.strerror(number)
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"perf_event_open is refused ({said}): lower {_PARANOID} to 2 "
            "(sysctl kernel.perf_event_paranoid=2), or start the container with --cap-add=PERFMON"
        )
    return f"perf_event_open failed: {said}"
