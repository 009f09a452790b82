"""What befalls a server and its connections while clients work, at drawn moments."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random  # noqa: TID251 - a type
from typing import Protocol

from sessionproof.contract.seed import generator
from sessionproof.faults.servers.cutting import Cut, CuttingProxy, Moment
from sessionproof.faults.servers.postgres import PrivateServer

_FIRST_S, _LAST_S = 0.03, 0.3  # from the start of the clients to the kill of their server
_DOWN_S = 0.2  # at most, until it is started again
_REQUESTS = 15  # of a connection, at most, before it is cut
_WEIGHTS = {
    Moment.UNANSWERED: 6,
    Moment.HALF_ANSWERED: 2,
    Moment.SENT: 2,
    Moment.INSIDE: 2,
    Moment.BEFORE: 2,
}
_TERMINATED, _KILLED = 3, 5  # each so many rounds, backends are ended, too


class Trouble(Protocol):
    """Something that befalls clients while they work."""

    @property
    def times(self) -> int:
        """How often it came."""
        ...

    @property
    def said(self) -> str:
        """What was done, for people."""
        ...

    def upon(self, number: int) -> AbstractContextManager[None]:
        """Within, it comes over whoever works; ``number`` is that of the round."""
        ...


class KilledServer:
    """All processes of the server are killed at once; then it is started again.

    A kill counts where a client was connected: a store that works elsewhere survives nothing.
    """

    def __init__(self, server: PrivateServer, seed: int) -> None:
        self.times = 0
        self._server = server
        self._seed = seed

    @property
    def said(self) -> str:
        """As in ``Trouble``."""
        return f"all processes of the server were killed {self.times} times, and it was restarted"

    @contextmanager
    def upon(self, number: int) -> Iterator[None]:
        """As in ``Trouble``."""
        random = generator(self._seed, "kill of the server", number)
        first_s, down_s = random.uniform(_FIRST_S, _LAST_S), random.uniform(0, _DOWN_S)
        with _beside(lambda _: self._strike(first_s, down_s)):
            yield

    def _strike(self, first_s: float, down_s: float) -> None:
        time.sleep(first_s)
        used = bool(self._server.backends())
        self._server.kill()
        self.times += used
        time.sleep(down_s)
        self._server.restart()


class CutConnections:
    """Connections are cut by a proxy, and now and then by the end of the server's process."""

    def __init__(self, server: PrivateServer, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self._server = server
        self._seed = seed
        self._random = generator(seed, "cuts")
        self.proxy = CuttingProxy(server.socket, self._drawn)

    @property
    def times(self) -> int:
        """How many connections were cut."""
        return sum(self.proxy.done.values()) + sum(self.ended.values())

    @property
    def said(self) -> str:
        """As in ``Trouble``."""
        cuts = [f"{times} {moment}" for moment, times in sorted(self.proxy.done.items())]
        ends = [f"{times} by {how}" for how, times in sorted(self.ended.items())]
        return f"{self.times} connections were cut: {', '.join([*cuts, *ends])}"

    @contextmanager
    def upon(self, number: int) -> Iterator[None]:
        """As in ``Trouble``."""
        random = generator(self._seed, "ends of backends", number)
        self.proxy.armed = True
        try:
            with _beside(lambda stop: self._end_some(number, random, stop)):
                yield
        finally:
            self.proxy.armed = False

    def _drawn(self) -> Cut:
        (moment,) = self._random.choices([*_WEIGHTS], [*_WEIGHTS.values()])
        return Cut(moment, self._random.randint(2, _REQUESTS), self._random.random())

    def _end_some(self, number: int, random: Random, stop: threading.Event) -> None:
        """End single backends, as an administrator would, or as a lack of memory does."""
        if number % _TERMINATED == 0:
            stop.wait(random.uniform(_FIRST_S, _LAST_S))
            self.ended["an administrator"] += self._server.terminate_backends()
        elif number % _KILLED == 2:
            stop.wait(random.uniform(_FIRST_S, _LAST_S))
            backends = self._server.backends()
            if backends:
                with suppress(ProcessLookupError):
                    os.kill(random.choice(backends), signal.SIGKILL)
                    self.ended["kill -9 of a backend"] += 1


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do this in a thread, and wait for its end; what it raised is raised here."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raised.append(error)

    thread = threading.Thread(target=run, name="trouble", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if raised:
        raise raised[0]
