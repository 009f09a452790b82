"""``bench import``, ``export`` and ``merge``, and what ``bench run --archive`` keeps and says."""

import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from archived_runs import MACHINE, counted, day, night, speed
from click.testing import CliRunner
from rich.console import Console

from sessionproof.bench.tracking.archive import Archive
from sessionproof.bench.tracking.archived import Commit, to_line
from sessionproof.cli.benchmarks.keeping import Keeping, Measured, checked, kept, print_nights
from sessionproof.cli.main import main
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import nights
from sessionproof.report.archiving import Origin, archived
from sessionproof.report.result import GuaranteeResult, RunResult
from sessionproof.report.write import RESULT, write_result


def command(*words, given=None):
    """How the command ends in this process."""
    return CliRunner().invoke(main, ["bench", *map(str, words)], input=given)


def lines(*numbers):
    """Runs as JSON Lines."""
    return "".join(f"{to_line(night(number))}\n" for number in numbers)


def result(ratio=1.3, *, number=20, **changes):
    """The result of a run that measured append."""
    row = GuaranteeResult(
        id="PERF-01", group="PERF", promise="fast", verdict=Verdict.HOLDS,
        measured=(speed(ratio), speed(3.0, clients="10 threads")),
    )  # fmt: skip
    made = RunResult(
        store="shop:Store", store_version="1.2", profile="gate", seed=number, guarantees=(row,),
        sessionproof="0.1", environment=MACHINE, started_at=day(number, hour=3),
    )  # fmt: skip
    return replace(made, **changes)


def test_an_export_comes_back(tmp_path):
    """Import, export, import, export: the same text; a second import adds nothing."""
    (tmp_path / "in.jsonl").write_text(lines(3, 1, 2) + "\n" + lines(1))
    first = command("import", "--archive", tmp_path / "a", tmp_path / "in.jsonl")
    assert first.exit_code == 0, first.output
    assert "3 new of 4 runs" in first.stderr
    assert command("export", "--archive", tmp_path / "a").stdout == lines(1, 2, 3)
    assert command("export", "--archive", tmp_path / "a", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out").read_text() == lines(1, 2, 3)
    again = command("import", "--archive", tmp_path / "b", tmp_path / "out", "-", given=lines(4, 1))
    assert "1 new of 2 runs in -;" in again.stderr
    assert command("export", "--archive", tmp_path / "b").stdout == lines(1, 2, 3, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "in.jsonl", "out"]


def test_archives_merge(tmp_path):
    """Each run is there once, whoever had it; the other archive stays as it is."""
    for name, given in (("a", lines(1, 2)), ("b", lines(2, 3))):
        command("import", "--archive", tmp_path / name, "-", given=given)
    other = (tmp_path / "b").read_bytes()
    ended = command("merge", "--archive", tmp_path / "a", tmp_path / "b")
    assert "1 new of 2 runs" in ended.stderr
    assert command("export", "--archive", tmp_path / "a").stdout == lines(1, 2, 3)
    assert (tmp_path / "b").read_bytes() == other


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lines(2) + lines(3)[:-30], "in.jsonl, line 2: it is not JSON"),
        (lines(2) + lines(3).replace("Made", "Mode"), "line 2: its id does not fit"),
        ("<<<<<<< ours\n" + lines(2), "line 1: a conflict that git left: keep the runs of both"),
        (lines(2) + "=======\n", "line 2: a conflict that git left"),
        (lines(2) + "\x1b[31m\n", "line 2: it is not JSON"),
        (lines(2) + "\udcff\n", "line 2: it is not JSON"),
        ('{"schema":1,"\\u001b[31m\\n":1}\n', "line 1: it is not a benchmark run: store is missi"),
        ('{"schema":"' + "9" * 500 + '"}\n', "it has schema"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_added(tmp_path, text, said):
    """The file and the line, in one line; of that file nothing is kept, and the archive stays."""
    command("import", "--archive", tmp_path / "a", "-", given=lines(1))
    path = tmp_path / "in.jsonl"
    path.write_text(text, "utf-8", errors="surrogateescape")
    ended = command("import", "--archive", tmp_path / "a", path)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "\x1b" not in ended.stderr
    assert len(ended.stderr) < 400
    assert command("export", "--archive", tmp_path / "a").stdout == lines(1)


def test_what_is_refused_leaves_no_empty_archive(tmp_path):
    """A new archive is made of what can be added, and else not at all."""
    (tmp_path / "b").write_text(lines(1) + "{}\n")
    command("import", "--archive", tmp_path / "c", "-", given=lines(1))
    with sqlite3.connect(tmp_path / "c") as connection:
        connection.execute("DELETE FROM speed")
    connection.close()
    for words in (("import", "-"), ("import", tmp_path / "b"), ("merge", tmp_path / "c")):
        given = lines(1) + "{}\n"
        assert command(words[0], "--archive", tmp_path / "a", words[1], given=given).exit_code == 2
        assert not (tmp_path / "a").exists()


def test_a_pipe_is_read_once(tmp_path):
    """What a shell's <(command) names is imported whole."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(lines(*range(40))), daemon=True)
    writer.start()
    ended = command("import", "--archive", tmp_path / "a", pipe)
    writer.join(60)
    assert ended.exit_code == 0, ended.output
    assert "40 new of 40 runs" in ended.stderr


def test_an_export_replaces_files_alone(tmp_path):
    """A pipe or a device is written into, and of a link what it leads to."""
    command("import", "--archive", tmp_path / "a", "-", given=lines(1))
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(
        target=lambda: found.append((tmp_path / "pipe").read_text()), daemon=True
    )
    reader.start()
    assert command("export", "--archive", tmp_path / "a", tmp_path / "pipe").exit_code == 0
    reader.join(60)
    assert found == [lines(1)]
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("old")
    for _ in range(2):
        assert command("export", "--archive", tmp_path / "a", tmp_path / "link").exit_code == 0
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "old").read_text() == lines(1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_is_one_line(tmp_path):
    """Where the printed runs find no room, that is said, with exit code 2."""
    command("import", "--archive", tmp_path / "a", "-", given=lines(1))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "bench", "export", "--archive", tmp_path / "a"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == "sessionproof: the runs cannot be printed: No space left on device\n"


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    """It is not read into memory whole."""
    monkeypatch.setattr("sessionproof.cli.benchmarks.exchange.LINE_BYTES_MOST", 1_000)
    ended = command("import", "--archive", tmp_path / "a", "-", given="[" * 5_000)
    assert ended.exit_code == 2
    assert "standard input, line 1: it is longer than any run" in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "--archive", "a", "missing"), "cannot read missing: No such file"),
        (("import", "--archive", "a", "."), "cannot read .: Is a directory"),
        (("import", "--archive", "a", "-", "-"), "can be read once"),
        (("import", "--archive", "a", "-", "--commit", "a b"), "--commit 'a b' is no commit"),
        (("import", "--archive", "text", "-"), "text is no archive of benchmark runs"),
        (("export", "--archive", "missing"), "there is no archive missing"),
        (("export", "--archive", "text"), "text is no archive of benchmark runs"),
        (("export", "--archive", "b", "no/out"), "cannot write no/out: No such file"),
        (("export", "--archive", "b", "text/out"), "cannot write text/out: Not a directory"),
        (("export", "--archive", "b", "o" * 250), "File name too long"),
        (("export", "--archive", "b", "b"), "b is the archive itself"),
        (("merge", "--archive", "b", "missing"), "there is no archive missing"),
        (("merge", "--archive", "b", "text"), "text is no archive"),
        (("merge", "--archive", "b", "b"), "b is the archive itself"),
    ],
)
def test_bad_usage_is_one_line(tmp_path, monkeypatch, words, said):
    """Each mistake names the thing, ends with 2, and changes no file."""
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("text\n" * 50)
    command("import", "--archive", "b", "-", given=lines(1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ended = command(*words, given="")
    assert ended.exit_code == 2, ended.output
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_report_is_imported(tmp_path):
    """A result.json is the same run as bench run keeps; the commit is told by an option."""
    write_result(result(), tmp_path)
    ended = command("import", "--archive", tmp_path / "a", tmp_path / RESULT, "--commit", "v9")
    assert ended.exit_code == 0, ended.output
    with Archive.opened(tmp_path / "a", create=False) as archive:
        assert list(archive.runs()) == [archived(result(), Origin(commit=Commit(id="v9")))]


def test_a_report_of_a_run_that_is_kept_is_no_second_run(tmp_path):
    """One night counts once: what is kept with its causes is not taken from its report."""
    path, file = tmp_path / "speed.db", tmp_path / RESULT
    write_result(result(), tmp_path)
    origin = Origin(commit=Commit(id="c" * 40), causes=(counted(1),))
    with Archive.opened(path) as archive:
        archive.add([archived(result(), origin)])
    assert "0 new of 1 runs" in command("import", "--archive", path, file).stderr
    write_result(result(number=21), tmp_path)
    assert "1 new of 1 runs" in command("import", "--archive", path, file).stderr


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (result(guarantees=()), "it has no speeds: run PERF-01"),
        (result(interrupted=True), "the run was cut short"),
        (result(started_at="today"), "'today' is no UTC time"),
    ],
)
def test_a_report_without_speeds_is_refused(tmp_path, made, said):
    """A run of other guarantees, or one that was cut short, is no run of the archive."""
    write_result(made, tmp_path)
    ended = command("import", "--archive", tmp_path / "a", tmp_path / RESULT)
    assert ended.exit_code == 2
    assert f"{tmp_path / RESULT}: {said}" in ended.stderr


def ran(tmp_path, first, second=None, *, gate=True, before=9, **changes):
    """Keep a run whose append costs ``first``, after so many nights of 1.3; what it came to."""
    path = tmp_path / "a"
    with Archive.opened(path) as archive:
        archive.add(night(number, causes=(counted(1),)) for number in range(before))
    made = Measured(
        called="shop:Store",
        result=result(first, **changes),
        causes=(counted(2),),
        again=lambda number: None if second is None else result(second, number=21 + number),
    )
    keeping = Keeping(archive=path, gate=gate)
    out = Console(file=io.StringIO(), width=200)
    found = kept([made], keeping, Commit(id="f" * 40, at=day(20)), out)
    print_nights(found, out)
    return found, out.file.getvalue()


@pytest.mark.parametrize(
    ("first", "second", "code", "said"),
    [
        (1.30, 9.9, 0, "none of 1 operations is known to be slower"),
        (1.40, 1.30, 0, "none of 1 operations is known to be slower"),
        (1.40, 1.41, 3, "slower: append (+7.7 %)"),
        (1.40, None, 4, "could not tell: append"),
        (1.20, None, 0, "faster: append (-7.7 %)"),
    ],
)
def test_a_run_is_kept_and_judged(tmp_path, first, second, code, said):
    """Only what all runs show to be slower ends with 3; the further runs are not kept."""
    found, printed = ran(tmp_path, first, second)
    assert nights.exit_code(found) == code
    assert said in printed
    with Archive.opened(tmp_path / "a", create=False) as archive:
        *_, last = archive.runs()
        assert archive.count() == 10
    assert last.speeds[0].ratio.value == first
    assert last.causes == (counted(2),)
    assert ("one statement more" in printed) == (code in (3, 4))


def test_the_files_say_the_same(tmp_path):
    """JSON with all figures, Markdown for a job's summary, and a page."""
    found, _ = ran(tmp_path, 1.4, 1.41)
    assert nights.write_nights(found, tmp_path).name == "nights.html"
    (one,) = json.loads((tmp_path / "nights.json").read_text("utf-8"))["stores"]
    append, threads = one["rows"]
    assert (append["verdict"], append["usual"]) == ("slower", 1.3)
    assert [one["value"] for one in append["again"]] == [1.41, 1.41]
    assert (threads["verdict"], threads["gated"]) == ("undecided", False)
    said = (tmp_path / "nights.md").read_text("utf-8")
    assert "| append | ×1.40 " in said
    assert "(+7.7 %) | ×1.30 | +3.0 % | ×1.41" in said
    assert "- append: one statement more" in said
    assert f"commit `{'f' * 12}`" in said


def test_keeping_alone_judges_nothing(tmp_path):
    """Without the gate a doubled cost is kept, and nothing is measured again."""
    found, printed = ran(tmp_path, 2.6, gate=False)
    assert found == []
    assert "archive: 1 added" in printed


def test_another_machine_begins_a_line(tmp_path):
    """Too few runs on such a machine: nothing fails, and it is said what is another."""
    found, printed = ran(tmp_path, 9.9, environment={**MACHINE, "cpu": "Other CPU"})
    assert nights.exit_code(found) == 0
    assert "a new line begins: cpu was Made CPU, and is Other CPU" in printed
    assert "could not tell: 0 runs before this one on such a machine, and 5 are needed" in printed


def test_a_folder_without_a_commit_is_told(tmp_path, monkeypatch):
    """The run is kept without a commit, and the option is named that would give one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    out = Console(file=io.StringIO(), width=200)
    assert checked(Keeping(archive=tmp_path / "a"), out) is None
    assert "--commit ID names it" in out.file.getvalue()
