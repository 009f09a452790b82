"""No check without a mutant that it catches, and no mutant that survives its own guarantee."""

import inspect
import os
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from fixtures.benign.managing import ManagesInSqlite
from fixtures.registry import MANY, OF_SERVERS, Mutant, judged, mutants
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.verdicts import Record, Verdict
from sessionproof.engine.reproduce import reproduce
from sessionproof.faults.servers.binaries import find_binaries, missing
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.profiles import PROFILES

# Mutants whose breaks no script shows, or none that fails: why.
NO_SCRIPT = {
    "DriftsSlowly": "it may drift only after more operations than a program has",
    "HasNoConnection": "an unclear error at an unusable place shows in the harness alone",
    "LogsErrors": "what it raises after a full disk shows in the harness, not in its script",
    "MendsBesideOthers": "kills at random show it now and then: its script may take minutes",
    "WritesBehind": "kills at random show it now and then: its script may take minutes",
    "NamesByOneByte": "two of 256 random ids are equal by chance, which the next run need not show",
}


# Smoke with a longer search, so that a busy machine makes nothing escape; it ends with a break.
PATIENT = replace(PROFILES["smoke"], share_s=1.0, states=300, patience_s=60.0)
# A break whose script nobody looks at need not be made small.
LARGE = replace(PATIENT, shrink_s=0.1)
# A race is caught and shown by luck, however likely: one that escaped is looked for once more.
# Times on a busy machine are, too: fewer sizes are reached, and fewer rounds are calm.
# benchmarks/detection.py measures how likely.
RACED = MANY | OF_SERVERS | {
    "CORE-04", "DUR-01", "SCALE-03", "BAK-01", "TMO-06", "TMO-07", "SNAP-03", "SRCH-01", "STATE-02",
    "PERF-01", "TMO-09",
}  # fmt: skip
SEEDS = 3
EVERYTHING = "SESSIONPROOF_DEEP" in os.environ
# They hang for ever: nothing is missed when a call is given up early.
HANGS = (
    "OpposingLocks",
    "KeepsItsLockAfterAnError",
    "TakesTwoConnections",
    "WaitsForTheEnded",
    "TimerDies",
)
# They wait long by their nature, or store much; others of the same row are caught on each change.
LATE = (
    "KeepsTheDeadConnection",
    *("RemembersEveryMessage", "KeepsALockForEach", "LeavesCallbacks", "LoadsAllForAPage"),
    *("ForgetsTheOldest", "NumbersWrap", "CachesTheNewest"),
    *("WaitsBeforeItLooks", "DeletesOneByOne", "CountsAtEachLook"),
    *("SetsStateBefore", "WritesWhenFree", "MendsBesideOthers"),
    *("SerializesTheHistory", "CachesEachCursor", "LooksThroughAllSessions", "LeavesItToTheLeader"),
    *("TurnsABitUnlocked", "ReadsUpToThePage", "CountsAtEachInsert", "GivesWay", "TimerLivesOn"),
    *("RecountsAtEachAppend", "LeavesConnectionsOpen", "SetsStateAfterwards"),
    *("ReadsAllForTheLast", "RewritesTheList", "NoIndexOnTheSession", "LogNeverSynced"),
    *("RaisesWithoutACall", "LoadsTheNewest", "RemembersThePlace", "TotalsWrap", "HundredPages"),
    *("ClosesItsOwnConnection", "CreatesInTwoSteps", "UpgradesAtFirst", "LogsAndGoesOn"),
    *("LeavesItsThread", "RemovesBeforeItRenames"),
)
AT_LEAST = 2


def _name(mutant: Mutant) -> str:
    return mutant.store.rpartition(":")[2]


def _when(mutant: Mutant) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.night,) if _name(mutant) in LATE else ()


@pytest.mark.parametrize(
    "mutant", [pytest.param(one, marks=_when(one), id=_name(one)) for one in mutants()]
)
def test_is_caught_by_its_own_guarantee(mutant: Mutant, tmp_path):
    """Each mutant is caught by its guarantee; a script shows it, and passes where it is mended.

    Scripts are run for a sixty-fourth of the mutants on each change, for all of them at night.
    """
    if mutant.guarantee in OF_SERVERS and find_binaries() is None:
        pytest.skip(missing())
    for seed in range(SEEDS if mutant.guarantee in RACED else 1):
        problem, broken = _caught(mutant, seed, tmp_path)
        if not problem:
            break
    assert not problem
    sound = _mended_by(mutant)
    if _is_shown(mutant) and sound is not None:
        mended = tmp_path / "mended"
        (record,) = reproduce(sound, broken, mended, directory=tmp_path, attempts=1)
        for finding in record.findings:
            made = finding.reproducer
            text = (mended / made.file).read_text("utf-8") if made.file else ""
            assert not made.file or made.fails is False, f"{made}\n{text}"


def _caught(mutant: Mutant, seed: int, directory: Path) -> tuple[str, list[Record]]:
    """What is missing for a catch with a script, empty for nothing; the record of the break."""
    operation_s = 2 if _name(mutant) in HANGS else 10
    records = judged(
        mutant.store,
        mutant.guarantee,
        directory=directory,
        seed=seed,
        profile=PATIENT if _is_shown(mutant) else LARGE,
        operation_s=operation_s,
    )
    broken = [record for record in records if record.verdict is Verdict.BROKEN][:1]
    if not broken:
        return f"not caught: {[(one.test, one.verdict, one.reason) for one in records]}", []
    for finding in broken[0].findings:
        assert finding.did
        assert finding.expected
        assert finding.seen
    if not _is_shown(mutant):
        return "", broken
    report = directory / "report"
    (record,) = reproduce(mutant.store, broken, report, directory=directory)
    for finding in record.findings:
        made = finding.reproducer
        assert made.file, made
        if not made.fails:
            return f"{made}\n{(report / made.file).read_text('utf-8')}", broken
    return "", broken


def _is_shown(mutant: Mutant) -> bool:
    """Whether each change looks at this mutant's script, too; the night looks at all of them."""
    if _name(mutant) in NO_SCRIPT:
        return False
    return EVERYTHING or crc32(mutant.store.encode()) % 64 == 0


def _mended_by(mutant: Mutant) -> str | None:
    """The store that is the same one without what is broken in it, if there is one."""
    store = inspect.unwrap(find_store(mutant.store).open)
    for sound in (MemoryStore, ManagesInSqlite):
        kin = isinstance(store, type) and issubclass(store, sound)
        able = all(hasattr(sound, name) for name in GUARANTEES[mutant.guarantee].needs)
        if kin and able and store.claims == sound.claims:
            return f"{sound.__module__}:{sound.__qualname__}"
    return None


def test_scripts_are_left_out_for_a_reason():
    """The mutants without a script are few, and each of them exists."""
    assert NO_SCRIPT.keys() <= set(map(_name, mutants()))
    assert len(NO_SCRIPT) < len(mutants()) / 20


def test_every_guarantee_has_a_mutant():
    """Each row of the registry is caught at work by at least one mutant."""
    assert set(GUARANTEES) <= {mutant.guarantee for mutant in mutants()}


def test_what_waits_for_the_night_is_caught_in_another_on_each_change():
    """A row whose mutants wait has others left; names that wait are of mutants."""
    names = {_name(mutant): mutant.guarantee for mutant in mutants()}
    assert set(LATE) <= names.keys()
    for row in {names[name] for name in LATE}:
        left = [name for name, guarantee in names.items() if guarantee == row and name not in LATE]
        assert len(left) >= AT_LEAST, row


def test_there_are_enough_of_them():
    """At least twenty, each of its own class."""
    stores = [_name(mutant) for mutant in mutants()]
    assert len(stores) == len(set(stores))
    assert len(stores) >= 20
