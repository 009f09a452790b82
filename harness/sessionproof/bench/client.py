"""A store beside its floor: both are given the same texts and hold as many messages."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sessionproof.bench.floors import Floor
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.workload.awaiting import settled
from sessionproof.workload.guard import Wait
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.texts import cut, said, text_bytes

TEXT_BYTES = 200
_TOGETHER = 100  # at first: more in one append are no faster, and more stores refuse them
_FIRST_US = 1_767_225_600_000_000  # 2026-01-01


@dataclass(frozen=True)
class Opening:
    """Opens what no handle has open, reads a session of one message, and closes it.

    ``store`` answers an awaitable where the store's methods do.
    """

    store: Callable[[], Any]
    floor: Callable[[], None]


class Client:
    """The store itself, for the thread that may use it; every call is awaited where it must be.

    ``sample`` is a message that the store takes, ``pool`` a long text in ASCII from which texts
    are cut. ``awaited`` takes the names of methods that answer awaitables. ``session`` is the
    loaded session, with ``held`` messages, in the floor as well.
    """

    def __init__(
        self,
        store: Any,
        wait: Wait,
        floor: Floor,
        *,
        claims: Claims,
        capabilities: frozenset[str],
        awaited: set[str],
        sample: Message,
        pool: str,
        opening: Opening | None = None,
        names: str = "b",
    ) -> None:
        self.store = store
        self.wait = wait
        self.floor = floor
        self.capabilities = capabilities
        self.opening = opening
        self.awaited = awaited
        self.doing = ""  # the operation that is timed: evidence when it raises
        self.named_by_store = claims.session_ids == "store"
        self.session, self.held = "", 0
        self.message_s = math.inf  # what a message took when many were loaded, undisturbed
        self.names = (f"{names}{number}" for number in itertools.count())
        self._pool = pool
        self._numbers = itertools.count()  # of texts: no two of them are equal
        self._sample = sample
        self._times = itertools.count(_FIRST_US)
        self._claims = claims
        self._together = _TOGETHER if claims.limits.batch_bytes is None else 1
        self.speak(TEXT_BYTES)

    def speak(self, length: int) -> None:
        """Let texts be so long, as far as the store takes them."""
        self.texts = cut(self._pool, text_bytes(self._claims, length), self._numbers)

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call the store, and await what it answers."""
        value = getattr(self.store, method)(*arguments, **options)
        if not inspect.isawaitable(value):
            return value
        self.awaited.add(method)
        return self.wait(value)

    def said(self, text: str) -> Message:
        """A message of this text; in stores ordered by time, later than those before."""
        timed = self._sample.created_at_us is not None
        return said(self._sample, text, at_us=next(self._times) if timed else None)

    def made(self) -> str:
        """The id of a new session that takes appends."""
        if not needs_create(self._claims, self.capabilities):
            return next(self.names)
        return self.created()

    def created(self) -> str:
        """The id of a session that was created on purpose, if the store can do that."""
        if "create" not in self.capabilities:
            return next(self.names)
        return str(self.do("create", None if self.named_by_store else next(self.names)))

    def fill(self, session: str, texts: Sequence[str]) -> None:
        """Append messages of these texts, as many together as the store takes."""
        messages = [self.said(text) for text in texts]
        done = 0
        while done < len(messages):
            some = messages[done : done + self._together]
            try:
                self.do("append", session, some)
            except Refused:
                if len(some) == 1:
                    raise
                self._together = len(some) // 2
            else:
                done += len(some)

    def load(self, number: int) -> None:
        """Append so many messages to the loaded session; the first call makes it."""
        self.session = self.session or self.made()
        texts, start = self.some(number), monotonic_s()
        self.fill(self.session, texts)
        self.message_s = min(self.message_s, (monotonic_s() - start) / number)

    def settle(self) -> None:
        """Look how many messages the loaded session holds, and let the floor hold as many."""
        self.held = len(self.do("read", self.session))
        self.floor.create(self.session)
        self.floor.append_many(self.session, self.some(self.held))

    def some(self, number: int) -> list[str]:
        """So many texts."""
        return [next(self.texts) for _ in range(number)]


def opening_of(
    spec: StoreSpec, location: Location, session: str, floor: Callable[[], None], *, awaits: bool
) -> Opening:
    """Opening of the store at this location; ``awaits`` says whether any of it is to be awaited."""

    def plainly() -> None:
        store = spec.open(location)
        try:
            store.read(session)
        finally:
            store.close()

    async def awaiting() -> None:
        store = await settled(spec.open(location))
        try:
            await settled(store.read(session))
        finally:
            await settled(store.close())

    return Opening(awaiting if awaits else plainly, floor)
