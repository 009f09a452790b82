"""The sign of life of commands that take long."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from sessionproof.cli import waiting
from sessionproof.cli.waiting import Waiting


class _Screen(io.StringIO):
    """What is written, and an event for the words that were waited for."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.seen = threading.Event()
        self._words = words

    def write(self, text: str) -> int:
        written = super().write(text)
        if self._words in self.getvalue():
            self.seen.set()
        return written


def test_one_long_step_shows_a_sign_of_life(monkeypatch):
    """Also when nothing more is told before its end, which may be a minute away."""
    monkeypatch.setattr(waiting, "_QUIET_S", 0.02)
    screen = _Screen("looking at backup")
    sign = Waiting(Console(file=screen, force_terminal=True))
    sign.tell("backup")
    assert screen.seen.wait(30)
    sign.tell("drill\x1b[31m")
    sign.end()
    assert "\x1b[31m" not in screen.getvalue()


def test_what_is_over_soon_shows_nothing(monkeypatch):
    """And nothing comes up after its end; where no terminal is, never."""
    monkeypatch.setattr(waiting, "_QUIET_S", 60.0)
    for terminal in (True, False):
        screen = io.StringIO()
        sign = Waiting(Console(file=screen, force_terminal=terminal))
        sign.tell("backup")
        sign.end()
        sign._show()  # a timer that was about to
        assert screen.getvalue() == ""
