"""The example goes through on both databases, and prints what its page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filled_portal import contents

from sessionproof.faults.servers.binaries import find_binaries
from sessionproof.portal import Portal

FOLDER = Path(__file__).parents[2] / "examples" / "portal"


def test_the_tour_is_as_told_and_leaves_nothing(tmp_path):
    """Beside other people's data it says what its page says, and removes its own, nothing else."""
    told = re.search(r"^\$ python tour\.py\n(.*?)^```$", (FOLDER / "README.md").read_text("utf-8"),
                     re.DOTALL | re.MULTILINE)  # fmt: skip
    assert told is not None
    url = f"sqlite:///{tmp_path / 'portal.db'}"
    with Portal(url) as portal:
        carl = portal.users.add("carl@example.org")
        token = portal.auth.begin(carl.id)
        before = contents(portal)
        ended = subprocess.run(
            [sys.executable, FOLDER / "tour.py", url], check=True, timeout=120,
            stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"},
        )  # fmt: skip
        assert told[1] in ended.stdout
        assert contents(portal) == before
        assert portal.auth.resume(token).user_id == carl.id


@pytest.mark.night
def test_its_check_holds():
    """On SQLite and, where there is one, PostgreSQL: on a change the gate runs it by itself."""
    ended = subprocess.run(
        ["bash", FOLDER / "check.sh"], check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8", timeout=240,
        env={**os.environ, "PYTHON": sys.executable, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("== PostgreSQL\n") == (0 if find_binaries() is None else 1)
