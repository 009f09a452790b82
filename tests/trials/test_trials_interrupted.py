"""Upkeep that is interrupted: what a crash may leave of it, and what is said where it may not."""

import json
import re
import shlex
from dataclasses import asdict, replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.decoding import decoded
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import Upkeep, as_call, method_of, session_of
from sessionproof.contract.verdicts import Finding
from sessionproof.faults.changes import Kind
from sessionproof.faults.crashes.images import Image, content_of, image_of
from sessionproof.faults.crashes.states import KILL, State
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.recorder import Place, record
from sessionproof.faults.tracing.saving import load
from sessionproof.faults.tracing.strace import why_not
from sessionproof.host.client import python_store_command
from sessionproof.trials import interrupted
from sessionproof.trials.crashes import upkeep_looks
from sessionproof.trials.crashes.interruption import entries_of
from sessionproof.trials.crashes.upkeep_looks import Budget, looked, played
from sessionproof.trials.crashes.upkeep_scenes import SCENES, Unfit, scene
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

# So many states are judged as there are, however slow the machine.
QUICK = replace(PROFILES["smoke"], share_s=20.0, states=300)
STORES = "tests.trials.upkeep_stores"
BENIGN, MUTANTS = "fixtures.benign.interrupted", "fixtures.mutants.interrupted"
ALL = Budget(limit_s=60, patience_s=60, least=0, most=500)
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture
def look_of(trial_of, tmp_path):
    """Play a scene with a store, and look at all states of a crash model."""

    def look(name, scene, *models, claims=None, budget=ALL):
        trial = trial_of(name, claims=claims)
        (one,) = played(trial, [scene], tmp_path)
        return looked(trial, one, models or [KILL], budget)

    return look


@pytest.fixture
def trial_of(tmp_path):
    """Make the trial of the row against a store of this name."""
    stores = []

    def make(name, *, claims=None):
        spec = find_store(name)
        stores.append(
            StoreUnderTest(spec, claims or spec.claims, parent=tmp_path, deadlines=QUICK.deadlines)
        )
        return Trial(
            guarantee=GUARANTEES["DUR-06"],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=QUICK,
            seed=0,
        )

    yield make
    for store in stores:
        store.close()


def broken(trial):
    """The finding of a store that does not survive."""
    with pytest.raises(Broken) as raised:
        interrupted.survives(trial)
    return raised.value.finding


def test_a_careful_store_survives_and_each_scene_is_told(trial_of):
    """What was judged of each scene is counted and noted, and what a store lacks is named."""
    trial = trial_of(f"{BENIGN}:OneDocument")
    interrupted.survives(trial)
    assert trial.examined["states"] >= 30
    assert [note.partition(":")[0] for note in trial.notes] == [*SCENES]
    assert "repair: the store has no method repair" in trial.notes


def test_a_restore_that_removes_first_is_caught_by_a_kill(trial_of):
    """The finding has what was done, the files around the crash, and a script with the files."""
    finding = broken(trial_of(f"{MUTANTS}:RemovesBeforeItRestores"))
    assert finding.anomaly in (Anomaly.PARTIAL, Anomaly.UNREADABLE)
    assert "in the middle of restore" in finding.did
    assert finding.program[-1].startswith("store.restore('made/backup-")
    assert finding.program[-1].endswith("# in flight")
    assert finding.crash.model == KILL
    assert "of 26 states judged" in finding.evidence["states"]
    assert any("shown('left/live')" in line for line in finding.script)
    assert any("still_half_done(STORE" in line for line in finding.script)
    assert decoded(Finding, json.loads(json.dumps(asdict(finding)))) == finding


def test_small_files_have_more_scenes(trial_of):
    """A store with few states is judged by scenes that others need not play."""
    trial = trial_of(f"{STORES}:FewWrites")
    interrupted.survives(trial)
    assert trial.examined["states"] >= 30
    assert any(note.startswith("restore into nothing: ") for note in trial.notes)


def test_what_was_acknowledged_and_is_old_again_is_lost(trial_of):
    """Behind the answer of a restore the old content is none of the states that may be left."""
    finding = broken(trial_of(f"{MUTANTS}:RestoresUnsynced"))
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert "the old content" not in finding.expected


def test_calls_that_are_awaited_are_awaited_in_the_script(trial_of):
    """Stores with ``async def`` are judged, and their scripts await what they answer."""
    finding = broken(trial_of(f"{STORES}:AwaitedRemovesFirst"))
    assert "async def shown(place):" in finding.script
    assert any("await store.read(" in line for line in finding.script)
    assert not any("await store.close(" in line for line in finding.script)


def test_a_migration_that_is_built_beside_survives_all(look_of):
    """Each state of the strictest model is the old one or the new one."""
    budget = replace(ALL, most=150)
    look = look_of(f"{MUTANTS}:Migrating", "migrate", "power-strict", budget=budget)
    assert look.judged == 150
    assert not look.wrong


def test_a_migration_may_say_that_it_is_not_done(look_of):
    """A refusal to open is no harm, as long as the migration can be done again."""
    look = look_of(f"{STORES}:SaysItIsNotDone", "migrate")
    assert look.judged == look.existing > 30
    assert not look.wrong


def test_a_file_in_its_own_place_is_migrated_and_kept(look_of):
    """Where the new file gets the old one's name, the old bytes are there under another."""
    look = look_of(f"{STORES}:MigratesInPlace", "migrate in place")
    assert look.judged == look.existing > 30
    assert not look.wrong


def test_a_file_in_its_own_place_that_is_not_kept_is_gone(look_of):
    """From the moment on at which the new file has the name of the old one."""
    look = look_of(f"{STORES}:MigratesOverTheOldFile", "migrate in place")
    assert {one.flaw.anomaly for one in look.wrong} == {Anomaly.OVERWRITTEN}
    first = min(one.state.point for one in look.wrong)
    assert look.recording.changes.rows["kind"][first - 1] == Kind.RENAMED


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RefusesToRestore", "restore: 0 of 1 operations succeeded .* call support"),
        ("RestoresNothing", "restore: without a crash: restore changes nothing that can be read"),
    ],
)
def test_what_does_not_work_at_all_is_no_matter_of_crashes(trial_of, name, reason):
    """What is wrong without a crash is said, and never breaks this row."""
    trial = trial_of(f"{STORES}:{name}")
    interrupted.survives(trial)
    (note,) = [note for note in trial.notes if note.startswith("restore:")]
    assert re.search(reason, note), note


def test_without_a_method_of_upkeep_nothing_is_told(trial_of):
    """A store that has none is not judged, whatever it claims."""
    with pytest.raises(CouldNotTell, match="the store has no method backup"):
        interrupted.survives(trial_of(f"{STORES}:WithoutBackups"))


def test_without_a_claim_there_is_no_promise(trial_of):
    """A store that does not claim to survive crashes is not judged by them."""
    claims = replace(find_store(f"{BENIGN}:OneDocument").claims, durability="none")
    with pytest.raises(NotClaimed, match="durability"):
        interrupted.survives(trial_of(f"{BENIGN}:OneDocument", claims=claims))


def test_without_a_tracer_the_reason_is_told(trial_of, monkeypatch):
    """Where system calls cannot be seen, the row could not tell, with the remedy."""

    def cannot(*_arguments, **_options):
        raise CannotTrace("strace is not installed: apt-get install strace")

    monkeypatch.setattr(upkeep_looks, "record", cannot)
    with pytest.raises(CouldNotTell, match="apt-get install strace"):
        interrupted.survives(trial_of(f"{BENIGN}:OneDocument"))


@pytest.mark.night
def test_a_store_in_another_process_is_judged(look_of):
    """A store behind a command is recorded, opened and asked as any other."""
    claims = find_store(f"{MUTANTS}:RemovesBeforeItRestores").claims
    name = f"cmd:{shlex.join(python_store_command(f'{MUTANTS}:RemovesBeforeItRestores'))}"
    look = look_of(name, "restore", claims=claims)
    assert {one.flaw.anomaly for one in look.wrong} == {Anomaly.PARTIAL, Anomaly.UNREADABLE}


def test_what_lay_there_before_is_on_the_disk(look_of):
    """The files of the scene are in the recording before the call, and no crash takes them."""
    look = look_of(f"{BENIGN}:KeptWhole", "restore", "power-strict", budget=replace(ALL, most=1))
    begun = look.recording.acts[0].after + 1
    assert Kind.SYNCED_ALL in look.recording.changes.rows["kind"][:begun].tolist()
    first = image_of(look.recording.changes, State("none", begun))
    assert first.digest == look.scene.place.there.digest


def test_a_scene_says_what_was_done_and_needs_what_it_needs(trial_of):
    """A damaged store is told as such; a scene that cannot be set says why."""
    made = scene(trial_of(f"{BENIGN}:KeptWhole"), "repair")
    assert made.operation.method == "repair"
    assert [line for line in made.before if "by plain SQL" in line]
    with pytest.raises(Unfit, match="has no method migrate"):
        scene(trial_of(f"{BENIGN}:OneDocument"), "migrate")


def test_a_recording_may_begin_with_files(tmp_path):
    """What lies at a place is a change before the first, all synced; what is beside is not seen."""
    there = Image(("sub",), {"sub/a": content_of(b"x" * 5000), "b": content_of(b"")})
    spec = find_store(f"{BENIGN}:OneDocument")
    store = StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=QUICK.deadlines)
    upkeep = Upkeep("restore", ("b", "sub"))
    recording = record(
        store, [(upkeep,)], folder=tmp_path / "recording", sessions=[], deadline_s=60,
        place=Place(there=there, location="../lending"),
    )  # fmt: skip
    assert not recording.hidden
    assert recording.acts[0].operation == upkeep
    assert recording.acts[0].outcome.type == "fail"
    kinds = recording.changes.rows["kind"].tolist()
    last = kinds.index(Kind.SYNCED_ALL)
    assert image_of(recording.changes, State(KILL, last)).digest == there.digest
    assert set(kinds[last + 1 :]) == {Kind.ANSWERED}
    assert load(recording.folder).acts == recording.acts


def test_an_upkeep_is_written_as_a_call():
    """It has a method, no session, and a line of Python."""
    upkeep = Upkeep("backup", ("made",), {"keep": 1}, ("s",))
    assert as_call(upkeep) == "store.backup('made', keep=1)"
    assert (method_of(upkeep), session_of(upkeep)) == ("backup", "")


def test_what_looks_like_a_backup():
    """Entries with the suffix of the first one; hidden ones and companions are none."""
    names = ("made/a.db", "made/a.db-wal", "made/.b.db", "made/c.part", "made/d.db/x", "live/e.db")
    image = Image(("made/d.db",), {name: content_of(b"x") for name in names})
    assert entries_of(image, ".db") == ["a.db", "d.db"]
    assert entries_of(image, None) == ["a.db", "a.db-wal", "c.part", "d.db"]


def test_a_budget_waits_for_the_least():
    """Time ends it only when enough was judged, unless even patience is at its end."""
    budget = Budget(limit_s=1, patience_s=5, least=10, most=99)
    assert not budget.spent(2, 9)
    assert budget.spent(2, 10)
    assert budget.spent(6, 0)
