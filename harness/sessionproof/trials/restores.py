"""Restores: what they verify before, what they keep, and what they leave behind.

Each restore goes into a copy of a directory whose newest messages are still in the store's log, as
after a crash of its process, where the store has one. It is asked of a handle elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Append, Outcome
from sessionproof.scripts.backups import each_file, read_at, restored
from sessionproof.trials.bad_backups import (
    BAD,
    FOREIGN_LINES,
    foreign_database,
    is_database,
    spoiled,
)
from sessionproof.trials.chats import (
    Chats,
    Contents,
    Unreadable,
    at,
    contents,
    contents_at,
    copied,
    courier,
    difference,
    digest,
    files_of,
    folder_for,
    in_order_at,
    require_end,
)
from sessionproof.trials.hot_journals import journaled, with_hot_journal
from sessionproof.trials.restore_lines import (
    kept_lines,
    open_lines,
    prepared,
    restored_is_saved,
    stale_lines,
    twice_lines,
)
from sessionproof.trials.saved import Saved, directory_of, holds, must_be, saved_of, still_holds
from sessionproof.trials.single import Trial
from sessionproof.workload import upkeep
from sessionproof.workload.answers import texts_of
from sessionproof.workload.crews import said_by
from sessionproof.workload.guard import Handle

_LOGS = ("-wal", "-journal")
_INTERRUPTED = "an interrupted transaction"
_TIMES = 3  # restores into one directory, one at once after the other


def verified(trial: Trial) -> None:
    """Restore good backups and bad ones; raises Broken, NotClaimed.

    What was there before must be kept, apart from older copies; a bad backup may replace nothing.
    Where several may have a location open, a restore cannot know that nobody has: it refuses, or
    whoever has it open goes on with what was restored.
    """
    scene = saved_of(trial, anywhere=True)
    with courier(trial) as lender:
        _one_after_the_other(trial, lender, scene)
        if trial.claims.at_least("handles", "threads"):
            _while_open(trial, lender, scene)
        directory: Path | None = None
        for bad in trial.within_time([*_bad_backups(trial, scene)]):
            if directory is None or scene.newer is None:
                directory = directory_of(trial, lender, scene, "kept")
            if _restored_all_the_same(trial, lender, scene, bad, directory):
                directory = None


def no_stale_log(trial: Trial) -> None:
    """Restore into directories with a log of newer writes, of another store, or alone.

    Raises Broken where anything but the backup is read afterwards; NotClaimed.
    """
    scene, other = saved_of(trial), saved_of(trial, "other-")
    logs = _logs(scene.image)
    with courier(trial) as lender:
        owed = ((scene.image, "newer messages"), (other.image, "another store's chats"))
        for image, what in (*owed, *_interrupted(trial, scene)):
            directory = copied(trial, image, "restored")
            did = f"restored a backup into a directory with {what}{_and_log(image)}"
            lines = stale_lines(trial, logged=scene.logged, hot=what is _INTERRUPTED)
            outcome = upkeep.restore(lender, scene.backup, directory)
            trial.require_ok(outcome, did, lines)
            must_be(trial, directory, scene.ids, scene.saved, did, lines)
            _goes_on(trial, scene, directory, did, lines)
            trial.count("restores")
        for file in logs:
            _log_alone(trial, lender, scene, file)
    if not logs and journaled(scene.image) is None:
        trial.notes.append("the store leaves no log beside its file")


def _interrupted(trial: Trial, scene: Saved) -> Iterator[tuple[Path, str]]:
    """The directory in the middle of a transaction, where its file is written in place."""
    if journaled(scene.image) is not None:
        there = folder_for(trial, "journal")
        with_hot_journal(copied(trial, scene.image), there)
        if holds(trial, copied(trial, there), scene.ids, scene.before):
            yield there, _INTERRUPTED


def _one_after_the_other(trial: Trial, lender: Handle, scene: Saved) -> None:
    """Restores into one directory: each keeps what was there, and no copy is written over."""
    directory, before = directory_of(trial, lender, scene, "restored"), scene.before
    copies: dict[Path, str] = {}
    for number in range(_TIMES):
        did = f"restored a backup into a directory with newer messages{_and_log(directory)}"
        did += f", {number} restores after others" if number else ""
        lines = scene.lines(kept_lines(trial, logged=scene.logged))
        outcome = upkeep.restore(lender, scene.backup, directory)
        trial.require_ok(outcome, did, lines)
        kept: Path | None = outcome.value
        trial.require(
            kept is not None and kept.exists() and kept.resolve() != directory.resolve(),
            Anomaly.OVERWRITTEN,
            did=did,
            expected="the answer is the path of a copy of what was there before",
            seen="None" if kept is None else f"{kept.name}, which is no copy",
            script=lines,
        )
        assert kept is not None
        _apart(trial, scene, kept, copies, did)
        must_be(trial, directory, scene.ids, scene.saved, did, lines)
        fresh = folder_for(trial, "taken-back")
        back = f"{did}; then restored the copy of what was there elsewhere"
        taken_back = upkeep.restore(lender, kept, fresh)
        require_end(trial, taken_back, back)
        trial.require(
            taken_back.type == "ok",
            Anomaly.OVERWRITTEN,
            did=back,
            expected="what was there before is read",
            seen=f"it cannot be restored: {_ended(taken_back)}",
            script=lines,
        )
        must_be(
            trial, fresh, scene.ids, before, back, lines,
            anomaly=Anomaly.OVERWRITTEN, promise="what was there before is read",
        )  # fmt: skip
        copies[kept.resolve()] = digest(kept)
        before = _goes_on(trial, scene, directory, did, lines)
        trial.count("restores")


def _apart(trial: Trial, scene: Saved, kept: Path, copies: dict[Path, str], did: str) -> None:
    """Each copy has a name of its own, and older ones are as they were."""
    changed = [path for path, was in copies.items() if digest(path) != was]
    again = kept.resolve() in copies
    trial.require(
        not again and not changed,
        Anomaly.OVERWRITTEN,
        did=did,
        expected="the copies that earlier restores have kept stay as they are",
        seen=f"{kept.name} is the copy of an earlier restore again"
        if again
        else f"{len(changed)} of {len(copies)} earlier copies were changed or removed",
        script=scene.lines(twice_lines(trial)),
    )


def _goes_on(
    trial: Trial, scene: Saved, directory: Path, did: str, lines: Sequence[str]
) -> Contents:
    """Append to what was restored, and read it by a further handle; what is there then."""
    store = at(trial, directory)
    try:
        there = [name for name in scene.ids if scene.saved.sessions.get(name)]
        chats = Chats(trial, store, there, numbers=1_000_000)
        chats.grow(1)
        expected = chats.contents()
    finally:
        store.close()
    try:
        again, wrong = in_order_at(trial, directory, scene.ids)
        wrong = difference(expected, again) or wrong
    except Unreadable as error:
        wrong = str(error)
    trial.require(
        not wrong,
        Anomaly.BAD_BACKUP,
        did=f"{did}; then appended, closed it and opened it",
        expected="the backup with what was appended since is read, and is in order",
        seen=wrong,
        script=lines,
    )
    return expected


def _while_open(trial: Trial, lender: Handle, scene: Saved) -> None:
    """Restore into a directory that a handle has open, which goes on writing."""
    directory = directory_of(trial, lender, scene, "open")
    user = at(trial, directory)
    session = scene.ids[0]
    try:
        handle = user.handle()
        contents(handle, scene.ids)
        outcome = upkeep.restore(lender, scene.backup, directory)
        require_end(trial, outcome, "restored a backup while the store was open")
        message = tuple(said_by(user).messages(1 << 40, 1))
        sent = handle.invoke(Append("s0", message), session)
    finally:
        user.close()
    done = outcome.type == "ok"
    did = (
        "restored a backup while another handle had the store open"
        f"{'' if done else ', which was refused'}; then that handle appended, and was closed"
    )
    there = scene.saved if done else scene.before
    expected = texts_of(there.sessions[session]) + (texts_of(message) if sent.type == "ok" else [])
    try:
        seen = texts_of(contents_at(trial, directory, scene.ids).sessions[session])
        right = seen == expected or (sent.type == "info" and seen[:-1] == expected)
        shown = f"{len(seen)} messages are read instead of {len(expected)}"
    except Unreadable as error:
        right, shown = False, str(error)
    trial.require(
        right,
        Anomaly.LOST_MESSAGE if done else Anomaly.OVERWRITTEN,
        did=did,
        expected="what was restored, with the message that was acknowledged afterwards"
        if done
        else "what was there before, with the message that was acknowledged",
        seen=shown,
        script=scene.lines(open_lines(trial)),
    )
    trial.count("restores")


@dataclass(frozen=True)
class _BadBackup:
    words: str
    path: Path
    lines: tuple[str, ...]


def _bad_backups(trial: Trial, scene: Saved) -> Iterator[_BadBackup]:
    """Bad backups, each in a copy of the folder, under the name of the good one."""

    def again() -> Path:
        return copied(trial, scene.backup.parent, "bad") / scene.backup.name

    for bad in BAD:
        path = again()
        spoiled(path, bad)
        if any(map(_differs, zip(files_of(scene.backup), files_of(path), strict=True))):
            yield _BadBackup(f"a backup that is {bad.words}", path, (*each_file("made", bad.line),))
    if is_database(scene.backup):
        path = again()
        foreign_database(path)
        yield _BadBackup("a database of another application", path, FOREIGN_LINES)
    missing = folder_for(trial, "bad") / scene.backup.name
    yield _BadBackup("a backup that is not there", missing, ("made = f'{made}.not-there'",))


def _differs(pair: tuple[Path, Path]) -> bool:
    one, other = pair
    return one.read_bytes() != other.read_bytes()


def _restored_all_the_same(
    trial: Trial, lender: Handle, scene: Saved, bad: _BadBackup, directory: Path
) -> bool:
    """Restore a bad backup: what is there must be what was there before, or all of the backup.

    Answers whether it is the backup. Raises Broken.
    """
    outcome = upkeep.restore(lender, bad.path, directory)
    did = f"restored {bad.words}; {_ended(outcome)}"
    require_end(trial, outcome, did)
    lines = scene.lines(
        [
            *prepared(trial, logged=scene.logged),
            *bad.lines,
            *restored("made", "image", may_refuse=True),
            *read_at("image"),
            "assert seen == before, f'{len(seen)} messages instead of {len(before)}'",
        ]
    )
    trial.count("restores")
    if outcome.type == "ok":
        if still_holds(trial, scene, directory, scene.saved):
            return True  # the damage lay where no data are
        if not bad.path.exists() and still_holds(trial, scene, directory, scene.before):
            trial.require(
                False,
                Anomaly.SWALLOWED,
                did=did,
                expected="an error",
                seen="it returned normally, and restored nothing",
                script=scene.lines([*lines, "assert refused, 'no error'"]),
            )
    must_be(
        trial, directory, scene.ids, scene.before, did, lines,
        anomaly=Anomaly.OVERWRITTEN, promise="an error, and what was there before is read",
    )  # fmt: skip
    return False


def _ended(outcome: Outcome) -> str:
    failure = outcome.failure
    return "it returned normally" if failure is None else f"it raised {failure.text[:200]}"


def _log_alone(trial: Trial, lender: Handle, scene: Saved, log: str) -> None:
    """Restore where somebody removed the file and left its log; it may be refused."""
    directory = copied(trial, scene.image, "log-alone")
    main = directory / log.removesuffix(next(end for end in _LOGS if log.endswith(end)))
    main.unlink()
    outcome = upkeep.restore(lender, scene.backup, directory)
    did = f"removed {main.name} and left {log}, restored a backup; {_ended(outcome)}"
    require_end(trial, outcome, did)
    if outcome.type == "ok":
        lines = [
            *prepared(trial, logged=True),
            f"image.joinpath({main.name!r}).unlink()",
            *restored_is_saved(),
        ]
        must_be(trial, directory, scene.ids, scene.saved, did, lines)
    trial.count("restores")


def _logs(image: Path) -> list[str]:
    """Logs in a directory whose file lies beside them, by name."""
    return [
        str(file.relative_to(image))
        for file in files_of(image)
        for end in _LOGS
        if file.name.endswith(end) and file.stat().st_size
        if file.with_name(file.name.removesuffix(end)).exists()
    ]


def _and_log(image: Path) -> str:
    logs = _logs(image)
    return f" in {logs[0]}" if logs else ""
