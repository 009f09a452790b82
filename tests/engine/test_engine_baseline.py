"""Known breaks: a new one fails, a listed one does not, a mended one is told, a stale one fails."""

import json
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from commands import environment, judge, quick

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.engine.baseline import KnownBreaks, compared, read_baseline
from sessionproof.report import words
from sessionproof.report.junit import render_junit
from sessionproof.report.result import RunResult, concluded, merge

MEMORY = "sessionproof.oracle.memory:MemoryStore"
LOST = Finding(anomaly=Anomaly.LOST_MESSAGE, did="read", expected="1 message", seen="none")
REASON = "lost on Tuesdays, https://example.com/7"


def broken(name, **changes):
    """A record of a break."""
    record = Record(guarantee=name, test="t", verdict=Verdict.BROKEN, examined=9, findings=(LOST,))
    return replace(record, **changes)


def held(name):
    """A record with evidence enough for any row."""
    return Record(guarantee=name, test="t", verdict=Verdict.HOLDS, examined=10_000)


def result(*records, listed, **changes):
    """The concluded result of these records, with a baseline that lists these ids."""
    only = [record.guarantee for record in records]
    rows, baseline = compared(
        merge(records, only), KnownBreaks(file="known.toml", reasons=dict.fromkeys(listed, REASON))
    )
    run = RunResult(
        store="s", store_version=None, profile="gate", seed=1, guarantees=rows,
        sessionproof="0", baseline=baseline,
    )  # fmt: skip
    return concluded(replace(run, **changes))


def row(ran, name):
    """One guarantee of a result."""
    return next(one for one in ran.guarantees if one.id == name)


def outcomes(ran):
    """What JUnit says of each guarantee: its id and the tag of its outcome."""
    cases = ET.fromstring(render_junit(ran)).iter("testcase")
    return {
        case.get("name").split()[0]: [one.tag for one in case if one.tag != "properties"]
        for case in cases
    }


def test_a_listed_break_is_known_and_does_not_fail():
    """A break with a reason in the baseline is shown with it, and the run is green."""
    ran = result(broken("CORE-01"), held("CORE-14"), listed=["CORE-01"])
    assert ran.exit_code == 0
    assert ran.verdict == "1 known break (baseline); 1 hold."
    assert row(ran, "CORE-01").known == REASON
    assert "known" in words.marks(ran, row(ran, "CORE-01"))
    assert REASON in words.reason(row(ran, "CORE-01"))
    assert words.overall(ran) is not Verdict.HOLDS
    assert outcomes(ran)["CORE-01"] == ["skipped"]
    assert REASON in render_junit(ran)


def test_a_break_that_is_not_listed_fails():
    """A new break fails beside a known one, and is counted apart."""
    ran = result(broken("CORE-01"), broken("CORE-02"), held("CORE-14"), listed=["CORE-01"])
    assert ran.exit_code == 1
    assert ran.verdict == "1 guarantee broken; 1 known break (baseline); 1 hold."
    assert outcomes(ran)["CORE-02"] == ["failure"]
    assert outcomes(ran)["CORE-01"] == ["skipped"]


def test_a_mended_break_is_told_and_does_not_fail():
    """What is listed and holds is named with the remedy; the run is green."""
    ran = result(held("CORE-01"), held("CORE-14"), listed=["CORE-01"])
    assert ran.exit_code == 0
    assert ran.baseline.mended == ("CORE-01",)
    assert row(ran, "CORE-01").known is None
    (warning,) = words.warnings(ran)
    assert "CORE-01" in warning
    assert "strike it" in warning


@pytest.mark.parametrize(
    "record",
    [
        Record(guarantee="CORE-17", test="t", verdict=Verdict.NOT_CLAIMED),
        broken("CORE-17", gated=False),
        replace(held("CORE-17"), gated=False),
    ],
)
def test_a_stale_entry_fails(record):
    """An entry that can be no break of this store fails the run, whatever was seen this time."""
    ran = result(record, held("CORE-14"), listed=["CORE-17"])
    assert ran.exit_code == 1
    assert ran.baseline.stale == ("CORE-17",)
    assert ran.baseline.mended == ()
    assert row(ran, "CORE-17").known is None
    assert ran.verdict.startswith("1 stale entry in the baseline; ")
    assert ran.baseline.problems[0] in words.warnings(ran)
    assert outcomes(ran)["the"] == ["error"]


def test_what_could_not_be_told_stays_so():
    """A listed id that could not be judged is neither known nor mended, and fails as before."""
    record = Record(guarantee="CORE-01", test="t", verdict=Verdict.UNKNOWN, reason="too slow")
    ran = result(record, held("CORE-14"), listed=["CORE-01"])
    assert ran.exit_code == 4
    assert (ran.baseline.mended, ran.baseline.stale) == ((), ())
    ran = result(record, held("CORE-14"), listed=["CORE-01"], accepted_unknown=("CORE-01",))
    assert ran.exit_code == 0


def test_what_was_not_run_says_nothing():
    """A run of some guarantees does not call the entries of others mended or stale."""
    ran = result(held("CORE-14"), listed=["CORE-01"])
    assert ran.exit_code == 0
    assert (ran.baseline.mended, ran.baseline.stale, ran.baseline.problems) == ((), (), ())


def test_an_empty_file_lists_nothing(tmp_path):
    """After the last entry was struck, the file may stay."""
    file = tmp_path / "known.toml"
    for text in ("", "[broken]\n", "# nothing is broken\n"):
        file.write_text(text)
        assert read_baseline(file).reasons == {}


def test_a_reason_may_have_several_lines(tmp_path):
    """A reason is shown in one line, however it was written."""
    file = tmp_path / "known.toml"
    file.write_text('[broken]\nCORE-01 = """\nfirst,\n  second"""\n')
    assert read_baseline(file).reasons == {"CORE-01": "first, second"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "is not TOML"),
        ("CORE-01 = 'x'", "'CORE-01' at its top: its one table is [broken]"),
        ("broken = 'CORE-01'", "must be a table: write [broken]"),
        ("[broken]\nCORE-1 = 'x'", "did you mean CORE-1"),
        ("[broken]\ncore-01 = 'x'", "did you mean CORE-01?"),
        ("[broken]\nQUUX = 'x'", "no guarantee has this id: strike it"),
        ("[broken]\nCORE-01 = '  '", "CORE-01 in the baseline known.toml has no reason"),
        ("[broken]\nCORE-01 = true", "CORE-01 in the baseline known.toml has no reason"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_mistake_in_the_file_is_told_in_one_line(text, told, tmp_path):
    """A mistake ends with exit code 2 before the store is opened, in a line with the remedy."""
    if text is not None:
        (tmp_path / "known.toml").write_text(text)
    ran = judge(tmp_path, "hostile:ExitsWhenMade", "--baseline", "known.toml")
    assert ran.code == 2, ran
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert not ran.result


def test_the_command_takes_a_baseline(tmp_path):
    """A run with a known break ends with 0, says so in its files, and names the file again."""
    (tmp_path / "known.toml").write_text(f'[broken]\nCORE-08 = "{REASON}"\n')
    ran = quick(
        tmp_path, MEMORY, "--require", "durability=process", "--baseline", "known.toml",
        only="CORE-08",
    )  # fmt: skip
    assert ran.code == 0, ran
    assert ran.guarantee("CORE-08")["known"] == REASON
    assert ran.result["command"].endswith("--only CORE-08 --baseline known.toml")
    assert "--baseline" not in ran.guarantee("CORE-08")["findings"][0]["repeat"]
    assert f"known     {REASON}" in ran.out


def plain_pytest(folder, *arguments):
    """The suites' test of CORE-14 in a plain pytest; its exit code, what it printed, the result."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--store-profile", "smoke", "-k", "repetition",
         "--pyargs", "sessionproof_suites", *arguments],
        check=False, capture_output=True, text=True, timeout=120, cwd=folder, env=environment(),
    )  # fmt: skip
    file = folder / "sessionproof-report" / "result.json"
    result = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return ended.returncode, ended.stdout + ended.stderr, result


@pytest.mark.night
@pytest.mark.parametrize("store", ["Exits", "RaisesSystemExit"])
def test_a_plain_pytest_takes_a_baseline(store, tmp_path):
    """A known break is an expected failure there, also one that ended the worker."""
    (tmp_path / "known.toml").write_text(f'[broken]\nCORE-14 = "{REASON}"\n')
    given = ("--store", f"hostile:{store}", "--store-baseline", "known.toml")
    code, printed, result = plain_pytest(tmp_path, *given)
    assert code == 0, printed
    assert "1 xfailed" in printed
    assert result["verdict"] == "1 known break (baseline); 0 hold."
    (tmp_path / "known.toml").write_text("")
    code, printed, _ = plain_pytest(tmp_path, *given)
    assert code == 1, printed
    assert "1 failed" in printed


@pytest.mark.night
def test_pyproject_names_the_baseline_of_its_store(tmp_path):
    """The setting is a path from its folder, and is for the store named there alone."""
    (tmp_path / "known.toml").write_text(f'[broken]\nCORE-04 = "{REASON}"\n')
    settings = f'[tool.sessionproof]\nstore = "{MEMORY}"\nbaseline = "known.toml"\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    code, printed, result = plain_pytest(tmp_path)
    assert code == 0, printed
    assert result["baseline"]["file"] == str(tmp_path / "known.toml")
    code, printed, result = plain_pytest(tmp_path, "--store", MEMORY)
    assert code == 0, printed
    assert result["baseline"] is None


@pytest.mark.night
@pytest.mark.parametrize(
    ("settings", "arguments", "told"),
    [
        ("stroe = 'x'", (), "has no setting 'stroe': it takes store and baseline"),
        ("store = 3", (), "store of [tool.sessionproof]"),
        (f"store = '{MEMORY}'\nbaseline = 'nofile'", (), "nofile cannot be read"),
        ("", ("--store-baseline", "x.toml"), "name it by --store"),
        (f"store = '{MEMORY}'", ("--store-report", "pyproject.toml"), "toml cannot be made"),
    ],
)
def test_a_mistake_in_a_plain_pytest_is_told(settings, arguments, told, tmp_path):
    """A mistake ends pytest before any test, in one line."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.sessionproof]\n{settings}\n")
    code, printed, _ = plain_pytest(tmp_path, *arguments)
    assert code == 4, printed
    (line,) = printed.split("\n\n")[0].strip().splitlines()
    assert line.startswith("ERROR: ")
    assert told in line
    assert "Traceback" not in printed
