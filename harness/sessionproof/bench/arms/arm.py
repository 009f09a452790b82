"""A store of one version, open beside its floor in this process, one operation at a time."""

from __future__ import annotations

import asyncio
import inspect
import math
import sqlite3
import sys
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Any

import sessionproof
from sessionproof.bench.client import Client, Opening, opening_of
from sessionproof.bench.floors import Floor, open_and_close, synchronous_for
from sessionproof.bench.operations import Pair, rows_for
from sessionproof.bench.rounds import Run, sized
from sessionproof.bench.table import run_of
from sessionproof.contract.claims import claims_from_json
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.vocabulary import vocabulary

_CHUNK = 25  # messages that are loaded together
_FLOOR = "floor.db"


class Arm:
    """An open store beside its floor; the public methods are what can be asked for.

    ``pairs`` are the two sides of each row that is ready.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        """Open both below ``root``. Raises what the store raises."""
        self._asked = request
        self._root = Path(request["root"])
        self._claims = claims_from_json(request["claims"])
        self._capabilities = frozenset(request["capabilities"])
        self._runner = asyncio.Runner()
        self._spec = find_store(request["store"])
        self._rows = {row.operation: row for row in rows_for(self._capabilities)}
        self._client = self._opened("timed")
        self.pairs: dict[str, Pair] = {}
        self._runs: dict[tuple[str, str], Run] = {}

    def facts(self) -> dict[str, Any]:
        """What runs here: versions, the store's own if it says one, and the file of its module."""
        version = self._spec.version or getattr(self._client.store, "version", None)
        module = sys.modules.get(getattr(inspect.unwrap(self._spec.open), "__module__", ""))
        return {
            "sessionproof": sessionproof.__version__,
            "version": version if isinstance(version, str) else None,
            "sqlite": sqlite3.sqlite_version,
            "file": getattr(module, "__file__", None),
        }

    def load(self, number: int, within_s: float) -> int:
        """Append so many messages to the session that is read, fewer where it takes longer.

        Answers how many it holds then; ``within_s`` of 0 is no limit.
        """
        until_s, done = monotonic_s() + (within_s or math.inf), 0
        while done < number and monotonic_s() < until_s:
            done += (some := min(_CHUNK, number - done))
            self._client.load(some)
        self._client.settle()
        return self._client.held

    def pace(self, message_s: float = 0.0) -> float:
        """What a message takes, at least so much: how much later rows fill hangs on it.

        Two arms that are told the slower of their paces fill sessions with as many messages.
        """
        self._client.message_s = max(self._client.message_s, message_s)
        return self._client.message_s

    def ready(self, operation: str) -> str:
        """Make both sides of a row, and call each once; in a few words what they work on."""
        if operation == "open":
            self._client.opening = self._opening()
        pair = self.pairs[operation] = self._rows[operation].pair(self._client)
        self._runs[operation, "store"] = run_of(pair.store, self.wait)
        self._runs[operation, "floor"] = run_of(pair.floor, self.wait)
        return pair.note

    def size(self, operation: str, side: str) -> int:
        """How many calls make a batch."""
        return sized(self._runs[operation, side])

    def run(self, operation: str, side: str, number: int) -> list[int]:
        """So many calls: the nanoseconds of each."""
        return [int(one) for one in self._runs[operation, side](number)]

    def close(self) -> None:
        """Close the store and the floor."""
        self._closed(self._client)
        self._runner.close()

    def _opened(self, name: str) -> Client:
        """A client of the store and of a floor, each on a folder of this name."""
        place = self._root / name / "store"
        place.mkdir(parents=True)
        floor = Floor(place.parent / _FLOOR, synchronous=synchronous_for(self._claims.durability))
        location = Location(place, self._asked["url"], self._asked["namespace"])
        return Client(
            waited(self._spec.open(location), self.wait), self.wait, floor,
            claims=self._claims, capabilities=self._capabilities, awaited=set(),
            sample=self._sample(), pool=self._asked["pool"],
        )  # fmt: skip

    def _sample(self) -> Message:
        """A plain message that the store takes."""
        samples = vocabulary(self._spec, self._claims).samples
        if not samples:
            raise ValueError("the store can express no message")
        return next((one for one in samples if one.kind == "text"), samples[0])

    def _opening(self) -> Opening:
        client = self._opened("opened")
        client.load(1)
        session, awaited = client.session, client.awaited
        self._closed(client)
        place = self._root / "opened"
        return opening_of(
            self._spec,
            Location(place / "store", self._asked["url"], self._asked["namespace"]),
            session,
            partial(
                open_and_close, place / _FLOOR, session,
                synchronous=synchronous_for(self._claims.durability),
            ),
            awaits=bool(awaited),
        )  # fmt: skip

    def _closed(self, client: Client) -> None:
        client.floor.close()
        client.do("close")

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """What it comes to, on the loop of the store."""
        return self._runner.run(settled(awaitable))
