"""BASE and HEAD of a comparison, laid into folders: a git reference, a folder, a wheel, a release.

Nothing is installed into this environment, and no working tree is touched.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.bench.tracking.archived import Commit
from sessionproof.bench.tracking.compared import Side
from sessionproof.engine.commits import commit_of, has_changes
from sessionproof.engine.plan import BadUsage
from sessionproof.engine.trees import GitFailed, copied, copied_plainly, exported, resolved

INSTALLED = "installed"
_GIT = "git:"
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][\w.-]*\s*(\[[\w,\s.-]*\])?\s*(===?|~=|>=|<=|!=|<|>|@(?!\{)).+"
)
_PROJECT_FILES = ("pyproject.toml", "setup.py")
_INSTALL_S = 900.0
_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class Laying:
    """Where sides are laid: ``project`` is the folder that references and paths are looked up in.

    ``folder`` takes what is laid. ``with_dependencies`` installs what a side needs, too, where
    otherwise all comes from this environment. ``say`` is told what takes a while.
    """

    project: Path
    folder: Path
    with_dependencies: bool = False
    say: Callable[[str], None] = lambda _: None


def laid(asked: str, store: str, name: str, laying: Laying) -> Side:
    """The side that was asked for, ready to be started; ``name`` is base or head.

    Raises BadUsage, in one line that says what the side could be.
    """
    if asked == INSTALLED:
        return Side(asked=asked, store=store, path=_environments(laying.project))
    try:
        if asked.startswith(_GIT):
            return _of_commit(asked, asked.removeprefix(_GIT), store, name, laying)
        if not _is_path(asked) and _REQUIREMENT.fullmatch(asked):
            path = _installed(asked, name, laying)
            return Side(asked=asked, store=store, path=(path,))
        if asked.endswith(".whl"):
            return _of_wheel(asked, store, name, laying)
        if not _is_path(asked) and _is_reference(asked, laying.project):
            return _of_commit(asked, asked, store, name, laying)
        if _place(asked, laying).is_dir():
            return _of_folder(asked, store, name, laying)
    except GitFailed as error:
        raise BadUsage(f"{name} {asked}: {error}") from None
    except OSError as error:  # a full disk, most of all
        why = error.strerror or type(error).__name__
        raise BadUsage(f"{name} {asked} cannot be laid below {laying.folder}: {why}") from None
    raise BadUsage(
        f"{name} {asked!r} is no git reference, folder, wheel or requirement here: "
        f"use git:REF, ., dist/NAME.whl, NAME==1.2 or {INSTALLED}"
    )


def _place(asked: str, laying: Laying) -> Path:
    return laying.project / os.path.expanduser(asked)  # noqa: PTH111 - never raises


def _environments(project: Path) -> tuple[str, ...]:
    """The import path without the current folder, which may hold another version than this one.

    That comes behind, for adapters that nobody installed.
    """
    here = project.resolve()
    return tuple(path for path in sys.path if path and Path(path).resolve() != here)


def _of_commit(asked: str, reference: str, store: str, name: str, laying: Laying) -> Side:
    found = resolved(laying.project, reference)
    if found is None:
        raise BadUsage(
            f"{name} {asked}: git knows no {reference!r} here: fetch it, "
            "as a shallow clone has the newest commit alone"
        )
    commit = commit_of(laying.project, found)
    tree = laying.folder.resolve() / f"{name}-tree"
    tree.mkdir()
    exported(laying.project, found, tree)
    return Side(
        asked=asked, store=store, path=_path_of(tree, asked, name, laying, commit), commit=commit
    )


def _of_wheel(asked: str, store: str, name: str, laying: Laying) -> Side:
    wheel = _place(asked, laying)
    if not wheel.is_file():
        raise BadUsage(f"{name} {asked}: there is no such file")
    return Side(asked=asked, store=store, path=(_installed(str(wheel), name, laying),))


def _of_folder(asked: str, store: str, name: str, laying: Laying) -> Side:
    tree = _place(asked, laying).resolve()
    commit = None if has_changes(tree) else commit_of(tree)
    return Side(asked=asked, store=store, path=_path_of(tree, asked, name, laying), commit=commit)


def _path_of(
    tree: Path, asked: str, name: str, laying: Laying, commit: Commit | None = None
) -> tuple[str, ...]:
    """The import path of a source tree: what it installs, then what lies beside that."""
    if not any((tree / file).is_file() for file in _PROJECT_FILES):
        return (os.fspath(tree),)
    built = tree if tree.is_relative_to(laying.folder.resolve()) else _copy(tree, name, laying)
    return (_installed(str(built), name, laying, commit, asked=asked), os.fspath(tree))


def _copy(tree: Path, name: str, laying: Laying) -> Path:
    """The tree once more: some build tools write into what they build, or know it by its path."""
    copy = laying.folder / f"{name}-copy"
    try:
        copied(tree, copy)
    except GitFailed:
        copied_plainly(tree, copy)
    return copy


def _installed(
    what: str, name: str, laying: Laying, commit: Commit | None = None, *, asked: str = ""
) -> str:
    """Install it into a folder of its own: that folder. Raises BadUsage."""
    target = laying.folder / f"{name}-installed"
    target.mkdir()
    words = _installer(name)
    words += ["--target", os.fspath(target)]
    words += [] if laying.with_dependencies else ["--no-deps"]
    laying.say(f"installing {name}: {asked or what}")
    try:
        ended = subprocess.run(
            [*words, what], stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_INSTALL_S, cwd=laying.project, env=_environment(commit),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BadUsage(f"{name} {asked or what}: installing it took too long") from None
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BadUsage(f"{name} {asked or what} cannot be installed: {_told(said)}")
    return os.fspath(target)


def _installer(name: str) -> list[str]:
    """The words of uv where it is there, as it is quicker, else of pip. Raises BadUsage."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("pip") is None:
        raise BadUsage(
            f"{name} cannot be installed: there is neither pip nor uv: python -m ensurepip"
        )
    quietly = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-conflicts"]
    return [sys.executable, "-m", "pip", "install", *quietly]


def _environment(commit: Commit | None) -> dict[str, str]:
    """A tree without a repository cannot ask it for a version, as some build tools want to."""
    version = f"0.0.0+g{commit.id[:12]}" if commit else "0.0.0"
    return {"SETUPTOOLS_SCM_PRETEND_VERSION": version, **os.environ}


def _told(said: Sequence[str]) -> str:
    """The line that says most of what an installer printed."""
    errors = [line for line in said if line.lower().startswith("error:")]
    return " ".join((errors or said or ["nothing was said"])[-1].split())[:_SHOWN]


def _is_path(asked: str) -> bool:
    """Whether it can only be a path, as ``.`` and ``./main`` are."""
    return asked.startswith((".", "/", "~"))


def _is_reference(asked: str, project: Path) -> bool:
    try:
        return resolved(project, asked) is not None
    except GitFailed:  # it need not be a repository
        return False
