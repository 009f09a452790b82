"""BASE and HEAD of a comparison: from git, folders, wheels and releases, in lines when they fail.

No network: projects build themselves with the standard library, and wheels are written here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest

from sessionproof.bench.arms.remote import environment_of
from sessionproof.engine.plan import BadUsage, child_environment
from sessionproof.engine.sides import Laying, laid

PYPROJECT = """
[project]
name = "shopchat"
version = "{version}"

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = '''
import zipfile

NAME = "shopchat-{version}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """A wheel of one module."""
    info = "shopchat-{version}.dist-info"
    with zipfile.ZipFile(f"{{wheel_directory}}/shopchat-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("shopchat.py", open("src/shopchat.py").read())
        wheel.writestr(f"{{info}}/METADATA", "Metadata-Version: 2.1\\nName: shopchat\\nVersion: {version}\\n")
        wheel.writestr(f"{{info}}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{{info}}/RECORD", "")
    open("build.log", "w").close()  # as some tools do
    return f"shopchat-{version}-py3-none-any.whl"
'''  # noqa: E501
ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2026-03-01T12:00:00+09:00",
    "GIT_COMMITTER_DATE": "2026-03-01T12:00:00+09:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip


def git(folder, *words):
    """Git in this folder, as nobody in particular."""
    subprocess.run(
        ["git", "-C", folder, *words], check=True, capture_output=True,
        env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip


def write(folder, version):
    """A project of this version whose module says so, with an adapter beside its package."""
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "shopchat.py").write_text(f"SAYS = 'version {version}'\n")
    (folder / "pyproject.toml").write_text(PYPROJECT.format(version=version))
    (folder / "backend.py").write_text(BACKEND.format(version=version))
    (folder / "adapter.py").write_text(f"SAYS = 'adapter of {version}'\n")


@pytest.fixture
def repository(tmp_path):
    """A project in two commits, the first of which is also called v1; .gitignore is in both."""
    folder = tmp_path / "project"
    write(folder, "1.0")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one: begin")
    git(folder, "tag", "v1")
    write(folder, "2.0")
    git(folder, "commit", "-q", "-a", "-m", "two")
    return folder


def laying(tmp_path, project):
    """A place for sides."""
    folder = tmp_path / "sides"
    folder.mkdir(exist_ok=True)
    return Laying(project=project, folder=folder)


def says(side, module="shopchat", cwd=None):
    """What a module says that is found as this side's process finds it."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import {module}; print({module}.SAYS)"],
        env=environment_of(side, child_environment()), capture_output=True, text=True, cwd=cwd,
        check=False,
    )  # fmt: skip
    return ended.stdout.strip() or ended.stderr


@pytest.mark.parametrize("asked", ["v1", "git:v1", "HEAD~1", "git:HEAD^", "main@{1}"])
def test_a_reference_is_laid(asked, repository, tmp_path):
    """Its package and its adapter are its own, though it is started in the folder of another."""
    side = laid(asked, "shopchat:Store", "base", laying(tmp_path, repository))
    assert says(side, cwd=repository) == "version 1.0"
    assert says(side, "adapter", cwd=repository) == "adapter of 1.0"
    assert side.commit.subject == "one: begin"
    assert side.commit.at == "2026-03-01T03:00:00Z"
    assert len(side.commit.id) == 40
    assert git_status(repository) == ""


def git_status(folder):
    """What differs from the commit, ignored files, too."""
    words = ["git", "-C", folder, "status", "--porcelain", "--ignored"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_a_folder_is_laid_as_it_is_now(repository, tmp_path):
    """With what is not committed, without writing into it, and then without a commit's name."""
    clean = laid(".", "shopchat:Store", "base", laying(tmp_path, repository))
    assert (says(clean), clean.commit.subject) == ("version 2.0", "two")
    write(repository, "3.0")
    side = laid(".", "shopchat:Store", "head", laying(tmp_path, repository))
    assert says(side) == "version 3.0"
    assert says(side, "adapter") == "adapter of 3.0"
    assert side.commit is None
    assert "!!" not in git_status(repository)


def test_a_folder_without_a_project_is_put_on_the_path(tmp_path):
    """Nothing is installed of it."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "adapter.py").write_text("SAYS = 'plain'\n")
    side = laid("plain", "adapter:Store", "base", laying(tmp_path, tmp_path))
    assert side.path == (str(tmp_path / "plain"),)
    assert says(side, "adapter") == "plain"


def test_a_folder_of_the_home_is_found(monkeypatch, tmp_path):
    """Also where no shell has put its name in the place of ``~``."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "plain").mkdir(parents=True)
    side = laid("~/plain", "adapter:Store", "base", laying(tmp_path, tmp_path))
    assert side.path == (str(tmp_path / "home" / "plain"),)


def test_a_subfolder_of_a_repository_is_a_project(repository, tmp_path):
    """A reference in it is that folder at that time."""
    part = repository / "part"
    part.mkdir()
    (part / "adapter.py").write_text("SAYS = 'a part'\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "three")
    side = laid("HEAD", "adapter:Store", "base", laying(tmp_path, part))
    assert says(side, "adapter") == "a part"
    assert len(side.path) == 1


def test_a_wheel_and_a_release_are_laid(tmp_path):
    """A wheel by its path; a release by its name, here by the address of a file."""
    wheel = tmp_path / "shopchat-4.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("shopchat.py", "SAYS = 'version 4.0'\n")
        about = "Metadata-Version: 2.1\nName: shopchat\nVersion: 4.0\nRequires-Dist: nosuch-x9\n"
        file.writestr("shopchat-4.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr("shopchat-4.0.dist-info/WHEEL", kind)
        file.writestr("shopchat-4.0.dist-info/RECORD", "")
    place = laying(tmp_path, tmp_path)
    assert says(laid(wheel.name, "shopchat:Store", "base", place)) == "version 4.0"
    assert says(laid(f"shopchat @ {wheel.as_uri()}", "shopchat:S", "head", place)) == "version 4.0"


def test_what_is_installed_needs_nothing(tmp_path):
    """Nothing is laid over this environment."""
    side = laid("installed", "reference", "base", laying(tmp_path, tmp_path))
    assert side.commit is None
    assert list((tmp_path / "sides").iterdir()) == []


def test_what_is_installed_is_not_what_lies_in_the_current_folder(monkeypatch, tmp_path):
    """A project whose module lies in the folder that one is in hides the installed one nowhere."""
    for name in ("project", "site"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shopchat.py").write_text(f"SAYS = 'of the {name}'\n")
    (tmp_path / "project" / "adapter.py").write_text("SAYS = 'nobody installed it'\n")
    here, site = str(tmp_path / "project"), str(tmp_path / "site")
    monkeypatch.setattr(sys, "path", [here, *sys.path, site])
    side = laid("installed", "shopchat:Store", "base", laying(tmp_path, tmp_path / "project"))
    assert says(side, cwd=here) == "of the site"
    assert says(side, "adapter", cwd=here) == "nobody installed it"


def test_a_folder_outside_a_repository_is_not_written_into(tmp_path):
    """Its copy is built, without what earlier builds and environments left there."""
    project = tmp_path / "project"
    write(project, "5.0")
    (project / "environment" / "lib").mkdir(parents=True)
    (project / "environment" / "pyvenv.cfg").touch()
    (project / "build").mkdir()
    before = sorted(project.rglob("*"))
    place = laying(tmp_path, project)
    assert says(laid(".", "shopchat:Store", "base", place)) == "version 5.0"
    assert sorted(project.rglob("*")) == before
    copy = {one.name for one in (place.folder / "base-copy").iterdir()}
    assert not copy & {"environment", "build"}


def test_a_linked_folder_is_laid(repository, tmp_path):
    """A link to a folder of the project is part of it."""
    (repository / "src").rename(repository / "code")
    (repository / "src").symlink_to("code")
    git(repository, "add", ".")
    side = laid(".", "shopchat:Store", "head", laying(tmp_path, repository))
    assert says(side) == "version 2.0"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("nosuch", "base 'nosuch' is no git reference, folder, wheel or requirement here: use "),
        ("git:nosuch", "base git:nosuch: git knows no 'nosuch' here: fetch it"),
        ("git:--output=x", "base git:--output=x: git knows no '--output=x' here"),
        ("nosuch.whl", "base nosuch.whl: there is no such file"),
        ("./src/nosuch", "base './src/nosuch' is no git reference, folder"),
    ],
)
def test_a_mistake_is_one_line(asked, words, repository, tmp_path):
    """It names the side and what can be done, and leaves nothing."""
    with pytest.raises(BadUsage) as caught:
        laid(asked, "shopchat:Store", "base", laying(tmp_path, repository))
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "sides").iterdir()) == []


def test_a_project_that_does_not_build_is_one_line(repository, tmp_path):
    """What the installer said last is in it."""
    (repository / "backend.py").write_text("raise SystemExit('no compiler here')\n")
    with pytest.raises(BadUsage) as caught:
        laid(".", "shopchat:Store", "head", laying(tmp_path, repository))
    assert str(caught.value).startswith("head . cannot be installed: ")
    assert "\n" not in str(caught.value)


def test_a_reference_outside_a_repository_is_one_line(tmp_path):
    """It is said that there is no repository."""
    with pytest.raises(BadUsage, match="base git:HEAD: git rev-parse: not a git repository"):
        laid("git:HEAD", "shopchat:Store", "base", laying(tmp_path, tmp_path))
