"""``sessionproof stores``: every name that a run takes, told without importing what it names."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

from sessionproof import __version__
from sessionproof.contract.registered import package_of

ADAPTERS = {
    point.name: point
    for point in entry_points(group="sessionproof.stores")
    if point.module.startswith("sessionproof.adapters.")
}
THEIRS = """\
[sessionproof.stores]
theirs = their_stores:Store

[sessionproof.schemes]
theirs = their_stores:at
"""


@pytest.fixture
def listed(tmp_path):
    """The command with made distributions on the path, whose module ends a process that runs it."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "their_stores.py").write_text("raise SystemExit('it was imported')\n")

    def made(name, number, points=""):
        info = folder / f"{name.replace('-', '_')}-{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n", "utf-8"
        )
        if points:
            (info / "entry_points.txt").write_text(points, "utf-8")

    def run(*words):
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "stores", *words],
            check=False, capture_output=True, encoding="utf-8", timeout=60,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )  # fmt: skip
        assert ended.stderr == ""
        assert ended.returncode == 0
        return ended.stdout

    run.made = made
    return run


def named(found, name):
    """The one entry of this name."""
    (one,) = [one for one in found if one["name"] == name]
    return one


def test_all_that_can_be_named_is_listed(listed):
    """Our own stores, the adapters and the schemes are there, each once, with their versions."""
    found = json.loads(listed("--json"))
    reference = named(found["stores"], "reference")
    assert reference == {
        "name": "reference", "kind": "own", "distribution": "sessionproof",
        "package": "sessionproof", "version": __version__, "install": None,
    }  # fmt: skip
    assert named(found["stores"], "portal")["kind"] == "own"
    assert {one["name"] for one in found["stores"] if one["kind"] == "adapter"} == set(ADAPTERS)
    assert named(found["schemes"], "cmd")["install"] is None
    assert {one["name"] for one in found["schemes"]} >= {"cmd", "postgresql", "portal"}


def test_a_store_of_another_package_says_whose_it_is(listed):
    """A distribution that registers a store is told with its version, and not imported."""
    listed.made("their-package", "1.2", THEIRS)
    found = json.loads(listed("--json"))
    theirs = {
        "name": "theirs", "distribution": "their-package", "package": "their-package",
        "version": "1.2", "install": None,
    }  # fmt: skip
    assert named(found["stores"], "theirs") == {**theirs, "kind": "other"}
    assert named(found["schemes"], "theirs") == {**theirs, "kind": "scheme"}
    lines = [line.split() for line in listed().splitlines()]
    assert ["theirs", "of", "another", "package", "their-package", "1.2"] in lines
    assert ["theirs:", "scheme", "their-package", "1.2"] in lines


def test_an_adapter_tells_its_version_or_what_to_install(listed):
    """An adapter whose package is not there has the line that brings it, and else the version."""
    shown = listed()
    for one in json.loads(listed("--json"))["stores"]:
        if one["kind"] == "adapter" and one["install"] is None:
            assert one["version"] == version(one["package"])
        elif one["kind"] == "adapter":
            assert one["install"] == f"pip install 'sessionproof[{one['name']}]'"
            assert one["install"] in shown


@pytest.mark.parametrize("name", ["tinydb"])
def test_what_is_installed_is_seen(listed, name):
    """The same adapter with its package on the path: its version stands there."""
    try:
        version(name)
    except ImportError:
        listed.made(name, "4.0.99")
    found = named(json.loads(listed("--json"))["stores"], name)
    assert found["install"] is None
    assert found["version"]
    assert any(line.split()[-2:] == [name, found["version"]] for line in listed().splitlines())


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_each_adapter_says_its_package(name):
    """The package of a shipped adapter is told from its file alone."""
    assert package_of(ADAPTERS[name].module)


def test_a_file_that_says_none_has_none(tmp_path):
    """A module that needs no package, as a file and as a folder, has none."""
    (tmp_path / "plain.py").write_text("raise ValueError('a', 'b', 'c')\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").write_text("")
    assert package_of("plain", tmp_path) is None
    assert package_of("folder", tmp_path) is None
