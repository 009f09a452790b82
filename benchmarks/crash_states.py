"""How fast states after a crash are judged, beside the least that opening and reading them takes.

``python benchmarks/crash_states.py`` records the program of crashes with a store, the reference
unless ``--store`` names another, and judges ``--states`` states of each crash model. The floor
writes the same files, opens each SQLite database among them, reads all its rows and closes it. Both
take turns in one process, and the ratio is that of their processor time: the machine may be shared.
Then as many processes judge as there are cores. ``--location`` is a folder for the files. Ends with
1 when the goal is missed; on a busy machine the rate says little.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import find_store
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import facts, fast_folder
from sessionproof.faults.crashes import models
from sessionproof.faults.crashes.images import Images
from sessionproof.faults.crashes.states import MODELS, State
from sessionproof.faults.recording import Recording
from sessionproof.faults.tracing.recorder import record
from sessionproof.trials.crashes.survival import Survival
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.workload.crash_programs import crash_program
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.vocabulary import vocabulary

RATE = 600  # states in a second on two cores, by which the budgets of profiles were chosen
RATIO = 12.0  # of judging to the floor, in processor time
TURN = 10  # states


def main() -> int:
    """Print the machine's facts and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", default="reference")
    parser.add_argument("--states", type=int, default=300, help="of each crash model")
    parser.add_argument("--location", type=Path, default=fast_folder())
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.location) as directory:
        for name, value in facts(Path(directory)).items():
            _say(name, value)
        recording = _recorded(chosen.store, Path(directory))
        _say("recording", f"{len(recording.acts)} operations, {len(recording.changes)} changes")
        missed = False
        for model in MODELS:
            random = generator(0, "benchmark", model)
            states = [
                *models.states(recording.changes, model, generator=random, most=chosen.states)
            ]
            missed |= _measured(recording, model, states, Path(directory))
    return int(missed)


def _recorded(name: str, directory: Path) -> Recording:
    spec = find_store(name)
    store = StoreUnderTest(spec, spec.claims or Claims(), parent=directory, deadlines=Deadlines())
    handle = store.handle()
    store.claims = handle.claims or store.claims
    program = crash_program(vocabulary(spec, store.claims), handle.capabilities, seed=0)
    store.close()
    folder = directory / "recording"
    return record(store, (program,), folder=folder, sessions=(), deadline_s=60.0)


def _measured(recording: Recording, model: str, states: Sequence[State], directory: Path) -> bool:
    """Judge the states beside the floor, then by all cores; whether a goal was missed."""
    ratios, each_s, bad = _beside_the_floor(recording, states, directory)
    cores = len(os.sched_getaffinity(0))
    begun_s = time.perf_counter()
    answers = judged(recording, states, workers=cores, operation_s=20.0)
    next(answers)
    first_s = time.perf_counter() - begun_s
    rate = sum(1 for _ in answers) / (time.perf_counter() - begun_s - first_s)
    _say(model, f"{len(states)} states, {bad} with a flaw")
    _say("  processor time of a state", f"{1e3 * each_s:.2f} ms")
    _say("  multiple of the floor", f"{median(ratios):.1f} (goal: at most {RATIO:g})")
    _say(f"  by {cores} processes", f"{rate:,.0f} a second (wanted: {RATE} on two calm cores)")
    _say("  up to the first answer", f"{first_s:.2f} s")
    return median(ratios) > RATIO


def _beside_the_floor(
    recording: Recording, states: Sequence[State], directory: Path
) -> tuple[list[float], float, int]:
    """Ratios of each turn, the processor time of a state in seconds, and how many have flaws."""
    images = Images(recording.changes)
    survival = Survival(
        find_store(recording.store), recording, parent=directory, deadlines=Deadlines()
    )
    ratios, spent_s, bad = [], 0.0, 0
    for first in range(0, len(states), TURN):
        turn = states[first : first + TURN]
        begun_s = time.process_time()
        bad += sum(bool(survival.survived(state).flaws) for state in turn)
        judged_s = time.process_time() - begun_s
        begun_s = time.process_time()
        for state in turn:
            _opened_and_read(images, state, directory)
        ratios.append(judged_s / (time.process_time() - begun_s))
        spent_s += judged_s
    return ratios, spent_s / len(states), bad


def _opened_and_read(images: Images, state: State, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        image = images.image(state)
        image.write(Path(folder))
        for path in image.files:
            if path.endswith(("-wal", "-shm", "-journal")):
                continue
            with closing(sqlite3.connect(Path(folder) / path)) as connection:
                _rows(connection)


def _rows(connection: sqlite3.Connection) -> None:
    """Read every row; a file that is no database has none."""
    try:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
        ).fetchall()
        for (name,) in tables:
            connection.execute(f'SELECT * FROM "{name}"').fetchall()
    except sqlite3.DatabaseError:
        return


def _say(name: str, value: object) -> None:
    sys.stdout.write(f"{name:<36} {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
