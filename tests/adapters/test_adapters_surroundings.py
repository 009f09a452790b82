"""Libraries that make folders when they are imported leave nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessionproof.adapters.surroundings import elsewhere


def test_a_folder_for_the_import_alone(monkeypatch):
    """Inside, the variable names an empty folder; afterwards it is gone, and all is as it was."""
    monkeypatch.setenv("THE_HOME", "before")
    monkeypatch.delenv("THE_FLAG", raising=False)
    with elsewhere("THE_HOME", THE_FLAG="off"):
        folder = Path(os.environ["THE_HOME"])
        (folder / "config").mkdir()
        assert os.environ["THE_FLAG"] == "off"
    assert not folder.exists()
    assert os.environ["THE_HOME"] == "before"
    assert "THE_FLAG" not in os.environ


def test_an_import_that_fails_leaves_nothing_either():
    """The error goes on, and the variable is gone again."""
    with pytest.raises(ImportError, match="no such"), elsewhere("THE_HOME"):
        raise ImportError("no such thing")
    assert "THE_HOME" not in os.environ


@pytest.mark.parametrize("name", ["chainlit", "mem0"])
def test_importing_a_store_writes_nothing(found, tmp_path, name):
    """Neither the folder where one is, nor the user's own, gets a file."""
    found(name)
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    subprocess.run(
        [sys.executable, "-c", f"import sessionproof.adapters.{name}"],
        check=True, cwd=here, timeout=60, env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    assert [*home.rglob("*"), *here.rglob("*")] == []
