"""What stands on a page works: its code runs, its commands end as it says, its links lead on."""

import re

import pytest
from house_blocks import (
    DOCS,
    SLOW,
    is_command,
    pages,
    pages_of_commands,
    prepare,
    problem,
    python_blocks,
)
from house_pages import ROOT, block
from house_shell import assert_shown, shell

ALONE = dict(python_blocks())
TOGETHER = pages_of_commands()
TEXTS = (".md", ".mjs", ".py", ".sh", ".toml", ".yml")


@pytest.mark.parametrize("name", [name for name, _ in pages()])
def test_every_block_says_who_runs_it(name):
    """A reader never copies a block that nobody ran, unless it is told why."""
    for one in dict(pages())[name]:
        wrong = problem(one)
        assert wrong is None, f"docs/{name}: {wrong}\n{one.code}"
        if one.where == "test":
            test = (ROOT / one.name).read_text("utf-8")
            assert name.removesuffix(".md") in test, f"docs/{name}: {one.name} never reads it"


@pytest.mark.parametrize("name", ALONE)
def test_python_runs_by_itself(name, tmp_path, monkeypatch):
    """Each block of Python that has no mark runs as it stands, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exec(compile(ALONE[name], f"docs/{name}", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[pytest.mark.night] if one in SLOW else []) for one in TOGETHER],
)
def test_commands_do_what_the_page_says(name, tmp_path):
    """In order, in an empty folder: each ends as the page says, and prints what it shows."""
    if any("examples/" in one.code for one in TOGETHER[name]):
        (tmp_path / "examples").symlink_to(ROOT / "examples")
    printed = ""
    for one in TOGETHER[name]:
        if one.where in ("file", "change"):
            prepare(one, tmp_path)
        elif is_command(one):
            code, printed = shell(one.code, tmp_path, timeout=400)
            assert code == int(one.name or 0), f"{one.code}\n{printed}"
            assert one.where is None or one.code.count("\n") == 1, "what fails is one command"
        else:
            assert_shown(one.code, printed)


def test_output_that_stands_twice_is_the_same():
    """What another page shows of the README's runs is what the README shows."""
    for name, found in pages():
        for one in found:
            if one.where == "output" and one.name:
                assert one.code == block(one.name).code, name


def test_pages_that_are_named_are_there():
    """Wherever a page or an example names a page, it exists."""
    examples = [path for path in (ROOT / "examples").rglob("*.*") if path.suffix in TEXTS]
    for path in (*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *examples):
        for named in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text("utf-8")):
            assert (ROOT / named).is_file(), f"{path.name}: {named}"
