"""The GitHub action as data, and its steps run here as GitHub would run them."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

from house_pages import ROOT
from ruamel.yaml import YAML

ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
SHELL = [step for step in STEPS.values() if "run" in step]
PUSH = {  # what GitHub tells an action of a push to the default branch
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/heads/main",
    "github.base_ref": "",
    "github.event.repository.default_branch": "main",
}


@dataclass(frozen=True)
class Ran:
    """The exit code, what was printed, the outputs by name, and the job's page."""

    code: int
    printed: str
    outputs: dict
    summary: str


def filled(text, values):
    """A text of the action with its expressions replaced; an unknown one is an error."""
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: values[found[1]], text)


def run_action(folder, *, event=PUSH, judged=None, place=".", **given):
    """Run the action's own steps below the folder; ``judged`` stands for the judge, if given.

    ``place`` is the checkout. ``event`` holds variables and expressions of GitHub.
    """
    values = {**event, "github.action_path": str(ROOT)}
    inputs = {
        name: filled(one.get("default", ""), values) for name, one in ACTION["inputs"].items()
    }
    inputs |= {"python": sys.executable, "version": "installed", "profile": "smoke", **given}
    values |= {f"inputs.{name}": value for name, value in inputs.items()}
    if judged:
        values |= {f"steps.judge.outputs.{name}": value for name, value in judged.items()}
    output, summary = folder / "output", folder / "summary"
    summary.touch()
    printed = ""
    for step in SHELL:
        if judged and step.get("id") == "judge":
            continue
        output.write_text("")
        ended = _shell(step, folder, folder / place, values, output, summary)
        printed += ended.stdout
        for line in output.read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
        if ended.returncode:
            break
    return Ran(ended.returncode, printed, _outputs(values), summary.read_text("utf-8"))


def _shell(step, folder, checkout, values, output, summary):
    script = folder / "step.sh"
    script.write_text(step["run"], "utf-8")
    github = {name: value for name, value in values.items() if name.startswith("GITHUB_")}
    environment = {name: filled(value, values) for name, value in step.get("env", {}).items()}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
        cwd=checkout / filled(step.get("working-directory", "."), values), check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=240,
        env={**os.environ, **github, **environment, "GITHUB_OUTPUT": str(output),
             "GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip


def _outputs(values):
    """The outputs that are known; those of steps that did not come are not."""
    known = {}
    for name, one in ACTION["outputs"].items():
        try:
            known[name] = filled(one["value"], values)
        except KeyError:
            continue
    return known
