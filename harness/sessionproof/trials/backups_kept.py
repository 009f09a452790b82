"""How many backups are kept: names of their own, retention, and the last good one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Outcome
from sessionproof.scripts.backups import each_file, owed
from sessionproof.trials.bad_backups import (
    CUT,
    OVERWRITTEN,
    foreign_database,
    overwrite_later_half,
    spoiled,
)
from sessionproof.trials.chats import (
    Chats,
    Contents,
    Unreadable,
    at,
    contents_at,
    copied,
    courier,
    difference,
    digest,
    folder_for,
    require_end,
)
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial
from sessionproof.workload import upkeep
from sessionproof.workload.guard import CannotOpen

_QUICK = 4  # backups at once after each other
_MANY = 11  # one more than have numbers of one digit
_KEPT = 3
_PAUSE_S = 0.012  # longer than the clock of any file system, so that ages are told apart
_OLD_S = 1_000_000_000  # a time long ago


def kept(trial: Trial) -> None:
    """Make backups at once after each other, with retention, and of a damaged store.

    Raises Broken. Counts backups that were made.
    """
    trial.store.fresh_location()
    chats = Chats(trial, trial.store)
    chats.begin("kept-")
    _names_of_their_own(trial, chats)
    folder = folder_for(trial, "backups")
    foreign = _foreign(folder, _one(trial, chats, folder))
    newest = _retention(trial, chats, folder)
    expected = chats.contents()
    _damaged(trial, chats, folder, newest, expected)
    _untouched(trial, foreign, "made backups that keep the newest, in a folder with other files")


def _one(trial: Trial, chats: Chats, folder: Path) -> Path:
    made_ = chats.backup(folder, script=[*_made(trial), "store.backup(folder)"])
    trial.count("backups")
    return made_


def _names_of_their_own(trial: Trial, chats: Chats) -> None:
    """Backups at once after each other: none takes the place of another."""
    folder = folder_for(trial, "quick")
    lines = [
        *_made(trial),
        "made = []",
        "for _ in range(10):",
        *(f"    {line}" for line in owed("one = store.backup(folder)")),
        "    assert one not in made, 'the same name again'",
        "    made.append(one)",
        "gone = [one for one in made if not Path(one).exists()]",
        "assert not gone, gone",
    ]
    was: dict[Path, str] = {}
    for number in range(_QUICK):
        did = f"made {number + 1} backups at once after each other"
        one = chats.backup(folder, did=did, script=lines)
        again = one in was
        changed = [path for path, before in was.items() if digest(path) != before]
        trial.require(
            not again and not changed,
            Anomaly.OVERWRITTEN,
            did=did,
            expected="each has a name of its own, and stays as it was made",
            seen=f"{one.name} was made twice"
            if again
            else f"{len(changed)} of {len(was)} earlier ones were changed or removed",
            script=lines,
        )
        was[one] = digest(one)
        chats.grow(1)
        trial.count("backups")


def _retention(trial: Trial, chats: Chats, folder: Path) -> Path:
    """Many backups, then one that keeps a few; the newest of all is the last one there."""
    lines = [
        *_made(trial),
        "made = []",
        f"for _ in range({_MANY}):",
        "    made.append(store.backup(folder))",
        f"    time.sleep({_PAUSE_S})",
        f"made.append(store.backup(folder, keep={_KEPT}))",
        "left = [one for one in made if Path(one).exists()]",
        f"assert left == made[-{_KEPT}:], left",
    ]
    ours: list[Path] = []
    for _ in trial.within_time(range(_MANY)):
        ours.append(chats.backup(folder, script=lines))
        trial.count("backups")
        time.sleep(_PAUSE_S)
    for keep in (_KEPT, 1):
        outcome = upkeep.backup(chats.handle, folder, keep=keep)
        did = f"made {len(ours)} backups one after the other, then one that keeps {keep}"
        trial.require_ok(outcome, did, lines)
        ours.append(outcome.value)
        left = [one.name for one in ours if one.exists()]
        trial.require(
            left == [one.name for one in ours[-keep:]],
            Anomaly.WRONG_ANSWER if len(left) > keep else Anomaly.OVERWRITTEN,
            did=did,
            expected=f"the newest {keep} are there",
            seen=_shown(ours, left, keep),
            script=lines,
        )
        ours = ours[-keep:]
        trial.count("backups")
    return ours[-1]


def _shown(ours: list[Path], left: list[str], keep: int) -> str:
    """Which are there in the place of which."""
    newest = [one.name for one in ours[-keep:]]
    if len(left) != keep:
        return f"{len(left)} are there"
    older = [name for name in left if name not in newest]
    gone = [name for name in newest if name not in left]
    return f"{', '.join(older)} is there, and {', '.join(gone)} is not"


def _foreign(folder: Path, own: Path) -> dict[Path, str]:
    """Old files of others beside a backup, some of them with names like it, by digest."""
    texts = ("notes.txt", f"{own.name}.mine", f"copy of {own.name}", f"my-{own.name}")
    files = [folder / name for name in texts]
    for file in files:
        file.write_text("not yours\n")
    files.append(folder / "0-other.db")
    foreign_database(files[-1])
    below = folder / "0-pictures"
    below.mkdir()
    below.joinpath("cat.txt").write_text("a picture\n")
    for file in (*files, below):
        os.utime(file, (_OLD_S, _OLD_S))
    return {file: digest(file) for file in (*files, below)}


def _untouched(trial: Trial, foreign: dict[Path, str], did: str) -> None:
    changed = [file.name for file, was in foreign.items() if digest(file) != was]
    trial.require(
        not changed,
        Anomaly.OVERWRITTEN,
        did=did,
        expected="files of others stay as they are",
        seen=f"{', '.join(changed)} was changed or removed",
        script=[
            *_made(trial),
            "own = Path(store.backup(folder)).name",
            "names = ['notes.txt', f'{own}.mine', f'copy of {own}', f'my-{own}', '0-other.db']",
            "for name in names:",
            "    Path(folder, name).write_text('not yours')",
            f"    os.utime(Path(folder, name), ({_OLD_S}, {_OLD_S}))",
            "Path(folder, '0-pictures').mkdir()",
            f"os.utime(Path(folder, '0-pictures'), ({_OLD_S}, {_OLD_S}))",
            "for _ in range(5):",
            "    store.backup(folder, keep=2)",
            "gone = [name for name in [*names, '0-pictures'] if not Path(folder, name).exists()]",
            "assert not gone, gone",
        ],
    )


def _damaged(trial: Trial, chats: Chats, folder: Path, good: Path, expected: Contents) -> None:
    """Newer backups are damaged, and then the store: the last good backup stays.

    Afterwards the sound store makes a backup in the same folder all the same.
    """
    for _ in range(2):
        spoiled(_one(trial, chats, folder), CUT)
    was = digest(good)
    trial.store.close()
    directory = copied(trial, trial.store.location.root, "damaged")
    damaged = [*overwrite_later_half(directory)]
    outcome = _of_damaged(trial, directory, folder)
    require_end(trial, outcome, "made a backup of a damaged store")
    if damaged and digest(good) != was:
        trial.require(
            outcome.type == "ok" and _holds(trial, outcome.value, chats.ids, expected),
            Anomaly.OVERWRITTEN,
            did="damaged the newer backups and the store, then made a backup that keeps 1; "
            + ("it returned normally" if outcome.failure is None else "it raised an error"),
            expected="the last good backup is there",
            seen="it was removed or changed, and the new one is none",
            script=_last_good_lines(trial),
        )
    lines = [
        *_made(trial),
        "for _ in range(2):",
        "    made = store.backup(folder)",
        *(f"    {line}" for line in each_file("made", CUT.line)),
        *owed("made = store.backup(folder, keep=2)"),
        "assert Path(made).exists(), 'it is gone'",
    ]
    did = "made a backup that keeps 2 in a folder with damaged ones"
    trial.require_ok(upkeep.backup(chats.handle, folder, keep=2), did, lines)
    trial.count("backups")


def _of_damaged(trial: Trial, directory: Path, folder: Path) -> Outcome:
    """What comes of a backup of the store in this directory; that it does not open is one."""
    store = at(trial, directory)
    try:
        return upkeep.backup(store.handle(), folder, keep=1)
    except CannotOpen as error:
        return error.outcome("fail")
    finally:
        store.close()


def _holds(trial: Trial, backup: Path, ids: list[str], expected: Contents) -> bool:
    """Whether a backup restores what is expected; where nothing can be restored, it may."""
    if "restore" not in trial.capabilities:
        return True
    there = folder_for(trial, "restored")
    with courier(trial) as lender:
        if upkeep.restore(lender, backup, there).type != "ok":
            return False
    try:
        return not difference(expected, contents_at(trial, there, ids))
    except Unreadable:
        return False


def _last_good_lines(trial: Trial) -> list[str]:
    return [
        *_made(trial),
        "good = store.backup(folder)",
        "for _ in range(2):",
        "    made = store.backup(folder)",
        *(f"    {line}" for line in each_file("made", CUT.line)),
        "store.close()",
        *each_file(
            "directory",
            OVERWRITTEN.line,
        ),
        "try:",
        "    store = open_store(location)",
        "    store.backup(folder, keep=1)",
        "    store.close()",
        "except Exception as error:",
        "    print(type(error).__name__, error)",
        "assert Path(good).exists(), 'the last good backup is gone'",
        "store = open_store(Location(Path(tempfile.mkdtemp())))",
    ]


def _made(trial: Trial) -> list[str]:
    """A session with messages, and a folder."""
    return [
        *made(trial, "s0"),
        f"for _ in range(9):\n    store.append(s0, [{said(trial, 'hello')}])",
        "folder = tempfile.mkdtemp()",
    ]
