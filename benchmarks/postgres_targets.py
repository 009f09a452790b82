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
    yield "| ten clients, 100 sessions | rate over the bare one's | bare, a second | processor |"
    yield "|---|---|---|---|"
    with PrivateServer.start(options.folder) as server:
        for durability, said in _DURABILITIES:
            with _crowd(server.url, durability) as (public, bare):
                arms = {
                    name: _spent(call, [server], options.each)
                    for name, call in (("store", public), ("bare", bare))
                }
                seen = _alternating(arms, options.blocks)
            rates = sorted(1e9 / row.cost_ns for row in seen["bare"])
            yield (
                f"| synchronous_commit {said} | {_over(seen['bare'], seen['store'], 'cost_ns')} "
                f"| {rates[options.blocks // 2]:,.0f} "
                f"| {_over(seen['store'], seen['bare'], 'all_s')} |"
            )


@contextmanager
def _crowd(url: str, durability: Durability) -> Iterator[tuple[clients.Append, clients.Append]]:
    """An append of the store, and a bare one, each on the next session of a hundred."""
    schema, synchronous = f"c_{durability}", durability == "power"
    raw.bare_schema(url, f"{schema}_bare", [_session(number) for number in range(_SESSIONS)])
    turn = count()
    with (
        PostgresStore(url=url, schema=schema, durability=durability) as store,
        raw.pool(
            url, f"{schema}_bare", synchronous=synchronous, most=clients.THREADS
        ) as connections,
    ):

        def bare(_: int) -> None:
            with connections.connection() as db:
                db.execute(*raw.bare_values(_session(next(turn)), 1)).fetchall()

        yield _appending(store), bare


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
        arms = {}
        for name, store, its in (("one", one, servers[:1]), ("four", four, servers[1:])):
            arms[name] = _spent(_appending(store), its, options.each)
        seen = _alternating(arms, options.blocks)
    yield (
        f"| appends | {_over(seen['one'], seen['four'], 'cost_ns')} "
        f"| {_over(seen['four'], seen['one'], 'servers_s')} "
        f"| {_over(seen['four'], seen['one'], 'clients_s')} |"
    )


def _appending(store: PostgresStore | ShardedStore) -> clients.Append:
    turn = count()

    def append(_: int) -> None:
        store.append(_session(next(turn)), raw.messages(1))

    return append


@dataclass(frozen=True)
class Spent:
    """A block of appends: nanoseconds of each, and processor seconds of all."""

    cost_ns: float
    servers_s: float
    clients_s: float

    @property
    def all_s(self) -> float:
        """Of servers and clients together."""
        return self.servers_s + self.clients_s


def _spent(append: clients.Append, servers: list[PrivateServer], each: int) -> Callable[[], Spent]:
    def block() -> Spent:
        before, own = sum(map(raw.cpu_s, servers)), time.process_time()
        done = clients.by_threads(append, each)
        own = time.process_time() - own
        return Spent(done.cost, max(sum(map(raw.cpu_s, servers)) - before, 1e-9), own)

    return block


def _alternating(arms: dict[str, Callable[[], Spent]], blocks: int) -> dict[str, list[Spent]]:
    """So many blocks of each, in turns, after one that makes sessions and opens connections."""
    seen: dict[str, list[Spent]] = {name: [] for name in arms}
    for arm in arms.values():
        arm()
    for block in range(blocks):
        for name in sorted(arms, reverse=bool(block % 2)):
            seen[name].append(arms[name]())
    return seen


def _over(some: list[Spent], others: list[Spent], what: str) -> str:
    return _shown(
        lines.paired([getattr(one, what) for one in some], [getattr(one, what) for one in others])
    )


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
