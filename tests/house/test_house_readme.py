"""What the README shows is what happens: each block is run, or is what a run printed."""

import json
import re
import sys

import pytest
from house_pages import README, ROOT, WHERE, block, blocks, guarantees_table, written_table
from house_shell import assert_shown, shell

from fixtures import legacy
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import result as results

TEXT = README.read_text("utf-8")


@pytest.fixture
def folder(tmp_path):
    """An empty folder in which ``.venv/bin/…`` is this environment."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def assert_block_shown(name, printed):
    """The README's output of this name is in what was printed."""
    assert_shown(block(name).code, printed)


def test_every_block_says_who_runs_it():
    """A reader never copies a block that nobody ran."""
    for one in blocks(TEXT):
        assert one.where in WHERE, f"no mark before this block of README.md:\n{one.code}"


@pytest.mark.parametrize("where", ["ci", "deep"])
def test_ci_runs_the_blocks_that_say_so(where):
    """The blocks marked ci and deep are those that .ci/run and .ci/deep take from the README."""
    script = (ROOT / ".ci" / {"ci": "run"}.get(where, where)).read_text("utf-8")
    for one in blocks(TEXT):
        if one.where == where:
            looped = re.search(rf"for store in [^;]*\b{re.escape(one.name)}\b", script)
            assert f"readme {one.name}" in script or looped, one.name


def test_each_command_is_one_line():
    """A command that is read is one line, so that it can be copied."""
    for one in blocks(TEXT):
        if one.language == "sh":
            assert one.code.count("\n") == 1, one.code


@pytest.mark.night
def test_the_reference_is_judged_as_shown(folder):
    """What the first command prints at its end is what the README shows, speeds left aside."""
    chosen = "--profile smoke --only CORE --only SEQ"
    code, printed = shell(f".venv/bin/sessionproof run reference {chosen}", folder)
    assert code == 0, printed
    assert_block_shown("reference table", printed)


@pytest.mark.night
def test_the_example_is_broken_as_shown_and_mended_as_said(folder):
    """The example loses a session in the way that is shown, and holds once it is mended."""
    store = folder / "mystore.py"
    store.write_text(block("mystore.py").code, "utf-8")
    code, printed = shell(block("mystore").code, folder)
    assert code == results.EXIT_BROKEN, printed
    assert_block_shown("mystore finding", printed)
    store.write_text(block("mystore.py").code.replace(", ensure_ascii=False", ""), "utf-8")
    code, printed = shell(block("mystore").code, folder)
    assert code == 0, printed
    assert "claims = Claims(" in printed


def test_a_database_is_audited_as_shown(folder):
    """What the audit prints of a damaged database is what the README shows."""
    (damaged,) = [one for one in legacy.damaged() if one.name == "enhanced_orphans"]
    legacy.build(damaged, folder / "chat.db")
    code, printed = shell(block("audit").code, folder)
    assert code == 1, printed
    assert_block_shown("audit table", printed)


@pytest.mark.night
def test_the_suites_run_in_a_plain_pytest(folder):
    """The example is judged by pytest, named by an option or by pyproject.toml."""
    code = block("mystore.py").code.replace(", ensure_ascii=False", "")
    (folder / "mystore.py").write_text(code, "utf-8")
    ended, printed = shell(block("pytest").code, folder)
    assert ended == 1, printed
    assert broken(folder) == {"COR-03", "COR-07"}, printed
    (folder / "pyproject.toml").write_text(block("pyproject.toml").code, "utf-8")
    ended, printed = shell(".venv/bin/python -m pytest --store-profile smoke", folder)
    assert ended == 1, printed
    assert broken(folder) == {"COR-03", "COR-07"}, printed


def broken(folder):
    """The guarantees that the report in this folder calls broken."""
    result = json.loads((folder / "sessionproof-report" / "result.json").read_text("utf-8"))
    return {row["id"] for row in result["guarantees"] if row["verdict"] == "broken"}


@pytest.mark.night
def test_the_test_class_judges_the_example(folder):
    """The class finds what the command finds, and what is left of it once that is mended."""
    (folder / "test_mystore.py").write_text(block("test_mystore.py").code, "utf-8")
    (folder / "mystore.py").write_text(block("mystore.py").code, "utf-8")
    ended, printed = shell(".venv/bin/python -m pytest --store-profile smoke", folder)
    assert ended == 1, printed
    assert "FAILED test_mystore.py::TestMyStore::test_each_text_is_read_back_or_refused" in printed
    code = block("mystore.py").code.replace(", ensure_ascii=False", "")
    (folder / "mystore.py").write_text(code, "utf-8")
    ended, printed = shell(".venv/bin/python -m pytest --store-profile smoke", folder)
    assert ended == 1, printed
    assert len(re.findall(r"^FAILED .*", printed, re.MULTILINE)) == 2, printed
    assert "test_one_damaged_record_is_one" in printed


def test_the_table_of_guarantees_is_that_of_the_registry():
    """A new row of the registry is in the README, too."""
    remedy = "run: python tests/house/house_pages.py --write"
    assert written_table(TEXT) == guarantees_table(), remedy


def test_every_verdict_and_exit_code_is_explained():
    """The words and numbers that a run answers with all stand in the README's tables."""
    for verdict in Verdict:
        assert f"\n| {verdict.shown} | " in TEXT
    codes = [value for name, value in vars(results).items() if name.startswith("EXIT_")]
    assert len(codes) == 7
    for code in codes:
        assert f"\n| {code} | " in TEXT


def test_pages_that_are_named_exist():
    """The README names no page that is not there."""
    for name in set(re.findall(r"`((?:docs|fixtures|examples|tests)/[\w./-]+)`", TEXT)):
        assert (ROOT / name).exists(), name
