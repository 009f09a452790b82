"""What a recovery saves of damaged files.

A store is filled and closed; each class of damage is done to a copy of its files, in turn. What was
saved is compared with what two independent salvages can read of the same files (``salvage.py``).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import CRASH, HANG, MALFORMED, Append, List, Outcome, Read
from sessionproof.contract.seed import generator
from sessionproof.contract.upkeep import Recovered
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.damage.classes import STRUCTURAL, TEXTUAL, WHOLE, fitting, is_database
from sessionproof.faults.damage.done import Damage, Done, Subject
from sessionproof.faults.damage.files import Image, taken
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.chats import (
    Unreadable,
    at,
    courier,
    folder_for,
    in_order_at,
    unknown,
)
from sessionproof.trials.damaged import Scene, filled, spread
from sessionproof.trials.inputs import good_message
from sessionproof.trials.recovered import Placed, Recovery, Wrong, judged, placed, tokens_in
from sessionproof.trials.recovery_lines import Spoilt, recovery_script
from sessionproof.trials.salvage import rows_by_shell, untouched
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.guard import CannotOpen, Handle

_REPLACED = ("header zeroed",)  # of the classes that leave no store, one that leaves its messages
_MOST = 3  # main files that are damaged, of each store
_AFTER = "after-the-recovery-5d1c"


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A damage that was done, and the files with it.

    ``there`` are the tokens, ``names`` the ids of sessions that can be read in them.
    ``between_lines``: a file was cut between two lines, which it does not show.
    """

    damage: Damage
    done: Done
    image: Image
    there: frozenset[str]
    names: frozenset[str]
    between_lines: bool


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A filled store, its messages by token, and what a salvage gives out of its sound files.

    ``deleted`` are the tokens of other messages, of which something is left in the files. ``rows``
    are by the name of the file, and empty where SQLite's shell cannot help.
    """

    scene: Scene
    before: Mapping[str, Placed]
    deleted: frozenset[str]
    rows: Mapping[str, frozenset[bytes]]


def saves(trial: Trial) -> None:
    """Do each class of damage in turn until the time is spent, and recover; raises Broken.

    Evidence is a damage after which something could be saved. Raises NotClaimed for a store
    without files.
    """
    known = _known(filled(trial))
    with courier(trial) as lender:
        for number in range(max(trial.profile.damages, trial.guarantee.least)):
            for case in _cases(known, number):
                if _judged(known, lender, case):
                    trial.count("damages")
                if trial.time_is_up():
                    return
            if trial.enough(monotonic_s() - trial.started_s):
                return


def _known(scene: Scene) -> _Known:
    before = {
        one.token: one
        for one in placed({of: scene.base.messages(name) for name, of in scene.ids.items()})
    }
    images = [image for image in (scene.closed, scene.live, scene.older) if image is not None]
    left = {token for image in images for data in image.files.values() for token in tokens_in(data)}
    rows = {}
    with spread(scene.trial, scene.closed) as folder:
        for name in scene.main_files(scene.closed, _MOST):
            if is_database(folder / name):
                rows[name] = rows_by_shell(folder / name)
    return _Known(scene=scene, before=before, deleted=frozenset(left - before.keys()), rows=rows)


def _cases(known: _Known, number: int) -> Iterator[_Case]:
    """Each class once, at another place than in other rounds, on each main file that it fits."""
    scene = known.scene
    textual = TEXTUAL if scene.trial.claims.checksums else ()
    classes = (*textual, *STRUCTURAL, *(one for one in WHOLE if one.name in _REPLACED))
    for image in filter(None, (scene.closed, scene.live)):
        for name in scene.main_files(image, _MOST):
            with spread(scene.trial, image) as folder:
                fits = fitting(classes, folder / name)
            for damage in fits:
                if image is scene.closed or damage.needs == "log":
                    yield from _done(known, image, name, damage, number)


def _done(known: _Known, image: Image, name: str, damage: Damage, number: int) -> Iterator[_Case]:
    """The case of one damage; none where the file has no place for it."""
    scene, trial = known.scene, known.scene.trial
    earlier = scene.older if scene.older is not None else image
    with spread(trial, image) as folder, spread(trial, earlier) as older:
        subject = Subject(
            folder=folder,
            file=name,
            tokens=scene.tokens,
            older=older if scene.older is not None else None,
        )
        done = damage.apply(subject, generator(trial.seed, damage.name, name, number))
        damaged = taken(folder)
        if done is None or damaged == image:
            return
        there = _there(known, image, damaged, folder / name)
        ids = {session.encode() for session in scene.ids.values()}
        names = untouched(image.files, damaged.files, ids)
    left = damaged.files.get(name, b"")
    yield _Case(
        damage=damage,
        done=done,
        image=damaged,
        there=there,
        names=frozenset(session.decode() for session in names),
        between_lines=image.files[name].startswith(left) and left.endswith(b"\n"),
    )


def _there(known: _Known, before: Image, after: Image, file: Path) -> frozenset[str]:
    """The tokens of the messages that can be read in the damaged files."""
    texts = {
        one.message.content.encode(): token
        for token, one in known.before.items()
        if isinstance(one.message.content, str)
    }
    found = untouched(before.files, after.files, texts)
    rows = known.rows.get(file.name)
    if rows and before is known.scene.closed:
        still = b"\n".join(rows & rows_by_shell(file))
        found |= {text for text in texts if text in still}
    return frozenset(texts[text] for text in found)


def _judged(known: _Known, lender: Handle, case: _Case) -> bool:
    """Whether something could be saved, and was; raises Broken."""
    trial = known.scene.trial
    saved = folder_for(trial, "saved")
    with spread(trial, case.image) as damaged:
        outcome = upkeep.recover(lender, damaged, saved)
        left = taken(damaged)
    try:
        return _concluded(known, case, outcome, left, saved)
    finally:
        shutil.rmtree(saved, ignore_errors=True)


def _concluded(known: _Known, case: _Case, outcome: Outcome, left: Image, saved: Path) -> bool:
    changed = [name for name, data in case.image.files.items() if left.files.get(name) != data]
    if changed and not all(name.endswith("-shm") for name in changed):
        raise _broken(
            known,
            case,
            Wrong(
                Anomaly.OVERWRITTEN,
                "the damaged files stay as they are",
                f"{changed[0]} was changed by the recovery",
            ),
        )
    failure = outcome.failure
    if failure is not None:
        special = failure.type in (HANG, CRASH, MALFORMED)
        if special or case.there:
            anomaly = Anomaly(failure.type) if special else Anomaly.UNSAVED
            expected = f"{len(case.there)} messages that can be read are saved"
            seen = f"recover raised {failure.type}: {failure.text[:300]}"
            raise _broken(known, case, Wrong(anomaly, expected, seen))
        return False
    recovery = _recovery(known, case, outcome.value, saved)
    wrong = judged(recovery) or _in_order(known.scene, saved, recovery)
    if wrong is not None:
        raise _broken(known, case, wrong)
    return bool(recovery.good)


def _recovery(known: _Known, case: _Case, told: Recovered, saved: Path) -> Recovery:
    """What is read of the new directory; raises Broken where nothing can be."""
    scene, trial = known.scene, known.scene.trial
    store = at(trial, saved)
    try:
        handle = store.handle()
        listed = handle.invoke(List()) if "list" in handle.capabilities else None
        names = sorted(listed.value) if listed and listed.type == "ok" else [*scene.ids.values()]
        reads = handle.invoke_all([(Read("s0"), name) for name in names])
        wrong = [done for done in (listed, *reads) if done and done.failure and not unknown(done)]
    except CannotOpen as error:
        seen = f"it does not open: {error}"
        raise _broken(known, case, Wrong(Anomaly.UNREADABLE, "it opens", seen)) from None
    finally:
        store.close()
    if wrong and wrong[0].failure is not None:
        seen = f"a read raised {wrong[0].failure.type}: {wrong[0].failure.text[:300]}"
        raise _broken(known, case, Wrong(Anomaly.UNREADABLE, "all sessions can be read", seen))
    return Recovery(
        before=known.before,
        saved=placed({name: done.value or () for name, done in zip(names, reads, strict=True)}),
        told=told,
        there=case.there,
        names=case.names,
        deleted=known.deleted,
        keeps=frozenset(trial.claims.keeps),
        listed=frozenset(names) if listed is not None else None,
        shows=case.damage.needs != "log" and not case.between_lines,
        checksums=trial.claims.checksums,
    )


def _in_order(scene: Scene, saved: Path, recovery: Recovery) -> Wrong | None:
    """What the store itself finds wrong with what was saved, and whether it goes on."""
    trial = scene.trial
    sizes = Counter(one.session for one in recovery.saved)
    names = [*sizes]
    try:
        said = in_order_at(trial, saved, names)[1]
    except Unreadable as error:
        said = str(error)
    if said or not names:
        return Wrong(Anomaly.COUNTER_DRIFT, "what was saved is in order", said) if said else None
    store = at(trial, saved)
    try:
        handle = store.handle()
        done = handle.invoke(Append("s0", (good_message(trial, _AFTER),)), names[0])
        read = handle.invoke(Read("s0"), names[0])
    finally:
        store.close()
    failed = next((one.failure for one in (done, read) if one.failure is not None), None)
    if failed is not None:
        return Wrong(Anomaly.STUCK, "a next message can be appended", f"it raised {failed.text}")
    if len(read.value) != sizes[names[0]] + 1:
        seen = f"{len(read.value)} messages after {sizes[names[0]]}"
        return Wrong(Anomaly.LOST_MESSAGE, "a next message is read, after the others", seen)
    return None


def _broken(known: _Known, case: _Case, wrong: Wrong) -> Broken:
    done, trial = case.done, known.scene.trial
    finding = Finding(
        anomaly=wrong.anomaly,
        did=f"damaged {done.file} ({done.use}): {done.words}; then recovered it elsewhere",
        expected=wrong.expected,
        seen=wrong.seen,
    )
    spoilt = Spoilt(
        image=case.image,
        words=f"{done.file}: {done.words}",
        before=list(known.before.values()),
        ids=list(known.scene.ids.values()),
        there=case.there,
        names=case.names,
        capabilities=trial.capabilities,
        checksums=trial.claims.checksums,
    )
    trial.store.close()  # what closing answers is known only then
    try:
        script = recovery_script(spoilt, wrong.anomaly, trial.store.awaited)
    except Unwritable as why:
        said = Reproducer(file="", said=f"no script: {why}")
        return Broken(replace(finding, reproducer=said))
    return Broken(replace(finding, script=script))
