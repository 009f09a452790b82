"""A sign of life on a terminal, for commands that may take long."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.status import Status
from rich.text import Text

from sessionproof.contract.clock import monotonic_s
from sessionproof.report.plain import shown

_QUIET_S = 2.0  # what is shorter needs no sign of life


class Waiting:
    """A sign of life on a terminal, once a command takes long after it said what it does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start_s = monotonic_s()
        self._words = ""
        self._status: Status | None = None
        self._timer: threading.Timer | None = None
        self._ended = False
        self._lock = threading.Lock()

    def tell(self, step: str) -> None:
        """Say what is done, in words that go on "looking at"."""
        if not self._console.is_terminal:
            return
        self._words = f"looking at {shown(step)}"
        if monotonic_s() - self._start_s >= _QUIET_S:
            self._show()
        elif self._timer is None:  # a step may be long: nothing more is told before its end
            self._timer = threading.Timer(_QUIET_S, self._show)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Clear the line."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._status is not None:
                self._status.stop()

    def _show(self) -> None:
        with self._lock:
            if self._ended:
                return
            if self._status is None:
                self._status = self._console.status(Text(self._words))
                self._status.start()
            else:
                self._status.update(Text(self._words))
