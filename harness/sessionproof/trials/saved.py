"""What restores are tried on: a backup, and directories as a store has left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.trials.chats import (
    Chats,
    Contents,
    Unreadable,
    contents_at,
    copied,
    difference,
    folder_for,
)
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.guard import Handle


@dataclass(frozen=True)
class Saved:
    """A backup with what it must hold, and a directory with what has been written since.

    ``logged``: the directory is as its process left it without closing, with its log. ``newer`` is
    a backup of all that has been written, where the data does not lie in the directory.
    """

    ids: list[str]
    backup: Path
    saved: Contents
    image: Path
    before: Contents
    logged: bool
    newer: Path | None = None

    def lines(self, lines: Sequence[str]) -> Sequence[str]:
        """Those of a script, which copies files: none where that shows nothing."""
        return lines if self.newer is None else ()


def saved_of(trial: Trial, name: str = "chats-", *, anywhere: bool = False) -> Saved:
    """A backup, and a directory with newer messages; raises Broken, NotClaimed.

    The data may lie ``anywhere``, else in the directory.
    """
    trial.store.fresh_location()
    chats = Chats(trial, trial.store)
    chats.begin(name)
    before = chats.contents()
    backup = chats.backup(folder_for(trial, "backups"))
    chats.begin(f"{name}later-", sessions=1)
    before = replace(before, sessions={name: before.sessions.get(name, ()) for name in chats.ids})
    newer = chats.contents()
    image = copied(trial, trial.store.location.root, "image")
    logged = holds(trial, copied(trial, image), chats.ids, newer)
    put_back = None if logged or not anywhere else chats.backup(folder_for(trial, "backups"))
    trial.store.close()
    if logged:
        return Saved(chats.ids, backup, before, image, newer, logged)
    image = copied(trial, trial.store.location.root, "image")
    if holds(trial, copied(trial, image), chats.ids, newer):
        put_back = None
    elif put_back is None:
        raise NotClaimed("the store's data do not lie in its directory alone")
    return Saved(chats.ids, backup, before, image, newer, logged, put_back)


def directory_of(trial: Trial, lender: Handle, scene: Saved, what: str) -> Path:
    """A directory as the store left its own: a copy of the files, else what it puts back there."""
    there = copied(trial, scene.image, what)
    if scene.newer is not None:
        done = upkeep.restore(lender, scene.newer, there)
        trial.require_ok(done, "restored a backup into a directory that nobody has used")
        ids = scene.ids
        must_be(trial, there, ids, scene.before, "restored a backup into an unused directory", ())
    return there


def still_holds(trial: Trial, scene: Saved, directory: Path, expected: Contents) -> bool:
    """Whether a directory has this; where it has files, a copy is asked, and they stay."""
    there = directory if scene.newer is not None else copied(trial, directory)
    return holds(trial, there, scene.ids, expected)


def holds(trial: Trial, directory: Path, ids: list[str], expected: Contents) -> bool:
    """Whether this is read where the store is opened in the directory."""
    try:
        return not difference(expected, contents_at(trial, directory, ids))
    except Unreadable:
        return False


def must_be(
    trial: Trial,
    directory: Path,
    ids: list[str],
    expected: Contents,
    did: str,
    lines: Sequence[str],
    *,
    anomaly: Anomaly = Anomaly.BAD_BACKUP,
    promise: str = "exactly what the backup holds is read",
) -> None:
    """Raise Broken unless this is read where the store is opened in the directory."""
    try:
        seen = difference(expected, contents_at(trial, directory, ids))
    except Unreadable as error:
        seen = str(error)
    trial.require(not seen, anomaly, did=did, expected=promise, seen=seen, script=lines)
