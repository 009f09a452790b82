"""Threads that carry out what they are given; nobody controls what they wait for an order with."""

from __future__ import annotations

import threading
from _queue import SimpleQueue
from collections.abc import Callable

from sessionproof.schedule.control import unmanaged


class Seat:
    """A thread that carries out what it is given, one after the other."""

    def __init__(self, name: str) -> None:
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        with unmanaged():
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def give(self, order: Callable[[], None] | None) -> None:
        """Have this carried out after what was given before; None ends the thread."""
        self._orders.put(order)

    def _serve(self) -> None:
        while (order := self._orders.get()) is not None:
            order()
