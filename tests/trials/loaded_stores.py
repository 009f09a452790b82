"""Stores and workers for loads: workers whose clocks differ, and that die, in this process."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from sessionproof.contract.errors import Refused
from sessionproof.history import npz
from sessionproof.history.clocks import Bounds
from sessionproof.history.columns import NEVER
from sessionproof.reference.store import ReferenceStore
from sessionproof.workload.executors import Look
from sessionproof.workload.slices import Where, carry, here, history_of


class Right(ReferenceStore):
    """The reference, quick."""

    def __init__(self, location):
        super().__init__(location, durability="process")


class Stale(Right):
    """A handle answers a read from what it read before, unless it wrote since."""

    def __init__(self, location):
        super().__init__(location)
        self._kept = {}

    def append(self, session_id, messages):
        self._kept.pop(session_id, None)
        return super().append(session_id, messages)

    def read(self, session_id):
        if session_id not in self._kept:
            self._kept[session_id] = super().read(session_id)
        return self._kept[session_id]


class Refusing(Right):
    """No append is taken."""

    def append(self, session_id, messages):
        raise Refused("the disk is full")


class Failing(Right):
    """Nobody knows what came of an append."""

    def append(self, session_id, messages):
        raise RuntimeError("the disk is gone")


class Odd(Right):
    """An append answers what the contract does not know."""

    def append(self, session_id, messages):
        super().append(session_id, messages)
        return "done"


class Workers:
    """Threads that pretend to be machines: order ``k`` goes to machine ``k % machines``.

    ``skews_ns`` are what each machine's clock is ahead of ours; ``bounds`` what looking at it
    finds, None for a machine whose clock is taken for ours. An order whose number is in ``lost``
    is carried out twice, and the first time nobody hears of it; with ``loud`` the loss is raised.
    """

    together = 1

    def __init__(self, *, skews_ns=(0,), bounds=(None,), lost=(), loud=False, places=2):
        self.places = places
        self._skews_ns, self._bounds = skews_ns, bounds
        self._lost, self._loud = set(lost), loud
        self._executor = ThreadPoolExecutor(self.places)
        self._orders = 0
        self._lock = Lock()

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self._executor.shutdown()

    def submit(self, order):
        with self._lock:
            number, self._orders = self._orders, self._orders + 1
        if number in self._lost:
            if self._loud:
                failed = Future()
                carry(order)
                failed.set_exception(BrokenProcessPool("killed"))
                return failed
            return self._executor.submit(lambda: (carry(order), self._carried(order, number))[1])
        return self._executor.submit(self._carried, order, number)

    def look(self):
        return [
            Look(self._where(at), bounds)
            for at, bounds in enumerate(self._bounds)
            if bounds is not None
        ]

    def mend(self):
        return True

    def _where(self, machine):
        if self._bounds[machine] is None:
            return here()
        return Where(f"machine-{machine}", f"boot-{machine}", 100 + machine)

    def _carried(self, order, number):
        machine = number % len(self._skews_ns)
        carried, skew = carry(order), self._skews_ns[machine]
        with TemporaryDirectory() as folder:
            history = history_of(carried, Path(folder))
            history.rows["inv"] += skew
            history.rows["ret"][history.rows["ret"] != NEVER] += skew
            npz.write(history, Path(folder) / "moved.npz")
            moved = BytesIO((Path(folder) / "moved.npz").read_bytes()).getvalue()
        return replace(
            carried,
            where=self._where(machine),
            history=moved,
            began_ns=carried.began_ns + skew,
            ended_ns=carried.ended_ns + skew,
        )


def within(skew_ns, error_ns):
    """Bounds that hold this skew, with this error, but not in their middle."""
    return Bounds(skew_ns - error_ns // 2, skew_ns + error_ns + error_ns // 2)


class Named(Right):
    """Sessions are named by the store, and there before they are written to."""

    claims = replace(ReferenceStore.claims, session_ids="store", missing_session="refuses")

    def create(self, session_id=None, *, messages=()):
        assert session_id is None
        return super().create(None, messages=messages)
