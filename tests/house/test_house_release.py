"""What releases are made with: workflows that GitHub reads, and packages that say who they are."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from house_pages import ROOT
from ruamel.yaml import YAML

from sessionproof.cli.main import main

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def loaded(path):
    """A file of YAML."""
    return YAML(typ="safe").load(path.read_text("utf-8"))


def test_github_can_read_the_workflows():
    """Each fits the schema that GitHub publishes."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    subprocess.run([*check, "vendor.github-workflows", *WORKFLOWS], check=True, timeout=60)
    fresh = GITHUB / "dependabot.yml"
    subprocess.run([*check, "vendor.dependabot", fresh], check=True, timeout=60)


def test_nothing_in_them_is_known_to_be_unsafe():
    """By zizmor, which asks nobody: what runs where rights are, whose code, with what words."""
    program = Path(sys.executable).with_name("zizmor")
    command = [program, "--offline", "--no-progress", GITHUB, ROOT / "action.yml"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_of_others_are_named_by_their_commits():
    """A tag can be moved; the version is said beside, and each action has one."""
    versions = {}
    for path in [*WORKFLOWS, ROOT / "action.yml"]:
        for line in path.read_text("utf-8").splitlines():
            if "uses:" in line:
                named = re.fullmatch(r" +(- )?uses: ([\w./-]+)@([0-9a-f]{40}) # v[\d.]+\d", line)
                assert named, f"{path.name}: {line}"
                owner = "/".join(named[2].split("/")[:2])
                assert versions.setdefault(owner, line.partition("@")[2]) == line.partition("@")[2]
    assert len(versions) >= 5


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little(path):
    """Rights are read-only but where a release is published."""
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    rights = [job["permissions"] for job in workflow["jobs"].values() if "permissions" in job]
    assert rights == ([{"id-token": "write"}] if path.stem == "release" else [])
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "an expression is never part of a script"


def test_the_night_does_every_part_of_what_is_deep():
    """One job for each; a part that is none is said to be none, before anything is installed."""
    script = (ROOT / ".ci" / "deep").read_text("utf-8")
    parts = re.search(r"^parts=\(\n(.*?)\n\)$", script, re.MULTILINE | re.DOTALL)[1].split()
    assert sorted(parts) == sorted(re.findall(r"^(\w+)\(\) \{$", script, re.MULTILINE))
    deep = loaded(GITHUB / "workflows" / "nightly.yml")["jobs"]["deep"]
    assert deep["strategy"]["matrix"]["part"] == parts
    command = ["bash", ROOT / ".ci" / "deep", parts[0], "other"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f".ci/deep has no part other; there are: {' '.join(parts)}\n"


def test_what_workflows_run_is_there():
    """Scripts of the project, and commands with options that it has."""
    for path in WORKFLOWS:
        for job in loaded(path)["jobs"].values():
            for words in (step.get("run", "").split() for step in job["steps"]):
                if words[:1] == ["bash"]:
                    assert (ROOT / words[1]).stat().st_mode & 0o111
                elif words[:1] == ["sessionproof"]:
                    known = {name for one in main.commands[words[1]].params for name in one.opts}
                    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_what_it_needs(path):
    """A form has a name, and fields with ids of their own, of which some must be filled in."""
    form = loaded(path)
    if path.stem == "config":
        assert form["blank_issues_enabled"] is False
        return
    assert form["name"]
    assert form["description"]
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert len({one["id"] for one in fields}) == len(fields)
    assert any(one.get("validations", {}).get("required") for one in fields)


def test_the_metadata_tell_what_the_project_is():
    """Classifiers name the Pythons that are tested; no address is of a machine."""
    pythons = {
        one.rpartition(" ")[2] for one in PROJECT["classifiers"]
        if re.search(r"Python :: 3\.\d+$", one)
    }  # fmt: skip
    jobs = loaded(GITHUB / "workflows" / "ci.yml")["jobs"].values()
    (matrix,) = [job["strategy"]["matrix"] for job in jobs if "strategy" in job]
    assert pythons == set(matrix["python"])
    assert PROJECT["requires-python"] == ">=" + min(pythons)
    assert PROJECT["keywords"] == sorted(PROJECT["keywords"], key=str.lower)
    for package in ("harness/sessionproof", "suites/sessionproof_suites"):
        assert (ROOT / package / "py.typed").exists()


def test_the_version_stands_in_one_place():
    """A release changes one line; the changelog has a place for it."""
    module = ast.parse((ROOT / "harness" / "sessionproof" / "__init__.py").read_text("utf-8"))
    versions = [
        node.value.value for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]  # fmt: skip
    assert len(versions) == 1
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", versions[0])
    assert "version" not in PROJECT
