"""What the machine gives: cores, memory, and locks of files between processes.

Nothing here fails on a system that has it not: everywhere else the modules of Linux are asked for
where they are used.
"""

from __future__ import annotations

import errno
import os
from threading import Thread

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HAS_LOCKS = fcntl is not None
"""Whether ``lock`` keeps anybody out."""

_THREAD_BYTES = 32 * 1024 * 1024  # a stack, and what is needed to be begun
_HELD = (errno.EAGAIN, errno.EACCES)


def usable_cores() -> set[int]:
    """The cores that this process may use, by number; all where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def physical_bytes() -> int:
    """The memory of the machine; raises OSError, ValueError where the system does not say."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _use_reserve() -> None:
    """Give this process the memory that was kept back from its store: its hard limit holds now."""
    try:
        import resource
    except ImportError:  # not POSIX
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def begin(thread: Thread) -> None:
    """Start a thread, if need be with the memory that was kept back; raises MemoryError.

    One that has a stack and nothing else ends before it is begun, and would be waited for.
    """
    try:  # bytes of nothing are asked for and never touched; a bytearray is written: 20 ms
        bytes(_THREAD_BYTES)
    except MemoryError:  # the store has taken it
        _use_reserve()
        bytes(_THREAD_BYTES)
    thread.start()


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take the lock of an open file or folder; False when another process has it.

    It is let go when the file is closed, and by the system when its holder dies. Where there are
    no such locks nobody is kept out. Raises OSError for a file system that has none.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let a lock go before the file is closed: a child that was forked may have it open, too."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
