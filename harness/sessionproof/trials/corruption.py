"""Files that are damaged: whether the store notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sessionproof.checks.messages import Difference
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.contract.verdicts import Finding
from sessionproof.faults.damage.classes import STRUCTURAL, TEXTUAL, WHOLE, fits
from sessionproof.faults.damage.done import Damage, Done, Subject
from sessionproof.faults.damage.files import Image, taken
from sessionproof.faults.damage.noticing import by_lines, noticed
from sessionproof.faults.damage.pages import MAGIC
from sessionproof.scripts.damage import Damaged, refused_script, served_script
from sessionproof.trials.damage_map import Outcomes
from sessionproof.trials.damaged import Scene, Shown, broken, filled, spread
from sessionproof.trials.places import is_clear
from sessionproof.trials.single import Broken, Lines, Trial

Outcome = Literal["raised", "found", "harmless", "served"]
_PARTS = ("cut at half", "header zeroed")  # something of the file's own is left
_MOST = 2  # main files that are damaged, of each store


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """A damage that was done, the files with it, and what the store showed of them."""

    damage: Damage
    done: Done
    image: Image
    shown: Shown
    left: Image
    outcome: Outcome
    wrong: tuple[str, Difference] | None


def not_served(trial: Trial) -> None:
    """Do each class of damage in turn until the time is spent; raises Broken.

    Evidence is damage that somebody told of. What nobody can notice without checksums is counted
    for the report, and breaks nothing. Raises NotClaimed for a store without files.
    """
    scene = filled(trial)
    outcomes = Outcomes(scene)
    try:
        for number in range(_rounds(trial)):
            for tried in _round(scene, (*STRUCTURAL, *TEXTUAL), number):
                owed = _owed(scene, tried)
                outcomes.add(tried.done, tried.damage.name, tried.outcome, owed=owed)
                _conclude(scene, tried, owed=owed)
                if tried.outcome in ("raised", "found"):
                    trial.count("damages")
                if number and trial.enough(monotonic_s() - trial.started_s):
                    return
    finally:
        trial.measured += outcomes.measured()


def flips_are_found(trial: Trial) -> None:
    """Flip bits in texts of messages, so that one letter becomes another; raises Broken.

    A bit that is not read, in what was left of an older row, is no evidence.
    """
    scene = filled(trial)
    for number in range(max(_rounds(trial), 4 * trial.guarantee.least)):
        for tried in _round(scene, TEXTUAL, number):
            _conclude(scene, tried, owed=True)
            trial.count("flips", tried.outcome in ("raised", "found"))
        if trial.enough(monotonic_s() - trial.started_s):
            break


def refused(trial: Trial) -> None:
    """Put something else in the place of each main file; raises Broken.

    Opening it, or the first read, must raise a clear error, and the file must stay as it is. Of a
    file of lines, and of a log, a part is left to the row about single records.
    """
    scene = filled(trial)
    names = scene.main_files(scene.closed, _MOST)
    closed = scene.closed.files
    logs = {name for name in names if by_lines(closed[name]) or scene.only_grew(name)}
    plan = [
        (name, damage)
        for name in names
        for damage in WHOLE
        if not (name in logs and damage.name in _PARTS)
    ]
    for name, damage in trial.within_time(plan):
        tried = _tried(scene, damage, scene.closed, name, 0)
        if tried is not None and _refused(scene, tried):
            trial.count("files")


def _rounds(trial: Trial) -> int:
    """How often each class is done: as the profile says, or as long as evidence is lacking."""
    return max(trial.profile.damages, trial.guarantee.least)


def _round(scene: Scene, classes: tuple[Damage, ...], number: int) -> Iterator[_Tried]:
    """Each class once, at another place than in other rounds; the main files take turns."""
    places = [(image, name) for image in scene.images for name in scene.main_files(image, _MOST)]
    for turn, damage in enumerate(classes, number):
        able = [place for place in places if _fits(scene, damage, *place)]
        if able:
            tried = _tried(scene, damage, *able[turn % len(able)], number)
            if tried is not None:
                yield tried


def _fits(scene: Scene, damage: Damage, image: Image, name: str) -> bool:
    """Whether this can be done to the file; the open store's files are for damage to logs alone."""
    if image is scene.live and damage.needs != "log":
        return False
    logged = bool(image.files.get(f"{name}-wal"))
    return fits(damage, database=image.files[name].startswith(MAGIC), logged=logged)


def _tried(scene: Scene, damage: Damage, image: Image, name: str, number: int) -> _Tried | None:
    """Damage a file of the image and look; None where nothing was changed."""
    trial = scene.trial
    random = generator(trial.seed, damage.name, name, number)
    with ExitStack() as stack:
        folder = stack.enter_context(spread(trial, image))
        earlier = scene.older if damage.needs in ("log", "database") else None
        older = stack.enter_context(spread(trial, earlier)) if earlier else None
        subject = Subject(folder=folder, file=name, tokens=scene.tokens, older=older)
        done = damage.apply(subject, random)
        damaged = taken(folder)
        if done is None or damaged == image:
            return None
        shown = scene.look(folder)
        left = taken(folder)
    wrong = scene.difference(shown)
    return _Tried(
        damage=damage, done=done, image=damaged, shown=shown, left=left, wrong=wrong,
        outcome=_outcome(shown, wrong),
    )  # fmt: skip


def _outcome(shown: Shown, wrong: tuple[str, Difference] | None) -> Outcome:
    if shown.failure is not None:
        return "raised"
    if shown.problems or shown.said:
        return "found"
    return "served" if wrong is not None else "harmless"


def _owed(scene: Scene, tried: _Tried) -> bool:
    """Whether everybody can notice the damage that was served, so that the store should have."""
    if tried.outcome != "served":
        return True
    if tried.damage in TEXTUAL:
        return scene.trial.claims.checksums
    name = tried.done.file.removesuffix("-wal")
    before = scene.closed.files.get(name, b"")
    with spread(scene.trial, tried.image) as folder:
        thorough = "verify" in scene.trial.capabilities
        return noticed(folder / name, before, thorough=thorough)


def _conclude(scene: Scene, tried: _Tried, *, owed: bool) -> None:
    """Raise Broken for damage that was served and should have been noticed, a hang or a crash."""
    ended = tried.shown.wrong_end
    if ended is not None:
        raise _broken(scene, tried, Anomaly(ended.type), ended.text)
    textual = tried.damage in TEXTUAL and scene.trial.guarantee.unit == "damages"
    if tried.outcome != "served" or tried.wrong is None or not owed or textual:
        return
    name, difference = tried.wrong
    verify = "; verify() found nothing" if "verify" in scene.trial.capabilities else ""
    seen = f"no error; {scene.told(name, difference, tried.shown)}{verify}"
    damaged = _damaged(scene, tried)
    script = partial(served_script, damaged, name, scene.base.messages(name))
    raise _broken(scene, tried, Anomaly.UNNOTICED, seen, script)


def _refused(scene: Scene, tried: _Tried) -> bool:
    """Whether a file that is no store was refused as it should be; raises Broken.

    Where a part of the file was left, and all is served as it was, nothing was examined.
    """
    file, shown = tried.done.file, tried.shown
    if shown.wrong_end is not None:
        raise _broken(scene, tried, Anomaly(shown.wrong_end.type), shown.wrong_end.text)
    damaged, told = _damaged(scene, tried), shown.failure
    if told is None:
        if tried.outcome == "harmless":
            return False
        if tried.damage.name in _PARTS and not _owed(scene, tried):
            return False
    script = partial(refused_script, damaged, file, clear=told is not None)
    if tried.left.files.get(file) != tried.image.files[file]:
        seen = "the file is gone" if file not in tried.left.files else "the file was changed"
        ended = f"an error was raised: {told.text[:200]}" if told else "there was no error"
        raise _broken(scene, tried, Anomaly.OVERWRITTEN, f"{seen}; {ended}", script)
    if told is None:
        seen = "all is read as it was" if tried.wrong is None else scene.told(*tried.wrong, shown)
        also = "; it was only told beside" if tried.outcome == "found" else ""
        raise _broken(scene, tried, Anomaly.UNNOTICED, f"no error; {seen}{also}", script)
    if not is_clear(told):
        seen = f"{told.type}: {told.text[:300] or 'without a word'}"
        script = partial(refused_script, damaged, file, clear=False)
        raise _broken(scene, tried, Anomaly.UNEXPECTED_REFUSAL, seen, script)
    return True


_EXPECTED = {
    "damages": "an error, a problem that verify() finds, a warning, or the messages as they were",
    "flips": "an error or a problem that verify() finds: the store claims checksums",
    "files": "a clear error, and the file as it is",
}


def _broken(
    scene: Scene, tried: _Tried, anomaly: Anomaly, seen: str, script: Lines = tuple
) -> Broken:
    done = tried.done
    finding = Finding(
        anomaly=anomaly,
        did=f"damaged {done.file} ({done.use}): {done.words}; then opened the store and read all",
        expected=_EXPECTED[scene.trial.guarantee.unit],
        seen=seen,
        evidence=dict(tried.shown.failure.evidence) if tried.shown.failure else {},
    )
    return broken(scene.trial, finding, script)


def _damaged(scene: Scene, tried: _Tried) -> Damaged:
    return Damaged(
        folders=tried.image.folders,
        files=tried.image.files,
        words=f"{tried.done.file}: {tried.done.words}",
        ids=scene.ids,
        claims=scene.trial.claims,
        verifies="verify" in scene.trial.capabilities,
    )
