"""What kill -9 of the whole PostgreSQL server costs the reference: acknowledged, lost, twice, open.

``python -m benchmarks.server_kills [--kills N]`` kills it N times with ``durability="power"``,
where nothing may be lost (exit code 1 otherwise), and a quarter as often with ``"process"``, where
the server acknowledges before it has written, and what it loses is shown.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.contract.message import Message
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.claimed import Durability
from sessionproof.reference.postgres.store import PostgresStore

_CLIENTS = 4
_SESSIONS = 3
_WORK_S = (0.05, 0.4)  # of the clients, from a restart to the next kill
_AWAY_S = 0.1  # that the server is down, at most
_CHECKED = 10  # kills, after which everything is read


@dataclass
class Told:
    """What clients were told: the outcome of each text, by text."""

    outcomes: dict[str, str] = field(default_factory=dict)

    def append(self, store: PostgresStore, session: str, text: str) -> None:
        """Append one message, and note what came of it."""
        try:
            store.append(session, [Message("user", text)])
            self.outcomes[text] = "acknowledged"
        except Indefinite:
            self.outcomes[text] = "open"
        except Refused:
            self.outcomes[text] = "refused"


def killed(durability: Durability, kills: int) -> Counter[str]:
    """Kill the server so often while clients append; what was acknowledged, lost, twice, open."""
    random = generator(1, durability)
    sums: Counter[str] = Counter()
    waits: list[float] = []
    with PrivateServer.start(fast_folder()) as server:
        for first in range(0, kills, _CHECKED):
            store = PostgresStore(url=server.url, schema=f"k{first}", durability=durability)
            told, ended = Told(), threading.Event()
            clients = [
                threading.Thread(target=_work, args=(store, told, ended, client))
                for client in range(_CLIENTS)
            ]
            for one in clients:
                one.start()
            for _ in range(min(_CHECKED, kills - first)):
                time.sleep(random.uniform(*_WORK_S))
                server.kill()
                time.sleep(random.uniform(0, _AWAY_S))
                server.restart()
                waits.append(_until_through(store, told, len(waits)))
                sums["kills"] += 1
            ended.set()
            for one in clients:
                one.join()
            sums.update(_looked(store, told))
            store.close()
    sums["slowest, ms"] = round(max(waits, default=0.0) * 1e3)
    return sums


def _work(store: PostgresStore, told: Told, ended: threading.Event, client: int) -> None:
    number = 0
    while not ended.is_set():
        number += 1
        told.append(store, f"s{number % _SESSIONS}", f"{client}: {number}")


def _until_through(store: PostgresStore, told: Told, number: int) -> float:
    """Seconds from the return of the server until the same handle has got through."""
    start_s = monotonic_s()
    for again in range(100):
        text = f"through {number}.{again}"
        told.append(store, "through", text)
        if told.outcomes[text] == "acknowledged":
            return monotonic_s() - start_s
    raise RuntimeError("the handle does not go on")


def _looked(store: PostgresStore, told: Told) -> Counter[str]:
    there = Counter(message.content for name in store.list() for message in store.read(name))
    sums = Counter(told.outcomes.values())
    for text, outcome in told.outcomes.items():
        sums["lost"] += outcome == "acknowledged" and not there[text]
        sums["refused and there"] += outcome == "refused" and there[text] > 0
        sums["twice"] += there[text] > 1
    return sums


def main(arguments: Sequence[str]) -> int:
    """Print both tables; 1 where ``power`` lost or told anything wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args(arguments).kills
    wrong = 0
    for durability, times in (("power", kills), ("process", max(1, kills // 4))):
        sums = killed(durability, times)  # type: ignore[arg-type]
        shown = ", ".join(
            f"{sums[name]} {name}"
            for name in ("kills", "acknowledged", "open", "refused", "lost", "twice",
                         "refused and there", "slowest, ms")
        )  # fmt: skip
        sys.stdout.write(f"{durability}: {shown}\n")
        sys.stdout.flush()
        bad = sums["twice"] + sums["refused and there"]
        wrong += bad + (sums["lost"] if durability == "power" else 0)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
