"""Crashes as rows see them: what is broken by which states, kept for all rows, a script."""

import json
from dataclasses import asdict, replace

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.decoding import decoded
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.verdicts import Finding, record_to_json
from sessionproof.faults.crashes.states import KILL, POWER_ORDERED, POWER_STRICT
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.strace import why_not
from sessionproof.trials import crash
from sessionproof.trials.crashes import exploration as crash_exploration
from sessionproof.trials.crashes.looks import Look
from sessionproof.trials.examine import examine
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

QUICK = replace(PROFILES["smoke"], share_s=1.0, states=90, shrink_s=0.2)
STORES = "tests.trials.crashing_stores"
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture
def trial_of(tmp_path):
    """Make the trial of a row against a store of this name; all of a test share one directory."""
    stores = []

    def make(guarantee, name, *, profile=QUICK, claims=None):
        spec = find_store(name)
        stores.append(
            StoreUnderTest(
                spec, claims or spec.claims, parent=tmp_path, deadlines=profile.deadlines
            )
        )
        return Trial(
            guarantee=GUARANTEES[guarantee],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=profile,
            seed=0,
        )

    yield make
    for store in stores:
        store.close()


def broken(trial):
    """The finding of a row that is broken."""
    with pytest.raises(Broken) as raised:
        crash.survives(trial)
    return raised.value.finding


def test_a_store_that_survives_holds(trial_of):
    """The reference loses nothing by kills, and what was judged is counted and shown."""
    trial = trial_of("DUR-01", "reference")
    crash.survives(trial)
    assert trial.examined["crashes"] >= 20
    assert {one.model for one in trial.measured} == {KILL}
    assert {one.clients for one in trial.measured} == {"one client", "2 processes"}
    for one in trial.measured:
        assert one.claimed
        assert one.judged == sum(cell.judged for cell in one.cells) <= one.existing
        assert not one.by_anomaly
    assert all("states were judged" in note for note in trial.notes)


def test_what_forks_have_in_common_breaks_nothing(trial_of, tmp_path):
    """What is wrong in forks of an imported store is recorded again, in processes of its own."""
    trial = trial_of("DUR-01", f"{STORES}:NamedAtImport")
    crash.survives(trial)
    assert trial.examined["crashes"] >= 20
    assert {one.clients for one in trial.measured} == {"one client", "2 processes"}
    assert len([*tmp_path.glob("crashes-*/*/own-processes")]) == 2


def test_what_is_claimed_is_explored_first(trial_of, monkeypatch):
    """Of one client and of two, before the models that the report only shows."""
    looked = []

    def look(_trial, made, model, _part):
        looked.append((made.clients, model))
        return Look(model, 0)

    monkeypatch.setattr(crash_exploration, "_look", look)
    claims = replace(find_store("reference").claims, durability="process")
    thorough = replace(QUICK, states=2_000)
    with pytest.raises(CouldNotTell, match="there are no more"):
        crash.survives(trial_of("DUR-01", "reference", profile=thorough, claims=claims))
    assert [model for _, model in looked[:2]] == [KILL, KILL]
    assert len({clients for clients, _ in looked[:2]}) == 2
    assert sorted(looked[2:]) == sorted(
        (clients, model) for clients, _ in looked[:2] for model in (POWER_ORDERED, POWER_STRICT)
    )


def test_rows_share_what_was_explored(trial_of, tmp_path, monkeypatch):
    """What one row recorded and judged is read by the next one, which opens no state again."""
    crash.survives(trial_of("DUR-02", f"{STORES}:Whole"))
    files = sorted(path.name for path in tmp_path.glob("crashes-*/alone/*"))
    assert files == ["kill.json", "recording", "unrecorded.txt"]

    def not_again(*_arguments, **_options):
        raise AssertionError("it was explored already")

    monkeypatch.setattr(crash_exploration, "record", not_again)
    monkeypatch.setattr(crash_exploration, "judged", not_again)
    trial = trial_of("DUR-05", f"{STORES}:Whole")
    crash.survives(trial)
    assert trial.examined["states"] >= 20


def test_a_file_that_is_written_in_place_is_lost_by_a_kill(trial_of):
    """The finding is short, shows the files around the crash, and has a script with the files."""
    finding = broken(trial_of("DUR-01", f"{STORES}:InPlace"))
    assert finding.anomaly is Anomaly.UNREADABLE
    assert "killed behind change" in finding.did
    assert len(finding.program) <= 4
    assert finding.program[-1].endswith("# in flight")
    window = finding.crash
    assert window.model == KILL
    assert {step.file for step in window.steps} >= {"all.json", "client 1"}
    assert next(step for step in window.steps if step.at == window.point - 1).survived == "yes"
    assert all(step.survived == "after" for step in window.steps if step.at >= window.point)
    assert any("still_breaks(STORE" in line for line in finding.script)
    assert decoded(Finding, json.loads(json.dumps(asdict(finding)))) == finding
    assert "unreadable in" in finding.evidence["states"]


def test_what_was_never_acknowledged_is_not_lost(trial_of):
    """A store that is unreadable in its first moment alone has lost nothing (DUR-01)."""
    crash.survives(trial_of("DUR-01", f"{STORES}:BlindAtFirst"))
    finding = broken(trial_of("DUR-05", f"{STORES}:BlindAtFirst"))
    assert finding.anomaly is Anomaly.UNREADABLE


def test_a_batch_in_two_writes_is_half_done(trial_of):
    """A part of a batch breaks the row of whole operations, and not that of lost ones."""
    finding = broken(trial_of("DUR-02", f"{STORES}:TwoSteps"))
    assert finding.anomaly is Anomaly.TORN_BATCH
    crash.survives(trial_of("DUR-01", f"{STORES}:TwoSteps"))


def test_power_is_looked_at_where_it_is_claimed(trial_of):
    """A rename without syncs breaks the claim of power; claiming processes alone, it holds."""
    power = replace(find_store(f"{STORES}:Whole").claims, durability="power")
    finding = broken(trial_of("DUR-03", f"{STORES}:Whole", claims=power))
    assert finding.crash.model == POWER_ORDERED
    assert "power failed" in finding.did
    with pytest.raises(NotClaimed):
        crash.survives(trial_of("DUR-03", f"{STORES}:Whole"))


@pytest.mark.night
def test_what_is_not_claimed_is_shown_in_longer_runs(trial_of):
    """Models that a store does not claim to survive decide nothing, and short runs skip them."""
    short = trial_of("DUR-01", f"{STORES}:Whole")
    crash.survives(short)
    assert [one.model for one in short.measured] == [KILL]
    weaker = trial_of("DUR-01", f"{STORES}:Whole", profile=replace(QUICK, states=1_000))
    crash.survives(weaker)
    assert {one.model: one.claimed for one in weaker.measured} == {
        KILL: True, POWER_ORDERED: False, POWER_STRICT: False,
    }  # fmt: skip
    assert any(one.by_anomaly for one in weaker.measured)


def test_without_a_tracer_nothing_is_said(trial_of, monkeypatch):
    """Where system calls cannot be seen, the row could not tell, with the reason and remedy."""

    def cannot(*_arguments, **_options):
        raise CannotTrace("strace is not installed: apt-get install strace")

    monkeypatch.setattr(crash_exploration, "record", cannot)
    with pytest.raises(CouldNotTell, match="apt-get install strace"):
        crash.survives(trial_of("DUR-01", f"{STORES}:Whole"))


def test_hidden_writers_are_not_judged(trial_of, monkeypatch):
    """What the trace cannot rebuild is said to be so, and is never broken."""
    real = crash_exploration.record

    def hidden(*arguments, **options):
        return replace(real(*arguments, **options), hidden="a memory mapping cannot be traced")

    monkeypatch.setattr(crash_exploration, "record", hidden)
    with pytest.raises(CouldNotTell, match="memory mapping"):
        crash.survives(trial_of("DUR-01", f"{STORES}:InPlace"))


def test_a_store_without_files_cannot_be_told(trial_of):
    """What writes nothing below its location has no files that a crash could harm."""
    with pytest.raises(CouldNotTell, match="wrote no file"):
        crash.survives(trial_of("DUR-01", f"{STORES}:InMemory"))


def test_a_store_that_is_wrong_without_a_crash_is_not_judged(trial_of):
    """Where copied files alone are read otherwise, no crash is to blame."""
    trial = trial_of("DUR-01", f"{STORES}:KnowsItsPlace")
    with pytest.raises(CouldNotTell, match=r"wrong already without a crash; mend that first$"):
        crash.survives(trial)
    assert [note for note in trial.notes if note.startswith("read without a crash: ")]


def test_without_a_claim_there_is_no_promise(trial_of):
    """Rows whose claim is another one do not judge crashes of a store that claims none."""
    with pytest.raises(NotClaimed, match="durability"):
        crash.survives(trial_of("CORE-15", "sessionproof.oracle.memory:MemoryStore"))


def test_the_record_carries_all_of_it(trial_of):
    """A record of a broken row goes through JSON with its crash and its measurements."""
    trial = trial_of("DUR-01", f"{STORES}:InPlace")
    record = examine(crash.survives, trial, name="t", declared=True)
    assert json.loads(json.dumps(record_to_json(record)))["findings"][0]["crash"]["steps"]


def test_what_answers_awaitables_is_awaited_in_the_script(trial_of):
    """The script awaits what the store's methods answer, as others than the trial judged it."""
    finding = broken(trial_of("DUR-01", f"{STORES}:AwaitedInPlace"))
    assert any("await store.read(" in line for line in finding.script)
    assert not any("await store.append(" in line for line in finding.script)
