"""Who carries slices out: processes of this machine, or the workers of a cluster, by name.

All are executors of ``concurrent.futures``; what differs is how they start, how their clocks are
asked, and how it is noticed that one of them died.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from sessionproof.contract.clock import monotonic_ns
from sessionproof.history.clocks import SAME, Bounds, agreed, looked_at
from sessionproof.workload.slices import Carried, Order, Where, carry, clock_of_worker, here

DASK = "dask://"
_ADDRESS = re.compile(r"([^\s/:]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_CONNECT_S = 5.0
_LOOKS = 5  # at a clock: the quickest tells most


_LOST = {"FutureCancelledError", "CommClosedError"}
"""What ``distributed`` raises where it lost its workers; it is not imported here. ``KilledWorker``
is none of them: it has tried that order on several others by then."""


class NoExecutor(Exception):
    """No executor of this name can be used; the text is one line that says what to do."""


@dataclass(frozen=True)
class Look:
    """A worker that answered, and how far its clock is from ours."""

    where: Where
    bounds: Bounds


class Workers(Protocol):
    """Those who carry orders out.

    ``together`` is how many slices one order has: they are threads of one process. ``places`` is
    how many orders are worked on at the same time.
    """

    together: int
    places: int

    def submit(self, order: Order) -> Future[Carried]:
        """Have somebody carry it out; the future raises where it was lost."""
        ...

    def look(self) -> list[Look]:
        """Who is there, and their clocks; nobody, where their clock is ours and losses are told."""
        ...

    def mend(self) -> bool:
        """Go on after orders were lost; whether there are workers again."""
        ...


class Pool:
    """Processes of this machine: their clock is ours."""

    def __init__(self, processes: int, together: int) -> None:
        self.together, self.places = together, processes
        self._executor = _pool(processes)
        self._children: set[BaseProcess] = set()
        self._submitted: list[Future[Carried]] = []

    def submit(self, order: Order) -> Future[Carried]:
        """As in ``Workers``."""
        # A new process has the mask of its parent: Ctrl-C is for who began it all.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        others = {*multiprocessing.active_children()}
        try:
            future = self._executor.submit(carry, order)
        except BrokenProcessPool as error:
            future = Future()
            future.set_exception(error)
        finally:
            self._children |= {*multiprocessing.active_children()} - others
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._submitted = [*(one for one in self._submitted if not one.done()), future]
        return future

    def look(self) -> list[Look]:
        """As in ``Workers``."""
        return []

    def mend(self) -> bool:
        """As in ``Workers``: a pool that lost one process ends them all."""
        self.close()
        self._executor = _pool(self.places)
        return True

    def close(self) -> None:
        """End the processes; those that were given up, too, whatever they are doing."""
        if not all(one.done() for one in self._submitted):
            # Code that lets no other thread run never comes back to be told that it is over.
            for child in self._children:
                child.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


def _pool(processes: int) -> ProcessPoolExecutor:
    # Never forked: what runs in this process would be in the child, half of it.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)


def _begin() -> None:
    """What a store prints is no output of ours."""
    sys.stdout.flush()
    os.dup2(2, 1)


class Cluster:
    """The workers of a Dask cluster. A lost order is done again by another worker, by itself."""

    together = 1

    def __init__(self, client: Any, executor: Executor) -> None:
        self._client, self._executor = client, executor
        self.places = sum(client.nthreads().values())

    def submit(self, order: Order) -> Future[Carried]:
        """As in ``Workers``."""
        return self._executor.submit(carry, order)

    def look(self) -> list[Look]:
        """As in ``Workers``; one worker of each clock is asked for it."""
        answered: dict[str, tuple[Where, int]] = {}
        with suppress(Exception):  # a worker may leave meanwhile, in whatever way
            answered = self._client.run(clock_of_worker, on_error="ignore")
        bounds: dict[str, Bounds] = {here().boot: SAME}
        for worker, (where, _) in answered.items():
            if where.boot not in bounds and (looks := [*self._looks(worker)]):
                bounds[where.boot] = agreed(looks)
        return [
            Look(where, bounds[where.boot])
            for where, _ in answered.values()
            if where.boot in bounds
        ]

    def mend(self) -> bool:
        """As in ``Workers``."""
        return bool(self._client.nthreads())

    def _looks(self, worker: str) -> Iterator[Bounds]:
        for _ in range(_LOOKS):
            asked_ns = monotonic_ns()
            with suppress(Exception):  # as above
                answers = self._client.run(clock_of_worker, workers=[worker], on_error="ignore")
                yield looked_at(asked_ns, answers[worker][1], monotonic_ns())


def clients_beside(url: str) -> str:
    """The claim ``handles`` that a store needs: who of this executor has it open at once."""
    return "threads" if url == "threads" else "processes"


@contextmanager
def workers(url: str, *, clients: int) -> Iterator[Workers]:
    """Workers for so many clients; raises NoExecutor.

    ``threads`` are those of one process, ``processes`` one for each client.
    """
    if url.startswith(DASK):
        with _cluster(url) as cluster:
            yield cluster
        return
    if url not in _POOLS:
        known = ", ".join([*_POOLS, f"{DASK}HOST:PORT"])
        raise NoExecutor(f"there is no executor {url!r}: use {known}")
    pool = _POOLS[url](clients)
    try:
        yield pool
    finally:
        pool.close()


_POOLS: dict[str, Callable[[int], Pool]] = {
    "threads": lambda clients: Pool(1, clients),
    "processes": lambda clients: Pool(clients, 1),
}


@contextmanager
def _cluster(url: str) -> Iterator[Cluster]:
    address = url.removeprefix(DASK)
    if not _ADDRESS.fullmatch(address):
        raise NoExecutor(f"{url} has no HOST:PORT: use {DASK}127.0.0.1:8786, where a scheduler is")
    try:
        from distributed import Client
    except ImportError:
        raise NoExecutor(
            f"{url} needs the package distributed: pip install 'sessionproof[dask]'"
        ) from None
    try:
        client = Client(f"tcp://{address}", timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, OverflowError, TimeoutError) as error:
        raise NoExecutor(
            f"no scheduler answers at {address} ({type(error).__name__}): "
            "start one with dask scheduler, and name its HOST:PORT"
        ) from None
    try:
        if not client.nthreads():
            raise NoExecutor(
                f"the scheduler at {address} has no workers: start some with dask worker {address}"
            )
        yield Cluster(client, client.get_executor(pure=False, retries=0))
    finally:
        client.close()


def is_loss(error: BaseException) -> bool:
    """Whether the worker died, not the order failed."""
    gone = isinstance(error, BrokenExecutor | CancelledError | OSError)
    return gone or type(error).__name__ in _LOST
