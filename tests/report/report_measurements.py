"""Measurements that were never made, but could have been."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.measurements import (
    Growth,
    Latency,
    Load,
    LoadPoint,
    Measured,
    Memory,
    Phase,
    Ratio,
    Size,
    Speed,
    Traffic,
)

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
FLOOR = "raw SQLite, synchronous=NORMAL"


def latency(p50_us: float, *, calls: int = 4_000) -> Latency:
    """Percentiles with the long tail that real calls have."""
    return Latency(
        p50_us=p50_us, p95_us=p50_us * 1.6, p99_us=p50_us * 3.1, p999_us=p50_us * 14,
        max_us=p50_us * 60, calls=calls,
    )  # fmt: skip


def speed(operation: str, p50_us: float, floor_us: float | None, **changes) -> Speed:
    """A row by one client, with an interval of two percent to each side."""
    value = None if floor_us is None else p50_us / floor_us
    ratio = value and Ratio(value=value, low=value * 0.98, high=value * 1.02, rounds=164, of=200)
    row = Speed(
        operation=operation, clients="one client", latency=latency(p50_us),
        per_second=1e6 / (p50_us * 1.2), floor=None if floor_us is None else FLOOR,
        floor_us=floor_us, ratio=ratio, samples={"store": (1_000, 1_020), "floor": (900, 910)},
    )  # fmt: skip
    return replace(row, **changes)


def growth(operation: str, cost_us: float, slope: float = 0.01, **changes) -> Growth:
    """A growth with this exponent, and a floor of half its cost that stays flat."""
    costs = tuple(cost_us * (size / SIZES[0]) ** slope for size in SIZES)
    row = Growth(
        operation=operation, along="messages", sizes=SIZES, cost_us=costs,
        floor_us=(cost_us / 2,) * len(SIZES), slope=slope, low=slope - 0.02, high=slope + 0.02,
        verdict="flat" if slope < 0.2 else "linear", rounds=20, factor=costs[-1] / costs[0],
        at_million_us=cost_us * 1_000**slope,
        limit="a part that grows and is less than 30 % of the cost at 100,000 looks flat",
    )  # fmt: skip
    return replace(row, **changes)


def throughput(kind: str, rates: dict[int, float]) -> list[Speed]:
    """Appends by so many threads or processes at once."""
    return [
        speed(
            "append", 1e6 * number / rate, 1e6 * number / rate / 1.2, per_second=rate,
            clients=f"{number} {kind}{'' if number == 1 else 'es' if kind[-1] == 's' else 's'}",
        )
        for number, rate in rates.items()
    ]  # fmt: skip


LOAD = Load(
    operation="append",
    clients="8 threads",
    points=tuple(
        LoadPoint(offered_per_s=rate, done_per_s=min(rate, 9_100), latency=latency(p50))
        for rate, p50 in (
            (1_000, 46), (2_500, 48), (5_000, 61), (7_500, 95), (9_000, 420), (11_000, 48_000),
        )
    ),
    knee_per_s=9_000,
    closed_per_s=9_300,
)  # fmt: skip

SPEEDS: tuple[Speed, ...] = (
    speed("append", 42.0, 33.0, most=2.0),
    speed("read_last", 61.0, 30.5, most=1.9),
    speed("page", 118.0, 65.0),
    speed("get", 9.4, 3.1, most=3.0),
    speed("search", 2_400.0, None, note="100 of 100,000 messages"),
    speed("create", 48.0, 31.0),
    speed("update", 44.0, 31.0),
    speed("delete", 51.0, 36.0),
    speed("open", 1_900.0, 640.0, most=4.0),
)
CLIENTS: tuple[Speed, ...] = (
    *throughput("thread", {1: 16_000, 2: 15_200, 4: 14_900, 10: 13_800}),
    *throughput("process", {1: 15_900, 2: 12_100, 4: 9_700}),
)
GROWTHS: tuple[Growth, ...] = (
    growth("append", 42.0, steps=(71, 71, 71, 71, 71)),
    growth("read_last", 61.0, 0.03),
    growth("page", 118.0, 0.02),
    growth("get", 9.4, 0.97),
    growth("get", 9.4, 0.21, along="sessions", verdict="undecided", floor_us=None),
)
SIZES_ON_DISK: tuple[Size, ...] = (
    Size(what="memory per connection", value=610_000, unit="bytes"),
    Size(what="file, 10,000 messages", value=2_310_000, unit="bytes", floor=1_640_000),
)
MEMORIES: tuple[Memory, ...] = (
    Memory(
        what="paging through 100,000 messages", calls=(1, 250, 500, 750, 1_000),
        kept_bytes=(41_000, 44_100, 43_900, 44_000, 44_200), per_call=0.4, least=64.0,
    ),
    Memory(
        what="get, repeated", calls=(1, 500, 1_000), kept_bytes=(10_000, 412_000, 815_000),
        per_call=805.0, least=64.0, note="the cache is not bounded",
    ),
)  # fmt: skip


def traffic(clients: str, rate: int, *, buckets: int = 24, **changes) -> Traffic:
    """Operations that swing about a rate for each bucket of 50 ms, and none in one of them."""
    done = tuple(rate + rate * ((place * 7) % 5 - 2) // 10 for place in range(buckets))
    none = buckets // 2
    p50 = tuple(1e6 / rate * (1 + (place * 3 % 4) / 9) for place in range(buckets))
    quiet = tuple(None if place == none else value for place, value in enumerate(p50))
    row = Traffic(
        clients=clients,
        operations=sum(done) - done[none],
        overlapping=sum(done) * 6 // 10,
        bucket_us=50_000.0,
        done=tuple(0 if place == none else value for place, value in enumerate(done)),
        failed=tuple(value // 40 if place % 3 == 0 else 0 for place, value in enumerate(done)),
        p50_us=quiet,
        p99_us=tuple(None if value is None else value * 7 for value in quiet),
        phases=(
            Phase(name="ramp", began_us=0, ended_us=200_000),
            Phase(name="load", began_us=200_000, ended_us=1_050_000),
            Phase(name="final", began_us=1_050_000, ended_us=1_200_000),
        ),
    )
    return replace(row, **changes)


TRAFFIC: dict[str, tuple[Traffic, ...]] = {
    "CONC-01": (traffic("4 threads", 900), traffic("4 processes", 310)),
    "CONC-05": (traffic("4 threads", 450), traffic("8 tasks", 700, note="one loop")),
}


ALL: dict[str, tuple[Measured, ...]] = {
    "PERF-01": (*SPEEDS, *CLIENTS, LOAD, *SIZES_ON_DISK),
    "SCALE-01": GROWTHS[:1],
    "SCALE-02": GROWTHS[1:],
    "SCALE-03": MEMORIES,
}
SLOW: dict[str, tuple[Measured, ...]] = {
    "PERF-01": (
        speed("append", 4_200.0, 33.0, most=100.0),
        speed("get", 1_300.0, 3.1),
        *throughput("thread", {1: 230, 10: 190}),
        replace(LOAD, knee_per_s=None, closed_per_s=230),
    ),
    "SCALE-01": (growth("append", 900.0, 0.98),),
}


def everywhere(text: str) -> tuple[Measured, ...]:
    """One of each kind, with this text wherever one can stand."""
    return (
        speed(text, 5.0, 4.0, clients=text, floor=text, samples={text: (1,)}, note=text),
        speed(text, 5.0, 4.0, clients="2 threads", note=text),
        Size(what=text, value=3, unit=text, floor=2, note=text),
        growth(text, 3.0, along=text, limit=text),
        replace(LOAD, operation=text, clients=text, note=text),
        replace(MEMORIES[0], what=text, note=text),
        traffic(text, 90, phases=(Phase(name=text, began_us=0, ended_us=1e6),), note=text),
    )
