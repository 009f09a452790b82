"""The GitHub action: its form, and its steps run here as GitHub would run them."""

import json
import subprocess
import sys

import pytest
from house_action import ACTION, SHELL, STEPS, run_action
from house_pages import ROOT, blocks
from ruamel.yaml import YAML

WORKFLOWS = sorted((ROOT / "examples" / "consumer" / ".github" / "workflows").glob("*.yml"))
STORE = """
from sessionproof import Claims, Message

class Good:
    claims = Claims()

    def __init__(self, location):
        self.sessions = {}

    def append(self, session_id, messages):
        self.sessions.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.sessions.get(session_id, []))

    def close(self):
        pass

class Bad(Good):
    def append(self, session_id, messages):
        super().append(session_id, messages[:2])
"""


@pytest.fixture
def folder(tmp_path):
    """A user's folder with a good and a bad store."""
    (tmp_path / "mystore.py").write_text(STORE)
    return tmp_path


def test_it_fits_githubs_schemas():
    """The action, and the workflows of the sample consumer, are what GitHub reads."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    subprocess.run([*check, "vendor.github-actions", ROOT / "action.yml"], check=True, timeout=60)
    subprocess.run([*check, "vendor.github-workflows", *WORKFLOWS], check=True, timeout=60)


def test_nothing_of_a_workflow_is_run_as_code():
    """Expressions stand in variables and options, never in a script."""
    for step in SHELL:
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"


def test_every_input_is_used_and_explained():
    """No input does nothing; each has a description, and the page names it."""
    text = (ROOT / "action.yml").read_text("utf-8")
    page = (ROOT / "docs" / "gate.md").read_text("utf-8")
    for name, one in {**ACTION["inputs"], **ACTION["outputs"]}.items():
        assert one["description"], name
        assert f"`{name}`" in page, name
    for name in ACTION["inputs"]:
        assert f"${{{{ inputs.{name} }}}}" in text, name


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_the_workflows_of_the_consumer_give_inputs_that_exist(file):
    """A sample workflow hands over inputs of the action; the nightly one alone may write."""
    workflow = YAML(typ="safe").load(file.read_text("utf-8"))
    used = [
        step
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "sessionproof@" in step.get("uses", "")
    ]
    assert used
    for step in used:
        assert set(step["with"]) <= set(ACTION["inputs"])
        assert "store" in step["with"]
    may_write = [job["permissions"] for job in workflow["jobs"].values() if "permissions" in job]
    nightly = "pull_request" not in workflow["on"]
    assert may_write == ([{"contents": "write"}] if nightly else [])
    assert workflow["permissions"] == ({} if nightly else {"contents": "read"})


@pytest.mark.parametrize("name", ["regressions.md", "start.md"])
def test_the_workflow_on_a_page_is_one(name, tmp_path):
    """What a page shows is what GitHub reads, with inputs that exist."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    (text,) = [one.code for one in blocks(page) if "actions/checkout" in one.code]
    file = tmp_path / "workflow.yml"
    file.write_text(text, "utf-8")
    schema = ["--builtin-schema", "vendor.github-workflows"]
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, file], check=True, timeout=60
    )
    (job,) = YAML(typ="safe").load(text)["jobs"].values()
    assert set(job["steps"][-1]["with"]) <= set(ACTION["inputs"])


def test_the_report_is_uploaded_before_the_exit():
    """A red run has its report: the code comes last, and the upload does not wait for green."""
    names = list(STEPS)
    assert names[-2:] == ["Upload the report", "Exit as the judge did"]
    assert STEPS["Upload the report"]["if"].startswith("always()")


@pytest.mark.night
def test_a_good_store_is_green(folder):
    """The verdict, an empty list and the report's folder come out; the job's page has a summary."""
    ran = run_action(folder, store="mystore:Good")
    assert ran.code == 0, ran.printed
    assert ran.outputs["exit-code"] == "0"
    assert ran.outputs["broken"] == ""
    assert "hold" in ran.outputs["verdict"]
    assert ran.outputs["report-path"] == str(folder / "sessionproof-report")
    assert (folder / "sessionproof-report" / "index.html").exists()
    assert ran.outputs["verdict"] in ran.summary


@pytest.mark.night
def test_a_bad_store_is_red_and_a_baseline_makes_it_green(folder):
    """The ids that are broken come out; listed with reasons they do not fail the job."""
    where = {"working-directory": ".", "report": "out/report"}
    ran = run_action(folder, store="mystore:Bad", **where)
    assert ran.code == 1, ran.printed
    broken = ran.outputs["broken"].split()
    assert "CORE-01" in broken
    lines = [f'{name} = "ticket 1"\n' for name in [*broken, "SEC-01"]]
    (folder / "known.toml").write_text("[broken]\n" + "".join(lines))
    ran = run_action(folder, store="mystore:Bad", baseline="known.toml", **where)
    assert ran.code == 0, ran.printed
    assert ran.outputs["broken"] == ""
    assert "::warning title=sessionproof::SEC-01 holds now" in ran.printed


def test_a_store_that_cannot_be_opened_is_red(folder):
    """An older result is not taken for this run's, and the job's page says what happened."""
    report = folder / "sessionproof-report"
    report.mkdir()
    (report / "result.json").write_text(json.dumps({"verdict": "All hold."}))
    ran = run_action(folder, store="mystore:Nope")
    assert ran.code == 2
    assert "no attribute 'Nope'" in ran.printed
    assert ran.outputs["verdict"] == "Not judged (exit code 2): the job's log says why."
    assert ran.outputs["verdict"] in ran.summary


@pytest.mark.parametrize(
    "store", ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "--help", "a\nexit-code=0"]
)
def test_a_hostile_input_is_a_name_and_no_more(store, folder):
    """Whatever a workflow hands over is taken for the name of a store."""
    ran = run_action(folder, store=store)
    assert ran.code == 2, ran.printed
    assert not (folder / "pwned").exists()
    assert ran.outputs["exit-code"] == "2"


@pytest.mark.parametrize(
    ("version", "installed"),
    [
        ("", str(ROOT)),
        ("0.1.0", "sessionproof==0.1.0"),
        ("../sp[x]", "../sp[x]"),
        ("installed", ""),
    ],
)
def test_what_is_installed(version, installed, folder):
    """A version, a path, the action's own source, or nothing; and the packages of the user."""
    fake = folder / "python"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >calls\nexit 7\n')
    fake.chmod(0o700)
    ran = run_action(
        folder, store="mystore:Good", python=str(fake), version=version, packages=". -r a.txt\n*"
    )
    assert ran.code == 7
    calls = (folder / "calls").read_text().split("\n")[:-1]
    assert calls[:3] == ["-m", "pip", "install"]
    assert calls[5:] == [".", "-r", "a.txt", "*", *([installed] if installed else [])]


@pytest.mark.night
def test_claims_and_acceptance_are_handed_on(folder):
    """Words of require and accept-unknown become options, one each."""
    ran = run_action(
        folder, store="mystore:Good", require="durability=process\n validates=true",
        **{"accept-unknown": "SEC CORE-16"},
    )  # fmt: skip
    assert ran.code == 1, ran.printed
    result = json.loads((folder / "sessionproof-report" / "result.json").read_text())
    assert result["claims"]["durability"] == "process"
    assert result["claims"]["validates"] is True
    assert result["accepted_unknown"] == ["SEC", "CORE-16"]
