"""Measures the reference on PostgreSQL beside raw statements, as ratios within one run.

``python benchmarks/postgres_targets.py`` starts servers of its own below ``--folder`` and prints
tables: an append through the public API over its own statement and over a bare one, ten clients on
a hundred sessions, the share of updates in place, one server beside four, and reads. ``--part``
measures that part alone (repeatable). Both sides of a ratio take turns in random order; times of
their own say little on a shared machine. What is acknowledged waits for the disk of ``--folder``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import postgres_lines as raw
import reference_clients as clients
import reference_lines as lines

from sessionproof.contract.measurements import Ratio
from sessionproof.engine.machine import facts
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.claimed import Durability
from sessionproof.reference.postgres.sharded import ShardedStore
from sessionproof.reference.postgres.store import PostgresStore

_SESSIONS = 100
_DURABILITIES: tuple[tuple[Durability, str], ...] = (("power", "on"), ("process", "off"))


@dataclass(frozen=True)
class Options:
    """How much is measured, and where."""

    folder: Path | None
    rounds: int
    blocks: int
    each: int
    sizes: tuple[int, ...]


def appends(options: Options) -> Iterator[str]:
    """One client: the public append over its statement, and over the bare one."""
    yield "| append | synchronous_commit | over the same statement | over a bare one | bare, ms |"
    yield "|---|---|---|---|---|"
    with PrivateServer.start(options.folder) as server:
        for durability, said in _DURABILITIES:
            for number in (1, 3, 100):
                with raw.appends(server.url, durability, number) as calls:
                    rounds = max(30, options.rounds // (1 if number < 100 else 5))
                    bare = lines.compared(dict(calls), "bare", rounds=rounds)["store"]
                    same = lines.compared(dict(calls), "same", rounds=rounds)["store"]
                    spent = sorted(raw.milliseconds(calls["bare"]) for _ in range(31))[15]
                yield f"| {number} | {said} | {_shown(same)} | {_shown(bare)} | {spent:.2f} |"


def in_place(options: Options) -> Iterator[str]:
    """The share of updates of sessions that touch no index, and what the table grows to."""
    yield "| appends | updates of sessions | in place | size of the table |"
    yield "|---|---|---|---|"
    with PrivateServer.start(options.folder) as server:
        for number, often in ((1, 4_000), (100, 400)):
            schema = f"h{number}"
            with PostgresStore(url=server.url, schema=schema, durability="process") as store:
                for place in range(often):
                    store.append(f"s{place % _SESSIONS}", raw.messages(number))
            updates, hot, size = raw.updates_in_place(server.url, schema)
            yield (
                f"| {often:,} of {number} on {_SESSIONS} sessions | {updates:,} "
                f"| {hot / updates:.2%} | {size:,} bytes |"
            )


def ten_clients(options: Options) -> Iterator[str]:
    """Ten threads on a hundred sessions: the store's rate over that of the bare statement."""
    yield "| ten clients, 100 sessions | rate over the bare statement's | bare, a second |"
    yield "|---|---|---|"
    with PrivateServer.start(options.folder) as server:
        for durability, said in _DURABILITIES:
            with _crowd(server.url, durability) as (public, bare):
                arms = {
                    "store": lambda call=public: clients.by_threads(call, options.each),
                    "bare": lambda call=bare: clients.by_threads(call, options.each),
                }
                for arm in arms.values():
                    arm()  # makes the sessions, and opens connections
                seen = clients.in_blocks(arms, blocks=options.blocks)
            costs = {name: [one.cost for one in blocks] for name, blocks in seen.items()}
            rate = sorted(1e9 / cost for cost in costs["bare"])[options.blocks // 2]
            ratio = lines.paired(costs["bare"], costs["store"])
            yield f"| synchronous_commit {said} | {_shown(ratio)} | {rate:,.0f} |"


@contextmanager
def _crowd(url: str, durability: Durability) -> Iterator[tuple[clients.Append, clients.Append]]:
    """An append of the store, and a bare one, each on the next session of a hundred."""
    schema, synchronous = f"c_{durability}", durability == "power"
    raw.bare_schema(url, f"{schema}_bare", [_session(number) for number in range(_SESSIONS)])
    turns = count(), count()
    with (
        PostgresStore(url=url, schema=schema, durability=durability) as store,
        raw.pool(
            url, f"{schema}_bare", synchronous=synchronous, most=clients.THREADS
        ) as connections,
    ):

        def public(_: int) -> None:
            store.append(_session(next(turns[0])), raw.messages(1))

        def bare(_: int) -> None:
            with connections.connection() as db:
                db.execute(*raw.bare_values(_session(next(turns[1])), 1)).fetchall()

        yield public, bare


def _session(turn: int) -> str:
    return f"s{turn * 7 % _SESSIONS}"


def four_servers(options: Options) -> Iterator[str]:
    """One server beside four: appends a second of ten threads, and processor time of each."""
    yield "| four servers over one | rate | processor of servers | processor of clients |"
    yield "|---|---|---|---|"
    with ExitStack() as stack:
        servers = [stack.enter_context(PrivateServer.start(options.folder)) for _ in range(5)]
        one = stack.enter_context(PostgresStore(url=servers[0].url, schema="n"))
        four = stack.enter_context(
            ShardedStore(urls=[server.url for server in servers[1:]], schema="n")
        )
        measured = {
            "one": _spent(one.append, servers[:1], options.each),
            "four": _spent(four.append, servers[1:], options.each),
        }
        for measure in measured.values():
            measure()
        seen: dict[str, list[tuple[float, float, float]]] = {"one": [], "four": []}
        for block in range(options.blocks):
            for name in ("one", "four") if block % 2 else ("four", "one"):
                seen[name].append(measured[name]())
    of_servers, of_clients = (
        lines.paired([row[at] for row in seen["four"]], [row[at] for row in seen["one"]])
        for at in (1, 2)
    )
    rate = lines.paired([row[0] for row in seen["one"]], [row[0] for row in seen["four"]])
    yield f"| appends | {_shown(rate)} | {_shown(of_servers)} | {_shown(of_clients)} |"


def _spent(
    append: Callable[..., object], servers: list[PrivateServer], each: int
) -> Callable[[], tuple[float, float, float]]:
    """Answers, for a block of appends: nanoseconds, the servers' and our processor seconds."""
    turn = count()

    def block() -> tuple[float, float, float]:
        before, own = sum(map(raw.cpu_s, servers)), time.process_time()
        done = clients.by_threads(lambda _: append(_session(next(turn)), raw.messages(1)), each)
        own = time.process_time() - own
        return done.cost, max(sum(map(raw.cpu_s, servers)) - before, 1e-9), own

    return block


def reads(options: Options) -> Iterator[str]:
    """Reads over their own statement, fetched and not made into messages."""
    yield "| read | over the raw SELECT |"
    yield "|---|---|"
    with (
        PrivateServer.start(options.folder) as server,
        raw.reads(server.url, options.sizes) as arms,
    ):
        for name, calls in arms.items():
            ratio = lines.compared(dict(calls), "same", rounds=options.rounds)["store"]
            yield f"| {name} | {_shown(ratio)} |"


PARTS: dict[str, Callable[[Options], Iterator[str]]] = {
    "appends": appends,
    "in_place": in_place,
    "ten_clients": ten_clients,
    "four_servers": four_servers,
    "reads": reads,
}


def _shown(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f} – {ratio.high:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="this part alone")
    parser.add_argument("--rounds", type=int, default=200, help="of one client's calls")
    parser.add_argument("--blocks", type=int, default=15, help="of many clients' calls")
    parser.add_argument("--each", type=int, default=60, help="appends of a client in a block")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--folder", type=Path, default=None, help="below which the servers' data lies"
    )
    given = parser.parse_args()
    options = Options(given.folder, given.rounds, given.blocks, given.each, tuple(given.sizes))
    folder = given.folder or Path(tempfile.gettempdir())
    machine = ", ".join(f"{name} {value}" for name, value in facts(folder).items())
    sys.stdout.write(f"{machine}; load {os.getloadavg()[0]:.1f}\n")
    for name in given.part or PARTS:
        sys.stdout.write(f"\n{name}\n\n")
        for line in PARTS[name](options):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        sys.stdout.write(f"\nload {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
