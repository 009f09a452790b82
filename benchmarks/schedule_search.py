"""How many executions it takes until a broken store shows what is wrong, by strategy.

``python benchmarks/schedule_search.py`` runs one program of two clients on each broken store of
``tests/schedule/scheduled_stores.py``, once for each seed, until something is wrong, and prints the
mean number of executions: of random walks, of partial order sampling, of PCT, of all in turn, and
of the search through every schedule with at most two preemptions, with how many of these there are.
Names of stores choose some; ``--seeds`` says how many runs, ``--most`` when one is given up.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "schedule"))  # for the stores

from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.message import Message
from sessionproof.contract.seed import derive
from sessionproof.engine.machine import fast_folder
from sessionproof.schedule.bounded import Bounded
from sessionproof.schedule.decisions import Strategy
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Setup
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import Pct, Pos, RandomWalk, sampled
from sessionproof.workload.speech import Speech

HOPELESS = 4  # runs without a finding, after which no further one is made
TOTAL_MOST = 3_000  # schedules of a bound that are counted
Strategies = Callable[[int], Iterator[Strategy]]


def main() -> int:
    """Print a table in Markdown, a line for each store as it is measured."""
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(dir=fast_folder())).resolve()
    try:
        with controlled([root]):
            from scheduled_stores import BROKEN, BY_LINES

            stores = {**BROKEN, **BY_LINES}
            chosen = arguments.stores or [*stores]
            unknown = set(chosen) - {*stores}
            if unknown:
                sys.stderr.write(f"no store is called {', '.join(sorted(unknown))}\n")
                return 2
            for line in _table(
                {name: stores[name] for name in chosen}, {*BY_LINES}, root, arguments
            ):
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def _table(
    stores: dict[str, Any], lines: set[str], root: Path, arguments: argparse.Namespace
) -> Iterator[str]:
    yield f"| store | {' | '.join(RANDOM)} | ≤ 2 preemptions: first of all |"
    yield f"|---{'|--:' * (len(RANDOM) + 1)}|"
    for name, store in stores.items():
        cells = [
            _mean(store, name in lines, root, strategies, arguments)
            for strategies in RANDOM.values()
        ]
        yield f"| {name} | {' | '.join(cells)} | {_bounded(store, name in lines, root)} |"


def _walks(seed: int) -> Iterator[Strategy]:
    return (RandomWalk(derive(seed, at)) for at in count())


def _samplings(seed: int) -> Iterator[Strategy]:
    return (Pos(derive(seed, at)) for at in count())


def _ranks(seed: int) -> Iterator[Strategy]:
    return (Pct(derive(seed, at), length=40) for at in count())


def _in_turn(seed: int) -> Iterator[Strategy]:
    return sampled(seed, lambda: 40)


RANDOM: dict[str, Strategies] = {
    "random walk": _walks,
    "POS": _samplings,
    "PCT 3": _ranks,
    "in turn": _in_turn,
}


def _mean(
    store: Any, lines: bool, root: Path, strategies: Strategies, arguments: argparse.Namespace
) -> str:
    """The mean number of executions to the first finding; runs that found none count whole."""
    made: list[int] = []
    found = 0
    runner = _runner(store, root, lines=lines)
    for seed in range(arguments.seeds):
        first = _first(runner, islice(strategies(seed), arguments.most))
        found += first is not None
        made.append(first or arguments.most)
        if not found and len(made) == HOPELESS:
            break
    runner.close()
    if not found:
        return "–"
    missed = f" ({found} of {len(made)})" if found < len(made) else ""
    return f"{sum(made) / len(made):.1f}{missed}"


def _first(runner: Runner, strategies: Iterable[Strategy]) -> int | None:
    from played_stores import TWO, wrong

    for number, strategy in enumerate(strategies, 1):
        if wrong(runner.run(TWO, strategy)):
            return number
    return None


def _bounded(store: Any, lines: bool, root: Path) -> str:
    from played_stores import TWO, wrong

    runner, bound, first = _runner(store, root, lines=lines), Bounded(TWO, 2), None
    for number, strategy in enumerate(islice(bound, TOTAL_MOST), 1):
        run = runner.run(TWO, strategy)
        if first is None and wrong(run):
            first = number
    runner.close()
    whole = f"{bound.schedules:,}" if bound.ended else f"more than {TOTAL_MOST:,}"
    diverged = f", {bound.diverged} diverged" if bound.diverged else ""
    return f"{'–' if first is None else first} of {whole}{diverged}"


def _runner(store: Any, root: Path, *, lines: bool) -> Runner:
    from played_stores import locations

    own = Path(tempfile.mkdtemp(dir=root))
    setup = Setup(StoreSpec("store", store), store.handles, 2, Speech(Message("user", "x"), False))
    return Runner(replace(setup, lines=lines), locations(own))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("stores", nargs="*", help="names of stores, of which all are measured")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--most", type=int, default=300, help="executions of one run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
