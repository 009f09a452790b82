"""Processes whose memory lies where it lay in the one before, as far as the system allows.

Where the heap and the stack begin is drawn for each process, and decides on one or two percent of
its speed. Two processes that are compared shall not differ by that.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ASK = 0xFFFFFFFF
_NO_RANDOM_ADDRESSES = 0x0040000  # ADDR_NO_RANDOMIZE of <sys/personality.h>


@contextmanager
def steady_addresses() -> Iterator[bool]:
    """Processes that this thread starts within the block have no random addresses.

    Linux alone, and some containers refuse it: then all is as ever, and the answer is False.
    The setting is the thread's own and is inherited; a running process is not changed by it.
    """
    personality = _personality()
    before = -1 if personality is None else personality(_ASK)
    if personality is None or before == -1:
        yield False
        return
    done = personality(before | _NO_RANDOM_ADDRESSES) != -1
    try:
        yield done
    finally:
        if done:
            personality(before)


def _personality() -> ctypes._NamedFuncPointer | None:
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None), "personality", None)
    if function is not None:
        function.argtypes, function.restype = [ctypes.c_ulong], ctypes.c_int
    return function
