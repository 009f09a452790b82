"""Benchmark runs on an orphan branch of the project: a file of one line of JSON for each run.

A run has a file of its own, named after its time and its content. So nothing is ever written
anew, two jobs that push at once never meet in a file, and a push sends what is new alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from repository import GitError, fetch, git, line

PUSHES_MOST = 3
NAME_MOST = 60  # characters; a name of ours has 45
KEPT = "refs/sessionproof/history"
README = """\
# Benchmark runs

Each file is a run as one line of JSON, written by sessionproof's action on the default branch.
`sessionproof bench import --archive archive.db */*.jsonl` makes an archive of them. Files may be
deleted: what is no longer here is forgotten.
"""
_AUTHOR = "github-actions[bot]"
_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", _AUTHOR), ("EMAIL", _EMAIL))
}


def tip_of(branch: str) -> str | None:
    """The newest commit of the branch of origin, fetched; None when there is no such branch.

    Raises GitError when origin cannot be asked, or for a name that no branch can have.
    """
    git("check-ref-format", f"refs/heads/{branch}")
    if not line("ls-remote", "--", "origin", f"refs/heads/{branch}"):
        return None
    fetch("--", "origin", f"+refs/heads/{branch}:{KEPT}")
    return line("rev-parse", "--verify", KEPT)


def runs_into(folder: Path, branch: str) -> list[Path]:
    """Write the branch's runs below the folder; their paths, each ends with its name there."""
    tip = tip_of(branch)
    if tip is None:
        return []
    written = []
    top = line("rev-parse", "--show-toplevel")  # from a folder below, git archives that folder
    with tarfile.open(fileobj=io.BytesIO(git("-C", top, "archive", "--format=tar", tip))) as packed:
        for number, member in enumerate(packed):
            if member.isfile() and member.name.endswith(".jsonl"):
                path = folder / str(number) / re.sub(r"[^\w.-]", "-", member.name)[-NAME_MOST:]
                path.parent.mkdir()  # of its own: two names may look alike now
                path.write_bytes(packed.extractfile(member).read())  # type: ignore[union-attr]
                written.append(path)
    return written


def append(branch: str, lines: Iterable[str], said: str) -> None:
    """Push the lines, on top of whatever the branch has; ``said`` is the commit's message.

    Where somebody else pushed in between it is tried again on top of that. Raises GitError when
    origin takes none of three tries.
    """
    files = {_name(one): f"{one}\n" for one in lines}
    for left in reversed(range(PUSHES_MOST)):
        commit = _commit(tip_of(branch), files, said)
        try:
            git("push", "--quiet", "--no-verify", "--", "origin", f"{commit}:refs/heads/{branch}")
        except GitError:
            if not left:
                raise
        else:
            return


def _name(text: str) -> str:
    """The file of a run: its month, its second, and a digest of all that it says."""
    when = re.sub(r"[^0-9TZ-]", "", str(json.loads(text)["started_at"]))
    return f"{when[:7]}/{when}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.jsonl"


def _commit(tip: str | None, files: dict[str, str], said: str) -> str:
    """Make a commit that has these files too, in an index of its own; its id."""
    wanted = files if tip else {"README.md": README, **files}
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git("read-tree", tip or "--empty", environment=index)
        for name, text in wanted.items():
            blob = git("hash-object", "-w", "--stdin", given=text.encode()).decode().strip()
            entry = f"100644,{blob},{name}"
            git("update-index", "--add", "--cacheinfo", entry, environment=index)
        tree = git("write-tree", environment=index).decode().strip()
    parents = ["-p", tip] if tip else []
    made = git("commit-tree", tree, *parents, "-m", said, environment=_WHO)
    return made.decode().strip()
