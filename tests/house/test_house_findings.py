"""Findings in packages of today: short scripts without sessionproof, and what they printed."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "findings"
FINDINGS = sorted(path for path in FOLDER.iterdir() if path.is_dir())
LINES_MOST = 15


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.name)
def test_a_finding_is_whole(finding):
    """A script, its output, and a page with package, guarantee, loss and a text for a report."""
    assert sorted(path.name for path in finding.iterdir()) == ["README.md", "output.txt", "show.py"]
    page = (finding / "README.md").read_text("utf-8")
    parts = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert parts == ["What happens", "What a user loses", "Text for a report"]
    package = re.search(r"^- \*\*Package:\*\* ([\w-]+) (\d[\w.]*\d)", page, re.MULTILINE)
    assert package, "name the package and its version"
    assert re.search(r"^- \*\*Guarantee:\*\* [A-Z]+-\d\d", page, re.MULTILINE)
    printed = (finding / "output.txt").read_text("utf-8").splitlines()
    assert printed[0].split()[:2] == list(package.groups()), "the first line is the version"


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda path: path.name)
def test_a_script_is_short_and_stands_alone(finding):
    """Fifteen lines at most that are not blank, and nothing of sessionproof in them."""
    text = (finding / "show.py").read_text("utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= LINES_MOST
    assert "sessionproof" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
    compile(text, str(finding), "exec")


def test_every_finding_is_listed():
    """``docs/findings/README.md`` has a line for each."""
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\) ", _page(), re.MULTILINE)
    assert listed == [path.name for path in FINDINGS]


def _page():
    return (FOLDER / "README.md").read_text("utf-8")
