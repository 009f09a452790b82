"""Correct stores whose threads serve every handle of the process, and outlive each of them."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

from toy_runs import Pointed

_ORDERS: queue.Queue = queue.Queue()


def _serve():
    while True:
        order, done = _ORDERS.get()
        order()
        done.set()


class AtImport(Pointed):
    """One thread writes for all; it begins when the module is imported."""

    def append(self, session, messages):
        done = threading.Event()
        _ORDERS.put((lambda: super(AtImport, self).append(session, messages), done))
        done.wait()


threading.Thread(target=_serve, daemon=True).start()


class Pooled(Pointed):
    """A pool of the class writes for all; its thread begins with the first append."""

    pool = ThreadPoolExecutor(1)

    def append(self, session, messages):
        self.pool.submit(super().append, session, messages).result()


class Leaking(Pointed):
    """Each handle begins a writer that nobody ends."""

    def __init__(self, location):
        super().__init__(location)
        self.orders = queue.Queue()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            order, done = self.orders.get()
            order()
            done.set()

    def append(self, session, messages):
        done = threading.Event()
        self.orders.put((lambda: super(Leaking, self).append(session, messages), done))
        done.wait()
