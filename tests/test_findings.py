"""What the findings say of packages of others: their folders are whole, and it is still so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "docs" / "findings"
LINES_MAX = 15
TRIES = 3  # some show what is left to chance
SHOWN = {
    "agent-framework-repeated-turn": r"three turns: \['Which\?', 'Blue\.', 'yes', 'Done\.'\]",
    "agent-framework-torn-line": r"(ValueError: Failed to deserialize .*\n){2}",
    "agno-equal-places": r"\['told first'\]\n\['a moment later', 'told first'\]",
    "agno-json-killed": r"deletion: None\nthe new chat: \['a secret', 'a new chat'\]",
    "chainlit-swallowed-errors": r"create_step answered None\nsteps: \[\]",
    "google-adk-equal-times": r"appended 12345, read (?!12345)\d{5}",
    "google-adk-half-made-tables": r"ValueError: Schema version not found",
    "langchain-file-writers": r"gave up: (Extra data|Expecting value)",
    "llama-index-pydantic": r"1 message in 59 bytes\nPydanticSerializationError: .*\n0 bytes",
    "llama-index-sqlite-replace": r"\['old', 'new'\]\n.*: None\nother: \['first of another chat'\]",
    "llm-lost-tips": r"2 stored, read: \['from the one'\]",
    "mem0-close-crash": r"the process is ended by signal 11",
    "openai-agents-advanced-costs": r"10,000 messages, get_items: \d{3},\d{3} steps",
    "openai-agents-first-use": r"table agent_sessions already exists",
    "strands-half-made-session": r"(SessionException: Session chat already exists\n){2}",
    "tinydb-failed-insert": r"in the file: .*second,\n.*\['first', 'second, [^']*', 'third'\]",
}
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir())


def test_each_finding_is_known_here():
    """A finding that is added says here what its script must show."""
    assert sorted(SHOWN) == FOLDERS


@pytest.mark.parametrize("name", FOLDERS)
def test_a_finding_is_whole(name):
    """A short script without our package, its output with the version, a page, a row that leads."""
    script = (ROOT / name / "show.py").read_text("utf-8")
    assert len([line for line in script.splitlines() if line]) <= LINES_MAX
    assert "sessionproof" not in script
    output = (ROOT / name / "output.txt").read_text("utf-8")
    assert re.search(SHOWN[name], output)
    package, version = output.split()[:2]
    page = (ROOT / name / "README.md").read_text("utf-8")
    assert f"**Package:** {package} {version}" in page
    for part in ("## What happens", "## What a user loses", "## Text for a report"):
        assert part in page
    assert f"[{name}]({name}/README.md) | {package} {version} |" in (ROOT / "README.md").read_text()


def interpreters():
    """Ours, and those of the environments below a folder, where ``environments`` were kept."""
    kept = os.environ.get("SESSIONPROOF_ENVIRONMENTS")
    found = sorted(Path(kept).glob("*/bin/python")) if kept else []
    return [Path(sys.executable), *found]


def with_packages(line):
    """An interpreter that has the versions of the line; skips the test where none is known."""
    look = "import importlib.metadata, sys; print(*map(importlib.metadata.version, sys.argv[1:]))"
    names, versions = line.split()[::2], line.split()[1::2]
    for python in interpreters():
        done = ran([python, "-c", look, *names])
        if done.stdout.split() == versions:
            return python
    pytest.skip(f"no environment with {line}: see SESSIONPROOF_ENVIRONMENTS")


def ran(command, **options):
    """The process, ended, with what it printed."""
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


@pytest.mark.night
@pytest.mark.parametrize("name", FOLDERS)
def test_it_is_still_so(name, tmp_path):
    """The script shows what the page says, where the package is at hand."""
    first, *_ = (ROOT / name / "output.txt").read_text("utf-8").splitlines()
    python = with_packages(first)
    home = {**os.environ, "HOME": str(tmp_path)}
    for _ in range(TRIES):
        done = ran([python, ROOT / name / "show.py"], cwd=tmp_path, env=home, timeout=120)
        if re.search(SHOWN[name], done.stdout):
            return
    pytest.fail(f"{name} is not shown any more: {done.stdout} {done.stderr[-500:]}")
