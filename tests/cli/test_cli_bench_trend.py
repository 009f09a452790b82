"""``sessionproof bench trend`` and ``bench peers``: what they print, write, and refuse."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from fixtures.regressions.runs import COUNT, INSERT, causes, nights, stepped
from sessionproof.bench.tracking.archive import Archive
from sessionproof.cli.benchmarks import peers_measured
from sessionproof.cli.main import main
from sessionproof.report.comparison import Column


@pytest.fixture
def archive(tmp_path):
    """An archive of sixty nights of one store, slower by an extra statement from the fortieth."""
    runs = nights({"append": stepped(60, 40, 0.2), "get": [3.0] * 60})
    runs = [
        replace(one, causes=(causes(INSERT, COUNT) if at >= 40 else causes(INSERT),))
        for at, one in enumerate(runs)
    ]
    path = tmp_path / "runs.db"
    with Archive.opened(path) as opened:
        opened.add(runs)
    return path


def trend(tmp_path, *words):
    """Run the command; its report goes below the folder."""
    return CliRunner().invoke(
        main, ["bench", "trend", *map(str, words), "--report", str(tmp_path / "out")]
    )


def test_a_slowdown_is_printed_with_its_commit_and_cause(tmp_path, archive):
    """The row, the commit and the statement stand in one output; the code is 0 all the same."""
    pytest.importorskip("otava.analysis")
    ended = trend(tmp_path, "--archive", archive, "shop.chat:Store")
    assert ended.exit_code == 0, ended.output
    assert "append became" in ended.output
    assert "change number 40" in ended.output
    assert "SELECT count(*) FROM messages" in ended.output
    assert "1 slowdown and no speed-ups in 2 rows of 60 runs." in ended.output
    value = json.loads((tmp_path / "out" / "trend.json").read_text("utf-8"))
    (change,) = value["stores"][0]["trends"][0]["lines"][0]["changes"]
    assert change["commits"][0]["subject"] == "change number 40"
    for name in ("trend.md", "trend.html"):
        assert "append became" in (tmp_path / "out" / name).read_text("utf-8")


def test_without_the_extra_the_runs_are_shown(tmp_path, archive, monkeypatch):
    """It says what to install, and writes the page."""
    monkeypatch.setitem(sys.modules, "otava.analysis", None)
    ended = trend(tmp_path, "--archive", archive)
    assert ended.exit_code == 0, ended.output
    assert "pip install 'sessionproof[trend]'" in ended.output
    assert (tmp_path / "out" / "trend.html").stat().st_size > 10_000


def test_since_leaves_out_older_runs(tmp_path, archive):
    """Only runs from that day on are looked at."""
    ended = trend(tmp_path, "--archive", archive, "--since", "2026-02-20")
    assert ended.exit_code == 0, ended.output
    value = json.loads((tmp_path / "out" / "trend.json").read_text("utf-8"))
    dates = [run["started_at"] for run in value["stores"][0]["runs"]]
    assert dates
    assert min(dates) >= "2026-02-20"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "has no runs of 'nope': it has those of shop.chat:Store"),
        (["postgresql://me:secret@host/db"], "has no runs of 'postgresql://me@host/db'"),
        (["--since", "2030-01-01"], "has no runs since 2030-01-01"),
        (["--since", "2026-02-30"], "--since 2026-02-30 is no day: write it as 2026-01-31"),
        (["--since", "yesterday"], "--since yesterday is no day: write it as 2026-01-31"),
    ],
)
def test_what_cannot_be_shown_is_one_line(tmp_path, archive, words, said):
    """A name, a day or a date that is wrong is named with the remedy; the code is 2."""
    ended = trend(tmp_path, "--archive", archive, *words)
    assert ended.exit_code == 2
    assert said in ended.output
    assert "Traceback" not in ended.output


def test_a_day_after_the_last_run_names_the_last_of_that_store(tmp_path, archive):
    """What other stores have is not taken for this store's."""
    with Archive.opened(archive) as opened:
        opened.add([replace(one, store="old:Store", commit=None, started_at="2025-12-24T03:00:00Z")
                    for one in nights({"append": [2.0]})])  # fmt: skip
    ended = trend(tmp_path, "--archive", archive, "old:Store", "--since", "2026-01-01")
    assert ended.exit_code == 2
    assert "has no runs since 2026-01-01: the last is of 2025-12-24T03:00:00Z" in ended.output


def test_an_archive_that_is_none_is_one_line(tmp_path):
    """A missing file and a file of something else are refused, and neither is made nor changed."""
    other = tmp_path / "notes.txt"
    other.write_text("not a database\n")
    for path in (tmp_path / "missing.db", other):
        ended = trend(tmp_path, "--archive", path)
        assert (ended.exit_code, "Traceback" in ended.output) == (2, False)
    assert not (tmp_path / "missing.db").exists()
    assert other.read_text() == "not a database\n"


@pytest.mark.night  # it measures a store; bench run is tried by day
def test_peers_lists_what_cannot_be_opened(tmp_path, monkeypatch):
    """The reference is measured; a store that is not there has its reason, and fails nothing."""
    monkeypatch.setattr(peers_measured, "registered", lambda: ["reference", "no_module:Store"])
    out = tmp_path / "out"
    ended = CliRunner().invoke(
        main, ["bench", "peers", "--profile", "smoke", "--seed", "3", "--report", str(out)]
    )
    assert ended.exit_code == 0, ended.output
    assert "no_module:Store was not measured: " in ended.output
    value = json.loads((out / "peers.json").read_text("utf-8"))
    assert {row["row"] for row in value["rows"]} >= {"append", "open"}
    assert value["stores"][1]["problem"]
    for name in ("peers.md", "peers.html", "performance.html", "reference/index.html"):
        assert (out / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "huge"], "there is no profile 'huge'"),
        (["--location", "missing"], "--location missing does not exist"),
    ],
)
def test_peers_that_cannot_begin_are_one_line(tmp_path, monkeypatch, words, said):
    """A wrong profile or location is named before anything is measured; the code is 2."""
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, ["bench", "peers", *words])
    assert ended.exit_code == 2
    assert said in ended.output


def test_peers_without_the_reference_fail(tmp_path, monkeypatch):
    """What was measured of others is no answer where the reference could not be measured."""
    none = [Column(name=name, store=name, problem="no room") for name in ("reference", "llm")]
    monkeypatch.setattr(peers_measured, "measured_columns", lambda *_: none)
    ended = CliRunner().invoke(main, ["bench", "peers", "--report", str(tmp_path / "out")])
    assert ended.exit_code == 2
    assert "reference was not measured: no room" in ended.output


def test_stores_built_upon_the_reference_are_no_peers():
    """The reference comes first, adapters follow, and what is made of the reference is left out."""
    names = peers_measured.registered()
    assert names[0] == "reference"
    assert {"openai-agents", "langchain", "google-adk"} <= {*names}
    assert not {"session-manager", "portal"} & {*names}
