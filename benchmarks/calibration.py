"""What crashes do to stores whose weakness is known: measured beside what was expected.

``python benchmarks/calibration.py`` records each store while it appends, judges the states that
each crash model leaves of its files, and prints how many there are, how many are bad, and in which
ways, beside the ways in which they must be. It ends with 1 when a store is bad in another way than
expected, or not at all, or when it is good and was called bad. ``--states`` bounds how many states
of each model are judged; without it all are.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import Append, Program, Reopen
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.faults.crashes.models import number_of, states
from sessionproof.faults.crashes.states import KILL, MODELS, POWER_ORDERED, POWER_STRICT
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.faults.tracing.recorder import record
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.programs import tokened
from sessionproof.workload.vocabulary import vocabulary

LOST, HALF, COUNTERS, UNREADABLE, CHANGED = "lost", "half", "counters", "unreadable", "changed"
APPENDS = 25
_BATCHES = (1, 1, 3, 1, 2)  # how many messages, in turn
_OPERATION_S = 20.0


@dataclass(frozen=True)
class Way:
    """In which ways states must be bad: in all of ``must``, and in none beside ``may``."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()

    def fits(self, seen: frozenset[str]) -> bool:
        """Whether a store that was bad in these ways is as expected."""
        return self.must <= seen <= self.must | self.may


ANY = frozenset({LOST, HALF, COUNTERS, UNREADABLE, CHANGED})
GOOD = Way()
LOSES = Way(frozenset({LOST}))


def worse(*must: str) -> Way:
    """Bad in these ways at least."""
    return Way(frozenset(must), ANY)


@dataclass(frozen=True)
class Line:
    """One store of the table, with how it must be bad under each crash model."""

    what: str
    store: str
    kill: Way = GOOD
    ordered: Way = GOOD
    strict: Way = GOOD

    def expected(self, model: str) -> Way:
        """How it must be bad under this model."""
        return {KILL: self.kill, POWER_ORDERED: self.ordered, POWER_STRICT: self.strict}[model]


@dataclass(frozen=True)
class Cell:
    """What was seen under one model: ``ways`` count the bad states, one state under several."""

    existing: int
    judged: int
    bad: int
    ways: Mapping[str, int]

    @property
    def seen(self) -> frozenset[str]:
        """The ways in which any state was bad."""
        return frozenset(self.ways)


_SAFE, _SAFE_FILES = "fixtures.benign.crash_safe", "fixtures.benign.crash_safe_files"
_SQLITE, _FILES = "fixtures.mutants.crash_sqlite", "fixtures.mutants.crash_files"

TABLE = (
    Line("SQLite, WAL, FULL", f"{_SAFE}:SyncedLog"),
    Line("SQLite, WAL, NORMAL", f"{_SQLITE}:LogInNormalMode", ordered=LOSES, strict=LOSES),
    Line(
        "SQLite, WAL, OFF",
        f"{_SQLITE}:LogNeverSynced",
        ordered=worse(LOST, UNREADABLE),
        strict=worse(LOST, UNREADABLE, COUNTERS),
    ),
    Line("SQLite, DELETE, FULL", f"{_SQLITE}:JournalComesBack", ordered=LOSES, strict=LOSES),
    Line("SQLite, DELETE, EXTRA", f"{_SAFE}:RemovedJournal"),
    Line("SQLite, TRUNCATE, FULL", f"{_SAFE}:TruncatedJournal"),
    Line("SQLite, PERSIST, FULL", f"{_SAFE}:PersistedJournal"),
    Line(
        "SQLite, journal in memory",
        f"{_SQLITE}:JournalInMemory",
        kill=worse(UNREADABLE, COUNTERS),
        ordered=worse(UNREADABLE),
        strict=worse(UNREADABLE),
    ),
    Line(
        "SQLite, no journal",
        f"{_SQLITE}:NoJournal",
        kill=worse(UNREADABLE, COUNTERS),
        ordered=worse(UNREADABLE),
        strict=worse(UNREADABLE),
    ),
    Line(
        "SQLite, WAL, FULL, a batch in two transactions",
        f"{_SQLITE}:BatchInTwoTransactions",
        kill=Way(frozenset({HALF})),
        ordered=Way(frozenset({HALF})),
        strict=Way(frozenset({HALF})),
    ),
    Line(
        "JSON, rewritten in place",
        f"{_FILES}:CutsThenWrites",
        kill=worse(UNREADABLE),
        ordered=worse(UNREADABLE),
        strict=worse(UNREADABLE),
    ),
    Line(
        "JSON, renamed, not synced",
        f"{_FILES}:RenamesWithoutSync",
        ordered=worse(LOST),
        strict=worse(UNREADABLE),
    ),
    Line("JSON, synced, renamed, directory synced", "fixtures.benign.files:JsonFiles"),
    Line(
        "JSON lines, not synced",
        f"{_FILES}:TornLineBlocksTheSession",
        ordered=worse(LOST),
        strict=worse(UNREADABLE),
    ),
    Line(
        "JSON lines, not synced, a torn line dropped",
        f"{_FILES}:LinesNeverSynced",
        ordered=worse(LOST),
        strict=worse(LOST),
    ),
    Line("JSON lines, synced, a torn line dropped", f"{_SAFE_FILES}:SyncedLines"),
    Line("a log and a base, synced", f"{_SAFE_FILES}:OwnLog"),
)


def main() -> int:
    """Measure all stores, or those whose line contains a word that is given; print the table."""
    arguments = _arguments()
    words = [word.lower() for word in arguments.words]
    chosen = [line for line in TABLE if not words or any(w in line.what.lower() for w in words)]
    if not chosen:
        sys.stderr.write(f"no line of the table has {' or '.join(words)} in it\n")
        return 2
    start, wrong, total = monotonic_s(), 0, 0
    sys.stdout.write(f"{'store':<48}{'model':<15}{'judged':>13}{'bad':>6}  ways\n")
    for line in chosen:
        try:
            cells = measured(line.store, most=arguments.states)
        except CannotTrace as why:
            sys.stderr.write(f"{why}\n")
            return 2
        for text, fits in told(line, cells):
            sys.stdout.write(f"{text}\n")
            wrong += not fits
        total += sum(cell.judged for cell in cells.values())
        sys.stdout.flush()
    seconds = monotonic_s() - start
    sys.stdout.write(
        f"{len(chosen)} stores, {total:,} states in {seconds:.0f} s, {wrong} differences\n"
    )
    return int(wrong > 0)


def measured(store: str, *, most: int = 0, seed: int = 0) -> dict[str, Cell]:
    """What each model's states show of a store; at most ``most`` of each, 0 for all.

    Raises CannotTrace, and RuntimeError where a recording shows nothing.
    """
    with tempfile.TemporaryDirectory(dir=fast_folder(), ignore_cleanup_errors=True) as folder:
        made = recorded(store, Path(folder))
        return {model: _cell(made, model, most, seed) for model in MODELS}


def recorded(store: str, folder: Path) -> Recording:
    """The store's appends under the tracer; raises CannotTrace, RuntimeError."""
    spec = find_store(store)
    if spec.claims is None:
        raise ValueError(f"{store} must declare its claims")
    where = folder / "recording"
    where.mkdir()
    under_test = StoreUnderTest(spec, spec.claims, parent=folder, deadlines=Deadlines())
    try:
        made = record(
            under_test,
            [program(under_test)],
            folder=where,
            sessions=["s0"],
            deadline_s=_OPERATION_S,
        )
    finally:
        under_test.close()
    bad = [act for act in made.acts if act.outcome.type != "ok"]
    if made.hidden or bad:
        raise RuntimeError(f"{store}: {made.hidden or bad[0].outcome}")
    return made


def program(store: StoreUnderTest) -> Program:
    """Appends, some of them batches, with a new process in the middle."""
    one = vocabulary(store.spec, store.claims).samples[0]
    sizes = [_BATCHES[at % len(_BATCHES)] for at in range(APPENDS)]
    appends = [Append("s0", (one,) * size) for size in sizes]
    return tokened([*appends[: APPENDS // 2], Reopen(), *appends[APPENDS // 2 :]])


def _cell(made: Recording, model: str, most: int, seed: int) -> Cell:
    listed = [*states(made.changes, model, generator=generator(seed, model), most=most)]
    workers = len(os.sched_getaffinity(0))
    ways: Counter[str] = Counter()
    done = bad = 0
    for one in judged(made, listed, workers=workers, operation_s=_OPERATION_S):
        done += 1
        bad += bool(one.flaws)
        ways.update({way_of(flaw) for flaw in one.flaws})
    existing = number_of(made.changes, model) if most else len(listed)
    return Cell(existing, done, bad, dict(ways.most_common()))


_WAYS = {
    "lost-message": LOST,
    "lost-session": LOST,
    "torn-batch": HALF,
    "partial-operation": HALF,
    "counter-drift": COUNTERS,
    "unreadable": UNREADABLE,
    "stuck": UNREADABLE,
}


def way_of(flaw: Flaw) -> str:
    """The flaw by the words of the table."""
    return LOST if flaw.lost else _WAYS.get(str(flaw.anomaly), CHANGED)


def told(line: Line, cells: Mapping[str, Cell]) -> Iterator[tuple[str, bool]]:
    """A text for each model, and whether it is as expected."""
    for at, (model, cell) in enumerate(cells.items()):
        expected = line.expected(model)
        fits = expected.fits(cell.seen)
        counts = f"{cell.judged:,}/{cell.existing:,}"
        seen = ", ".join(f"{way} {number}" for way, number in cell.ways.items()) or "none"
        note = "" if fits else f"; EXPECTED {_words(expected)}"
        what = line.what if at == 0 else ""
        yield f"{what:<48}{model:<15}{counts:>13}{cell.bad:>6}  {seen}{note}", fits


def _words(way: Way) -> str:
    least = ", ".join(sorted(way.must)) or "none"
    return f"{least} at least" if way.may - way.must else least


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of the names of stores; all without")
    parser.add_argument("--states", type=int, default=0, help="of each model at most, 0 for all")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
