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
