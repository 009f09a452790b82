"""A sign of life on a terminal, for commands that may take long."""

from __future__ import annotations

from rich.console import Console
from rich.status import Status
from rich.text import Text

from sessionproof.contract.clock import monotonic_s
from sessionproof.report.plain import shown

_QUIET_S = 2.0  # what is shorter needs no sign of life


class Waiting:
    """A sign of life on a terminal, once a command takes long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start_s = monotonic_s()
        self._status: Status | None = None

    def tell(self, step: str) -> None:
        """Say what is done, in words that go on "looking at"."""
        if not self._console.is_terminal or monotonic_s() - self._start_s < _QUIET_S:
            return
        words = f"looking at {shown(step)}"
        if self._status is None:
            self._status = self._console.status(Text(words))
            self._status.start()
        else:
            self._status.update(Text(words))

    def end(self) -> None:
        """Clear the line."""
        if self._status is not None:
            self._status.stop()
