"""A project on an origin of its own, in which the steps of the action are run."""

import os
import subprocess

from house_action import run_action

JUDGED = {"exit-code": "0", "verdict": "All hold.", "broken": ""}
WHO = {f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER")
       for what in ("NAME", "EMAIL")}  # fmt: skip


def git(folder, *words):
    """What git printed, run in the folder by somebody."""
    return subprocess.run(
        ["git", *words], cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8",
        timeout=60, env={**os.environ, **WHO},
    ).stdout.strip()  # fmt: skip


def commit(folder, name):
    """A commit with a file of this name; its id."""
    (folder / name).write_text(name)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", name)
    return git(folder, "rev-parse", "HEAD")


class Project:
    """A project on an origin of its own, whose jobs check it out one commit deep."""

    def __init__(self, folder, files):
        self.folder, self.origin, self.source = folder, folder / "origin", folder / "source"
        git(folder, "init", "-q", "--bare", "-b", "main", self.origin)
        git(folder, "init", "-q", "-b", "main", self.source)
        (self.source / ".gitignore").write_text("__pycache__\n")
        for name, text in files.items():
            (self.source / name).parent.mkdir(exist_ok=True)
            (self.source / name).write_text(text)
        commit(self.source, "first")
        self.push("main")

    def push(self, ref):
        """Push what the source has checked out to this ref of origin."""
        git(self.source, "push", "-q", self.origin, f"HEAD:{ref}")

    def change(self):
        """A pull request, merged into main as GitHub does; main is then one commit ahead of it."""
        commit(self.source, "second")
        base = git(self.source, "rev-parse", "HEAD")
        self.push("main")
        git(self.source, "checkout", "-q", "-b", "change", "HEAD^")
        commit(self.source, "changed")
        git(self.source, "merge", "-q", "--no-ff", "-m", "merge", base)
        self.push("refs/pull/1/merge")
        git(self.source, "checkout", "-q", "main")
        commit(self.source, "third")
        self.push("main")
        return base

    def checkout(self, name, ref="refs/heads/main"):
        """A folder with what actions/checkout makes of the ref."""
        place = self.folder / name
        git(self.folder, "init", "-q", place)
        git(place, "remote", "add", "origin", self.origin.as_uri())
        git(place, "fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{ref}:refs/here")
        git(place, "checkout", "-q", "--detach", "refs/here")
        return name

    def run(self, place, **given):
        """The action in this checkout, with a judge who says that all holds."""
        report = str(self.folder / place / "report")
        judged = {**JUDGED, "report-path": report}
        given = {"store": "s", "performance": "gate", **given}
        return run_action(self.folder, place=place, judged=given.pop("judged", judged), **given)

    def kept(self, branch="sessionproof-history"):
        """The runs on the branch of origin."""
        names = git(self.origin, "ls-tree", "-r", "--name-only", branch).splitlines()
        return [git(self.origin, "show", f"{branch}:{one}") for one in names if "json" in one]

    def called(self, word):
        """The calls of this command of the bench."""
        calls = (self.folder / "calls").read_text().splitlines()
        return [one.split() for one in calls if one.startswith(f"bench {word} ")]

    def hook(self, script):
        """What origin does when somebody pushes."""
        path = self.origin / "hooks" / "pre-receive"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
