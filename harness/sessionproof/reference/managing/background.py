"""Work that is done again and again by a thread of its own, until somebody ends it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from sessionproof.contract.clock import MICROSECONDS
from sessionproof.reference.failures import one_line


class Background:
    """Calls ``work`` at intervals of the machine's time. The thread keeps no process alive.

    An error of the work ends nothing: it stands in ``error`` until the work succeeds again.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._changing = threading.RLock()  # a signal's handler may close it while it is closed
        self._process = os.getpid()
        self._running: tuple[threading.Thread, threading.Event] | None = None
        self._closed = False
        self.error: str | None = None

    def start(self, interval_us: int) -> None:
        """Work at this interval from now on, and at no other; nothing once it is closed."""
        interval_s = min(interval_us / MICROSECONDS, threading.TIMEOUT_MAX)
        with self._changing:
            self._end()
            if self._closed:
                return
            ended = threading.Event()
            thread = threading.Thread(
                target=self._repeat, args=(ended, interval_s), name="session-cleanup", daemon=True
            )
            thread.start()
            self._running = thread, ended

    def stop(self) -> None:
        """End it, and wait for what is under way; nothing when it is not running."""
        if self._is_ours():
            with self._changing:
                self._end()

    def close(self) -> None:
        """The same, for good."""
        if self._is_ours():
            with self._changing:
                self._closed = True
                self._end()

    def _is_ours(self) -> bool:
        """A forked child has none of its parent's threads, and perhaps a lock that nobody frees."""
        return os.getpid() == self._process

    def _end(self) -> None:
        if self._running is not None:
            thread, ended = self._running
            ended.set()
            thread.join()
            self._running = None

    def _repeat(self, ended: threading.Event, interval_s: float) -> None:
        while not ended.wait(interval_s):
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - it is told by who asks for it
                self.error = one_line(f"{type(error).__name__}: {error}")
            else:
                self.error = None
