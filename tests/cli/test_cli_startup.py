"""Starting is quick because nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "hypothesis", "jinja2", "rich", "pytest", "_pytest", "xdist", "faker")
STARTS = {
    "import": "import sessionproof",
    "help": ("from sessionproof.cli.main import main\nmain(['--help'], standalone_mode=False)\n"),
    "help of a command": (
        "from sessionproof.cli.main import main\nmain(['run', '--help'], standalone_mode=False)\n"
    ),
}


def imported(code):
    """The modules of a fresh interpreter after this code."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('modules', *sys.modules)"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return set(ended.stdout.rpartition("modules ")[2].split())


@pytest.mark.parametrize("start", STARTS)
def test_nothing_heavy_is_imported(start):
    """What a run needs is not loaded by who only imports the package or asks for help."""
    modules = imported(STARTS[start])
    assert "sessionproof" in modules
    assert not modules & set(HEAVY)


def test_the_check_sees_what_is_imported():
    """The page's library, imported on purpose, is found."""
    assert "jinja2" in imported("import jinja2") & set(HEAVY)


@pytest.mark.parametrize("words", [(), ("snapshots",), ("history",)])
def test_who_names_no_command_gets_the_help(run, words):
    """The help alone, with nothing before and behind it that speaks of an error."""
    _, out, err = run(*words)
    assert (out + err).startswith("Usage: ")
    assert "(see " not in out + err


def test_a_folder_that_is_gone_is_one_line(tmp_path):
    """No command can find a store of the current folder then."""
    code = (
        "import os, sys\n"
        "from sessionproof.cli.main import entry\n"
        "os.rmdir(os.getcwd())\n"
        "sys.argv = ['sessionproof', 'stores']\n"
        "entry()\n"
    )
    (tmp_path / "gone").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60,
        cwd=tmp_path / "gone",
    )  # fmt: skip
    said = "sessionproof: the current folder is gone: go to one that is there"
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1
