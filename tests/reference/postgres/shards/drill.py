"""Clients in processes work on a store while servers are added to it by movers that are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg

from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.seed import generator
from sessionproof.contract.store import capabilities_of
from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.trials.load_verdict import LoadVerdict, judged_load
from sessionproof.trials.recorded_load import Recorded, Wanted
from sessionproof.trials.waves import Load
from sessionproof.workload.executors import workers
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.waves import Plot, rounds_beside

_MOVES = 10  # sessions that leave at most, from one kill to the next

Rows = dict[str, tuple[str, int]]
"""For each session its server, and the number of its row there."""


def lain(store: ShardedStore) -> Rows:
    """Where sessions lie, and in which row: one that moved there and back would have another."""
    found = Rows()
    layout = store._servers.learn()
    for name in layout.servers:
        server = store._servers.at(name, layout)
        rows = server._read(lambda db: db.execute("SELECT session_id, id FROM sessions").fetchall())
        found |= {session_id: (name, number) for session_id, number in rows}
    return found


def fill(store: ShardedStore, number: int) -> list[str]:
    """So many sessions of two messages; their ids."""
    names = [f"before{at}" for at in range(number)]
    for one in names:
        store.append(one, [Message("user", one), Message("assistant", "yes")])
    return names


def loaded(
    urls: list[str], schema: str, root: Path, seed: int, change: Callable[[Recorded], None]
) -> tuple[Recorded, LoadVerdict]:
    """Have clients in processes work on the servers until ``change`` is done; what came of it."""
    store, history = ",".join(urls), root / "history"
    (root / "location").mkdir()
    history.mkdir()
    with ShardedStore(urls=urls, schema=schema, preset="cli") as opened:
        capabilities = frozenset(capabilities_of(opened))
        claims = replace(opened.claims)
    plot = Plot(
        seed=seed, mix="hot", clients=4, claims=claims, capabilities=capabilities,
        beside=rounds_beside("hot", 8),
    )  # fmt: skip
    wanted = Wanted(
        store=store, location=Location(root / "location", namespace=schema),
        deadlines=Deadlines(), plot=plot, seconds=3600.0,
    )  # fmt: skip
    with workers("processes", clients=4) as hired:
        load = Load(wanted, hired, history)

        def work() -> None:
            try:
                change(load.recorded)
            finally:
                load.recorded.interrupted = True  # it ends after its wave, and is judged

        thread = threading.Thread(target=work)
        thread.start()
        recorded = load.run()
        thread.join()
    recorded.interrupted = False
    return recorded, judged_load(recorded, plot, history)


def moved_with_kills(
    command: list[str], urls: list[str], schema: str, recorded: Recorded, *, kills: int, seed: int
) -> int:
    """Change servers by a command that is killed so often, then by one that is not.

    It is killed once some more sessions have left ``urls``. Answers how often that was before its
    end.
    """
    random, killed = generator(seed), 0
    while not recorded.made and not recorded.stopped:
        time.sleep(0.05)
    full = [sys.executable, "-m", "sessionproof", "shards", *command, "--schema", schema]
    for _ in range(kills):
        mover = subprocess.Popen(full, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wanted = departed(urls, schema) + 1 + int(random.random() * _MOVES)
        while mover.poll() is None and departed(urls, schema) < wanted:
            time.sleep(0.005)
        mover.kill()
        killed += mover.wait() != 0
    last = subprocess.run(full, capture_output=True, encoding="utf-8", check=False)
    assert last.returncode == 0, last.stderr
    made = recorded.made
    while recorded.made == made and not recorded.stopped:  # and the clients go on
        time.sleep(0.05)
    return killed


def departed(urls: list[str], schema: str) -> int:
    """How many sessions have left these servers in the change that is under way."""
    number = 0
    for url in urls:
        with psycopg.connect(url, autocommit=True) as db:
            rows = db.execute(f"SELECT count(*) FROM {schema}.departures").fetchall()
            number += rows[0][0]
    return number


def drop(urls: list[str], schema: str) -> None:
    """Remove the schema on all servers."""
    for url in urls:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
