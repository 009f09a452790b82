"""Kills under load: correct stores are spared, what is lost or stuck by a kill is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import StoreSpec, find_store
from sessionproof.contract.measurements import Traffic
from sessionproof.contract.verdicts import Finding
from sessionproof.engine.scripts import source_of
from sessionproof.reference import ReferenceStore
from sessionproof.trials import kills
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES, Deadlines

ROW = GUARANTEES["DUR-01"]
FEW = replace(PROFILES["smoke"], kills=3)

TrialOf = Callable[..., Trial]


@pytest.fixture
def trial_of(tmp_path: Path) -> Iterator[TrialOf]:
    """A trial of DUR-01 against a store by its name, which other processes find as well."""
    stores = []

    def make(
        name: str, *, claims: Claims | None = None, operation_s: float = 20.0, seed: int = 0
    ) -> Trial:
        spec: StoreSpec = find_store(name)
        deadlines = Deadlines(operation_s=operation_s)
        made = claims or spec.claims
        assert made is not None
        store = StoreUnderTest(spec, made, parent=tmp_path, deadlines=deadlines)
        stores.append(store)
        able = store.handle().capabilities
        return Trial(guarantee=ROW, store=store, capabilities=able, profile=FEW, seed=seed)

    yield make
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("reference", "3 at a time"),
        ("fixtures.benign.sessions:NamesItsSessions", "3 at a time"),
        ("fixtures.benign.states:FilesWithState", "one at a time"),
    ],
)
def test_correct_stores_are_spared(trial_of: TrialOf, name, who):
    """Processes are killed as the claims allow them to work, and nothing is said to be lost."""
    trial = trial_of(name)
    kills.at_random(trial)
    assert trial.examined["crashes"] >= FEW.kills
    assert who in trial.notes[0]
    (traffic,) = trial.measured
    assert isinstance(traffic, Traffic)
    assert traffic.operations > 0


def test_threads_of_one_process_die_together(trial_of: TrialOf):
    """Where handles are for threads, one process at a time works with several of them."""
    claims = replace(ReferenceStore.claims, handles="threads")
    trial = trial_of("reference", claims=claims)
    kills.at_random(trial)
    assert "one at a time with 3 threads" in trial.notes[0]


def test_a_hosted_store_is_killed_behind_its_client(trial_of: TrialOf):
    """Of a store behind a command the command's process is killed, and its client goes on."""
    command = f"cmd:{sys.executable} -m sessionproof.host reference"
    trial = trial_of(command, claims=ReferenceStore.claims)
    kills.at_random(trial)
    assert trial.examined["crashes"] >= FEW.kills


def _found(trial: Trial) -> Finding | None:
    try:
        kills.at_random(trial)
    except Broken as broken:
        return broken.finding
    return None


@pytest.mark.parametrize(
    "name", ["WritesWhenFree", pytest.param("LeavesItToTheLeader", marks=pytest.mark.night)]
)
def test_what_is_acknowledged_and_not_written_is_found(trial_of: TrialOf, name, tmp_path: Path):
    """The finding has a window and a script, which fails by itself; a kill hits it with luck."""
    store = f"fixtures.mutants.kills:{name}"
    finding = next(filter(None, (_found(trial_of(store, seed=seed)) for seed in range(4))))
    assert finding.anomaly is Anomaly.LOST_MESSAGE
    assert finding.window is not None
    assert (tmp_path / "histories" / "DUR-01-kills.npz").exists()
    file = tmp_path / "script.py"
    file.write_text(source_of(store, ROW, finding, file, sys.path))
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "lost by kill -9" in done.stderr
    mended = "fixtures.benign.together:WriteAhead"
    file.write_text(source_of(mended, ROW, finding, file, sys.path))
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_clients_lose_without_kills_is_not_put_down_to_them(trial_of: TrialOf):
    """A store that loses where several write is tried with one client at a time."""
    trial = trial_of("fixtures.mutants.conc_lost:RewritesTheFile")
    kills.at_random(trial)
    assert any("one works at a time" in note for note in trial.notes)
    assert trial.examined["crashes"] >= FEW.kills


def test_a_store_that_does_not_open_after_a_kill_is_found(trial_of: TrialOf):
    """What nobody can read in the end is as good as lost."""
    claims = replace(find_store("killable_stores:LeavesItsLock").claims, handles="one")
    trial = trial_of("killable_stores:LeavesItsLock", claims=claims)
    with pytest.raises(Broken) as caught:
        kills.at_random(trial)
    assert caught.value.finding.anomaly is Anomaly.UNREADABLE
    assert "somebody has it open, or died" in caught.value.finding.seen


@pytest.mark.night
def test_who_waits_for_the_dead_is_found(trial_of: TrialOf):
    """A call that never ends since somebody died is a finding with its stack."""
    claims = replace(find_store("killable_stores:WaitsForTheDead").claims, handles="one")
    trial = trial_of("killable_stores:WaitsForTheDead", claims=claims, operation_s=1.0)
    with pytest.raises(Broken) as caught:
        kills.at_random(trial)
    assert caught.value.finding.anomaly is Anomaly.HANG
    assert "append" in "".join(caught.value.finding.evidence.values())


def test_a_module_with_threads_is_not_forked(trial_of: TrialOf):
    """A fork would not have the threads that an import starts: nothing is said then."""
    trial = trial_of("importing_starts_threads:Store")
    with pytest.raises(CouldNotTell, match="starts threads"):
        kills.at_random(trial)


def test_short_texts_are_not_judged(trial_of: TrialOf):
    """A store whose messages are too short for the clients' texts does not promise them."""
    limits = replace(ReferenceStore.claims.limits, content_bytes=40)
    trial = trial_of("reference", claims=replace(ReferenceStore.claims, limits=limits))
    with pytest.raises(NotClaimed, match="80 bytes"):
        kills.at_random(trial)
