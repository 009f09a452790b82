"""Whether correct stores stay correct under very many controlled schedules.

``python benchmarks/schedule_soak.py`` runs so many schedules of each kind of clients, and a quarter
of them more with a point at each line, for the reference, behind ``async def`` too, and every
benign store that several clients may use: random strategies by seeds, each small, larger and single
program in turn, a store in a process of its own. It prints what came of them and ends with 1 when
anything was found. Names choose some of the stores.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from schedule_request import request_for

from fixtures.registry import benign_stores
from sessionproof.contract.clock import monotonic_s
from sessionproof.engine.machine import fast_folder
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Kind, Program, Run, Setup
from sessionproof.schedule.programs import programs_for
from sessionproof.schedule.replay import as_plain
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import sampled
from sessionproof.trials.exploring import Request
from sessionproof.trials.exploring_main import Judging, Locations, imported
from sessionproof.trials.rows_together import promised_together
from sessionproof.workload.speech import Speech

OURS = ("reference", "sessionproof.reference:AsyncReferenceStore")
CLIENTS = 3
_SHOWN = 3  # findings that are printed
_PROBLEMS = 20  # executions that could not begin, before it is given up


@dataclass
class Soaked:
    """What came of one kind of clients on one store; ``ended`` counts what did not come to its end.

    ``problems`` are executions whose store could not be used.
    """

    kind: str
    lines: bool
    schedules: int = 0
    steps: int = 0
    unseen: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    problems: int = 0
    found: int = 0
    seconds: float = 0.0
    shown: list[str] = field(default_factory=list)


def main() -> int:
    """Print a line for each store and kind of clients."""
    chosen = _arguments()
    if chosen.child:
        return _child()
    wrong = 0
    sys.stdout.write(
        f"{'store':<44}{'clients':<14}{'schedules':>10}{'findings':>9}{'hangs':>6}"
        f"{'unseen':>7}{'problems':>9}{'points':>11}{'seconds':>9}\n"
    )
    for name in _stores(chosen.stores):
        with tempfile.TemporaryDirectory(dir=fast_folder(), ignore_cleanup_errors=True) as root:
            request = request_for(name, root)
            if request is None or not promised_together(request.capabilities, request.claims):
                continue  # nothing could be wrong
            request = replace(request, seed=chosen.seed)
            for one in _soaked(request, chosen.schedules, chosen.seconds):
                wrong += one.found + one.problems + sum(one.ended.values())
                sys.stdout.write(f"{_line(name, one)}\n")
                sys.stdout.flush()
    return int(wrong > 0)


def _stores(names: list[str]) -> Iterator[str]:
    here = (name for name in benign_stores() if ".servers:" not in name)  # those have no server
    for name in (*OURS, *here):
        if not names or name.rpartition(":")[2] in names:
            yield name


def _line(name: str, one: Soaked) -> str:
    clients = f"{one.kind}{', lines' * one.lines}"
    line = (
        f"{name.removeprefix('fixtures.benign.'):<44}{clients:<14}{one.schedules:>10,}"
        f"{one.found:>9}{sum(one.ended.values()):>6}{one.unseen:>7}{one.problems:>9}"
        f"{one.steps:>11,}{one.seconds:>9.0f}"
    )
    return "\n".join([line, *(f"    {text}" for text in one.shown)])


def _soaked(request: Request, schedules: int, seconds: float) -> list[Soaked]:
    """What a process of its own found; it is ended when it takes twice its time."""
    given = base64.b64encode(pickle.dumps((request, schedules, seconds)))
    parts = 2 * len(request.kinds)
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--child"],
            input=given,
            stdout=subprocess.PIPE,
            timeout=parts * (2 * seconds + 60),
            check=False,
        )
        lines = done.stdout.decode().splitlines()
    except subprocess.TimeoutExpired as late:
        lines = (late.stdout or b"").decode().splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    if len(said) < parts:
        kind = request.kinds[len(said) // 2]
        why = "the process ended, or was ended, before this was done"
        said.append({"kind": kind, "lines": bool(len(said) % 2), "problems": 1, "shown": [why]})
    return [Soaked(**one) for one in said]


def _child() -> int:
    request, schedules, seconds = pickle.loads(base64.b64decode(sys.stdin.buffer.read()))  # noqa: S301
    with controlled([Path(request.root)]):
        for kind in request.kinds:
            for lines in (False, True):
                number = schedules // 4 if lines else schedules
                done = _of_kind(request, kind, number, seconds, lines=lines)
                sys.stdout.write(f"{json.dumps(asdict(done))}\n")
                sys.stdout.flush()
    os._exit(0)  # what hangs in a thread does not keep the process


def _of_kind(request: Request, kind: Kind, number: int, seconds: float, *, lines: bool) -> Soaked:
    """Run so many schedules, or as many as there is time for."""
    judge, done = Judging(request), Soaked(kind, lines)
    setup = Setup(
        imported(request.store),
        kind,
        CLIENTS,
        Speech(request.sample, request.counted, request.timed),
        creates=request.creates,
        by_store=request.by_store,
        lines=lines,
        shared=request.shared,
    )
    made = programs_for(request.capabilities, request.claims, request.seed)
    programs = (*made.small, *made.larger, *made.single)
    lengths: Counter[Program] = Counter()
    runner = Runner(setup, Locations(Path(request.root)), wrong=judge)
    begin_s = monotonic_s()
    turn: list[Program] = [programs[0]]
    strategies = sampled(request.seed, lambda: lengths[turn[0]])
    for program in islice(cycle(programs), number):
        if monotonic_s() - begin_s > seconds or done.problems > _PROBLEMS:
            break
        turn[0] = program
        run = runner.run(program, next(strategies))
        done.schedules += 1
        if run.problem:
            done.problems += 1
            _show(done, run.problem)
            continue
        lengths[program] = max(lengths[program], len(run.steps))
        done.steps += run.reached
        done.unseen += not run.controlled
        if run.ended is not Ended.DONE:
            done.ended[run.ended.value] = done.ended.get(run.ended.value, 0) + 1
            _show(done, f"{run.ended.value}: {'; '.join(run.waiting)} {_plain(run)}")
        wrong = judge(run)
        if wrong is not None:
            done.found += 1
            _show(done, f"{wrong.anomaly.value}: {wrong.sentence} {_plain(run)}")
    runner.close()
    done.seconds = monotonic_s() - begin_s
    return done


def _plain(run: Run) -> str:
    return json.dumps(as_plain(run.program, run.decisions))


def _show(done: Soaked, text: str) -> None:
    if len(done.shown) < _SHOWN:
        done.shown.append(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", metavar="STORE", help="names of classes, else all")
    parser.add_argument("--schedules", type=int, default=20_000, help="of each kind of clients")
    parser.add_argument("--seconds", type=float, default=600.0, help="the most for each of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
