"""What is said of nights is so: the shares on the page, the workflow, the timer."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from configparser import ConfigParser

import pytest
from house_pages import ROOT
from ruamel.yaml import YAML

from sessionproof.cli.main import main
from sessionproof.engine.areas import AREAS

EXAMPLES = ROOT / "examples" / "nightly"
PAGE = (ROOT / "docs" / "nightly.md").read_text("utf-8")


def unit(name):
    """A file of systemd."""
    parser = ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str
    parser.read_string((EXAMPLES / name).read_text("utf-8"))
    return parser


def assert_taken(words):
    """The command line takes these words behind ``sessionproof``."""
    assert words[0] == "nightly"
    command = main.commands["nightly"]
    command.make_context("nightly", list(words[1:])).close()


def test_the_page_has_the_shares():
    """Each area with what it is given of the time."""
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) % \|", PAGE, re.MULTILINE))
    assert rows == {area.name: f"{100 * area.share:.0f}" for area in AREAS}


def test_the_page_says_how_a_night_is_begun():
    """The command at its top is one."""
    (line,) = re.findall(r"^sessionproof (nightly .*)$", PAGE, re.MULTILINE)
    assert_taken(shlex.split(line))


def test_the_workflow_is_one():
    """It is what GitHub reads, may only read, and has more minutes than its budget."""
    file = EXAMPLES / "workflow.yml"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    subprocess.run([*check, "vendor.github-workflows", file], check=True, timeout=60)
    workflow = YAML(typ="safe").load(file.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    (line,) = [step["run"] for step in job["steps"] if "nightly" in step.get("run", "")]
    words = shlex.split(line)
    assert_taken(words[1:])
    assert int(words[words.index("--budget") + 1].removesuffix("h")) * 60 < job["timeout-minutes"]
    folders = {step["with"]["path"] for step in job["steps"] if "path" in step.get("with", {})}
    assert folders == {"sessionproof-nightly"}  # the command's own default


@pytest.mark.parametrize("name", ["sessionproof-nightly.service", "sessionproof-nightly.timer"])
def test_the_units_belong_together(name):
    """The timer starts the service of its name, which runs a command that is one."""
    assert (EXAMPLES / name).read_text("utf-8").startswith("#")
    assert unit(name)["Unit"]["Description"]


def test_the_service_judges_and_is_ended_in_time():
    """Its command is taken; an interruption has time to report, and is no failure."""
    service = unit("sessionproof-nightly.service")["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/sessionproof")
    assert_taken(words)
    assert int(service["TimeoutStopSec"]) > 20  # what a slice has to report
    assert service["SuccessExitStatus"] == "130"
    assert unit("sessionproof-nightly.timer")["Timer"]["OnCalendar"]
