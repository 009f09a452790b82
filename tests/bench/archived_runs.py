"""Made runs for tests of the archive and of the gates: numbers that nobody measured."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from sessionproof.bench.tracking.archived import ArchivedRun, Commit
from sessionproof.contract.causes import Causes, FunctionCost, StatementCost
from sessionproof.contract.measurements import Latency, Ratio, Speed

MACHINE = {
    "cpu": "Made CPU",
    "cores": "2",
    "python": "CPython 3.11.2",
    "sqlite": "3.40.1 (serialized)",
    "file system": "tmpfs",
    "load": "0.10",
}
FLOOR = "raw SQLite, synchronous=FULL"


def day(number, hour=0):
    """Midnight of a day, counted from the beginning of 2026."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number, hours=hour)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def speed(ratio=1.3, *, operation="append", clients="one client", floor=FLOOR):
    """A row of the performance table; without a ratio it has no floor."""
    return Speed(
        operation=operation,
        clients=clients,
        latency=Latency(p50_us=40, p95_us=60.5, p99_us=80, p999_us=90, max_us=400, calls=5_000),
        per_second=20_000.5,
        floor=floor if ratio else None,
        floor_us=30.25 if ratio else None,
        ratio=ratio and Ratio(value=ratio, low=ratio * 0.99, high=ratio * 1.01, rounds=180, of=200),
        samples={"store": (40_000, 41_000), "floor": (30_000, 30_500)} if ratio else {},
    )


def night(number, *ratios, machine=None, store="shop:Store", causes=(), **rows):
    """The run of a night at a commit of its own: ratios of append, or rows by keyword."""
    speeds = rows.get("speeds") or tuple(map(speed, ratios or (1.3,)))
    return ArchivedRun(
        store=store,
        version="1.2",
        commit=Commit(id=f"{number:040x}", subject=f"change {number}", at=day(number)),
        started_at=day(number, hour=3),
        sessionproof="0.1",
        profile="gate",
        seed=number,
        machine=MACHINE if machine is None else machine,
        speeds=speeds,
        causes=causes,
    )


def counted(statements=1):
    """Causes of append with so many statements a call."""
    return Causes(
        operation="append",
        calls=10,
        steps=100.0 * statements,
        statements=tuple(
            StatementCost(text=f"INSERT INTO t{n}", times=1.0, steps=100.0)
            for n in range(statements)
        ),
        functions=(FunctionCost(name="shop:append", share=0.5),),
        missing={"syncs": "nobody counted"},
    )


_TEXTS = st.text(max_size=12) | st.sampled_from(["\ud800", "\x00", "a\nb", '"}', "\u2028"])
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
_TIMES = st.integers(0, 3_000).map(day)
_RATIOS = st.builds(
    Ratio, value=_NUMBERS, low=_NUMBERS, high=_NUMBERS, rounds=st.integers(), of=st.integers()
)
_SPEEDS = st.builds(
    Speed,
    operation=_TEXTS,
    clients=_TEXTS,
    latency=st.just(speed().latency),
    per_second=_NUMBERS,
    floor=st.none() | _TEXTS,
    floor_us=st.none() | _NUMBERS,
    ratio=st.none() | _RATIOS,
    most=st.none() | _NUMBERS,
    samples=st.dictionaries(_TEXTS, st.lists(st.integers(), max_size=4).map(tuple), max_size=2),
    note=_TEXTS,
)
_COMMITS = st.builds(Commit, id=_TEXTS, subject=_TEXTS, at=st.just("") | _TIMES)
RUNS = st.builds(
    ArchivedRun,
    store=_TEXTS,
    version=st.none() | _TEXTS,
    commit=st.none() | _COMMITS,
    started_at=_TIMES,
    sessionproof=_TEXTS,
    profile=st.sampled_from(["smoke", "gate"]),
    seed=st.integers(0, 2**70),
    machine=st.dictionaries(st.sampled_from(sorted(MACHINE)), _TEXTS, max_size=3),
    speeds=st.lists(_SPEEDS, max_size=3).map(tuple),
    causes=st.sampled_from([(), (counted(),)]),
    between=st.lists(_COMMITS, max_size=2).map(tuple),
)
"""Any runs, with texts that hurt: halves of surrogates, NUL, ends of lines."""
