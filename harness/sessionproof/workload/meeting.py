"""Where clients wait for each other a moment, so that they go on together.

Those that have drifted apart would race no more. Nobody waits long: who comes late to a meeting
ends all further ones, and each client goes on at its own pace.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import TypeAlias

from sessionproof.contract.clock import monotonic_s

Meet: TypeAlias = Callable[[], bool | Awaitable[bool]]
"""Waits for the others; whether there will be further meetings. Tasks await the answer."""

LONGEST_S = 0.05
GATHERED_S = 5.0  # where a meeting is part of what clients are to do, and not only to their use
_LOOK_S = 20e-6
_PLACE = struct.Struct("<I")
_GONE = 2**32 - 1


def of_threads(clients: int, *, longest_s: float = LONGEST_S) -> Meet:
    """Meetings of so many threads of this process."""
    barrier = Barrier(clients)

    def meet() -> bool:
        try:
            barrier.wait(longest_s)
        except BrokenBarrierError:
            return False
        return True

    return meet


def of_tasks(clients: int) -> Meet:
    """Meetings of so many tasks of one loop."""
    came, broken = 0, False
    all_came = asyncio.Event()

    async def meet() -> bool:
        nonlocal came, broken, all_came
        came += 1
        mine = all_came
        if came % clients == 0:
            all_came = asyncio.Event()  # of the next meeting
            mine.set()
            await asyncio.sleep(0)  # who waited goes on at the same time
        try:
            async with asyncio.timeout(GATHERED_S):
                await mine.wait()
        except TimeoutError:
            broken = True
        return not broken

    return meet


def prepared(path: Path, clients: int) -> Path:
    """The file of the meetings of so many processes."""
    path.write_bytes(bytes(clients * _PLACE.size))
    return path


class OfProcesses:
    """Meetings of processes over a file that ``prepared`` has made; ``client`` is one's own place.

    Each writes there to how many meetings it has come.
    """

    def __init__(self, path: Path, client: int, *, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._all = struct.Struct(f"<{len(self._map) // _PLACE.size}I")
        self._own = client * _PLACE.size
        self._met = 0

    def meet(self) -> bool:
        """As in ``Meet``."""
        self._met += 1
        _PLACE.pack_into(self._map, self._own, self._met)
        until_s = monotonic_s() + self._longest_s
        while min(self._all.unpack_from(self._map)) < self._met:
            if monotonic_s() > until_s:
                self.leave()
                return False
            time.sleep(_LOOK_S)
        return True

    def leave(self) -> None:
        """Nobody waits for this client any more."""
        _PLACE.pack_into(self._map, self._own, _GONE)

    def close(self) -> None:
        """Leave, and give the file back."""
        if not self._map.closed:
            self.leave()
            self._map.close()
