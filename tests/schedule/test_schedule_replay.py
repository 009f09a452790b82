"""Replaying what was found, as scripts do: by name, in an interpreter of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy_runs import A, Locked, R, Torn, judge, program, runner_of

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.lookup import StoreNotFound
from sessionproof.schedule.decisions import Ended, Key
from sessionproof.schedule.replay import as_plain, program_of, replays
from sessionproof.schedule.strategies import RandomWalk

HERE = Path(__file__).parent
TORN = {
    "clients": [[[1, "append", 0, 1]], [[2, "append", 0, 1]]],
    "before": [],
    "sessions": 1,
    "schedule": [[0, 1, 2, 1]],
}
SCRIPT = """
import json, sys
from sessionproof.schedule.replay import program_of, replays

given = json.loads(sys.argv[1])
program = program_of(given["clients"], before=given["before"], sessions=given["sessions"])
schedule = [((task, op, k), then) for task, op, k, then in given["schedule"]]
assert "toy_runs" not in sys.modules
runs = replays("toy_runs:" + sys.argv[2], program, schedule, times=5)

from toy_runs import judge

print(json.dumps([[len(run.steps), judge(run) is not None] for run in runs]))
"""


def test_plain_data_and_programs_are_two_forms_of_one():
    """What a script writes out is the program that was found."""
    schedule = ((Key(0, 1, 2), 1),)
    made = program([A, R], [A.__class__(A.f, 1, 3)], before=[A], sessions=2)
    plain = json.loads(json.dumps(as_plain(made, schedule)))
    assert plain["clients"] == [[[1, "append", 0, 1], [2, "read", 0, 0]], [[3, "append", 1, 3]]]
    assert plain["schedule"] == [[0, 1, 2, 1]]
    again = program_of(plain["clients"], before=plain["before"], sessions=plain["sessions"])
    assert again == made


def test_an_unknown_call_is_named():
    """With those that there are."""
    with pytest.raises(ValueError, match="no call 'apend'; calls are append, read"):
        program_of([[(1, "apend", 0, 1)]])


def test_a_schedule_shows_the_same_each_time():
    """As a class, in this interpreter; and nothing where nobody is interrupted."""
    made = program_of(TORN["clients"])
    broken = replays(Torn, made, [((0, 1, 2), 1)], times=5)
    assert [judge(run).anomaly for run in broken] == [Anomaly.LOST_MESSAGE] * 5
    assert len({run.steps for run in broken}) == 1
    assert [judge(run) for run in replays(Torn, made, [], times=2)] == [None, None]
    assert [judge(run) for run in replays(Locked, made, [((0, 1, 2), 1)], times=2)] == [None] * 2


def test_what_was_found_warm_replays_fresh(tmp_path):
    """A hundred times out of a hundred."""
    runner, made = runner_of(Torn, root=tmp_path), program([A, A], [A, R])
    run = next(
        run for seed in range(200) if judge(run := runner.run(made, RandomWalk(seed))) is not None
    )
    runner.close()
    again = replays(Torn, made, run.decisions, times=100)
    assert {(one.decisions, judge(one).anomaly) for one in again} == {
        (run.decisions, judge(run).anomaly)
    }
    assert {one.ended for one in again} == {Ended.DONE}


@pytest.mark.parametrize(("store", "broken"), [("Torn", True), ("Locked", False)])
def test_a_fresh_interpreter_replays_by_name(store, broken):
    """The store's module is imported under control, and shows what was found."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(TORN), store],
        cwd=HERE,
        env={"PYTHONPATH": str(HERE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    runs = json.loads(done.stdout)
    assert [one for _, one in runs] == [broken] * 5
    assert len({steps for steps, _ in runs}) == 1


def test_a_store_that_there_is_not_is_told():
    """In the words of the command."""
    with pytest.raises(StoreNotFound, match="no module 'no_such_module'"):
        replays("no_such_module:Store", program([A]), [])


def test_a_store_that_cannot_be_opened_is_told():
    """With its own error."""

    class Closed(Torn):
        def __init__(self, location):
            raise OSError("the disk is gone")

    with pytest.raises(RuntimeError, match="cannot be used: OSError: the disk is gone"):
        replays(Closed, program([A]), [])
