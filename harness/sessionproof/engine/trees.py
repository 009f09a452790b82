"""The files of a project at a commit, or as they are now, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

_GIT_S = 120.0
_MADE = {".git", "__pycache__", "node_modules", ".tox", ".nox"}
_BUILT = {"build", "dist"}  # beside pyproject.toml


class GitFailed(Exception):
    """Git refused, or is not there; the text is one line."""


def git(folder: Path, *words: str) -> str:
    """What git prints, asked in this folder. Raises GitFailed."""
    program = shutil.which("git")
    if program is None:
        raise GitFailed("git is not installed")
    try:
        ended = subprocess.run(
            [program, "-C", os.fspath(folder), *words],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_GIT_S,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailed(f"git {words[0]} failed: {error}") from None
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        why = next((line for line in said if line.startswith("fatal:")), said[-1])
        raise GitFailed(f"git {words[0]}: {why.removeprefix('fatal: ')}")
    return ended.stdout.decode("utf-8", "replace")


def resolved(folder: Path, reference: str) -> str | None:
    """The id of the commit that the reference names, None where git knows no such thing.

    Raises GitFailed where there is no repository.
    """
    git(folder, "rev-parse", "--git-dir")
    asked = ("--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    try:
        return git(folder, "rev-parse", *asked).strip()
    except GitFailed:
        return None


def exported(folder: Path, commit: str, into: Path) -> None:
    """Put the tree of the commit into a folder: of a subfolder of the project, that part alone.

    Raises GitFailed.
    """
    archive = into.with_name(f"{into.name}.tar")
    git(folder, "archive", "--format=tar", f"--output={archive.absolute()}", commit)
    try:
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):  # from 3.11.4
                tar.extractall(into, filter="data")
            else:
                tar.extractall(into)  # noqa: S202 - what git itself would check out
    except (tarfile.TarError, OSError) as error:
        raise GitFailed(f"git archive: {error}") from None
    finally:
        archive.unlink(missing_ok=True)


def copied(folder: Path, into: Path) -> None:
    """Put what git knows or would add below the folder, as it is now, into another.

    Raises GitFailed where there is no repository, and OSError.
    """
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".")
    for name in dict.fromkeys(filter(None, listed.split("\0"))):
        source, target = folder / name, into / name
        if source.is_file():  # not deleted, and no folder of a submodule
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        elif source.is_symlink() and source.is_dir():
            shutil.copytree(source, target)


def copied_plainly(folder: Path, into: Path) -> None:
    """Put the files of a folder that is in no repository into another, without what was made.

    That is what builds leave, and environments. Raises OSError.
    """

    def left_out(place: str, names: list[str]) -> set[str]:
        made = _MADE | (_BUILT if Path(place) == folder else set())
        return {name for name in names if name in made or Path(place, name, "pyvenv.cfg").is_file()}

    shutil.copytree(folder, into, ignore=left_out, ignore_dangling_symlinks=True)
