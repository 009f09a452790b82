"""Where a run's time went, on which machine, and with how many messages."""

import re

import pytest
from commands import judge

from sessionproof.engine import machine
from sessionproof.engine.machine import facts
from sessionproof.engine.plan import make_plan
from sessionproof.engine.timings import REST, Pass, adding_up

MEMORY = "sessionproof.oracle.memory:MemoryStore"


def test_parts_of_a_pass_add_up():
    """Collecting, tests, waiting and ending are all of its time, whoever ran the tests."""
    one = Pass("first pass", 2, began_s=10.0, first_s=12.0, last_s=20.0, ended_s=21.0, tests_s=14.0)
    assert one.parts() == {
        "first pass: collecting": 2.0,
        "first pass: tests": 7.0,
        "first pass: waiting": 1.0,
        "first pass: ending": 1.0,
    }


@pytest.mark.parametrize(
    ("first_s", "last_s"), [(None, None), (12.0, None), (12.0, 12.0), (None, 15.0)]
)
def test_a_pass_without_tests_adds_up_too(first_s, last_s):
    """Nothing was run, or the run was ended within its first test."""
    one = Pass("p", 1, began_s=10.0, first_s=first_s, last_s=last_s, ended_s=16.0, tests_s=99.0)
    parts = one.parts()
    assert sum(parts.values()) == pytest.approx(6.0)
    assert min(parts.values()) >= 0


def test_a_pass_notes_what_workers_write():
    """The first test that begins and the last that is told bound the tests."""
    one = Pass("p", 2)
    for line in (
        {"event": "collected", "tests": 2},
        {"event": "begun", "nodeid": "a"},
        {"verdict": "holds", "duration_s": 0.5},
        {"event": "begun", "nodeid": "b"},
        {"verdict": "broken", "duration_s": 0.25},
    ):
        one.note(line)
    one.end()
    assert one.tests_s == 0.75
    assert one.began_s <= one.first_s <= one.last_s <= one.ended_s


def test_what_nobody_measured_is_the_rest():
    """The parts are whole hundredths, and their sum is what they say."""
    parts, whole = adding_up({"a": 1.004, "b": 2.0}, 3.5)
    assert parts == {"a": 1.0, "b": 2.0, REST: 0.5}
    assert whole == 3.5
    assert adding_up({"a": 1.0, "b": -0.1}, 0.9) == ({"a": 1.0, "b": 0.0}, 1.0)


@pytest.mark.night
def test_a_run_says_where_its_time_went(tmp_path):
    """The parts are in result.json and add up to all of it; the option prints them."""
    ran = judge(
        tmp_path, MEMORY, "--profile", "smoke", "--only", "CORE-01", "--only", "PERF-01", "-n", 2,
        "--size", 300, "--timings",
    )  # fmt: skip
    timings = ran.result["timings"]
    judged_s = sum(timings.values()) - timings["writing the report"]
    assert judged_s == pytest.approx(ran.result["duration_s"], abs=0.011)
    assert {"describing the store", "first pass: tests", "timed pass: tests", "reproducers",
            "writing the report"} <= set(timings)  # fmt: skip
    assert all(seconds >= 0 for seconds in timings.values())
    after = ran.out.partition("report: ")[2]
    assert re.search(r"where the time went .*seconds", after)
    assert "describing the store" in after
    assert re.search(r"CORE-01 test_\w+", after)
    assert "--size 300" in ran.result["command"]
    assert "cpu" in ran.result["environment"] or "cores" in ran.result["environment"]


def plan(folder, **changes):
    """A plan that is not carried out."""
    return make_plan(MEMORY, profile="smoke", seed=1, directory=folder, **changes)


def test_a_size_replaces_the_numbers_of_messages(tmp_path):
    """Five sizes up to the one that was given; sessions and all else are the profile's."""
    usual, small, soak = (plan(tmp_path, size=size) for size in (None, 100, 10_000_000))
    assert small.profile.messages == (1, 3, 10, 33, 100)
    assert soak.profile.messages == (100_000, 333_333, 1_000_000, 3_333_333, 10_000_000)
    assert soak.profile.sessions == usual.profile.sessions
    assert small.profile.deadlines == usual.profile.deadlines
    assert soak.profile.deadlines.test_s > 3_600  # it takes as long as it takes
    assert soak.profile.deadlines.run_s > soak.profile.deadlines.test_s
    assert soak.command.endswith(" --size 10000000")
    assert "--size" not in usual.command
    assert plan(tmp_path, size=10**7, test_s=5.0).profile.deadlines.test_s == 5.0


def test_the_command_has_the_limits_of_the_run(tmp_path):
    """A call that hung by a short deadline, or had little memory, does so again when repeated."""
    limited = plan(tmp_path, operation_s=0.5, test_s=60.0, memory=300 * 1024 * 1024)
    said = " --memory 300 --operation-deadline 0.5 --test-deadline 60.0"
    assert limited.command.endswith(said)


def test_facts_are_words(tmp_path):
    """Every fact is a text that is not empty, and none of them stops a run."""
    found = facts(tmp_path)
    assert {"python", "platform", "cores", "sqlite"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())
    assert re.fullmatch(r"[\d.]+ \([a-z -]+, pages of [\d,]+ bytes\)", found["sqlite"])
    assert facts(tmp_path / "missing")["python"] == found["python"]


def test_a_fact_that_is_not_known_is_left_out(monkeypatch, tmp_path):
    """A machine without /proc, /sys or load averages has fewer facts and no error."""

    def nothing(*_):
        raise OSError("not here")

    monkeypatch.setattr(machine.Path, "read_text", nothing)
    monkeypatch.setattr(machine.os, "getloadavg", nothing)
    monkeypatch.delattr(machine.os, "sysconf")
    found = facts(tmp_path)
    assert not {"cpu", "load", "memory", "governor", "file system"} & set(found)
    assert "python" in found


def test_the_nearest_mount_counts(monkeypatch, tmp_path):
    """Of the mounts above a folder the deepest is its own, the later of two on one point."""
    place = tmp_path / "a b"
    place.mkdir()
    name = str(place).replace(" ", "\\040")
    text = f"x / ext4 rw 0 0\nx {name} xfs rw 0 0\nx {name} tmpfs rw 0 0\nx /elsewhere nfs rw 0 0\n"
    monkeypatch.setattr(machine.Path, "read_text", lambda *_: text)
    assert machine._file_system(place) == "tmpfs"
