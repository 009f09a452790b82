"""Speeds for other tools: pytest-benchmark reads what we write, and measures beside us."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pytest_benchmark.stats import Stats
from report_samples import SAMPLES, all_hold, fast

from sessionproof.contract.measurements import Latency, Ratio, Speed
from sessionproof.report.benchmark import benchmark_json, stats
from sessionproof.report.write import write_report

LATENCY = Latency(p50_us=30.0, p95_us=40.0, p99_us=60.0, p999_us=90.0, max_us=99.0, calls=5_000)
APPEND = Speed(
    operation="append",
    clients="one client",
    latency=LATENCY,
    per_second=30_000.0,
    floor="raw SQLite",
    floor_us=24.0,
    ratio=Ratio(value=1.25, low=1.2, high=1.3, rounds=3, of=4),
    most=1.6,
    samples={"store": (30_000, 31_000, 30_500, 90_000), "floor": (24_000, 24_500, 24_200, 24_100)},
)
PROJECT = """
import pytest
from sessionproof import SessionStoreSuite

class TestMyStore(SessionStoreSuite):
    store = "reference"
    profile = "smoke"

@pytest.mark.parametrize("n", [10])
def test_mine(benchmark, n):
    assert benchmark(sum, range(n)) == 45
"""
FEW = "mine or what_was_appended_is_read_back"


def measured(*speeds):
    """A run that measured these in PERF-01."""
    rows = [
        replace(row, measured=speeds if row.id == "PERF-01" else ()) for row in all_hold.guarantees
    ]
    return replace(all_hold, guarantees=tuple(rows))


def run(*command, folder, **environment):
    """Run a module of Python in the folder, with its own benchmarks' storage."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, check=False, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**clean, **environment},
    )  # fmt: skip


def own_pytest(folder, *options):
    """A user's pytest, which leaves nothing behind outside the folder."""
    storage = ("--benchmark-storage", f"file://{folder / 'storage'}", "--benchmark-max-time=0.01")
    return run("pytest", "-p", "no:cacheprovider", "-k", FEW, *storage, *options, folder=folder)


@pytest.fixture
def project(tmp_path):
    """A user's tests: a benchmark and the suites' class, side by side."""
    (tmp_path / "test_both.py").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def test_each_arm_is_a_benchmark():
    """A row's store and its floor stand in one group, with times in seconds an operation."""
    made = benchmark_json(measured(APPEND))
    store, floor = made["benchmarks"]
    assert {one["group"] for one in (store, floor)} == {"append, one client"}
    assert store["name"] == "append, one client[store]"
    assert store["fullname"] == "PERF-01::append, one client[store]"
    assert (store["param"], floor["params"]) == ("store", {"arm": "floor"})
    assert store["stats"]["data"] == [3e-05, 3.1e-05, 3.05e-05, 9e-05]
    assert floor["stats"]["min"] == 2.4e-05
    assert store["stats"]["rounds"] == 4
    extra = store["extra_info"]
    assert (extra["ratio"], extra["interval"], extra["floor"]) == (1.25, [1.2, 1.3], "raw SQLite")


@pytest.mark.night
def test_the_shape_is_that_of_pytest_benchmark(project):
    """Every field that pytest-benchmark writes is there, with a value of its kind."""
    ran = own_pytest(project, "-k", "mine", "--benchmark-json", "theirs.json")
    assert ran.returncode == 0, ran.stdout
    theirs = json.loads((project / "theirs.json").read_text("utf-8"))
    ours = benchmark_json(measured(APPEND))
    assert set(theirs) == set(ours)
    one, own = theirs["benchmarks"][0], ours["benchmarks"][0]
    assert set(one) == set(own)
    assert list(one["stats"]) == list(own["stats"])
    assert set(theirs["commit_info"]) - set(ours["commit_info"]) <= {"error"}
    number = (int, float)
    for name, value in one["stats"].items():
        kind = number if isinstance(value, number) else type(value)
        assert isinstance(own["stats"][name], kind), name


@pytest.mark.parametrize("rounds", range(1, 40))
def test_the_statistics_are_those_of_pytest_benchmark(rounds):
    """Quartiles, outliers and fences are what pytest-benchmark makes of the same times."""
    draw = random.Random(rounds)
    for _ in range(20):
        data = [draw.choice((1e-6, 2e-6, 3.5e-6, draw.random())) for _ in range(rounds)]
        theirs = Stats()
        for one in data:
            theirs.update(one)
        assert stats(data) == {**theirs.as_dict(), "data": data, "iterations": 1}


def test_rows_without_samples_are_left_out():
    """No rounds, no benchmark; no floor, one benchmark, and times of zero have no rate."""
    none = replace(APPEND, samples={})
    alone = replace(APPEND, samples={"store": (0,), "floor": ()}, ratio=None, floor=None)
    (one,) = benchmark_json(measured(none, alone))["benchmarks"]
    assert one["stats"]["ops"] == 0
    assert one["extra_info"]["ratio"] is None
    assert benchmark_json(all_hold)["benchmarks"] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_json_and_the_same_each_time(name, tmp_path):
    """Equal results give equal files of plain JSON, and no two benchmarks have one name."""
    made = benchmark_json(SAMPLES[name])
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made == benchmark_json(replace(SAMPLES[name]))
    names = [one["fullname"] for one in made["benchmarks"]]
    assert name == "hostile" or len(set(names)) == len(names)


def test_it_is_written_beside_the_result(tmp_path):
    """A run with speeds has the file; a later run without any takes it away."""
    write_report(fast, tmp_path)
    written = (tmp_path / "benchmark.json").read_bytes()
    assert json.loads(written) == benchmark_json(fast)
    write_report(fast, tmp_path)
    assert (tmp_path / "benchmark.json").read_bytes() == written
    write_report(all_hold, tmp_path)
    assert not (tmp_path / "benchmark.json").exists()


def test_pytest_benchmark_compares_two_runs(tmp_path):
    """Its command puts two of our files beside each other, row by row."""
    slower = replace(APPEND, samples={"store": (60_000, 61_000, 62_000), "floor": (24_000,) * 3})
    for name, speed in (("base", APPEND), ("head", slower)):
        write_report(measured(speed), tmp_path / name)
    files = [str(tmp_path / name / "benchmark.json") for name in ("base", "head")]
    ran = run("pytest_benchmark", "compare", *files, "--columns=min,median", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert "benchmark 'append, one client': 4 tests" in ran.stdout
    assert ran.stdout.count("append, one client[store]") == 2
    assert "61.0000 (2.54)" in ran.stdout  # the median, as a multiple of the fastest arm's


@pytest.mark.night
def test_a_benchmark_stands_beside_the_class(project):
    """In one pytest the fixture measures, and the suites' class is judged as ever."""
    ran = own_pytest(
        project, "-W", "error", "--benchmark-json", "mine.json", "--benchmark-autosave"
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
    (mine,) = json.loads((project / "mine.json").read_text("utf-8"))["benchmarks"]
    assert mine["name"] == "test_mine[10]"
    assert mine["stats"]["rounds"] > 1
    (saved,) = (project / "storage").glob("*/0001_*.json")
    write_report(fast, project / "report")
    for file in (saved, project / "report" / "benchmark.json"):
        again = own_pytest(project, "-k", "mine", f"--benchmark-compare={file}")
        assert again.returncode == 0, again.stdout
        (line,) = re.findall("Comparing against benchmarks from: (.*)", again.stdout)
        assert line.endswith(file.name)
    assert "test_mine[10]" in again.stdout


@pytest.mark.night
def test_a_run_with_workers_has_no_benchmarks(project):
    """With --store the fixture calls once and measures nothing, and no warning fails the run."""
    ran = own_pytest(
        project, "-k", "mine", "--store", "reference", "--store-profile", "smoke",
        "-W", "error",
    )  # fmt: skip
    assert "1 passed" in ran.stdout, ran.stdout
    assert "INTERNALERROR" not in ran.stdout


def test_files_of_benchmarks_are_refused_beside_a_store(project):
    """What would silently write no file is bad usage, and the line says what to do."""
    ran = own_pytest(project, "--store", "reference", "--benchmark-json", "mine.json")
    assert ran.returncode == 4
    assert "measure in a run of its own" in ran.stdout
    assert "Traceback" not in ran.stdout
    assert not (project / "mine.json").exists()
