"""What Git says of the project in a folder: the commit it stands at, and those since another.

Without git, or outside a repository, nothing is known, and that is no error.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sessionproof.bench.tracking.archived import Commit
from sessionproof.engine.plan import BadUsage

MOST = 200
"""So many commits between two runs are kept, the newest."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,99}")
_GIT = (
    "git", "--no-optional-locks", "--no-pager", "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8",
)  # fmt: skip
_FORM = "--format=%H%x00%ct%x00%s"
_DEADLINE_S = 20.0
_SUBJECT_CHARACTERS_MOST = 300


def commit_of(folder: Path, name: str | None = None) -> Commit | None:
    """The commit that the project stands at, or the one that is named; None where none is known.

    A name that Git does not know stays as it is, without a time. Raises BadUsage for a name that
    can be none of a commit.
    """
    if name is not None and (".." in name or not _NAME.fullmatch(name)):
        raise BadUsage(f"--commit {name!a} is no commit: give the id that git rev-parse prints")
    found = _commits(folder, "-1", f"{name or 'HEAD'}^{{commit}}")
    if found:
        return found[0]
    return None if name is None else Commit(id=name)


def commits_between(folder: Path, since: str, until: str) -> tuple[Commit, ...]:
    """The commits after ``since`` up to ``until``, oldest first, the newest ``MOST`` of them.

    Empty where Git does not know them, as in a clone that is too shallow, and where ``until`` does
    not come after ``since``.
    """
    if not (_NAME.fullmatch(since) and _NAME.fullmatch(until)):
        return ()
    if _said(folder, "merge-base", "--is-ancestor", since, until) is None:
        return ()
    return tuple(reversed(_commits(folder, "--topo-order", f"-{MOST}", f"{since}..{until}")))


def has_changes(folder: Path) -> bool:
    """Whether files that Git knows differ from the commit, so that it was not what ran."""
    return bool(_said(folder, "status", "--porcelain", "--untracked-files=no"))


def _commits(folder: Path, *asked: str) -> Sequence[Commit]:
    said = _said(folder, "log", _FORM, *asked, "--")
    lines = (line.split("\0") for line in (said or "").split("\n") if line.count("\0") == 2)
    return [
        Commit(id=name, subject=subject[:_SUBJECT_CHARACTERS_MOST], at=_utc(at))
        for name, at, subject in lines
    ]


def _said(folder: Path, *words: str) -> str | None:
    """What git prints; None when it is missing, refuses, or takes too long."""
    try:
        ended = subprocess.run(
            [*_GIT, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_DEADLINE_S, env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else None


def _utc(seconds: str) -> str:
    """The time of a commit; empty for one that a broken clock or tool made, beyond all years."""
    try:
        at = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
