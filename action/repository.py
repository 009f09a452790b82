"""The project's git repository, as a workflow has checked it out: often one commit deep.

No function here changes a file of the checkout, its index or its branches.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

FETCH_DEADLINE_S = 300
DEEPER = (
    50,
    500,
)  # commits that are fetched to find where two branches part, one try after another
BETWEEN_MOST = 100  # commits that are fetched to tell what came since the run before


class GitError(Exception):
    """Git could not do it; the text is the last line of what it said."""


def git(*words: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
    """Run git in the current folder, which asks nobody anything; what it printed."""
    program = shutil.which("git")
    if program is None:
        raise GitError("git is not installed")
    try:
        ended = subprocess.run(
            [program, *words], input=given, capture_output=True, check=False,
            timeout=FETCH_DEADLINE_S,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(environment or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise GitError(f"git {words[0]} did not end within {FETCH_DEADLINE_S} s") from None
    if ended.returncode:
        said = [line for line in ended.stderr.decode(errors="replace").splitlines() if line.strip()]
        reason = next((line for line in said if line.startswith(("fatal:", "error:"))), "")
        raise GitError(reason or (said or [f"git {words[0]} ended with {ended.returncode}"])[-1])
    return ended.stdout


def line(*words: str) -> str:
    """The one line that git prints."""
    return git(*words).decode(errors="replace").strip()


def is_shallow() -> bool:
    """True when the clone lacks the commits before some commit."""
    return line("rev-parse", "--is-shallow-repository") == "true"


def fetch(*words: str) -> None:
    """Fetch from origin, without tags and without what belongs to other repositories."""
    git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *words)


def base_commit(name: str, head_ref: str) -> str:
    """The commit that a change is compared with: where it parts from the branch ``name``.

    ``name`` may also be a tag or a commit. ``head_ref`` is the ref of origin that was checked out;
    a shallow clone is deepened along both. Where they part too far back to be found, it is the
    newest commit of ``name``. Raises GitError when there is no such name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][\w./@+-]*", name):
        raise GitError(f"{name!r} is no name of a branch, a tag or a commit")
    kept = "refs/sessionproof/base"
    shallow = is_shallow()
    depth = ["--depth=1"] if shallow else []
    try:
        fetch(*depth, "--", "origin", f"+{name}:{kept}")
        tip = line("rev-parse", "--verify", f"{kept}^{{commit}}")
    except GitError as error:
        tip = _known(name, error)
    for more in DEEPER if shallow else ():
        if _parting(tip):
            break
        try:
            fetch(f"--deepen={more}", "--", "origin", name, *([head_ref] if head_ref else []))
        except GitError:  # an old server, or a checkout of something that origin does not name
            break
    return _parting(tip) or tip


def _known(name: str, refused: GitError) -> str:
    """A commit that is here already, by its name; GitError as it was, if there is none."""
    try:
        return line("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except GitError:
        raise refused from None


def _parting(tip: str) -> str:
    """The newest commit that both the checkout and this one come from; empty when unknown."""
    try:
        return line("merge-base", "HEAD", tip)
    except GitError:
        return ""


def deepen(head_ref: str) -> None:
    """Fetch some commits before those of a shallow clone: what came since the run before."""
    if is_shallow():
        fetch(f"--deepen={BETWEEN_MOST}", "--", "origin", head_ref)
