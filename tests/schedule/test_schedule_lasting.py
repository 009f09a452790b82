"""Threads that serve every handle of a process go on from one location to the next."""

from __future__ import annotations

import _thread
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Usual
from sessionproof.schedule.managed import active

HERE = Path(__file__).parent
SCRIPT = """
import sys
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.replay import program_of, replays

program = program_of([[(1, "append", 0, 1)], [(2, "append", 0, 1)]])
runs = replays(f"lasting_stores:{sys.argv[1]}", program, [((0, 1, 2), 1)], times=8)
assert all(run.ended is Ended.DONE and run.controlled for run in runs), [run.ended for run in runs]
assert all(len(run.history.lists.ids) == 2 for run in runs)
assert len({tuple(step.key for step in run.steps) for run in runs[1:]}) == 1
"""


@pytest.mark.parametrize("name", ["AtImport", "Pooled", "Leaking"])
def test_correct_stores_are_served_at_each_location(name):
    """Whether the thread began with the import or with a handle, also where each leaves its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name], cwd=HERE, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_nobody_controls_a_process_that_a_managed_thread_begins():
    """It would wait for a token that nobody gives it."""
    controller, said = Controller(), []

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions of Python advise against it
            child = os.fork()
        if child == 0:
            os._exit(7 if active() is None else 1)
        said.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    controller.begin(Usual())
    task = controller.add(0, "task")
    _thread.start_new_thread(controller.work, (task, fork))
    controller.run({0})
    assert said == [7]
