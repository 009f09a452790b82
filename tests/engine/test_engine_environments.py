"""Environments of their own: this very sessionproof in them, no address in what is told."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
import zipfile

import pytest

import sessionproof
from sessionproof.contract.extras import versions
from sessionproof.engine import environments
from sessionproof.engine.environments import Environments, NotInstalled, told
from sessionproof.engine.packing import packed
from sessionproof.engine.plan import BadUsage


def test_the_wheel_is_what_is_running(tmp_path):
    """It holds each file of the imported packages, and a record of all that it holds."""
    with zipfile.ZipFile(packed(tmp_path)) as wheel:
        names = set(wheel.namelist())
        (record,) = [name for name in names if name.endswith("/RECORD")]
        listed = {line[0] for line in csv.reader(io.StringIO(wheel.read(record).decode()))}
        (metadata,) = [name for name in names if name.endswith("/METADATA")]
        assert f"Version: {sessionproof.__version__}" in wheel.read(metadata).decode()
        source = wheel.read("sessionproof/engine/packing.py").decode()
    assert listed == names
    assert "def packed(" in source
    assert "sessionproof_suites/test_core.py" in names
    assert any(name.endswith("/entry_points.txt") for name in names)
    assert not any("__pycache__" in name for name in names)


def test_the_same_files_give_the_same_wheel(tmp_path):
    """So an environment that was kept is known again."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    assert packed(first).read_bytes() == packed(second).read_bytes()


PRINTED = """\
Looking in indexes: https://somebody:secret@mirror.example:8443/simple
WARNING: Retrying after connection broken by 'ConnectTimeoutError(host='mirror.example')'
ERROR: Could not find a version that satisfies the requirement nothing==9 (from mirror.example)
ERROR: No matching distribution at https://mirror.example:8443/simple/nothing/ or on other.example
"""


def test_no_address_of_a_registry_is_told():
    """Neither whole addresses nor their hosts, also those that variables name."""
    said = told(PRINTED, {"PIP_EXTRA_INDEX_URL": "https://other.example/simple", "HOME": "/x"})
    assert said == "ERROR: No matching distribution at (address) or on (host)"
    assert told("", {}) == "it said nothing"
    assert told("first\n  last  \n", {}) == "last"


@pytest.fixture
def stop():
    """What ends all installing."""
    return threading.Event()


def test_a_folder_of_others_is_left_alone(tmp_path, stop):
    """A folder that is no environment is not made one."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "letters.txt").write_text("mine")
    with pytest.raises(NotInstalled, match="is no virtual environment"):
        Environments(tmp_path, stop).ready(())
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["letters.txt"]


def test_an_installation_that_fails_is_one_line(tmp_path, stop, monkeypatch):
    """What the installer said last is the reason; the next try begins anew."""
    fails = [sys.executable, "-c", "import sys; sys.exit('ERROR: no space at https://a.example/b')"]
    monkeypatch.setattr(environments, "_making", lambda folder: fails)
    made = Environments(tmp_path, stop)
    for _ in range(2):
        with pytest.raises(NotInstalled, match=r"^ERROR: no space at \(address\)$"):
            made.ready(("langchain",))


def test_installing_ends_when_it_is_told_to(tmp_path, stop, monkeypatch):
    """An interruption does not wait for packages."""
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(environments, "_making", lambda folder: sleeps)
    made = Environments(tmp_path, stop)
    stop.set()
    with pytest.raises(NotInstalled, match="interrupted"):
        made.ready(())


def test_without_an_installer_it_is_said_at_once(tmp_path, stop, monkeypatch):
    """No store is begun where none could be installed."""
    monkeypatch.setattr(environments.shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadUsage, match="ensurepip"):
        Environments(tmp_path, stop)


@pytest.mark.night
def test_an_environment_holds_this_sessionproof_and_the_extra(tmp_path, stop, monkeypatch):
    """It runs without this one, has what the extra needs, and is used again as it is."""
    wheel = packed(tmp_path)  # the sources of a checkout may change in between
    monkeypatch.setattr(environments, "packed", lambda folder: wheel)
    made = Environments(tmp_path, stop).ready(("postgres",))
    code = "import sessionproof, sys; print(sessionproof.__file__); print(*sys.path)"
    ended = subprocess.run(
        [made.python, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert ended.stdout.splitlines()[0].startswith(str(made.folder))
    found = versions(["psycopg", "pytest", "langchain-community"], made.packages)
    assert found["psycopg"] is not None
    assert found["pytest"] is not None
    assert found["langchain-community"] is None
    mark = made.folder / "sessionproof.json"
    before = mark.stat().st_mtime_ns
    Environments(tmp_path, stop).ready(("postgres",))
    assert mark.stat().st_mtime_ns == before
    mark.unlink()  # as after an interruption: it is finished, not made anew
    Environments(tmp_path, stop).ready(("postgres",))
    assert mark.exists()
