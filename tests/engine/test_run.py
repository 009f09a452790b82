"""The command as a whole: what it judges, what it writes, how it ends."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from commands import command, environment, judge, quick

import sessionproof
from sessionproof.contract.guarantees import GUARANTEES

MEMORY = "sessionproof.oracle.memory:MemoryStore"
SCHEMA = Path(sessionproof.__file__).parent / "report" / "result.schema.json"


@pytest.mark.night
def test_the_reference_holds_all(tmp_path):
    """The reference store holds every guarantee that it claims, and the files say so."""
    ran = judge(tmp_path, "reference", "--profile", "smoke", "--seed", 1)
    assert ran.code == 0, ran
    jsonschema.validate(ran.result, json.loads(SCHEMA.read_text("utf-8")))
    assert [row["id"] for row in ran.result["guarantees"]] == list(GUARANTEES)
    assert {row["verdict"] for row in ran.result["guarantees"]} == {"holds", "not claimed"}
    assert all(
        row["examined"] >= row["least"]
        for row in ran.result["guarantees"]
        if row["verdict"] == "holds"
    )
    for name in ("index.html", "junit.xml", "result.json"):
        assert (tmp_path / "report" / name).stat().st_size > 500


@pytest.mark.night
def test_only_some_are_run(tmp_path):
    """What was not asked for was not run, and is not shown as holding."""
    ran = quick(tmp_path, MEMORY, only="SEQ")
    assert ran.code == 0
    run = {row["id"] for row in ran.result["guarantees"] if row["verdict"] != "not run"}
    assert run == {name for name in GUARANTEES if name.startswith("SEQ")}


@pytest.mark.night
def test_the_same_seed_gives_the_same_finding(tmp_path):
    """A run is repeated by its seed: the same program, the same words."""
    store = "fixtures.mutants.core:DropsTheLastOfThree"
    root = Path(__file__).parents[2]
    runs = [
        judge(
            tmp_path, store, "--seed", 7, "-n", workers, "--only", "CORE-01", cwd=root,
        )
        for workers in (1, 2)
    ]  # fmt: skip
    findings = [ran.guarantee("CORE-01")["findings"] for ran in runs]
    assert runs[0].code == runs[1].code == 1
    assert findings[0] == findings[1]
    assert len(findings[0][0]["program"]) == 2


@pytest.mark.night
def test_a_store_without_claims_is_probed(tmp_path):
    """Rows that need a claim are tried, shown, and decide nothing; a line of claims is offered."""
    (tmp_path / "mystore.py").write_text(
        "class Store:\n"
        "    def __init__(self, location): self.sessions = {}\n"
        "    def append(self, session_id, messages):\n"
        "        for m in messages: assert isinstance(m.content, str)\n"
        "        known = self.sessions.setdefault(session_id, [])\n"
        "        known.extend((m.role, m.content) for m in messages)\n"
        "    def read(self, session_id):\n"
        "        from sessionproof import Message\n"
        "        return [Message(*m) for m in self.sessions.get(session_id, [])]\n"
        "    def close(self): pass\n"
    )
    ran = judge(tmp_path, "mystore:Store", "--profile", "smoke", "--seed", 1)
    assert ran.code == 0, ran.out
    assert ran.result["claims_declared"] is False
    assert ran.result["verdict"].startswith("No claims: concurrency and durability not gated")
    assert "keeps={'content', 'kind', 'role'}" in ran.result["suggested_claims"]
    assert "durability" not in ran.result["suggested_claims"]
    validates = ran.guarantee("CORE-10")
    assert (validates["verdict"], validates["gated"]) == ("not claimed", False)
    assert validates["findings"]


@pytest.mark.night
def test_a_claim_can_be_required(tmp_path):
    """--require judges by a claim that the store does not make."""
    ran = quick(tmp_path, MEMORY, "--require", "durability=process", only="CORE-08")
    assert ran.code == 1
    assert ran.guarantee("CORE-08")["verdict"] == "broken"
    assert "--require durability=process" in ran.result["command"]


@pytest.mark.parametrize(
    ("sent", "after"),
    [(signal.SIGINT, 3.0), pytest.param(signal.SIGTERM, 3.0, marks=pytest.mark.night)],
)
def test_an_interrupted_run_leaves_a_report(sent, after, tmp_path):
    """Ctrl-C, or a cancelled job, ends with 130 and a partial report, and leaves no process."""
    process = subprocess.Popen(
        command("run", MEMORY, "--profile", "deep", "--report", tmp_path / "report"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        start_new_session=True,
    )  # fmt: skip
    first = process.stderr.readline()
    time.sleep(after)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (first, out, err)
    assert "Traceback" not in err
    result = json.loads((tmp_path / "report" / "result.json").read_text())
    assert result["interrupted"] is True
    assert result["exit_code"] == 130
    assert (tmp_path / "report" / "index.html").exists()


def test_consumers_settings_cannot_bend_the_gate(tmp_path):
    """A consumer's pytest settings, plugins and conftest have no part in the run."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -x -k nothing -W error --nope\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('must not be imported')\n")
    ran = quick(tmp_path, MEMORY, "--only", "SEQ-01")
    assert ran.code == 0, ran
    assert ran.guarantee("CORE-01")["verdict"] == ran.guarantee("SEQ-01")["verdict"] == "holds"


@pytest.mark.night
def test_plain_pytest_runs_the_same_tests(tmp_path):
    """``pytest --pyargs sessionproof_suites --store`` judges, reports, and exits alike."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "sessionproof_suites",
         "--store", "hostile:RaisesSystemExit", "--store-profile", "smoke", "--store-seed", "1",
         "-k", "CORE or read_back or repetition"],
        check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert ended.returncode == 1, ended
    assert "CORE-01" in ended.stdout
    result = json.loads((tmp_path / "sessionproof-report" / "result.json").read_text())
    assert result["store"] == "hostile:RaisesSystemExit"
    assert {row["id"] for row in result["guarantees"] if row["verdict"] == "broken"} >= {"CORE-01"}


@pytest.mark.night
def test_a_store_named_in_pyproject_is_judged_beside_own_tests(tmp_path):
    """A bare ``pytest`` runs the suites where pyproject.toml names the store."""
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.sessionproof]\nstore = "{MEMORY}"\n[tool.pytest.ini_options]\n'
    )
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    bare = [sys.executable, "-m", "pytest", "--store-profile", "smoke"]
    ended = subprocess.run(
        bare,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment(),
    )
    assert ended.returncode == 0, ended
    assert "CORE-11" in ended.stdout
    own = subprocess.run(
        [*bare, "test_own.py"], check=False, capture_output=True, text=True, timeout=60,
        cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert "1 passed" in own.stdout
    assert "CORE-11" not in own.stdout
