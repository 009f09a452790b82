"""Scripts of sessions with limits: they run, fail where the store is broken, and pass elsewhere."""

import itertools
from dataclasses import replace

import pytest

from fixtures.benign.timeouts import AwaitedLives, Lives, PutAway, WarnsBefore
from fixtures.mutants.statuses import TakesAnyMove
from fixtures.mutants.timeouts import (
    AwaitsOldLimits,
    EndsInAnAccident,
    ForgetsLimits,
    GoesOnAtItsLimit,
    NeverGone,
    ReadingDeletesEnded,
    TouchesTheOtherCopy,
    WarnsAtTheEnd,
)
from fixtures.registry import judged
from sessionproof.checks.timelines import TimeFault
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.operations import Outcome
from sessionproof.oracle.lifetime import Span
from sessionproof.reference import ReferenceStore
from sessionproof.scripts.lifetime import Times, lines_of, program_of, told_us
from sessionproof.workload.profiles import PROFILES
from sessionproof.workload.timelines import Done, Step

NUMBERS = itertools.count()


def run(script, store, tmp_path):
    """Whether the script runs through with this store; anything but an AssertionError goes on."""
    names = {}
    exec(
        "import os, time, asyncio\nfrom contextlib import suppress\nfrom sessionproof import *\n",
        names,
    )
    directory = tmp_path / str(next(NUMBERS))
    directory.mkdir()
    names |= {"open_store": store, "location": Location(directory)}
    text = "\n".join(script)
    if "await " in text:
        body = "\n".join(f"    {line}" for line in script)
        text = f"async def main():\n{body}\nasyncio.run(main())"
    try:
        exec(text, names)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    ("broken", "row", "mended"),
    [
        (GoesOnAtItsLimit, "TMO-01", Lives),
        (ForgetsLimits, "TMO-01", ReferenceStore),
        (AwaitsOldLimits, "TMO-01", AwaitedLives),
        (TouchesTheOtherCopy, "TMO-03", PutAway),
        (WarnsAtTheEnd, "TMO-04", WarnsBefore),
        (EndsInAnAccident, "TMO-05", Lives),
        (ReadingDeletesEnded, "TMO-05", Lives),
        (NeverGone, "TMO-05", Lives),
        (TakesAnyMove, "TMO-10", PutAway),
    ],
)
def test_a_script_fails_with_the_store_and_passes_with_its_mended_kin(
    broken, row, mended, tmp_path
):
    """Each sort of fault: accepted, refused, not told, told, read, a status."""
    store = f"{broken.__module__}:{broken.__name__}"
    (record,) = judged(store, row, directory=tmp_path)
    (finding,) = record.findings
    assert finding.program
    assert not run(finding.script, broken, tmp_path)
    if broken is not NeverGone:  # what is claimed to be gone is right to be read elsewhere
        assert run(finding.script, mended, tmp_path)


def test_a_warning_may_come_with_any_sweep_since_the_last_activity(tmp_path):
    """Also in a program that nobody had the time to make small, which sweeps all along."""
    unshrunk = replace(PROFILES["smoke"], shrink_s=0.0)
    store = f"{WarnsAtTheEnd.__module__}:{WarnsAtTheEnd.__name__}"
    (record,) = judged(store, "TMO-04", directory=tmp_path, profile=unshrunk)
    (finding,) = record.findings
    assert not run(finding.script, WarnsAtTheEnd, tmp_path)
    assert run(finding.script, WarnsBefore, tmp_path)


def done_of(*steps):
    """Steps that were all answered well, at their times."""
    return [Done(one, Span(one.at_us, one.at_us), Outcome("ok"), one.session) for one in steps]


def fault_at(index, rule, **more):
    """A fault by this rule."""
    words = {"kind": "late", "anomaly": "wrong-answer", "session": "s0", "expected": "", "seen": ""}
    return TimeFault(index=index, rule=rule, **{**words, **more})


def test_a_zone_is_set_before_the_store_is_opened():
    """The store may ask for it when it opens."""
    done = done_of(Step(0, "begin", "s0"), Step(5, "append", "s0"))
    lines = lines_of(
        done, fault_at(1, "fails"), Claims(), Times("method", 7, "JST-9"), creates=False
    )
    assert lines[:5] == [
        "os.environ['TZ'] = 'JST-9'", "time.tzset()", "store = open_store(location)", "began = 7",
        "store.set_clock(began)",
    ]  # fmt: skip
    assert "store.set_clock(began + 5)" in lines


def test_sessions_are_created_where_that_is_needed():
    """By their name, or by the store's."""
    done = done_of(Step(0, "begin", "s0"), Step(0, "touch", "s0"))
    for claims, called in ((Claims(), "'s0'"), (Claims(session_ids="store"), "")):
        lines = lines_of(done, fault_at(1, "fails"), claims, Times("machine"), creates=True)
        assert f"s0 = store.create({called})" in lines


def test_ids_are_read_only_where_they_are_needed():
    """For what is deleted or edited."""
    begun = Step(0, "begin", "s0")
    for method, needed in (("delete_message", True), ("count", False)):
        done = done_of(begun, Step(0, method, "s0"), Step(1, "touch", "s0"))
        lines = lines_of(done, fault_at(2, "fails"), Claims(), Times("machine"), creates=False)
        assert any("ids_s0 = " in line for line in lines) is needed


def test_a_status_that_is_told_must_be_one_of_those():
    """Or none at all."""
    done = done_of(Step(0, "begin", "s0"), Step(0, "get", "s0"))
    lines = lines_of(
        done, fault_at(1, "status", statuses=("paused",)), Claims(), Times("machine"), creates=False
    )
    assert lines[-2] == "assert info.status in (None, 'paused'), info"


def test_the_program_for_people_has_times():
    """Since the beginning; also before it, where a clock stepped back."""
    done = done_of(Step(0, "begin", "s0"), Step(1_800_000_000, "set_limits", "s0", 5, 6))
    assert program_of(done, fault_at(1, "fails")) == (
        "s0 = a session with 0 messages  # at 0:00:00",
        "store.set_limits('s0', idle_us=5, hard_us=6)  # at 0:30:00",
    )
    assert told_us(-1_000_000) == "-0:00:01"
