"""Threads that carry out what they are given; nobody controls what they wait for an order with."""

from __future__ import annotations

import threading
from _queue import SimpleQueue
from collections.abc import Callable

from sessionproof.schedule.managed import unmanaged

_WAIT_S = 2.0


class Seat:
    """A thread that carries out what it is given, one after the other."""

    def __init__(self, name: str) -> None:
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        with unmanaged():
            self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._thread.start()

    def give(self, order: Callable[[], None] | None) -> None:
        """Have this carried out after what was given before; None ends the thread."""
        self._orders.put(order)

    def wait(self) -> None:
        """Wait for the end of the thread, but not for ever."""
        with unmanaged():
            self._thread.join(_WAIT_S)

    def _serve(self) -> None:
        while (order := self._orders.get()) is not None:
            order()
